/** The ledger: leaves that get positions, tree nodes, checkpoints. */

export interface PlacedLeaf {
  leaf_id: string;
  position: number;
  hash: Uint8Array;
}

export interface LedgerStore {
  /**
   * Runs `integrate` under the tenant's advisory lock with the last checkpoint and the leaves that have no position yet
   * (oldest first), and stores what it returns in the same transaction: positions without gaps, tree nodes and the signed
   * checkpoint. Returns how many leaves were placed; 0 when there were none or another process holds the lock.
   */
  sequence(tenant: string, limit: number, integrate: (tail: LedgerTail) => Promise<LedgerStep>): Promise<number>;
  tenantsWithUnplacedLeaves(): Promise<string[]>;
  checkpoint(tenant: string): Promise<{ size: number; note: string } | null>;
  checkpoints(tenant: string): AsyncIterable<{ size: number; note: string }>;
  /** Leaf hashes [from, to), by position. */
  leafHashes(tenant: string, from: number, to: number): Promise<Uint8Array[]>;
  /** Node hashes of tile level ≥ 1, [from, to). */
  nodeHashes(tenant: string, level: number, from: number, to: number): Promise<Uint8Array[]>;
  entries(tenant: string, from: number, to: number): Promise<Uint8Array[]>;
}

export interface LedgerTail {
  size: number;
  /** The compact range, as core/ledger serialises it. */
  frontier: Uint8Array;
  leaves: { id: string; bytes: Uint8Array }[];
}

export interface LedgerStep {
  placed: PlacedLeaf[];
  nodes: { level: number; index: number; hash: Uint8Array }[];
  frontier: Uint8Array;
  size: number;
  root: Uint8Array;
  note: string;
}
