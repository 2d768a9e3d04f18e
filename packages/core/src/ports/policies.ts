/** Policy bundles by digest, and the signing keys of the service. */
import type { PolicyOrigin, PolicyProblemView, PolicySourceView } from '@countersign/contracts';
import type { LeafRecord } from './records.js';

export interface PolicyStore {
  /**
   * Stores the bundle's canonical text and puts it in force, with its leaf; no effect when it is in force already, or where `expect` is not.
   * Waits for the commits under way: each one after this call is judged by the new bundle.
   */
  activate(policy: {
    tenant: string;
    digest: string;
    canonical: string;
    by: string;
    /** Where it came from; absent: `by` says. */
    origin?: PolicyOrigin;
    /** What must be in force still. Absent: no matter. */
    expect?: string;
    leaf: LeafRecord;
  }): Promise<{ changed: boolean }>;
  /** Stores a bundle that is not in force; false where it is there already. */
  store(policy: { tenant: string; digest: string; canonical: string; by: string; leaf: LeafRecord }): Promise<{ stored: boolean }>;
  canonical(tenant: string, digest: string): Promise<string | null>;
  active(tenant: string): Promise<{ digest: string; activated_at: string; by: string } | null>;
  /** Stored bundles, the newest first. */
  list(tenant: string, limit: number): Promise<{ digest: string; canonical: string; stored_at: string }[]>;
  one(tenant: string, digest: string): Promise<{ digest: string; canonical: string; stored_at: string } | null>;
  /** What was in force, the newest first. */
  history(tenant: string, limit: number): Promise<PolicyActivationRecord[]>;
  /** Remembers the last look at a source; what it was well with stays remembered while it fails. */
  looked(tenant: string, look: PolicyLook): Promise<void>;
  looks(tenant: string): Promise<PolicySourceRecord[]>;
}

export interface PolicyActivationRecord {
  digest: string;
  previous: string | null;
  activated_at: string;
  by: string;
  origin: PolicyOrigin;
}

/** What a look at a source gave. */
export interface PolicyLook {
  source: string;
  kind: PolicySourceView['kind'];
  at: string;
  result: { kind: 'read'; digest: string; revision: string | null } | { kind: 'failed'; problems: PolicyProblemView[] };
}

export interface PolicySourceRecord {
  source: string;
  kind: PolicySourceView['kind'];
  looked_at: string;
  digest: string | null;
  revision: string | null;
  failed_at: string | null;
  problems: PolicyProblemView[];
}

/** What a signing key is for: `outcome` signs grants and callbacks, `checkpoint` the ledger's checkpoints, `link` the links in mails. */
export type SigningPurpose = 'outcome' | 'checkpoint' | 'link';

export interface StoredSigningKey {
  /** RFC 7638 thumbprint of the public key. */
  kid: string;
  /** A SigningPurpose; a later version's purpose is not ours to judge. */
  purpose: string;
  algorithm: string;
  public_key: Uint8Array;
  /** The Ed25519 seed, sealed at { tenant: '*', table: 'signing_keys', row: '<purpose>/<kid>', column: 'sealed_private_key' }. */
  sealed_private_key: Uint8Array;
  created_at: string;
  /** From then on it signs nothing; its public key stays published. */
  retired_at: string | null;
}

/** Where signing keys are kept. Rows are never deleted: what a key signed must verify for ever. */
export interface SigningKeyStore {
  /** All keys, retired ones too. */
  list(): Promise<StoredSigningKey[]>;
  /**
   * Adds the key, unless its purpose has a key that is not retired: then nothing happens, and that is no error. One atomic statement
   * over a partial unique index, so that of processes that start at once one wins. No clock could decide that: the earlier stamp
   * may commit last, after the other process has looked.
   */
  insert(key: StoredSigningKey): Promise<void>;
  /**
   * Retires the key `retired` of its purpose and adds its successor, with the leaf that says so, all in one atomic statement. No effect
   * where that key does not exist or signs no more: of two rotations at once one happens.
   */
  rotate(rotation: { retired: string; successor: StoredSigningKey; tenant: string; leaf: LeafRecord }): Promise<{ changed: boolean }>;
}
