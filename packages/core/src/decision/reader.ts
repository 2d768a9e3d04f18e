import type { Requirement } from '@countersign/contracts';
import { isNamed } from '../policy/quorum.js';
import type { Person, RequestState } from '../ports.js';
import { namedIn } from './chain.js';

/** Whether a person may see the request: those that they stand behind, may decide or decided; auditors and administrators all. */
export function personMayRead(person: Person, { request, decisions }: Pick<RequestState, 'request' | 'decisions'>): boolean {
  return (
    readsAll(person) ||
    namedIn(request.chain, person) ||
    decisions.some((decision) => decision.person.id === person.id || decision.delegate_for?.id === person.id) ||
    (request.requirement !== null && isNamed(request.requirement, actingGroups(request.requirement, person)))
  );
}

/** Whether a person's roles let them read everything of their tenant: requests (masked) and ledger entries. */
export function readsAll(person: Pick<Person, 'roles'>): boolean {
  return person.roles.includes('auditor') || person.roles.includes('administrator');
}

/** The person's own groups, and those that absent people lend where the request's policy lets anybody stand in. */
function actingGroups({ delegation }: Requirement, { groups, lent = [] }: Person): string[] {
  return delegation?.within === 'anyone' ? [...groups, ...lent] : groups;
}
