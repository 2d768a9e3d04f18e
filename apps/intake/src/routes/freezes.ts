import { freezeBodySchema, freezeListSchema, freezeQuerySchema, freezeSchema, liftQuerySchema, placedFreezeSchema } from '@countersign/contracts';
import { type FreezeDeps, type FreezeRefusal, freezeView, liftFreeze, placeFreeze } from '@countersign/core/flow';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';

const PEOPLE_ONLY = { problem: 'forbidden', detail: 'Only people freeze and lift, each by a session or personal token of their own.' } as const;

/** The kill switch. It is out of reach of what it freezes: no API key places or lifts, and it takes a second person to lift. */
export function freezeRoutes(deps: IntakeDeps): Route[] {
  const { flow, waiters, control, credentials } = deps;
  const world: FreezeDeps = { ...flow, freezes: control.freezes, credentials };
  return [
    route({
      method: 'post',
      path: '/v1/freezes',
      name: 'placeFreeze',
      tag: 'Control',
      summary: 'Freeze at once: nothing that it holds opens, is approved, gets a grant or is redeemed, until a second person lifts it',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      body: freezeBodySchema,
      answers: { 201: { description: 'In force, in every process', schema: placedFreezeSchema, headers: { Location: 'Where to read it' } } },
      problems: ['forbidden', 'invalid_body'],
      async handle({ reader: { tenant, person }, body }) {
        const placed = await placeFreeze(world, { tenant, person }, body);
        if (placed.kind === 'not_allowed') return refusalOf(placed);
        waiters.notify(null);
        const headers = { Location: `${flow.publicUrl}/v1/freezes/${placed.freeze.id}` };
        return { status: 201, json: { ...freezeView(placed.freeze, flow.clock.now()), holds: placed.holds }, headers };
      },
    }),

    route({
      method: 'get',
      path: '/v1/freezes',
      name: 'listFreezes',
      tag: 'Control',
      summary: 'What is frozen, by whom and why',
      who: 'person',
      caller_refusal: { problem: 'forbidden', detail: 'A request that is held names its freezes; the list is for people.' },
      query: freezeQuerySchema,
      answers: { 200: { description: 'Newest first', schema: freezeListSchema } },
      async handle({ reader, query: { state, limit } }) {
        const found = await control.freezes.list(reader.tenant, { open: state === 'in_force', limit });
        const now = flow.clock.now();
        return { status: 200, json: { data: found.map((freeze) => freezeView(freeze, now)), next_cursor: null } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/freezes/:id',
      name: 'getFreeze',
      tag: 'Control',
      summary: 'One freeze',
      who: 'person',
      caller_refusal: { problem: 'forbidden', detail: 'A request that is held names its freezes; the list is for people.' },
      parameters: { id: 'The id of a freeze, fz_…' },
      answers: { 200: { description: 'The freeze', schema: freezeSchema } },
      async handle({ reader, params: { id = '' } }) {
        const freeze = await control.freezes.get(reader.tenant, id);
        return freeze === null ? notFound() : { status: 200, json: freezeView(freeze, flow.clock.now()) };
      },
    }),

    route({
      method: 'delete',
      path: '/v1/freezes/:id',
      name: 'liftFreeze',
      tag: 'Control',
      summary: 'Lift a freeze, as a second person: not who placed it, and nobody who stands behind what it names',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: { id: 'The id of a freeze, fz_…' },
      query: liftQuerySchema,
      answers: { 200: { description: 'Lifted', schema: freezeSchema } },
      problems: ['forbidden', 'second_person_needed', 'already_lifted'],
      async handle({ reader: { tenant, person, scopes }, params: { id = '' }, query: { reason } }) {
        // A token that does not administer lifts nothing by its person's rank.
        const roles = scopes.includes('admin') ? person.roles : person.roles.filter((role) => role !== 'administrator');
        const lifted = await liftFreeze(world, { tenant, person: { ...person, roles } }, id, reason ?? null);
        if (lifted.kind === 'not_allowed') return refusalOf(lifted);
        waiters.notify(null);
        return { status: 200, json: freezeView(lifted.freeze, flow.clock.now()) };
      },
    }),
  ];
}

const refusalOf = ({ code, text }: FreezeRefusal): Trouble => trouble(code, text);
