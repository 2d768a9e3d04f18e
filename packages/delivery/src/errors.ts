export type DeliveryErrorCode =
  /** A `whsec_` secret that is not base64 of 24 to 64 bytes, or too many at once. */
  | 'invalid_secret'
  /** A `whsk_` or `whpk_` key that is not base64 of the right length, or whose halves disagree. */
  | 'invalid_key'
  /** A message id or time stamp that cannot be signed, or nothing to sign with. */
  | 'unsignable'
  /** The connector refused an address before a byte was sent. */
  | 'address_blocked';

/** The one error class of this package. The message never carries a secret or a payload. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  readonly code: DeliveryErrorCode;

  constructor(code: DeliveryErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
