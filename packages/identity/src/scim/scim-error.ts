/** The keywords of RFC 7644, section 3.12, table 9. */
export type ScimType =
  | 'invalidFilter'
  | 'tooMany'
  | 'uniqueness'
  | 'mutability'
  | 'invalidSyntax'
  | 'invalidPath'
  | 'noTarget'
  | 'invalidValue'
  | 'invalidVers';

/** What a SCIM client is told instead of an answer: a value, thrown only within this folder and caught at its edge. */
export class ScimError extends Error {
  override readonly name = 'ScimError';
  constructor(
    readonly status: number,
    readonly scimType: ScimType | null,
    detail: string,
  ) {
    super(detail);
  }
}

export const bad = (scimType: ScimType, detail: string): ScimError => new ScimError(400, scimType, detail);

/** Runs what may refuse, and gives the refusal as a value. */
export function refusable<Value>(work: () => Value): { ok: true; value: Value } | { ok: false; refusal: ScimError } {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (error instanceof ScimError) return { ok: false, refusal: error };
    throw error;
  }
}
