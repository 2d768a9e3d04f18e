/** Callers as administrators keep them, and what is kept of tokens and proofs that other issuers made. */
import type { JsonObject } from '@countersign/contracts';
import type { KeyRights, WorkloadEvidence } from './people.js';
import type { ApiKeyRecord } from './credentials.js';
import type { LeafRecord } from './records.js';

export interface CallerFilter {
  kind?: ApiKeyRecord['kind'];
  /** The id of a person. */
  owner?: string;
  /** Only those that are revoked, or are not. */
  revoked?: boolean;
  limit: number;
  /** Only keys older than this one (created_at, id), both exclusive. */
  before?: { created_at: string; id: string };
}

/** What of a key may change; absent members stay. */
export interface CallerPatch {
  name?: string;
  owner?: string;
  rights?: KeyRights;
  networks?: string[];
  expires_at?: string | null;
  binding?: JsonObject | null;
}

/** A rotation: the successor's secret, and until when the predecessor's counts. */
export interface CallerRotation {
  hash: Uint8Array;
  prefix: string;
  /** Null: the webhook secret stays. */
  sealed_webhook_secret: Uint8Array | null;
  /** In seconds from now, by the database's clock; 0: the predecessor ends at once. */
  overlap_seconds: number;
}

/** A trust rule as a row of callers: the caller that its tokens lead to. */
export type TrustedCaller = ApiKeyRecord & { kind: 'workload' };

/** What an exchange gave. */
export interface WorkloadTokenRecord {
  hash: Uint8Array;
  tenant: string;
  key_id: string;
  /** Digest of the trust rule that it was given under: another rule under the same name does not honour it. */
  rule: string;
  evidence: WorkloadEvidence;
  created_at: string;
  expires_at: string;
}

/** A request that a revoked key left behind. */
export interface Voidable {
  request_id: string;
  status: 'pending' | 'approved';
}

/** API keys and their like. Each change is one statement with its leaf; what does not change anything writes no leaf. */
export interface CallerStore {
  list(tenant: string, filter: CallerFilter): Promise<ApiKeyRecord[]>;
  get(tenant: string, id: string): Promise<ApiKeyRecord | null>;
  create(key: ApiKeyRecord, leaf: LeafRecord): Promise<void>;
  /** Null where there is no such key, or it is revoked. */
  change(tenant: string, id: string, patch: CallerPatch, leaf: LeafRecord): Promise<ApiKeyRecord | null>;
  rotate(tenant: string, id: string, rotation: CallerRotation, leaf: LeafRecord): Promise<ApiKeyRecord | null>;
  /** From the moment of its commit on the key opens, is given and redeems nothing. Null where there is no such key, or it is revoked. */
  revoke(tenant: string, id: string, reason: string, leaf: LeafRecord): Promise<ApiKeyRecord | null>;
  /** Notes that the key was used just now, unless that was noted within the last minute. */
  used(tenant: string, id: string): Promise<void>;

  /** Requests of that key which wait or may still be redeemed, oldest first. */
  voidable(tenant: string, id: string, limit: number): Promise<Voidable[]>;
  /** Revoked keys of which something may still wait, with why they were revoked. */
  unvoided(): Promise<{ tenant: string; id: string; name: string; reason: string }[]>;
  /** Says that nothing waits any more, once no statement that saw the key live can still be under way. */
  voided(tenant: string, id: string): Promise<void>;

  /** Live callers whose tokens come from that issuer, in every tenant. */
  trustedBy(issuer: string): Promise<TrustedCaller[]>;
  insertWorkloadToken(token: WorkloadTokenRecord): Promise<void>;
  /** The token while it and its caller live. */
  workloadToken(hash: Uint8Array): Promise<{ token: WorkloadTokenRecord; caller: ApiKeyRecord } | null>;
  /** The caller of a client certificate; null for none, or more than one. */
  certificateCaller(names: { thumbprint: string; san: string[] }): Promise<ApiKeyRecord | null>;
  /** The person who is that subject of that issuer (directory, or proved by sign-in); null for nobody. */
  personOfIdentity(tenant: string, issuer: string, subject: string): Promise<string | null>;
  /** Takes a token or proof that counts once; false where somebody was first. It is remembered until `expires_at`. */
  spend(tenant: string, digest: Uint8Array, expires_at: string): Promise<boolean>;

  /** The last keys of an issuer that worked. */
  issuerKeys(tenant: string, issuer: string): Promise<{ jwks: { keys: object[] }; fetched_at: string } | null>;
  keepIssuerKeys(tenant: string, issuer: string, jwks: { keys: object[] }): Promise<void>;
}
