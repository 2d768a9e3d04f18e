/**
 * What can go wrong when a service starts.
 *
 * - `port_taken`: another program listens on the address.
 * - `port_forbidden`: the system does not let this user listen there (ports below 1024).
 * - `address_unknown`: HOST is not an address of this machine.
 * - `listen_failed`: anything else that the system answered.
 */
export type ServiceErrorCode = 'port_taken' | 'port_forbidden' | 'address_unknown' | 'listen_failed';

/** The one error class of this package; its message is one line for the person at the terminal. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ServiceErrorCode;

  constructor(code: ServiceErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
