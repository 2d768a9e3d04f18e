import type { CallbackEvent, EndpointFormat } from '@countersign/contracts';
import { callbackBytes, type RequestCallback } from '../outcome/index.js';
import type { ActionRequestRecord, DeliveryRecord, OutcomeRecord } from '../ports.js';
import { newId } from '../request/index.js';
import type { FlowDeps } from './deps.js';

/** What the callback of a request wants to hear, and how it counts. */
export interface CallbackPlan {
  wants(event: CallbackEvent): boolean;
  format: EndpointFormat;
  /** The number of the last event; the next one's is one more. */
  last: number;
}

/** A bare URL is told of outcomes; what else happens is for endpoints that ask for it. */
const OUTCOMES: readonly CallbackEvent[] = ['outcome.settled', 'outcome.revoked'];

/** Reads it for a request as a commit is planned. A registered endpoint's filter counts as it stands now. */
export async function callbackPlan(
  deps: Pick<FlowDeps, 'requests'>,
  request: Pick<ActionRequestRecord, 'tenant' | 'id' | 'callback'>,
  outcomes: readonly Pick<OutcomeRecord, 'sequence'>[],
): Promise<CallbackPlan> {
  const { callback } = request;
  const told = outcomes.at(-1)?.sequence ?? 0;
  if (callback?.kind !== 'endpoint') return { wants: (event) => callback !== null && OUTCOMES.includes(event), format: 'standard', last: told };
  const { events, format, last_sequence } = await deps.requests.subscription({
    tenant: request.tenant,
    endpoint_id: callback.endpoint_id,
    request_id: request.id,
  });
  return { wants: (event) => events.includes(event), format, last: Math.max(told, last_sequence) };
}

/** The row that takes an event to the request's callback, its bytes sealed; null where the request names no place. */
export async function deliveryOf(
  deps: Pick<FlowDeps, 'sealer' | 'entropy' | 'publicUrl'>,
  request: Pick<ActionRequestRecord, 'tenant' | 'id' | 'callback' | 'requester'>,
  format: EndpointFormat,
  callback: RequestCallback,
): Promise<DeliveryRecord | null> {
  if (request.callback === null) return null;
  const id = newId('msg', Date.parse(callback.timestamp), deps.entropy.bytes(10));
  const bytes = callbackBytes(callback, { format, id, source: deps.publicUrl, subject: request.id });
  return {
    id,
    request_id: request.id,
    api_key_id: request.requester.id,
    target: request.callback,
    sequence: callback.data.sequence,
    event: callback.type,
    format,
    created_at: callback.timestamp,
    sealed_body: await deps.sealer.seal({ tenant: request.tenant, table: 'deliveries', row: id, column: 'sealed_body' }, bytes),
  };
}
