import type { Requirement } from '@countersign/contracts';
import type { AlikeTerms, DecisionRecord } from '../ports.js';
import { type Refusal, refusals } from './refusal.js';

/**
 * Whether an approval may approve a narrowed pattern besides, on these terms: policy's pins are among them, its bounds hold, and everybody
 * who approved before wanted a pattern that is no narrower. Where two have to approve, one alone does not let others pass unasked.
 */
export function alikeRefusal(requirement: Requirement, alike: AlikeTerms, decisions: readonly DecisionRecord[]): Refusal | null {
  const allowed = requirement.alike;
  if (allowed === undefined) return refusals.alikeNotAllowed('Policy does not let a pattern be approved with this request. Approve this one alone.');
  const missing = allowed.pin.filter((path) => !alike.pin.includes(path));
  if (missing.length > 0) return refusals.alikeNotAllowed(`Policy wants ${missing.join(', ')} pinned in a pattern.`);
  if (alike.uses > allowed.max_uses) return refusals.alikeNotAllowed(`Policy lets a pattern be used ${allowed.max_uses} times at most.`);
  if (alike.ttl_seconds > allowed.max_ttl_seconds) return refusals.alikeNotAllowed(`Policy lets a pattern last ${allowed.max_ttl_seconds} seconds at most.`);
  const other = decisions.find((decision) => decision.verdict === 'approve' && !isWithin(alike, decision.alike));
  return other === undefined
    ? null
    : refusals.alikeNotAllowed(`${other.person.name} has approved this request without such a pattern, or with a narrower one. Approve this one alone.`);
}

function isWithin(alike: AlikeTerms, wanted: AlikeTerms | undefined): boolean {
  return wanted !== undefined && alike.uses <= wanted.uses && alike.ttl_seconds <= wanted.ttl_seconds && wanted.pin.every((path) => alike.pin.includes(path));
}
