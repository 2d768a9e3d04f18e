import type { AuthenticatedPerson } from '@countersign/identity';
import type { Requirement } from '@countersign/contracts';
import { namedIn } from '@countersign/core/decision';
import { isNamed } from '@countersign/core/policy';
import type { Caller, Person, RequestFilter, RequestState } from '@countersign/core/ports';

/** Who reads: a caller by its key, or a person by a credential of their own. */
export type Reader = { kind: 'caller'; tenant: string; caller: Caller } | AuthenticatedPerson;

/**
 * Whether the reader may see the request: a caller its own; a person those that they stand behind, may decide or decided;
 * auditors and administrators all of their tenant. Whoever may not is told that there is none.
 */
export function mayRead(reader: Reader, { request, decisions }: RequestState): boolean {
  if (request.tenant !== reader.tenant) return false;
  if (reader.kind === 'caller') return request.requester.id === reader.caller.key_id;
  const { person } = reader;
  return (
    seesAll(person) ||
    namedIn(request.chain, person) ||
    decisions.some((decision) => decision.person.id === person.id || decision.delegate_for?.id === person.id) ||
    (request.requirement !== null && isNamed(request.requirement, actingGroups(request.requirement, person)))
  );
}

/** The person's own groups, and those that absent people lend where the request's policy lets anybody stand in. */
function actingGroups({ delegation }: Requirement, { groups, lent = [] }: Person): string[] {
  return delegation?.within === 'anyone' ? [...groups, ...lent] : groups;
}

/** The same rule for lists, which the store applies. */
export function readerFilter(reader: Reader): RequestFilter['reader'] {
  if (reader.kind === 'caller') return { kind: 'caller', key_id: reader.caller.key_id };
  const { person } = reader;
  return seesAll(person) ? { kind: 'all' } : { kind: 'person', person_id: person.id, groups: person.groups, lent: person.lent ?? [] };
}

/** Who runs the service looks at endpoints and deliveries; operators too, for there is no payload in them. */
export function seesOperations(person: Person): boolean {
  return seesAll(person) || person.roles.includes('operator');
}

/** Whether a person's roles let them read everything of their tenant: requests (masked) and ledger entries. */
export function seesAll(person: Person): boolean {
  return person.roles.includes('auditor') || person.roles.includes('administrator');
}

/** Whether a person may change what all of the tenant depend on: an administrator, by a session or a token that says so. */
export function administers({ person, scopes }: AuthenticatedPerson): boolean {
  return person.roles.includes('administrator') && scopes.includes('admin');
}
