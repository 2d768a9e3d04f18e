import { linkOf } from '@countersign/core/decision';
import { isApprover, mayVeto } from '@countersign/core/policy';
import type { ActionRequestRecord, Person } from '@countersign/core/ports';

/**
 * Whether a request's card belongs before this person: active, not behind the request, and an approver by one of its stages (by what has
 * escalated by now, for a reminder comes with each escalation) or of a group that may veto it.
 */
export function isAskedOf(request: ActionRequestRecord, person: Person, now = Date.now()): boolean {
  const { requirement, created_at, chain } = request;
  if (!person.active || requirement === null || linkOf(chain, person) !== null) return false;
  return isApprover(requirement, person.groups, (now - Date.parse(created_at)) / 1000) || mayVeto(requirement, person.groups);
}
