import type { Announcer, WorkTopic } from '@countersign/core/ports';
import { combineWakeups, createLocalWakeups, createWakeups, type WakeupLog, type Wakeups } from '@countersign/queue';
import type { Config, Metrics, Shutdown } from '@countersign/service';

/**
 * How commits wake workers: those of this process directly, those of others through BullMQ. One process with every role
 * needs no queue unless REDIS_URL says that there are other processes (docs/decisions/0003).
 */
export async function openWakeups(
  config: Config,
  appUrl: string,
  world: { log: WakeupLog; metrics: Metrics; shutdown: Shutdown },
): Promise<{ wakeups: Wakeups; announcer: Announcer }> {
  const local = createLocalWakeups({ log: world.log });
  const alone = config.allRoles && config.redisUrl === undefined;
  const wakeups = alone ? local : combineWakeups(local, await createWakeups(queueOptions(config, appUrl, world)));
  world.shutdown.add('queue', () => wakeups.close());
  return { wakeups, announcer: { announce: (topic: WorkTopic) => wakeups.announce(topic) } };
}

function queueOptions(config: Config, appUrl: string, world: { log: WakeupLog; metrics: Metrics }): Parameters<typeof createWakeups>[0] {
  const events = world.metrics.counter('wakeups_total', 'Wake-ups by queue and what became of them', ['queue', 'event']);
  const count = (event: string) => (queue: string) => events.inc({ queue, event });
  return {
    ...(config.redisUrl === undefined ? { databaseUrl: appUrl, ...migrateUrlOf(config) } : { redisUrl: config.redisUrl.reveal() }),
    platforms: ['slack', 'teams', 'email'],
    log: world.log,
    meter: { announced: count('announced'), lost: count('lost'), handled: count('handled'), failed: count('failed') },
  };
}

const migrateUrlOf = ({ database }: Config): { migrateDatabaseUrl?: string } =>
  database.kind === 'external' && database.migrateUrl !== undefined ? { migrateDatabaseUrl: database.migrateUrl.reveal() } : {};
