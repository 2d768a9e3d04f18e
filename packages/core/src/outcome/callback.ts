import type { Callback, DecisionData, EndpointFormat, OpenedData, QuestionData } from '@countersign/contracts';
import { requestUrlOf } from '../card/url.js';
import type { ActionRequestRecord, DecisionRecord, DeliveryRecord, OutcomeRecord, QuestionRecord } from '../ports.js';
import { utf8 } from '../request/bytes.js';
import { canonicalJson } from '../request/canonical-json.js';
import { questionView } from './follow-ups.js';
import { decisionView } from './outcome.js';

/** Standard Webhooks: what is signed should be smaller than this, in bytes. */
export const CALLBACK_AIM_BYTES = 3_500;
/** What a reason is cut to where a callback would be larger; the API has the whole. In UTF-16 units. */
const SHORT_REASON = 160;

/** What a callback's envelope says besides its body. */
export interface Envelope {
  format: EndpointFormat;
  /** The message: webhook-id, and id of the CloudEvent. */
  id: string;
  /** The service's public address: where the event happened. */
  source: string;
  /** What it is about: the request, or the endpoint that is tested. */
  subject: string;
}

/**
 * The exact bytes of a callback: RFC 8785 canonical JSON, stored sealed, signed and sent verbatim. In the format `cloudevents` they are
 * a CloudEvent 1.0 in structured mode, with the same type, time and data.
 */
export function callbackBytes(callback: Callback, envelope: Envelope): Uint8Array {
  const whole = written(callback, envelope);
  return whole.length <= CALLBACK_AIM_BYTES ? whole : written(shortened(callback), envelope);
}

function written(callback: Callback, { format, id, source, subject }: Envelope): Uint8Array {
  if (format === 'standard') return utf8(canonicalJson(callback));
  const { type, timestamp, data } = callback;
  return utf8(canonicalJson({ specversion: '1.0', id, source, type, subject, time: timestamp, datacontenttype: 'application/json', data }));
}

/** People may write long reasons: what a callback needs of them is enough to recognise them. */
function shortened(callback: Callback): Callback {
  switch (callback.type) {
    case 'outcome.settled':
    case 'outcome.revoked':
      return { ...callback, data: { ...callback.data, decisions: callback.data.decisions.map(shortReason) } };
    case 'decision.recorded':
      return { ...callback, data: { ...callback.data, decision: shortReason(callback.data.decision) } };
    case 'action_request.opened':
    case 'question.asked':
    case 'endpoint.tested':
      return callback;
  }
}

/** A passkey's evidence is read through the API, with the receipt. */
function shortReason<T extends { reason: string | null; passkey?: unknown }>({ passkey: _evidence, ...rest }: T): T {
  // What is left out is optional wherever it stands.
  const decision = rest as unknown as T;
  const { reason } = decision;
  if (reason === null || reason.length <= SHORT_REASON) return decision;
  // Not in the middle of a surrogate pair: half of one is not JSON that can be digested.
  const cut = reason.slice(0, SHORT_REASON).replace(/[\ud800-\udbff]$/, '');
  return { ...decision, reason: `${cut}…` };
}

/** A callback that tells of a request. */
export type RequestCallback = Exclude<Callback, { type: 'endpoint.tested' }>;

export function outcomeCallback(outcome: OutcomeRecord, grant: string | null): RequestCallback {
  return {
    type: outcome.status === 'revoked' ? 'outcome.revoked' : 'outcome.settled',
    timestamp: outcome.settled_at,
    data: grant === null ? outcome.data : { ...outcome.data, grant },
  };
}

export function openedCallback(request: ActionRequestRecord, sequence: number, publicUrl: string): RequestCallback {
  const data: OpenedData = {
    action_request: request.id,
    sequence,
    status: request.status,
    action: request.view.action,
    action_digest: request.action_digest,
    request_digest: request.request_digest,
    policy_digest: request.policy_digest,
    effect: request.evaluation.effect,
    rules: request.evaluation.rules,
    url: requestUrlOf(publicUrl, request.id),
    created_at: request.created_at,
    expires_at: request.expires_at,
  };
  return { type: 'action_request.opened', timestamp: request.created_at, data };
}

export function questionCallback(request: ActionRequestRecord, question: QuestionRecord, sequence: number, publicUrl: string): RequestCallback {
  const { action_digest, request_digest } = request;
  const data: QuestionData = {
    action_request: request.id,
    sequence,
    action_digest,
    request_digest,
    question: questionView(question),
    answer_url: `${publicUrl}/v1/action-requests/${request.id}/questions/${question.id}/answers`,
  };
  return { type: 'question.asked', timestamp: question.asked_at, data };
}

export function decisionCallback(request: ActionRequestRecord, decision: DecisionRecord, sequence: number, waiting_for: string | null): RequestCallback {
  const { action_digest, request_digest } = request;
  const data: DecisionData = {
    action_request: request.id,
    sequence,
    action_digest,
    request_digest,
    policy_digest: decision.policy_digest,
    decision: decisionView(decision),
    waiting_for,
  };
  return { type: 'decision.recorded', timestamp: decision.decided_at, data };
}

/**
 * What counts as one endpoint for breaker, caps and disabling: a registered one, or of bare callback URLs each API key's origin and path.
 * Unique within a tenant.
 */
export function endpointKeyOf({ target, api_key_id }: Pick<DeliveryRecord, 'target' | 'api_key_id'>): string {
  if (target.kind === 'endpoint') return target.endpoint_id;
  const { origin, pathname } = new URL(target.url);
  return `${api_key_id} ${origin}${pathname}`;
}
