/** What went wrong with a key, for programs. */
export type KeysErrorCode =
  /** The master keyring's text is not `kid:base64,…`. */
  | 'invalid_master_key'
  /** Others than its owner can read the master key's file, or it is no plain file of ours. */
  | 'key_file_unsafe'
  /** The master key's file can be neither read nor made. */
  | 'key_file_unusable'
  /** Sealed under a master key that the keyring does not hold. */
  | 'unknown_master_key'
  /** Sealed bytes that do not open: altered, moved to another place, cut, or sealed under another key. */
  | 'not_opened'
  /** The KMS does not answer, or answers that it cannot for the moment. */
  | 'kms_unavailable'
  /** The KMS does not let us: no such key, no right to it, or a key that is disabled. */
  | 'kms_refused'
  /** A stored signing key whose parts do not belong together. */
  | 'signing_key_unusable'
  /** A key, a secret or an argument of the wrong form. */
  | 'invalid_key';

/** The one error class of keys. `code` is stable; the message is for people and never carries a secret, or text that may be one. */
export class KeysError extends Error {
  override readonly name = 'KeysError';
  readonly code: KeysErrorCode;

  constructor(code: KeysErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
