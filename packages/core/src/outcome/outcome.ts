import type { DecisionView, OutcomeData, OutcomeStatus } from '@countersign/contracts';
import type { ActionRequestRecord, DecisionRecord, OutcomeRecord } from '../ports.js';

/** A decision as answers and callbacks show it. */
export function decisionView(decision: DecisionRecord): DecisionView {
  const { id, person, verdict, reason, decided_at, via, authenticated } = decision;
  const { ticket, acknowledged, ask_again, delegate_for, break_glass, self_approved, passkey } = decision;
  return {
    ...{ id, person, verdict, reason, decided_at, via, authenticated },
    ...(ticket === undefined ? {} : { ticket }),
    ...(acknowledged === undefined ? {} : { acknowledged }),
    ...(ask_again === undefined ? {} : { ask_again }),
    ...(delegate_for === undefined ? {} : { delegate_for }),
    ...(break_glass === undefined ? {} : { break_glass }),
    ...(self_approved === undefined ? {} : { self_approved }),
    ...(passkey === undefined ? {} : { passkey }),
  };
}

/** The outcome of a request: what the callback's `data` holds, without a grant. */
export function outcomeOf(
  request: ActionRequestRecord,
  decisions: readonly DecisionRecord[],
  settled: { id: string; sequence: number; status: OutcomeStatus; reason: string | null; at: string },
): OutcomeRecord {
  const data: OutcomeData = {
    id: settled.id,
    action_request: request.id,
    sequence: settled.sequence,
    status: settled.status,
    action_digest: request.action_digest,
    request_digest: request.request_digest,
    policy_digest: request.policy_digest,
    decisions: decisions.map(decisionView),
    reason: settled.reason,
    settled_at: settled.at,
    ...hintOf(settled.status, decisions),
    ...roadOf(settled.status, decisions),
  };
  return {
    id: settled.id,
    request_id: request.id,
    sequence: settled.sequence,
    status: settled.status,
    reason: settled.reason,
    settled_at: settled.at,
    data,
  };
}

/** Whether asking again makes sense, by the strictest of those who denied. */
function hintOf(status: OutcomeStatus, decisions: readonly DecisionRecord[]): Pick<OutcomeData, 'ask_again'> {
  const said = status === 'denied' ? decisions.flatMap(({ verdict, ask_again }) => (verdict === 'deny' && ask_again !== undefined ? [ask_again] : [])) : [];
  const strictest = (['never', 'changed', 'later'] as const).find((hint) => said.includes(hint));
  return strictest === undefined ? {} : { ask_again: strictest };
}

/** How an approval came about where that was not the ordinary way: by the decision that settled it. */
function roadOf(status: OutcomeStatus, decisions: readonly DecisionRecord[]): Pick<OutcomeData, 'break_glass' | 'self_approved'> {
  const last = decisions.at(-1);
  if (status !== 'approved' || last === undefined) return {};
  return {
    ...(last.break_glass === undefined ? {} : { break_glass: last.break_glass }),
    ...(last.self_approved === undefined ? {} : { self_approved: last.self_approved }),
  };
}
