/**
 * What went wrong, for programs. A code names a fault of the caller or of the environment; what a person may not do is a refusal,
 * which is a value and never this class.
 */
export type CoreErrorCode =
  /** A value that RFC 8785 cannot write: undefined, a function, NaN, a lone surrogate, a cycle, an object of a class. */
  | 'not_canonical_json'
  /** A digest was asked over members that are null, or lacks one that it needs. */
  | 'invalid_digest_input'
  /** Text that is not hex, base64 or well-formed UTF-16. */
  | 'invalid_encoding'
  /** An argument outside what the docstring allows (a negative time, random bytes of another length). */
  | 'invalid_argument'
  /** A policy bundle that a record names is not in the store, or is not what its digest says. */
  | 'policy_missing'
  /** A use case lost every compare-and-set that it tried. */
  | 'contention'
  /** A sealed payload does not hold what it should. */
  | 'payload_unreadable'
  /** Bytes or text that should be a leaf, an entry bundle, a tile, a checkpoint, a note, a verifier key or a tree's state are not. */
  | 'ledger_malformed';

/** The one error class of core. `code` is stable; the message is for people and never carries a payload's value. */
export class CoreError extends Error {
  override readonly name = 'CoreError';
  readonly code: CoreErrorCode;

  constructor(code: CoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
