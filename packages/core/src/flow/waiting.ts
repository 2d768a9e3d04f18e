import { entriesOf, linkOf } from '../decision/index.js';
import { isApprover, mayVeto } from '../policy/quorum.js';
import type { Person, RequestState } from '../ports.js';

/**
 * Whether a request waits for this person among others: pending, asked of a group that the person is in (or lent, where its policy has stand-ins)
 * by what has escalated by now, not behind it, and not decided by them already.
 */
export function isNeeded(state: RequestState, person: Person): boolean {
  const { requirement, created_at, chain, status } = state.request;
  if (status !== 'pending' || requirement === null || !person.active || hasDecided(state, person) || linkOf(chain, person) !== null) return false;
  const groups = requirement.delegation === undefined ? person.groups : [...person.groups, ...(person.lent ?? [])];
  return isApprover(requirement, groups, (Date.parse(state.read_at) - Date.parse(created_at)) / 1000) || mayVeto(requirement, person.groups);
}

/** Whether the human decided it, by whatever entry, or somebody in their stead. */
export function hasDecided({ decisions }: RequestState, person: Person): boolean {
  const own = entriesOf(person);
  return decisions.some(({ person: { id }, delegate_for }) => own.includes(id) || (delegate_for !== undefined && own.includes(delegate_for.id)));
}
