import type { JsonObject } from '@countersign/contracts';
import type { ClaimedDelivery, LeafRecord } from '../ports.js';
import { CoreError } from '../errors.js';
import type { FlowDeps } from './deps.js';
import { leafMaker, openPayload } from './record-key.js';

/** What came of one delivery attempt, as the ledger keeps it: the address is private, the rest is open. */
export interface AttemptFacts {
  result: string;
  status: number | null;
  /** `retry`, or the state in which the delivery ended. */
  next: string;
}

/**
 * The leaf of a delivery attempt.
 * @throws CoreError `payload_unreadable` when the delivery's request is not in the store or its payload was erased.
 */
export async function deliveryLeaf(deps: Pick<FlowDeps, 'sealer' | 'clock' | 'entropy'>, delivery: ClaimedDelivery, facts: AttemptFacts): Promise<LeafRecord> {
  const { tenant, request_id: id, sealed_payload } = delivery;
  if (sealed_payload === null) throw new CoreError('payload_unreadable', `The request of ${delivery.id} is not in the store.`);
  const { recordKey } = await openPayload(deps.sealer, { tenant, id, sealed_payload });
  const open: JsonObject = { delivery: delivery.id, attempt: delivery.attempt, event: delivery.event, ...facts };
  const target = delivery.target.kind === 'url' ? delivery.target.url : delivery.target.endpoint_id;
  return leafMaker(deps, { tenant, subject: id, recordKey })('delivery.attempted', deps.clock.now(), open, { target });
}
