/** What went wrong between us and PostgreSQL, for programs. */
export type StoreErrorCode =
  /** COUNTERSIGN_HOME cannot be made or written. */
  | 'home_not_writable'
  /** Another running instance holds the embedded server of this home. */
  | 'home_in_use'
  /** The embedded server cannot run here: no binaries for the platform, files of another user or version. */
  | 'server_unsupported'
  /** The embedded server did not start, or ended by itself. */
  | 'server_failed'
  /** A migration failed, or an earlier one is recorded as failed. */
  | 'migration_failed'
  /** The database cannot be reached, or did not answer in time; nothing is known to have been written. */
  | 'unavailable'
  /** A commit's connection broke and what became of it could not be read back. The caller must ask again. */
  | 'commit_unknown'
  /** The database refused a statement: a bug, or an attempt to change what may not change. */
  | 'refused'
  /** No policy is in force for the tenant. */
  | 'no_policy'
  /** A row holds what no version of ours wrote. */
  | 'corrupt';

/** The one error class of the store. `code` is stable; the message is one line for people and never carries a payload's value or a secret. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
