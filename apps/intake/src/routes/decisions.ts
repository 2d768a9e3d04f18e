import {
  bulkAnswerSchema,
  bulkBodySchema,
  type DecisionBody,
  decisionBodySchema,
  decisionViewSchema,
  digestSchema,
  type ProblemCode,
} from '@countersign/contracts';
import { decide, type DecideInput, markOpened } from '@countersign/core/flow';
import { decisionView } from '@countersign/core/outcome';
import type { AuthenticatedPerson } from '@countersign/identity';
import { z } from 'zod';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, refused } from '../problems.js';
import { visible } from './action-requests.js';
import { mailTrouble } from './mail-links.js';

const REFUSALS: ProblemCode[] = [
  'self_approval',
  'not_an_approver',
  'account_inactive',
  'decider_not_allowed',
  'already_decided',
  'already_settled',
  'policy_changed',
  'action_mismatch',
  'via_not_allowed',
  'reason_required',
  'ticket_required',
  'acknowledgement_required',
  'must_open',
  'step_up_required',
  'not_a_delegate',
  'not_break_glass',
  'too_early',
  'alike_not_allowed',
  'frozen',
  'mail_link_over',
];

const NEVER_BY_KEY = { problem: 'decider_not_allowed', detail: 'An API key never decides. A person does, by session or personal token.' } as const;

export function decisionRoutes(deps: IntakeDeps): Route[] {
  const { flow } = deps;
  return [
    route({
      method: 'post',
      path: '/v1/action-requests/:id/decisions',
      name: 'decide',
      tag: 'Decisions',
      summary: 'Approve or deny as the person that you are. The digest says what you looked at',
      who: 'person',
      // An agent's credential never decides (C4), whatever its owner may do.
      caller_refusal: NEVER_BY_KEY,
      parameters: { id: 'The id of an action request, ar_…' },
      body: decisionBodySchema,
      answers: { 201: { description: 'The decision, recorded', schema: decisionViewSchema } },
      problems: REFUSALS,
      async handle({ reader, params: { id = '' }, body }) {
        const mail = await mailTrouble(deps, reader, id, body.mail);
        if (mail !== null) return mail;
        const outcome = await decide(flow, inputOf(reader, id, body));
        return outcome.kind === 'refused' ? refused(outcome) : { status: 201, json: decisionView(outcome.decision) };
      },
    }),

    route({
      method: 'post',
      path: '/v1/decisions',
      name: 'decideTogether',
      tag: 'Decisions',
      summary: 'Several decisions, each named by id and digest and judged alone; only of requests whose policy lets them be decided together',
      who: 'person',
      caller_refusal: NEVER_BY_KEY,
      body: bulkBodySchema,
      answers: { 200: { description: 'What became of each, in the order of the body', schema: bulkAnswerSchema } },
      problems: ['decider_not_allowed'],
      async handle({ reader, body }) {
        const data: z.infer<typeof bulkAnswerSchema>['data'] = [];
        // One after the other: each is a commit of its own, and none waits for another's.
        // A mail leads to one request: what is decided together is decided in the inbox.
        for (const { action_request, mail: _mail, ...decision } of body.decisions) {
          const outcome = await decide(flow, { ...inputOf(reader, action_request, decision), bulk: true });
          data.push(
            outcome.kind === 'refused'
              ? { action_request, refused: { code: outcome.code, detail: outcome.text } }
              : { action_request, decision: decisionView(outcome.decision) },
          );
        }
        return { status: 200, json: { data, next_cursor: null } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/action-requests/:id/opened',
      name: 'markOpened',
      tag: 'Decisions',
      summary:
        'Say that you have opened everything of the request, where policy wants that before an approval; the card names the digest of the view. A ledger entry',
      who: 'person',
      caller_refusal: { problem: 'forbidden', detail: 'Only people open requests to judge them.' },
      changes: true,
      parameters: { id: 'The id of an action request, ar_…' },
      body: z.strictObject({ view_digest: digestSchema }).meta({ id: 'OpenedBody' }),
      answers: { 200: { description: 'Recorded; once per person and view', schema: z.strictObject({ recorded: z.literal(true) }) } },
      problems: ['action_mismatch', 'account_inactive'],
      async handle({ reader, params: { id = '' }, body: { view_digest } }) {
        if ((await visible(deps, reader, id)) === null) return notFound();
        const outcome = await markOpened(flow, { tenant: reader.tenant, person_id: reader.person.id, via: viaOf(reader) }, id, view_digest);
        return outcome.kind === 'refused' ? refused(outcome) : { status: 200, json: { recorded: true } };
      },
    }),
  ];
}

const viaOf = ({ method }: AuthenticatedPerson): 'web' | 'api' => (method === 'session' ? 'web' : 'api');

/** The body as the flow takes it: what was not given is not there. */
function inputOf(reader: AuthenticatedPerson, request_id: string, body: Omit<DecisionBody, 'action_request'>): DecideInput {
  const { verdict, mail, ...rest } = body;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return {
    decider: {
      tenant: reader.tenant,
      person_id: reader.person.id,
      // How they proved who they are is the session's; that they came by a mail was looked up.
      via: mail === undefined ? viaOf(reader) : 'email',
      authenticated: reader.authenticated,
      may_decide: reader.may_decide,
    },
    request_id,
    verdict,
    // The members of the body have the names and types of the input's; those that are undefined were taken out.
    ...(given as Omit<DecideInput, 'decider' | 'request_id' | 'verdict'>),
  };
}
