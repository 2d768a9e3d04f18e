import type { Action, RedeemAnswer } from '@countersign/contracts';
import { type Refusal, refuse, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import type { ActionRequestRecord, Caller, ChangeCommit, DecidingContext } from '../ports.js';
import { epochMs, formatInstant, type Instant } from '../request/index.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { policyInput } from './open.js';
import { leafMaker, openPayload } from './record-key.js';
import { voidRequest } from './revoke.js';
import { digestOfAction } from './settle.js';

export type RedeemOutcome = { kind: 'redeemed'; answer: RedeemAnswer } | Refusal;

/**
 * Spends a grant, once. In this order it is refused: forged or malformed, of another tenant, for another audience, expired, revoked,
 * for another action, spent already, without a proof of the key that it is bound to. The one winner is found by compare-and-set on the request's row, which all grants of a request
 * share, in the one statement that also judges time by the database's clock and tells the ledger (A4, I9).
 */
export async function redeem(deps: FlowDeps, input: { caller: Caller; grant: string; action: Action; proof?: string | undefined }): Promise<RedeemOutcome> {
  const { caller } = input;
  if (!caller.rights.redeem) return refuse('invalid_grant', `The API key "${caller.name}" may not redeem grants.`);
  const claims = await deps.verifyGrant(input.grant);
  if (claims === null || claims.iss !== deps.publicUrl || isFromTheFuture(claims, deps)) {
    return refuse('invalid_grant', 'This is not a grant of ours, or it was altered.');
  }
  if (claims.tenant !== caller.tenant) return refuse('grant_tenant_mismatch', 'This grant is for a request of another tenant.');
  const proof = await proofProblem(deps, claims, input);
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.decidingContext({ tenant: claims.tenant, request_id: claims.action_request, person_id: null });
    if (context === null) return refuse('invalid_grant', 'This grant is for no request of ours.');
    if (!isAudience(claims.aud, caller, context.request, deps)) {
      return refuse('grant_audience_mismatch', 'This grant is not for you: only the caller that asked, or the named audience, redeems it.');
    }
    const { request } = context;
    const at = deps.clock.now();
    const refusal = refusalOf(claims, context, input.action, at);
    const payload = await openPayload(deps.sealer, request);
    const leaf = leafMaker(deps, { tenant: request.tenant, subject: request.id, recordKey: payload.recordKey });
    const policy = refusal === null ? await deniedNow(deps, context, payload.submission) : null;
    const refused = refusal ?? proof ?? policy;
    if (refused !== null) {
      await deps.requests.record(request.tenant, [leaf('grant.refused', at, { grant: claims.jti, code: refused.code }, { caller: caller.key_id })]);
      deps.announcer.announce('decisions');
      return refused;
    }
    const expiry = formatInstant(claims.exp * 1000);
    const commit: ChangeCommit = {
      tenant: request.tenant,
      request_id: request.id,
      from: { version: request.version, status: 'approved' },
      time: { before: expiry },
      acting_key: caller.key_id,
      set: { redeemed_at: at, redeemed_by: caller.key_id },
      cards: true,
      leaves: [leaf('grant.redeemed', at, { grant: claims.jti }, { caller: caller.key_id, action_digest: claims.act_digest })],
    };
    const result = await deps.requests.change(commit);
    if (result.kind === 'committed') {
      deps.announcer.announce('cards');
      deps.announcer.announce('decisions');
      return { kind: 'redeemed', answer: { grant_id: claims.jti, action_request: request.id, action_digest: claims.act_digest, redeemed_at: at } };
    }
    if (result.kind === 'time') return expired();
    if (result.kind === 'frozen') return refusals.frozen(result.freeze);
    if (result.kind === 'key_inactive') {
      if (result.whose === 'actor') return refuse('invalid_grant', `The API key "${caller.name}" is not live any more.`);
      // The next plan finds it revoked.
      await voidRequest(deps, request.tenant, request.id, 'The API key that asked was revoked.');
    }
  }
  throw new CoreError('contention', `${claims.action_request} changed ${MAX_PLANS} times while its grant was being redeemed.`);
}

/** A grant that is bound to a key needs a fresh proof of it (RFC 9449); null where there is one, or none is needed. */
async function proofProblem(deps: FlowDeps, claims: Claims, { grant, proof }: { grant: string; proof?: string | undefined }): Promise<Refusal | null> {
  if (claims.cnf === undefined) return null;
  if (proof === undefined) return refuse('invalid_dpop_proof', 'This grant is bound to a key: send a DPoP proof of it with the redemption.');
  const target = { tenant: claims.tenant, method: 'POST', path: '/v1/grants/redeem', grant, jkt: claims.cnf.jkt };
  const problem = deps.checkProof === undefined ? 'Proofs are not taken here.' : await deps.checkProof({ text: proof, ...target });
  return problem === null ? null : refuse('invalid_dpop_proof', problem);
}

type Claims = NonNullable<Awaited<ReturnType<FlowDeps['verifyGrant']>>>;

/** A grant for the service itself is the requester's alone; another audience is the API key that it names, by id or name. */
export function isAudience(audience: string, caller: Caller, request: ActionRequestRecord, deps: Pick<FlowDeps, 'publicUrl'>): boolean {
  if (request.grant_audience !== audience) return false;
  if (audience === deps.publicUrl) return request.requester.id === caller.key_id;
  return audience === caller.key_id || audience === caller.name;
}

function refusalOf(claims: Claims, context: DecidingContext, action: Action, now: Instant): Refusal | null {
  const { request, grant } = context;
  if (claims.cnf?.jkt !== request.grant_jkt) return refuse('invalid_grant', 'This grant is for no request of ours.');
  if (claims.request_digest !== request.request_digest || claims.policy_digest !== request.policy_digest)
    return refuse('invalid_grant', 'This grant is for no request of ours.');
  if (claims.exp * 1000 <= epochMs(now)) return expired();
  if (request.status === 'revoked') return refusals.grantRevoked();
  if (request.status !== 'approved' || grant === null) return refuse('invalid_grant', `The request is ${request.status}.`);
  const digest = digestOfAction(action);
  if (digest !== claims.act_digest || digest !== request.action_digest) {
    return refuse('action_mismatch', `This is not the action that was approved: its digest is ${digest}, the approved one is ${request.action_digest}.`);
  }
  return request.redeemed_at === null ? null : refusals.grantRedeemed(request.redeemed_at);
}

/** What the bundle in force denies does not run, also when it was approved under an older one. */
export async function deniedNow(deps: FlowDeps, context: DecidingContext, submission: Parameters<typeof policyInput>[0]): Promise<Refusal | null> {
  if (context.active_policy === context.request.policy_digest) return null;
  const bundle = await deps.policies.bundle(context.request.tenant, context.active_policy);
  const evaluation = bundle.evaluate({
    ...policyInput(submission, context.request.resolved.environment, deps.clock.now(), context.request.requester),
    // The highest class of its chain was settled when it was opened.
    chain: { reversibility: context.request.resolved.reversibility },
  });
  // A rule of deny with a glass to break denies what was approved by another road.
  const behindGlass = evaluation.requirement?.break_glass?.only === true && context.request.requirement?.break_glass?.only !== true;
  return evaluation.effect === 'deny' || behindGlass ? refusals.policyChanged(`rule ${evaluation.rules.join(', ')}`) : null;
}

/** A clock of ours may be ahead of another, not by more than this. */
const MAX_SKEW_SECONDS = 60;

/** A grant that was issued later than now was not issued by us, or by a clock that is not to be believed. */
const isFromTheFuture = (claims: Claims, deps: FlowDeps): boolean => claims.iat * 1000 > epochMs(deps.clock.now()) + MAX_SKEW_SECONDS * 1000;

const expired = (): Refusal => refuse('grant_expired', 'The grant has expired. While the approval lasts, the requester gets a fresh one.');
