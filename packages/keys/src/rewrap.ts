import type { RewrapStore } from '@countersign/core/ports';
import { KeysError } from './errors.js';
import type { EnvelopeSealer } from './sealer.js';

export interface RewrapDeps {
  store: Pick<RewrapStore, 'places' | 'outdated' | 'replace'>;
  sealer: Pick<EnvelopeSealer, 'rewrap' | 'activeKid'>;
  /** Rows at once; 200 unless told. */
  batch?: number;
  /** Between batches, so that the service's own work goes first; and where to stop. */
  pause?: () => Promise<void>;
  signal?: AbortSignal;
}

export interface Rewrapped {
  /** How many values are under the active master key now that were not before. */
  rewrapped: number;
  /** Values that do not open, by place: their master key is gone, or they were altered. */
  failed: { place: string; row: string; code: string }[];
}

/**
 * Wraps everything that is sealed under the active master key. A value is replaced only where it is still the one that was read, and opens
 * before and after; so it runs beside a working service, in several processes at once, and goes on where it was interrupted.
 * @throws KeysError `kms_unavailable` where the KMS does not answer: whatever was done stays done
 */
export async function rewrapAll({ store, sealer, batch = 200, pause, signal }: RewrapDeps): Promise<Rewrapped> {
  const done: Rewrapped = { rewrapped: 0, failed: [] };
  for (const place of store.places()) {
    for (let after: string[] | null = null; ;) {
      if (signal?.aborted === true) return done;
      const found = await store.outdated(place, sealer.activeKid, after, batch);
      for (const value of found) {
        try {
          if (await store.replace(value, await sealer.rewrap(value.context, value.sealed))) done.rewrapped += 1;
        } catch (error) {
          if (!(error instanceof KeysError) || error.code === 'kms_unavailable') throw error;
          done.failed.push({ place, row: value.context.row, code: error.code });
        }
      }
      const last = found.at(-1);
      if (last === undefined || found.length < batch) break;
      after = last.key;
      await pause?.();
    }
  }
  return done;
}
