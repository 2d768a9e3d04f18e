import type { PolicyProblemView, ProblemCode, RefusalCode } from '@countersign/contracts';
import type { ProblemInput } from '@countersign/service';

/** A problem as a value, before it is written: handlers return it like any other answer. */
export interface Trouble {
  problem: ProblemCode;
  /** One or two sentences for the person who reads the answer; never a payload's value. */
  detail: string;
  /** Each bad member by JSON pointer (RFC 6901). */
  errors?: { pointer: string; detail: string }[];
  headers?: Record<string, string>;
  /** Of a policy bundle: each with file, line and column. */
  problems?: PolicyProblemView[];
}

/** The status and title of every problem (RFC 9457). Codes are stable; what a code means never changes. */
export const problemTable: Readonly<Record<ProblemCode, { status: number; title: string }>> = {
  self_approval: { status: 403, title: 'Nobody approves what they stand behind' },
  not_an_approver: { status: 403, title: 'Not an approver of this request' },
  account_inactive: { status: 403, title: 'The account is not active' },
  account_not_linked: { status: 403, title: 'The chat account is not linked to a person' },
  decider_not_allowed: { status: 403, title: 'This credential may not decide' },
  step_up_required: { status: 403, title: 'A passkey is needed' },
  not_the_requester: { status: 403, title: 'Only the requester can do that' },
  already_decided: { status: 409, title: 'Decided by this person already' },
  already_settled: { status: 409, title: 'Settled already' },
  expired: { status: 409, title: 'The time to decide is over' },
  policy_changed: { status: 409, title: 'Policy denies it now' },
  not_revocable: { status: 409, title: 'Nothing to revoke' },
  action_mismatch: { status: 422, title: 'Not the action that was looked at' },
  reason_required: { status: 422, title: 'A reason is needed' },
  ticket_required: { status: 422, title: 'A ticket is needed' },
  acknowledgement_required: { status: 422, title: 'Something must be confirmed first' },
  must_open: { status: 409, title: 'Everything must be opened first' },
  via_not_allowed: { status: 403, title: 'Not through this channel' },
  not_a_delegate: { status: 403, title: 'Not a stand-in for this person' },
  not_break_glass: { status: 403, title: 'No emergency road for this person' },
  too_early: { status: 409, title: 'Not yet' },
  frozen: { status: 423, title: 'Frozen' },
  alike_not_allowed: { status: 422, title: 'Such a pattern may not be approved' },
  bulk_not_allowed: { status: 422, title: 'Not together with others' },
  counter_not_allowed: { status: 422, title: 'Such a counter-proposal may not be made' },
  delegation_not_allowed: { status: 422, title: 'Such a stand-in may not be named' },
  not_a_reviewer: { status: 403, title: 'Not a reviewer of this approval' },
  already_reviewed: { status: 409, title: 'Reviewed already' },
  already_answered: { status: 409, title: 'Answered already' },
  too_many: { status: 409, title: 'Too many of these' },
  invalid_dpop_proof: { status: 401, title: 'No proof of the key that the grant is bound to' },
  invalid_grant: { status: 401, title: 'Not a grant of ours' },
  grant_tenant_mismatch: { status: 403, title: 'A grant of another tenant' },
  grant_audience_mismatch: { status: 403, title: 'A grant for somebody else' },
  grant_expired: { status: 410, title: 'The grant has expired' },
  grant_revoked: { status: 410, title: 'The approval was revoked' },
  grant_already_redeemed: { status: 409, title: 'The grant was redeemed already' },
  not_approved: { status: 409, title: 'Not approved' },
  approval_over: { status: 410, title: 'The time to use the approval is over' },
  not_the_executor: { status: 403, title: 'Only who redeemed can do that' },
  not_redeemed: { status: 409, title: 'Nothing was redeemed' },
  already_reported: { status: 409, title: 'Another result was reported' },
  second_person_needed: { status: 403, title: 'Somebody else has to' },
  policy_invalid: { status: 422, title: 'The policy cannot be used' },
  already_lifted: { status: 409, title: 'Not in force any more' },
  receipt_not_ready: { status: 409, title: 'Not all of it is in the ledger yet' },
  not_found: { status: 404, title: 'Not found' },
  invalid_json: { status: 400, title: 'The body is not JSON that can be read in one way only' },
  invalid_query: { status: 400, title: 'The query does not fit' },
  invalid_body: { status: 422, title: 'The body does not fit' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  idempotency_key_missing: { status: 400, title: 'An Idempotency-Key is needed' },
  idempotency_key_invalid: { status: 400, title: 'The Idempotency-Key does not fit' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used with another body' },
  idempotency_in_progress: { status: 409, title: 'The first request with this Idempotency-Key is still running' },
  unauthenticated: { status: 401, title: 'Who are you?' },
  directory_owned: { status: 409, title: 'Another source of the directory says that' },
  last_administrator: { status: 409, title: 'Nobody would be left who administers' },
  forbidden: { status: 403, title: 'Not allowed' },
  actor_not_allowed: { status: 403, title: 'The API key may not speak for this actor' },
  action_not_allowed: { status: 403, title: 'The API key may not ask for this action' },
  environment_not_allowed: { status: 403, title: 'The API key may not name this environment' },
  environment_mismatch: { status: 422, title: 'Not the environment of this key or resource' },
  callback_not_allowed: { status: 422, title: 'Callbacks may not go there' },
  endpoint_unknown: { status: 422, title: 'No such endpoint' },
  place_not_allowable: { status: 422, title: 'This conversation is not one that is allowed' },
  endpoint_disabled: { status: 409, title: 'The endpoint is disabled' },
  not_redrivable: { status: 409, title: 'This delivery cannot go again' },
  passkey_refused: { status: 403, title: 'The passkey does not count' },
  reveal_not_allowed: { status: 403, title: 'Not for you to see' },
  mail_link_over: { status: 410, title: 'The link from the mail is over' },
  link_not_possible: { status: 409, title: 'The account cannot be linked' },
  code_wrong: { status: 403, title: 'Not the code that was sent' },
  rate_limited: { status: 429, title: 'Too many requests' },
  misdirected_request: { status: 421, title: 'This service is not that host' },
  cross_site_request: { status: 403, title: 'The request came from another site' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  unavailable: { status: 503, title: 'Not available for the moment' },
  internal: { status: 500, title: 'Something went wrong on our side' },
};

/** Whose words are the flow's: the refusal is the problem. */
export function refused(refusal: { code: RefusalCode; text: string }): Trouble {
  return trouble(refusal.code, refusal.text);
}

export function trouble(problem: ProblemCode, detail: string, more: Pick<Trouble, 'errors' | 'headers'> = {}): Trouble {
  // RFC 9110, section 15.5.2: a 401 says how to authenticate.
  const challenge = problemTable[problem].status === 401 ? { 'WWW-Authenticate': 'Bearer realm="countersign"' } : {};
  return { problem, detail, ...more, headers: { ...challenge, ...more.headers } };
}

export const notFound = (detail = 'There is nothing here, or you may not see it.'): Trouble => trouble('not_found', detail);

/** A problem as the service writes it (application/problem+json, RFC 9457). */
export function writable({ problem, ...rest }: Trouble): ProblemInput {
  return { code: problem, ...problemTable[problem], ...rest };
}

/**
 * The problem of something thrown: what says that a dependency is gone answers 503 and may be tried again, since each use
 * case is one transaction that happened or did not; everything else is a fault of ours.
 */
export function troubleOf(error: unknown): Trouble {
  if (isUnavailable(error)) {
    return trouble(
      'unavailable',
      'The service cannot answer this for the moment. Nothing was half done: try again, with the same Idempotency-Key where there is one.',
      { headers: { 'Retry-After': '2' } },
    );
  }
  return trouble('internal', 'Something failed on our side; the log of the service has it. Look what was done before you try again.');
}

/** What the store says when it is not there or does not know, and what the network says; looked for along the chain of causes. */
const GONE = new Set([
  'unavailable',
  'commit_unknown',
  'no_policy',
  'contention',
  'kms_unavailable',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

function isUnavailable(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    if ('code' in cause && typeof cause.code === 'string' && GONE.has(cause.code)) return true;
  }
  return false;
}
