import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound } from '../problems.js';
import { activePolicySchema } from '../schemas.js';

/** Which policy is in force. */
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
  ];
}
