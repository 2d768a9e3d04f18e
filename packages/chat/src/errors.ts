export type PlatformErrorCode =
  /** No answer, a 5xx, a time-out: whether the message was posted is unknown. */
  | 'unreachable'
  /** The platform asks to wait. */
  | 'rate_limited'
  /** The place or the message does not exist any more, or the bot was removed from it. */
  | 'gone'
  /** The platform refuses the card or the bot's credentials: trying again changes nothing. */
  | 'refused';

/** What went wrong at a chat platform. */
export class PlatformError extends Error {
  override readonly name = 'PlatformError';
  readonly code: PlatformErrorCode;
  /** How long the platform asks to wait, in seconds. */
  readonly retryAfterSeconds: number | null;

  constructor(code: PlatformErrorCode, message: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}
