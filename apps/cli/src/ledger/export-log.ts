import { createWriteStream } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import path from 'node:path';
import {
  encodeEntryBundle,
  entriesPath,
  parseCheckpoint,
  parseSignedNote,
  partialTiles,
  TILE_WIDTH,
  tilePath,
  type TileAddress,
} from '@countersign/core/ledger';
import { CliError } from '../cli-error.js';
import { EXPORT_FILES } from './folder-source.js';
import type { LogSource } from './log-source.js';

export interface Exported {
  size: number;
  checkpoints: number;
  tiles: number;
}

/**
 * Writes a log as files: those of C2SP tlog-tiles by their names there, so that any static web server serves the folder as a log, and
 * beside them every checkpoint, the verifier keys and the JWKS. The checkpoint comes last: a folder that has one is whole.
 * @throws CliError `unusable` for an empty log or a folder that is not empty; CoreError `ledger_malformed` for a log that cannot be read
 */
export async function exportLog(source: LogSource, folder: string): Promise<Exported> {
  if (source.latest === null) throw new CliError('unusable', 'Nothing was logged yet.');
  const { size } = parseCheckpoint(parseSignedNote(source.latest).text);
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new CliError('unusable', `${folder} is not empty; an export goes into a folder of its own.`);
  const write = async (name: string, content: string | Uint8Array): Promise<void> => {
    const file = path.join(folder, ...name.split('/'));
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  };
  await writeEntries(source, size, write);
  let tiles = 0;
  for (const tile of tilesOf(size)) {
    const bytes = await source.tiles(tile);
    if (bytes === null) throw new CliError('unusable', `${tilePath(tile)} is missing: run countersign ledger verify.`);
    await write(tilePath(tile), bytes);
    tiles += 1;
  }
  const checkpoints = await writeCheckpoints(source, path.join(folder, EXPORT_FILES.checkpoints));
  await write(EXPORT_FILES.vkey, (await source.offeredKeys()).map((key) => `${key}\n`).join(''));
  const jwks = await source.jwks();
  if (jwks !== null) await write(EXPORT_FILES.jwks, `${JSON.stringify(jwks, null, 2)}\n`);
  await write(EXPORT_FILES.checkpoint, source.latest);
  return { size, checkpoints, tiles };
}

async function writeEntries(source: LogSource, size: number, write: (name: string, content: Uint8Array) => Promise<void>): Promise<void> {
  let bundle: Uint8Array[] = [];
  let index = 0;
  const flush = async (): Promise<void> => {
    await write(entriesPath({ index, width: bundle.length }), encodeEntryBundle(bundle));
    index += 1;
    bundle = [];
  };
  for await (const entry of source.entries(size)) {
    bundle.push(entry);
    if (bundle.length === TILE_WIDTH) await flush();
  }
  if (bundle.length > 0) await flush();
}

/** Every full tile of a log of that size, level by level, and its partial ones. */
function* tilesOf(size: number): Generator<TileAddress> {
  for (let level = 0, hashes = size; hashes >= TILE_WIDTH; level += 1, hashes = Math.floor(hashes / TILE_WIDTH)) {
    for (let index = 0; (index + 1) * TILE_WIDTH <= hashes; index += 1) yield { level, index, width: TILE_WIDTH };
  }
  yield* partialTiles(size);
}

async function writeCheckpoints(source: LogSource, file: string): Promise<number> {
  const out = createWriteStream(file);
  let count = 0;
  for await (const note of source.checkpoints()) {
    if (!out.write(`${JSON.stringify(note)}\n`)) await once(out, 'drain');
    count += 1;
  }
  out.end();
  await finished(out);
  return count;
}
