import { foldRef } from '../../decision/index.js';
import type {
  AccountLink,
  AgentEntry,
  DirectoryNow,
  DirectoryPlan,
  DirectorySnapshot,
  DirectoryStore,
  GroupEntry,
  IdentityClaim,
  PersonEntry,
} from '../../ports.js';
import { newUuid } from '../../request/index.js';
import { loneLeaf } from '../lone-leaf.js';
import { newEntry, saidActive, spokenOf } from './entries.js';
import { joinHumans, withAddresses } from './humans.js';
import { changed, type Changes, leavesOf, type RecordWorld } from './record.js';

/** What keeps a file from being put in force; `path` is of the file: `people[2].email`. */
export interface LoadProblem {
  path: string;
  message: string;
}

export type LoadOutcome = { kind: 'loaded'; changed: number; people: number; groups: number; agents: number } | { kind: 'conflict'; problems: LoadProblem[] };

/**
 * Puts what a file says in force, all of it or nothing: who is not in it any more becomes inactive unless another source speaks of them.
 * What the file says wins over every other source. Records each entry that changed, and that there was a change.
 *
 * @param by where it was read from
 */
export function loadDirectory(
  world: RecordWorld & { directory: Pick<DirectoryStore, 'change'> },
  tenant: string,
  snapshot: DirectorySnapshot,
  by: string,
): Promise<LoadOutcome> {
  return world.directory.change<LoadOutcome>(tenant, { all: true }, async (now) => {
    const at = world.clock.now();
    const problems = conflicts(snapshot, now);
    if (problems.length > 0) return { result: { kind: 'conflict', problems } };
    const planned = planLoad(snapshot, now, { at, newId: () => newUuid(at, world.entropy.bytes(10)) });
    const { changes, ...plan } = planned;
    const count = changes.people.length + changes.groups.length + changes.removed_groups.length + changes.agents.length;
    const result: LoadOutcome = {
      kind: 'loaded',
      changed: count,
      people: snapshot.people.length,
      groups: snapshot.groups.length,
      agents: snapshot.agents.length,
    };
    if (count === 0) return { ...plan, result };
    const { people, groups, agents } = result;
    const loaded = await loneLeaf(world, {
      tenant,
      event: 'directory.loaded',
      subject: 'directory',
      at,
      facts: { people, groups, agents, changed: count },
      details: { by },
    });
    return { ...plan, result, leaves: [loaded, ...(await leavesOf(world, tenant, at, { via: 'file', by }, changes))] };
  });
}

/** What becomes of the directory by a file, as rows; no conflict stands in its way. */
export function planLoad(
  snapshot: DirectorySnapshot,
  now: DirectoryNow,
  { at, newId }: { at: string; newId: () => string },
): Omit<DirectoryPlan<null>, 'result'> & { changes: Required<Changes> } {
  const before = new Map(now.people.map((person) => [person.id, person]));
  const said = new Map(snapshot.people.map((person) => [person.id, person]));
  const people = joinHumans([
    ...now.people.filter(({ id }) => !said.has(id)).map((person) => (person.sources.includes('file') ? unsaid(person) : person)),
    ...snapshot.people.map(({ id, email, name, active, roles, aliases = [], same_human_as = [] }): PersonEntry => {
      const known = before.get(id) ?? newEntry(id, 'file', at);
      const spoken = saidActive(spokenOf({ ...known, deleted_at: null }, 'file', true), 'file', active);
      return { ...withAddresses(spoken, email, aliases), name, roles: [...roles], same_human_as: [...same_human_as] };
    }),
  ]);
  const groupsBefore = new Map(now.groups.map((group) => [foldRef(group.name), group]));
  const groups = snapshot.groups.map(({ name, members }): GroupEntry => {
    const known = groupsBefore.get(foldRef(name));
    const entry = known ?? { id: newId(), external_id: null, revision: 0, created_at: at, updated_at: at };
    return { ...entry, name, source: 'file', members: [...new Set(members)].toSorted() };
  });
  const named = new Set(snapshot.groups.map(({ name }) => foldRef(name)));
  const agentsBefore = new Map(now.agents.map((agent) => [agent.id, agent]));
  const agentsSaid = new Set(snapshot.agents.map(({ id }) => id));
  const agents = [
    ...now.agents.filter(({ id, source }) => source === 'file' && !agentsSaid.has(id)).map((agent) => ({ ...agent, active: false })),
    ...snapshot.agents.map(({ id, owner, owner_group = null, active, actions = null, purposes = null, risk = null }): AgentEntry => ({
      ...{ id, owner, owner_group, active, actions, purposes, risk, source: 'file' },
      revision: agentsBefore.get(id)?.revision ?? 0,
      updated_at: at,
    })),
  ];
  const changes = changed(at, {
    people: people.map((after) => ({ before: before.get(after.id) ?? null, after })),
    groups: groups.map((after) => ({ before: groupsBefore.get(foldRef(after.name)) ?? null, after })),
    removed_groups: now.groups.filter(({ name, source }) => source === 'file' && !named.has(foldRef(name))),
    agents: agents.map((after) => ({ before: agentsBefore.get(after.id) ?? null, after })),
  });
  return {
    changes,
    people: changes.people.map(({ after }) => after),
    groups: changes.groups.map(({ after }) => after),
    renamed: changes.groups.flatMap(({ before: was, after }) => (was === null || was.name === after.name ? [] : [{ from: was.name, to: after.name }])),
    removed_groups: changes.removed_groups.map(({ name }) => name),
    agents: changes.agents.map(({ after }) => after),
    file_links: snapshot.people.flatMap(({ id, accounts }) => accounts.map((account): AccountLink => ({ ...account, person_id: id, how: 'directory' }))),
    file_identities: snapshot.people.flatMap(({ id, identities = [] }) =>
      identities.map((identity): IdentityClaim => ({ ...identity, person_id: id, how: 'directory' })),
    ),
    ended: changes.people.flatMap(({ before: was, after }) => (was?.active === true && !after.active ? [after.id] : [])),
  };
}

/** Who is in the file no more: without its roles, and inactive unless another source knows them. */
function unsaid(person: PersonEntry): PersonEntry {
  const spoken = spokenOf(person, 'file', false);
  return saidActive({ ...spoken, roles: [] }, 'file', spoken.sources.length > 0);
}

/** What the file claims and somebody else has, whom the file does not speak of. */
export function conflicts(snapshot: DirectorySnapshot, now: DirectoryNow): LoadProblem[] {
  const said = new Set(snapshot.people.map(({ id }) => id));
  const living = new Map(
    now.people.filter(({ active, id, sources }) => active && !said.has(id) && sources.some((source) => source !== 'file')).map((person) => [person.id, person]),
  );
  const byAddress = new Map([...living.values()].map((person) => [foldRef(person.email), person]));
  const active = new Set(now.people.filter((person) => person.active).map(({ id }) => id));
  const accounts = new Map(now.links.filter(({ how }) => how !== 'directory').map((link) => [accountKey(link), link.person_id]));
  const identities = new Map(now.identities.filter(({ how }) => how !== 'directory').map((claim) => [identityKey(claim), claim.person_id]));
  return snapshot.people.flatMap((person, index): LoadProblem[] => {
    const owner = byAddress.get(foldRef(person.email));
    const taken = (holder: string | undefined): boolean => holder !== undefined && holder !== person.id && active.has(holder);
    return [
      ...(owner === undefined
        ? []
        : [{ path: `people[${index}].email`, message: `this e-mail address is that of ${owner.id}, whom ${owner.source} speaks of: give this entry that id` }]),
      ...person.accounts
        .filter((account) => taken(accounts.get(accountKey(account))))
        .map((account) => ({
          path: `people[${index}].accounts.${account.platform}`,
          message: `this ${account.platform} account is linked to ${accounts.get(accountKey(account))}: cut that link first`,
        })),
      ...(person.identities ?? [])
        .filter((identity) => taken(identities.get(identityKey(identity))))
        .map((identity) => ({ path: `people[${index}].oidc`, message: `this OIDC subject signs ${identities.get(identityKey(identity))} in: cut that first` })),
    ];
  });
}

const accountKey = ({ platform, workspace, user }: Pick<AccountLink, 'platform' | 'workspace' | 'user'>): string => JSON.stringify([platform, workspace, user]);
const identityKey = ({ issuer, subject }: Pick<IdentityClaim, 'issuer' | 'subject'>): string => JSON.stringify([issuer, subject]);
