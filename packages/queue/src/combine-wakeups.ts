import type { Wakeups } from './wakeups.js';

/**
 * Joins both ways: a queue whose handler lives in this process is dispatched directly after the commit,
 * the others travel through the shared queue. A handler listens on both, because other processes announce too.
 */
export function combineWakeups(local: Wakeups, shared: Wakeups): Wakeups {
  return {
    announce(topic, ids) {
      const here = new Set(local.queuesOf(topic));
      for (const queue of here) local.announce(queue, ids);
      for (const queue of shared.queuesOf(topic)) if (!here.has(queue)) shared.announce(queue, ids);
    },
    on(queue, handler) {
      // Two wake-ups of one queue must not run the handler twice at once: the shared worker hands over to the local burst.
      local.on(queue, handler);
      shared.on(queue, (ids) => local.announce(queue, ids));
    },
    queuesOf: (topic) => [...new Set([...local.queuesOf(topic), ...shared.queuesOf(topic)])],
    health: () => shared.health(),
    async close() {
      await shared.close();
      await local.close();
    },
  };
}
