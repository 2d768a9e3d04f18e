import type { JsonObject, TimelineEvent } from '@countersign/contracts';
import { openLeaf } from '../ledger/index.js';
import type { ActionRequestRecord, LeafRecord, Sealer } from '../ports.js';
import { fromUtf8 } from '../request/bytes.js';
import { leafContext, openPayload } from './record-key.js';

/** A request's ledger entries as people read them: the facts of the leaf and, while its key exists, the private part. */
export async function timelineOf(
  sealer: Sealer,
  request: ActionRequestRecord,
  leaves: readonly (LeafRecord & { position: number | null })[],
): Promise<TimelineEvent[]> {
  const { recordKey } = await openPayload(sealer, request);
  return leaves.map((leaf) => {
    const { facts } = openLeaf(leaf.bytes);
    const details =
      leaf.sealed_private === null
        ? {}
        : // Sealed by leafMaker alone: a JSON object.
          (JSON.parse(fromUtf8(sealer.openUnder(recordKey, leafContext(request.tenant, leaf.id), leaf.sealed_private))) as JsonObject);
    return { id: leaf.id, event: leaf.event, at: leaf.at, ledger_index: leaf.position, detail: { ...facts, ...details } };
  });
}
