/**
 * What can be wrong with the queue itself. A lost wake-up is not among them: it is counted, not thrown.
 *
 * - `eviction_policy`: Redis may throw jobs away; it has to run with `maxmemory-policy noeviction`.
 * - `access_denied`: Redis or PostgreSQL refused our credentials or rights.
 * - `backend_unreachable`: PostgreSQL did not answer when the queue was prepared.
 * - `invalid_url`: the address of the backend cannot be read.
 * - `no_backend`: neither a Redis nor a PostgreSQL address was given.
 * - `handler_exists`: a second handler for the same queue in one process.
 */
export type QueueErrorCode = 'eviction_policy' | 'access_denied' | 'backend_unreachable' | 'invalid_url' | 'no_backend' | 'handler_exists';

/** The one error class of this package. Its message never contains an address with a password. */
export class QueueError extends Error {
  override readonly name = 'QueueError';
  readonly code: QueueErrorCode;

  constructor(code: QueueErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
