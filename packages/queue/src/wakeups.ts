/**
 * What the rest of Countersign sees of the queue: somebody committed work for a topic, whoever does that work should look now.
 *
 * A wake-up is never the truth. It may come twice, late, with fewer ids than were announced, or not at all;
 * the worker claims its work by state in the store, and the store's sweeper finds what no wake-up announced (I16).
 */

/** What is announced. `cards` reaches every chat platform; the other two have one kind of worker each. */
export type WakeupTopic = 'cards' | 'decisions' | 'deliveries';

/**
 * Who listens. Each chat platform has a queue of its own, because a job is taken by one worker only and every bot has to wake:
 * `cards-slack`, `cards-teams`, and the next platform's `cards-<platform>`.
 */
export type WakeupQueue = `cards-${string}` | 'decisions' | 'deliveries';

/**
 * Looks for due work and does it.
 *
 * @param ids hints, in no order; an **empty list means "look everywhere"** (ids were not given, were too many, or got lost on the way).
 *   A handler may start with the ids but has to take all due work of its queue before it returns.
 *   It runs one at a time per queue and process; what it throws is logged and counted, never retried here.
 */
export type WakeupHandler = (ids: readonly string[]) => Promise<void> | void;

/** Whether wake-ups travel. `down` costs latency only: it must never make a service unready. */
export interface WakeupsHealth {
  readonly backend: 'local' | 'redis' | 'postgres';
  readonly status: 'up' | 'down';
  /** Attempts to announce that failed since the start, because the backend was away or refused them. */
  readonly lost: number;
  /** Why it is down, in words without secrets. */
  readonly detail?: string;
}

export interface Wakeups {
  /**
   * Says that there is work, after the commit. Returns at once, never throws, coalesces bursts.
   * Announcing while the backend is away is counted as lost; memory does not grow, and one "look everywhere" is sent once it is back.
   */
  announce(topic: WakeupTopic | WakeupQueue, ids?: readonly string[]): void;
  /** Registers the one handler of a queue in this process. Throws {@link QueueError} `handler_exists` when there is one. */
  on(queue: WakeupQueue, handler: WakeupHandler): void;
  /** The queues that an announcement of `topic` reaches here. */
  queuesOf(topic: WakeupTopic | WakeupQueue): readonly WakeupQueue[];
  health(): Promise<WakeupsHealth>;
  /** Stops announcing, lets running handlers finish, closes connections. Safe to call twice. */
  close(): Promise<void>;
}

/** Counts what happens; an app passes its metrics. */
export interface WakeupMeter {
  announced?(queue: WakeupQueue): void;
  lost?(queue: WakeupQueue): void;
  handled?(queue: WakeupQueue): void;
  failed?(queue: WakeupQueue): void;
}

/** The part of a logger that the queue needs; pino fits. */
export interface WakeupLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Ids carried by one wake-up; more than that become "look everywhere", so that neither jobs nor memory grow with a burst. */
export const MAX_IDS = 64;

/** The queue of a chat platform, for example `cards-slack`. */
export function cardQueue(platform: string): WakeupQueue {
  return `cards-${platform}`;
}
