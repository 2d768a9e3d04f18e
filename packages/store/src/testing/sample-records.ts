/** Records for the store's tests: valid, small, with ids of their own. Not exported from the package. */
import { randomBytes } from 'node:crypto';
import type {
  ActionRequestRecord,
  ChangeCommit,
  DecisionRecord,
  DeliveryRecord,
  GrantRecord,
  LeafRecord,
  OpenCommit,
  OutcomeRecord,
} from '@countersign/core/ports';
import { newId, newUuid } from '@countersign/core/request';

export const TENANT = 'default';
export const DIGEST = `sha256:${'a'.repeat(64)}`;
export const POLICY = `sha256:${'b'.repeat(64)}`;
export const KEY_ID = 'key_01900000-0000-7000-8000-000000000001';
export const ALICE = 'per_01900000-0000-7000-8000-00000000000a';
export const BOB = 'per_01900000-0000-7000-8000-00000000000b';
export const DANA = 'per_01900000-0000-7000-8000-00000000000d';

export function at(offsetMs: number): string {
  return new Date(Date.now() + offsetMs).toISOString();
}

export function aLeaf(subject: string, event: LeafRecord['event'] = 'action_request.opened'): LeafRecord {
  return { id: newUuid(Date.now(), randomBytes(10)), event, at: at(0), subject, bytes: randomBytes(40), sealed_private: randomBytes(20) };
}

export function aRequest(changes: Partial<ActionRequestRecord> = {}): ActionRequestRecord {
  return {
    tenant: TENANT,
    id: newId('ar', Date.now(), randomBytes(10)),
    status: 'pending',
    version: 1,
    created_at: at(0),
    expires_at: at(3_600_000),
    settled_at: null,
    use_until: null,
    redeemed_at: null,
    redeemed_by: null,
    action_digest: DIGEST,
    request_digest: DIGEST,
    view_digest: DIGEST,
    warnings: [],
    requester: { type: 'api_key', id: KEY_ID, name: 'ci', authenticated: { issuer: 'countersign', method: 'api_key', at: at(0) } },
    chain: [{ role: 'on_behalf_of', person_id: DANA, ref: 'dana@example.com', name: 'Dana' }],
    // Members in an order that jsonb would change, numbers at the edge, and text in another script.
    view: {
      action: 'data.export',
      resource: { type: 'postgres_table', id: 'prod.customers' },
      actor: { type: 'agent', id: 'retrainer' },
      parameters: { zeta: 1e-7, a: [9_007_199_254_740_991, 'größe ✓ 漢字'], '': null },
    },
    masked: [],
    resolved: { labels: { data_class: 'pii' }, environment: 'production', reversibility: 'irreversible' },
    evaluation: { effect: 'require', rules: ['customer-data'], policy_digest: POLICY, explanation: 'Customer tables need the data owner' },
    requirement: {
      stages: [{ name: 'owners', all: [{ group: 'data-owners', quorum: 1 }], distinct_humans: 1 }],
      deny_threshold: 1,
      reason_required: { approve: false, deny: false },
      timeout_seconds: null,
      grant_ttl_seconds: 300,
      use_within_seconds: 300,
    },
    policy_digest: POLICY,
    callback: { kind: 'url', url: 'https://caller.example.com/hook' },
    grant_audience: 'http://localhost:8080',
    sealed_payload: randomBytes(100),
    ...changes,
  };
}

export function anOpening(changes: Partial<ActionRequestRecord> = {}, key: string = randomBytes(8).toString('hex')): OpenCommit {
  const request = aRequest(changes);
  return {
    tenant: request.tenant,
    active_policy: POLICY,
    request,
    idempotency: { key_id: KEY_ID, key, fingerprint: DIGEST, request_id: request.id, sealed_answer: randomBytes(60) },
    cards: true,
    leaves: [aLeaf(request.id)],
  };
}

export function aDecision(requestId: string, personId: string): DecisionRecord {
  return {
    id: newId('dec', Date.now(), randomBytes(10)),
    request_id: requestId,
    person: { id: personId, email: `${personId}@example.com`, name: 'Someone' },
    verdict: 'approve',
    reason: 'looks right',
    decided_at: at(0),
    via: 'slack',
    groups: ['data-owners'],
    action_digest: DIGEST,
    request_digest: DIGEST,
    view_digest: null,
    policy_digest: POLICY,
    authenticated: { issuer: 'slack', method: 'slack', at: at(0) },
  };
}

export function anOutcome(requestId: string, sequence: number, status: OutcomeRecord['status']): OutcomeRecord {
  const id = newId('out', Date.now(), randomBytes(10));
  return {
    id,
    request_id: requestId,
    sequence,
    status,
    reason: null,
    settled_at: at(0),
    data: {
      id,
      action_request: requestId,
      sequence,
      status,
      action_digest: DIGEST,
      request_digest: DIGEST,
      policy_digest: POLICY,
      decisions: [],
      reason: null,
      settled_at: at(0),
    },
  };
}

export function aDelivery(requestId: string, sequence: number): DeliveryRecord {
  return {
    id: `msg_${newUuid(Date.now(), randomBytes(10))}`,
    request_id: requestId,
    api_key_id: KEY_ID,
    target: { kind: 'url', url: 'https://caller.example.com/hook' },
    sequence,
    event: sequence === 1 ? 'outcome.settled' : 'outcome.revoked',
    created_at: at(0),
    sealed_body: randomBytes(80),
  };
}

export function aGrant(requestId: string): GrantRecord {
  return {
    id: newId('gr', Date.now(), randomBytes(10)),
    request_id: requestId,
    audience: 'http://localhost:8080',
    issued_at: at(0),
    expires_at: at(300_000),
    sealed_token: randomBytes(90),
  };
}

/** A press that settles: decision, outcome, grant and callback at once. */
export function aSettling(requestId: string, personId: string, version = 1): ChangeCommit {
  return {
    tenant: TENANT,
    request_id: requestId,
    from: { version, status: 'pending' },
    time: 'live',
    active_policy: POLICY,
    set: { status: 'approved', settled_at: at(0) },
    decision: aDecision(requestId, personId),
    outcome: anOutcome(requestId, 1, 'approved'),
    grant: aGrant(requestId),
    deliveries: [aDelivery(requestId, 1)],
    cards: true,
    leaves: [aLeaf(requestId, 'decision.recorded'), aLeaf(requestId, 'outcome.settled')],
  };
}
