import { newScimTokenBodySchema, newScimTokenSchema, pendingScimTokenSchema, scimTokenListSchema } from '@countersign/contracts';
import { insertScimToken, revokeScimToken, scimTokenPayload } from '@countersign/core/flow';
import type { ScimTokenRecord } from '@countersign/core/ports';
import { makeScimToken } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { gated } from '../http/gated.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';
import { administers, seesAll } from '../visibility.js';

const PEOPLE_ONLY = { problem: 'forbidden', detail: 'SCIM tokens are made by administrators, not by API keys.' } as const;

/** What directory clients prove themselves by at /scim/v2. */
export function scimTokenRoutes(deps: IntakeDeps): Route[] {
  const world = { ...deps.flow, scim: deps.scim };
  return [
    route({
      method: 'post',
      path: '/v1/scim-tokens',
      name: 'createScimToken',
      tag: 'Directory',
      summary: 'A token for a SCIM client, shown this once. It provisions everybody of the tenant',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      body: newScimTokenBodySchema,
      answers: {
        201: { description: 'Made', schema: newScimTokenSchema },
        202: { description: 'It counts once a second person has approved it', schema: pendingScimTokenSchema, headers: { Location: 'The change' } },
      },
      problems: ['forbidden', 'frozen'],
      async handle({ reader, body: { name, life_seconds } }) {
        if (!administers(reader)) return notForYou();
        const { token, record } = makeScimToken(deps.flow, { tenant: reader.tenant, name, created_by: reader.person.id, life_seconds });
        const summary = { name, expires_at: record.expires_at };
        return gated(
          deps,
          reader,
          { kind: 'scim_token.create', resource: record.id, payload: scimTokenPayload(record), summary },
          async () => {
            await insertScimToken(world, record);
            return { status: 201, json: { ...viewOf(record), token } };
          },
          { token },
        );
      },
    }),

    route({
      method: 'get',
      path: '/v1/scim-tokens',
      name: 'listScimTokens',
      tag: 'Directory',
      summary: 'The SCIM tokens that there are and were, without their secrets',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      answers: { 200: { description: 'Newest first', schema: scimTokenListSchema } },
      problems: ['forbidden'],
      async handle({ reader }) {
        if (!seesAll(reader.person)) return notForYou();
        return { status: 200, json: { data: (await deps.scim.tokens(reader.tenant)).map(viewOf), next_cursor: null } };
      },
    }),

    route({
      method: 'delete',
      path: '/v1/scim-tokens/:id',
      name: 'revokeScimToken',
      tag: 'Directory',
      summary: 'End a SCIM token at once. Whom it provisioned stays as they are',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: { id: 'The id of a token' },
      answers: { 204: { description: 'Over' } },
      problems: ['forbidden'],
      async handle({ reader, params: { id = '' } }) {
        if (!administers(reader)) return notForYou();
        return (await revokeScimToken(world, reader.tenant, id, reader.person.id)) ? { status: 204 } : notFound();
      },
    }),
  ];
}

const viewOf = ({ id, name, prefix, created_by, created_at, expires_at, revoked_at, last_used_at }: ScimTokenRecord) => ({
  ...{ id, name, prefix, created_by, created_at, expires_at, revoked_at, last_used_at },
});

const notForYou = (): Trouble => trouble('forbidden', 'SCIM tokens are for administrators, with a credential that administers.');
