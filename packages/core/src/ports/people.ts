/** Who people and callers are, as verified. */
import type { Authenticated, PersonView } from '@countersign/contracts';

/** A human in the directory: one entry, however many accounts. */
export interface Person extends PersonView {
  active: boolean;
  /** Names of the groups that the person is in now. */
  groups: string[];
  roles: PersonRole[];
}
export type PersonRole = 'administrator' | 'auditor' | 'operator';

/** An agent, pipeline or service that may act; `owner` answers for it. */
export interface Agent {
  id: string;
  owner: string | null;
  active: boolean;
}

/** What an API key may name and do. An empty list names nothing; `['*']` anything; entries may end in `*`. */
export interface KeyRights {
  actors: string[];
  actions: string[];
  environments: string[];
  callback_hosts: string[];
  redeem: boolean;
}

/** A verified caller. */
export interface Caller {
  tenant: string;
  /** The API key's id. */
  key_id: string;
  name: string;
  /** The person who owns the key: in the chain of every request that it opens. */
  owner: string;
  rights: KeyRights;
  authenticated: Authenticated;
}

/** How somebody stands behind a request; nobody in the chain may decide it. */
export interface ChainLink {
  role: 'actor' | 'on_behalf_of' | 'agent_owner' | 'key_owner' | 'token_human';
  /** The directory's id of the person; null when the directory knows nobody by `ref`. */
  person_id: string | null;
  /** The text that named the person, compared too when the directory does not know it. */
  ref: string;
  /** How answers name the link. */
  name: string;
}
