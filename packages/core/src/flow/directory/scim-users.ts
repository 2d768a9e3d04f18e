import { foldRef, mailboxOf } from '../../decision/index.js';
import type { DirectoryLook, DirectoryNow, DirectoryPlan, DirectoryStore, PersonEntry, ScimUser } from '../../ports.js';
import { type Instant, newId } from '../../request/index.js';
import { newEntry, saidActive, spokenOf } from './entries.js';
import { withAddresses } from './humans.js';
import { planOf } from './plan.js';
import type { RecordWorld } from './record.js';

export type DirectoryWorld = RecordWorld & { directory: Pick<DirectoryStore, 'change' | 'look'> };

/** What a SCIM client says of a user. */
export type ScimUserDraft = Omit<ScimUser, 'id' | 'revision' | 'created_at' | 'updated_at' | 'deleted_at'>;

export type ScimUserOutcome =
  | { kind: 'done'; user: ScimUser }
  | { kind: 'unknown' }
  /** If-Match named another version. */
  | { kind: 'stale' }
  /** Another user has the userName, or another entry the address. */
  | { kind: 'taken'; what: 'userName' | 'emails' }
  | { kind: 'refused'; refusal: unknown };

/** A client of the SCIM interface: the token's tenant and id. */
export interface ScimClient {
  tenant: string;
  token_id: string;
}

/**
 * A new user. Where a living entry of another source has the address, SCIM speaks of that one from now on; where nobody living has it, the
 * user is a new person with a new id: nothing of anybody who had the userName or the address before is theirs.
 */
export function createScimUser(world: DirectoryWorld, client: ScimClient, draft: ScimUserDraft): Promise<ScimUserOutcome> {
  const email = addressOf(draft);
  const query = { mailboxes: [email, ...otherAddresses(draft)].map(mailboxOf), user_names: [foldRef(draft.user_name)] };
  return world.directory.change<ScimUserOutcome>(client.tenant, query, async (now) => {
    const at = world.clock.now();
    const taken = takenBy(now, draft, email, null);
    if (taken !== null) return { result: { kind: 'taken', what: taken } };
    const joined = livingWith(now, email);
    const id = joined?.id ?? newId('per', at, world.entropy.bytes(10));
    const gone = now.scim_users.find((user) => user.id === id);
    const user: ScimUser = { ...draft, id, revision: (gone?.revision ?? 0) + 1, created_at: at, updated_at: at, deleted_at: null };
    const person = personOf(joined ?? newEntry(id, 'scim', at), user);
    return planOf<ScimUserOutcome>(world, client.tenant, at, causeOf(client), now, { people: [person], scim_users: [user] }, { kind: 'done', user });
  });
}

/**
 * Changes a user, by PUT or PATCH: `edit` gets the user as it is. The person's chat accounts, sign-in identities and tokens stay the
 * person's, whatever address or userName it has from now on.
 */
export function changeScimUser(
  world: DirectoryWorld,
  client: ScimClient,
  id: string,
  ifMatch: number | null,
  edit: (user: ScimUser) => { ok: true; draft: ScimUserDraft } | { ok: false; refusal: unknown },
): Promise<ScimUserOutcome> {
  return editUser(world, client, id, ifMatch, async (user, at, look) => {
    const edited = edit(user);
    if (!edited.ok) return { result: { kind: 'refused', refusal: edited.refusal } };
    const { draft } = edited;
    const email = addressOf(draft);
    // Whom the new names belong to was not asked for at first: look again, under the same lock.
    const now = await look({ people: [id], mailboxes: [email, ...otherAddresses(draft)].map(mailboxOf), user_names: [foldRef(draft.user_name)] });
    const taken = takenBy(now, draft, email, id);
    if (taken !== null) return { result: { kind: 'taken', what: taken } };
    const person = now.people.find((entry) => entry.id === id);
    if (person === undefined) return { result: { kind: 'unknown' } };
    const next: ScimUser = { ...user, ...draft, revision: user.revision + 1, updated_at: at };
    return planOf<ScimUserOutcome>(
      world,
      client.tenant,
      at,
      causeOf(client),
      now,
      { people: [personOf(person, next)], scim_users: [next] },
      { kind: 'done', user: next },
    );
  });
}

/** Takes a user out. A person of whom nobody else speaks stays as a tombstone; whoever else speaks of it, it is not active while SCIM says so. */
export function deleteScimUser(world: DirectoryWorld, client: ScimClient, id: string, ifMatch: number | null): Promise<ScimUserOutcome> {
  return editUser(world, client, id, ifMatch, async (user, at, look) => {
    const now = await look({ people: [id], groups_of_people: true });
    const person = now.people.find((entry) => entry.id === id);
    if (person === undefined) return { result: { kind: 'unknown' } };
    const next: ScimUser = { ...user, active: false, revision: user.revision + 1, updated_at: at, deleted_at: at };
    const alone = person.sources.every((source) => source === 'scim');
    const gone = alone ? { ...spokenOf(person, 'scim', false), roles: [], deleted_at: at } : person;
    const groups = now.groups.filter(({ source, members }) => source !== 'file' && members.includes(id));
    const wanted = {
      people: [saidActive(gone, 'scim', false)],
      scim_users: [next],
      groups: groups.map((group) => ({ ...group, members: group.members.filter((member) => member !== id) })),
    };
    return planOf<ScimUserOutcome>(world, client.tenant, at, causeOf(client), now, wanted, { kind: 'done', user: next });
  });
}

function editUser(
  world: DirectoryWorld,
  { tenant }: ScimClient,
  id: string,
  ifMatch: number | null,
  plan: (user: ScimUser, at: Instant, look: DirectoryLook) => Promise<DirectoryPlan<ScimUserOutcome>>,
): Promise<ScimUserOutcome> {
  return world.directory.change<ScimUserOutcome>(tenant, { people: [id] }, async (now, look) => {
    const user = now.scim_users.find((candidate) => candidate.id === id && candidate.deleted_at === null);
    if (user === undefined) return { result: { kind: 'unknown' } };
    if (ifMatch !== null && ifMatch !== user.revision) return { result: { kind: 'stale' } };
    return plan(user, world.clock.now(), look);
  });
}

/** The address that the directory knows the user by: the work or primary one, else the first, else a userName that is one. */
export function addressOf({ emails, user_name }: Pick<ScimUserDraft, 'emails' | 'user_name'>): string {
  const chosen = emails.find(({ primary }) => primary === true) ?? emails.find(({ type }) => type?.toLowerCase() === 'work') ?? emails[0];
  return chosen?.value ?? user_name;
}

function nameOf({ display_name, formatted, given_name, family_name, user_name }: ScimUserDraft): string {
  const parts = [given_name, family_name].filter((part) => part !== null && part !== '').join(' ');
  return [display_name, formatted, parts, user_name].find((name) => name !== null && name !== '') ?? user_name;
}

/** What else the user is called: whoever is named by any of these is this human. */
function otherAddresses(user: Pick<ScimUserDraft, 'emails' | 'user_name'>): string[] {
  const known = foldRef(addressOf(user));
  const others = [...user.emails.map(({ value }) => value), user.user_name].filter((name) => name.includes('@') && foldRef(name) !== known);
  return [...new Map(others.map((name) => [foldRef(name), name])).values()];
}

/** The person as SCIM's word changes it: addresses and name only where no stronger source speaks. */
function personOf(person: PersonEntry, user: ScimUser): PersonEntry {
  const spoken = spokenOf(person, 'scim', true);
  const owned = spoken.source === 'scim' ? { ...withAddresses(spoken, addressOf(user), otherAddresses(user)), name: nameOf(user) } : spoken;
  return saidActive(owned, 'scim', user.active);
}

function livingWith(now: DirectoryNow, email: string): PersonEntry | undefined {
  return now.people.find((person) => person.deleted_at === null && person.sources.length > 0 && foldRef(person.email) === foldRef(email));
}

function takenBy(now: DirectoryNow, draft: ScimUserDraft, email: string, id: string | null): 'userName' | 'emails' | null {
  const users = now.scim_users.filter((user) => user.deleted_at === null && user.id !== id);
  if (users.some((user) => foldRef(user.user_name) === foldRef(draft.user_name))) return 'userName';
  const holder = livingWith({ ...now, people: now.people.filter((person) => person.id !== id) }, email);
  if (holder === undefined) return null;
  // A new user may be an entry that others made; one that is there already is not another.
  return id !== null || users.some((user) => user.id === holder.id) ? 'emails' : null;
}

const causeOf = ({ token_id }: ScimClient) => ({ via: 'scim' as const, by: token_id });
