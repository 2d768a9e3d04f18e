import type { DecisionView, OutcomeData, OutcomeStatus } from '@countersign/contracts';
import type { ActionRequestRecord, DecisionRecord, OutcomeRecord } from '../ports.js';

/** A decision as answers and callbacks show it. */
export function decisionView(decision: DecisionRecord): DecisionView {
  const { id, person, verdict, reason, decided_at, via, authenticated } = decision;
  return { id, person, verdict, reason, decided_at, via, authenticated };
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
