import type { AuthenticatedPerson } from '@countersign/identity';
import { personMayRead, readsAll } from '@countersign/core/decision';
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
  return personMayRead(reader.person, { request, decisions });
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
  return readsAll(person);
}

/** Whether a person may change what all of the tenant depend on: an administrator, by a session or a token that says so. */
export function administers({ person, scopes }: AuthenticatedPerson): boolean {
  return person.roles.includes('administrator') && scopes.includes('admin');
}
