import type { EventName, JsonObject } from '@countersign/contracts';
import { makeLeaf } from '../ledger/index.js';
import type { LeafRecord } from '../ports.js';
import { base64url, canonicalJson, fromBase64url, fromUtf8, type Instant, newUuid, utf8 } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { leafContext, newRecordKey } from './record-key.js';

/**
 * The leaf of what belongs to no request: a freeze, a change of the configuration, a policy. Its details are private: sealed beside it with a
 * record key of the leaf's own, as `{ "record_key", "details" }` under the master key, since there is no request whose key it could be.
 */
export async function controlLeaf(
  deps: Pick<FlowDeps, 'entropy' | 'sealer'>,
  made: { event: EventName; at: Instant; tenant: string; subject: string; facts: JsonObject; details: JsonObject },
): Promise<LeafRecord> {
  const { event, at, tenant, subject, facts, details } = made;
  const recordKey = newRecordKey(deps.entropy);
  const id = newUuid(at, deps.entropy.bytes(10));
  const bytes = makeLeaf({ id, event, at, tenant, subject, facts, details, recordKey });
  const sealed_private = await deps.sealer.seal(leafContext(tenant, id), utf8(canonicalJson({ record_key: base64url(recordKey), details })));
  return { id, event, at, subject, bytes, sealed_private };
}

/** The private part of such a leaf, with the key that its commitment is under. */
export async function openControlLeaf(
  sealer: FlowDeps['sealer'],
  leaf: { id: string; tenant: string; sealed_private: Uint8Array },
): Promise<{ recordKey: Uint8Array; details: JsonObject }> {
  // Sealed by controlLeaf alone, and authenticated with its place.
  const opened = JSON.parse(fromUtf8(await sealer.open(leafContext(leaf.tenant, leaf.id), leaf.sealed_private))) as { record_key: string; details: JsonObject };
  return { recordKey: fromBase64url(opened.record_key), details: opened.details };
}
