import { outcomeText } from '../card/index.js';
import { linkOf, type Refusal, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import { isApprover } from '../policy/quorum.js';
import type { Caller, ChangeCommit, DecidingContext, Person, RequestState } from '../ports.js';
import { callbackPlan } from './callbacks.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { openPayload } from './record-key.js';
import { announceSettled, settlementParts, stateAfter, tooLate } from './settle.js';

/** Who takes something back: the caller that asked, a person, or the service itself, since whoever asked may not ask any more. */
export type Withdrawer = { kind: 'caller'; caller: Caller } | { kind: 'person'; tenant: string; person_id: string } | { kind: 'service'; tenant: string };

export type WithdrawOutcome = { kind: 'done'; state: RequestState } | (Refusal & { state: RequestState | null });

/** The requester takes an undecided request back. */
export function cancel(deps: FlowDeps, by: Withdrawer, request_id: string): Promise<WithdrawOutcome> {
  return withdraw(deps, by, request_id, (context, person) => {
    if (!isRequester(by, context, person)) return refusals.notTheRequester();
    if (context.request.status !== 'pending') return tooLate(context, outcomeText(context));
    return { from: 'pending', to: 'cancelled', reason: `Cancelled by ${nameOf(by, person)}.` };
  });
}

/**
 * Takes an approval back before it is used: who approved it or may approve under its rules, the requester, an
 * administrator (D3). The callback of the approval, if still under way, is superseded by the revocation's.
 */
export function revoke(deps: FlowDeps, by: Withdrawer, request_id: string): Promise<WithdrawOutcome> {
  return withdraw(deps, by, request_id, (context, person) => {
    if (!mayRevoke(by, context, person)) return refusals.notAnApprover('who approved it, an approver of its rules, the requester, or an administrator');
    const { request } = context;
    if (request.status !== 'approved') return refusals.notRevocable(outcomeText(context) ?? 'it is not approved');
    if (request.redeemed_at !== null) return refusals.notRevocable(`the grant was redeemed at ${request.redeemed_at}`);
    return { from: 'approved', to: 'revoked', reason: `Revoked by ${nameOf(by, person)}.` };
  });
}

/** Ends what a caller asked for that may not ask any more: cancelled while it waits, revoked while its grant is not redeemed. Its callback is told why. */
export function voidRequest(deps: FlowDeps, tenant: string, request_id: string, reason: string): Promise<WithdrawOutcome> {
  return withdraw(deps, { kind: 'service', tenant }, request_id, (context) => {
    const { request } = context;
    if (request.status === 'pending') return { from: 'pending', to: 'cancelled', reason };
    if (request.status === 'approved' && request.redeemed_at === null) return { from: 'approved', to: 'revoked', reason };
    return tooLate(context, outcomeText(context));
  });
}

interface Withdrawal {
  from: 'pending' | 'approved';
  to: 'cancelled' | 'revoked';
  reason: string;
}

async function withdraw(
  deps: FlowDeps,
  by: Withdrawer,
  request_id: string,
  judge: (context: DecidingContext, person: Person | null) => Withdrawal | Refusal,
): Promise<WithdrawOutcome> {
  const tenant = by.kind === 'caller' ? by.caller.tenant : by.tenant;
  const person_id = by.kind === 'person' ? by.person_id : null;
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.decidingContext({ tenant, request_id, person_id });
    if (context === null) return { ...refusals.notFound(), state: null };
    const person = context.people.find((candidate) => candidate.id === person_id) ?? null;
    if (by.kind === 'person' && (person === null || !person.active)) return { ...refusals.accountInactive(), state: context };
    const judged = judge(context, person);
    if ('kind' in judged) return { ...judged, state: context };
    const payload = await openPayload(deps.sealer, context.request);
    const callback = await callbackPlan(deps, context.request, context.outcomes);
    const at = deps.clock.now();
    const parts = await settlementParts(deps, context.request, payload, context.decisions, {
      status: judged.to,
      sequence: callback.last + 1,
      callback,
      reason: judged.reason,
      at,
      use: null,
    });
    const commit: ChangeCommit = {
      tenant,
      request_id,
      from: { version: context.request.version, status: judged.from },
      time: 'any',
      set: { status: judged.to, settled_at: at },
      supersede: judged.to === 'revoked',
      cards: true,
      ...parts,
    };
    const result = await deps.requests.change(commit);
    if (result.kind === 'committed') {
      announceSettled(deps);
      return { kind: 'done', state: stateAfter(context, commit) };
    }
  }
  throw new CoreError('contention', `${request_id} changed ${MAX_PLANS} times while it was being withdrawn.`);
}

function isRequester(by: Withdrawer, context: DecidingContext, person: Person | null): boolean {
  if (by.kind === 'caller') return context.request.requester.id === by.caller.key_id;
  if (by.kind === 'service') return false;
  return person !== null && linkOf(context.request.chain, person) !== null;
}

function mayRevoke(by: Withdrawer, context: DecidingContext, person: Person | null): boolean {
  if (isRequester(by, context, person)) return true;
  if (person === null) return false;
  const { requirement } = context.request;
  return (
    context.decisions.some((decision) => decision.person.id === person.id && decision.verdict === 'approve') ||
    (requirement !== null && isApprover(requirement, person.groups)) ||
    person.roles.includes('administrator')
  );
}

function nameOf(by: Withdrawer, person: Person | null): string {
  if (by.kind === 'caller') return `the requester (API key "${by.caller.name}")`;
  return by.kind === 'person' ? (person?.name ?? by.person_id) : 'Countersign';
}
