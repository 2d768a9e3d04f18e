import { entriesOf, linkNow, linkOf, type Refusal, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import { maskText } from '../masking/index.js';
import { questionCallback } from '../outcome/index.js';
import { isNamed } from '../policy/quorum.js';
import type { Caller, ChangeCommit, DecidingContext, Person, QuestionRecord, RequestState } from '../ports.js';
import { newId } from '../request/index.js';
import { callbackPlan, deliveryOf } from './callbacks.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { noticeOf } from './notices.js';
import { leafMaker, openPayload } from './record-key.js';
import { peopleBehind } from './settled-notices.js';
import { stateAfter, tooLate } from './settle.js';

/** A request takes so many questions: an approver who wants to know more denies, and says what. */
const MAX_QUESTIONS = 30;

export type QuestionOutcome = { kind: 'done'; question: QuestionRecord; state: RequestState } | Refusal;

/** An approver wants to know something before deciding. Whoever stands behind the request, and its caller, are told. */
export async function ask(deps: FlowDeps, by: { tenant: string; person_id: string }, request_id: string, text: string): Promise<QuestionOutcome> {
  return change(deps, by.tenant, request_id, by.person_id, async (context, leaf) => {
    const approver = eligibleApprover(context, by.person_id);
    if ('kind' in approver) return approver;
    const { request } = context;
    if (context.questions.length >= MAX_QUESTIONS) return refusals.tooMany(`This request has ${MAX_QUESTIONS} questions. Deny it, and say what is missing.`);
    const at = deps.clock.now();
    const { id, email, name } = approver;
    const question: QuestionRecord = {
      id: newId('q', at, deps.entropy.bytes(10)),
      request_id,
      person: { id, email, name },
      text: masked(deps, text),
      asked_at: at,
      answer: null,
    };
    const callback = await callbackPlan(deps, request, context.outcomes);
    const told = callback.wants('question.asked')
      ? await deliveryOf(deps, request, callback.format, questionCallback(request, question, callback.last + 1, deps.publicUrl))
      : null;
    return {
      question,
      parts: {
        question: { kind: 'asked', record: question },
        notices: [
          noticeOf(deps, request, 'question_asked', at, { people: peopleBehind(request), text: `${name} asks about ${request.view.action}: ${question.text}` }),
        ],
        deliveries: told === null ? [] : [told],
        leaves: [leaf('question.asked', at, { question: question.id }, { person: question.person, text: question.text })],
      },
    };
  });
}

/** Who answers: the caller that asked, or a person behind the request. */
export type Answerer = { kind: 'caller'; caller: Caller } | { kind: 'person'; tenant: string; person_id: string };

/** The answer of whoever wants the action; once. */
export async function answer(deps: FlowDeps, by: Answerer, request_id: string, question_id: string, text: string): Promise<QuestionOutcome> {
  const tenant = by.kind === 'caller' ? by.caller.tenant : by.tenant;
  return change(deps, tenant, request_id, by.kind === 'person' ? by.person_id : null, async (context, leaf) => {
    const { request } = context;
    const person = by.kind === 'person' ? (context.people.find(({ id }) => id === by.person_id) ?? null) : null;
    if (by.kind === 'person' && (person === null || !person.active)) return refusals.accountInactive();
    const behind = by.kind === 'caller' ? request.requester.id === by.caller.key_id : person !== null && linkOf(request.chain, person) !== null;
    if (!behind) return refusals.notTheRequester();
    const found = context.questions.find(({ id }) => id === question_id);
    if (found === undefined) return refusals.notFound();
    if (found.answer !== null) return refusals.alreadyAnswered();
    if (request.status !== 'pending') return tooLate(context, null);
    const at = deps.clock.now();
    const name = by.kind === 'caller' ? by.caller.name : (person?.name ?? '');
    const question: QuestionRecord = { ...found, answer: { text: masked(deps, text), by: name, answered_at: at } };
    return {
      question,
      parts: {
        question: { kind: 'answered', record: question },
        notices: [noticeOf(deps, request, 'question_answered', at, { people: [found.person.id], text: `${name} answers: ${question.answer?.text ?? ''}` })],
        leaves: [leaf('question.answered', at, { question: question.id }, { by: name, text: question.answer?.text ?? '' })],
      },
    };
  });
}

/** Somebody whom the requirement names, who does not stand behind the request, while it can be decided. */
export function eligibleApprover(context: DecidingContext, person_id: string): Person | Refusal {
  const { request } = context;
  const person = context.people.find(({ id }) => id === person_id);
  if (person === undefined || !person.active) return refusals.accountInactive();
  const link = linkNow(context, person);
  if (link !== null) return refusals.selfApproval(link);
  const lent =
    context.delegations.some(({ delegate_id }) => entriesOf(person).includes(delegate_id)) && request.requirement?.delegation !== undefined
      ? (person.lent ?? [])
      : [];
  if (request.requirement === null || !isNamed(request.requirement, [...person.groups, ...lent])) return refusals.notAnApprover('an approver of its rules');
  return request.status === 'pending' ? person : tooLate(context, null);
}

export const masked = (deps: Pick<FlowDeps, 'entropy'>, text: string): string => maskText(text, { paths: [], key: deps.entropy.bytes(32) }).masked;

type Parts = Pick<ChangeCommit, 'question' | 'notices' | 'deliveries' | 'leaves'>;

async function change(
  deps: FlowDeps,
  tenant: string,
  request_id: string,
  person_id: string | null,
  plan: (context: DecidingContext, leaf: ReturnType<typeof leafMaker>) => Promise<{ question: QuestionRecord; parts: Parts } | Refusal>,
): Promise<QuestionOutcome> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.decidingContext({ tenant, request_id, person_id });
    if (context === null) return refusals.notFound();
    const { recordKey } = await openPayload(deps.sealer, context.request);
    const planned = await plan(context, leafMaker(deps, { tenant, subject: request_id, recordKey }));
    if ('kind' in planned) return planned;
    const commit: ChangeCommit = {
      tenant,
      request_id,
      from: { version: context.request.version, status: 'pending' },
      time: 'live',
      set: {},
      cards: true,
      ...planned.parts,
    };
    const result = await deps.requests.change(commit);
    if (result.kind === 'committed') {
      for (const topic of ['deliveries', 'cards', 'decisions'] as const) deps.announcer.announce(topic);
      return { kind: 'done', question: planned.question, state: stateAfter(context, commit) };
    }
    if (result.kind === 'time') return tooLate(context, 'the time is over');
  }
  throw new CoreError('contention', `${request_id} changed ${MAX_PLANS} times while a question was being noted.`);
}
