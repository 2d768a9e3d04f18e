import type { JsonObject, JsonValue } from '@countersign/contracts';
import type { ScimUserDraft } from '@countersign/core/flow';
import type { ScimUser } from '@countersign/core/ports';
import { type Attributes, truthOf } from './filter.js';
import { member, needSchema, objectOf, textOf } from './read-values.js';
import { bad } from './scim-error.js';
import { ENTERPRISE, USER } from './schema-names.js';

/** Addresses at most. */
const MOST_EMAILS = 20;

/** A user as SCIM writes it; `groups` are those of SCIM that it is in. */
export function userResource(user: ScimUser, groups: readonly { id: string; name: string }[], base: string): JsonObject {
  const { id, user_name, external_id, given_name, family_name, formatted, display_name, title, user_type, department, emails, active } = user;
  const name = present({ formatted, givenName: given_name, familyName: family_name });
  return {
    schemas: [USER, ...(department === null ? [] : [ENTERPRISE])],
    id,
    ...present({ externalId: external_id }),
    userName: user_name,
    ...(Object.keys(name).length === 0 ? {} : { name }),
    ...present({ displayName: display_name, title, userType: user_type }),
    ...(emails.length === 0 ? {} : { emails: emails.map((email) => ({ ...email })) }),
    active,
    ...(groups.length === 0 ? {} : { groups: groups.map((group) => ({ value: group.id, display: group.name, $ref: `${base}/Groups/${group.id}` })) }),
    ...(department === null ? {} : { [ENTERPRISE]: { department } }),
    meta: {
      resourceType: 'User',
      created: user.created_at,
      lastModified: user.updated_at,
      version: versionOf(user.revision),
      location: `${base}/Users/${id}`,
    },
  };
}

/** The weak entity tag of a revision. */
export const versionOf = (revision: number): string => `W/"${revision}"`;

function present(members: { [name: string]: string | null }): { [name: string]: string } {
  return Object.fromEntries(Object.entries(members).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])));
}

/**
 * A user from the body of POST or PUT. What it does not say of `active` stays: of a new user true, else as it was. Names of the standard that are not
 * kept, and names that nobody knows, are passed over here (RFC 7644, section 3.3).
 * Throws ScimError.
 */
export function readUser(body: JsonValue | undefined, before: ScimUser | null): ScimUserDraft {
  const it = objectOf(body, 'The body');
  needSchema(it, USER);
  const name = member(it, 'name');
  const names = name === undefined || name === null ? {} : objectOf(name, 'name');
  const extension = member(it, ENTERPRISE);
  const enterprise = extension === undefined || extension === null ? {} : objectOf(extension, ENTERPRISE);
  const said = member(it, 'active');
  return {
    user_name: userNameOf(member(it, 'userName')),
    external_id: textOf(member(it, 'externalId'), 'externalId'),
    formatted: textOf(member(names, 'formatted'), 'name.formatted'),
    given_name: textOf(member(names, 'givenName'), 'name.givenName'),
    family_name: textOf(member(names, 'familyName'), 'name.familyName'),
    display_name: textOf(member(it, 'displayName'), 'displayName'),
    title: textOf(member(it, 'title'), 'title'),
    user_type: textOf(member(it, 'userType'), 'userType'),
    department: textOf(member(enterprise, 'department'), 'department'),
    emails: emailsOf(member(it, 'emails')),
    active: said === undefined ? (before?.active ?? true) : activeOf(said),
  };
}

export function userNameOf(value: JsonValue | undefined): string {
  const text = textOf(value, 'userName')?.trim();
  if (text === undefined || text === '') throw bad('invalidValue', 'userName is required.');
  return text;
}

/** What is no truth value neither activates nor deactivates: it is refused. */
export function activeOf(value: JsonValue | undefined): boolean {
  const truth = truthOf(Array.isArray(value) && value.length === 1 ? value[0] : value);
  if (truth === null) throw bad('invalidValue', 'active must be true or false.');
  return truth;
}

export function emailsOf(value: JsonValue | undefined): ScimUser['emails'] {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  if (list.length > MOST_EMAILS) throw bad('tooMany', `A user has at most ${MOST_EMAILS} e-mail addresses.`);
  return onePrimary(list.map(emailOf));
}

export function emailOf(value: JsonValue): ScimUser['emails'][number] {
  const it = typeof value === 'string' ? { value } : objectOf(value, 'An e-mail address');
  const address = textOf(member(it, 'value'), 'emails.value');
  if (address === null || !/^[^\s@]+@[^\s@]+$/.test(address)) throw bad('invalidValue', 'emails.value must be an e-mail address.');
  const type = textOf(member(it, 'type'), 'emails.type', 64);
  const said = member(it, 'primary');
  const primary = said === undefined || said === null ? null : truthOf(said);
  if (said !== undefined && said !== null && primary === null) throw bad('invalidValue', 'emails.primary must be true or false.');
  return { value: address, ...(type === null ? {} : { type }), ...(primary === null ? {} : { primary }) };
}

/** At most one is the primary one (RFC 7643, section 2.4); the last that was said to be. */
export function onePrimary(emails: ScimUser['emails']): ScimUser['emails'] {
  const last = emails.findLastIndex(({ primary }) => primary === true);
  return emails.map((email, index) => (email.primary === true && index !== last ? { ...email, primary: false } : email));
}

/** A user as filters see it. */
export function userAttributes(user: ScimUser, groups: readonly { id: string; name: string }[] = []): Attributes {
  return {
    id: user.id,
    externalid: user.external_id,
    username: user.user_name,
    displayname: user.display_name,
    title: user.title,
    usertype: user.user_type,
    department: user.department,
    active: user.active,
    name: { formatted: user.formatted, givenname: user.given_name, familyname: user.family_name },
    emails: user.emails.map((email) => ({ ...email })),
    groups: groups.map((group) => ({ value: group.id, display: group.name })),
    meta: { resourcetype: 'User', created: user.created_at, lastmodified: user.updated_at, version: versionOf(user.revision) },
  };
}

export const USER_FILTERS: ReadonlySet<string> = new Set([
  ...['id', 'externalid', 'username', 'displayname', 'title', 'usertype', 'department', 'active', 'emails', 'groups'],
  ...['name.formatted', 'name.givenname', 'name.familyname', 'meta.resourcetype', 'meta.created', 'meta.lastmodified', 'meta.version'],
]);

/** Compared by case (RFC 7643, caseExact). */
export const EXACT: ReadonlySet<string> = new Set(['id', 'externalid', 'meta.resourcetype', 'meta.version', 'members.value', 'groups.value', 'groups']);
