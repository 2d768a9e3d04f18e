import { readFile } from 'node:fs/promises';
import { idSchema } from '@countersign/contracts';
import type { ChatAccount, DirectorySnapshot, Person } from '@countersign/core/ports';
import { foldRef } from '@countersign/core/decision';
import { newId } from '@countersign/core/request';
import { isMap, isNode, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { z } from 'zod';
import { expandGroups } from './directory-groups.js';
import { IdentityError } from './errors.js';
import { hashOf } from './secret-token.js';

/** What is wrong with a directory file, and where: `path` names the member, `people[2].email`. */
export interface DirectoryProblem {
  file: string;
  line: number;
  path: string;
  message: string;
}

export type DirectoryRead =
  | {
      ok: true;
      directory: DirectoryFile;
      /** The line on which a member stands, or the innermost one around it that does: `people[2].email`. */
      lineOf(path: string): number;
    }
  | { ok: false; problems: DirectoryProblem[] };

const roleSchema = z.enum(['administrator', 'auditor', 'operator']);
const nameSchema = z.string().trim().min(1).max(200);
const groupSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'letters, digits and . _ - only');

const slackSchema = z
  .strictObject({
    team: z
      .string()
      .regex(/^T[A-Z0-9]+$/, 'a Slack team id begins with T')
      .optional(),
    enterprise: z
      .string()
      .regex(/^E[A-Z0-9]+$/, 'a Slack enterprise id begins with E')
      .optional(),
    user: z.string().regex(/^[UW][A-Z0-9]+$/, 'a Slack user id begins with U or W'),
  })
  .refine(({ team, enterprise }) => (team === undefined) !== (enterprise === undefined), 'name either team or enterprise');
const teamsSchema = z.strictObject({ tenant: z.guid().toLowerCase(), user: z.guid().toLowerCase() });

const personSchema = z.strictObject({
  id: idSchema('per').optional(),
  email: z.email().max(320),
  name: nameSchema,
  active: z.boolean().default(true),
  roles: z.array(roleSchema).default([]),
  groups: z.array(groupSchema).default([]),
  accounts: z.strictObject({ slack: slackSchema.optional(), teams: teamsSchema.optional() }).default({}),
  /** Other addresses of the person's: whoever is named by one of them is this person. */
  aliases: z.array(z.email().max(320)).max(50).default([]),
  /** Addresses or ids of other entries that are the same human; saying it once is enough. */
  same_human_as: z.array(z.string().min(1).max(320)).max(50).default([]),
  /** Which subjects of identity providers sign this person in, where that is said here and not found out at the first sign-in. */
  oidc: z
    .array(z.strictObject({ issuer: z.url().max(500), subject: z.string().min(1).max(255) }))
    .max(20)
    .default([]),
});

const memberGroupSchema = z.strictObject({
  name: groupSchema,
  /** Addresses or ids of people; `groups` of a person says the same. */
  members: z.array(z.string().min(1).max(320)).default([]),
  /** Groups all of whose members are in this one. */
  groups: z.array(groupSchema).default([]),
});

const patternsSchema = z.array(z.string().min(1).max(256)).max(200);
const agentSchema = z.strictObject({
  id: z.string().min(1).max(256),
  owner: z.string().min(1).max(320).optional(),
  owner_group: groupSchema.optional(),
  active: z.boolean().default(true),
  /** Actions and purposes that it may ask for and name; an entry may end in `*`. Absent: whatever its caller may. */
  actions: patternsSchema.optional(),
  purposes: patternsSchema.optional(),
  risk: z.enum(['low', 'medium', 'high', 'critical']).optional(),
});

const directorySchema = z.strictObject({
  people: z.array(personSchema).min(1),
  groups: z.array(memberGroupSchema).default([]),
  agents: z.array(agentSchema).default([]),
});

/** A directory file as read: people by e-mail address, agents with the address of their owner. */
export type DirectoryFile = z.infer<typeof directorySchema>;

/**
 * Reads the file (COUNTERSIGN_DIRECTORY).
 * @throws IdentityError `directory_unreadable`, or `directory_invalid` with every problem in its message.
 */
export async function readDirectoryFile(path: string): Promise<DirectoryFile> {
  const read = readDirectory(path, await directoryText(path));
  if (read.ok) return read.directory;
  throw directoryInvalid(read.problems);
}

/** The file's text. @throws IdentityError `directory_unreadable` */
export async function directoryText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new IdentityError('directory_unreadable', `The directory ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** Every problem in one error, each with its place. */
export function directoryInvalid(problems: readonly DirectoryProblem[]): IdentityError {
  const lines = problems.map(({ file, line, path: where, message }) => `${file}:${line}: ${where === '' ? '' : `${where}: `}${message}`);
  return new IdentityError('directory_invalid', `The directory cannot be used:\n${lines.join('\n')}`);
}

/** Reads a directory's text, YAML or JSON (which YAML 1.2 contains). One person has one e-mail address and one account per place. */
export function readDirectory(file: string, text: string): DirectoryRead {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    uniqueKeys: true,
    stringKeys: true,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'error',
  });
  const problems: DirectoryProblem[] = [];
  const at = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const refuse = (path: readonly PropertyKey[], message: string): void => {
    problems.push({ file, line: at(offsetOf(document, path)), path: written(path), message });
  };
  for (const fault of [...document.errors, ...document.warnings]) problems.push({ file, line: at(fault.pos[0]), path: '', message: fault.message });
  visit(document, {
    Alias: (_key, node) =>
      void problems.push({ file, line: at(node.range?.[0] ?? 0), path: '', message: 'aliases (*name) are not read here: write the value out' }),
  });
  if (problems.length > 0) return { ok: false, problems };
  const parsed = directorySchema.safeParse(document.toJS());
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      if (issue.code === 'unrecognized_keys') for (const key of issue.keys) refuse([...issue.path, key], 'is no member of a directory');
      else refuse(issue.path, issue.message);
    }
    return { ok: false, problems };
  }
  checkUnique(parsed.data, refuse);
  return problems.length === 0 ? { ok: true, directory: parsed.data, lineOf: (path) => at(offsetOf(document, tokensOf(path))) } : { ok: false, problems };
}

/**
 * What the store shall hold after the file was read. A person's id is the file's where it gives one (`id: per_…`), which
 * lets an e-mail address change; else the one that the directory already has for the address; else one that is computed
 * from the tenant and the address, so that replicas which read a new file at once agree.
 *
 * @param known everybody the directory has, inactive people included; of two with one address the active one counts
 */
export function snapshotOf(tenant: string, file: DirectoryFile, known: readonly Pick<Person, 'id' | 'email' | 'active'>[]): DirectorySnapshot {
  const knownIds = new Map(known.toSorted((a, b) => Number(a.active) - Number(b.active)).map((person) => [fold(person.email), person.id]));
  const people = file.people.map((person) => ({
    id: person.id ?? knownIds.get(fold(person.email)) ?? computedId(tenant, person.email),
    email: person.email,
    name: person.name,
    active: person.active,
    roles: person.roles,
    accounts: accountsOf(person),
    groups: person.groups,
    aliases: person.aliases,
    same_human_as: person.same_human_as,
    identities: person.oidc,
  }));
  const ids = new Map(people.flatMap(({ id, email }) => [[fold(email), id] as const, [id, id] as const]));
  const idOf = (ref: string): string[] => [ids.get(fold(ref)) ?? []].flat();
  const direct = new Map<string, string[]>();
  const join = (group: string, members: string[]): void => void direct.set(group, [...(direct.get(group) ?? []), ...members]);
  for (const { id, groups } of people) for (const group of groups) join(group, [id]);
  for (const { name, members } of file.groups) join(name, members.flatMap(idOf));
  const expanded = expandGroups(file.groups, direct);
  return {
    people: people.map(({ groups: _groups, aliases, same_human_as, identities, ...person }) => ({
      ...person,
      ...(aliases.length === 0 ? {} : { aliases }),
      ...(same_human_as.length === 0 ? {} : { same_human_as: same_human_as.flatMap(idOf) }),
      ...(identities.length === 0 ? {} : { identities }),
    })),
    // A file with a cycle is refused when it is read.
    groups: 'cycle' in expanded ? [] : [...expanded.groups].map(([name, members]) => ({ name, members: [...new Set(members)] })),
    agents: file.agents.map(({ owner, ...agent }) => ({
      ...withoutAbsent(agent),
      owner: owner === undefined ? null : (ids.get(fold(owner)) ?? null),
    })),
  };
}

/** The members that are given. */
function withoutAbsent({ id, active, owner_group, actions, purposes, risk }: Omit<DirectoryFile['agents'][number], 'owner'>) {
  return {
    ...{ id, active },
    ...(owner_group === undefined ? {} : { owner_group }),
    ...(actions === undefined ? {} : { actions }),
    ...(purposes === undefined ? {} : { purposes }),
    ...(risk === undefined ? {} : { risk }),
  };
}

function checkUnique(directory: DirectoryFile, refuse: (path: readonly PropertyKey[], message: string) => void): void {
  const seen = new Map<string, string>();
  const once = (key: string, path: readonly PropertyKey[], what: string): void => {
    const first = seen.get(key);
    if (first === undefined) seen.set(key, written(path));
    else refuse(path, `${what} stands already at ${first}`);
  };
  directory.people.forEach((person, index) => {
    once(`email ${fold(person.email)}`, ['people', index, 'email'], 'this e-mail address');
    if (person.id !== undefined) once(`id ${person.id}`, ['people', index, 'id'], 'this id');
    person.aliases.forEach((alias, place) => once(`email ${fold(alias)}`, ['people', index, 'aliases', place], 'this e-mail address'));
    person.oidc.forEach((identity, place) =>
      once(`oidc ${JSON.stringify([identity.issuer, identity.subject])}`, ['people', index, 'oidc', place], 'this OIDC subject'),
    );
    for (const account of accountsOf(person)) {
      once(`account ${JSON.stringify(account)}`, ['people', index, 'accounts', account.platform], `this ${account.platform} account`);
    }
  });
  const known = new Set(directory.people.flatMap(({ id, email }) => [fold(email), ...(id === undefined ? [] : [id])]));
  const groups = new Set([...directory.people.flatMap((person) => person.groups), ...directory.groups.map(({ name }) => name)]);
  const spellings = new Map<string, string>();
  for (const group of groups) {
    const other = spellings.get(fold(group));
    if (other === undefined) spellings.set(fold(group), group);
    else refuse(['people'], `the groups ${other} and ${group} differ in case alone`);
  }
  directory.people.forEach((person, index) =>
    person.same_human_as.forEach((ref, place) => {
      if (!known.has(fold(ref))) refuse(['people', index, 'same_human_as', place], 'is nobody of people');
    }),
  );
  directory.groups.forEach((group, index) => {
    once(`group ${fold(group.name)}`, ['groups', index, 'name'], 'this group');
    group.members.forEach((ref, place) => {
      if (!known.has(fold(ref))) refuse(['groups', index, 'members', place], 'is nobody of people');
    });
    group.groups.forEach((name, place) => {
      if (!groups.has(name)) refuse(['groups', index, 'groups', place], 'is no group of this directory');
    });
  });
  const expanded = expandGroups(directory.groups, new Map());
  if ('cycle' in expanded) {
    const at = directory.groups.findIndex(({ name }) => name === expanded.cycle[0]);
    refuse(['groups', at, 'groups'], `goes round in a circle: ${expanded.cycle.join(' in ')}`);
  }
  directory.agents.forEach((agent, index) => {
    once(`agent ${fold(agent.id)}`, ['agents', index, 'id'], 'this agent');
    if (agent.owner !== undefined && !known.has(fold(agent.owner))) refuse(['agents', index, 'owner'], 'the owner is nobody of people');
    if (agent.owner_group !== undefined && !groups.has(agent.owner_group)) refuse(['agents', index, 'owner_group'], 'is no group of this directory');
  });
}

function accountsOf({ accounts: { slack, teams } }: DirectoryFile['people'][number]): ChatAccount[] {
  const workspace = slack?.team ?? slack?.enterprise;
  return [
    ...(slack === undefined || workspace === undefined ? [] : [{ platform: 'slack' as const, workspace, user: slack.user }]),
    ...(teams === undefined ? [] : [{ platform: 'teams' as const, workspace: teams.tenant, user: teams.user }]),
  ];
}

/** A UUIDv7 whose time is 0 and whose rest is a hash: no two tenants or addresses share it, and nobody reads a date from it. */
function computedId(tenant: string, email: string): string {
  return newId('per', 0, hashOf(JSON.stringify(['countersign/person', tenant, fold(email)])).subarray(0, 10));
}

/** E-mail addresses are compared without case, as every mail system in use does. */
const fold = foldRef;

function written(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, token) => (typeof token === 'number' ? `${text}[${token}]` : text === '' ? String(token) : `${text}.${String(token)}`), '');
}

/** `people[2].email` as its tokens. */
const tokensOf = (path: string): PropertyKey[] => [...path.matchAll(/([^.[\]]+)/g)].map(([token]) => (/^\d+$/.test(token) ? Number(token) : token));

/** Where the member stands, or the innermost one around it that exists. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const around = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    if (isMap(around)) {
      const key = around.items.find((pair) => isNode(pair.key) && String(pair.key) === String(last))?.key;
      if (isNode(key)) return key.range?.[0] ?? 0;
    }
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node)) return node.range?.[0] ?? 0;
  }
  return 0;
}
