import type { Client, SubmitOptions, WaitOptions } from './client.js';
import { ClientError, isRefusal } from './errors.js';
import { type FrozenAction, freezeAction } from './frozen-action.js';
import { readGrant, verifyGrant } from './grant.js';
import type { Action, ActionRequest, AskAgain, Decision, GrantClaims, Jwks, Report } from './types.js';

/** Why the action did not run; each is an answer, not a fault. */
export type NotRun =
  /** `ask_again` is there when whoever denied said whether asking again makes sense; `try_again` is the same in a word: anything but never. */
  | { kind: 'denied'; reason: string | null; decisions: Decision[]; try_again?: boolean; ask_again?: AskAgain; request: ActionRequest }
  | { kind: 'expired'; request: ActionRequest }
  | { kind: 'cancelled'; request: ActionRequest }
  | { kind: 'revoked'; request: ActionRequest }
  /** Nobody decided within `timeoutSeconds`; the request still waits, unless `cancelOnTimeout` took it back. */
  | { kind: 'timed_out'; request: ActionRequest };

export type GuardResult<T> =
  /** `reportError` is there when the action ran, but the service could not be told. */
  { kind: 'ran'; value: T; request: ActionRequest; reportError?: unknown } | NotRun;

export interface RunOptions {
  /** What the service is told of a run that succeeded, besides that it did. */
  report?: (value: unknown) => Omit<Report, 'result'>;
  signal?: AbortSignal;
}

export interface GuardOptions extends SubmitOptions, WaitOptions, RunOptions {
  signal?: AbortSignal;
  /** Called once with the request: its `url` is where people decide. */
  onSubmitted?(request: ActionRequest): void;
  /** When the signal ends the wait, take the request back. */
  cancelOnAbort?: boolean;
  /** When the time is over, take the request back. */
  cancelOnTimeout?: boolean;
}

/** What is pinned, so that no answer needs to be believed. */
export type Trust = { jwks: Jwks; issuer: string } | undefined;

export async function guard<A extends Action, T>(
  client: Client,
  trust: Trust,
  action: A,
  run: (action: Readonly<A>) => T | Promise<T>,
  options: GuardOptions,
): Promise<GuardResult<T>> {
  const { timeoutSeconds, onPending, onSubmitted, cancelOnAbort = false, cancelOnTimeout = false, report: _report, ...submit } = options;
  // Frozen before the first await: whoever holds the original can change it from here on.
  const frozen = freezeAction(action);
  const asked = await client.submit(frozen.action, submit);
  let settled: ActionRequest;
  try {
    onSubmitted?.(asked);
    settled = await client.wait(asked.id, {
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(onPending === undefined ? {} : { onPending }),
    });
  } catch (error) {
    if (cancelOnAbort && error instanceof ClientError && error.code === 'aborted') await client.withdraw(asked.id);
    throw error;
  }
  if (settled.status === 'pending') {
    if (!cancelOnTimeout) return { kind: 'timed_out', request: settled };
    const { request } = await client.withdraw(asked.id);
    return { kind: 'timed_out', request };
  }
  if (settled.request_digest !== asked.request_digest)
    throw new ClientError('digest_mismatch', 'The outcome is of another request than the one that was opened.');
  return runSettled(client, trust, settled, frozen, run, options);
}

export async function runApproved<A extends Action, T>(
  client: Client,
  trust: Trust,
  id: string,
  frozen: FrozenAction<A>,
  run: (action: Readonly<A>) => T | Promise<T>,
  options: RunOptions,
): Promise<GuardResult<T>> {
  const request = await client.get(id, options.signal === undefined ? {} : { signal: options.signal });
  if (request.status === 'pending') return { kind: 'timed_out', request };
  return runSettled(client, trust, request, frozen, run, options);
}

async function runSettled<A extends Action, T>(
  client: Client,
  trust: Trust,
  request: ActionRequest,
  frozen: FrozenAction<A>,
  run: (action: Readonly<A>) => T | Promise<T>,
  options: RunOptions,
): Promise<GuardResult<T>> {
  const refusal = notRun(request);
  if (refusal !== null) return refusal;
  const { outcome } = request;
  if (request.action_digest !== frozen.digest || outcome?.action_digest !== frozen.digest || outcome.request_digest !== request.request_digest) {
    throw new ClientError('digest_mismatch', 'What was approved is not the action at hand. It does not run.');
  }
  if (request.redeemed_at !== null) throw alreadyRedeemed(request);
  const spent = await spend(client, trust, request, outcome.grant, frozen);
  if (spent !== 'redeemed') return spent;

  let value: T;
  try {
    value = await run(frozen.action);
  } catch (error) {
    // Only the kind of error: its message may hold what nobody else should read. The run's own error matters more than a report that fails.
    await client.report(request.id, { result: 'failed', detail: error instanceof Error ? error.name : 'an error' }).catch(() => undefined);
    throw error;
  }
  const ran = { kind: 'ran' as const, value, request };
  try {
    await client.report(request.id, { ...options.report?.(value), result: 'succeeded' });
    return ran;
  } catch (reportError) {
    // It was told, and the answer got lost on its way.
    return isRefusal(reportError, 'already_reported') ? ran : { ...ran, reportError };
  }
}

function notRun(request: ActionRequest): NotRun | null {
  switch (request.status) {
    case 'approved':
      return null;
    case 'denied': {
      const { outcome } = request;
      const denial = outcome?.decisions.findLast(({ verdict }) => verdict === 'deny');
      const hint = outcome?.ask_again;
      return {
        kind: 'denied',
        reason: denial?.reason ?? outcome?.reason ?? request.evaluation.explanation,
        decisions: outcome?.decisions ?? [],
        ...(hint === undefined ? {} : { try_again: hint !== 'never', ask_again: hint }),
        request,
      };
    }
    case 'expired':
    case 'cancelled':
    case 'revoked':
      return { kind: request.status, request };
    default:
      return { kind: 'timed_out', request };
  }
}

/** Redeems, with one fresh grant where the first has run out. */
async function spend(client: Client, trust: Trust, request: ActionRequest, given: string | undefined, frozen: FrozenAction): Promise<'redeemed' | NotRun> {
  let grant = given;
  let fresh = false;
  for (;;) {
    try {
      if (grant === undefined) {
        fresh = true;
        grant = await client.grant(request.id);
      }
      const claims = await checkGrant(trust, request, grant, frozen);
      const answer = await client.redeem(grant, frozen.action);
      if (answer.action_request !== request.id || answer.grant_id !== claims.jti)
        throw new ClientError('digest_mismatch', 'The redemption is of another grant. It does not run.');
      return 'redeemed';
    } catch (error) {
      if (isRefusal(error, 'grant_already_redeemed')) throw alreadyRedeemed(request, error);
      if (isRefusal(error, 'grant_revoked')) return { kind: 'revoked', request };
      if (isRefusal(error, 'not_approved')) return notRun(await client.get(request.id)) ?? { kind: 'expired', request };
      if (isRefusal(error, 'policy_changed')) return { kind: 'denied', reason: error.problem.detail, decisions: request.decisions, request };
      const over = isRefusal(error, 'grant_expired') || (error instanceof ClientError && error.code === 'grant_expired');
      if (over && !fresh) {
        grant = undefined;
        continue;
      }
      // No fresh grant for an approval that has run out: the approval was not used in time.
      if (over || isRefusal(error, 'approval_over')) return { kind: 'expired', request };
      throw error;
    }
  }
}

/** The grant is this request's and for this action, before it is spent; with pinned keys, also that the service made it. */
async function checkGrant(trust: Trust, request: ActionRequest, grant: string, frozen: FrozenAction): Promise<GrantClaims> {
  const claims = readGrant(grant);
  if (claims.act_digest !== frozen.digest || claims.action_request !== request.id || claims.request_digest !== request.request_digest) {
    throw new ClientError('digest_mismatch', 'The grant is for another action than the one at hand. It does not run.');
  }
  // Whether the audience may redeem is the service's to judge; here the grant's own is taken, all else is held against what is pinned.
  if (trust !== undefined) await verifyGrant(grant, { ...trust, audience: claims.aud, action: frozen.action });
  return claims;
}

function alreadyRedeemed(request: ActionRequest, cause?: unknown): ClientError {
  return new ClientError(
    'already_redeemed',
    `The approval of ${request.id} was used before. Whether that run ended is for you to find out; it does not run again.`,
    cause === undefined ? {} : { cause },
  );
}
