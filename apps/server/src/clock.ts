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

/** How many random bytes are fetched at a time: an id takes ten, and each call costs more than its bytes. */
const POOL_BYTES = 4096;

/** The system's generator, asked for many bytes at a time. Every byte is given away once and then cleared. */
class PooledEntropy implements Entropy {
  #pool = new Uint8Array(0);
  #next = 0;

  bytes(length: number): Uint8Array {
    if (length > POOL_BYTES / 4) return new Uint8Array(randomBytes(length));
    if (this.#next + length > this.#pool.length) {
      this.#pool = new Uint8Array(randomBytes(POOL_BYTES));
      this.#next = 0;
    }
    const given = this.#pool.slice(this.#next, this.#next + length);
    this.#pool.fill(0, this.#next, this.#next + length);
    this.#next += length;
    return given;
  }
}

export const systemEntropy: Entropy = new PooledEntropy();
