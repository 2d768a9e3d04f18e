import { abandoned, admit, CLOSED, ended, type Breaker } from './circuit-breaker.js';

export type Entry =
  | { entered: true }
  /** `retryAtMs` is when the breaker lets a probe through; null when the endpoint is merely busy. */
  | { entered: false; retryAtMs: number | null };

interface Gate {
  breaker: Breaker;
  inFlight: number;
  lastMs: number;
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

  /** Takes a place for one attempt, after those who wait already; a place taken must be left. */
  enter(key: string, nowMs: number): Entry {
    if (this.#queues.has(key)) return { entered: false, retryAtMs: null };
    return this.#take(key, nowMs);
  }

  #take(key: string, nowMs: number): Entry {
    this.#forget(nowMs);
    const gate = this.#gates.get(key) ?? { breaker: CLOSED, inFlight: 0, lastMs: nowMs };
    if (gate.inFlight >= this.#cap) return { entered: false, retryAtMs: null };
    const admission = admit(gate.breaker, nowMs);
    if (!admission.admitted) return { entered: false, retryAtMs: admission.retryAtMs };
    this.#gates.set(key, { breaker: admission.breaker, inFlight: gate.inFlight + 1, lastMs: nowMs });
    return { entered: true };
  }

  /**
   * As enter, but where the endpoint is merely busy it waits up to `waitMs` for a place, in the order of the calls: most attempts take
   * milliseconds, and to give a claim back costs more.
   */
  async enterSoon(key: string, now: () => number, waitMs: number): Promise<Entry> {
    const entry = this.enter(key, now());
    const queue = this.#queues.get(key) ?? [];
    if (entry.entered || entry.retryAtMs !== null || queue.length >= QUEUE_LENGTH) return entry;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        queue.splice(queue.indexOf(done), 1);
        if (queue.length === 0) this.#queues.delete(key);
        // At once, so that nobody who comes meanwhile takes the place.
        resolve(this.#take(key, now()));
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
    this.#gates.set(key, { breaker, inFlight: gate.inFlight - 1, lastMs: nowMs });
    this.#queues.get(key)?.[0]?.();
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
