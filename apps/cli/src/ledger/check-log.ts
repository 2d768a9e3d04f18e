import { CoreError } from '@countersign/core/errors';
import { type LogFault, parseCheckpoint, parseSignedNote, verifyCheckpoint, verifyLog } from '@countersign/core/ledger';
import { verifyEd25519 } from '@countersign/keys';
import type { LogSource } from './log-source.js';

export interface CheckedLog {
  /** Entries that the latest checkpoint covers. */
  size: number;
  /** Base64, as checkpoints write it. */
  root: string;
  checkpoints: number;
  tiles: number;
}

export type LogCheck = { ok: true; log: CheckedLog } | { ok: false; fault: LogFault | { kind: 'history'; detail: string } };

/** The origin that a checkpoint names; null where it is none. Nothing is verified. */
export function originOf(note: string): string | null {
  return claimOf(note)?.origin ?? null;
}

/**
 * Checks a whole log: every entry hashed anew, every hash tile, every checkpoint's signature, and that all checkpoints, also the one that
 * was seen last time, are of one history.
 */
export async function checkLog(source: LogSource, trusted: { origin: string; vkeys: readonly string[]; remembered: string | null }): Promise<LogCheck> {
  const { origin, vkeys, remembered } = trusted;
  const size = source.latest === null ? 0 : (claimOf(source.latest)?.size ?? 0);
  const earlier = remembered === null ? null : await verifyCheckpoint(remembered, { origin, vkeys, verify: verifyEd25519 });
  if (earlier?.ok === true && earlier.checkpoint.size > size) {
    return {
      ok: false,
      fault: {
        kind: 'history',
        detail: `the log has shrunk: it had ${earlier.checkpoint.size} entries when it was last verified and has ${size} now. It was cut, or an old backup was put back`,
      },
    };
  }
  const verdict = await verifyLog({
    origin,
    vkeys,
    verify: verifyEd25519,
    entries: source.entries(size),
    checkpoints: remembered === null || earlier?.ok !== true ? source.checkpoints() : withRemembered(source.checkpoints(), remembered, earlier.checkpoint.size),
    tiles: source.tiles,
  });
  if (!verdict.ok) return verdict;
  return { ok: true, log: { size: verdict.size, root: Buffer.from(verdict.root).toString('base64'), checkpoints: verdict.checkpoints, tiles: verdict.tiles } };
}

/** Puts the checkpoint that was seen before in its place by size. */
async function* withRemembered(checkpoints: AsyncIterable<string>, remembered: string, size: number): AsyncGenerator<string> {
  let waiting = true;
  for await (const note of checkpoints) {
    if (waiting && note === remembered) waiting = false;
    if (waiting && (claimOf(note)?.size ?? 0) >= size) {
      waiting = false;
      yield remembered;
    }
    yield note;
  }
  if (waiting) yield remembered;
}

function claimOf(note: string): { origin: string; size: number } | null {
  try {
    return parseCheckpoint(parseSignedNote(note).text);
  } catch (error) {
    if (error instanceof CoreError) return null;
    throw error;
  }
}
