import {
  apiKeyBodySchema,
  apiKeyListSchema,
  apiKeyPatchSchema,
  apiKeyQuerySchema,
  apiKeyRevocationSchema,
  apiKeyRotationSchema,
  apiKeySchema,
  newApiKeySchema,
  pendingApiKeySchema,
  revokedApiKeySchema,
  rotatedApiKeySchema,
} from '@countersign/contracts';
import { type CallerCall, makeCall, preparedCallers, toPayload } from '@countersign/core/flow';
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
import { gated } from '../http/gated.js';
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
      answers: { 201: { description: 'Made', schema: newApiKeySchema, headers: { Location: 'Where to read it' } }, 202: PENDING },
      problems: ['forbidden', 'frozen'],
      async handle({ reader, body }) {
        if (!administers(reader)) return notAdministrator();
        const prepared = preparedCallers(callers);
        const made = await createKey({ ...world, callers: prepared.callers }, whoIs(reader), body);
        if (made.kind === 'invalid') return trouble('invalid_body', 'The key cannot be made so.', { errors: made.errors });
        const { key, webhook_secret } = made;
        const headers = { Location: `${flow.publicUrl}/v1/api-keys/${made.record.id}` };
        const done = (): Answer => ({ status: 201, json: { ...view(made.record), key, webhook_secret }, headers });
        return change(reader, prepared.call(), { ...body }, done, { key, webhook_secret });
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
      answers: { 200: { description: 'As it is now', schema: apiKeySchema }, 202: PENDING },
      problems: ['forbidden', 'frozen'],
      async handle({ reader, params: { id = '' }, body }) {
        if (!administers(reader)) return notAdministrator();
        const prepared = preparedCallers(callers);
        const changed = await changeKey({ ...world, callers: prepared.callers }, whoIs(reader), id, body);
        if (changed.kind !== 'changed') return refusalOf(changed);
        return change(reader, prepared.call(), { name: changed.record.name, ...body }, async () => {
          const now = await callers.get(reader.tenant, id);
          return now === null ? notFound() : { status: 200, json: view(now) };
        });
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
      answers: { 200: { description: 'Rotated', schema: rotatedApiKeySchema }, 202: PENDING },
      problems: ['forbidden', 'frozen'],
      async handle({ reader, params: { id = '' }, body }) {
        if (!administers(reader)) return notAdministrator();
        const prepared = preparedCallers(callers);
        const rotated = await rotateKey({ ...world, callers: prepared.callers }, whoIs(reader), id, body);
        if (rotated.kind === 'unknown') return notFound();
        const { key, webhook_secret } = rotated;
        const done = async (): Promise<Answer> => {
          const now = await callers.get(reader.tenant, id);
          return now === null ? notFound() : { status: 200, json: { ...view(now), key, webhook_secret } };
        };
        return change(reader, prepared.call(), { name: rotated.record.name, ...body }, done, { key, webhook_secret });
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

  /** At once, or once a second person has approved it. */
  function change(
    reader: AuthenticatedPerson,
    call: CallerCall | null,
    body: object,
    done: () => Answer | Promise<Answer>,
    shown: { key?: string | null; webhook_secret?: string | null } = {},
  ): Promise<Answer> {
    if (call === null) return Promise.resolve(notFound());
    const resource = call.method === 'create' ? call.key.id : call.id;
    const now = async (): Promise<Answer> => {
      if (!(await makeCall(callers, reader.tenant, call))) return notFound();
      flow.announcer.announce('decisions');
      return done();
    };
    return gated(deps, reader, { kind: `api_key.${call.method}`, resource, payload: toPayload(call), summary: toPayload(body) }, now, shown);
  }
}

const PENDING = {
  description: 'A second person has to approve it first; what is shown counts from then on',
  schema: pendingApiKeySchema,
  headers: { Location: 'The change' },
};

const whoIs = (reader: AuthenticatedPerson): Administrator => ({ tenant: reader.tenant, by: reader.person.id, via: 'api' });

const notAdministrator = (): Trouble => trouble('forbidden', 'API keys are for administrators, with a credential that administers.');

const foreignCursor = (): Trouble =>
  trouble('invalid_query', 'The cursor is not one of this list.', { errors: [{ pointer: '/cursor', detail: 'belongs to no page of this query' }] });

function refusalOf(refusal: { kind: 'unknown' } | { kind: 'invalid'; errors: { pointer: string; detail: string }[] }): Answer {
  return refusal.kind === 'unknown' ? notFound() : trouble('invalid_body', 'The key cannot be changed so.', { errors: refusal.errors });
}
