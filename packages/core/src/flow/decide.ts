import type { Authenticated, Requirement, Verdict, Via } from '@countersign/contracts';
import { outcomeText, progressOf, waitingFor } from '../card/index.js';
import { linkOf, type Refusal, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import { type CompiledBundle, mergeRequirements } from '../policy/index.js';
import { isApprover, mayDecide, progress } from '../policy/quorum.js';
import type { AlikeTerms, ChangeCommit, DecidingContext, DecisionRecord, Person, RequestState } from '../ports.js';
import { decisionCallback } from '../outcome/index.js';
import { newId } from '../request/index.js';
import { callbackPlan, deliveryOf } from './callbacks.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { policyInput } from './open.js';
import { leafMaker, type OpenPayload, openPayload } from './record-key.js';
import { announceSettled, expire, settlementParts, stateAfter, tooLate, useUntil } from './settle.js';

/** A verified person at a channel, and whether the credential may decide at all. */
export interface Decider {
  tenant: string;
  person_id: string;
  via: Via;
  authenticated: Authenticated;
  may_decide: boolean;
}

export interface DecideInput {
  decider: Decider;
  request_id: string;
  verdict: Verdict;
  reason?: string;
  /** What the decider looked at: at least one; each that is given must be the request's. */
  action_digest?: string;
  request_digest?: string;
  /** Of the card that was shown, where a card was. */
  view_digest?: string;
  ticket?: string;
  /** The texts that were confirmed, word for word. */
  acknowledged?: readonly string[];
  /** The id of the person in whose stead. */
  delegate_for?: string;
  break_glass?: true;
  /** The handle of a verified passkey assertion (PasskeyAssertions); taken once everything else is in order. */
  passkey?: string;
  alike?: AlikeTerms;
  /** Decided together with others. */
  bulk?: true;
}

export type DecideOutcome =
  | { kind: 'decided'; decision: DecisionRecord; state: RequestState; settled: boolean; waiting_for: string | null }
  | (Refusal & { state: RequestState | null });

/**
 * One approver's press, from any channel: judged on rows read at the press, planned, and committed by compare-and-set, so
 * that of two presses at once one is planned again on what the other did (I2, I3). A refusal is a ledger entry too.
 */
export async function decide(deps: FlowDeps, input: DecideInput): Promise<DecideOutcome> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.decidingContext({
      tenant: input.decider.tenant,
      request_id: input.request_id,
      person_id: input.decider.person_id,
    });
    if (context === null) return { ...refusals.notFound(), state: null };
    const payload = await openPayload(deps.sealer, context.request);
    const bundle = await deps.policies.bundle(input.decider.tenant, context.active_policy);
    const plan = await planDecide(deps, input, context, payload, bundle);
    if (plan.kind === 'refused') {
      await recordRefusal(deps, input, context, payload, plan);
      return { ...plan, state: context };
    }
    const result = await deps.requests.change(plan.commit);
    switch (result.kind) {
      case 'committed': {
        const settled = plan.commit.set.status !== undefined;
        if (settled) announceSettled(deps);
        else {
          if (plan.commit.deliveries?.length) deps.announcer.announce('deliveries');
          deps.announcer.announce('cards');
          deps.announcer.announce('decisions');
        }
        return { kind: 'decided', decision: plan.decision, state: stateAfter(context, plan.commit), settled, waiting_for: plan.waiting_for };
      }
      case 'time':
        await expire(deps, { tenant: input.decider.tenant, request_id: input.request_id });
        continue;
      case 'conflict':
      case 'policy_changed':
        continue;
    }
  }
  throw new CoreError('contention', `${input.request_id} changed ${MAX_PLANS} times while it was being decided.`);
}

type Plan = { kind: 'planned'; commit: ChangeCommit; decision: DecisionRecord; waiting_for: string | null } | Refusal;

/** The rules of a decision, in the order in which a person is told of them. */
async function planDecide(deps: FlowDeps, input: DecideInput, context: DecidingContext, payload: OpenPayload, current: CompiledBundle): Promise<Plan> {
  const { request } = context;
  const { decider } = input;
  const person = context.people.find((candidate) => candidate.id === decider.person_id);
  if (person === undefined || !person.active) return refusals.accountInactive();
  if (!decider.may_decide) return refusals.deciderNotAllowed();
  const link = linkOf(request.chain, person);
  if (link !== null) return refusals.selfApproval(link);
  const judged = request.status === 'pending' ? requirementNow(context, payload, current, deps) : null;
  const asked = judged !== null && 'requirement' in judged ? judged.requirement : request.requirement;
  if (asked !== null && !isApprover(asked, person.groups)) return refusals.notAnApprover(groupWords(asked));
  if (judged === null) return tooLate(context, outcomeText(context));
  const earlier = context.decisions.find((decision) => decision.person.id === person.id);
  if (earlier !== undefined) return refusals.alreadyDecided(earlier.verdict, earlier.decided_at);
  if (!digestsMatch(input, request)) return refusals.actionMismatch();
  if ('kind' in judged) return judged;
  const { requirement } = judged;
  const approvals = countedApprovals(context);
  if (!mayDecide(progress(requirement, approvals), person.groups)) {
    return refusals.notAnApprover(waitingFor(progress(requirement, approvals)) ?? groupWords(requirement));
  }
  if (requirement.reason_required[input.verdict] && !hasText(input.reason)) return refusals.reasonRequired(input.verdict);

  const at = deps.clock.now();
  const decision: DecisionRecord = {
    id: newId('dec', at, deps.entropy.bytes(10)),
    request_id: request.id,
    person: { id: person.id, email: person.email, name: person.name },
    verdict: input.verdict,
    reason: hasText(input.reason) ? input.reason : null,
    decided_at: at,
    via: decider.via,
    groups: person.groups,
    action_digest: request.action_digest,
    request_digest: request.request_digest,
    view_digest: input.view_digest ?? null,
    policy_digest: current.digest,
    authenticated: decider.authenticated,
  };
  const after = progress(requirement, decision.verdict === 'approve' ? [...approvals, { person_id: person.id, groups: person.groups }] : approvals);
  const denials = context.decisions.filter(({ verdict }) => verdict === 'deny').length + (decision.verdict === 'deny' ? 1 : 0);
  const status = denials >= requirement.deny_threshold ? ('denied' as const) : after.satisfied ? ('approved' as const) : undefined;
  const leaf = leafMaker(deps, { tenant: request.tenant, subject: request.id, recordKey: payload.recordKey });
  const recorded = leaf(
    'decision.recorded',
    at,
    { decision: decision.id, verdict: decision.verdict, via: decision.via, policy_digest: current.digest },
    decisionDetails(decision),
  );
  const waiting_for = status === undefined ? waitingFor(after) : null;
  const callback = await callbackPlan(deps, request, context.outcomes);
  const told = callback.wants('decision.recorded')
    ? await deliveryOf(deps, request, callback.format, decisionCallback(request, decision, callback.last + 1, waiting_for))
    : null;
  const settled =
    status === undefined
      ? null
      : await settlementParts(deps, request, payload, [...context.decisions, decision], {
          status,
          sequence: callback.last + (told === null ? 1 : 2),
          callback,
          reason: null,
          at,
          use: requirement,
        });
  return {
    kind: 'planned',
    decision,
    waiting_for,
    commit: {
      tenant: request.tenant,
      active_policy: current.digest,
      request_id: request.id,
      from: { version: request.version, status: 'pending' },
      time: 'live',
      set: status === undefined ? {} : { status, settled_at: at, ...(status === 'approved' ? { use_until: useUntil(at, requirement) } : {}) },
      decision,
      cards: true,
      ...settled,
      deliveries: [...(told === null ? [] : [told]), ...(settled?.deliveries ?? [])],
      leaves: [recorded, ...(settled?.leaves ?? [])],
    },
  };
}

/**
 * What is needed now: the requirement pinned at submit, and where another bundle is in force, the stricter of both. What
 * the bundle in force denies is not approved; where it would let the action pass, the pinned requirement stands (I3).
 */
function requirementNow(context: DecidingContext, payload: OpenPayload, current: CompiledBundle, deps: FlowDeps): { requirement: Requirement } | Refusal {
  const { request } = context;
  const pinned = request.requirement;
  if (pinned === null) return tooLate(context, null);
  if (current.digest === request.policy_digest) return { requirement: pinned };
  const evaluation = current.evaluate(policyInput(payload.submission, request.resolved.environment, deps.clock.now()));
  if (evaluation.effect === 'deny') return refusals.policyChanged(`rule ${evaluation.rules.join(', ')}`);
  return { requirement: evaluation.requirement === null ? pinned : mergeRequirements(pinned, evaluation.requirement) };
}

/** Approvals that count now: of people who are active still, for groups that they were in then and are in now. */
function countedApprovals(context: DecidingContext): { person_id: string; groups: string[] }[] {
  return context.decisions.flatMap((decision) => {
    const person: Person | undefined = context.people.find((candidate) => candidate.id === decision.person.id);
    if (decision.verdict !== 'approve' || person === undefined || !person.active) return [];
    return [{ person_id: person.id, groups: decision.groups.filter((group) => person.groups.includes(group)) }];
  });
}

function digestsMatch(input: DecideInput, request: { action_digest: string; request_digest: string; view_digest: string }): boolean {
  if (input.action_digest === undefined && input.request_digest === undefined) return false;
  if (input.action_digest !== undefined && input.action_digest !== request.action_digest) return false;
  if (input.request_digest !== undefined && input.request_digest !== request.request_digest) return false;
  return input.view_digest === undefined || input.view_digest === request.view_digest;
}

const hasText = (text: string | undefined): text is string => text !== undefined && text.trim() !== '';

function groupWords(requirement: Requirement): string {
  return requirement.stages.map((stage) => stage.all.map(({ group, quorum }) => `${quorum} of ${group}`).join(' and ')).join(', then ');
}

function decisionDetails(decision: DecisionRecord) {
  const { person, reason, groups, action_digest, request_digest, view_digest, authenticated } = decision;
  return { person, reason, groups, action_digest, request_digest, view_digest, authenticated };
}

async function recordRefusal(deps: FlowDeps, input: DecideInput, context: DecidingContext, payload: OpenPayload, refusal: Refusal): Promise<void> {
  const leaf = leafMaker(deps, { tenant: context.request.tenant, subject: context.request.id, recordKey: payload.recordKey });
  const person = context.people.find((candidate) => candidate.id === input.decider.person_id);
  await deps.requests.record(context.request.tenant, [
    leaf(
      'decision.refused',
      deps.clock.now(),
      { code: refusal.code, verdict: input.verdict, via: input.decider.via },
      { person: person === undefined ? { id: input.decider.person_id } : { id: person.id, email: person.email, name: person.name } },
    ),
  ]);
  deps.announcer.announce('decisions');
}

/** Who is still needed, for those who only look. */
export function waitingNow(state: RequestState): string | null {
  const current = progressOf(state);
  return state.request.status === 'pending' && current !== null ? waitingFor(current) : null;
}
