import {
  apiKeyBodySchema,
  apiKeyListSchema,
  apiKeyPatchSchema,
  apiKeyQuerySchema,
  apiKeyRevocationSchema,
  apiKeyRotationSchema,
  apiKeySchema,
  newApiKeySchema,
  revokedApiKeySchema,
  rotatedApiKeySchema,
} from '@countersign/contracts';
import {
  type Administrator,
  type AuthenticatedPerson,
  changeKey,
  createKey,
  type KeyAdministration,
  keyView,
  revokeKey,
  rotateKey,
} from '@countersign/identity';
import { cursorOf, readCursor } from '../cursor.js';
import type { IntakeDeps } from '../deps.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';
import { administers, seesOperations } from '../visibility.js';

const idParameter = { id: 'The id of an API key, key_…' };
const PEOPLE_ONLY = { problem: 'forbidden', detail: 'API keys are made and changed by administrators, not by API keys.' } as const;

/** Callers, as administrators keep them. Who owns one sees it. */
export function apiKeyRoutes(deps: IntakeDeps): Route[] {
  const { flow, callers, directory } = deps;
  const world: KeyAdministration = { callers, directory, clock: flow.clock, entropy: flow.entropy, sealer: flow.sealer };
  const facts = { tag: 'API keys', who: 'person', caller_refusal: PEOPLE_ONLY } as const;
  const view = (key: Parameters<typeof keyView>[0]) => keyView(key, flow.clock.now());

  return [
    route({
      ...facts,
      method: 'post',
      path: '/v1/api-keys',
      name: 'createApiKey',
      summary: 'Make an API key, or a caller by client certificate. Key and webhook secret are shown this once',
      changes: true,
      body: apiKeyBodySchema,
      answers: { 201: { description: 'Made', schema: newApiKeySchema, headers: { Location: 'Where to read it' } } },
      problems: ['forbidden'],
      async handle({ reader, body }) {
        if (!administers(reader)) return notAdministrator();
        const made = await createKey(world, whoIs(reader), body);
        if (made.kind === 'invalid') return trouble('invalid_body', 'The key cannot be made so.', { errors: made.errors });
        flow.announcer.announce('decisions');
        const headers = { Location: `${flow.publicUrl}/v1/api-keys/${made.record.id}` };
        return { status: 201, json: { ...view(made.record), key: made.key, webhook_secret: made.webhook_secret }, headers };
      },
    }),

    route({
      ...facts,
      method: 'get',
      path: '/v1/api-keys',
      name: 'listApiKeys',
      summary: 'Callers, newest first: all of them for administrators, auditors and operators, else those that one owns',
      query: apiKeyQuerySchema,
      answers: { 200: { description: 'One page', schema: apiKeyListSchema } },
      async handle({ reader, query }) {
        const { cursor, limit, ...filter } = query;
        const owner = seesOperations(reader.person) ? filter.owner : reader.person.id;
        const wanted = {
          ...(filter.kind === undefined ? {} : { kind: filter.kind }),
          ...(filter.revoked === undefined ? {} : { revoked: filter.revoked }),
          ...(owner === undefined ? {} : { owner }),
        };
        const scope = { list: 'api-keys', tenant: reader.tenant, reader: reader.person.id, ...wanted, revoked: String(wanted.revoked ?? '') };
        const before = cursor === undefined ? undefined : readCursor(cursor, scope, 'key');
        if (before === null) return foreignCursor();
        const found = await callers.list(reader.tenant, { ...wanted, limit: limit + 1, ...(before === undefined ? {} : { before }) });
        const page = found.slice(0, limit);
        const last = page.at(-1);
        const next_cursor = found.length > page.length && last !== undefined ? cursorOf({ created_at: last.created_at, id: last.id }, scope) : null;
        return { status: 200, json: { data: page.map(view), next_cursor } };
      },
    }),

    route({
      ...facts,
      method: 'get',
      path: '/v1/api-keys/:id',
      name: 'getApiKey',
      summary: 'One caller',
      parameters: idParameter,
      answers: { 200: { description: 'The caller; never a secret', schema: apiKeySchema } },
      async handle({ reader, params: { id = '' } }) {
        const key = await callers.get(reader.tenant, id);
        return key === null || !(seesOperations(reader.person) || key.owner === reader.person.id) ? notFound() : { status: 200, json: view(key) };
      },
    }),

    route({
      ...facts,
      method: 'patch',
      path: '/v1/api-keys/:id',
      name: 'changeApiKey',
      summary: 'Change what a key may do; what is absent stays, `rights` replaces all of them',
      changes: true,
      parameters: idParameter,
      body: apiKeyPatchSchema,
      answers: { 200: { description: 'As it is now', schema: apiKeySchema } },
      problems: ['forbidden'],
      async handle({ reader, params: { id = '' }, body }) {
        if (!administers(reader)) return notAdministrator();
        const changed = await changeKey(world, whoIs(reader), id, body);
        flow.announcer.announce('decisions');
        return changed.kind === 'changed' ? { status: 200, json: view(changed.record) } : refusalOf(changed);
      },
    }),

    route({
      ...facts,
      method: 'post',
      path: '/v1/api-keys/:id/rotate',
      name: 'rotateApiKey',
      summary: 'A new secret, shown this once. The one before it counts for the overlap; of earlier ones none does',
      changes: true,
      parameters: idParameter,
      body: apiKeyRotationSchema,
      answers: { 200: { description: 'Rotated', schema: rotatedApiKeySchema } },
      problems: ['forbidden'],
      async handle({ reader, params: { id = '' }, body }) {
        if (!administers(reader)) return notAdministrator();
        const rotated = await rotateKey(world, whoIs(reader), id, body);
        if (rotated.kind === 'unknown') return notFound();
        flow.announcer.announce('decisions');
        return { status: 200, json: { ...view(rotated.record), key: rotated.key, webhook_secret: rotated.webhook_secret } };
      },
    }),

    route({
      ...facts,
      method: 'post',
      path: '/v1/api-keys/:id/revoke',
      name: 'revokeApiKey',
      summary: 'Revoke a key, at once and for good: what it asked for is cancelled, and what was approved for it cannot be used any more',
      changes: true,
      parameters: idParameter,
      body: apiKeyRevocationSchema,
      answers: { 200: { description: 'Revoked, and how many requests ended with it', schema: revokedApiKeySchema } },
      problems: ['forbidden'],
      async handle({ reader, params: { id = '' }, body }) {
        if (!administers(reader)) return notAdministrator();
        const revoked = await revokeKey(world, { flow, callers }, whoIs(reader), id, body.reason ?? '');
        if (revoked.kind === 'unknown') return notFound();
        flow.announcer.announce('decisions');
        return { status: 200, json: { api_key: view(revoked.record), voided: revoked.voided } };
      },
    }),
  ];
}

const whoIs = (reader: AuthenticatedPerson): Administrator => ({ tenant: reader.tenant, by: reader.person.id, via: 'api' });

const notAdministrator = (): Trouble => trouble('forbidden', 'API keys are for administrators, with a credential that administers.');

const foreignCursor = (): Trouble =>
  trouble('invalid_query', 'The cursor is not one of this list.', { errors: [{ pointer: '/cursor', detail: 'belongs to no page of this query' }] });

function refusalOf(refusal: { kind: 'unknown' } | { kind: 'invalid'; errors: { pointer: string; detail: string }[] }): Answer {
  return refusal.kind === 'unknown' ? notFound() : trouble('invalid_body', 'The key cannot be changed so.', { errors: refusal.errors });
}
