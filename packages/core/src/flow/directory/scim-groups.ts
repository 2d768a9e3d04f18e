import { foldRef } from '../../decision/index.js';
import type { GroupEntry } from '../../ports.js';
import { newUuid } from '../../request/index.js';
import { isStronger } from './entries.js';
import { planOf } from './plan.js';
import type { DirectoryWorld, ScimClient } from './scim-users.js';

export type ScimGroupOutcome =
  | { kind: 'done'; group: GroupEntry }
  | { kind: 'unknown' }
  | { kind: 'stale' }
  /** A stronger source, or another group of SCIM's, has the name. */
  | { kind: 'taken' }
  /** Members that are no SCIM users. */
  | { kind: 'strangers'; ids: string[] }
  | { kind: 'refused'; refusal: unknown };

export interface ScimGroupDraft {
  name: string;
  external_id: string | null;
  /** Everybody; an id twice counts once. */
  members: readonly string[];
}

/** A new group. One that sign-in claims made gives way. */
export function createScimGroup(world: DirectoryWorld, client: ScimClient, draft: ScimGroupDraft): Promise<ScimGroupOutcome> {
  const { tenant } = client;
  const members = [...new Set(draft.members)].toSorted();
  return world.directory.change<ScimGroupOutcome>(tenant, { groups: [draft.name], scim_ids: members }, async (now) => {
    const at = world.clock.now();
    const there = now.groups.find(({ name }) => foldRef(name) === foldRef(draft.name));
    if (there !== undefined && !isStronger('scim', there.source)) return { result: { kind: 'taken' } };
    const known = new Set(now.scim_ids);
    const strangers = members.filter((id) => !known.has(id));
    if (strangers.length > 0) return { result: { kind: 'strangers', ids: strangers } };
    const entry = there ?? { id: newUuid(at, world.entropy.bytes(10)), revision: 0, created_at: at, updated_at: at };
    const group: GroupEntry = { ...entry, name: draft.name, source: 'scim', external_id: draft.external_id, members };
    return planOf<ScimGroupOutcome>(
      world,
      tenant,
      at,
      causeOf(client),
      now,
      { groups: [group] },
      { kind: 'done', group: { ...group, revision: group.revision + 1 } },
    );
  });
}

/** Changes a group of SCIM's by PUT or PATCH: `edit` gets it as it is. A group that the file has taken over is unknown here. */
export function changeScimGroup(
  world: DirectoryWorld,
  client: ScimClient,
  id: string,
  ifMatch: number | null,
  edit: (group: GroupEntry) => { ok: true; draft: ScimGroupDraft } | { ok: false; refusal: unknown },
): Promise<ScimGroupOutcome> {
  const { tenant } = client;
  return world.directory.change<ScimGroupOutcome>(tenant, { group_ids: [id] }, async (now, look) => {
    const at = world.clock.now();
    const group = now.groups.find((candidate) => candidate.id === id && candidate.source === 'scim');
    if (group === undefined) return { result: { kind: 'unknown' } };
    if (ifMatch !== null && ifMatch !== group.revision) return { result: { kind: 'stale' } };
    const edited = edit(group);
    if (!edited.ok) return { result: { kind: 'refused', refusal: edited.refusal } };
    const { draft } = edited;
    const was = new Set(group.members);
    const members = [...new Set(draft.members)].toSorted();
    const added = members.filter((member) => !was.has(member));
    const more = await look({ groups: [draft.name], scim_ids: added });
    if (more.groups.some((other) => other.id !== id && foldRef(other.name) === foldRef(draft.name))) return { result: { kind: 'taken' } };
    const known = new Set(more.scim_ids);
    const strangers = added.filter((member) => !known.has(member));
    if (strangers.length > 0) return { result: { kind: 'strangers', ids: strangers } };
    const next: GroupEntry = { ...group, name: draft.name, external_id: draft.external_id, members };
    const plan = await planOf<ScimGroupOutcome>(world, tenant, at, causeOf(client), now, { groups: [next] }, { kind: 'done', group: next });
    return { ...plan, result: { kind: 'done', group: plan.groups?.[0] ?? group } };
  });
}

export function deleteScimGroup(world: DirectoryWorld, client: ScimClient, id: string, ifMatch: number | null): Promise<ScimGroupOutcome> {
  return world.directory.change<ScimGroupOutcome>(client.tenant, { group_ids: [id] }, async (now) => {
    const group = now.groups.find((candidate) => candidate.id === id && candidate.source === 'scim');
    if (group === undefined) return { result: { kind: 'unknown' } };
    if (ifMatch !== null && ifMatch !== group.revision) return { result: { kind: 'stale' } };
    return planOf<ScimGroupOutcome>(world, client.tenant, world.clock.now(), causeOf(client), now, { removed_groups: [group] }, { kind: 'done', group });
  });
}

const causeOf = ({ token_id }: ScimClient) => ({ via: 'scim' as const, by: token_id });
