import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { readEntries, tilePath } from '@countersign/core/ledger';
import { CliError, hasCode } from '../cli-error.js';
import { type LogSource, onlyLatest } from './log-source.js';

/** The files of an export; those of C2SP tlog-tiles by their names there. */
export const EXPORT_FILES = { checkpoint: 'checkpoint', checkpoints: 'checkpoints.jsonl', vkey: 'vkey', jwks: 'jwks.json' } as const;

/**
 * A log in a folder: an export, or a mirror that anybody made of the tiles.
 * @throws CliError `unusable` where there is no log
 */
export async function folderSource(folder: string): Promise<LogSource> {
  const file = (name: string): string => path.join(folder, ...name.split('/'));
  const latest = await readFile(file(EXPORT_FILES.checkpoint), 'utf8').catch((cause: unknown) => {
    throw new CliError('unusable', `${folder} holds no log: there is no file ${EXPORT_FILES.checkpoint} in it.`, { cause });
  });
  const read = (name: string): Promise<Uint8Array | null> => readIfThere(file(name));
  return {
    what: `the export ${folder}`,
    latest,
    checkpoints: () => checkpoints(file(EXPORT_FILES.checkpoints), latest),
    entries: (size) => readEntries(size, read),
    tiles: (tile) => read(tilePath(tile)),
    offeredKeys: async () => linesOf(await readIfThere(file(EXPORT_FILES.vkey))),
    async jwks() {
      const bytes = await readIfThere(file(EXPORT_FILES.jwks));
      // Shown and copied, never trusted.
      return bytes === null ? null : (JSON.parse(Buffer.from(bytes).toString('utf8')) as { keys: object[] });
    },
    close: () => Promise.resolve(),
  };
}

export function linesOf(bytes: Uint8Array | null): string[] {
  const text = bytes === null ? '' : Buffer.from(bytes).toString('utf8');
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** A JSON string a line, the oldest first. What is no JSON string is passed on as it stands: it will not verify, and is named so. */
async function* checkpoints(file: string, latest: string): AsyncGenerator<string> {
  if (
    !(await stat(file).then(
      () => true,
      () => false,
    ))
  )
    return yield* onlyLatest(latest);
  let last: string | null = null;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    last = noteOf(line);
    yield last;
  }
  if (last !== latest) yield latest;
}

function noteOf(line: string): string {
  try {
    const note: unknown = JSON.parse(line);
    return typeof note === 'string' ? note : line;
  } catch {
    return line;
  }
}

async function readIfThere(file: string): Promise<Uint8Array | null> {
  return readFile(file).catch((cause: unknown) => {
    if (hasCode(cause, 'ENOENT')) return null;
    throw new CliError('unusable', `${file} cannot be read.`, { cause });
  });
}
