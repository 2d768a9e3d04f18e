import { CoreError } from '../errors.js';
import { verifyCheckpoint, type Checkpoint, type CheckpointVerdict } from './checkpoint.js';
import { HASH_BYTES, leafHash, sameBytes } from './hashing.js';
import type { Ed25519Verify } from './note.js';
import { inclusionProof, verifyInclusion, type TileReader } from './proofs.js';
import { encodeTile, MAX_ENTRY_BYTES, partialTiles, TILE_WIDTH, tilePath, type TileAddress } from './tiles.js';
import { CompactRange, emptyTree } from './tree.js';

/** A whole log, and whom to trust about it. */
export interface LogToVerify {
  readonly origin: string;
  /** Verifier keys `name+hash+base64` that may sign for the log, old ones too, and those of its witnesses. */
  readonly vkeys: readonly string[];
  readonly verify: Ed25519Verify;
  /** Every entry's bytes, in order. */
  readonly entries: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Every signed checkpoint that is kept, the oldest first. The last one covers all entries. */
  readonly checkpoints: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;
  /** The hash tiles. All full ones must be there, and the partial ones of the last checkpoint; those of earlier checkpoints are checked where they are kept. */
  readonly tiles: TileReader;
  /** Looks at an entry besides (does its database row agree?); a text says what is wrong with it. */
  readonly checkEntry?: (entry: Uint8Array, index: number) => string | null | Promise<string | null>;
}

/** The first place that is wrong. `ordinal` counts checkpoints from 0; `size` is null where the checkpoint cannot be believed so far. */
export type LogFault =
  | {
      readonly kind: 'entry';
      readonly index: number;
      readonly reason: 'altered' | 'missing' | 'unreadable' | 'too_long' | 'not_covered' | 'refused';
      readonly detail: string;
    }
  | { readonly kind: 'tile'; readonly path: string; readonly reason: 'altered' | 'missing'; readonly detail: string }
  | {
      readonly kind: 'checkpoint';
      readonly ordinal: number;
      readonly size: number | null;
      readonly reason: Exclude<CheckpointVerdict, { ok: true }>['reason'] | 'unknown_signature' | 'missing' | 'shrunk' | 'other_root';
      readonly detail: string;
    };

export type LogVerdict =
  | { readonly ok: true; readonly size: number; readonly root: Uint8Array; readonly checkpoints: number; readonly tiles: number }
  | { readonly ok: false; readonly fault: LogFault };

/**
 * The full check of a log (I10, I11, I12): hashes every entry anew, compares every hash tile with what the entries say, and every checkpoint's
 * root with the tree over the entries up to its size, so that all checkpoints are consistent with each other; verifies every signature, and
 * accepts none that it cannot verify. A root check alone would not do: it passes over a tile that it does not need.
 *
 * Reads entries and checkpoints once, as streams; holds one tile of hashes per level, whatever the length of the log.
 * @throws what the sources throw, but for CoreErrors of the entries, which are faults of the log; CoreError `ledger_malformed` for a verifier key that is none.
 */
export async function verifyLog(log: LogToVerify): Promise<LogVerdict> {
  const walk = new Walk(log);
  try {
    return await walk.run();
  } catch (error) {
    if (error instanceof Found) return { ok: false, fault: error.fault };
    throw error;
  } finally {
    await walk.close();
  }
}

/** Ends the walk at the first fault; never leaves this file. */
class Found extends Error {
  constructor(readonly fault: LogFault) {
    super(fault.detail);
  }
}

class Walk {
  readonly #checkpoints: Iterator<string | Uint8Array> | AsyncIterator<string | Uint8Array>;
  readonly #range = new CompactRange(emptyTree);
  /** Per tile level, the hashes after the last full tile. */
  readonly #open: Uint8Array[][] = [[]];
  /** The checkpoint that the entries have not reached yet, or that is being checked. */
  #next: Checkpoint | null = null;
  #ordinal = -1;
  #tiles = 0;

  constructor(private readonly log: LogToVerify) {
    const { checkpoints } = log;
    this.#checkpoints = Symbol.asyncIterator in checkpoints ? checkpoints[Symbol.asyncIterator]() : checkpoints[Symbol.iterator]();
  }

  async run(): Promise<LogVerdict> {
    await this.#readCheckpoint();
    if (this.#next === null) this.#found({ kind: 'checkpoint', ordinal: 0, size: null, reason: 'missing', detail: 'the log has no checkpoint' });
    await this.#passCheckpoints();
    for await (const entry of this.#entries()) {
      await this.#entry(entry);
      await this.#passCheckpoints();
    }
    const { size } = this.#range;
    if (this.#next !== null) {
      this.#found({ kind: 'entry', index: size, reason: 'missing', detail: `the entries end at ${size}, a checkpoint covers ${this.#next.size}` });
    }
    return { ok: true, size, root: this.#range.root(), checkpoints: this.#ordinal, tiles: this.#tiles };
  }

  async close(): Promise<void> {
    await this.#checkpoints.return?.();
  }

  /** The entries; what does not parse is a fault of the place that could not be read. */
  async *#entries(): AsyncGenerator<Uint8Array> {
    try {
      yield* this.log.entries;
    } catch (error) {
      if (!(error instanceof CoreError)) throw error;
      this.#found({ kind: 'entry', index: this.#range.size, reason: 'unreadable', detail: error.message });
    }
  }

  async #entry(entry: Uint8Array): Promise<void> {
    const index = this.#range.size;
    if (this.#next === null) this.#found({ kind: 'entry', index, reason: 'not_covered', detail: `entry ${index} lies beyond the last checkpoint` });
    if (entry.length > MAX_ENTRY_BYTES) this.#found({ kind: 'entry', index, reason: 'too_long', detail: `entry ${index} has ${entry.length} bytes` });
    const refusal = (await this.log.checkEntry?.(entry, index)) ?? null;
    if (refusal !== null) this.#found({ kind: 'entry', index, reason: 'refused', detail: refusal });
    const hash = leafHash(entry);
    this.#hashes(0).push(hash);
    for (const node of this.#range.append(hash)) this.#hashes(node.level).push(node.hash);
    for (let level = 0; this.#hashes(level).length === TILE_WIDTH; level += 1) {
      // The tile's own root went to the level above when its last hash came.
      const tileIndex = Math.floor(this.#range.size / TILE_WIDTH ** (level + 1)) - 1;
      await this.#tile({ level, index: tileIndex, width: TILE_WIDTH }, true);
      this.#open[level] = [];
    }
  }

  /** Checks every checkpoint of the size that the entries have reached. */
  async #passCheckpoints(): Promise<void> {
    while (this.#next !== null && this.#next.size <= this.#range.size) {
      const checkpoint = this.#next;
      const place = { kind: 'checkpoint', ordinal: this.#ordinal, size: checkpoint.size } as const;
      if (checkpoint.size < this.#range.size)
        this.#found({ ...place, reason: 'shrunk', detail: `a checkpoint of ${checkpoint.size} follows one of ${this.#range.size}` });
      const kept = this.#ordinal;
      await this.#readCheckpoint();
      // The tiles first: where both are wrong, a tile says more precisely where.
      for (const tile of partialTiles(checkpoint.size)) await this.#tile(tile, this.#next === null, checkpoint);
      if (!sameBytes(this.#range.root(), checkpoint.root)) {
        this.#found({
          ...place,
          ordinal: kept,
          reason: 'other_root',
          detail: `the checkpoint of ${checkpoint.size} states another root than the entries have`,
        });
      }
    }
  }

  /** Makes the next checkpoint, verified, the one to reach; null after the last. */
  async #readCheckpoint(): Promise<void> {
    const read = await this.#checkpoints.next();
    this.#ordinal += 1;
    this.#next = null;
    if (read.done === true) return;
    const verdict = await verifyCheckpoint(read.value, this.log);
    const place = { kind: 'checkpoint', ordinal: this.#ordinal } as const;
    if (!verdict.ok)
      this.#found({ ...place, size: null, reason: verdict.reason, detail: `checkpoint number ${this.#ordinal} does not verify: ${verdict.reason}` });
    if (verdict.unknown > 0) {
      const { size } = verdict.checkpoint;
      this.#found({ ...place, size, reason: 'unknown_signature', detail: `the checkpoint of ${size} has a signature that no given key explains` });
    }
    this.#next = verdict.checkpoint;
  }

  /** Compares a tile with the hashes that the entries gave. */
  async #tile(tile: TileAddress, required: boolean, checkpoint = this.#next): Promise<void> {
    const path = tilePath(tile);
    const computed = this.#hashes(tile.level);
    const stored = await this.log.tiles(tile);
    if (stored === null) {
      if (required) this.#found({ kind: 'tile', path, reason: 'missing', detail: `${path} is missing` });
      return;
    }
    this.#tiles += 1;
    if (sameBytes(stored, encodeTile(computed))) return;
    const at = computed.findIndex((hash, position) => !sameBytes(hash, stored.subarray(position * HASH_BYTES, (position + 1) * HASH_BYTES)));
    const index = tile.index * TILE_WIDTH + at;
    // An entry and its hash disagree. The signed root says which of the two is wrong; a tile above level 0 has true tiles below it.
    if (
      tile.level === 0 &&
      at >= 0 &&
      checkpoint !== null &&
      (await this.#isVouched(index, checkpoint, stored.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES)))
    ) {
      this.#found({ kind: 'entry', index, reason: 'altered', detail: `entry ${index} is not the one that was logged` });
    }
    this.#found({ kind: 'tile', path, reason: 'altered', detail: `${path} has not the hashes that the entries have` });
  }

  /** Whether the stored tiles lead from that leaf hash to the signed root. */
  async #isVouched(index: number, { size, root }: Checkpoint, hash: Uint8Array): Promise<boolean> {
    try {
      return verifyInclusion({ leafHash: hash, index, size, root, proof: await inclusionProof(index, size, this.log.tiles) });
    } catch (error) {
      if (error instanceof CoreError) return false;
      throw error;
    }
  }

  #hashes(level: number): Uint8Array[] {
    return (this.#open[level] ??= []);
  }

  #found(fault: LogFault): never {
    throw new Found(fault);
  }
}
