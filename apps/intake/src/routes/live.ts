import type { IntakeDeps } from '../deps.js';
import { type EventSink, type Route, route } from '../http/route.js';
import type { Reader } from '../visibility.js';
import { visible } from './action-requests.js';

/** Server-sent events: which requests changed. What they are now is read by the ordinary calls. */
export function liveRoutes(deps: IntakeDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/events',
      name: 'streamEvents',
      tag: 'Action requests',
      summary: 'A stream of `changed` events with the ids of requests that you may see; a null id: look again. Ends with the session',
      who: 'either',
      answers: { 200: { description: 'Server-sent events', type: 'text/event-stream' } },
      handle: async ({ again }) => ({ stream: (out) => streamChanges(deps, out, again) }),
    }),
  ];
}

/** Each event is held against what the reader may see at that moment; the credential is looked at again each time. */
async function streamChanges(deps: IntakeDeps, out: EventSink, again: () => Promise<Reader | null>): Promise<void> {
  const pingMs = deps.times?.pingMs ?? 15_000;
  const watch = deps.waiters.watch();
  try {
    await out.send('ping', {});
    while (!out.signal.aborted) {
      const told = await watch.next(pingMs, out.signal);
      if (out.signal.aborted) return;
      const reader = await again();
      if (reader === null) return;
      if (told.size === 0) await out.send('ping', {});
      for (const id of told) {
        if (id === null || (await visible(deps, reader, id)) !== null) await out.send('changed', { action_request: id });
      }
    }
  } finally {
    watch.end();
  }
}
