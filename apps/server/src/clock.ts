import { randomBytes } from 'node:crypto';
import type { Clock, Entropy, SweepStore } from '@countersign/core/ports';
import { formatInstant } from '@countersign/core/request';

/** How often the difference to the database's clock is measured. */
const MEASURE_MS = 60_000;

/**
 * A clock that keeps step with the database's, which judges expiry: replicas whose own clocks differ write the same time.
 */
export async function databaseClock(sweep: Pick<SweepStore, 'now'>): Promise<{ clock: Clock; stop(): void }> {
  let offsetMs = 0;
  const measure = async (): Promise<void> => {
    const before = Date.now();
    const theirs = Date.parse(await sweep.now());
    const after = Date.now();
    offsetMs = theirs - (before + after) / 2;
  };
  await measure();
  // A measurement that fails leaves the last one in force.
  const timer = setInterval(() => void measure().catch(() => {}), MEASURE_MS);
  timer.unref();
  return {
    // Below the accuracy of the measurement there is nothing to correct.
    clock: { now: () => formatInstant(Date.now() + (Math.abs(offsetMs) < 50 ? 0 : offsetMs)) },
    stop: () => clearInterval(timer),
  };
}

export const systemEntropy: Entropy = { bytes: (length) => new Uint8Array(randomBytes(length)) };
