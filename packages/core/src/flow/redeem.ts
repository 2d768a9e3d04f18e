import type { Action, RedeemAnswer } from '@countersign/contracts';
import { type Refusal, refuse, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import type { Caller, ChangeCommit, DecidingContext } from '../ports.js';
import { epochMs, formatInstant, type Instant } from '../request/index.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { policyInput } from './open.js';
import { leafMaker, openPayload } from './record-key.js';
import { digestOfAction } from './settle.js';

export type RedeemOutcome = { kind: 'redeemed'; answer: RedeemAnswer } | Refusal;

/**
 * Spends a grant, once: forged or foreign, expired, revoked, for another action, spent already, in that order of
 * refusals. The one winner is found by compare-and-set on the request's row (A4, I9).
 */
export async function redeem(deps: FlowDeps, input: { caller: Caller; grant: string; action: Action }): Promise<RedeemOutcome> {
  const { caller } = input;
  if (!caller.rights.redeem) return refuse('invalid_grant', `The API key "${caller.name}" may not redeem grants.`);
  const claims = await deps.verifyGrant(input.grant);
  if (claims === null || claims.tenant !== caller.tenant || claims.iss !== deps.publicUrl) {
    return refuse('invalid_grant', 'This is not a grant of ours, or it was altered.');
  }
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.decidingContext({ tenant: claims.tenant, request_id: claims.action_request, person_id: null });
    if (context === null || !isAudience(claims.aud, caller, context, deps)) {
      return refuse('invalid_grant', 'This grant is not for you: only the caller that asked, or the named audience, redeems it.');
    }
    const { request } = context;
    const at = deps.clock.now();
    const refusal = refusalOf(claims, context, input.action, at);
    const payload = await openPayload(deps.sealer, request);
    const leaf = leafMaker(deps, { tenant: request.tenant, subject: request.id, recordKey: payload.recordKey });
    const policy = refusal === null ? await deniedNow(deps, context, payload.submission) : null;
    const refused = refusal ?? policy;
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
      set: { redeemed_at: at },
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
  }
  throw new CoreError('contention', `${claims.action_request} changed ${MAX_PLANS} times while its grant was being redeemed.`);
}

type Claims = NonNullable<Awaited<ReturnType<FlowDeps['verifyGrant']>>>;

/** A grant for the service itself is the requester's alone; another audience is the API key that it names, by id or name. */
function isAudience(audience: string, caller: Caller, context: DecidingContext, deps: FlowDeps): boolean {
  if (context.request.grant_audience !== audience) return false;
  if (audience === deps.publicUrl) return context.request.requester.id === caller.key_id;
  return audience === caller.key_id || audience === caller.name;
}

function refusalOf(claims: Claims, context: DecidingContext, action: Action, now: Instant): Refusal | null {
  const { request, grant } = context;
  if (claims.exp * 1000 <= epochMs(now)) return expired();
  if (request.status === 'revoked') return refuse('grant_revoked', 'The approval was revoked before it was used.');
  if (request.status !== 'approved' || grant === null) return refuse('invalid_grant', `The request is ${request.status}.`);
  const digest = digestOfAction(action);
  if (digest !== claims.act_digest || digest !== request.action_digest) {
    return refuse('action_mismatch', `This is not the action that was approved: its digest is ${digest}, the approved one is ${request.action_digest}.`);
  }
  if (request.redeemed_at !== null) return refuse('grant_already_redeemed', `The grant was redeemed at ${request.redeemed_at}. A grant runs one action once.`);
  return null;
}

/** What the bundle in force denies does not run, also when it was approved under an older one. */
async function deniedNow(deps: FlowDeps, context: DecidingContext, submission: Parameters<typeof policyInput>[0]): Promise<Refusal | null> {
  if (context.active_policy === context.request.policy_digest) return null;
  const bundle = await deps.policies.bundle(context.request.tenant, context.active_policy);
  const evaluation = bundle.evaluate(policyInput(submission, context.request.resolved.environment, deps.clock.now()));
  return evaluation.effect === 'deny' ? refusals.policyChanged(`rule ${evaluation.rules.join(', ')}`) : null;
}

const expired = (): Refusal => refuse('grant_expired', 'The grant has expired. Ask again.');
