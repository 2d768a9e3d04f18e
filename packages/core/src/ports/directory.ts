/** People, groups, agents and chat accounts. */
import type { Agent, Person, PersonRole } from './people.js';
import type { LeafRecord } from './records.js';

export interface DirectoryStore {
  person(tenant: string, id: string): Promise<Person | null>;
  people(tenant: string, refs: string[]): Promise<Person[]>;
  list(tenant: string): Promise<Person[]>;
  /**
   * What a file says, without a record of it: `loadDirectory` of core/flow records. Who is missing becomes inactive, never deleted.
   * Throws where two entries claim the same.
   */
  replace(tenant: string, directory: DirectorySnapshot): Promise<void>;
  /** The person whom a chat account belongs to, by link; null when there is none. */
  personByAccount(account: ChatAccount & { tenant: string }): Promise<Person | null>;
  link(tenant: string, account: ChatAccount, person_id: string, how: AccountLink['how']): Promise<void>;
  /**
   * The one road of changes: reads what `wanted` names, lets `plan` say what becomes of it, and writes that with its leaves in one
   * transaction under the directory's lock, so that no two changes see the same past. A press in the middle of it sees all or nothing of it.
   */
  change<Result>(tenant: string, wanted: DirectoryQuery, plan: (now: DirectoryNow, look: DirectoryLook) => Promise<DirectoryPlan<Result>>): Promise<Result>;
  /** The same look without a change, and without the lock. */
  look(tenant: string, wanted: DirectoryQuery): Promise<DirectoryNow>;
}

/** A further look, at what the first one led to. */
export type DirectoryLook = (wanted: DirectoryQuery) => Promise<DirectoryNow>;

/** Who says what the directory knows; the earlier ones are the stronger. */
export type DirectorySource = 'file' | 'scim' | 'oidc' | 'api';

/** What to look at. Whoever may be the same human as somebody found is found too. */
export interface DirectoryQuery {
  /** Everything; for a source that says everything. */
  all?: boolean;
  /** Ids of persons. */
  people?: readonly string[];
  /** As mailboxOf writes them. */
  mailboxes?: readonly string[];
  /** By name, in any case. */
  groups?: readonly string[];
  group_ids?: readonly string[];
  /** Every group that the persons of `people` are in. */
  groups_of_people?: boolean;
  /** Ids, in any case. */
  agents?: readonly string[];
  /** userNames of SCIM users, folded. */
  user_names?: readonly string[];
  /** Ids of which `scim_ids` shall say whether they are SCIM users now. */
  scim_ids?: readonly string[];
  /** Whether `administrators` shall be counted. */
  administrators?: boolean;
}

export interface DirectoryNow {
  people: PersonEntry[];
  groups: GroupEntry[];
  agents: AgentEntry[];
  /** Every link of chat accounts and sign-in identities where `all` was asked, else those of `people`. */
  links: AccountLink[];
  identities: IdentityClaim[];
  /** Of everybody found, deleted ones too, and of `user_names`. */
  scim_users: ScimUser[];
  /** Those of the query's `scim_ids` that were not deleted. */
  scim_ids: string[];
  /** How many active administrators there are. */
  administrators: number;
}

/** A person as the directory keeps it. */
export interface PersonEntry {
  id: string;
  email: string;
  name: string;
  /** No source says otherwise: inactive_by is empty. */
  active: boolean;
  roles: PersonRole[];
  /** The strongest of sources: it owns address and name. */
  source: DirectorySource;
  /** Who speaks of the person now. Nobody: the person left. */
  sources: DirectorySource[];
  inactive_by: DirectorySource[];
  aliases: string[];
  /** Mailboxes that were the person's. */
  former: string[];
  same_human_as: string[];
  mailboxes: string[];
  /** Equal for every entry of one human. */
  human: string;
  /** Rises with each change; 0 for what was never recorded. */
  revision: number;
  created_at: string;
  updated_at: string;
  deleted_at: string | null;
}

export interface GroupEntry {
  id: string;
  name: string;
  source: DirectorySource;
  external_id: string | null;
  members: string[];
  revision: number;
  created_at: string;
  updated_at: string;
}

export interface AgentEntry extends Required<Agent> {
  source: DirectorySource;
  revision: number;
  updated_at: string;
}

/** What a SCIM client wrote of a user; the person has the same id. */
export interface ScimUser {
  id: string;
  user_name: string;
  external_id: string | null;
  given_name: string | null;
  family_name: string | null;
  formatted: string | null;
  display_name: string | null;
  title: string | null;
  user_type: string | null;
  department: string | null;
  emails: { value: string; type?: string; primary?: boolean }[];
  active: boolean;
  revision: number;
  created_at: string;
  updated_at: string;
  deleted_at: string | null;
}

/** What a change writes; whatever is not named stays. */
export interface DirectoryPlan<Result> {
  result: Result;
  people?: PersonEntry[];
  /** With the members that it has now: the store adds and removes rows. */
  groups?: GroupEntry[];
  /** The name under which the rows stand, where it is another now. */
  renamed?: { from: string; to: string }[];
  removed_groups?: string[];
  agents?: AgentEntry[];
  removed_agents?: string[];
  scim_users?: ScimUser[];
  /** All links that the file says, in place of those that it said before. */
  file_links?: AccountLink[];
  file_identities?: IdentityClaim[];
  /** Whose sessions, personal tokens and sign-in links end for good. */
  ended?: string[];
  leaves?: LeafRecord[];
}

/** What a file says of everybody. */
export interface DirectorySnapshot {
  people: SnapshotPerson[];
  groups: { name: string; members: string[] }[];
  agents: Agent[];
}

export interface SnapshotPerson {
  id: string;
  email: string;
  name: string;
  active: boolean;
  roles: PersonRole[];
  accounts: ChatAccount[];
  aliases?: string[];
  /** Ids of other entries that are this human. */
  same_human_as?: string[];
  identities?: { issuer: string; subject: string }[];
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

/** Which subject of which identity provider a person is. */
export interface IdentityClaim {
  issuer: string;
  subject: string;
  person_id: string;
  how: string;
}

/** What an identity provider said at a sign-in, for `applyClaims` and `createFromClaims` of core/flow. */
export interface SignInClaims {
  email: string;
  name: string;
  /** Null: the provider did not say, or said that there are too many to tell: nothing changes then. */
  groups: string[] | null;
}
