import { madeTokenSchema, newTokenBodySchema, tokenListSchema } from '@countersign/contracts';
import { loneLeaf } from '@countersign/core/flow';
import type { TokenView } from '@countersign/core/ports';
import { FRESH_SECONDS, isFresh, makePersonalToken } from '@countersign/identity';
import { z } from 'zod';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import { administers } from '../visibility.js';

/** Personal access tokens: made in a session that has just proved who it is, shown once, kept as a hash. */
export function tokenRoutes({ identities, flow }: IntakeDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/tokens',
      name: 'createToken',
      tag: 'People',
      summary: 'Make a personal token, in a session that proved who it is within the last five minutes',
      who: 'person',
      body: newTokenBodySchema,
      answers: { 201: { description: 'The token, shown this once', schema: madeTokenSchema } },
      problems: ['forbidden', 'step_up_required'],
      caller_refusal: { problem: 'forbidden', detail: 'An API key makes no personal token: those are people’s.' },
      async handle({ reader, body: { name, scopes, expires_in_seconds } }) {
        const { session, person, tenant } = reader;
        if (session === null) return trouble('forbidden', 'A token makes no token. Sign in, and make it on your account page.');
        const now = flow.clock.now();
        if (session.auth_time === null || !isFresh(session.auth_time, now)) {
          return trouble(
            'step_up_required',
            `Prove who you are again: a token is made within ${FRESH_SECONDS / 60} minutes of that. GET /v1/sign-in/start?max_age=0 leads to the identity provider.`,
          );
        }
        if (scopes.includes('admin') && !person.roles.includes('administrator'))
          return trouble('forbidden', 'Only administrators make tokens with the scope "admin".');
        const made = makePersonalToken(flow, {
          tenant,
          person_id: person.id,
          name,
          scopes,
          stepped_up_at: session.auth_time,
          ...(expires_in_seconds === undefined ? {} : { life_seconds: expires_in_seconds }),
        });
        const leaf = await loneLeaf(flow, {
          tenant,
          event: 'token.created',
          subject: made.record.id,
          at: now,
          facts: { scopes, expires_at: made.record.expires_at, method: session.method },
          details: { person: person.id, name },
        });
        await identities.insertToken(made.record, leaf);
        return { status: 201, json: { ...viewOf(made.record), token: made.token } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/tokens',
      name: 'listTokens',
      tag: 'People',
      summary: 'Your personal tokens, or as an administrator those of a person or of everybody (person=*)',
      who: 'person',
      query: z.strictObject({ person: z.string().max(64).optional() }),
      answers: { 200: { description: 'Tokens, revoked and expired ones too; what they are is never shown again', schema: tokenListSchema } },
      problems: ['forbidden'],
      async handle({ reader, query: { person = reader.person.id } }) {
        if (person !== reader.person.id && !administers(reader)) return trouble('forbidden', "Only administrators see other people's tokens.");
        const tokens = await identities.tokens(reader.tenant, person === '*' ? null : person);
        return { status: 200, json: { data: tokens.map(viewOf), next_cursor: null } };
      },
    }),

    route({
      method: 'delete',
      path: '/v1/tokens/:id',
      name: 'revokeToken',
      tag: 'People',
      summary: 'Revoke one of your tokens, or as an administrator anybody’s',
      who: 'person',
      changes: true,
      parameters: { id: 'The id of a token, pat_…' },
      answers: { 204: { description: 'It counts no more' } },
      async handle({ reader, params: { id = '' } }) {
        const leaf = await loneLeaf(flow, {
          tenant: reader.tenant,
          event: 'token.revoked',
          subject: id,
          at: flow.clock.now(),
          facts: {},
          details: { by: reader.person.id },
        });
        const revoked = await identities.revokeToken(reader.tenant, id, administers(reader) ? null : reader.person.id, leaf);
        return revoked ? { status: 204 } : notFound('You have no such token, or it was revoked before.');
      },
    }),
  ];
}

function viewOf({ id, person_id, name, scopes, created_at, expires_at, revoked_at, last_used_at, stepped_up_at }: TokenView) {
  return { id, person: person_id, name, scopes, created_at, expires_at, revoked_at, last_used_at, stepped_up_at };
}
