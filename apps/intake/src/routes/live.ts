import { noticeSchema, type NoticeView } from '@countersign/contracts';
import type { NoticeRecord } from '@countersign/core/ports';
import { z } from 'zod';
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
      summary:
        'A stream of `changed` events with the ids of requests that you may see (a null id: look again) and of `notice` events: what people are told. Ends with the session',
      who: 'either',
      answers: { 200: { description: 'Server-sent events', type: 'text/event-stream' } },
      handle: async ({ again }) => ({ stream: (out) => streamChanges(deps, out, again) }),
    }),

    route({
      method: 'get',
      path: '/v1/notices',
      name: 'listNotices',
      tag: 'Action requests',
      summary: 'What you were told in the last week: reminders, escalations, questions, reviews',
      who: 'person',
      answers: { 200: { description: 'Oldest first, the newest 100', schema: z.strictObject({ data: z.array(noticeSchema), next_cursor: z.null() }) } },
      async handle({ reader: { tenant, person } }) {
        const found = await deps.followUps.notices.since({
          tenant,
          person_id: person.id,
          groups: [...person.groups, ...(person.lent ?? [])],
          seconds: 7 * 86_400,
        });
        return { status: 200, json: { data: found.map(noticeView), next_cursor: null } };
      },
    }),
  ];
}

/** How far a stream looks back for what it has not told, in seconds: as long as it may have been slow. */
const LOOK_BACK_SECONDS = 120;

async function noticesFor(deps: IntakeDeps, reader: Reader | null): Promise<NoticeRecord[]> {
  if (reader === null || reader.kind === 'caller') return [];
  const { tenant, person } = reader;
  return deps.followUps.notices.since({ tenant, person_id: person.id, groups: [...person.groups, ...(person.lent ?? [])], seconds: LOOK_BACK_SECONDS });
}

function noticeView({ id, kind, request_id, text, at }: NoticeRecord): NoticeView {
  return { id, kind, action_request: request_id, text, at };
}

/** Each event is held against what the reader may see at that moment; the credential is looked at again each time. */
async function streamChanges(deps: IntakeDeps, out: EventSink, again: () => Promise<Reader | null>): Promise<void> {
  const pingMs = deps.times?.pingMs ?? 15_000;
  const watch = deps.waiters.watch();
  /** Notices that were told, or are older than this stream. */
  const told = new Set<string>();
  try {
    for (const { id } of await noticesFor(deps, await again())) told.add(id);
    await out.send('ping', {});
    while (!out.signal.aborted) {
      const changed = await watch.next(pingMs, out.signal);
      if (out.signal.aborted) return;
      const reader = await again();
      if (reader === null) return;
      for (const notice of await noticesFor(deps, reader)) {
        if (told.has(notice.id)) continue;
        told.add(notice.id);
        await out.send('notice', noticeView(notice));
      }
      if (changed.size === 0) await out.send('ping', {});
      for (const id of changed) {
        if (id === null || (await visible(deps, reader, id)) !== null) await out.send('changed', { action_request: id });
      }
    }
  } finally {
    watch.end();
  }
}
