import type { Requirement } from '@countersign/contracts';
import type { CountedApproval } from '../policy/quorum.js';
import type { DecisionRecord, Person } from '../ports.js';
import { humanOf } from './chain.js';
import { lentGroups } from './stand-in.js';

/**
 * Approvals that fill places now: of people who are active still, for groups that they were in then and are in now, or that somebody
 * lent them then and could now. What came by break-glass fills none.
 */
export function countedApprovals(requirement: Requirement, decisions: readonly DecisionRecord[], people: readonly Person[]): CountedApproval[] {
  const personOf = (id: string): Person | undefined => people.find((candidate) => candidate.id === id && candidate.active);
  return decisions.flatMap((decision) => {
    const person = personOf(decision.person.id);
    if (decision.verdict !== 'approve' || decision.break_glass === true || person === undefined) return [];
    const absent = decision.delegate_for === undefined ? undefined : personOf(decision.delegate_for.id);
    const groups = decision.delegate_for === undefined ? person.groups : absent === undefined ? [] : lentGroups(requirement, absent, person);
    return [{ person_id: humanOf(person), groups: decision.groups.filter((group) => groups.includes(group)) }];
  });
}

/** How many people of the group have broken the glass, of those who are active and in it now. */
export function brokenBy(group: string, decisions: readonly DecisionRecord[], people: readonly Person[]): string[] {
  return decisions.flatMap(({ person, verdict, break_glass }) => {
    const now = people.find((candidate) => candidate.id === person.id && candidate.active);
    return verdict === 'approve' && break_glass === true && now?.groups.includes(group) === true ? [humanOf(now)] : [];
  });
}
