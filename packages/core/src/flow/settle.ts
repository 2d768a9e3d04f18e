import { type GrantClaims, MAX_GRANT_LIFE_SECONDS, type OutcomeStatus } from '@countersign/contracts';
import type { ActionRequestRecord, ChangeCommit, CommitParts, DecisionRecord, GrantRecord, LeafRecord, RequestState } from '../ports.js';
import { actionOf, outcomeCallback, outcomeOf, signGrant } from '../outcome/index.js';
import { actionDigest, addSeconds, epochMs, formatInstant, type Instant, newId, utf8 } from '../request/index.js';
import { refusals, type Refusal } from '../decision/index.js';
import { type CallbackPlan, callbackPlan, deliveryOf } from './callbacks.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { settledNotices } from './settled-notices.js';
import { leafMaker, type OpenPayload, openPayload } from './record-key.js';
import { CoreError } from '../errors.js';

export interface Settlement {
  status: OutcomeStatus;
  sequence: number;
  /** What its callback wants to hear. */
  callback: CallbackPlan;
  reason: string | null;
  at: Instant;
  /** How long the grant lives and the approval may be used; null where nothing is approved. */
  use: ApprovalUse | null;
}

/** How an approval may be used, as policy says: both in seconds from when it was settled. */
export interface ApprovalUse {
  grant_ttl_seconds: number;
  use_within_seconds: number;
}

/** Until when an approval of that instant may be used. */
export const useUntil = (at: Instant, use: ApprovalUse): Instant => addSeconds(at, use.use_within_seconds);

/**
 * What a commit that settles adds: the outcome, a grant when approved, the callback's exact bytes when the caller named
 * a place for them, and their leaves. All of it is sealed and signed here, before the commit, so that terminal state,
 * outbox row and leaf stand or fall together (I4).
 */
export async function settlementParts(
  deps: FlowDeps,
  request: ActionRequestRecord,
  payload: OpenPayload,
  decisions: readonly DecisionRecord[],
  settlement: Settlement,
): Promise<Required<Pick<CommitParts, 'outcome' | 'leaves'>> & Pick<CommitParts, 'grant' | 'deliveries' | 'notices'>> {
  const { tenant } = request;
  const id = <P extends Parameters<typeof newId>[0]>(prefix: P) => newId(prefix, settlement.at, deps.entropy.bytes(10));
  const leaf = leafMaker(deps, { tenant, subject: request.id, recordKey: payload.recordKey });
  const outcome = outcomeOf(request, decisions, { id: id('out'), ...settlement });
  const event = settlement.status === 'revoked' ? 'outcome.revoked' : 'outcome.settled';
  const leaves = [
    leaf(
      event,
      settlement.at,
      {
        ...{ outcome: outcome.id, status: outcome.status, sequence: outcome.sequence },
        ...(settlement.status === 'approved' && settlement.use !== null ? { use_until: useUntil(settlement.at, settlement.use) } : {}),
      },
      {
        action_digest: request.action_digest,
        request_digest: request.request_digest,
        decisions: decisions.map((decision) => decision.id),
        reason: outcome.reason,
      },
      1,
    ),
  ];
  let grant: { record: GrantRecord; token: string } | null = null;
  if (settlement.status === 'approved' && settlement.use !== null) {
    const { at, use } = settlement;
    grant = await issueGrant(deps, request, { at, id: id('gr'), ttl: use.grant_ttl_seconds, until: useUntil(at, use) });
    if (grant !== null) leaves.push(issuedLeaf(leaf, at, grant.record, 2));
  }
  const { callback } = settlement;
  const delivery = callback.wants(event) ? await deliveryOf(deps, request, callback.format, outcomeCallback(outcome, grant?.token ?? null)) : null;
  const notices = settledNotices(deps, request, { ...settlement, outcome, decisions });
  return {
    outcome,
    leaves,
    ...(notices.length === 0 ? {} : { notices }),
    ...(grant === null ? {} : { grant: grant.record }),
    ...(delivery === null ? {} : { deliveries: [delivery] }),
  };
}

/** The leaf of a grant; `order` tells it from others of its commit. */
export function issuedLeaf(leaf: ReturnType<typeof leafMaker>, at: Instant, { id, expires_at, audience }: GrantRecord, order = 0): LeafRecord {
  return leaf('grant.issued', at, { grant: id, expires_at }, { audience }, order);
}

/**
 * A grant that begins at `at`, lives for `ttl` seconds (900 at most) and never beyond `until`. Its times are whole seconds, rounded down.
 * Null where less than a second is left.
 */
export async function issueGrant(
  deps: Pick<FlowDeps, 'publicUrl' | 'signer' | 'sealer'>,
  request: ActionRequestRecord,
  life: { at: Instant; id: string; ttl: number; until: string },
): Promise<{ record: GrantRecord; token: string } | null> {
  const { at, id } = life;
  const iat = Math.floor(epochMs(at) / 1000);
  const exp = Math.min(iat + Math.min(life.ttl, MAX_GRANT_LIFE_SECONDS), Math.floor(Date.parse(life.until) / 1000));
  if (exp <= iat) return null;
  const claims: GrantClaims = {
    iss: deps.publicUrl,
    aud: request.grant_audience,
    jti: id,
    iat,
    exp,
    tenant: request.tenant,
    action_request: request.id,
    act_digest: request.action_digest,
    request_digest: request.request_digest,
    policy_digest: request.policy_digest,
    ...(request.grant_jkt === undefined ? {} : { cnf: { jkt: request.grant_jkt } }),
  };
  const token = await signGrant(claims, deps.signer());
  const sealed_token = await deps.sealer.seal({ tenant: request.tenant, table: 'grants', row: id, column: 'sealed_token' }, utf8(token));
  return {
    token,
    record: { id, request_id: request.id, audience: request.grant_audience, issued_at: at, expires_at: formatInstant(exp * 1000), sealed_token },
  };
}

/** The state as the commit leaves it, without reading it again. */
export function stateAfter(state: RequestState, commit: ChangeCommit): RequestState {
  return {
    read_at: state.read_at,
    request: {
      ...state.request,
      ...commit.set,
      status: commit.set.status ?? state.request.status,
      settled_at: commit.set.settled_at ?? state.request.settled_at,
      use_until: commit.set.use_until ?? state.request.use_until,
      redeemed_at: commit.set.redeemed_at ?? state.request.redeemed_at,
      redeemed_by: commit.set.redeemed_by ?? state.request.redeemed_by,
      version: commit.from.version + 1,
    },
    decisions: commit.decision === undefined ? state.decisions : [...state.decisions, commit.decision],
    outcomes: commit.outcome === undefined ? state.outcomes : [...state.outcomes, commit.outcome],
    grant: commit.grant ?? state.grant,
    report: commit.report ?? state.report,
    questions: withRecord(state.questions, commit.question?.record),
    proposals: withRecord(state.proposals, commit.proposal?.record),
    reviews: withRecord(state.reviews, commit.review?.record),
  };
}

/** The list with the record in its place, or at its end. */
function withRecord<T extends { id: string }>(records: readonly T[], record: T | undefined): T[] {
  if (record === undefined) return [...records];
  return records.some(({ id }) => id === record.id) ? records.map((other) => (other.id === record.id ? record : other)) : [...records, record];
}

/**
 * Settles a request whose time is over as expired. Whether it is over says the database's clock in the committing
 * statement (`due`), whatever ours says. No effect on a request that is settled or still has time.
 */
export async function expire(deps: FlowDeps, target: { tenant: string; request_id: string }): Promise<RequestState | null> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const state = await deps.requests.state(target.tenant, target.request_id);
    if (state === null || state.request.status !== 'pending') return state;
    const payload = await openPayload(deps.sealer, state.request);
    const at = deps.clock.now();
    const callback = await callbackPlan(deps, state.request, state.outcomes);
    const denies = state.request.requirement?.on_timeout === 'deny';
    const parts = await settlementParts(deps, state.request, payload, state.decisions, {
      status: denies ? 'denied' : 'expired',
      sequence: callback.last + 1,
      callback,
      reason: denies ? 'Not enough people decided in time, which policy takes for a no.' : 'Nobody decided in time.',
      at,
      use: null,
    });
    const commit: ChangeCommit = {
      tenant: target.tenant,
      request_id: target.request_id,
      from: { version: state.request.version, status: 'pending' },
      time: 'due',
      set: { status: denies ? 'denied' : 'expired', settled_at: at },
      cards: true,
      ...parts,
    };
    const result = await deps.requests.change(commit);
    if (result.kind === 'committed') {
      announceSettled(deps);
      return stateAfter(state, commit);
    }
    if (result.kind === 'time') return state;
  }
  throw new CoreError('contention', `${target.request_id} changed ${MAX_PLANS} times while it was being expired.`);
}

/** Wakes what a settled request concerns. */
export function announceSettled(deps: FlowDeps): void {
  deps.announcer.announce('deliveries');
  deps.announcer.announce('cards');
  deps.announcer.announce('decisions');
}

/** The refusal for whoever comes after the end. */
export function tooLate(state: RequestState, text: string | null): Refusal {
  return refusals.alreadySettled(text === null ? `the request is ${state.request.status}` : text.replace(/\.$/, ''));
}

/** What a grant's action must hash to. */
export const digestOfAction = (submission: Parameters<typeof actionOf>[0]) => actionDigest(actionOf(submission));
