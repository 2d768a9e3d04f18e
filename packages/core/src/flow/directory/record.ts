import { canonicalJson, digestOf, type Instant } from '../../request/index.js';
import type { AgentEntry, Clock, DirectorySource, Entropy, GroupEntry, LeafRecord, PersonEntry, Sealer } from '../../ports.js';
import { loneLeaf } from '../lone-leaf.js';
import { personState } from './entries.js';

/** What recording a change of the directory needs. */
export interface RecordWorld {
  sealer: Sealer;
  entropy: Entropy;
  clock: Clock;
}

/** By which road a change came, and who asked for it: a person's id, a SCIM token's, a file's name. */
export interface Cause {
  via: DirectorySource;
  by: string;
}

export interface Changes {
  people: { before: PersonEntry | null; after: PersonEntry }[];
  groups: { before: GroupEntry | null; after: GroupEntry }[];
  removed_groups?: GroupEntry[];
  agents: { before: AgentEntry | null; after: AgentEntry }[];
  removed_agents?: AgentEntry[];
}

/** What changed of what, with its next revision; what is as it was is left out, unless it was never recorded. */
export function changed(at: string, { people, groups, removed_groups = [], agents, removed_agents = [] }: Changes): Required<Changes> {
  const differs = <Entry extends { revision: number }>(before: Entry | null, after: Entry, of: (entry: Entry) => object): boolean =>
    before === null || before.revision === 0 || canonicalJson(of(before)) !== canonicalJson(of(after));
  const next = <Entry extends { revision: number; updated_at: string }>({ before, after }: { before: Entry | null; after: Entry }) => ({
    before,
    after: { ...after, revision: (before?.revision ?? 0) + 1, updated_at: at },
  });
  return {
    people: people.filter(({ before, after }) => differs(before, after, personState)).map(next),
    groups: groups.filter(({ before, after }) => differs(before, after, groupState)).map(next),
    removed_groups,
    agents: agents.filter(({ before, after }) => differs(before, after, agentState)).map(next),
    removed_agents,
  };
}

/** One leaf for each person, group and agent that changed: the whole of what it is now; of a group's members, who came and who went. */
export async function leavesOf(world: RecordWorld, tenant: string, at: Instant, cause: Cause, changes: Required<Changes>): Promise<LeafRecord[]> {
  const { via, by } = cause;
  const leaves: LeafRecord[] = [];
  for (const { after } of changes.people) {
    const facts = { via, active: after.active, revision: after.revision };
    leaves.push(await loneLeaf(world, { tenant, event: 'person.changed', subject: after.id, at, facts, details: { by, ...personState(after) } }));
  }
  for (const { before, after } of changes.groups) {
    const facts = { via, size: after.members.length, revision: after.revision };
    leaves.push(await loneLeaf(world, { tenant, event: 'group.changed', subject: after.id, at, facts, details: { by, ...groupDetails(before, after) } }));
  }
  for (const group of changes.removed_groups) {
    const facts = { via, size: 0, revision: group.revision + 1, removed: true };
    leaves.push(
      await loneLeaf(world, {
        tenant,
        event: 'group.changed',
        subject: group.id,
        at,
        facts,
        details: { by, ...groupDetails(group, { ...group, members: [] }) },
      }),
    );
  }
  for (const { after } of changes.agents) {
    const facts = { via, active: after.active, revision: after.revision };
    leaves.push(await loneLeaf(world, { tenant, event: 'agent.changed', subject: agentSubject(after.id), at, facts, details: { by, ...agentState(after) } }));
  }
  for (const agent of changes.removed_agents) {
    const facts = { via, active: false, revision: agent.revision + 1, removed: true };
    leaves.push(await loneLeaf(world, { tenant, event: 'agent.changed', subject: agentSubject(agent.id), at, facts, details: { by, ...agentState(agent) } }));
  }
  return leaves;
}

/** An agent's id is its own text: it must not be taken for the id of a request. */
export const agentSubject = (id: string): string => `agent:${id}`;

function groupState({ id, name, source, external_id, members }: GroupEntry) {
  return { id, name, source, external_id, members: members.toSorted() };
}

function groupDetails(before: GroupEntry | null, after: GroupEntry) {
  const [was, is] = [new Set(before === null || before.revision === 0 ? [] : before.members), new Set(after.members)];
  const { name, source, external_id } = after;
  return {
    ...{ name, source, external_id },
    added: after.members.filter((id) => !was.has(id)).toSorted(),
    removed: [...was].filter((id) => !is.has(id)).toSorted(),
    members_digest: membersDigest(after.members),
  };
}

/** Of who is in a group, whatever their order. */
export function membersDigest(members: readonly string[]): string {
  return digestOf(members.toSorted());
}

/** What of an agent is recorded, and compared by the auditor. */
export function agentState({ id, owner, owner_group, active, actions, purposes, risk, source }: AgentEntry) {
  return { id, owner, owner_group, active, actions, purposes, risk, source };
}
