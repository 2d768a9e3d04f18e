import type { JsonObject, JsonValue } from '@countersign/contracts';
import { isReserved, type ScimGroupDraft } from '@countersign/core/flow';
import type { GroupEntry } from '@countersign/core/ports';
import { type Attributes, matches } from './filter.js';
import { patchSteps, type PatchStep } from './patch.js';
import { lowerOf, member, needSchema, objectOf, textOf } from './read-values.js';
import { bad } from './scim-error.js';
import { GROUP } from './schema-names.js';
import { EXACT, versionOf } from './user-resource.js';

export function groupResource(group: GroupEntry, base: string): JsonObject {
  const { id, name, external_id, members } = group;
  return {
    schemas: [GROUP],
    id,
    ...(external_id === null ? {} : { externalId: external_id }),
    displayName: name,
    members: members.map((value) => ({ value, type: 'User', $ref: `${base}/Users/${value}` })),
    meta: {
      resourceType: 'Group',
      created: group.created_at,
      lastModified: group.updated_at,
      version: versionOf(group.revision),
      location: `${base}/Groups/${id}`,
    },
  };
}

/** A group from the body of POST or PUT. Throws ScimError. */
export function readGroup(body: JsonValue | undefined): ScimGroupDraft {
  const it = objectOf(body, 'The body');
  needSchema(it, GROUP);
  return {
    name: groupNameOf(member(it, 'displayName')),
    external_id: textOf(member(it, 'externalId'), 'externalId'),
    members: membersOf(member(it, 'members')),
  };
}

/** A group after a PATCH. A step that cannot be done refuses all of them. Throws ScimError. */
export function patchGroup(group: GroupEntry, body: JsonValue | undefined): ScimGroupDraft {
  const { name, external_id } = group;
  const members = new Set(group.members);
  let draft = { name, external_id };
  for (const step of patchSteps(body)) draft = change(draft, members, step);
  return { ...draft, members: [...members] };
}

function change(draft: { name: string; external_id: string | null }, members: Set<string>, { op, path, value }: PatchStep): typeof draft {
  const { attribute, filter, sub } = path;
  switch (attribute) {
    case 'displayname':
      if (op === 'remove' || filter !== null || sub !== null) throw bad('mutability', 'displayName cannot be taken away.');
      return { ...draft, name: groupNameOf(value) };
    case 'externalid':
      if (filter !== null || sub !== null) break;
      return { ...draft, external_id: op === 'remove' ? null : textOf(value, 'externalId') };
    case 'members': {
      if (sub !== null && sub !== 'value') break;
      if (op === 'remove') {
        // With a value those alone go; without one and without a filter, everybody.
        const gone = value === undefined || value === null ? null : new Set(membersOf(value));
        for (const id of members)
          if ((filter === null || matches(filter, { value: id } satisfies Attributes, EXACT)) && (gone === null || gone.has(id))) members.delete(id);
        return draft;
      }
      if (filter !== null) throw bad('noTarget', 'Members are added by their value, not by a filter.');
      if (op === 'replace') members.clear();
      for (const id of membersOf(value)) members.add(id);
      return draft;
    }
    case 'id':
    case 'meta':
    case 'schemas':
      throw bad('mutability', `${attribute} cannot be changed.`);
  }
  throw bad('invalidPath', `There is no attribute ${attribute.slice(0, 100)} here.`);
}

/** A name that the policy can name: what groupNameSchema of the contracts takes. */
function groupNameOf(value: JsonValue | undefined): string {
  const text = textOf(value, 'displayName', 128)?.trim();
  if (text === undefined || text === '') throw bad('invalidValue', 'displayName is required.');
  if (isReserved(text)) throw bad('invalidValue', 'Names that begin with "role:" are not groups.');
  return text;
}

/** Ids of users, as `[{"value": …}]`, one of these, or plain texts. Groups in groups are not taken. */
function membersOf(value: JsonValue | undefined): string[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map((entry) => {
    const it = typeof entry === 'string' ? { value: entry } : objectOf(entry, 'A member');
    if (lowerOf(member(it, 'type')) === 'group') throw bad('invalidValue', 'A member must be a user: groups in groups are resolved by the client.');
    const id = textOf(member(it, 'value'), 'members.value');
    if (id === null) throw bad('invalidValue', 'members.value is required.');
    return id;
  });
}

export function groupAttributes(group: GroupEntry): Attributes {
  return {
    id: group.id,
    externalid: group.external_id,
    displayname: group.name,
    members: group.members.map((value) => ({ value })),
    meta: { resourcetype: 'Group', created: group.created_at, lastmodified: group.updated_at, version: versionOf(group.revision) },
  };
}

export const GROUP_FILTERS: ReadonlySet<string> = new Set([
  ...['id', 'externalid', 'displayname', 'members', 'meta.resourcetype', 'meta.created', 'meta.lastmodified', 'meta.version'],
]);
