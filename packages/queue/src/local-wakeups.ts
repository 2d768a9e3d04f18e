import { Burst } from './burst.js';
import { QueueError } from './queue-error.js';
import type { WakeupHandler, WakeupLog, WakeupMeter, WakeupQueue, Wakeups } from './wakeups.js';

/**
 * Wake-ups inside one process: the handler runs on the next turn of the event loop after the announcement,
 * once for all that was announced until then, and again for what came while it ran.
 */
export function createLocalWakeups(options: { readonly log: WakeupLog; readonly meter?: WakeupMeter }): Wakeups {
  const { log, meter } = options;
  const bursts = new Map<WakeupQueue, Burst>();

  const queuesOf: Wakeups['queuesOf'] = (topic) =>
    topic === 'cards' ? [...bursts.keys()].filter((queue) => queue.startsWith('cards-')) : bursts.has(topic) ? [topic] : [];

  return {
    queuesOf,
    announce(topic, ids) {
      for (const queue of queuesOf(topic)) {
        meter?.announced?.(queue);
        bursts.get(queue)?.add(ids);
      }
    },
    on(queue, handler) {
      if (bursts.has(queue)) throw new QueueError('handler_exists', `The queue ${queue} has a handler in this process already.`);
      bursts.set(queue, new Burst(0, (ids) => runHandler(queue, handler, ids, log, meter)));
    },
    health: async () => ({ backend: 'local', status: 'up', lost: 0 }),
    async close() {
      await Promise.all([...bursts.values()].map((burst) => burst.close()));
    },
  };
}

/** Runs a handler so that nothing escapes: what it threw is logged and counted, and the sweeper repeats the work. */
export async function runHandler(
  queue: WakeupQueue,
  handler: WakeupHandler,
  ids: readonly string[],
  log: WakeupLog,
  meter: WakeupMeter | undefined,
): Promise<void> {
  try {
    await handler(ids);
    meter?.handled?.(queue);
  } catch (error) {
    meter?.failed?.(queue);
    log.error({ err: error, queue }, 'A wake-up was not handled; the sweeper looks again');
  }
}
