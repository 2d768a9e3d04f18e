import type { FreshGrant } from '@countersign/contracts';
import { type Refusal, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import type { Caller, ChangeCommit, DecidingContext } from '../ports.js';
import { type Instant, newId } from '../request/index.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { leafMaker, openPayload } from './record-key.js';
import { deniedNow } from './redeem.js';
import { issuedLeaf, issueGrant } from './settle.js';

export type FreshGrantOutcome = { kind: 'issued'; answer: FreshGrant } | Refusal;

/**
 * Another grant of an approval, for the caller that asked: while the approval may be used by the database's clock, nothing was redeemed
 * and it was not revoked. Earlier grants stay what they are; whichever is redeemed first spends them all (A4, I9).
 */
export async function freshGrant(deps: FlowDeps, caller: Caller, request_id: string): Promise<FreshGrantOutcome> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.decidingContext({ tenant: caller.tenant, request_id, person_id: null });
    if (context === null || context.request.requester.id !== caller.key_id) return refusals.notFound();
    const { request } = context;
    const at = deps.clock.now();
    const refused = refusalOf(context, at);
    if (refused !== null) return refused;
    const payload = await openPayload(deps.sealer, request);
    const denied = await deniedNow(deps, context, payload.submission);
    if (denied !== null) return denied;
    // refusalOf let through what has an end alone.
    const until = request.use_until ?? at;
    const id = newId('gr', at, deps.entropy.bytes(10));
    const ttl = request.requirement?.grant_ttl_seconds ?? (await deps.policies.bundle(request.tenant, request.policy_digest)).defaults.grant_ttl_seconds;
    const grant = await issueGrant(deps, request, { at, id, ttl, until });
    if (grant === null) return refusals.approvalOver();
    const leaf = leafMaker(deps, { tenant: request.tenant, subject: request.id, recordKey: payload.recordKey });
    const commit: ChangeCommit = {
      tenant: request.tenant,
      request_id,
      from: { version: request.version, status: 'approved' },
      time: { before: until },
      acting_key: caller.key_id,
      set: {},
      grant: grant.record,
      cards: false,
      leaves: [issuedLeaf(leaf, at, grant.record)],
    };
    const result = await deps.requests.change(commit);
    if (result.kind === 'committed') {
      deps.announcer.announce('decisions');
      const { audience, issued_at, expires_at } = grant.record;
      return { kind: 'issued', answer: { id, action_request: request.id, grant: grant.token, audience, issued_at, expires_at, use_until: until } };
    }
    if (result.kind === 'time') return refusals.approvalOver();
    if (result.kind === 'frozen') return refusals.frozen(result.freeze);
    if (result.kind === 'key_inactive') return refusals.grantRevoked();
  }
  throw new CoreError('contention', `${request_id} changed ${MAX_PLANS} times while it was getting a fresh grant.`);
}

function refusalOf({ request }: DecidingContext, now: Instant): Refusal | null {
  if (request.status === 'revoked') return refusals.grantRevoked();
  if (request.status !== 'approved') return refusals.notApproved(request.status);
  if (request.redeemed_at !== null) return refusals.grantRedeemed(request.redeemed_at);
  return request.use_until === null || request.use_until <= now ? refusals.approvalOver() : null;
}
