import type { SigningPurpose } from '@countersign/core/ports';

/** What a key signs. A key has one purpose. */
export const signingPurposes = ['outcome', 'checkpoint', 'link'] as const satisfies readonly SigningPurpose[];
