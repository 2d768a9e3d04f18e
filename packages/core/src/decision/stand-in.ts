import type { Requirement } from '@countersign/contracts';
import type { ChainLink, DecidingContext, DecisionRecord, DelegationRecord, Person } from '../ports.js';
import { entriesOf, linkNow } from './chain.js';
import { type Refusal, refusals } from './refusal.js';

/** The groups that an absent person lends to the stand-in, for one request. */
export interface Loan {
  absent: Person;
  groups: string[];
}

/**
 * Whether somebody may decide in an absent person's stead now: policy allows stand-ins for this request, the absent person named
 * them for this time, neither stands behind the request, and nobody has decided for the absent person yet. Never deeper than one:
 * who is away does not stand in for others.
 *
 * @param delegations those in force now that name the decider, as stand-in or as absent
 */
export function loanOf(
  requirement: Requirement,
  request: { chain: readonly ChainLink[]; decisions: readonly DecisionRecord[]; today?: DecidingContext['today'] | undefined },
  decider: Person,
  absent: Person | undefined,
  delegations: readonly DelegationRecord[],
): Loan | Refusal {
  const { delegation } = requirement;
  if (delegation === undefined) return refusals.notADelegate('Policy has no stand-ins for this request: who is away has to decide themselves.');
  if (absent === undefined || entriesOf(decider).includes(absent.id)) return refusals.notADelegate('Nobody stands in for themselves. Decide in your own name.');
  const own = delegations.find(({ person_id, delegate_id }) => entriesOf(absent).includes(person_id) && delegate_id === decider.id);
  if (own === undefined) return refusals.notADelegate(`${absent.name} has not named you as stand-in for this time.`);
  if (!absent.active) return refusals.notADelegate(`${absent.name} is not active in the directory any more.`);
  if (delegations.some(({ person_id }) => entriesOf(decider).includes(person_id)))
    return refusals.notADelegate('You are away yourself, as you said. Who is away does not stand in for others.');
  if ((Date.parse(own.until) - Date.parse(own.from)) / 1000 > delegation.max_seconds)
    return refusals.notADelegate(`${absent.name} is away for longer than policy lets anybody stand in for this request.`);
  const link = linkNow({ request, today: request.today }, absent);
  if (link !== null) return refusals.selfApproval(link, absent.name);
  const decided = request.decisions.find(({ person, delegate_for }) =>
    [person.id, delegate_for?.id].some((id) => id !== undefined && entriesOf(absent).includes(id)),
  );
  if (decided !== undefined)
    return refusals.notADelegate(
      `${decided.person.name} has decided for ${absent.name} already (${decided.verdict}). One person decides once, also through others.`,
    );
  return { absent, groups: lentGroups(requirement, absent, decider) };
}

/** The groups that count for a decision in somebody's stead, as both are in the directory now. */
export function lentGroups(requirement: Requirement, absent: Person, decider: Person): string[] {
  if (requirement.delegation === undefined || !absent.active) return [];
  return requirement.delegation.within === 'anyone' ? absent.groups : absent.groups.filter((group) => decider.groups.includes(group));
}
