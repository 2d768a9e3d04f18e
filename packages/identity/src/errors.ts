/** What went wrong in identity, for programs. */
export type IdentityErrorCode =
  /** A directory file cannot be read from the disk. */
  | 'directory_unreadable'
  /** A directory file does not say what a directory must say; the message lists every problem with its place. */
  | 'directory_invalid'
  /** The identity provider does not answer, or what it says of itself cannot be used. */
  | 'provider_unavailable'
  /** The keys of a token's issuer cannot be told now. */
  | 'issuer_unavailable'
  /** The trust file cannot be read, or does not say what it must; the message lists every problem with its place. */
  | 'trust_invalid';

/** The one error class of identity. Who may not do something is a value, never this class. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly code: IdentityErrorCode;

  constructor(code: IdentityErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
