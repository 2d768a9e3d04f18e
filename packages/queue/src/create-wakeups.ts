import { createBullmqWakeups } from './bullmq-wakeups.js';
import { QueueError } from './queue-error.js';
import type { WakeupLog, WakeupMeter, Wakeups } from './wakeups.js';

export interface WakeupsOptions {
  /** Redis wins where both addresses are given. */
  readonly redisUrl?: string;
  readonly databaseUrl?: string;
  /** A role that may create the queue's schema on PostgreSQL; default: that of `databaseUrl`. */
  readonly migrateDatabaseUrl?: string;
  /** The chat platforms whose bots run somewhere: `cards` is announced to one queue for each. */
  readonly platforms: readonly string[];
  readonly log: WakeupLog;
  readonly meter?: WakeupMeter;
}

/**
 * Wake-ups between processes, through BullMQ.
 *
 * @throws QueueError when the backend must not be used (eviction) or cannot be prepared; never because Redis is merely away.
 */
export async function createWakeups(options: WakeupsOptions): Promise<Wakeups> {
  const { redisUrl, databaseUrl, migrateDatabaseUrl, platforms, log, meter } = options;
  const shared = { platforms, log, ...(meter === undefined ? {} : { meter }) };
  // BullMQ is loaded only here: one process with every role does without it, and starts sooner.
  if (redisUrl !== undefined) {
    const { openRedisBackend } = await import('./redis-backend.js');
    return createBullmqWakeups(await openRedisBackend(redisUrl, log), shared);
  }
  if (databaseUrl === undefined) throw new QueueError('no_backend', 'Wake-ups need a Redis or a PostgreSQL address.');
  const { openPostgresBackend } = await import('./postgres-backend.js');
  return createBullmqWakeups(await openPostgresBackend({ databaseUrl, ...(migrateDatabaseUrl === undefined ? {} : { migrateDatabaseUrl }) }), shared);
}
