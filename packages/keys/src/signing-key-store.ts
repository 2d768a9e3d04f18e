/** What a key signs: `outcome` grants and callbacks (`v1a`), `checkpoint` the ledger's checkpoints. A key has one purpose. */
export const signingPurposes = ['outcome', 'checkpoint'] as const;
export type SigningPurpose = (typeof signingPurposes)[number];

/** A row of signing keys. Rows are never deleted: what a key signed must verify for ever. */
export interface StoredSigningKey {
  /** The RFC 7638 thumbprint of the public key; unique. */
  kid: string;
  purpose: string;
  algorithm: string;
  public_key: Uint8Array;
  /** The Ed25519 seed, sealed at { tenant: '*', table: 'signing_keys', row: '<purpose>/<kid>', column: 'sealed_private_key' }. */
  sealed_private_key: Uint8Array;
  /** RFC 3339, UTC, milliseconds. */
  created_at: string;
  /** From then on the key only verifies; null while it may sign. */
  retired_at: string | null;
}

/** Where signing keys are kept; implemented by the store. */
export interface SigningKeyStore {
  /** All keys, retired ones too. */
  list(): Promise<StoredSigningKey[]>;
  /**
   * Adds the key, unless its purpose has a key that is not retired: then nothing happens, and that is no error. One atomic statement,
   * `INSERT … ON CONFLICT (purpose) WHERE retired_at IS NULL DO NOTHING` over a partial unique index, so that of processes that
   * start at once one wins. No clock could decide that: the earlier stamp may commit last, after the other process has looked.
   */
  insert(key: StoredSigningKey): Promise<void>;
}
