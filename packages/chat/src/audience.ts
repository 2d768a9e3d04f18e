import { linkOf } from '@countersign/core/decision';
import { isApprover } from '@countersign/core/policy';
import type { ActionRequestRecord, Person } from '@countersign/core/ports';

/** Whether a request's card belongs before this person: active, an approver by one of its stages, and not behind the request. */
export function isAskedOf(request: ActionRequestRecord, person: Person): boolean {
  return person.active && request.requirement !== null && isApprover(request.requirement, person.groups) && linkOf(request.chain, person) === null;
}
