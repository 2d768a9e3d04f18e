import { type JsonObject, type Receipt, RECEIPT_FORMAT } from '@countersign/contracts';
import { encodeTile, formatTlogProof, inclusionProof, noteVerifierKey, parseCheckpoint, parseSignedNote, type TileReader } from '../ledger/index.js';
import { reportView } from '../outcome/index.js';
import type { LedgerStore, RequestState } from '../ports.js';
import { base64, base64url, fromUtf8 } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { leafContext, openPayload } from './record-key.js';

/** `not_ready`: some of the request's entries have no place in the log yet, which takes moments. */
export type ReceiptOutcome = { kind: 'receipt'; receipt: Receipt } | { kind: 'not_ready' };

/** The keys that a receipt names: of grants and callbacks, and the raw ones of checkpoints. Retired ones too. */
export interface PublishedKeys {
  jwks: { keys: object[] };
  checkpoints: readonly Uint8Array[];
}

/**
 * The offline proof of a request as it stands: its entries with their proofs to the latest checkpoint, and the record's key, which opens
 * what they commit to. The key opens nothing else that anybody outside can reach.
 */
export async function receiptOf(
  deps: Pick<FlowDeps, 'requests' | 'sealer'> & { ledger: Pick<LedgerStore, 'checkpoint' | 'leafHashes' | 'nodeHashes'> },
  state: RequestState,
  keys: PublishedKeys,
): Promise<ReceiptOutcome> {
  const { request, outcomes, report } = state;
  const { tenant } = request;
  // In this order: what has a place now is covered by a checkpoint that is read later.
  const leaves = await deps.requests.timeline(tenant, request.id);
  const checkpoint = await deps.ledger.checkpoint(tenant);
  if (checkpoint === null || leaves.length === 0) return { kind: 'not_ready' };
  const { recordKey } = await openPayload(deps.sealer, request);
  const read = tileReader(deps.ledger, tenant);
  const entries: Receipt['entries'] = [];
  for (const { id, event, at, bytes, sealed_private, position } of leaves) {
    if (position === null) return { kind: 'not_ready' };
    const proof = await inclusionProof(position, checkpoint.size, read);
    // Sealed by leafMaker alone: a JSON object.
    const details =
      sealed_private === null ? {} : (JSON.parse(fromUtf8(deps.sealer.openUnder(recordKey, leafContext(tenant, id), sealed_private))) as JsonObject);
    entries.push({ index: position, event, at, leaf: base64(bytes), details, proof: formatTlogProof({ index: position, proof, checkpoint: checkpoint.note }) });
  }
  const { origin } = parseCheckpoint(parseSignedNote(checkpoint.note).text);
  return {
    kind: 'receipt',
    receipt: {
      format: RECEIPT_FORMAT,
      action_request: request.id,
      tenant,
      status: request.status,
      action_digest: request.action_digest,
      request_digest: request.request_digest,
      policy_digest: request.policy_digest,
      outcome: outcomes.at(-1)?.data ?? null,
      redeemed_at: request.redeemed_at,
      report: reportView(report),
      record_key: base64url(recordKey),
      log: { origin, size: checkpoint.size, checkpoint: checkpoint.note, vkeys: keys.checkpoints.map((key) => noteVerifierKey(origin, key)) },
      // A JWK's members are text (RFC 8037, section 2).
      jwks: { keys: keys.jwks.keys as Record<string, string>[] },
      entries,
    },
  };
}

/** Tiles as the log serves them, each read once: the proofs of one request share most of theirs. */
function tileReader(ledger: Pick<LedgerStore, 'leafHashes' | 'nodeHashes'>, tenant: string): TileReader {
  const known = new Map<string, Promise<Uint8Array>>();
  return ({ level, index, width }) => {
    const name = `${level}/${index}/${width}`;
    const [from, to] = [index * 256, index * 256 + width];
    const tile = known.get(name) ?? (level === 0 ? ledger.leafHashes(tenant, from, to) : ledger.nodeHashes(tenant, level, from, to)).then(encodeTile);
    known.set(name, tile);
    return tile;
  };
}
