import { abandoned, admit, CLOSED, ended, type Breaker } from './circuit-breaker.js';

export type Entry =
  | { entered: true }
  /** `retryAtMs` is when the breaker lets a probe through; null when the endpoint is merely busy. */
  | { entered: false; retryAtMs: number | null };

interface Gate {
  breaker: Breaker;
  inFlight: number;
  lastMs: number;
  /** The endpoint's state that the breaker belongs to. */
  since: string | null;
}

/** How many wait for a place at one endpoint; more are told that it is busy. */
const QUEUE_LENGTH = 32;

/** This worker's view of each endpoint: how many attempts are out, and whether it is down. Lost with the process: nothing depends on it but load. */
export class TargetGates {
  readonly #gates = new Map<string, Gate>();
  readonly #queues = new Map<string, (() => void)[]>();
  readonly #cap: number;
  #sweptMs = 0;

  constructor(cap: number) {
    this.#cap = cap;
  }

  /**
   * Takes a place for one attempt, after those who wait already; a place taken must be left.
   * @param since since when the endpoint is in its state: who enabled it again wants it tried, whatever its breaker remembers.
   */
  enter(key: string, nowMs: number, since: string | null = null): Entry {
    if (this.#queues.has(key)) return { entered: false, retryAtMs: null };
    return this.#take(key, nowMs, since);
  }

  #take(key: string, nowMs: number, since: string | null): Entry {
    this.#forget(nowMs);
    const gate = this.#gateOf(key, nowMs, since);
    if (gate.inFlight >= this.#cap) return { entered: false, retryAtMs: null };
    const admission = admit(gate.breaker, nowMs);
    if (!admission.admitted) return { entered: false, retryAtMs: admission.retryAtMs };
    this.#gates.set(key, { breaker: admission.breaker, inFlight: gate.inFlight + 1, lastMs: nowMs, since: gate.since });
    return { entered: true };
  }

  /**
   * As enter, but where the endpoint is merely busy it waits up to `waitMs` for a place, in the order of the calls: most attempts take
   * milliseconds, and to give a claim back costs more.
   */
  async enterSoon(key: string, now: () => number, waitMs: number, since: string | null = null): Promise<Entry> {
    const entry = this.enter(key, now(), since);
    const queue = this.#queues.get(key) ?? [];
    if (entry.entered || entry.retryAtMs !== null || queue.length >= QUEUE_LENGTH) return entry;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        queue.splice(queue.indexOf(done), 1);
        if (queue.length === 0) this.#queues.delete(key);
        // At once, so that nobody who comes meanwhile takes the place.
        resolve(this.#take(key, now(), since));
      };
      const timer = setTimeout(done, waitMs);
      queue.push(done);
      this.#queues.set(key, queue);
    });
  }

  /** Gives the place back. `verdict`: the receiver is up, is down, or (null) nothing was learnt. */
  leave(key: string, verdict: boolean | null, nowMs: number): void {
    const gate = this.#gates.get(key);
    if (!gate) return;
    const breaker = verdict === null ? abandoned(gate.breaker, nowMs) : ended(gate.breaker, verdict, nowMs);
    this.#gates.set(key, { ...gate, breaker, inFlight: gate.inFlight - 1, lastMs: nowMs });
    this.#queues.get(key)?.[0]?.();
  }

  /** A bare URL has no state until its first failure is written down: that it has one then changes nothing. */
  #gateOf(key: string, nowMs: number, since: string | null): Gate {
    const known = this.#gates.get(key) ?? { breaker: CLOSED, inFlight: 0, lastMs: nowMs, since };
    if (since === null || known.since === since) return known;
    return { ...known, since, breaker: known.since === null ? known.breaker : CLOSED };
  }

  /** Drops what nobody asked about for an hour: longer than any breaker remembers. Looks once a minute. */
  #forget(nowMs: number): void {
    if (nowMs < this.#sweptMs + SWEEP_MS) return;
    this.#sweptMs = nowMs;
    for (const [key, gate] of this.#gates) if (gate.inFlight === 0 && gate.lastMs < nowMs - FORGET_MS) this.#gates.delete(key);
  }
}

const SWEEP_MS = 60_000;
const FORGET_MS = 3_600_000;
