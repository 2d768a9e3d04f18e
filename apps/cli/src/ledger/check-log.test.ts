import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeTile, integrate, leafHash, noteVerifierKey } from '@countersign/core/ledger';
import { utf8 } from '@countersign/core/request';
import { generateSeed, signerOf } from '@countersign/keys';
import { countersign } from '../testing/terminal.js';
import { exportLog } from './export-log.js';
import type { LogSource } from './log-source.js';

/*
 * Logs of any size and with any history, as an operator who holds the signing key could make them.
 */
const origin = 'approve.example.com/ledger/default';
const signer = signerOf(generateSeed());
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'countersign-log-'));
});
afterAll(() => rm(folder, { recursive: true }));

const entry = (index: number, word = 'approve'): Uint8Array => utf8(`entry ${index}: ${word}`);

/** A log of these entries with a checkpoint after each of the sizes. */
async function logOf(entries: readonly Uint8Array[], sizes: readonly number[], key = signer): Promise<LogSource> {
  let tail = { size: 0, frontier: new Uint8Array(0) as Uint8Array };
  const notes: string[] = [];
  const nodes: { level: number; index: number; hash: Uint8Array }[] = [];
  for (const size of sizes) {
    const step = await integrate({ ...tail, leaves: entries.slice(tail.size, size).map((bytes, at) => ({ id: String(at), bytes })) }, { origin, signer: key });
    tail = { size: step.size, frontier: step.frontier };
    notes.push(step.note);
    nodes.push(...step.nodes);
  }
  return {
    what: 'a made log',
    latest: notes.at(-1) ?? null,
    async *checkpoints() {
      yield* notes;
    },
    async *entries(size) {
      yield* entries.slice(0, size);
    },
    tiles: ({ level, index, width }) =>
      Promise.resolve(
        encodeTile(
          level === 0
            ? entries.slice(index * 256, index * 256 + width).map(leafHash)
            : nodes.filter((node) => node.level === level && node.index >= index * 256 && node.index < index * 256 + width).map(({ hash }) => hash),
        ),
      ),
    offeredKeys: () => Promise.resolve([noteVerifierKey(origin, key.publicKey)]),
    jwks: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
}

const many = (count: number): Uint8Array[] => Array.from({ length: count }, (_, index) => entry(index));
const place = (name: string): string => path.join(folder, name);
const verify = (name: string, ...args: string[]) => countersign(['ledger', 'verify', place(name), '--known', place('known.json'), ...args], { cwd: folder });

describe('a log seen again', () => {
  test('E2: a log of many tiles verifies from its export', async () => {
    const exported = await exportLog(await logOf(many(70_000), [1, 255, 256, 257, 65_536, 70_000]), place('large'));
    expect(exported).toEqual({ size: 70_000, checkpoints: 6, tiles: 277 });
    const said = await verify('large', '--vkey', noteVerifierKey(origin, signer.publicKey), '--known', place('large.json'));
    expect(said).toMatchObject({ code: 0, err: '' });
    expect(said.out).toContain('entries      70000, each hashed anew');
  });

  test('E2: history that was written anew and signed again is found by whoever saw the log before', async () => {
    await exportLog(await logOf(many(20), [5, 20]), place('seen'));
    expect(await verify('seen')).toMatchObject({ code: 0, out: expect.stringContaining('pinned now') });
    const rewritten = many(30).with(7, entry(7, 'deny'));
    await exportLog(await logOf(rewritten, [5, 30]), place('rewritten'));
    // It is consistent with itself: a stranger believes it.
    expect(await verify('rewritten', '--known', place('stranger.json'))).toMatchObject({ code: 0 });
    expect(await verify('rewritten')).toMatchObject({ code: 1, out: expect.stringContaining('other_root') });
    await exportLog(await logOf(many(30), [30]), place('grown'));
    expect(await verify('grown')).toMatchObject({ code: 0, out: expect.stringContaining('has grown from what was verified here before') });
    expect(await verify('seen')).toMatchObject({ code: 1, out: expect.stringContaining('the log has shrunk') });
  });

  test('E2: another key under the same name is not believed, until somebody gives it', async () => {
    const other = signerOf(generateSeed());
    await exportLog(await logOf(many(40), [40], other), place('other-key'));
    expect(await verify('other-key')).toMatchObject({ code: 1, out: expect.stringContaining('no_known_signature') });
    const keys = [signer, other].flatMap(({ publicKey }) => ['--vkey', noteVerifierKey(origin, publicKey)]);
    expect(await verify('other-key', ...keys)).toMatchObject({ code: 0 });
    expect(await verify('other-key')).toMatchObject({ code: 0 });
  });

  test('what is no log, no key or no empty folder is said, and judges nothing', async () => {
    expect(await verify('nowhere')).toMatchObject({ code: 2, out: '', err: expect.stringContaining('holds no log') });
    expect(await verify('grown', '--vkey', 'somebody+00000000+AAAA')).toMatchObject({ code: 2, err: expect.stringContaining('is no verifier key') });
    await expect(exportLog(await logOf(many(2), [2]), place('grown'))).rejects.toMatchObject({ code: 'unusable' });
    await expect(exportLog(await logOf([], []), place('empty'))).rejects.toMatchObject({ code: 'unusable' });
    expect(await verify('grown', '--url', 'http://localhost:1')).toMatchObject({ code: 2, err: expect.stringContaining('Name one place') });
  });
});
