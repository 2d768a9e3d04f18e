/**
 * Encrypts data keys under a key that this process may never see: the master keyring here, or a KMS (AWS KMS, Google Cloud KMS, Vault Transit).
 * `context` is short text that is authenticated, not encrypted; what was wrapped with one context does not unwrap with another.
 */
export interface KeyWrapper {
  /** The key that wraps from now on: 1 to 255 bytes of UTF-8 that name it for ever (a kid, an ARN with its version). */
  readonly activeKid: string;
  /** Wraps a data key of 32 bytes under the active key, into at most 65,535 bytes. */
  wrap(dataKey: Uint8Array, context: string): Promise<Uint8Array>;
  /** @throws KeysError `unknown_master_key` for a kid that is not there (any more), `not_opened` where wrapped bytes or context are not the ones of then. */
  unwrap(kid: string, wrapped: Uint8Array, context: string): Promise<Uint8Array>;
}
