import type { AskAgain, Authenticated, JsonObject, PasskeyEvidence, Verdict, Via } from '@countersign/contracts';
import { progressOf, waitingFor } from '../card/index.js';
import { type Refusal, refusals, todayUnder } from '../decision/index.js';
import { CoreError } from '../errors.js';
import type { CompiledBundle } from '../policy/index.js';
import { lastEscalation } from '../policy/quorum.js';
import type { AlikeTerms, AssertionBinding, ChangeCommit, DecidingContext, DecisionRecord, RequestState } from '../ports.js';
import { decisionCallback } from '../outcome/index.js';
import { addSeconds, epochMs, type Instant, newId } from '../request/index.js';
import { callbackPlan, deliveryOf } from './callbacks.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { hasText, judgePress, settles } from './press.js';
import { patternOf } from './patterns.js';
import { leafMaker, type OpenPayload, openPayload } from './record-key.js';
import { requirementNow } from './requirement-now.js';
import { reviewParts } from './reviews.js';
import { turnNotice } from './turn-notice.js';
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
  /** With a denial: whether asking again makes sense. */
  ask_again?: AskAgain;
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
  /** An assertion is taken once, however often the plan is made. */
  let taken: PasskeyEvidence | null | undefined;
  /** Where the database's clock is behind ours, what is not due there is planned again as not due. */
  let behindSeconds = 0;
  const takePasskey = async (context: DecidingContext): Promise<PasskeyEvidence | null> =>
    (taken ??= input.passkey === undefined ? null : ((await deps.passkeys?.take(input.passkey, bindingOf(input, context))) ?? null));
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const seen = await deps.requests.decidingContext({
      tenant: input.decider.tenant,
      request_id: input.request_id,
      person_id: input.decider.person_id,
      ...(input.delegate_for === undefined ? {} : { delegate_for: input.delegate_for }),
    });
    if (seen === null) return { ...refusals.notFound(), state: null };
    const payload = await openPayload(deps.sealer, seen.request);
    const bundle = await deps.policies.bundle(input.decider.tenant, seen.active_policy);
    const context = todayUnder(seen, bundle.defaults.chain);
    const plan = await planDecide(deps, { input, context, payload, bundle, behindSeconds, takePasskey });
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
      case 'early':
        behindSeconds = behindSeconds * 2 + 1;
        continue;
      case 'frozen': {
        const refusal = refusals.frozen(result.freeze);
        await recordRefusal(deps, input, context, payload, refusal);
        return { ...refusal, state: context };
      }
      case 'key_inactive': {
        const refusal = tooLate(context, 'the credential that asked was revoked, so what it asked for is void');
        await recordRefusal(deps, input, context, payload, refusal);
        return { ...refusal, state: context };
      }
      case 'conflict':
      case 'policy_changed':
        continue;
    }
  }
  throw new CoreError('contention', `${input.request_id} changed ${MAX_PLANS} times while it was being decided.`);
}

type Plan = { kind: 'planned'; commit: ChangeCommit; decision: DecisionRecord; waiting_for: string | null } | Refusal;

interface Planning {
  input: DecideInput;
  context: DecidingContext;
  payload: OpenPayload;
  bundle: CompiledBundle;
  behindSeconds: number;
  takePasskey(context: DecidingContext): Promise<PasskeyEvidence | null>;
}

async function planDecide(deps: FlowDeps, { input, context, payload, bundle, behindSeconds, takePasskey }: Planning): Promise<Plan> {
  const { request } = context;
  const { decider, verdict } = input;
  const at = deps.clock.now();
  const elapsed = (epochMs(at) - Date.parse(request.created_at)) / 1000 - behindSeconds;
  const judged = request.status === 'pending' ? requirementNow(deps, context, payload, bundle) : null;
  const allowed = judgePress({ input, context, payload, judged, elapsed });
  if (allowed.kind === 'refused') return allowed;
  // judgePress allows nothing where it is null or a refusal.
  if (judged === null || 'kind' in judged) return tooLate(context, null);
  const { requirement } = judged;
  const { road, person, absent, groups } = allowed;
  // The commit judges it too; this spares a passkey's assertion.
  const freeze = context.freezes?.[0];
  if (freeze !== undefined && verdict === 'approve') return refusals.frozen(freeze);
  const passkey = await takePasskey(context);
  const stepUp = allowed.passkey === null ? null : stepUpRefusal(passkey, allowed.passkey.fresh_seconds, at, input.passkey !== undefined);
  if (stepUp !== null) return stepUp;

  const decision: DecisionRecord = {
    id: newId('dec', at, deps.entropy.bytes(10)),
    request_id: request.id,
    person: { id: person.id, email: person.email, name: person.name },
    verdict,
    reason: hasText(input.reason) ? input.reason : null,
    decided_at: at,
    via: decider.via,
    groups,
    action_digest: request.action_digest,
    request_digest: request.request_digest,
    // What a passkey signed names what was shown.
    view_digest: input.view_digest ?? (passkey === null ? null : request.view_digest),
    policy_digest: bundle.digest,
    authenticated: decider.authenticated,
    ...(input.ticket === undefined ? {} : { ticket: input.ticket }),
    ...(input.acknowledged === undefined || input.acknowledged.length === 0 ? {} : { acknowledged: [...input.acknowledged] }),
    ...(input.ask_again === undefined || verdict === 'approve' ? {} : { ask_again: input.ask_again }),
    ...(absent === null ? {} : { delegate_for: { id: absent.id, email: absent.email, name: absent.name } }),
    ...(road === 'break_glass' ? { break_glass: true as const } : {}),
    ...(road === 'solo' ? { self_approved: true as const } : {}),
    ...(passkey === null ? {} : { passkey }),
    ...(input.alike === undefined || verdict === 'deny' ? {} : { alike: input.alike }),
  };
  const { after, status, turned, byGlass } = settles(requirement, allowed, context, verdict, elapsed);
  const leaf = leafMaker(deps, { tenant: request.tenant, subject: request.id, recordKey: payload.recordKey });
  const recorded = leaf(
    'decision.recorded',
    at,
    { decision: decision.id, verdict: decision.verdict, via: decision.via, policy_digest: bundle.digest, ...marksOf(decision) },
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
  const pattern = status === 'approved' ? await patternOf(deps, { context, submission: payload.submission, decision, requirement, at, leaf }) : null;
  const review = byGlass ? reviewParts(deps, { request, requirement, decision, leaf, at }) : null;
  const notices = [...(review?.parts.notices ?? []), ...(settled?.notices ?? []), ...(turned ? [turnNotice(deps, request, after, at)] : [])];
  const escalated = road === 'solo' ? (requirement.solo?.after_seconds ?? 0) : lastEscalation(requirement, elapsed);
  return {
    kind: 'planned',
    decision,
    waiting_for,
    commit: {
      tenant: request.tenant,
      active_policy: bundle.digest,
      request_id: request.id,
      from: { version: request.version, status: 'pending' },
      time: 'live',
      // What counts because time has passed counts by the database's clock.
      ...(escalated === 0 ? {} : { not_before: addSeconds(request.created_at as Instant, escalated) }),
      set: status === undefined ? {} : { status, settled_at: at, ...(status === 'approved' ? { use_until: useUntil(at, requirement) } : {}) },
      decision,
      cards: true,
      ...settled,
      ...review?.parts,
      ...(notices.length === 0 ? {} : { notices }),
      ...(pattern === null ? {} : { pattern: pattern.record }),
      deliveries: [...(told === null ? [] : [told]), ...(settled?.deliveries ?? [])],
      leaves: [recorded, ...(settled?.leaves ?? []), ...(review?.leaves ?? []), ...(pattern === null ? [] : [pattern.leaf])],
    },
  };
}

/** What an assertion must have been made for: this person, this request, its view, and this verdict. */
function bindingOf({ decider, verdict }: DecideInput, { request }: DecidingContext): AssertionBinding {
  const { request_digest, view_digest } = request;
  return { tenant: decider.tenant, person_id: decider.person_id, request_digest, view_digest, verdict };
}

function stepUpRefusal(passkey: PasskeyEvidence | null, freshSeconds: number, at: Instant, given: boolean): Refusal | null {
  if (passkey === null)
    return refusals.stepUpRequired(
      given ? 'That passkey was not used for this request and verdict, or it was used already.' : 'Policy wants a passkey with this approval.',
    );
  const age = (epochMs(at) - Date.parse(passkey.verified_at)) / 1000;
  return age <= freshSeconds ? null : refusals.stepUpRequired(`Policy wants a passkey that is at most ${freshSeconds} seconds old.`);
}

/** What is not personal about how somebody decided. */
function marksOf({ break_glass, self_approved, delegate_for, passkey }: DecisionRecord) {
  return {
    ...(break_glass === undefined ? {} : { break_glass }),
    ...(self_approved === undefined ? {} : { self_approved }),
    ...(delegate_for === undefined ? {} : { stand_in: true }),
    ...(passkey === undefined ? {} : { passkey: true }),
  };
}

/** Everything of the record that the leaf does not say in the open; what was not given is not there. */
function decisionDetails(decision: DecisionRecord): JsonObject {
  const { person, reason, groups, action_digest, request_digest, view_digest, authenticated } = decision;
  const { ticket, acknowledged, ask_again, delegate_for, break_glass, self_approved, passkey, alike } = decision;
  const given = { ticket, acknowledged, ask_again, delegate_for, break_glass, self_approved, passkey, alike };
  return {
    ...{ person, reason, groups, action_digest, request_digest, view_digest, authenticated },
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as JsonObject), // plain JSON without the absent members
  };
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
