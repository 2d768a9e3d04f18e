import type { JsonObject, JsonValue } from '@countersign/contracts';
import { agentState, agentSubject, membersDigest, personState } from '@countersign/core/flow';
import type { Sealer } from '@countersign/core/ports';
import { canonicalJson } from '@countersign/core/request';
import type { AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';
import { loneLeaves } from './lone-leaves.js';
import type { OpenedLeaf } from './request-leaves.js';

export interface DirectoryAudit {
  findings: Finding[];
  rows: { directory_people: number; directory_groups: number; directory_memberships: number; directory_agents: number };
}

/** People, groups and agents against the last that the ledger says of each: whoever was made an approver behind its back is named. */
export async function auditDirectory(snapshot: AuditSnapshot, tenant: string, sealer: Sealer | null): Promise<DirectoryAudit> {
  const now = await snapshot.directory(tenant);
  const { leaves, findings } = await loneLeaves(snapshot, tenant, ['person.changed', 'group.changed', 'agent.changed'], sealer);
  const bySubject = new Map<string, OpenedLeaf[]>();
  for (const leaf of leaves) bySubject.set(leaf.subject, [...(bySubject.get(leaf.subject) ?? []), leaf]);
  for (const said of bySubject.values()) said.sort((a, b) => revisionOf(a) - revisionOf(b));

  for (const person of now.people) {
    const last = bySubject.get(person.id)?.at(-1);
    const facts = { active: person.active, revision: person.revision };
    findings.push(...held('directory_people', person.id, facts, personState(person), last));
  }
  for (const agent of now.agents) {
    const last = bySubject.get(agentSubject(agent.id))?.at(-1);
    findings.push(...held('directory_agents', agent.id, { active: agent.active, revision: agent.revision }, agentState(agent), last));
  }
  let memberships = 0;
  for (const group of now.groups) {
    const { id, name, source, external_id, members, revision } = group;
    memberships += members.length;
    const said = bySubject.get(id) ?? [];
    findings.push(...held('directory_groups', name, { revision }, { name, source, external_id }, said.at(-1)));
    findings.push(...heldMembers(name, members, said));
  }
  for (const name of now.nameless)
    findings.push({ table: 'directory_memberships', row: name, column: 'group_name', problem: 'there is no such group: the ledger never saw it' });
  const there = new Set([...now.people.map(({ id }) => id), ...now.groups.map(({ id }) => id), ...now.agents.map(({ id }) => agentSubject(id))]);
  for (const [subject, said] of bySubject) {
    const last = said.at(-1);
    if (last === undefined || there.has(subject) || last.facts['removed'] === true) continue;
    const table = last.event === 'person.changed' ? 'directory_people' : last.event === 'group.changed' ? 'directory_groups' : 'directory_agents';
    findings.push({ table, row: subject, column: null, problem: `is missing; ${last.place} (${last.event}) speaks of it` });
  }
  return {
    findings,
    rows: { directory_people: now.people.length, directory_groups: now.groups.length, directory_memberships: memberships, directory_agents: now.agents.length },
  };
}

const revisionOf = ({ facts }: OpenedLeaf): number => (typeof facts['revision'] === 'number' ? facts['revision'] : 0);

/** A row against the leaf that spoke of it last. */
export function held(table: string, row: string, facts: JsonObject, state: JsonObject, last: OpenedLeaf | undefined): Finding[] {
  if (last === undefined || last.facts['removed'] === true) return [{ table, row, column: null, problem: 'has no leaf: the ledger never saw it' }];
  const { details } = last;
  const differences = (mine: JsonObject, said: JsonObject): string[] => Object.keys(mine).filter((column) => !same(mine[column], said[column]));
  const columns = new Set([...differences(facts, last.facts), ...(details === null ? [] : differences(state, details))]);
  return [...columns].map((column) => ({ table, row, column, problem: `is not what ${last.place} (${last.event}) says` }));
}

/** Who is in a group against who came and went. */
function heldMembers(name: string, members: readonly string[], said: readonly OpenedLeaf[]): Finding[] {
  const last = said.at(-1);
  if (last === undefined) return [];
  const wrong = (problem: string): Finding[] => [{ table: 'directory_memberships', row: name, column: 'person_id', problem }];
  if (last.details === null)
    return last.facts['size'] === members.length ? [] : wrong(`has ${members.length} members, and ${last.place} says ${JSON.stringify(last.facts['size'])}`);
  if (last.details['members_digest'] === membersDigest(members)) return [];
  const expected = new Set<string>();
  for (const { details } of said) {
    for (const id of textsOf(details?.['removed'])) expected.delete(id);
    for (const id of textsOf(details?.['added'])) expected.add(id);
  }
  const added = members.filter((id) => !expected.has(id));
  const removed = [...expected].filter((id) => !members.includes(id));
  const words = [...(added.length === 0 ? [] : [`${added.join(', ')} came`]), ...(removed.length === 0 ? [] : [`${removed.join(', ')} went`])];
  return wrong(`the ledger does not know that ${words.join(' and ')}: ${last.place} says otherwise`);
}

const textsOf = (value: JsonValue | undefined): string[] => (Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []);

function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return a === undefined || b === undefined ? a === b : canonicalJson(a) === canonicalJson(b);
}
