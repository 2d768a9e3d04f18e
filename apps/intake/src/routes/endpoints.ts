import {
  endpointBodySchema,
  endpointListSchema,
  endpointPatchSchema,
  endpointQuerySchema,
  endpointSchema,
  endpointStateSchema,
  endpointTestSchema,
  newEndpointSchema,
  pendingChangeSchema,
  pendingEndpointSchema,
  type JsonObject,
  type JsonValue,
  rotatedSecretSchema,
} from '@countersign/contracts';
import {
  applyEndpointPlan,
  type EndpointPlan,
  type EndpointRefusal,
  endpointView,
  planEndpoint,
  planEndpointChange,
  planEndpointSecret,
  SECRET_OVERLAP_SECONDS,
  setEndpointState,
  testEndpoint,
  toPayload,
} from '@countersign/core/flow';
import type { EndpointRecord } from '@countersign/core/ports';
import { addSeconds, coversHost } from '@countersign/core/request';
import { cursorOf, readCursor } from '../cursor.js';
import { endpointDeps, type IntakeDeps } from '../deps.js';
import { gated } from '../http/gated.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';
import { administers, type Reader, seesOperations } from '../visibility.js';

const idParameter = { id: 'The id of an endpoint, ep_…' };
const PEOPLE_ONLY = { problem: 'forbidden', detail: 'Endpoints are made and changed by administrators, not by API keys.' } as const;

/** Where callbacks go. Administrators make and change endpoints; a caller sees those that its key may name. */
export function endpointRoutes(deps: IntakeDeps): Route[] {
  const { endpoints } = deps;
  const world = endpointDeps(deps);

  return [
    route({
      method: 'post',
      path: '/v1/endpoints',
      name: 'registerEndpoint',
      tag: 'Endpoints',
      summary: 'Register a place for callbacks. Its secret is shown this once',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      body: endpointBodySchema,
      answers: {
        201: { description: 'Registered and enabled', schema: newEndpointSchema, headers: { Location: 'Where to read it' } },
        202: { ...PENDING, schema: pendingEndpointSchema },
      },
      problems: ['callback_not_allowed', 'frozen'],
      async handle({ reader, body }) {
        if (!administers(reader)) return notAdministrator();
        const made = await planEndpoint(world, { tenant: reader.tenant, person_id: reader.person.id }, body);
        if (made.kind !== 'planned') return refusalOf(made);
        const { plan, secret } = made;
        const headers = { Location: `${deps.flow.publicUrl}/v1/endpoints/${plan.endpoint.id}` };
        const done: Answer = { status: 201, json: { ...endpointView(plan.endpoint), secret }, headers };
        return change(reader, plan, summaryOf(plan.endpoint), () => done, { secret });
      },
    }),

    route({
      method: 'get',
      path: '/v1/endpoints',
      name: 'listEndpoints',
      tag: 'Endpoints',
      summary: 'Endpoints, newest first. An API key sees the registered ones that it may name',
      who: 'either',
      query: endpointQuerySchema,
      answers: { 200: { description: 'One page; of a caller a page may be shorter than its limit', schema: endpointListSchema } },
      problems: ['forbidden'],
      async handle({ reader, query }) {
        if (reader.kind === 'person' && !seesOperations(reader.person)) return notAdministrator();
        const { cursor, limit, kind, state } = query;
        const scope = {
          list: 'endpoints',
          tenant: reader.tenant,
          reader: readerId(reader),
          ...(kind === undefined ? {} : { kind }),
          ...(state === undefined ? {} : { state }),
        };
        const before = cursor === undefined ? undefined : readCursor(cursor, scope, 'ep');
        if (before === null) return foreignCursor();
        const filter = { limit: limit + 1, ...(state === undefined ? {} : { state }), ...(before === undefined ? {} : { before }) };
        const found = await endpoints.list(reader.tenant, {
          ...filter,
          ...(reader.kind === 'caller' ? { kind: 'registered' } : kind === undefined ? {} : { kind }),
        });
        const page = found.slice(0, limit);
        const last = page.at(-1);
        const next_cursor = found.length > page.length && last !== undefined ? cursorOf({ created_at: last.created_at, id: last.id }, scope) : null;
        return { status: 200, json: { data: page.filter((endpoint) => maySee(reader, endpoint)).map(endpointView), next_cursor } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/endpoints/:id',
      name: 'getEndpoint',
      tag: 'Endpoints',
      summary: 'One endpoint, and whether it takes events',
      who: 'either',
      parameters: idParameter,
      answers: { 200: { description: 'The endpoint', schema: endpointSchema } },
      problems: ['forbidden'],
      async handle({ reader, params: { id = '' } }) {
        const endpoint = await endpoints.get(reader.tenant, id);
        return endpoint === null || !maySee(reader, endpoint) ? notFound() : { status: 200, json: endpointView(endpoint) };
      },
    }),

    route({
      method: 'patch',
      path: '/v1/endpoints/:id',
      name: 'changeEndpoint',
      tag: 'Endpoints',
      summary: 'Change a registered endpoint; what is absent stays, `headers` replaces all of them',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: idParameter,
      body: endpointPatchSchema,
      answers: { 200: { description: 'As it is now', schema: endpointSchema }, 202: PENDING },
      problems: ['callback_not_allowed', 'frozen'],
      async handle({ reader, params: { id = '' }, body }) {
        if (!administers(reader)) return notAdministrator();
        const planned = await planEndpointChange(world, reader.tenant, id, body);
        if (planned.kind !== 'planned') return refusalOf(planned);
        const { headers, ...shown } = body;
        const summary = { ...withoutAbsent(shown), ...(headers === undefined ? {} : { header_names: Object.keys(headers) }) };
        return change(reader, planned.plan, summary, (endpoint) => (endpoint === null ? notFound() : { status: 200, json: endpointView(endpoint) }));
      },
    }),

    route({
      method: 'delete',
      path: '/v1/endpoints/:id',
      name: 'deleteEndpoint',
      tag: 'Endpoints',
      summary: 'Delete an endpoint. Its undelivered events end as aborted; requests cannot name it any more',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: idParameter,
      answers: { 204: { description: 'Deleted' }, 202: PENDING },
      problems: ['frozen'],
      async handle({ reader, params: { id = '' } }) {
        if (!administers(reader)) return notAdministrator();
        const known = await endpoints.get(reader.tenant, id);
        if (known === null) return notFound();
        return change(reader, { kind: 'delete', id }, { url: known.url }, () => ({ status: 204 }));
      },
    }),

    ...(['enable', 'disable'] as const).map((verb) =>
      route({
        method: 'post',
        path: `/v1/endpoints/:id/${verb}`,
        name: `${verb}Endpoint`,
        tag: 'Endpoints',
        summary:
          verb === 'enable'
            ? 'Enable an endpoint: what is held goes out, in order, and failures are forgotten'
            : 'Disable an endpoint: its events are held from now on',
        who: 'person',
        caller_refusal: PEOPLE_ONLY,
        changes: true,
        parameters: idParameter,
        answers: { 200: { description: 'The endpoint, and how many events were released or are held', schema: endpointStateSchema } },
        async handle({ reader, params: { id = '' } }) {
          if (!administers(reader)) return notAdministrator();
          const set = await setEndpointState(world, { tenant: reader.tenant, person_id: reader.person.id }, id, `${verb}d`);
          return set === null ? notFound() : { status: 200, json: { endpoint: endpointView(set.endpoint), deliveries: set.deliveries } };
        },
      }),
    ),

    route({
      method: 'post',
      path: '/v1/endpoints/:id/rotate-secret',
      name: 'rotateEndpointSecret',
      tag: 'Endpoints',
      summary: 'A new secret, shown this once. The ones before it sign for 24 hours more, ten of them at most',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: idParameter,
      answers: { 200: { description: 'The new secret', schema: rotatedSecretSchema }, 202: { ...PENDING, schema: pendingEndpointSchema } },
      problems: ['frozen'],
      async handle({ reader, params: { id = '' } }) {
        if (!administers(reader)) return notAdministrator();
        const planned = await planEndpointSecret(world, reader.tenant, id);
        if (planned.kind !== 'planned') return refusalOf(planned);
        const { plan, secret } = planned;
        const previous_valid_until = addSeconds(deps.flow.clock.now(), SECRET_OVERLAP_SECONDS);
        return change(reader, plan, { what: 'a new secret' }, () => ({ status: 200, json: { secret, previous_valid_until } }), { secret });
      },
    }),

    route({
      method: 'post',
      path: '/v1/endpoints/:id/test',
      name: 'testEndpoint',
      tag: 'Endpoints',
      summary: 'Send `endpoint.tested`, once; what came of it is at /v1/deliveries/{id}',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: idParameter,
      answers: { 202: { description: 'Under way', schema: endpointTestSchema, headers: { Location: 'The delivery' } } },
      problems: ['endpoint_disabled'],
      async handle({ reader, params: { id = '' } }) {
        if (!administers(reader)) return notAdministrator();
        const sent = await testEndpoint(world, reader.tenant, id, reader.person.id);
        if (sent.kind !== 'sent') return refusalOf(sent);
        return { status: 202, json: { delivery: sent.delivery }, headers: { Location: `${deps.flow.publicUrl}/v1/deliveries/${sent.delivery}` } };
      },
    }),
  ];

  /** At once, or once a second person has approved it. */
  function change(
    reader: Parameters<typeof gated>[1],
    plan: EndpointPlan,
    summary: JsonObject,
    done: (endpoint: EndpointRecord | null) => Answer,
    shown: JsonObject = {},
  ): Promise<Answer> {
    const resource = plan.kind === 'create' ? plan.endpoint.id : plan.id;
    const now = async (): Promise<Answer> => {
      const outcome = await applyEndpointPlan(world, reader.tenant, reader.person.id, plan);
      return outcome.kind === 'done' ? done(outcome.endpoint) : notFound();
    };
    return gated(deps, reader, { kind: `endpoint.${plan.kind}`, resource, payload: toPayload(plan), summary }, now, shown);
  }
}

const PENDING = { description: 'A second person has to approve it first', schema: pendingChangeSchema, headers: { Location: 'The change' } };

const summaryOf = ({ url, description, events, format, header_names }: EndpointRecord): JsonObject => ({
  url,
  ...(description === null ? {} : { description }),
  events,
  format,
  header_names,
});

function withoutAbsent(members: Record<string, JsonValue | undefined>): JsonObject {
  // What is left has no undefined member.
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as JsonObject;
}

function maySee(reader: Reader, endpoint: EndpointRecord): boolean {
  if (reader.kind === 'person') return seesOperations(reader.person);
  return endpoint.kind === 'registered' && coversHost(reader.caller.rights.callback_hosts, endpoint.url);
}

const readerId = (reader: Reader): string => (reader.kind === 'caller' ? reader.caller.key_id : reader.person.id);

const notAdministrator = (): Trouble => trouble('forbidden', 'Endpoints are for administrators, with a credential that administers.');

const foreignCursor = (): Trouble =>
  trouble('invalid_query', 'The cursor is not one of this list.', { errors: [{ pointer: '/cursor', detail: 'belongs to no page of this query' }] });

function refusalOf(refusal: EndpointRefusal): Answer {
  switch (refusal.kind) {
    case 'unknown':
      return notFound();
    case 'disabled':
      return trouble('endpoint_disabled', 'Enable the endpoint first.');
    case 'not_allowed':
      return trouble('callback_not_allowed', refusal.text, { errors: [{ pointer: refusal.pointer, detail: refusal.text }] });
  }
}
