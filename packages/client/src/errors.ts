import type { Problem } from './types.js';

/** What went wrong, for programs. That people or policy said no is a result of `guard`, not one of these. */
export type ClientErrorCode =
  /** The service did not answer, or answered 5xx or 429, until the patience was over. Nothing ran. */
  | 'unreachable'
  /** The service answered with a problem; `problem.code` holds its name. */
  | 'refused'
  /** What answered does not speak the protocol: no JSON, other members, a redirect. */
  | 'unexpected_answer'
  /** An answer, an outcome or a grant is about another action than the one at hand. It does not run. */
  | 'digest_mismatch'
  /** The approval was used before: by an earlier run that may or may not have ended. It does not run again. */
  | 'already_redeemed'
  /** The action holds something that JSON cannot say, or that would be read in two ways. */
  | 'invalid_action'
  /** An option is missing or malformed. */
  | 'invalid_options'
  /** The caller's signal was aborted. */
  | 'aborted'
  /** No signature on the message is of a key that is trusted. */
  | 'invalid_signature'
  /** The message's time stamp is too far from now: it may be a replay. */
  | 'stale_message'
  /** The message is signed, but is not what it should be; or lacks headers. */
  | 'malformed_message'
  /** The grant is forged, malformed, for somebody else, or from somebody else. */
  | 'invalid_grant'
  | 'grant_expired'
  /** The grant is for another action. */
  | 'action_mismatch';

/** The one error class of the client. The message never repeats a key, a secret or a parameter's value. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  /** The HTTP status of the answer, where there was one. */
  readonly status: number | undefined;
  /** The problem (RFC 9457) that the service answered with, where it did. */
  readonly problem: Problem | undefined;

  constructor(code: ClientErrorCode, message: string, options: { cause?: unknown; status?: number; problem?: Problem } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.status = options.status;
    this.problem = options.problem;
  }
}

/** Whether it is the service's refusal by one of these names. */
export function isRefusal(error: unknown, ...names: string[]): error is ClientError & { problem: Problem } {
  return error instanceof ClientError && error.problem !== undefined && names.includes(error.problem.code);
}
