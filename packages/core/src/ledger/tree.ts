import { CoreError } from '../errors.js';
import { emptyRoot, HASH_BYTES, leafHash, nodeHash } from './hashing.js';

/**
 * All that must be kept of an append-only tree (RFC 6962, section 2.1) to go on appending: a compact range.
 * Plain data; `serialiseFrontier` and `parseTree` bring it into a database row and back.
 */
export interface TreeState {
  /** How many leaves the tree has. */
  readonly size: number;
  /** The roots of the perfect subtrees that `size` falls into, one for each bit that is set in it, the largest subtree first. */
  readonly frontier: readonly Uint8Array[];
}

/** The root of a full subtree of 256^level leaves, the hash at `index` of that tile level (C2SP tlog-tiles). `level` is 1 or more. */
export interface TileNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

export interface Appended {
  readonly state: TreeState;
  readonly root: Uint8Array;
  /** Nodes of tile level 1 and more that the append completed, in the order of completion; each is completed exactly once in a log's life. */
  readonly completedNodes: readonly TileNode[];
}

/** Inner nodes between two tile levels: a tile spans 8 levels of the tree, 256 hashes. */
export const TILE_HEIGHT = 8;

/** The tree without leaves. */
export const emptyTree: TreeState = { size: 0, frontier: [] };

/**
 * Appends leaves, given as their hashes. The state that came in is not changed.
 * @throws CoreError `invalid_argument` for a hash that has not 32 bytes.
 */
export function appendLeaves(state: TreeState, leafHashes: readonly Uint8Array[]): Appended {
  const range = new CompactRange(state);
  const completedNodes: TileNode[] = [];
  for (const hash of leafHashes) {
    if (hash.length !== HASH_BYTES) throw new CoreError('invalid_argument', `a leaf hash has ${HASH_BYTES} bytes, not ${hash.length}`);
    completedNodes.push(...range.append(hash));
  }
  return { state: range.state(), root: range.root(), completedNodes };
}

/** The root of the tree (RFC 6962, section 2.1). */
export function rootOf(state: TreeState): Uint8Array {
  return new CompactRange(state).root();
}

/** The tree over all entries, from scratch; it holds one hash per level, whatever the number of entries. */
export async function treeOfEntries(entries: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<TreeState> {
  const range = new CompactRange(emptyTree);
  for await (const entry of entries) range.append(leafHash(entry));
  return range.state();
}

/** The frontier's hashes one after the other, 32 bytes each, the largest subtree first; no bytes for the empty tree. */
export function serialiseFrontier(state: TreeState): Uint8Array {
  const bytes = new Uint8Array(state.frontier.length * HASH_BYTES);
  state.frontier.forEach((hash, at) => bytes.set(hash, at * HASH_BYTES));
  return bytes;
}

/**
 * The tree of that size with that serialised frontier.
 * @throws CoreError `ledger_malformed` where the two cannot belong together.
 */
export function parseTree(size: number, frontier: Uint8Array): TreeState {
  if (!Number.isSafeInteger(size) || size < 0) throw new CoreError('ledger_malformed', 'a tree size is a whole number from 0 to 2^53 - 1');
  const hashes = bitsSet(size);
  if (frontier.length !== hashes * HASH_BYTES) {
    throw new CoreError('ledger_malformed', `the frontier of a tree of ${size} leaves has ${hashes * HASH_BYTES} bytes, not ${frontier.length}`);
  }
  return { size, frontier: Array.from({ length: hashes }, (_, at) => frontier.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES)) };
}

/** A tree state that grows in place, for long runs. */
export class CompactRange {
  size: number;
  readonly #frontier: Uint8Array[];

  constructor(state: TreeState) {
    if (state.frontier.length !== bitsSet(state.size)) throw new CoreError('ledger_malformed', 'the frontier does not belong to a tree of that size');
    this.size = state.size;
    this.#frontier = [...state.frontier];
  }

  /** Appends one leaf; returns the nodes of tile level 1 and more that it completed. */
  append(hash: Uint8Array): TileNode[] {
    const completed: TileNode[] = [];
    let carry = hash;
    let height = 0;
    // Each bit that is set below the first that is not is a subtree as large as the carry: they join. Division, as sizes outgrow 32 bits.
    for (let rest = this.size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = this.#frontier.pop();
      if (left === undefined) throw new CoreError('ledger_malformed', 'the frontier does not belong to a tree of that size');
      carry = nodeHash(left, carry);
      height += 1;
      if (height % TILE_HEIGHT === 0) completed.push({ level: height / TILE_HEIGHT, index: (this.size + 1) / 2 ** height - 1, hash: carry });
    }
    this.#frontier.push(carry);
    this.size += 1;
    return completed;
  }

  root(): Uint8Array {
    const [last, ...larger] = this.#frontier.toReversed();
    return last === undefined ? emptyRoot() : larger.reduce((right, left) => nodeHash(left, right), last);
  }

  state(): TreeState {
    return { size: this.size, frontier: [...this.#frontier] };
  }
}

function bitsSet(size: number): number {
  let bits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
