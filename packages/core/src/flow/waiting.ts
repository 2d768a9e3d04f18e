import { progressOf } from '../card/index.js';
import { entriesOf, linkOf } from '../decision/index.js';
import { neededGroups } from '../policy/quorum.js';
import type { Person, RequestState } from '../ports.js';

/**
 * Whether a request waits for this person among others: pending, asked of a group that the person is in (or lent, where its policy has stand-ins)
 * by the stage that is open and what has escalated by now, not behind it, and not decided by them already.
 */
export function isNeeded(state: RequestState, person: Person): boolean {
  const { requirement, chain, status } = state.request;
  const current = progressOf(state);
  if (status !== 'pending' || requirement === null || current === null || !person.active) return false;
  if (hasDecided(state, person) || linkOf(chain, person) !== null) return false;
  const groups = requirement.delegation === undefined ? person.groups : [...person.groups, ...(person.lent ?? [])];
  return neededGroups(current).some((group) => groups.includes(group));
}

/** Whether the human decided it, by whatever entry, or somebody in their stead. */
export function hasDecided({ decisions }: RequestState, person: Person): boolean {
  const own = entriesOf(person);
  return decisions.some(({ person: { id }, delegate_for }) => own.includes(id) || (delegate_for !== undefined && own.includes(delegate_for.id)));
}
