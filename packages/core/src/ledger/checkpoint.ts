import { CoreError } from '../errors.js';
import type { Signer } from '../ports.js';
import { base64, fromBase64, hasLoneSurrogate } from '../request/bytes.js';
import { HASH_BYTES } from './hashing.js';
import { signNote, verifySignedNote, type Ed25519Verify } from './note.js';

/** What a log says of itself at a size (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** The log's identity, by custom its URL without the scheme: `approve.example.com/ledger/default`. */
  readonly origin: string;
  /** The number of entries. */
  readonly size: number;
  readonly root: Uint8Array;
  /** Opaque lines, none of them empty. */
  readonly extensions?: readonly string[];
}

export type CheckpointVerdict =
  | { readonly ok: true; readonly checkpoint: Checkpoint; readonly by: readonly string[]; readonly unknown: number }
  | { readonly ok: false; readonly reason: 'malformed' | 'no_known_signature' | 'bad_signature' | 'other_origin' };

/** The note text of a checkpoint: origin, size and base64 root, one a line, then the extension lines. */
export function formatCheckpoint({ origin, size, root, extensions = [] }: Checkpoint): string {
  if (![origin, ...extensions].every(isLine)) throw new CoreError('invalid_argument', 'origin and extensions are lines that are not empty');
  if (!Number.isSafeInteger(size) || size < 0 || root.length !== HASH_BYTES)
    throw new CoreError('invalid_argument', 'a checkpoint has a size and a root of 32 bytes');
  return [origin, String(size), base64(root), ...extensions].map((line) => `${line}\n`).join('');
}

/**
 * The checkpoint that a note's text states. Only canonical text is read: one checkpoint, one spelling.
 * @throws CoreError `ledger_malformed`
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  const end = lines.pop();
  const [origin, size, root, ...extensions] = lines;
  if (end !== '' || origin === undefined || size === undefined || root === undefined || !/^(0|[1-9]\d{0,15})$/.test(size)) throw malformed();
  try {
    const checkpoint = { origin, size: Number(size), root: fromBase64(root), ...(extensions.length === 0 ? {} : { extensions }) };
    // Refuses what a checkpoint cannot hold: empty lines, roots of another length, sizes beyond 2^53.
    if (formatCheckpoint(checkpoint) !== text) throw malformed();
    return checkpoint;
  } catch (cause) {
    throw malformed(cause);
  }
}

/** The checkpoint as a signed note; the key's name is the origin. */
export function signCheckpoint(checkpoint: Checkpoint, key: Pick<Signer, 'publicKey' | 'sign'>): Promise<string> {
  return signNote(formatCheckpoint(checkpoint), [{ name: checkpoint.origin, key }]);
}

/**
 * Verifies a signed checkpoint of the log `origin`. At least one of the keys must have signed it.
 * @throws CoreError `ledger_malformed` for a verifier key that is none.
 */
export async function verifyCheckpoint(
  note: string | Uint8Array,
  expected: { origin: string; vkeys: string | readonly string[]; verify: Ed25519Verify },
): Promise<CheckpointVerdict> {
  const verdict = await verifySignedNote(note, expected.vkeys, expected.verify);
  if (!verdict.ok) return verdict;
  let checkpoint: Checkpoint;
  try {
    checkpoint = parseCheckpoint(verdict.text);
  } catch (error) {
    if (error instanceof CoreError) return { ok: false, reason: 'malformed' };
    throw error;
  }
  if (checkpoint.origin !== expected.origin) return { ok: false, reason: 'other_origin' };
  return { ok: true, checkpoint, by: verdict.by, unknown: verdict.unknown };
}

function isLine(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- the format forbids exactly these
  return text !== '' && !/[\u0000-\u001f]/.test(text) && !hasLoneSurrogate(text);
}

const malformed = (cause?: unknown): CoreError => new CoreError('ledger_malformed', 'this is not a checkpoint', { cause });
