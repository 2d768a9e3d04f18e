import { CoreError } from '../errors.js';
import { HASH_BYTES } from './hashing.js';

/** Hashes in a full tile, entries in a full bundle (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;

/** The longest entry that a bundle can carry: its length is a uint16. */
export const MAX_ENTRY_BYTES = 65_535;

/** A tile of hashes: `width` is 256 for a full tile, 1 to 255 for a partial one. Level 0 holds leaf hashes, level L roots of full subtrees of 256^L leaves. */
export interface TileAddress {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

/** A bundle of entries: those that the level 0 tile of the same index and width has the hashes of. */
export interface BundleAddress {
  readonly index: number;
  readonly width: number;
}

/** What a tlog-tiles path names. */
export type TileResource = ({ readonly kind: 'tile' } & TileAddress) | ({ readonly kind: 'entries' } & BundleAddress);

/** `tile/<L>/<N>[.p/<W>]` (C2SP tlog-tiles): `tile/0/x001/x234/067.p/8`. */
export function tilePath({ level, index, width }: TileAddress): string {
  checkAddress(level, index, width);
  return `tile/${level}/${indexPath(index)}${partial(width)}`;
}

/** `tile/entries/<N>[.p/<W>]` (C2SP tlog-tiles). */
export function entriesPath({ index, width }: BundleAddress): string {
  checkAddress(0, index, width);
  return `tile/entries/${indexPath(index)}${partial(width)}`;
}

/** What a path names; null where it is not in its one right spelling. */
export function parseTilePath(path: string): TileResource | null {
  const found = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  const [, kind = '', groups = '', partialWidth] = found ?? [];
  if (found === null) return null;
  const index = Number(groups.replaceAll(/[x/]/g, ''));
  const width = partialWidth === undefined ? TILE_WIDTH : Number(partialWidth);
  if (!Number.isSafeInteger(index) || indexPath(index) !== groups || (partialWidth !== undefined && width >= TILE_WIDTH)) return null;
  if (kind === 'entries') return { kind, index, width };
  const level = Number(kind);
  return level > MAX_LEVEL ? null : { kind: 'tile', level, index, width };
}

/** How many hashes the tile has in a tree of that size, 0 to 256; also the number of entries of a bundle, with level 0. */
export function tileWidth(size: number, level: number, index: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.min(Math.max(hashes - index * TILE_WIDTH, 0), TILE_WIDTH);
}

/** The partial tiles of a tree of that size, by level: those that a log serves for a checkpoint of that size besides the full ones. */
export function partialTiles(size: number): TileAddress[] {
  const tiles: TileAddress[] = [];
  for (let level = 0, hashes = size; hashes > 0; level += 1, hashes = Math.floor(hashes / TILE_WIDTH)) {
    const width = hashes % TILE_WIDTH;
    if (width > 0) tiles.push({ level, index: Math.floor(hashes / TILE_WIDTH), width });
  }
  return tiles;
}

/** A tile's bytes: its hashes one after the other. */
export function encodeTile(hashes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * HASH_BYTES);
  hashes.forEach((hash, at) => bytes.set(hash, at * HASH_BYTES));
  return bytes;
}

/**
 * A bundle's bytes: for each entry its length as a big-endian uint16, then the entry (C2SP tlog-tiles).
 * @throws CoreError `invalid_argument` for an entry beyond 65,535 bytes, and for more than 256 entries.
 */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length > TILE_WIDTH) throw new CoreError('invalid_argument', `a bundle has at most ${TILE_WIDTH} entries`);
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) throw new CoreError('invalid_argument', `an entry has at most ${MAX_ENTRY_BYTES} bytes`);
    bytes[at] = entry.length >> 8;
    bytes[at + 1] = entry.length & 0xff;
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/**
 * The entries of a bundle, views into its bytes.
 * @throws CoreError `ledger_malformed` where it ends inside an entry, or has none or more than 256.
 */
export function decodeEntryBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const [high, low] = [bytes[at], bytes[at + 1]];
    const end = high === undefined || low === undefined ? Infinity : at + 2 + high * 256 + low;
    if (end > bytes.length) throw new CoreError('ledger_malformed', 'an entry bundle ends inside an entry');
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  if (entries.length === 0 || entries.length > TILE_WIDTH) throw new CoreError('ledger_malformed', `an entry bundle has 1 to ${TILE_WIDTH} entries`);
  return entries;
}

/**
 * The entries of a log of that size, read bundle by bundle; `read` answers null for a bundle that is not there.
 * @throws CoreError `ledger_malformed`, with the bundle's path, where a bundle is missing, does not parse, or has another number of entries.
 */
export async function* readEntries(size: number, read: (path: string) => Promise<Uint8Array | null>): AsyncGenerator<Uint8Array> {
  for (let index = 0; index * TILE_WIDTH < size; index += 1) {
    const path = entriesPath({ index, width: tileWidth(size, 0, index) });
    const bytes = await read(path);
    if (bytes === null) throw new CoreError('ledger_malformed', `${path} is missing`);
    let entries: Uint8Array[];
    try {
      entries = decodeEntryBundle(bytes);
    } catch (cause) {
      throw new CoreError('ledger_malformed', `${path} does not parse`, { cause });
    }
    if (entries.length !== tileWidth(size, 0, index)) throw new CoreError('ledger_malformed', `${path} has ${entries.length} entries`);
    yield* entries;
  }
}

/** Levels go to 63 in the format; our sizes are below 2^53. */
const MAX_LEVEL = 63;

/** Groups of three digits, all but the last after an `x`: 1234067 is `x001/x234/067`. */
function indexPath(index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) ?? [];
  return groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join('/');
}

function partial(width: number): string {
  return width === TILE_WIDTH ? '' : `.p/${width}`;
}

function checkAddress(level: number, index: number, width: number): void {
  const whole = [level, index, width].every((value) => Number.isSafeInteger(value) && value >= 0);
  if (!whole || level > MAX_LEVEL || width < 1 || width > TILE_WIDTH)
    throw new CoreError('invalid_argument', `there is no tile ${level}/${index} of width ${width}`);
}
