import type { EventName, JsonObject } from '@countersign/contracts';
import { CoreError } from '../errors.js';
import { makeLeaf } from '../ledger/index.js';
import type { ActionRequestRecord, Entropy, LeafRecord, RequestPayload, SealContext, Sealer } from '../ports.js';
import { base64url, fromBase64url, fromUtf8, utf8 } from '../request/bytes.js';
import { newUuid } from '../request/ids.js';
import type { Instant } from '../request/instants.js';

/** The bytes of a record key. */
const RECORD_KEY_BYTES = 32;

/** A request's own key with what it protects: the payload, and the private parts of its ledger leaves. */
export interface OpenPayload {
  recordKey: Uint8Array;
  submission: RequestPayload['submission'];
  circumstances?: NonNullable<RequestPayload['circumstances']>;
}

const payloadContext = (tenant: string, requestId: string): SealContext => ({
  tenant,
  table: 'action_requests',
  row: requestId,
  column: 'sealed_payload',
});

export function newRecordKey(entropy: Entropy): Uint8Array {
  return entropy.bytes(RECORD_KEY_BYTES);
}

/** Seals what only the service may read: the record key and the unmasked submission. */
export function sealPayload(sealer: Sealer, tenant: string, requestId: string, payload: OpenPayload): Promise<Uint8Array> {
  const { recordKey, submission, circumstances } = payload;
  const text = JSON.stringify({ record_key: base64url(recordKey), submission, ...(circumstances === undefined ? {} : { circumstances }) });
  return sealer.seal(payloadContext(tenant, requestId), utf8(text));
}

/** @throws CoreError `payload_unreadable` when the payload was erased or does not open. */
export async function openPayload(sealer: Sealer, request: Pick<ActionRequestRecord, 'tenant' | 'id' | 'sealed_payload'>): Promise<OpenPayload> {
  try {
    const opened = await sealer.open(payloadContext(request.tenant, request.id), request.sealed_payload);
    // Sealed by sealPayload alone and authenticated with its place: its shape is ours.
    const payload = JSON.parse(fromUtf8(opened)) as RequestPayload;
    const { record_key, submission, circumstances } = payload;
    return { recordKey: fromBase64url(record_key), submission, ...(circumstances === undefined ? {} : { circumstances }) };
  } catch (cause) {
    throw new CoreError('payload_unreadable', `The payload of ${request.id} does not open.`, { cause });
  }
}

/**
 * Makes a request's ledger leaves: facts in the open, the rest committed to under the record's key and sealed beside.
 * `order` tells the leaves of one commit apart: they share their instant, and the ledger keeps them in this order.
 */
export function leafMaker(world: { entropy: Entropy; sealer: Sealer }, record: { tenant: string; subject: string; recordKey: Uint8Array }) {
  return (event: EventName, at: Instant, facts: JsonObject, details: JsonObject, order = 0): LeafRecord => {
    const id = newUuid(at, world.entropy.bytes(10), order);
    const bytes = makeLeaf({ id, event, at, tenant: record.tenant, subject: record.subject, facts, details, recordKey: record.recordKey });
    const context = leafContext(record.tenant, id);
    // makeLeaf has refused what JSON cannot say; the order of members is the commitment's business, not this copy's.
    return { id, event, at, subject: record.subject, bytes, sealed_private: world.sealer.sealUnder(record.recordKey, context, utf8(JSON.stringify(details))) };
  };
}

/** The place of a leaf's private part. */
export const leafContext = (tenant: string, leafId: string): SealContext => ({ tenant, table: 'ledger_leaves', row: leafId, column: 'sealed_private' });
