import { PlatformError } from './errors.js';

/**
 * What goes first where calls wait for each other: what answers a person who waits, cards that must close, cards to be shown, and what only
 * tells.
 */
export const URGENCIES = ['answer', 'outcome', 'card', 'notice'] as const;
export type Urgency = (typeof URGENCIES)[number];

/** How long a call waits in the process before its work goes back to where it came from, in milliseconds. */
const PATIENCE_MS: Readonly<Record<Urgency, number>> = { answer: 2_000, outcome: 8_000, card: 5_000, notice: 3_000 };

/** A limit of the platform's: one call each `everyMs`, of which `burst` may come at once. */
export interface PaceLimit {
  everyMs: number;
  burst: number;
}

/** Time as pacing needs it. */
export interface PaceTimer {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls back once after so many milliseconds. */
  after(ms: number, wake: () => void): void;
}

const REAL_TIME: PaceTimer = {
  now: () => performance.now(),
  after: (ms, wake) => {
    // A call that waits does not keep a process alive that wants to end.
    setTimeout(wake, ms).unref();
  },
};

interface Waiting {
  urgency: Urgency;
  deadline: number;
  go(): void;
  giveUp(error: PlatformError): void;
}

interface Lane {
  limit: PaceLimit;
  /** When the next call would be on time if calls came evenly (the "theoretical arrival time" of GCRA, ITU-T I.371). */
  due: number;
  /** Until when the platform wants to hear nothing. */
  pausedUntil: number;
  /** The last time that somebody was sent away to, by urgency. */
  promised: Map<Urgency, number>;
  waiting: Waiting[];
  /** When the lane will look next; null: nothing waits. */
  wakesAt: number | null;
}

/**
 * Keeps the calls of this process within a platform's limits, lane by lane. A call waits for its turn, the most urgent first; one that
 * would wait too long fails as `rate_limited` with a time of its own to come back at, so that whoever was sent away does not come back
 * all at once. Nothing is lost: the work that a call was for is tried again by its worker.
 */
export function createPace(timer: PaceTimer = REAL_TIME) {
  const lanes = new Map<string, Lane>();

  function laneOf(key: string, limit: PaceLimit): Lane {
    let lane = lanes.get(key);
    if (lane === undefined) {
      if (lanes.size >= MOST_LANES) forgetIdle();
      lane = { limit, due: 0, pausedUntil: 0, promised: new Map(), waiting: [], wakesAt: null };
      lanes.set(key, lane);
    }
    return lane;
  }

  /** A lane that is empty and on time is as good as new. */
  function forgetIdle(): void {
    const now = timer.now();
    for (const [key, lane] of lanes) if (lane.waiting.length === 0 && lane.due <= now && lane.pausedUntil <= now) lanes.delete(key);
  }

  /** When the lane lets the next call through. */
  const opensAt = ({ due, limit, pausedUntil }: Lane): number => Math.max(due - (limit.burst - 1) * limit.everyMs, pausedUntil);

  /** Resolves when the call may be made. @throws PlatformError `rate_limited` where that would take too long */
  async function turn(key: string, limit: PaceLimit, urgency: Urgency): Promise<void> {
    const lane = laneOf(key, limit);
    const now = timer.now();
    if (lane.waiting.length === 0 && opensAt(lane) <= now) {
      take(lane, now);
      return;
    }
    const before = lane.waiting.filter((other) => rank(other.urgency) <= rank(urgency)).length;
    const expected = Math.max(opensAt(lane), now) + before * limit.everyMs;
    if (expected - now > PATIENCE_MS[urgency]) throw sentAway(lane, urgency, expected);
    await new Promise<void>((go, giveUp) => {
      lane.waiting.push({ urgency, deadline: now + PATIENCE_MS[urgency], go, giveUp });
      look(lane);
    });
  }

  function take(lane: Lane, now: number): void {
    lane.due = Math.max(lane.due, now) + lane.limit.everyMs;
  }

  function sentAway(lane: Lane, urgency: Urgency, expected: number): PlatformError {
    const slot = Math.max(expected, (lane.promised.get(urgency) ?? 0) + lane.limit.everyMs);
    lane.promised.set(urgency, slot);
    const seconds = Math.max(1, Math.ceil((slot - timer.now()) / 1_000));
    return new PlatformError('rate_limited', `Too much is to be said there at once; its turn comes in ${String(seconds)} s`, { retryAfterSeconds: seconds });
  }

  /** Lets through whose turn it is, the most urgent first, and looks again when the next one may go. */
  function look(lane: Lane): void {
    const now = timer.now();
    while (lane.waiting.length > 0 && opensAt(lane) <= now) {
      const next = lane.waiting.reduce((first, other) => (rank(other.urgency) < rank(first.urgency) ? other : first));
      lane.waiting.splice(lane.waiting.indexOf(next), 1);
      take(lane, now);
      next.go();
    }
    // More urgent calls, or the platform's own wish, may have made the wait longer than it looked.
    for (const late of lane.waiting.filter(({ deadline }) => deadline < Math.max(now, opensAt(lane)))) {
      lane.waiting.splice(lane.waiting.indexOf(late), 1);
      late.giveUp(sentAway(lane, late.urgency, opensAt(lane)));
    }
    if (lane.waiting.length === 0) return;
    const at = opensAt(lane);
    if (lane.wakesAt !== null && lane.wakesAt <= at && lane.wakesAt > now) return;
    lane.wakesAt = at;
    timer.after(Math.max(1, Math.ceil(at - now)), () => {
      lane.wakesAt = null;
      look(lane);
    });
  }

  /** The platform asked for silence: nothing goes out on the lane until then, and after it one by one. */
  function pause(key: string, limit: PaceLimit, seconds: number): void {
    const lane = laneOf(key, limit);
    const until = timer.now() + seconds * 1_000;
    lane.pausedUntil = Math.max(lane.pausedUntil, until);
    lane.due = Math.max(lane.due, until + (limit.burst - 1) * limit.everyMs);
    look(lane);
  }

  return { turn, pause };
}

export type Pace = ReturnType<typeof createPace>;

const MOST_LANES = 10_000;

const rank = (urgency: Urgency): number => URGENCIES.indexOf(urgency);
