import { CoreError } from '../errors.js';
import { emptyRoot, HASH_BYTES, nodeHash, sameBytes } from './hashing.js';
import { TILE_WIDTH, tilePath, tileWidth, type TileAddress } from './tiles.js';
import { CompactRange, emptyTree, TILE_HEIGHT } from './tree.js';

/** Reads a tile's bytes; null when it is not there. Of a partial tile that was replaced, the full one is asked for next. */
export type TileReader = (tile: TileAddress) => Promise<Uint8Array | null>;

/**
 * The hashes that prove that leaf `index` is in the tree of `size` leaves, from its sibling up (RFC 6962, section 2.1.1).
 * @throws CoreError `invalid_argument` for an index that the tree has not, `ledger_malformed` for a tile that is missing or has another length.
 */
export async function inclusionProof(index: number, size: number, read: TileReader): Promise<Uint8Array[]> {
  if (!isCount(index) || !isCount(size) || index >= size) throw new CoreError('invalid_argument', `a tree of ${size} leaves has no leaf ${index}`);
  const tree = new TiledTree(size, read);
  const path = async (from: number, to: number): Promise<Uint8Array[]> => {
    if (to - from === 1) return [];
    const middle = from + largestPowerBelow(to - from);
    return index < middle
      ? [...(await path(from, middle)), await tree.rangeRoot(middle, to)]
      : [...(await path(middle, to)), await tree.rangeRoot(from, middle)];
  };
  return path(0, size);
}

/**
 * The hashes that prove that the tree of `from` leaves is a beginning of the tree of `to` leaves (RFC 6962, section 2.1.2).
 * Empty where `from` is 0 or equal to `to`.
 * @throws CoreError as inclusionProof does.
 */
export async function consistencyProof(from: number, to: number, read: TileReader): Promise<Uint8Array[]> {
  if (!isCount(from) || !isCount(to) || from > to) throw new CoreError('invalid_argument', `a tree of ${from} leaves is no beginning of one of ${to}`);
  if (from === 0 || from === to) return [];
  const tree = new TiledTree(to, read);
  // SUBPROOF(m, D[start:end], whole) of RFC 6962, with m counted from the start of the whole tree.
  const subproof = async (start: number, end: number, whole: boolean): Promise<Uint8Array[]> => {
    if (from === end) return whole ? [] : [await tree.rangeRoot(start, end)];
    const middle = start + largestPowerBelow(end - start);
    return from <= middle
      ? [...(await subproof(start, middle, whole)), await tree.rangeRoot(middle, end)]
      : [...(await subproof(middle, end, false)), await tree.rangeRoot(start, middle)];
  };
  return subproof(0, to, true);
}

/** Whether the proof shows that the leaf is at `index` of the tree of `size` leaves with that root (RFC 9162, section 2.1.3.2). */
export function verifyInclusion(claim: { leafHash: Uint8Array; index: number; size: number; root: Uint8Array; proof: readonly Uint8Array[] }): boolean {
  if (!isCount(claim.index) || !isCount(claim.size) || claim.index >= claim.size) return false;
  if (![claim.leafHash, ...claim.proof].every(isHash)) return false;
  let node = claim.index;
  let last = claim.size - 1;
  let hash = claim.leafHash;
  for (const sibling of claim.proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && sameBytes(hash, claim.root);
}

/** Whether the proof shows that the first tree is a beginning of the second (RFC 9162, section 2.1.4.2). The empty tree is a beginning of all. */
export function verifyConsistency(claim: { from: number; fromRoot: Uint8Array; to: number; toRoot: Uint8Array; proof: readonly Uint8Array[] }): boolean {
  const { from, fromRoot, to, toRoot, proof } = claim;
  if (!isCount(from) || !isCount(to) || from > to || !proof.every(isHash)) return false;
  if (from === 0) return proof.length === 0 && sameBytes(fromRoot, emptyRoot());
  if (from === to) return proof.length === 0 && sameBytes(fromRoot, toRoot);
  const [first, ...rest] = largestPowerBelow(from + 1) === from ? [fromRoot, ...proof] : proof;
  if (proof.length === 0 || first === undefined) return false;
  let [node, last] = [from - 1, to - 1];
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  let [older, newer] = [first, first];
  for (const hash of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      [older, newer] = [nodeHash(hash, older), nodeHash(hash, newer)];
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      newer = nodeHash(newer, hash);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && sameBytes(older, fromRoot) && sameBytes(newer, toRoot);
}

/** A tree as its tiles tell it. Each tile is read once. */
class TiledTree {
  readonly #tiles = new Map<string, Promise<Uint8Array>>();

  constructor(
    private readonly size: number,
    private readonly read: TileReader,
  ) {}

  /** MTH(D[from:to]) of RFC 6962, where `from` is a multiple of the largest power of two that is below to - from. */
  async rangeRoot(from: number, to: number): Promise<Uint8Array> {
    const leaves = to - from;
    const height = Math.log2(leaves);
    if (Number.isInteger(height) && 2 ** height === leaves) return this.#subtreeRoot(height, from / leaves);
    const middle = from + largestPowerBelow(leaves);
    return nodeHash(await this.rangeRoot(from, middle), await this.rangeRoot(middle, to));
  }

  /** The root of the perfect subtree number `index` of that height, hashed from the tile hashes below it. */
  async #subtreeRoot(height: number, index: number): Promise<Uint8Array> {
    const level = Math.floor(height / TILE_HEIGHT);
    const hashes = 2 ** (height % TILE_HEIGHT);
    const first = index * hashes;
    const bytes = await this.#tile(level, Math.floor(first / TILE_WIDTH));
    const range = new CompactRange(emptyTree);
    for (let at = first % TILE_WIDTH; at < (first % TILE_WIDTH) + hashes; at += 1) range.append(bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
    return range.root();
  }

  #tile(level: number, index: number): Promise<Uint8Array> {
    const tile = { level, index, width: tileWidth(this.size, level, index) };
    const path = tilePath(tile);
    const known = this.#tiles.get(path) ?? this.#readTile(tile, path);
    this.#tiles.set(path, known);
    return known;
  }

  async #readTile(tile: TileAddress, path: string): Promise<Uint8Array> {
    let bytes = await this.read(tile);
    let width = tile.width;
    if (bytes === null && width < TILE_WIDTH) {
      // A log may drop a partial tile once the full one is there (C2SP tlog-tiles, "Partial Tiles").
      width = TILE_WIDTH;
      bytes = await this.read({ ...tile, width });
    }
    if (bytes?.length !== width * HASH_BYTES) throw new CoreError('ledger_malformed', `${path} is ${bytes === null ? 'missing' : 'of another length'}`);
    return bytes;
  }
}

/** The largest power of two smaller than n, for n of 2 or more (RFC 6962, section 2.1). */
function largestPowerBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

const half = (n: number): number => Math.floor(n / 2);
const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const isHash = (hash: Uint8Array): boolean => hash.length === HASH_BYTES;
