import { foldRef } from '../../decision/index.js';
import type { AgentEntry, AgentRisk, PersonRole } from '../../ports.js';
import { saidActive } from './entries.js';
import { planOf } from './plan.js';
import type { DirectoryWorld } from './scim-users.js';

export type AdministrationRefusal =
  | { kind: 'unknown' }
  /** A stronger source says that: it has to be changed there. */
  | { kind: 'owned'; source: 'file' | 'scim' | 'oidc'; what: string }
  /** Nobody would be left who administers. */
  | { kind: 'last_administrator' }
  | { kind: 'no_owner'; what: 'owner' | 'owner_group' };

export type PersonChangeOutcome = { kind: 'changed'; changed: boolean } | AdministrationRefusal;
export type AgentChangeOutcome = { kind: 'changed'; agent: AgentEntry } | AdministrationRefusal;

/** What an administrator says of a person through the API. */
export interface PersonChange {
  /** False is the API's word against the person, whatever other sources say; true takes that word back, and no other source's. */
  active?: boolean | undefined;
  roles?: PersonRole[] | undefined;
}

export function changePerson(world: DirectoryWorld, tenant: string, by: string, id: string, change: PersonChange): Promise<PersonChangeOutcome> {
  return world.directory.change<PersonChangeOutcome>(tenant, { people: [id], administrators: true }, async (now) => {
    const person = now.people.find((candidate) => candidate.id === id);
    if (person === undefined || person.deleted_at !== null) return { result: { kind: 'unknown' } };
    const { active, roles } = change;
    if (roles !== undefined && person.sources.includes('file')) return { result: { kind: 'owned', source: 'file', what: 'roles' } };
    const spoken = active === undefined ? person : saidActive(person, 'api', active);
    const next = roles === undefined ? spoken : { ...spoken, roles: [...new Set(roles)].toSorted() };
    const administers = (who: typeof person): boolean => who.active && who.roles.includes('administrator');
    if (administers(person) && !administers(next) && now.administrators <= 1) return { result: { kind: 'last_administrator' } };
    const plan = await planOf<PersonChangeOutcome>(
      world,
      tenant,
      world.clock.now(),
      { via: 'api', by },
      now,
      { people: [next] },
      { kind: 'changed', changed: true },
    );
    return { ...plan, result: { kind: 'changed', changed: (plan.people ?? []).length > 0 } };
  });
}

export interface AgentBody {
  owner: string | null;
  owner_group: string | null;
  active: boolean;
  actions: string[] | null;
  purposes: string[] | null;
  risk: AgentRisk | null;
}

/** Makes or replaces an agent of the API's. An agent has somebody who answers for it: a person, or a group. */
export function saveAgent(world: DirectoryWorld, tenant: string, by: string, id: string, body: AgentBody): Promise<AgentChangeOutcome> {
  const query = {
    agents: [id],
    ...(body.owner === null ? {} : { people: [body.owner] }),
    ...(body.owner_group === null ? {} : { groups: [body.owner_group] }),
  };
  return world.directory.change<AgentChangeOutcome>(tenant, query, async (now) => {
    const at = world.clock.now();
    const known = now.agents.find((agent) => foldRef(agent.id) === foldRef(id));
    if (known !== undefined && known.source !== 'api') return { result: { kind: 'owned', source: 'file', what: 'the agent' } };
    if (body.owner !== null && !now.people.some((person) => person.id === body.owner && person.deleted_at === null))
      return { result: { kind: 'no_owner', what: 'owner' } };
    const group = now.groups.find(({ name }) => foldRef(name) === foldRef(body.owner_group ?? ''));
    if (body.owner_group !== null && group === undefined) return { result: { kind: 'no_owner', what: 'owner_group' } };
    const agent: AgentEntry = {
      ...body,
      id: known?.id ?? id,
      owner_group: group?.name ?? null,
      source: 'api',
      revision: known?.revision ?? 0,
      updated_at: at,
    };
    const plan = await planOf<AgentChangeOutcome>(world, tenant, at, { via: 'api', by }, now, { agents: [agent] }, { kind: 'changed', agent });
    return { ...plan, result: { kind: 'changed', agent: plan.agents?.[0] ?? known ?? agent } };
  });
}
