import { createBullmqWakeups } from './bullmq-wakeups.js';
import { openPostgresBackend } from './postgres-backend.js';
import { QueueError } from './queue-error.js';
import { openRedisBackend } from './redis-backend.js';
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
  if (redisUrl !== undefined) return createBullmqWakeups(await openRedisBackend(redisUrl, log), shared);
  if (databaseUrl === undefined) throw new QueueError('no_backend', 'Wake-ups need a Redis or a PostgreSQL address.');
  return createBullmqWakeups(await openPostgresBackend({ databaseUrl, ...(migrateDatabaseUrl === undefined ? {} : { migrateDatabaseUrl }) }), shared);
}
