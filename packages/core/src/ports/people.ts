/** Who people and callers are, as verified. */
import type { Authenticated, PersonView, WorkflowView } from '@countersign/contracts';

/** A human in the directory: one entry, however many accounts. */
export interface Person extends PersonView {
  active: boolean;
  /** Names of the groups that the person is in now. */
  groups: string[];
  /** Groups that absent people lend now, by naming this one as their stand-in; they count only where a request's policy says so. Absent: none. */
  lent?: string[];
  roles: PersonRole[];
  /** Other addresses of this human: aliases, those of its other entries, and those that it had. Absent: none. */
  aliases?: string[];
  /** Ids of every directory entry that is this human, this one among them, sorted. Absent: this one alone. */
  entries?: string[];
}
export type PersonRole = 'administrator' | 'auditor' | 'operator';

/** An agent, pipeline or service that may act; `owner` answers for it, or every member of `owner_group` does. */
export interface Agent {
  id: string;
  /** A person's id. */
  owner: string | null;
  owner_group?: string | null;
  active: boolean;
  /** What it may ask, as names or `prefix*`; absent or null: whatever its caller may. */
  actions?: string[] | null;
  purposes?: string[] | null;
  risk?: AgentRisk | null;
}
export type AgentRisk = 'low' | 'medium' | 'high' | 'critical';

/** What an API key may name and do. An empty list names nothing; `['*']` anything; entries may end in `*`. */
export interface KeyRights {
  actors: string[];
  actions: string[];
  environments: string[];
  /** None: it may set no callback at all. */
  callback_hosts: string[];
  redeem: boolean;
  /** Whether it may read its own requests; absent: it may. */
  read?: boolean | undefined;
  /** For whom its actors may say that they act: ids or e-mail addresses, compared without case; absent: anybody. */
  on_behalf_of?: string[] | undefined;
}

/** What a platform's token said of a workload, as it was verified. */
export interface WorkloadEvidence {
  issuer: string;
  subject: string;
  /** The token's own id, where it has one. */
  token_id: string | null;
  /** Claims that the trust rule asked for, and those that tell the run; values as text. */
  claims: Record<string, string>;
  workflow: WorkflowView | null;
  /** The human whom the token names: joins the chain. */
  human: { platform: string; user: string; name: string; ref: string } | null;
  /** What the token fixes as the environment; null: it fixes none. */
  environment: string | null;
}

/** A verified caller. */
export interface Caller {
  tenant: string;
  /** The API key's id. */
  key_id: string;
  name: string;
  /** The person who owns the key: in the chain of every request that it opens. */
  owner: string;
  /** Who started the run that asks, as a workload token says: an id or address. Absent or null: it names nobody. */
  human?: string | null;
  rights: KeyRights;
  authenticated: Authenticated;
  /** Where it proved itself by its platform's token. */
  workload?: WorkloadEvidence;
}

/** How somebody stands behind a request; nobody in the chain may decide it. */
export interface ChainLink {
  role: 'actor' | 'on_behalf_of' | 'agent_owner' | 'owner_group' | 'key_owner' | 'token_human';
  /** The directory's id of the person; null when the directory knows nobody by `ref`. */
  person_id: string | null;
  /** The text that named the person, compared too when the directory does not know it. */
  ref: string;
  /** How answers name the link. */
  name: string;
  /** Of a group that owns the agent: the ids of who was in it when the request was opened. */
  members?: string[];
}
