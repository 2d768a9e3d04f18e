export type OnCallErrorCode =
  /** No token for the service. */
  | 'not_configured'
  /** No answer, or one that is not of the service's making. */
  | 'unreachable'
  /** The service refuses the question: the token, the schedule. */
  | 'refused';

/** Who is on call is not known. */
export class OnCallError extends Error {
  override readonly name = 'OnCallError';
  readonly code: OnCallErrorCode;

  constructor(code: OnCallErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}
