/** Policy bundles by digest, and the signing keys of the service. */
import type { LeafRecord } from './records.js';

export interface PolicyStore {
  /** Stores the bundle's canonical text and puts it in force, with its leaf; no effect when it is in force already. */
  activate(policy: { tenant: string; digest: string; canonical: string; by: string; leaf: LeafRecord }): Promise<{ changed: boolean }>;
  canonical(tenant: string, digest: string): Promise<string | null>;
  active(tenant: string): Promise<{ digest: string; activated_at: string; by: string } | null>;
}

/** What a signing key is for: `outcome` signs grants and callbacks, `checkpoint` the ledger's checkpoints. */
export type SigningPurpose = 'outcome' | 'checkpoint';

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
