import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

import type { WakeupBackend } from './bullmq-wakeups.js';
import { QueueError } from './queue-error.js';
import type { WakeupLog } from './wakeups.js';

/** All keys share one hash slot, as Redis Cluster demands of scripts with several keys. */
const PREFIX = '{countersign}';
/** How long a start waits for Redis before it goes on without. */
const FIRST_CONNECT_MS = 3_000;
/** Nothing reads BullMQ's event stream here; keep it short. */
const EVENTS_KEPT = 100;

/**
 * BullMQ on Redis. A Redis that is away at the start is no error (a restart must not depend on it, I16): it is used once it is there.
 *
 * @throws QueueError `invalid_url`, `access_denied`, or `eviction_policy` when Redis answers and may evict jobs.
 */
export async function openRedisBackend(redisUrl: string, log: WakeupLog): Promise<WakeupBackend> {
  if (!/^rediss?:\/\/./u.test(redisUrl)) throw new QueueError('invalid_url', 'REDIS_URL must start with redis:// or rediss://.');
  const retryStrategy = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000);
  const client = new Redis(redisUrl, {
    lazyConnect: true,
    // An announcement while Redis is away fails at once and is forgotten, so that no memory grows.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A Redis that is stopped, not gone, holds up one job per queue for this long.
    commandTimeout: 5_000,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    retryStrategy,
  });

  let problem: string | undefined = 'Redis was not reached yet';
  let closed = false;
  let firstVerdict: ((error?: QueueError) => void) | undefined;
  const usableCallbacks: (() => void)[] = [];

  const noteDown = (reason: string): void => {
    if (closed) return;
    if (problem === undefined) log.warn({ reason }, 'Redis is away: work is found by the sweeper, later than usual');
    problem = reason;
  };
  client.on('error', (error: Error) => {
    noteDown(error.message);
    if (/^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/u.test(error.message)) {
      firstVerdict?.(new QueueError('access_denied', 'Redis refused the credentials in REDIS_URL.', error));
    }
  });
  client.on('close', () => noteDown('the connection to Redis closed'));
  client.on('ready', () => {
    void policyProblem(client).then(
      (refusal) => {
        if (refusal !== undefined) {
          if (firstVerdict === undefined) log.error({ code: refusal.code }, refusal.message);
          problem = refusal.message;
          firstVerdict?.(refusal);
          return;
        }
        if (firstVerdict === undefined) log.info({}, 'Redis is back');
        problem = undefined;
        firstVerdict?.();
        for (const callback of usableCallbacks) callback();
      },
      // The connection went away again before it answered; the next 'ready' asks again.
      (error: unknown) => noteDown(error instanceof Error ? error.message : 'no answer'),
    );
  });

  const refusal = await new Promise<QueueError | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), FIRST_CONNECT_MS);
    firstVerdict = (error) => {
      clearTimeout(timer);
      resolve(error);
    };
    client.connect().catch(() => undefined);
  });
  firstVerdict = undefined;
  if (refusal !== undefined) {
    closed = true;
    client.disconnect();
    throw refusal;
  }
  if (problem !== undefined) log.warn({ reason: problem }, 'Redis is away: work is found by the sweeper, later than usual');

  return {
    name: 'redis',
    problem: () => problem,
    onUsable(callback) {
      usableCallbacks.push(callback);
      if (problem === undefined) callback();
    },
    async ping() {
      await client.ping();
    },
    openQueue(queue) {
      const jobs = new Queue(queue, { connection: client, prefix: PREFIX, streams: { events: { maxLen: EVENTS_KEPT } } });
      // The client's own listener says it; BullMQ forwards the same error and would throw without a listener.
      jobs.on('error', () => undefined);
      return jobs;
    },
    openWorker(queue, process) {
      return new Worker(queue, (job) => process(job.data), {
        autorun: false,
        connection: { url: redisUrl, maxRetriesPerRequest: null, keepAlive: 10_000, retryStrategy },
        prefix: PREFIX,
        concurrency: 1,
        stalledInterval: 60_000,
        // Also how long BullMQ's own watchdog outlives a worker whose Redis went away.
        drainDelay: 5,
        runRetryDelay: 1_000,
      });
    },
    async close() {
      closed = true;
      client.disconnect();
    },
  };
}

/** Evicting jobs would lose wake-ups silently, and half-evicted BullMQ keys stop a queue. INFO, because managed services forbid CONFIG. */
async function policyProblem(client: Redis): Promise<QueueError | undefined> {
  const policy = /^maxmemory_policy:(\S+)/mu.exec(await client.info('memory'))?.[1];
  if (policy === undefined || policy === 'noeviction') return undefined;
  return new QueueError(
    'eviction_policy',
    `Redis runs with maxmemory-policy ${policy} and may drop jobs; set it to noeviction (CONFIG SET maxmemory-policy noeviction).`,
  );
}
