/** API keys, personal tokens, sessions and sign-in links, by the hash of their secret. */
import type { JsonObject } from '@countersign/contracts';
import type { KeyRights, Person } from './people.js';

export interface ApiKeyRecord {
  id: string;
  tenant: string;
  name: string;
  owner: string;
  /** SHA-256 of the whole key. */
  hash: Uint8Array;
  /** What may be shown of it. */
  prefix: string;
  rights: KeyRights;
  sealed_webhook_secret: Uint8Array;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  /** How the caller proves itself; absent: `secret`. Of the others nobody knows a secret, and `hash` is of none. */
  kind?: 'secret' | 'workload' | 'certificate';
  /** What a workload's token or a client certificate must say (packages/identity reads it); null for a secret. */
  binding?: JsonObject | null;
  /** Address blocks that it may call from; empty or absent: anywhere. */
  networks?: string[];
  /** Until when the secrets before the last rotation count. */
  previous_hash?: Uint8Array | null;
  sealed_previous_webhook_secret?: Uint8Array | null;
  previous_until?: string | null;
  /** To the minute. */
  last_used_at?: string | null;
  revoked_reason?: string | null;
  /** Whether its owner is active in the directory now; only where a look-up asked. */
  owner_active?: boolean;
}

export interface PersonalTokenRecord {
  id: string;
  tenant: string;
  person_id: string;
  hash: Uint8Array;
  name: string;
  scopes: ('read' | 'decide' | 'admin')[];
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  /** To a minute; null: never. */
  last_used_at: string | null;
  /** When the person proved who they are, just before they made it; null: made at the installation's own terminal. */
  stepped_up_at: string | null;
}

export interface SessionRecord {
  /** SHA-256 of the cookie's value. */
  hash: Uint8Array;
  /** `ses_…`: what lists name it by. */
  id: string;
  tenant: string;
  person_id: string;
  /** Who vouched: the identity provider's issuer, or this service for a sign-in link. */
  issuer: string;
  /** `oidc` or `sign_in_link`. */
  method: string;
  /** At an identity provider. */
  subject: string | null;
  /** The provider's own name for its session. */
  provider_sid: string | null;
  /** When the person last proved who they are; null where the provider did not say, which is never fresh. */
  auth_time: string | null;
  acr: string | null;
  amr: string[];
  user_agent: string | null;
  created_at: string;
  /** To a minute. */
  last_used_at: string;
  expires_at: string;
  /** The ID token, sealed: the provider wants it back to end its own session. */
  sealed_hint: Uint8Array | null;
}

export interface CredentialStore {
  apiKeyByHash(hash: Uint8Array): Promise<ApiKeyRecord | null>;
  apiKey(tenant: string, id: string): Promise<ApiKeyRecord | null>;
  insertApiKey(key: ApiKeyRecord): Promise<void>;
  personalTokenByHash(hash: Uint8Array): Promise<PersonalTokenRecord | null>;
  /** The token with its person's row as it is now, in one look; the person is null where the directory has none. */
  personByTokenHash(hash: Uint8Array): Promise<{ token: PersonalTokenRecord; person: Person | null } | null>;
  insertPersonalToken(token: PersonalTokenRecord): Promise<void>;
  sessionByHash(hash: Uint8Array): Promise<SessionRecord | null>;
  /** As personByTokenHash. */
  personBySessionHash(hash: Uint8Array): Promise<{ session: SessionRecord; person: Person | null } | null>;
  insertSession(session: SessionRecord): Promise<void>;
  endSession(hash: Uint8Array): Promise<void>;
  /** One-time sign-in links; `spend` takes it in one atomic statement, null when spent, unknown or over. */
  insertSignInLink(link: { hash: Uint8Array; tenant: string; person_id: string; expires_at: string }): Promise<void>;
  spendSignInLink(hash: Uint8Array): Promise<{ tenant: string; person_id: string } | null>;
  /** Ends every unspent link; a start does so before it makes new ones. */
  voidSignInLinks(tenant: string): Promise<void>;
}
