/** People, groups, agents and chat accounts. */
import type { Agent, Person, PersonRole } from './people.js';

export interface DirectoryStore {
  person(tenant: string, id: string): Promise<Person | null>;
  people(tenant: string, refs: string[]): Promise<Person[]>;
  list(tenant: string): Promise<Person[]>;
  /** Replaces people, groups, agents by what the source says; who is missing becomes inactive, never deleted. */
  replace(tenant: string, directory: DirectorySnapshot): Promise<void>;
  /** The person whom a chat account belongs to, by link; null when there is none. */
  personByAccount(account: ChatAccount & { tenant: string }): Promise<Person | null>;
  link(tenant: string, account: ChatAccount, person_id: string, how: AccountLink['how']): Promise<void>;
}

export interface DirectorySnapshot {
  people: { id: string; email: string; name: string; active: boolean; roles: PersonRole[]; accounts: ChatAccount[] }[];
  groups: { name: string; members: string[] }[];
  agents: Agent[];
}

/** A chat account: Slack's enterprise or team id with the user id; Teams' tenant id with the AAD object id. */
export interface ChatAccount {
  platform: 'slack' | 'teams';
  workspace: string;
  user: string;
}
export interface AccountLink extends ChatAccount {
  person_id: string;
  how: 'directory' | 'proof' | 'email' | 'administrator';
}
