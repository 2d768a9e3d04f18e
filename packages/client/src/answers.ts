import { ClientError } from './errors.js';
import type { ActionRequest, ActionRequestList, JsonValue, Outcome, RedeemAnswer } from './types.js';

/*
 * Answers are checked for what the client relies on; a service that adds members later is no fault.
 */

const STATUSES = new Set(['pending', 'approved', 'denied', 'expired', 'cancelled', 'revoked']);

/** @throws ClientError `unexpected_answer` */
export function readRequest(value: JsonValue): ActionRequest {
  const { id, status, action_digest, request_digest, url, expires_at, decisions, outcome } = objectOf(value, 'an action request');
  const sound =
    isId(id, 'ar_') &&
    isStatus(status) &&
    isDigest(action_digest) &&
    isDigest(request_digest) &&
    typeof url === 'string' &&
    typeof expires_at === 'string' &&
    Array.isArray(decisions);
  if (!sound || outcome === undefined) throw unexpected('an action request');
  if (outcome !== null) {
    const settled = readOutcome(outcome);
    if (settled.action_request !== id || settled.status !== status)
      throw new ClientError('digest_mismatch', 'The answer holds the outcome of another request.');
  } else if (status !== 'pending') throw unexpected('an action request with its outcome');
  // The members that decide were looked at above; the rest is shown, not judged.
  return value as unknown as ActionRequest;
}

/** @throws ClientError `unexpected_answer` */
export function readOutcome(value: JsonValue): Outcome {
  const { id, action_request, sequence, status, action_digest, request_digest, policy_digest, decisions, grant } = objectOf(value, 'an outcome');
  const sound =
    isId(id, 'out_') &&
    isId(action_request, 'ar_') &&
    typeof sequence === 'number' &&
    isStatus(status) &&
    status !== 'pending' &&
    [action_digest, request_digest, policy_digest].every(isDigest) &&
    Array.isArray(decisions);
  if (!sound || (grant !== undefined && typeof grant !== 'string')) throw unexpected('an outcome');
  // As in readRequest.
  return value as unknown as Outcome;
}

/** @throws ClientError `unexpected_answer` */
export function readRedemption(value: JsonValue): RedeemAnswer {
  const { grant_id, action_request, action_digest, redeemed_at } = objectOf(value, 'a redemption');
  if (!isId(grant_id, 'gr_') || !isId(action_request, 'ar_') || !isDigest(action_digest) || typeof redeemed_at !== 'string') throw unexpected('a redemption');
  return { grant_id, action_request, action_digest, redeemed_at };
}

/** @throws ClientError `unexpected_answer` */
export function readList(value: JsonValue): ActionRequestList {
  const { data, next_cursor } = objectOf(value, 'a list');
  if (!Array.isArray(data) || (next_cursor !== null && typeof next_cursor !== 'string')) throw unexpected('a list');
  return { data: data.map(readRequest), next_cursor };
}

/** @throws ClientError `unexpected_answer` */
export function objectOf(value: JsonValue, what: string): { [member: string]: JsonValue | undefined } {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw unexpected(what);
  return value;
}

export function unexpected(what: string): ClientError {
  return new ClientError('unexpected_answer', `What answered is not ${what}.`);
}

const isStatus = (value: JsonValue | undefined): boolean => typeof value === 'string' && STATUSES.has(value);
const isDigest = (value: JsonValue | undefined): value is string => typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value);
const isId = (value: JsonValue | undefined, prefix: string): value is string =>
  typeof value === 'string' && value.startsWith(prefix) && /^[a-z]+_[0-9a-f-]{36}$/.test(value);
