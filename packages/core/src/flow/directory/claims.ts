import { foldRef, mailboxOf } from '../../decision/index.js';
import type { DirectoryNow, GroupEntry, PersonEntry, SignInClaims } from '../../ports.js';
import { type Instant, newId, newUuid } from '../../request/index.js';
import { isReserved, newEntry, saidActive, spokenOf } from './entries.js';
import { withAddresses } from './humans.js';
import { planOf } from './plan.js';
import type { DirectoryWorld } from './scim-users.js';

export type CreateFromClaimsOutcome =
  | { kind: 'created'; person_id: string }
  /** Somebody living has the address: a sign-in identity has to be linked to that entry, not a new one made. */
  | { kind: 'taken'; person_id: string };

/**
 * What a sign-in said of somebody whom the directory knows. Address and name change where nobody stronger speaks of the person; the
 * groups that sign-ins made are set to what it said, and no group of another source ever is. Never activates anybody.
 *
 * @param issuer of the identity provider, for the record
 */
export function applyClaims(world: DirectoryWorld, tenant: string, person_id: string, issuer: string, claims: SignInClaims): Promise<void> {
  const query = { people: [person_id], groups_of_people: true, groups: claims.groups ?? [] };
  return world.directory.change<void>(tenant, query, async (now, look) => {
    const at = world.clock.now();
    const person = now.people.find(({ id }) => id === person_id);
    if (person === undefined || person.deleted_at !== null) return { result: undefined };
    const holders = await look({ mailboxes: [mailboxOf(claims.email)] });
    const people = person.source === 'oidc' ? [owned(person, claims, holders)] : [];
    return planOf<void>(world, tenant, at, { via: 'oidc', by: issuer }, now, { people, groups: groupsOf(world, at, person_id, claims.groups, now) }, undefined);
  });
}

/** A new person, just in time: for whoever signs in and is unknown, where that is configured. */
export function createFromClaims(world: DirectoryWorld, tenant: string, issuer: string, claims: SignInClaims): Promise<CreateFromClaimsOutcome> {
  const query = { mailboxes: [mailboxOf(claims.email)], groups: claims.groups ?? [] };
  return world.directory.change<CreateFromClaimsOutcome>(tenant, query, async (now) => {
    const at = world.clock.now();
    const holder = livingWith(now, claims.email);
    if (holder !== undefined) return { result: { kind: 'taken', person_id: holder.id } };
    const id = newId('per', at, world.entropy.bytes(10));
    const person = saidActive({ ...withAddresses(newEntry(id, 'oidc', at), claims.email), name: claims.name }, 'oidc', true);
    const wanted = { people: [spokenOf(person, 'oidc', true)], groups: groupsOf(world, at, id, claims.groups, now) };
    return planOf<CreateFromClaimsOutcome>(world, tenant, at, { via: 'oidc', by: issuer }, now, wanted, { kind: 'created', person_id: id });
  });
}

/** An address that somebody else living has stays theirs. */
function owned(person: PersonEntry, claims: SignInClaims, holders: DirectoryNow): PersonEntry {
  const holder = livingWith(holders, claims.email);
  return { ...(holder === undefined || holder.id === person.id ? withAddresses(person, claims.email) : person), name: claims.name };
}

function livingWith(now: DirectoryNow, email: string): PersonEntry | undefined {
  return now.people.find((person) => person.deleted_at === null && person.sources.length > 0 && foldRef(person.email) === foldRef(email));
}

/** Groups of sign-ins as they shall be: with the person where the claims name them, without where they do not. */
function groupsOf(world: DirectoryWorld, at: Instant, id: string, named: string[] | null, now: DirectoryNow): GroupEntry[] {
  if (named === null) return [];
  const wanted = new Map(named.filter((name) => name !== '' && name.length <= 128 && !isReserved(name)).map((name) => [foldRef(name), name]));
  const kept = now.groups
    .filter(({ source }) => source === 'oidc')
    .map((group) => ({
      ...group,
      members: wanted.has(foldRef(group.name)) ? [...new Set([...group.members, id])].toSorted() : group.members.filter((member) => member !== id),
    }));
  const known = new Set(now.groups.map(({ name }) => foldRef(name)));
  const made = [...wanted]
    .filter(([folded]) => !known.has(folded))
    .map(([, name]): GroupEntry => ({
      ...{ id: newUuid(at, world.entropy.bytes(10)), name, source: 'oidc', external_id: null, members: [id] },
      ...{ revision: 0, created_at: at, updated_at: at },
    }));
  return [...kept, ...made];
}
