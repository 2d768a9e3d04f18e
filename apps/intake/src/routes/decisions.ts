import { decisionBodySchema, decisionViewSchema } from '@countersign/contracts';
import { decide } from '@countersign/core/flow';
import { decisionView } from '@countersign/core/outcome';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { refused } from '../problems.js';

export function decisionRoutes({ flow }: IntakeDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/action-requests/:id/decisions',
      name: 'decide',
      tag: 'Decisions',
      summary: 'Approve or deny as the person that you are. The digest says what you looked at',
      who: 'person',
      // An agent's credential never decides (C4), whatever its owner may do.
      caller_refusal: { problem: 'decider_not_allowed', detail: 'An API key never decides. A person does, by session or personal token.' },
      parameters: { id: 'The id of an action request, ar_…' },
      body: decisionBodySchema,
      answers: { 201: { description: 'The decision, recorded', schema: decisionViewSchema } },
      problems: [
        'self_approval',
        'not_an_approver',
        'account_inactive',
        'decider_not_allowed',
        'already_decided',
        'already_settled',
        'policy_changed',
        'action_mismatch',
        'reason_required',
        'step_up_required',
      ],
      async handle({ reader, params: { id = '' }, body }) {
        const { verdict, action_digest, request_digest, reason, passkey } = body;
        const outcome = await decide(flow, {
          decider: {
            tenant: reader.tenant,
            person_id: reader.person.id,
            via: reader.method === 'session' ? 'web' : 'api',
            authenticated: reader.authenticated,
            may_decide: reader.may_decide,
          },
          request_id: id,
          verdict,
          ...(reason === undefined ? {} : { reason }),
          ...(action_digest === undefined ? {} : { action_digest }),
          ...(request_digest === undefined ? {} : { request_digest }),
          ...(passkey === undefined ? {} : { passkey }),
        });
        return outcome.kind === 'refused' ? refused(outcome) : { status: 201, json: decisionView(outcome.decision) };
      },
    }),
  ];
}
