import { actionRequestSchema, answerBodySchema, proposalBodySchema, proposalSchema, questionBodySchema, questionSchema } from '@countersign/contracts';
import { accept, answer, ask, propose } from '@countersign/core/flow';
import { proposalView, questionView } from '@countersign/core/outcome';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, refused } from '../problems.js';
import { openAnswer, visible } from './action-requests.js';

const PEOPLE_ONLY = { problem: 'forbidden', detail: 'Only approvers ask and propose, each by a session or personal token of their own.' } as const;
const idParameter = { id: 'The id of an action request, ar_…' };

/** What approvers and requesters say to each other before a decision: questions, answers, and counter-proposals. */
export function exchangeRoutes(deps: IntakeDeps): Route[] {
  const { flow } = deps;
  return [
    route({
      method: 'post',
      path: '/v1/action-requests/:id/questions',
      name: 'askQuestion',
      tag: 'Decisions',
      summary: 'Ask whoever wants the action something, as an approver',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: idParameter,
      body: questionBodySchema,
      answers: {
        201: { description: 'Asked: in the answer, on the card, in the ledger, and told to endpoints that want `question.asked`', schema: questionSchema },
      },
      problems: ['self_approval', 'not_an_approver', 'already_settled', 'account_inactive', 'too_many'],
      async handle({ reader, params: { id = '' }, body }) {
        if ((await visible(deps, reader, id)) === null) return notFound();
        const outcome = await ask(flow, { tenant: reader.tenant, person_id: reader.person.id }, id, body.text);
        return outcome.kind === 'refused' ? refused(outcome) : { status: 201, json: questionView(outcome.question) };
      },
    }),

    route({
      method: 'post',
      path: '/v1/action-requests/:id/questions/:question/answers',
      name: 'answerQuestion',
      tag: 'Decisions',
      summary: 'Answer a question, as the caller that asked for the action or a person behind it. Once',
      who: 'either',
      changes: true,
      parameters: { ...idParameter, question: 'The id of a question, q_…' },
      body: answerBodySchema,
      answers: { 201: { description: 'Answered', schema: questionSchema } },
      problems: ['not_the_requester', 'already_answered', 'already_settled', 'account_inactive'],
      async handle({ reader, params: { id = '', question = '' }, body }) {
        if ((await visible(deps, reader, id)) === null) return notFound();
        const by =
          reader.kind === 'caller'
            ? { kind: 'caller' as const, caller: reader.caller }
            : { kind: 'person' as const, tenant: reader.tenant, person_id: reader.person.id };
        const outcome = await answer(flow, by, id, question, body.text);
        return outcome.kind === 'refused' ? refused(outcome) : { status: 201, json: questionView(outcome.question) };
      },
    }),

    route({
      method: 'post',
      path: '/v1/action-requests/:id/proposals',
      name: 'proposeValues',
      tag: 'Decisions',
      summary: 'Say with which other values of the listed parameters the action would be acceptable. Nothing of the request changes',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: idParameter,
      body: proposalBodySchema,
      answers: { 201: { description: 'The counter-proposal, which the caller may accept', schema: proposalSchema } },
      problems: ['self_approval', 'not_an_approver', 'already_settled', 'account_inactive', 'counter_not_allowed', 'too_many'],
      async handle({ reader, params: { id = '' }, body }) {
        if ((await visible(deps, reader, id)) === null) return notFound();
        const outcome = await propose(flow, { tenant: reader.tenant, person_id: reader.person.id }, id, body);
        return outcome.kind === 'refused' ? refused(outcome) : { status: 201, json: proposalView(outcome.proposal) };
      },
    }),

    route({
      method: 'post',
      path: '/v1/action-requests/:id/proposals/:proposal/accept',
      name: 'acceptProposal',
      tag: 'Action requests',
      summary: 'Take a counter-proposal: opens a new request with its own digests, and withdraws the old one where nobody has decided it',
      who: 'caller',
      parameters: { ...idParameter, proposal: 'The id of a counter-proposal, pr_…' },
      answers: { 201: { description: 'The new request; the same one however often this is called', schema: actionRequestSchema } },
      problems: ['already_settled', 'actor_not_allowed', 'action_not_allowed', 'environment_mismatch', 'callback_not_allowed', 'endpoint_unknown', 'frozen'],
      async handle({ reader: { caller }, params: { id = '', proposal = '' } }) {
        const outcome = await accept(flow, caller, id, proposal);
        return outcome.kind === 'refused' ? refused(outcome) : openAnswer(outcome, flow.publicUrl);
      },
    }),
  ];
}
