import { loneLeaf } from '@countersign/core/flow';
import { rewrapAll } from '@countersign/keys';
import type { Logger, Shutdown } from '@countersign/service';
import { setTimeout as delay } from 'node:timers/promises';
import { systemEntropy } from './clock.js';
import { TENANT, type World } from './world.js';

/** How often it is looked for what is sealed under an older master key. */
const LOOK_MS = 3_600_000;
/** Between batches, so that requests go first. */
const PAUSE_MS = 50;

/**
 * Puts what is sealed under an older master key under the active one: at the start, which is when keys change, and each hour, for what another
 * process sealed meanwhile with the keys that it was started with. Several processes do no harm to each other.
 */
export function rewrapInTheBackground({ world, log, shutdown }: { world: World; log: Logger; shutdown: Shutdown }): void {
  const { store, sealer, clock } = world;
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        const { rewrapped, failed } = await rewrapAll({ store: store.rewraps, sealer, signal: stop.signal, pause: () => delay(PAUSE_MS) });
        if (rewrapped > 0) {
          const facts = { kid: sealer.activeKid, rewrapped, via: 'service' };
          const leaf = await loneLeaf(
            { sealer, entropy: systemEntropy },
            { tenant: TENANT, event: 'keys.rewrapped', subject: sealer.activeKid, at: clock.now(), facts, details: {} },
          );
          await store.requests.record(TENANT, [leaf]);
          log.info({ rewrapped, kid: sealer.activeKid }, 'Sealed values were put under the active master key');
        }
        if (failed.length > 0) log.error({ count: failed.length, first: failed[0] }, 'Sealed values do not open with the master keys that there are');
      } catch (error) {
        log.error({ err: error }, 'Sealed values could not be put under the active master key; it is tried again');
      }
      await delay(LOOK_MS, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  shutdown.add('rewrapping', async () => {
    stop.abort();
    await running;
  });
}
