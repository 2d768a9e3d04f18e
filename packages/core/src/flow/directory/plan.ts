import type { AgentEntry, DirectoryNow, DirectoryPlan, GroupEntry, PersonEntry, ScimUser } from '../../ports.js';
import type { Instant } from '../../request/index.js';
import { joinHumans } from './humans.js';
import { type Cause, changed, leavesOf, type RecordWorld } from './record.js';

/** What a change of some entries wants: the entries as they shall be. */
export interface Wanted {
  people?: PersonEntry[];
  groups?: GroupEntry[];
  removed_groups?: GroupEntry[];
  agents?: AgentEntry[];
  removed_agents?: AgentEntry[];
  scim_users?: ScimUser[];
}

/**
 * The plan of a change: humans joined anew among all who were found, each entry that differs with its next revision and its leaf, and the
 * credentials of whoever stops being active ended.
 */
export async function planOf<Result>(
  world: RecordWorld,
  tenant: string,
  at: Instant,
  cause: Cause,
  now: DirectoryNow,
  wanted: Wanted,
  result: Result,
): Promise<DirectoryPlan<Result>> {
  const before = new Map(now.people.map((person) => [person.id, person]));
  const after = new Map([...now.people, ...(wanted.people ?? [])].map((person) => [person.id, person]));
  const groupsBefore = new Map(now.groups.map((group) => [group.id, group]));
  const agentsBefore = new Map(now.agents.map((agent) => [agent.id, agent]));
  const changes = changed(at, {
    people: joinHumans([...after.values()]).map((person) => ({ before: before.get(person.id) ?? null, after: person })),
    groups: (wanted.groups ?? []).map((group) => ({ before: groupsBefore.get(group.id) ?? null, after: group })),
    removed_groups: wanted.removed_groups ?? [],
    agents: (wanted.agents ?? []).map((agent) => ({ before: agentsBefore.get(agent.id) ?? null, after: agent })),
    removed_agents: wanted.removed_agents ?? [],
  });
  return {
    result,
    people: changes.people.map((change) => change.after),
    groups: changes.groups.map((change) => change.after),
    renamed: changes.groups.flatMap(({ before: was, after: is }) => (was === null || was.name === is.name ? [] : [{ from: was.name, to: is.name }])),
    removed_groups: changes.removed_groups.map(({ name }) => name),
    agents: changes.agents.map((change) => change.after),
    removed_agents: changes.removed_agents.map(({ id }) => id),
    ...(wanted.scim_users === undefined ? {} : { scim_users: wanted.scim_users }),
    ended: changes.people.flatMap(({ before: was, after: is }) => (was?.active === true && !is.active ? [is.id] : [])),
    leaves: await leavesOf(world, tenant, at, cause, changes),
  };
}
