import type { JsonPointer, JsonValue } from '../request/json-value.js';

/**
 * What a mask hides: `secret` gives access (passwords, keys, tokens), `email` and `card` are personal data, `field` is what policy names,
 * `unscanned` is what could not be looked at.
 */
export type MaskClass = 'secret' | 'field' | 'card' | 'email' | 'unscanned';

/**
 * A path that policy names: members between dots, `[*]` and `[0]` for elements, `*` for any member, `**` for any number of levels,
 * `["a.b"]` for a member with other characters. `parameters.rows[*].iban`, `context.**`.
 */
export type MaskPath = string;

/** What to hide in one document. */
export interface MaskPlan {
  /** The paths that policy names; each value there is hidden whole. */
  readonly paths: readonly MaskPath[];
  /**
   * HMAC key of the tokens, at least 16 bytes. Equal values have equal tokens under one key, so its scope (one request, for cards) is the
   * scope in which equality shows.
   */
  readonly key: Uint8Array;
  /**
   * What must be shown, with all beneath it: neither policy paths, names of members nor personal data hide it. Credentials are cut out of
   * its text all the same, and are in the report under its pointer: the caller raises the effect.
   */
  readonly keep?: readonly JsonPointer[] | ((pointer: JsonPointer) => boolean);
  readonly limits?: Partial<MaskLimits>;
}

/** Bounds on the work. What lies over one is replaced, never passed through. */
export interface MaskLimits {
  /** Arrays and objects inside each other. */
  readonly depth: number;
  /** Values in the document, those inside JSON in strings included. */
  readonly nodes: number;
  /** UTF-16 units of one string. */
  readonly stringLength: number;
  /** UTF-16 units that are searched in all, decoded layers included. */
  readonly work: number;
}

export const DEFAULT_MASK_LIMITS: MaskLimits = { depth: 32, nodes: 100_000, stringLength: 1_048_576, work: 33_554_432 };

/** One thing that was hidden. It says nothing of the value but its class and size. */
export interface MaskEntry {
  /** Where, in the masked document; the string's own place if only a part of it was hidden. */
  readonly pointer: JsonPointer;
  readonly class: MaskClass;
  /** `strip`: nothing is left but a size. `token`: equal values show as equal. */
  readonly action: 'strip' | 'token';
  /** Which rule found it, layers of encoding first: `base64/github-token`. */
  readonly detector: string;
  /** UTF-16 units; rounded to a power of two where the class is `secret` or `field`, bytes where it is `unscanned`. */
  readonly length: number;
}

export interface MaskResult<Value = JsonValue> {
  readonly masked: Value;
  /** In document order. */
  readonly report: MaskEntry[];
  /** False where something was replaced because it could not be searched: the caller raises the effect. */
  readonly complete: boolean;
}

/** The nearest power of two, at least 8: what is shown of the length of a secret. */
export function lengthBucket(length: number): number {
  return length <= 8 ? 8 : 2 ** Math.round(Math.log2(length));
}
