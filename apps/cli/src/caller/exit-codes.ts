import { ClientError, type Status } from '@countersign/client';

/**
 * How the caller's commands end, after sysexits.h where it has a code. 2 stays the wrong command line.
 */
export const CALLER_EXIT = {
  approved: 0,
  /** The service did not answer, or refused the question (EX_UNAVAILABLE). */
  unavailable: 69,
  /** Nobody decided in time; also when the request expired (EX_TEMPFAIL). */
  timed_out: 75,
  /** What answered is about another action, or the approval was used before (EX_PROTOCOL). */
  not_what_was_asked: 76,
  /** Denied, cancelled or revoked (EX_NOPERM). */
  denied: 77,
  /** Redeemed, but the program could not be started. */
  not_started: 126,
  /** There is no such program; nothing was asked. */
  not_found: 127,
  /** Ctrl-C; the request was taken back. */
  interrupted: 130,
} as const;

export const EXIT_USAGE = `  Exit codes: 69 the service cannot be asked, 75 nobody decided in time, 76 the approval is for something else or was used before,
  77 denied, cancelled or revoked, 130 interrupted (the request is taken back). In none of these did anything run.`;

export function exitOfStatus(status: Status | 'timed_out'): number {
  switch (status) {
    case 'approved':
      return CALLER_EXIT.approved;
    case 'pending':
    case 'timed_out':
    case 'expired':
      return CALLER_EXIT.timed_out;
    case 'denied':
    case 'cancelled':
    case 'revoked':
      return CALLER_EXIT.denied;
  }
}

/** @returns the exit code of a fault of the client; undefined for errors that are not its */
export function exitOfFault(error: unknown): number | undefined {
  if (!(error instanceof ClientError)) return undefined;
  switch (error.code) {
    case 'unreachable':
    case 'refused':
    case 'unexpected_answer':
      return CALLER_EXIT.unavailable;
    case 'aborted':
      return CALLER_EXIT.interrupted;
    case 'invalid_action':
    case 'invalid_options':
      return 2;
    default:
      return CALLER_EXIT.not_what_was_asked;
  }
}
