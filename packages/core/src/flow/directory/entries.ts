import { foldRef } from '../../decision/index.js';
import type { DirectorySource, PersonEntry } from '../../ports.js';

/** Who says what the directory knows; the earlier ones are the stronger. */
const STRENGTH: readonly DirectorySource[] = ['file', 'scim', 'oidc', 'api'];

/** Whether what one source says gives way to another. */
export function isStronger(a: DirectorySource, b: DirectorySource): boolean {
  return STRENGTH.indexOf(a) < STRENGTH.indexOf(b);
}

/** The entry with a source that speaks of it, or speaks no more. `source` becomes the strongest; of whom nobody speaks, the last that did. */
export function spokenOf(person: PersonEntry, source: DirectorySource, speaks: boolean): PersonEntry {
  const others = person.sources.filter((other) => other !== source);
  const sources = speaks ? STRENGTH.filter((one) => one === source || others.includes(one)) : others;
  return { ...person, sources, source: STRENGTH.find((one) => sources.includes(one)) ?? person.source };
}

/** The entry with one source's word on whether it is active: every one of them can deactivate, and each takes back only its own word. */
export function saidActive(person: PersonEntry, source: DirectorySource, active: boolean): PersonEntry {
  const others = person.inactive_by.filter((other) => other !== source);
  const inactive_by = active ? others : STRENGTH.filter((one) => one === source || others.includes(one));
  return { ...person, inactive_by, active: inactive_by.length === 0 && person.sources.length > 0 && person.deleted_at === null };
}

/** Names that stand for roles where a group is named; no source can make a group of one. */
export function isReserved(group: string): boolean {
  return foldRef(group).startsWith('role:');
}

/** An entry that nobody has recorded yet. */
export function newEntry(id: string, source: DirectorySource, at: string): PersonEntry {
  return {
    id,
    email: '',
    name: '',
    active: true,
    roles: [],
    source,
    sources: [source],
    inactive_by: [],
    aliases: [],
    former: [],
    same_human_as: [],
    mailboxes: [],
    human: id,
    revision: 0,
    created_at: at,
    updated_at: at,
    deleted_at: null,
  };
}

/** What of an entry is recorded, and compared by the auditor. Instants are the leaf's own. */
export function personState(person: PersonEntry) {
  const { id, email, name, active, roles, source, sources, inactive_by, aliases, former, same_human_as, human, deleted_at } = person;
  return { id, email, name, active, roles, source, sources, inactive_by, aliases, former, same_human_as, human, deleted: deleted_at !== null };
}
