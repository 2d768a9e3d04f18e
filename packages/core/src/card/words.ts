import { ADMINISTRATORS, type OutcomeStatus } from '@countersign/contracts';
import type { Progress } from '../policy/quorum.js';
import type { DecisionRecord, RequestState } from '../ports.js';

/** Who is still needed, "1 of data-owners and 1 of security (or oncall)"; null when nobody is. */
export function waitingFor(progress: Progress): string | null {
  const open = progress.stages.find((stage) => stage.open);
  if (open === undefined) return null;
  const missing = open.filled
    .filter(({ quorum, filled }) => filled < quorum)
    .map(({ group, quorum, filled, escalated }) => `${quorum - filled} of ${groupName(group)}${escalated.length === 0 ? '' : ` (or ${escalated.join(', ')})`}`);
  const places = open.stage.all.reduce((sum, { quorum }) => sum + quorum, 0);
  const extra = Math.max(0, open.stage.distinct_humans - places) - Math.max(0, open.distinct - places);
  if (missing.length === 0 && extra > 0) missing.push(`${extra} more ${extra === 1 ? 'person' : 'people'}`);
  return missing.join(' and ');
}

/** A group as people read it. */
export const groupName = (group: string): string => (group === ADMINISTRATORS ? 'the administrators' : group);

/** What became of a request, in one sentence. */
export function outcomeText(state: Pick<RequestState, 'request' | 'outcomes' | 'decisions' | 'report'>): string | null {
  const last = state.outcomes.at(-1);
  if (last === undefined) return null;
  const alike = last.status === 'approved' && state.request.pattern !== undefined ? last.reason : null;
  const sentence = alike ?? settledText(last.status, last.reason, state.decisions);
  if (state.report !== null) return `${sentence} Ran: ${state.report.result}.`;
  return state.request.redeemed_at === null ? sentence : `${sentence} Redeemed: it ran, or is running.`;
}

function settledText(status: OutcomeStatus, reason: string | null, decisions: readonly DecisionRecord[]): string {
  const names = (verdict: 'approve' | 'deny') => decisions.filter((decision) => decision.verdict === verdict).map(nameOf);
  switch (status) {
    case 'approved': {
      const by = names('approve');
      const last = decisions.at(-1);
      const approved = by.length === 0 ? `Approved by policy.` : `Approved by ${listed(by)}.`;
      if (last?.break_glass === true) return `${approved} ${last.person.name} broke the glass: ${last.reason ?? 'no reason given'}`;
      return last?.self_approved === true
        ? `${approved} It is self-approved: ${last.person.name} stands behind the request, as policy allows a team of one.`
        : approved;
    }
    case 'denied': {
      const by = names('deny');
      if (by.length === 0) return `Denied by policy.${reason === null ? '' : ` ${reason}`}`;
      const why = decisions.find((decision) => decision.verdict === 'deny' && decision.reason !== null)?.reason;
      return `Denied by ${listed(by)}${why == null ? '.' : `: ${why}`}`;
    }
    case 'expired':
      return 'Expired: it was not decided in time, so it does not run.';
    case 'cancelled':
      return reason ?? 'Cancelled by the requester.';
    case 'revoked':
      return reason ?? 'Revoked before it ran.';
  }
}

/** Who decided, and in whose stead. */
export function nameOf({ person, delegate_for }: DecisionRecord): string {
  return delegate_for === undefined ? person.name : `${person.name} (for ${delegate_for.name})`;
}

/** How somebody decided, where that was not the ordinary way: " (broke the glass)". */
export function marksOf({ break_glass, self_approved, passkey, ticket }: DecisionRecord): string {
  const marks = [
    ...(break_glass === undefined ? [] : ['broke the glass']),
    ...(self_approved === undefined ? [] : ['self-approved']),
    ...(passkey === undefined ? [] : ['by passkey']),
    ...(ticket === undefined ? [] : [`ticket ${ticket}`]),
  ];
  return marks.length === 0 ? '' : ` (${marks.join(', ')})`;
}

/** "A", "A and B", "A, B and C". */
export function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}
