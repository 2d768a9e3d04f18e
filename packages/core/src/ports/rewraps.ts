/** Everything that is sealed under a master key, to be wrapped under another one. */
import type { SealContext } from './world.js';

/** A sealed value, where it lives, and how the store finds it again. */
export interface SealedPlace {
  /** `table.column` */
  place: string;
  context: SealContext;
  /** The row's primary key, as texts in the store's order. */
  key: string[];
  sealed: Uint8Array;
}

export interface RewrapStore {
  /** Every `table.column` that holds sealed values. */
  places(): readonly string[];
  /** Values of a place that are under another master key than this one, in the order of their keys, from after `after` on. */
  outdated(place: string, activeKid: string, after: string[] | null, limit: number): Promise<SealedPlace[]>;
  /** Puts `sealed` in place of what is there if that is still the one that was read; false where it is not. */
  replace(found: SealedPlace, sealed: Uint8Array): Promise<boolean>;
  /** How many values of each place are under which master key; null stands for none that can be told. */
  census(): Promise<{ place: string; kid: string | null; count: number }[]>;
}
