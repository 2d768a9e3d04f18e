import { type DirectoryFile, readDirectory, snapshotOf } from '@countersign/identity';
import { isMap, parseDocument } from 'yaml';
import { z } from 'zod';
import { CliError } from './cli-error.js';

/** A real account: a mail address that the chat platform vouches for, or an account on it. */
export type RealAccount =
  | { kind: 'email'; email: string }
  | { kind: 'slack'; member: 'team' | 'enterprise'; workspace: string; user: string }
  | { kind: 'teams'; tenant: string; user: string };

/** What a real account may be written as. @throws CliError `usage` */
export function readAccount(text: string): RealAccount {
  if (z.email().safeParse(text).success) return { kind: 'email', email: text };
  const slack = /^([TE][A-Z0-9]{2,})\/([UW][A-Z0-9]{2,})$/.exec(text);
  if (slack?.[1] !== undefined && slack[2] !== undefined)
    return { kind: 'slack', member: slack[1].startsWith('T') ? 'team' : 'enterprise', workspace: slack[1], user: slack[2] };
  const [tenant, aad] = text.split('/').map((part) => z.guid().toLowerCase().safeParse(part).data);
  if (tenant !== undefined && aad !== undefined && text.split('/').length === 2) return { kind: 'teams', tenant, user: aad };
  if (/^[UW][A-Z0-9]{5,}$/.test(text)) throw new CliError('usage', `A Slack user id alone does not say which workspace: write T…/${text}.`);
  throw new CliError('usage', `${JSON.stringify(text)} is neither a mail address, nor a Slack account (T…/U…), nor a Teams account (tenant id/AAD object id).`);
}

export interface Linked {
  /** The directory file's new text, its comments kept. */
  text: string;
  name: string;
  /** The address before. */
  email: string;
  changed: boolean;
}

/**
 * Ties a person of a directory file to a real account.
 * @param who a mail address, or the part before its @
 * @throws CliError `refused` where nobody or several are meant, or the account is somebody else's
 */
export function linkPerson(file: string, text: string, tenant: string, who: string, account: RealAccount): Linked {
  const directory = checked(file, text);
  const index = personIndex(directory, who);
  const person = directory.people[index];
  if (person === undefined) throw new CliError('refused', `There is nobody ${JSON.stringify(who)} in ${file}.`);
  const { email, name } = person;
  const owner = directory.people.find((other) => other !== person && holds(other, account));
  if (owner !== undefined) throw new CliError('refused', `${written(account)} is ${owner.name}'s (${owner.email}) already; one account is one person.`);
  if (holds(person, account)) return { text, name, email, changed: false };
  const document = parseDocument(text, { version: '1.2', schema: 'core' });
  const at = ['people', index];
  switch (account.kind) {
    case 'email': {
      // The id was computed from the old address. Written down, the person stays the same one: decisions, tokens and keys keep their owner.
      const id = person.id ?? snapshotOf(tenant, directory, []).people[index]?.id;
      document.setIn([...at, 'email'], account.email);
      if (person.id === undefined && id !== undefined) document.setIn([...at, 'id'], id);
      directory.agents.forEach((agent, number) => {
        if (agent.owner !== undefined && fold(agent.owner) === fold(email)) document.setIn(['agents', number, 'owner'], account.email);
      });
      break;
    }
    case 'slack':
      setAccount('slack', { [account.member]: account.workspace, user: account.user });
      break;
    case 'teams':
      setAccount('teams', { tenant: account.tenant, user: account.user });
      break;
  }
  const linked = String(document);
  checked(file, linked);
  return { text: linked, name, email, changed: true };

  function setAccount(platform: string, value: Record<string, string>): void {
    const node = document.createNode(value, { flow: true });
    if (isMap(document.getIn([...at, 'accounts']))) document.setIn([...at, 'accounts', platform], node);
    else document.setIn([...at, 'accounts'], document.createNode({ [platform]: node }));
  }
}

/** The account for people. */
export function written(account: RealAccount): string {
  switch (account.kind) {
    case 'email':
      return account.email;
    case 'slack':
      return `the Slack account ${account.workspace}/${account.user}`;
    case 'teams':
      return `the Teams account ${account.tenant}/${account.user}`;
  }
}

function personIndex(directory: DirectoryFile, who: string): number {
  const exact = directory.people.findIndex(({ email }) => fold(email) === fold(who));
  if (exact !== -1) return exact;
  // After a link the address is another one; the first name still says who is meant.
  const matches = directory.people.flatMap(({ email, name }, index) =>
    [email.split('@')[0], name.split(' ')[0]].some((part) => part !== undefined && fold(part) === fold(who)) ? [index] : [],
  );
  if (matches.length > 1) throw new CliError('refused', `${JSON.stringify(who)} may be several people: name the mail address.`);
  return matches[0] ?? -1;
}

function holds(person: DirectoryFile['people'][number], account: RealAccount): boolean {
  const { slack, teams } = person.accounts;
  switch (account.kind) {
    case 'email':
      return fold(person.email) === fold(account.email);
    case 'slack':
      return slack !== undefined && slack.user === account.user && (account.member === 'team' ? slack.team : slack.enterprise) === account.workspace;
    case 'teams':
      return teams !== undefined && teams.tenant === account.tenant && teams.user === account.user;
  }
}

function checked(file: string, text: string): DirectoryFile {
  const read = readDirectory(file, text);
  if (read.ok) return read.directory;
  const [first] = read.problems;
  throw new CliError('refused', `${file}:${first?.line ?? 1}: ${first?.path ?? ''} ${first?.message ?? 'cannot be used'}`);
}

/** Addresses are compared without case, as the directory does. */
const fold = (text: string): string => text.normalize('NFKC').trim().toLowerCase();
