import type { ActionRequest, Card, DecisionView, DeliveryAnswer, JsonObject, Problem, Status, TimelineEvent, Verdict } from '@countersign/contracts';
import type { Given } from './decision-bar.js';

/** A refusal or fault that the API stated; its words are for the person. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export interface Me {
  type: string;
  person?: { id: string; email: string; name: string; groups: string[]; roles: string[] };
}

/** One callback on its way, with its attempts. */
export type Delivery = DeliveryAnswer;

export async function call<T>(method: string, path: string, body?: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'unreachable', 'Countersign does not answer. Is it running? Nothing was decided.');
  }
  if (response.status === 204) return undefined as T;
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer as T;
  const problem = answer as Partial<Problem> | null;
  throw new ApiError(response.status, problem?.code ?? 'unknown', problem?.detail ?? problem?.title ?? `The service answered ${response.status}.`);
}

export const api = {
  me: () => call<Me>('GET', '/v1/me'),
  signIn: (token: string) => call<Me>('POST', '/v1/sessions', { token }),
  list: (status: Status | null) => call<{ data: ActionRequest[] }>('GET', `/v1/action-requests?limit=100${status === null ? '' : `&status=${status}`}`),
  card: (id: string) => call<Card>('GET', `/v1/previews/web/${id}`),
  timeline: (id: string) => call<{ data: TimelineEvent[] }>('GET', `/v1/action-requests/${id}/events`),
  deliveries: (id: string) => call<{ data: Delivery[] }>('GET', `/v1/deliveries?action_request=${id}`),
  decide: (card: Card, verdict: Verdict, given: Given, passkey: string | null = null, mail: string | null = null) =>
    call<DecisionView>('POST', `/v1/action-requests/${card.request_id}/decisions`, {
      verdict,
      request_digest: card.request_digest,
      ...(given.reason.trim() === '' ? {} : { reason: given.reason.trim() }),
      ...(given.ticket.trim() === '' ? {} : { ticket: given.ticket.trim() }),
      ...(given.acknowledged.length === 0 ? {} : { acknowledged: given.acknowledged }),
      ...(given.delegate_for === null ? {} : { delegate_for: given.delegate_for }),
      ...(given.break_glass ? { break_glass: true } : {}),
      ...(given.ask_again === null ? {} : { ask_again: given.ask_again }),
      ...(given.alike === null ? {} : { alike: given.alike }),
      ...(passkey === null ? {} : { passkey }),
      ...(mail === null ? {} : { mail }),
    }),
  opened: ({ request_id, view_digest }: Card) => call<object>('POST', `/v1/action-requests/${request_id}/opened`, { view_digest }),
  ask: (id: string, text: string) => call<object>('POST', `/v1/action-requests/${id}/questions`, { text }),
  answer: (id: string, question: string, text: string) => call<object>('POST', `/v1/action-requests/${id}/questions/${question}/answers`, { text }),
  propose: (id: string, parameters: JsonObject, reason: string) =>
    call<object>('POST', `/v1/action-requests/${id}/proposals`, { parameters, ...(reason.trim() === '' ? {} : { reason: reason.trim() }) }),
  redrive: (delivery: string) => call<Delivery>('POST', `/v1/deliveries/${delivery}/redrive`, {}),
  revoke: (id: string) => call<ActionRequest>('POST', `/v1/action-requests/${id}/revoke`, {}),
};
