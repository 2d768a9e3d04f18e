import { parseDuration } from './bundle/durations.js';
import type { RevealDocument } from './bundle/schema-reveal.js';

/** Who may see masked values of these classes, one at a time and on the record. */
export interface RevealRight {
  /** A member of any of them. */
  readonly groups: readonly string[];
  /** Null: every class but `secret`, which is revealed only where it is named. */
  readonly classes: readonly string[] | null;
  /** How old the proof of who it is may be, in seconds; null: as old as the session. */
  readonly fresh_seconds: number | null;
}

/** What one rule, or the bundle's defaults, say; every layer must agree. An empty one lets nobody see anything. */
export type RevealLayer = readonly RevealRight[];

/** A `reveal` of a bundle; absent stays undefined, for a rule without one says nothing of it. */
export function compileReveal(document: RevealDocument | undefined): RevealLayer | undefined {
  if (document === undefined) return undefined;
  return (Array.isArray(document) ? document : [document]).map(({ groups, classes, fresh }) => ({
    groups,
    classes: classes ?? null,
    fresh_seconds: fresh === undefined ? null : (parseDuration(fresh) ?? 0),
  }));
}

/**
 * Whether somebody in these groups may see a value of all these classes, and how fresh their proof must be then; null where not. A value
 * that two rules hide, or in which two classes were found, is shown only where all of it may be.
 */
export function revealRight(layers: readonly RevealLayer[], groups: readonly string[], classes: readonly string[]): { fresh_seconds: number | null } | null {
  let fresh: number | null = null;
  for (const layer of layers) {
    for (const found of classes) {
      const rights = layer.filter((right) => covers(right.classes, found) && right.groups.some((group) => groups.includes(group)));
      if (rights.length === 0) return null;
      // Of the rights that one has, the widest counts; of what several layers ask, the strictest.
      const widest = rights.some(({ fresh_seconds }) => fresh_seconds === null) ? null : Math.max(...rights.map(({ fresh_seconds }) => fresh_seconds ?? 0));
      if (widest !== null) fresh = fresh === null ? widest : Math.min(fresh, widest);
    }
  }
  return layers.length === 0 || classes.length === 0 ? null : { fresh_seconds: fresh };
}

const covers = (classes: readonly string[] | null, found: string): boolean => (classes === null ? found !== 'secret' : classes.includes(found));
