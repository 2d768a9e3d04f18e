import type { EvaluationView, JsonValue, Requirement, Submission } from '@countersign/contracts';
import { refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import { maskValue } from '../masking/index.js';
import type { ActionRequestRecord, ConfigChangeRecord, MaskedSubmission, OpenCommit } from '../ports.js';
import { addSeconds, canonicalJson, digestOf, type Instant, newId, requestDigest, utf8 } from '../request/index.js';
import type { ConfigChangeDeps, Proposer } from './config-change.js';
import { MAX_PLANS } from './deps.js';
import { ALWAYS_SHOWN, openedDetails } from './open.js';
import { leafMaker, newRecordKey, sealPayload } from './record-key.js';
import { digestOfAction } from './settle.js';

/** A request that Countersign opens for a person, to be decided as any other, by a requirement that no bundle can loosen. */
export interface InternalRequest {
  at: Instant;
  submission: Submission;
  /** Pointers that are never masked. */
  keep: readonly string[];
  explanation: string;
  /** Named as the rule that asks: `countersign:<rule>`. */
  rule: string;
  group: string;
  timeout_seconds: number;
  use_within_seconds: number;
  idempotency_key: string;
  change(request: ActionRequestRecord): Promise<ConfigChangeRecord>;
}

/** @throws CoreError `contention`; `invalid_argument` where the person is not active any more */
export async function openInternal(
  deps: ConfigChangeDeps,
  by: Proposer,
  internal: InternalRequest,
): Promise<{ kind: 'opened'; request: ActionRequestRecord; change: ConfigChangeRecord } | { kind: 'frozen'; text: string }> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.openingContext({ tenant: by.tenant, agent_id: '', refs: [] });
    const planned = await plan(deps, by, internal, context.active_policy);
    const result = await deps.requests.open(planned.commit);
    switch (result.kind) {
      case 'committed':
        deps.announcer.announce('cards');
        deps.announcer.announce('decisions');
        return { kind: 'opened', request: planned.commit.request, change: planned.change };
      case 'frozen':
        return { kind: 'frozen', text: refusals.frozen(result.freeze).text };
      case 'policy_changed':
        continue;
      default:
        throw new CoreError('invalid_argument', `A change of the configuration could not be asked for: ${result.kind}.`);
    }
  }
  throw new CoreError('contention', `Policy changed ${MAX_PLANS} times while a change was being proposed.`);
}

async function plan(
  deps: ConfigChangeDeps,
  by: Proposer,
  internal: InternalRequest,
  policy_digest: string,
): Promise<{ commit: OpenCommit; change: ConfigChangeRecord }> {
  const { at, submission } = internal;
  const { tenant, person } = by;
  const id = newId('ar', at, deps.entropy.bytes(10));
  const recordKey = newRecordKey(deps.entropy);
  const masked = maskValue(submission as JsonValue, { paths: [], key: deps.entropy.bytes(32), keep: [...ALWAYS_SHOWN, ...internal.keep] });
  // The masker keeps the shape: see maskSubmission.
  const view = masked.masked as MaskedSubmission;
  const requirement = requirementOf(internal);
  const evaluation: EvaluationView = { effect: 'require', rules: [`countersign:${internal.rule}`], policy_digest, explanation: internal.explanation };
  const chain = [{ role: 'actor' as const, person_id: person.id, ref: person.email, name: person.name }];
  const requester = { type: 'person' as const, id: person.id, name: person.name, authenticated: by.authenticated };
  const action_digest = digestOfAction(submission);
  const resolved = { labels: {}, reversibility: 'recoverable' as const };
  const expires_at = addSeconds(at, internal.timeout_seconds);
  const digested = {
    ...{ id, action_digest, resolved, tenant, requester, chain, requirement, grant_audience: deps.publicUrl, expires_at },
    ...(submission.reason === undefined ? {} : { reason: submission.reason }),
    policy_digest,
  };
  const request: ActionRequestRecord = {
    tenant,
    id,
    status: 'pending',
    version: 1,
    created_at: at,
    expires_at,
    settled_at: null,
    use_until: null,
    redeemed_at: null,
    redeemed_by: null,
    action_digest,
    // The store's digest of the policy in force is text; its form was checked when it was stored.
    request_digest: requestDigest(digested as object as Parameters<typeof requestDigest>[0]),
    view_digest: digestOf({ view, resolved, evaluation, requirement, masked: masked.report }),
    warnings: [],
    requester,
    chain,
    view,
    masked: masked.report,
    resolved,
    evaluation,
    requirement,
    policy_digest,
    callback: null,
    grant_audience: deps.publicUrl,
    sealed_payload: await sealPayload(deps.sealer, tenant, id, { recordKey, submission }),
  };
  const change = await internal.change(request);
  const leaf = leafMaker(deps, { tenant, subject: id, recordKey });
  const commit: OpenCommit = {
    tenant,
    active_policy: policy_digest,
    request,
    idempotency: {
      key_id: person.id,
      key: internal.idempotency_key,
      fingerprint: action_digest,
      request_id: id,
      // Nobody asks again under this key: it is the change's id.
      sealed_answer: await deps.sealer.seal({ tenant, table: 'idempotency_keys', row: id, column: 'sealed_answer' }, utf8(canonicalJson({}))),
    },
    cards: true,
    config_change: { kind: 'propose', record: change },
    leaves: [
      leaf('action_request.opened', at, { effect: 'require', rules: evaluation.rules, policy_digest }, openedDetails(request)),
      leaf('config_change.proposed', at, { change: change.id, kind: change.kind }, { summary: change.summary, payload_digest: change.payload_digest }, 1),
    ],
  };
  return { commit, change };
}

function requirementOf({ group, timeout_seconds, use_within_seconds }: InternalRequest): Requirement {
  return {
    stages: [{ name: 'a second person', all: [{ group, quorum: 1 }], distinct_humans: 1 }],
    deny_threshold: 1,
    reason_required: { approve: false, deny: false },
    timeout_seconds,
    grant_ttl_seconds: 60,
    use_within_seconds,
    // The API is as good as a button: it is administrators' own.
    via: ['api', 'slack', 'teams', 'web'],
  };
}
