/** The tokens of SCIM clients, and what such clients read. What they write goes by DirectoryStore.change. */
import type { GroupEntry, ScimUser } from './directory.js';
import type { LeafRecord } from './records.js';

export interface ScimTokenRecord {
  id: string;
  tenant: string;
  /** SHA-256 of the whole token. */
  hash: Uint8Array;
  /** What may be shown of it. */
  prefix: string;
  name: string;
  created_by: string;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
}

export interface ScimStore {
  /** With its leaf, or not at all. */
  insertToken(token: ScimTokenRecord, leaf: LeafRecord): Promise<void>;
  tokenByHash(hash: Uint8Array): Promise<ScimTokenRecord | null>;
  /** Newest first. */
  tokens(tenant: string): Promise<ScimTokenRecord[]>;
  /** False where there is no such token, or it was revoked already. */
  revokeToken(tenant: string, id: string, leaf: LeafRecord): Promise<boolean>;
  /** Remembers a use, at most once a minute. */
  usedToken(tenant: string, id: string): Promise<void>;

  /** Users that were not deleted, by creation. `narrow` names one by what is looked up most. */
  users(tenant: string, narrow?: { id: string } | { user_name: string } | { external_id: string }): Promise<ScimUser[]>;
  /** Groups of SCIM by creation; without members where they are not asked for. */
  groups(tenant: string, options: { members: boolean; narrow?: { id: string } | { name: string } }): Promise<GroupEntry[]>;
  /** The groups of SCIM that users are in. */
  groupsOf(tenant: string, users: readonly string[]): Promise<{ user: string; id: string; name: string }[]>;
}
