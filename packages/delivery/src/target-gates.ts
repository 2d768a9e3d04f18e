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

/** This worker's view of each endpoint: how many attempts are out, and whether it is down. Lost with the process: nothing depends on it but load. */
export class TargetGates {
  readonly #gates = new Map<string, Gate>();
  readonly #cap: number;
  #sweptMs = 0;

  constructor(cap: number) {
    this.#cap = cap;
  }

  /** Takes a place for one attempt; a place taken must be left. */
  enter(key: string, nowMs: number): Entry {
    this.#forget(nowMs);
    const gate = this.#gates.get(key) ?? { breaker: CLOSED, inFlight: 0, lastMs: nowMs };
    if (gate.inFlight >= this.#cap) return { entered: false, retryAtMs: null };
    const admission = admit(gate.breaker, nowMs);
    if (!admission.admitted) return { entered: false, retryAtMs: admission.retryAtMs };
    this.#gates.set(key, { breaker: admission.breaker, inFlight: gate.inFlight + 1, lastMs: nowMs });
    return { entered: true };
  }

  /** Gives the place back. `verdict`: the receiver is up, is down, or (null) nothing was learnt. */
  leave(key: string, verdict: boolean | null, nowMs: number): void {
    const gate = this.#gates.get(key);
    if (!gate) return;
    const breaker = verdict === null ? abandoned(gate.breaker, nowMs) : ended(gate.breaker, verdict, nowMs);
    this.#gates.set(key, { breaker, inFlight: gate.inFlight - 1, lastMs: nowMs });
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
