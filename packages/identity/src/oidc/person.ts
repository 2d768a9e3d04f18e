import { createFromClaims, loneLeaf } from '@countersign/core/flow';
import type { ChatLinkStore, Clock, DirectoryStore, Entropy, IdentityLink, IdentityStore, Person, Sealer } from '@countersign/core/ports';
import type { Identified } from './claims.js';

/** Why a person that the provider knows is nobody here. */
export type PersonRefusal = 'nobody' | 'inactive' | 'ambiguous' | 'identity_conflict' | 'identity_cut';

export interface FoundPerson {
  kind: 'person';
  person: Person;
}

export interface PersonWorld {
  identities: Pick<IdentityStore, 'identity' | 'linkIdentity' | 'usedIdentity'>;
  chatLinks: Pick<ChatLinkStore, 'account'>;
  directory: DirectoryStore;
  clock: Clock;
  entropy: Entropy;
  sealer: Sealer;
}

/**
 * The person of a subject. Who was linked stays linked, whatever the address says today. A first sign-in links by what the directory names
 * (the subject, or the Entra account that it gives for Teams), else by a verified address that exactly one active entry has, and only where
 * that entry has no subject at the issuer yet: an address that was given on leads nowhere.
 */
export async function personOfSubject(world: PersonWorld, tenant: string, who: Identified, options: { jit: boolean }): Promise<FoundPerson | PersonRefusal> {
  const link = await world.identities.identity(tenant, who.issuer, who.subject);
  if (link !== null && link.cut_at === null) {
    const person = await world.directory.person(tenant, link.person_id);
    if (person === null || !person.active) return 'inactive';
    await world.identities.usedIdentity(tenant, who.issuer, who.subject);
    return { kind: 'person', person };
  }
  const named = await namedByDirectory(world, tenant, who);
  if (named !== null) return named.active ? linkTo(world, tenant, who, named, 'directory') : 'inactive';
  if (link !== null) return 'identity_cut';
  const { email } = who;
  if (email === null) return 'nobody';
  const entries = (await world.directory.people(tenant, [email])).filter((person) => person.email.toLowerCase() === email);
  const active = entries.filter((person) => person.active);
  const [only, another] = active;
  if (another !== undefined) return 'ambiguous';
  if (only !== undefined) return linkTo(world, tenant, who, only, 'email');
  if (entries.length > 0) return 'inactive';
  return options.jit ? create(world, tenant, who, email) : 'nobody';
}

/** A Teams account that the directory or an administrator gave to a person is the Entra object of the same tenant. */
async function namedByDirectory(world: PersonWorld, tenant: string, who: Identified): Promise<Person | null> {
  const { teams } = who.accounts;
  if (teams === null) return null;
  const found = await world.chatLinks.account({ tenant, platform: 'teams', workspace: teams.tenant, user: teams.user });
  return found !== null && (found.link.how === 'directory' || found.link.how === 'administrator') ? found.person : null;
}

async function linkTo(
  world: PersonWorld,
  tenant: string,
  who: Identified,
  person: Person,
  how: 'directory' | 'email' | 'jit',
): Promise<FoundPerson | PersonRefusal> {
  const { link, leaf } = await linkOf(world, tenant, who, person.id, how);
  if ((await world.identities.linkIdentity(link, leaf)) === 'linked') return { kind: 'person', person };
  // Two sign-ins of the same subject at once: the other one linked it.
  const now = await world.identities.identity(tenant, who.issuer, who.subject);
  return now !== null && now.cut_at === null && now.person_id === person.id ? { kind: 'person', person } : 'identity_conflict';
}

/** Made first and linked then: where the link does not come about, the next sign-in finds the entry by its address. */
async function create(world: PersonWorld, tenant: string, who: Identified, email: string): Promise<FoundPerson | PersonRefusal> {
  const name = (who.name ?? email).trim().slice(0, 200) || email;
  const made = await createFromClaims(world, tenant, who.issuer, { email, name, groups: who.groups });
  if (made.kind === 'taken') return 'identity_conflict';
  const person = await world.directory.person(tenant, made.person_id);
  return person === null ? 'nobody' : linkTo(world, tenant, who, person, 'jit');
}

async function linkOf(world: PersonWorld, tenant: string, who: Identified, person_id: string, how: IdentityLink['how']) {
  const at = world.clock.now();
  const link: IdentityLink = { tenant, issuer: who.issuer, subject: who.subject, person_id, how, linked_at: at, last_used_at: at, cut_at: null };
  const leaf = await loneLeaf(world, {
    tenant,
    event: 'account.linked',
    subject: person_id,
    at,
    facts: { kind: 'identity', how },
    details: { person: person_id, issuer: who.issuer, subject: who.subject },
  });
  return { link, leaf };
}
