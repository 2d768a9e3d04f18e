import { chatPlaceListSchema, chatPlaceQuerySchema, chatPlaceSchema, pendingChangeSchema } from '@countersign/contracts';
import { type ChatPlaceDeps, chatPlaceView, decidePlace, type PlaceDecided } from '@countersign/core/flow';
import type { IntakeDeps } from '../deps.js';
import { gated } from '../http/gated.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';
import { administers, seesOperations } from '../visibility.js';

const idParameter = { id: 'The id of a conversation, pl_…' };
const PEOPLE_ONLY = { problem: 'forbidden', detail: 'Where cards are shown is said by administrators, not by API keys.' } as const;

/** Conversations that a bot was added to, and which of them get cards. */
export function chatPlaceRoutes(deps: IntakeDeps): Route[] {
  const { flow, chatPlaces } = deps;
  const world: ChatPlaceDeps = { ...flow, chatPlaces };

  return [
    route({
      method: 'get',
      path: '/v1/chat-places',
      name: 'listChatPlaces',
      tag: 'Control',
      summary: 'Conversations that a bot was added to or addressed in, groups and channels first, the latest heard of first',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      query: chatPlaceQuerySchema,
      answers: { 200: { description: 'The conversations', schema: chatPlaceListSchema } },
      problems: ['forbidden'],
      async handle({ reader, query: { kind, limit } }) {
        if (!seesOperations(reader.person)) return notAdministrator();
        const found = await chatPlaces.list(reader.tenant, { limit, ...(kind === undefined ? {} : { kind }) });
        return { status: 200, json: { data: found.map(chatPlaceView), next_cursor: null } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/chat-places/:id/allow',
      name: 'allowChatPlace',
      tag: 'Control',
      summary: 'Let cards be posted in a group or channel. It widens who sees them, so that a second person may have to approve it',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: idParameter,
      answers: {
        200: { description: 'Allowed: the cards of open requests are posted there, too', schema: chatPlaceSchema },
        202: { description: 'A second person has to approve it first', schema: pendingChangeSchema, headers: { Location: 'The change' } },
      },
      problems: ['forbidden', 'frozen', 'place_not_allowable'],
      async handle({ reader, params: { id = '' } }) {
        if (!administers(reader)) return notAdministrator();
        const known = await chatPlaces.get(reader.tenant, id);
        if (known === null) return notFound();
        const now = async (): Promise<Answer> => answerOf(await decidePlace(world, reader.tenant, reader.person, id, true));
        if (known.kind === 'personal' || known.allowed) return now();
        const { platform, kind, name } = known;
        // Teams' own ids look like addresses, and would be masked.
        const summary = { platform, kind, ...(name === null ? {} : { name }) };
        return gated(deps, reader, { kind: 'place.allow', resource: id, payload: { id }, summary }, now);
      },
    }),

    route({
      method: 'post',
      path: '/v1/chat-places/:id/disallow',
      name: 'disallowChatPlace',
      tag: 'Control',
      summary: 'No more cards in a group or channel, at once. Those that stand there go on being brought up to date',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: idParameter,
      answers: { 200: { description: 'Not allowed any more', schema: chatPlaceSchema } },
      problems: ['forbidden', 'place_not_allowable'],
      async handle({ reader, params: { id = '' } }) {
        if (!administers(reader)) return notAdministrator();
        return answerOf(await decidePlace(world, reader.tenant, reader.person, id, false));
      },
    }),
  ];
}

function answerOf(decided: PlaceDecided): Answer {
  switch (decided.kind) {
    case 'unknown':
      return notFound();
    case 'personal':
      return trouble('place_not_allowable', 'A personal chat gets what its person may decide; nobody allows it or takes that back.');
    case 'decided':
      return { status: 200, json: chatPlaceView(decided.place) };
  }
}

const notAdministrator = (): Trouble => trouble('forbidden', 'Where cards are shown is for administrators, with a credential that administers.');
