import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createPrivateKey, createPublicKey, sign, verify as nodeVerify } from 'node:crypto';
import type { LedgerTail } from '../ports.js';
import { fromHex, fromUtf8, utf8 } from '../request/bytes.js';
import { signCheckpoint } from './checkpoint.js';
import { noteVerifierKey, signNote } from './note.js';
import { consistencyProof, inclusionProof, verifyConsistency, type TileReader } from './proofs.js';
import { formatTlogProof, parseTlogProof, verifyTlogProof } from './receipt.js';
import { integrate } from './sequence.js';
import { encodeEntryBundle, encodeTile, entriesPath, partialTiles, readEntries, tilePath, tileWidth, type TileAddress } from './tiles.js';
import { rootOf, treeOfEntries } from './tree.js';
import { verifyLog, type LogToVerify, type LogVerdict } from './verify-log.js';

const verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
  nodeVerify(null, message, createPublicKey({ key: Buffer.concat([fromHex('302a300506032b6570032100'), publicKey]), format: 'der', type: 'spki' }), signature);

function keyOf(seed: number) {
  const der = Buffer.concat([fromHex('302e020100300506032b657004220420'), new Uint8Array(32).fill(seed)]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32));
  return { publicKey, sign: async (bytes: Uint8Array) => new Uint8Array(sign(null, bytes, privateKey)) };
}

const signer = keyOf(1);
const origin = 'approve.example.com/ledger/default';
const vkeys = [noteVerifierKey(origin, signer.publicKey)];
const entryOf = (index: number): Uint8Array => utf8(`{"entry":${index}}`);

/** A whole log as files: bundles and tiles by path, checkpoints in order. */
interface LogFiles {
  size: number;
  files: Map<string, Uint8Array>;
  checkpoints: Uint8Array[];
}

/** Writes a log by sequencing batch after batch, with a checkpoint each and the partial tiles of every checkpoint. */
async function writeLog(batches: readonly number[]): Promise<LogFiles> {
  const files = new Map<string, Uint8Array>();
  const checkpoints: Uint8Array[] = [];
  const levels: Uint8Array[][] = [];
  let tail: LedgerTail = { size: 0, frontier: new Uint8Array(0), leaves: [] };
  for (const batch of batches) {
    const leaves = Array.from({ length: batch }, (_, at) => ({ id: `leaf-${tail.size + at}`, bytes: entryOf(tail.size + at) }));
    const step = await integrate({ ...tail, leaves }, { origin, signer });
    expect(step.placed.map(({ position }) => position)).toEqual(leaves.map((_, at) => tail.size + at));
    for (const { hash } of step.placed) (levels[0] ??= []).push(hash);
    for (const { level, index, hash } of step.nodes) (levels[level] ??= [])[index] = hash;
    checkpoints.push(utf8(step.note));
    for (const tile of partialTiles(step.size)) files.set(tilePath(tile), tileOf(levels, tile));
    tail = { size: step.size, frontier: step.frontier, leaves: [] };
  }
  const { size } = tail;
  for (let level = 0; level < levels.length; level += 1) {
    for (let index = 0; tileWidth(size, level, index) === 256; index += 1)
      files.set(tilePath({ level, index, width: 256 }), tileOf(levels, { level, index, width: 256 }));
  }
  for (let index = 0; tileWidth(size, 0, index) > 0; index += 1) {
    const width = tileWidth(size, 0, index);
    const bundle = encodeEntryBundle(Array.from({ length: width }, (_, at) => entryOf(index * 256 + at)));
    files.set(entriesPath({ index, width }), bundle);
  }
  return { size, files, checkpoints };
}

const tileOf = (levels: Uint8Array[][], { level, index, width }: TileAddress): Uint8Array =>
  encodeTile((levels[level] ?? []).slice(index * 256, index * 256 + width));

const reader =
  (log: LogFiles): TileReader =>
  async (tile) =>
    log.files.get(tilePath(tile)) ?? null;

const check = (log: LogFiles, more: Partial<LogToVerify> = {}): Promise<LogVerdict> =>
  verifyLog({
    origin,
    vkeys,
    verify,
    entries: readEntries(log.size, async (path) => log.files.get(path) ?? null),
    checkpoints: log.checkpoints,
    tiles: reader(log),
    ...more,
  });

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  const at = Math.floor(bit / 8) % bytes.length;
  flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit % 8));
  return flipped;
}

/** The same log with other bytes in one place. */
const withFile = (log: LogFiles, path: string, bytes: Uint8Array): LogFiles => ({ ...log, files: new Map(log.files).set(path, bytes) });
const without = (log: LogFiles, path: string): LogFiles => ({ ...log, files: new Map([...log.files].filter(([name]) => name !== path)) });

const small = writeLog([1, 255, 44, 0, 300, 37]);

describe('the full check', () => {
  test('I10, I11: a log that was sequenced batch by batch is whole', async () => {
    const log = await small;
    const root = rootOf(await treeOfEntries(Array.from({ length: 637 }, (_, at) => entryOf(at))));
    // Tiles: 2 full, and the partial ones of six checkpoints at 1, 256, 300, 300, 600 and 637.
    expect(await check(log)).toEqual({ ok: true, size: 637, root, checkpoints: 6, tiles: 2 + 1 + 1 + 2 + 2 + 2 + 2 });
  });

  test('a log without entries is whole, one without a checkpoint is not', async () => {
    expect(await check(await writeLog([0]))).toMatchObject({ ok: true, size: 0, checkpoints: 1, tiles: 0 });
    expect(await check({ ...(await small), checkpoints: [] })).toMatchObject({ ok: false, fault: { kind: 'checkpoint', reason: 'missing' } });
  });

  test('I12: any flipped bit, anywhere, is found and its place is named', async () => {
    const log = await small;
    const paths = [...log.files.keys()];
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: paths.length + log.checkpoints.length - 1 }), fc.nat({ max: 8 * 8192 - 1 }), async (place, bit) => {
        const path = paths[place];
        if (path === undefined) {
          const ordinal = place - paths.length;
          const checkpoints = log.checkpoints.map((note, at) => (at === ordinal ? flip(note, bit) : note));
          expect(await check({ ...log, checkpoints })).toMatchObject({ ok: false, fault: { kind: 'checkpoint', ordinal } });
          return;
        }
        const bytes = log.files.get(path) ?? new Uint8Array(0);
        const verdict = await check(withFile(log, path, flip(bytes, bit)));
        expect(verdict).toMatchObject({ ok: false, fault: path.startsWith('tile/entries/') ? { kind: 'entry' } : { kind: 'tile', path, reason: 'altered' } });
      }),
      { numRuns: 400 },
    );
  });

  test('I12: a flipped bit inside an entry names that entry', async () => {
    const log = await small;
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 636 }), fc.nat(), async (index, bit) => {
        const entries = Array.from({ length: 637 }, (_, at) => (at === index ? flip(entryOf(at), bit) : entryOf(at)));
        expect(await check(log, { entries })).toMatchObject({ ok: false, fault: { kind: 'entry', index, reason: 'altered' } });
      }),
      { numRuns: 60 },
    );
  });

  test('I12: a log with three levels of tiles: a flipped bit on each level is found', async () => {
    const log = await writeLog([65_536, 300]);
    expect(await check(log)).toMatchObject({ ok: true, size: 65_836 });
    for (const path of ['tile/2/000.p/1', 'tile/1/000', 'tile/1/001.p/1', 'tile/0/128', 'tile/0/257.p/44']) {
      const bytes = log.files.get(path) ?? new Uint8Array(0);
      expect(await check(withFile(log, path, flip(bytes, 77)))).toMatchObject({ ok: false, fault: { kind: 'tile', path, reason: 'altered' } });
    }
  });

  test('what is missing, cut off, too much or out of order is found', async () => {
    const log = await small;
    const entries = Array.from({ length: 638 }, (_, at) => entryOf(at));
    expect(await check(log, { entries: entries.slice(0, 636) })).toMatchObject({ fault: { kind: 'entry', index: 636, reason: 'missing' } });
    expect(await check(log, { entries })).toMatchObject({ fault: { kind: 'entry', index: 637, reason: 'not_covered' } });
    expect(await check(log, { entries: entries.toSpliced(5, 1) })).toMatchObject({ fault: { kind: 'entry', index: 5, reason: 'altered' } });
    expect(await check(without(log, 'tile/0/001'))).toMatchObject({ fault: { kind: 'tile', path: 'tile/0/001', reason: 'missing' } });
    expect(await check(without(log, 'tile/1/000.p/2'))).toMatchObject({ fault: { kind: 'tile', path: 'tile/1/000.p/2', reason: 'missing' } });
    expect(await check(without(log, 'tile/entries/001'))).toMatchObject({
      fault: { kind: 'entry', index: 256, reason: 'unreadable', detail: 'tile/entries/001 is missing' },
    });
    const short = log.files.get('tile/0/001')?.slice(0, 8191) ?? new Uint8Array(0);
    expect(await check(withFile(log, 'tile/0/001', short))).toMatchObject({ fault: { kind: 'tile', path: 'tile/0/001', reason: 'altered' } });
    // A partial tile of an old checkpoint may be gone.
    expect(await check(without(log, 'tile/0/001.p/44'))).toMatchObject({ ok: true });
    expect(await check({ ...log, checkpoints: [...log.checkpoints.slice(2, 3), ...log.checkpoints.slice(1)] })).toMatchObject({
      fault: { kind: 'checkpoint', ordinal: 1, size: 256, reason: 'shrunk' },
    });
  });

  test('I11: a checkpoint of another history is found though our key signed it', async () => {
    const log = await small;
    const forked = utf8(await signCheckpoint({ origin, size: 300, root: new Uint8Array(32) }, signer));
    expect(await check({ ...log, checkpoints: log.checkpoints.with(2, forked) })).toMatchObject({
      fault: { kind: 'checkpoint', ordinal: 2, size: 300, reason: 'other_root' },
    });
  });

  test('a signature that no given key explains is not passed over', async () => {
    const log = await small;
    const last = fromUtf8(log.checkpoints[5] ?? new Uint8Array(0));
    const witness = { name: 'witness.example', key: keyOf(2) };
    const cosigned = await signNote(last.slice(0, last.lastIndexOf('\n\n') + 1), [{ name: origin, key: signer }, witness]);
    const checkpoints = log.checkpoints.with(5, utf8(cosigned));
    expect(await check({ ...log, checkpoints })).toMatchObject({ fault: { kind: 'checkpoint', ordinal: 5, size: 637, reason: 'unknown_signature' } });
    expect(await check({ ...log, checkpoints }, { vkeys: [...vkeys, noteVerifierKey(witness.name, witness.key.publicKey)] })).toMatchObject({ ok: true });
  });

  test('an entry can be looked at besides', async () => {
    const checkEntry = (entry: Uint8Array, index: number) => (index === 7 && fromUtf8(entry) === '{"entry":7}' ? 'its row says otherwise' : null);
    expect(await check(await small, { checkEntry })).toEqual({
      ok: false,
      fault: { kind: 'entry', index: 7, reason: 'refused', detail: 'its row says otherwise' },
    });
  });
});

describe('receipts', () => {
  test('E2: an entry is proven offline by one text, and no other entry by it', async () => {
    const log = await small;
    const checkpoint = fromUtf8(log.checkpoints[5] ?? new Uint8Array(0));
    const text = formatTlogProof({ index: 400, proof: await inclusionProof(400, 637, reader(log)), checkpoint });
    const expected = { origin, vkeys, verify };
    expect(text).toMatch(/^c2sp\.org\/tlog-proof@v1\nindex 400\n/);
    expect(await verifyTlogProof(text, entryOf(400), expected)).toMatchObject({ ok: true, index: 400, checkpoint: { size: 637 } });
    expect(await verifyTlogProof(text.replace('\nindex', '\nextra AAAA\nindex'), entryOf(400), expected)).toMatchObject({ ok: true });
    expect(await verifyTlogProof(text, entryOf(401), expected)).toEqual({ ok: false, reason: 'not_included' });
    expect(await verifyTlogProof(text.replace('index 400', 'index 401'), entryOf(400), expected)).toEqual({ ok: false, reason: 'not_included' });
    expect(await verifyTlogProof(text.replace('\n637\n', '\n638\n'), entryOf(400), expected)).toEqual({ ok: false, reason: 'bad_signature' });
    for (const other of [
      '',
      text.replace('@v1', '@v2'),
      text.replace('index 400', 'index 0400'),
      text.replace('\n\n', '\n'),
      text.replace('index 400\n', 'index 400\nAAAA\n'),
    ]) {
      expect(await verifyTlogProof(other, entryOf(400), expected)).toEqual({ ok: false, reason: 'malformed' });
    }
    expect(parseTlogProof(text).checkpoint).toBe(checkpoint);
  });

  test('a tree of one entry needs no hashes', async () => {
    const log = await writeLog([1]);
    const text = formatTlogProof({ index: 0, proof: [], checkpoint: fromUtf8(log.checkpoints[0] ?? new Uint8Array(0)) });
    expect(await verifyTlogProof(text, entryOf(0), { origin, vkeys, verify })).toMatchObject({ ok: true });
  });

  test('I11: the stored tiles prove each checkpoint to be a beginning of the last', async () => {
    const log = await small;
    const rootAt = async (size: number) => rootOf(await treeOfEntries(Array.from({ length: size }, (_, at) => entryOf(at))));
    for (const from of [1, 256, 300, 600, 637]) {
      const claim = { from, fromRoot: await rootAt(from), to: 637, toRoot: await rootAt(637), proof: await consistencyProof(from, 637, reader(log)) };
      expect(verifyConsistency(claim)).toBe(true);
    }
  });
});
