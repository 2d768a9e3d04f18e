import type { Requirement } from '@countersign/contracts';
import type { AlikeTerms } from '../ports.js';
import { type Refusal, refusals } from './refusal.js';

/** Whether an approval may approve a narrowed pattern besides, on these terms: policy's pins are among them, and its bounds hold. */
export function alikeRefusal(requirement: Requirement, alike: AlikeTerms): Refusal | null {
  const allowed = requirement.alike;
  if (allowed === undefined) return refusals.alikeNotAllowed('Policy does not let a pattern be approved with this request. Approve this one alone.');
  const missing = allowed.pin.filter((path) => !alike.pin.includes(path));
  if (missing.length > 0) return refusals.alikeNotAllowed(`Policy wants ${missing.join(', ')} pinned in a pattern.`);
  if (alike.uses > allowed.max_uses) return refusals.alikeNotAllowed(`Policy lets a pattern be used ${allowed.max_uses} times at most.`);
  return alike.ttl_seconds > allowed.max_ttl_seconds
    ? refusals.alikeNotAllowed(`Policy lets a pattern last ${allowed.max_ttl_seconds} seconds at most.`)
    : null;
}
