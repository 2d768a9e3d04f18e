import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound } from '../problems.js';
import { activePolicySchema, deliveriesQuerySchema, deliveryListSchema } from '../schemas.js';
import { visible } from './action-requests.js';

/** Which policy is in force, and what became of callbacks. */
export function operationRoutes(deps: IntakeDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/policies/active',
      name: 'activePolicy',
      tag: 'Policy',
      summary: 'Which policy bundle is in force, since when, and who put it there',
      who: 'either',
      answers: { 200: { description: 'The bundle in force', schema: activePolicySchema } },
      async handle({ reader }) {
        const active = await deps.policies.active(reader.tenant);
        if (active === null) return notFound('No policy is in force.');
        return { status: 200, json: { policy_digest: active.digest, activated_at: active.activated_at, activated_by: active.by } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/deliveries',
      name: 'listDeliveries',
      tag: 'Action requests',
      summary: 'The callbacks of a request, with each attempt',
      who: 'either',
      query: deliveriesQuerySchema,
      answers: { 200: { description: 'By sequence', schema: deliveryListSchema } },
      problems: ['not_found'],
      async handle({ reader, query: { action_request } }) {
        if ((await visible(deps, reader, action_request)) === null) return notFound();
        return { status: 200, json: { data: await deps.deliveries.list(reader.tenant, action_request), next_cursor: null } };
      },
    }),
  ];
}
