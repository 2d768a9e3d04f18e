import type { Clock, PlatformName, PressGuardStore } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';

/**
 * Which commands were done already. Platforms sign what they send, and a thief may send it again as it stands: what has been here is not done
 * twice. Each process knows its own; what it forgets is too old by the platform's signature.
 */
export function createOnce(clock: Clock): (key: string) => boolean {
  const seen = new Map<string, number>();
  return (key) => {
    const now = epochMs(clock.now());
    for (const [old, at] of seen) {
      if (seen.size < MOST_SEEN && now - at < SEEN_MS) break;
      seen.delete(old);
    }
    if (seen.has(key)) return false;
    seen.set(key, now);
    return true;
  };
}

/**
 * The same across all processes, and after a restart: what a platform sent counts for whoever writes its row first. Throws where the store does not
 * answer: then nothing is done, and the person tries again.
 *
 * @param key the platform's own name for what it sent: a trigger, an activity in its conversation
 */
export function createStoredOnce(world: { tenant: string; store: { presses: PressGuardStore } }, platform: PlatformName): (key: string) => Promise<boolean> {
  return (key) => world.store.presses.take({ tenant: world.tenant, platform, key });
}

/** Longer than a signature of either platform is taken, in milliseconds. */
const SEEN_MS = 2 * 60 * 60_000;
const MOST_SEEN = 10_000;
