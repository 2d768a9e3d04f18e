import { delegationBodySchema, delegationListSchema, delegationSchema } from '@countersign/contracts';
import { delegate, delegationAnswer, type DelegationDeps, endDelegation } from '@countersign/core/flow';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { refused } from '../problems.js';
import { administers, seesAll } from '../visibility.js';

const PEOPLE_ONLY = { problem: 'forbidden', detail: 'Only people name stand-ins, each for themselves.' } as const;

/** Who stands in for whom, and when. */
export function delegationRoutes({ flow, directory, followUps: { delegations } }: IntakeDeps): Route[] {
  const world: DelegationDeps = { ...flow, directory, delegations };
  return [
    route({
      method: 'post',
      path: '/v1/delegations',
      name: 'nameStandIn',
      tag: 'People',
      summary: 'While you are away, somebody else may decide in your stead, where policy allows stand-ins',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      body: delegationBodySchema,
      answers: { 201: { description: 'Named', schema: delegationSchema } },
      problems: ['delegation_not_allowed', 'account_inactive'],
      async handle({ reader: { tenant, person, may_decide }, body }) {
        // What a credential cannot do itself, it cannot hand on.
        if (!may_decide) return { problem: 'decider_not_allowed', detail: 'Only a credential that may decide names a stand-in. Sign in.' };
        const outcome = await delegate(world, { tenant, person }, body);
        return outcome.kind === 'refused' ? refused(outcome) : { status: 201, json: delegationAnswer(outcome.delegation) };
      },
    }),

    route({
      method: 'get',
      path: '/v1/delegations',
      name: 'listStandIns',
      tag: 'People',
      summary: 'Your stand-ins and for whom you stand in; auditors and administrators see all',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      answers: { 200: { description: 'Newest first', schema: delegationListSchema } },
      async handle({ reader: { tenant, person } }) {
        const found = await delegations.list(tenant, seesAll(person) ? null : person.id);
        return { status: 200, json: { data: found.map(delegationAnswer), next_cursor: null } };
      },
    }),

    route({
      method: 'delete',
      path: '/v1/delegations/:id',
      name: 'endStandIn',
      tag: 'People',
      summary: 'Take it back: who is away, or an administrator. What was decided meanwhile stands',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: { id: 'The id of a delegation, dg_…' },
      answers: { 200: { description: 'Over', schema: delegationSchema } },
      problems: ['delegation_not_allowed'],
      async handle({ reader, params: { id = '' } }) {
        const outcome = await endDelegation(world, { tenant: reader.tenant, person: reader.person, administers: administers(reader) }, id);
        return outcome.kind === 'refused' ? refused(outcome) : { status: 200, json: delegationAnswer(outcome.delegation) };
      },
    }),
  ];
}
