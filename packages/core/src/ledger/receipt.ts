import { CoreError } from '../errors.js';
import { base64, fromBase64 } from '../request/bytes.js';
import { verifyCheckpoint, type Checkpoint } from './checkpoint.js';
import { HASH_BYTES, leafHash } from './hashing.js';
import type { Ed25519Verify } from './note.js';
import { verifyInclusion } from './proofs.js';

const HEADER = 'c2sp.org/tlog-proof@v1';

/** An offline proof that an entry is in the log (C2SP tlog-proof). */
export interface TlogProof {
  readonly index: number;
  readonly proof: readonly Uint8Array[];
  /** The signed checkpoint, word for word. */
  readonly checkpoint: string;
}

export type TlogProofVerdict =
  | { readonly ok: true; readonly checkpoint: Checkpoint; readonly index: number }
  | { readonly ok: false; readonly reason: 'malformed' | 'no_known_signature' | 'bad_signature' | 'other_origin' | 'not_included' };

/** The proof as text, to be kept as `.tlog-proof`. */
export function formatTlogProof({ index, proof, checkpoint }: TlogProof): string {
  return `${[HEADER, `index ${index}`, ...proof.map(base64)].join('\n')}\n\n${checkpoint}`;
}

/**
 * Reads a proof; an `extra` line, which nothing authenticates, is passed over. Nothing is verified.
 * @throws CoreError `ledger_malformed`
 */
export function parseTlogProof(text: string): TlogProof {
  const blank = text.indexOf('\n\n');
  const [header, ...lines] = text.slice(0, Math.max(blank, 0)).split('\n');
  if (lines[0]?.startsWith('extra ')) lines.shift();
  const [, index] = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? '') ?? [];
  if (header !== HEADER || index === undefined || !Number.isSafeInteger(Number(index))) throw malformed();
  try {
    const proof = lines.map(fromBase64);
    if (proof.some((hash) => hash.length !== HASH_BYTES)) throw malformed();
    return { index: Number(index), proof, checkpoint: text.slice(blank + 2) };
  } catch (cause) {
    throw malformed(cause);
  }
}

/** Whether the text proves that the entry is in the log `origin`, as one of the keys has signed it. Needs nothing but its arguments. */
export async function verifyTlogProof(
  text: string,
  entry: Uint8Array,
  expected: { origin: string; vkeys: string | readonly string[]; verify: Ed25519Verify },
): Promise<TlogProofVerdict> {
  let parsed: TlogProof;
  try {
    parsed = parseTlogProof(text);
  } catch (error) {
    if (error instanceof CoreError) return { ok: false, reason: 'malformed' };
    throw error;
  }
  const verdict = await verifyCheckpoint(parsed.checkpoint, expected);
  if (!verdict.ok) return verdict;
  const { size, root } = verdict.checkpoint;
  const included = verifyInclusion({ leafHash: leafHash(entry), index: parsed.index, size, root, proof: parsed.proof });
  return included ? { ok: true, checkpoint: verdict.checkpoint, index: parsed.index } : { ok: false, reason: 'not_included' };
}

const malformed = (cause?: unknown): CoreError => new CoreError('ledger_malformed', 'this is not a tlog-proof', { cause });
