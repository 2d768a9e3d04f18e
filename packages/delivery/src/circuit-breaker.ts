/**
 * Keeps the engine away from a receiver that is down. Pure: a state and the time go in, a state comes out.
 *
 *   closed ── 5 failures in a row, or half of ≥ 10 in 5 minutes ──▶ open ── after 30 s ──▶ probing ── success ──▶ closed
 *                                                                   ▲                         │
 *                                                                   └── failure: wait twice as long, at most 10 min
 */
export type Breaker =
  | { state: 'closed'; failuresInRow: number; slots: readonly Slot[] }
  | { state: 'open'; probeAtMs: number; delayMs: number }
  /** One attempt is out to see; the others wait for it, at most until `untilMs`: its worker may have died. */
  | { state: 'probing'; untilMs: number; delayMs: number };

/** Attempts that ended within one slice of the window. */
interface Slot {
  startMs: number;
  ended: number;
  failed: number;
}

type Admission = { admitted: true; breaker: Breaker } | { admitted: false; retryAtMs: number };

const FAILURES_IN_ROW = 5;
const WINDOW_MS = 300_000;
const WINDOW_MIN_ATTEMPTS = 10;
const WINDOW_FAILURE_RATIO = 0.5;
const FIRST_PROBE_MS = 30_000;
const LAST_PROBE_MS = 600_000;
const SLOT_MS = 30_000;
/** Longer than any attempt lasts. */
const PROBE_MS = 60_000;

export const CLOSED: Breaker = { state: 'closed', failuresInRow: 0, slots: [] };

/** Whether an attempt may start now; the state to keep if it does. */
export function admit(breaker: Breaker, nowMs: number): Admission {
  switch (breaker.state) {
    case 'closed':
      return { admitted: true, breaker };
    case 'open':
      if (nowMs < breaker.probeAtMs) return { admitted: false, retryAtMs: breaker.probeAtMs };
      return { admitted: true, breaker: { state: 'probing', untilMs: nowMs + PROBE_MS, delayMs: breaker.delayMs } };
    case 'probing':
      if (nowMs < breaker.untilMs) return { admitted: false, retryAtMs: breaker.untilMs };
      return { admitted: true, breaker: { ...breaker, untilMs: nowMs + PROBE_MS } };
  }
}

/** The state after an attempt that ended now. Any success closes: the receiver is there. */
export function ended(breaker: Breaker, success: boolean, nowMs: number): Breaker {
  if (breaker.state === 'closed') return closedAfter(breaker, success, nowMs);
  if (success) return CLOSED;
  // Attempts that had started before it opened tell nothing new.
  if (breaker.state === 'open') return breaker;
  return open(Math.min(breaker.delayMs * 2, LAST_PROBE_MS), nowMs);
}

/** The state after a probe that was given up without a verdict: the next one may go at once. */
export function abandoned(breaker: Breaker, nowMs: number): Breaker {
  return breaker.state === 'probing' ? { state: 'open', probeAtMs: nowMs, delayMs: breaker.delayMs } : breaker;
}

function closedAfter(breaker: Extract<Breaker, { state: 'closed' }>, success: boolean, nowMs: number): Breaker {
  const failuresInRow = success ? 0 : breaker.failuresInRow + 1;
  const slots = counted(breaker.slots, success, nowMs);
  const all = slots.reduce((sum, slot) => sum + slot.ended, 0);
  const failed = slots.reduce((sum, slot) => sum + slot.failed, 0);
  const tripped = failuresInRow >= FAILURES_IN_ROW || (all >= WINDOW_MIN_ATTEMPTS && failed / all >= WINDOW_FAILURE_RATIO);
  return tripped && !success ? open(FIRST_PROBE_MS, nowMs) : { state: 'closed', failuresInRow, slots };
}

function counted(slots: readonly Slot[], success: boolean, nowMs: number): readonly Slot[] {
  const startMs = nowMs - (nowMs % SLOT_MS);
  const recent = slots.filter((slot) => slot.startMs > nowMs - WINDOW_MS && slot.startMs !== startMs);
  const current = slots.find((slot) => slot.startMs === startMs) ?? { startMs, ended: 0, failed: 0 };
  return [...recent, { startMs, ended: current.ended + 1, failed: current.failed + (success ? 0 : 1) }];
}

function open(delayMs: number, nowMs: number): Breaker {
  return { state: 'open', probeAtMs: nowMs + delayMs, delayMs };
}
