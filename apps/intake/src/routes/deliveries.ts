import {
  deliveriesQuerySchema,
  type DeliveriesQuery,
  deliveryListSchema,
  deliverySchema,
  redriveAnswerSchema,
  redriveBodySchema,
} from '@countersign/contracts';
import { redriveMany, redriveOne } from '@countersign/core/flow';
import type { DeliveryFilter, DeliveryView } from '@countersign/core/ports';
import { formatInstant } from '@countersign/core/request';
import { cursorOf, readCursor } from '../cursor.js';
import { endpointDeps, type IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import { administers, type Reader, seesOperations } from '../visibility.js';
import { visible } from './action-requests.js';

const idParameter = { id: 'The id of a delivery, msg_…' };

/** What became of callbacks: attempts, dead letters, and sending them again. */
export function deliveryRoutes(deps: IntakeDeps): Route[] {
  const { deliveries } = deps;
  const world = endpointDeps(deps);

  /** A caller sees its own deliveries; who runs the service all; other people those of requests that they may see. */
  async function maySee(reader: Reader, delivery: DeliveryView): Promise<boolean> {
    if (reader.kind === 'caller') return delivery.api_key_id === reader.caller.key_id;
    if (seesOperations(reader.person)) return true;
    return delivery.action_request !== null && (await visible(deps, reader, delivery.action_request)) !== null;
  }

  return [
    route({
      method: 'get',
      path: '/v1/deliveries',
      name: 'listDeliveries',
      tag: 'Deliveries',
      summary: 'Deliveries with each attempt, newest first; those of one request by sequence. `state=dead` lists the dead letters',
      who: 'either',
      query: deliveriesQuerySchema,
      answers: { 200: { description: 'One page', schema: deliveryListSchema } },
      problems: ['not_found', 'forbidden'],
      async handle({ reader, query }) {
        const { action_request } = query;
        const all = reader.kind === 'caller' || seesOperations(reader.person);
        if (action_request !== undefined && (reader.kind === 'caller' || !all) && (await visible(deps, reader, action_request)) === null) return notFound();
        if (action_request === undefined && !all)
          return trouble('forbidden', 'Name an action_request that you may see. All deliveries are for administrators, auditors and operators.');
        if (isOfOneRequest(query)) return { status: 200, json: { data: await deliveries.list(reader.tenant, query.action_request), next_cursor: null } };
        const { cursor, limit, ...asked } = query;
        const scope = {
          list: 'deliveries',
          tenant: reader.tenant,
          reader: reader.kind === 'caller' ? reader.caller.key_id : reader.person.id,
          ...given(asked),
        };
        const before = cursor === undefined ? undefined : readCursor(cursor, scope, 'msg');
        if (before === null)
          return trouble('invalid_query', 'The cursor is not one of this list.', {
            errors: [{ pointer: '/cursor', detail: 'belongs to no page of this query' }],
          });
        const found = await deliveries.search(reader.tenant, {
          ...filterOf(asked),
          limit: limit + 1,
          ...(before === undefined ? {} : { before }),
          ...(reader.kind === 'caller' ? { api_key_id: reader.caller.key_id } : {}),
        });
        const page = found.slice(0, limit);
        const last = page.at(-1);
        return {
          status: 200,
          json: {
            data: page,
            next_cursor: found.length > page.length && last !== undefined ? cursorOf({ created_at: last.created_at, id: last.id }, scope) : null,
          },
        };
      },
    }),

    // Before `:id`, which would take the word for an id.
    route({
      method: 'post',
      path: '/v1/deliveries/redrive',
      name: 'redriveDeliveries',
      tag: 'Deliveries',
      summary: 'Send all that fit a filter again, dead ones unless told otherwise, at most 1000 at a time',
      who: 'person',
      caller_refusal: { problem: 'forbidden', detail: 'Redriving is for administrators, not for API keys.' },
      changes: true,
      body: redriveBodySchema,
      answers: { 200: { description: 'The new deliveries; what may not go again is left out', schema: redriveAnswerSchema } },
      async handle({ reader, body: { limit, ...asked } }) {
        if (!administers(reader)) return trouble('forbidden', 'Redriving is for administrators, with a credential that administers.');
        return { status: 200, json: await redriveMany(world, reader.tenant, { ...filterOf(asked), limit }) };
      },
    }),

    route({
      method: 'get',
      path: '/v1/deliveries/:id',
      name: 'getDelivery',
      tag: 'Deliveries',
      summary: 'One delivery with each attempt: time, address, status, duration, first bytes of the answer (masked), next try',
      who: 'either',
      parameters: idParameter,
      answers: { 200: { description: 'The delivery', schema: deliverySchema } },
      async handle({ reader, params: { id = '' } }) {
        const delivery = await deliveries.get(reader.tenant, id);
        return delivery === null || !(await maySee(reader, delivery)) ? notFound() : { status: 200, json: delivery };
      },
    }),

    route({
      method: 'post',
      path: '/v1/deliveries/:id/redrive',
      name: 'redriveDelivery',
      tag: 'Deliveries',
      summary: 'Send a delivery that has ended again: a new record with the same bytes and webhook-id; the old one stays',
      who: 'person',
      caller_refusal: { problem: 'forbidden', detail: 'Redriving is for administrators, not for API keys.' },
      changes: true,
      parameters: idParameter,
      answers: { 201: { description: 'The new delivery', schema: deliverySchema, headers: { Location: 'Where to read it' } } },
      problems: ['not_redrivable'],
      async handle({ reader, params: { id = '' } }) {
        if (!administers(reader)) return trouble('forbidden', 'Redriving is for administrators, with a credential that administers.');
        if ((await deliveries.get(reader.tenant, id)) === null) return notFound();
        const made = await redriveOne(world, reader.tenant, id);
        if (made === null)
          return trouble('not_redrivable', 'It has not ended, goes again already, was superseded by a revocation, or its endpoint was deleted.');
        return { status: 201, json: made, headers: { Location: `${deps.flow.publicUrl}/v1/deliveries/${made.id}` } };
      },
    }),
  ];
}

type Asked = Omit<DeliveriesQuery, 'limit' | 'cursor'>;

/** Only the request was named: it has few, and their order is that of its events. */
function isOfOneRequest(query: DeliveriesQuery): query is DeliveriesQuery & { action_request: string } {
  const { action_request, state, endpoint, from, to, cursor } = query;
  return action_request !== undefined && [state, endpoint, from, to, cursor].every((member) => member === undefined);
}

function filterOf({ state, endpoint, action_request, from, to }: Asked): Omit<DeliveryFilter, 'limit'> {
  return given({
    state,
    endpoint_id: endpoint,
    request_id: action_request,
    from: from === undefined ? undefined : formatInstant(Date.parse(from)),
    to: to === undefined ? undefined : formatInstant(Date.parse(to)),
  });
}

/** Without the members that are absent. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // What is left has no undefined member.
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
