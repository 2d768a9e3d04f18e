import type { JsonValue } from '@countersign/contracts';
import type { ScimUserDraft } from '@countersign/core/flow';
import type { ScimUser } from '@countersign/core/ports';
import { type Attributes, type Filter, matches } from './filter.js';
import { patchSteps, type PatchStep } from './patch.js';
import { objectOf, textOf, unwrapped } from './read-values.js';
import { bad } from './scim-error.js';
import { FORGOTTEN } from './schema-names.js';
import { activeOf, emailOf, emailsOf, onePrimary, userNameOf } from './user-resource.js';

/** Texts that may be there or not, by path. */
const TEXTS: Readonly<Record<string, Exclude<keyof ScimUserDraft, 'user_name' | 'emails' | 'active'>>> = {
  externalid: 'external_id',
  displayname: 'display_name',
  title: 'title',
  usertype: 'user_type',
  department: 'department',
  'name.formatted': 'formatted',
  'name.givenname': 'given_name',
  'name.familyname': 'family_name',
};

/** A user after a PATCH. A step that cannot be done refuses all of them. Throws ScimError. */
export function patchUser(user: ScimUser, body: JsonValue | undefined): ScimUserDraft {
  const { id: _id, revision: _revision, created_at: _created, updated_at: _updated, deleted_at: _deleted, ...draft } = user;
  return patchSteps(body).reduce(step, draft);
}

function step(draft: ScimUserDraft, { op, path, value }: PatchStep): ScimUserDraft {
  const { attribute, filter, sub } = path;
  const name = sub === null ? attribute : `${attribute}.${sub}`;
  const text = Object.hasOwn(TEXTS, name) ? TEXTS[name] : undefined;
  if (text !== undefined && filter === null) return { ...draft, [text]: op === 'remove' ? null : textOf(value, name) };
  switch (attribute) {
    case 'active':
      if (op === 'remove' || filter !== null || sub !== null) throw bad('mutability', 'active is true or false; it cannot be taken away.');
      return { ...draft, active: activeOf(value) };
    case 'username':
      if (op === 'remove' || filter !== null || sub !== null) throw bad('mutability', 'userName cannot be taken away.');
      return { ...draft, user_name: userNameOf(value) };
    case 'emails':
      return { ...draft, emails: onePrimary(emailStep(draft.emails, { op, path, value })) };
    case 'name':
      if (sub === null && filter === null && op === 'remove') return { ...draft, formatted: null, given_name: null, family_name: null };
      break;
    case 'groups':
      throw bad('mutability', 'groups of a user are changed at the group.');
    case 'id':
    case 'meta':
    case 'schemas':
      throw bad('mutability', `${attribute} cannot be changed.`);
  }
  if (FORGOTTEN.has(attribute) || (attribute === 'name' && sub !== null && FORGOTTEN.has(sub))) return draft;
  throw bad('invalidPath', `There is no attribute ${name.slice(0, 100)} here.`);
}

type Emails = ScimUser['emails'];

function emailStep(emails: Emails, { op, path: { filter, sub }, value }: PatchStep): Emails {
  if (filter === null && sub === null) return op === 'remove' ? [] : op === 'replace' ? emailsOf(value) : merged(emails, emailsOf(value));
  const fits = (email: Emails[number]): boolean => filter === null || matches(filter, { ...email } satisfies Attributes);
  if (op === 'remove') {
    if (sub === null || sub === 'value') return emails.filter((email) => !fits(email));
    return emails.map((email) => (fits(email) ? withoutMember(email, sub) : email));
  }
  if (!emails.some(fits)) return merged(emails, [emailOf({ ...madeBy(filter), ...asMembers(sub, value) })]);
  return emails.map((email) => (fits(email) ? emailOf({ ...email, ...asMembers(sub, value) }) : email));
}

/** The value of a step as members of an address: at a sub-attribute that alone, else all of it. */
function asMembers(sub: string | null, value: JsonValue | undefined): { [name: string]: JsonValue } {
  if (sub === null) return typeof value === 'string' ? { value } : objectOf(Array.isArray(value) && value.length === 1 ? value[0] : value, 'emails');
  if (sub !== 'value' && sub !== 'type' && sub !== 'primary') throw bad('invalidPath', `An e-mail address has no ${sub}.`);
  const plain = unwrapped(value);
  if (plain === undefined || plain === null) throw bad('invalidValue', `emails.${sub} needs a value.`);
  return { [sub]: plain };
}

function withoutMember(email: Emails[number], sub: string): Emails[number] {
  const { value, type, primary } = email;
  if (sub === 'type') return { value, ...(primary === undefined ? {} : { primary }) };
  if (sub === 'primary') return { value, ...(type === undefined ? {} : { type }) };
  throw bad('invalidPath', `An e-mail address has no ${sub}.`);
}

/** What a filter that nothing fits says of the address that is to be made: its type, or that it is the primary one. */
function madeBy(filter: Filter | null): { [name: string]: JsonValue } {
  if (filter === null) return {};
  if (filter.kind === 'and') return { ...madeBy(filter.left), ...madeBy(filter.right) };
  const [name, ...more] = filter.kind === 'compare' && filter.op === 'eq' ? filter.path : [];
  if (filter.kind === 'compare' && more.length === 0 && (name === 'type' || name === 'primary') && filter.value !== null) return { [name]: filter.value };
  throw bad('noTarget', 'No e-mail address fits the filter.');
}

/** Addresses with others added; the same address and type is one. */
function merged(emails: Emails, more: Emails): Emails {
  const same = (a: Emails[number], b: Emails[number]): boolean => a.value.toLowerCase() === b.value.toLowerCase() && a.type === b.type;
  const all = [...emails.filter((email) => !more.some((other) => same(email, other))), ...more];
  return emailsOf(all);
}
