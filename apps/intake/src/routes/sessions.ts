import { endedSessionsSchema, endSessionsBodySchema, idSchema, sessionListSchema } from '@countersign/contracts';
import { z } from 'zod';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import { administers } from '../visibility.js';

/** The sessions of a person, as they see and end them. */
export function sessionRoutes({ identities }: IntakeDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/sessions',
      name: 'listSessions',
      tag: 'People',
      summary: 'Your sessions that are not over, the newest first, or as an administrator those of a person',
      who: 'person',
      query: z.strictObject({ person: idSchema('per').optional() }),
      answers: { 200: { description: 'Sessions', schema: sessionListSchema } },
      problems: ['forbidden'],
      async handle({ reader, query: { person = reader.person.id } }) {
        if (person !== reader.person.id && !administers(reader)) return trouble('forbidden', "Only administrators see other people's sessions.");
        const sessions = await identities.sessions(reader.tenant, person);
        const data = sessions.map(({ id, issuer, method, auth_time, acr, user_agent, created_at, last_used_at, expires_at }) => ({
          ...{ id, current: id === reader.session?.id, issuer, method, auth_time, acr, user_agent, created_at, last_used_at, expires_at },
        }));
        return { status: 200, json: { data, next_cursor: null } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/sessions/end',
      name: 'endSessions',
      tag: 'People',
      summary: 'End all of your sessions, or as an administrator those of a person',
      who: 'person',
      changes: true,
      body: endSessionsBodySchema,
      answers: { 200: { description: 'How many ended', schema: endedSessionsSchema } },
      problems: ['forbidden'],
      async handle({ reader, body: { person = reader.person.id, keep_current = false } }) {
        if (person !== reader.person.id && !administers(reader)) return trouble('forbidden', "Only administrators end other people's sessions.");
        const but = keep_current && person === reader.person.id ? (reader.session?.id ?? null) : null;
        return { status: 200, json: { ended: await identities.endSessionsOf(reader.tenant, person, but) } };
      },
    }),

    route({
      method: 'delete',
      path: '/v1/sessions/:id',
      name: 'endSession',
      tag: 'People',
      summary: 'End one of your sessions',
      who: 'person',
      changes: true,
      parameters: { id: 'The id of a session, ses_…' },
      answers: { 204: { description: 'It is over, from its next call on' } },
      async handle({ reader, params: { id = '' } }) {
        return (await identities.endSessionById(reader.tenant, reader.person.id, id)) ? { status: 204 } : notFound('You have no such session.');
      },
    }),
  ];
}

/** What the browser calls itself, for people to tell their sessions apart: visible characters alone. */
export function userAgentOf(header: (name: string) => string | undefined): string | null {
  const text = (header('user-agent') ?? '').replace(/[^\x20-\x7e]/g, '').trim();
  return text === '' ? null : text.slice(0, 300);
}
