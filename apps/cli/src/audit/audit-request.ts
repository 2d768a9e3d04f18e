import type { GrantClaims, JsonObject } from '@countersign/contracts';
import { CoreError } from '@countersign/core/errors';
import { actionOf, outcomeOf } from '@countersign/core/outcome';
import { namedGroups } from '@countersign/core/policy';
import type { DecisionRecord, OutcomeRecord, Sealer } from '@countersign/core/ports';
import { actionDigest, digestOf, epochMs, fromUtf8, isInstant, requestDigest } from '@countersign/core/request';
import type { AuditedRequest } from '@countersign/store';
import type { Finding } from './finding.js';
import { auditFollowUps } from './audit-follow-ups.js';
import { type OpenedLeaf, readLeaves } from './request-leaves.js';
import { equal, leafless, RowCheck, rowless } from './row-check.js';

/** What opens the private parts; both null without the master key. */
export interface Openers {
  sealer: Sealer | null;
  verifyGrant: ((token: string) => Promise<GrantClaims | null>) | null;
}

export interface RequestAudit {
  findings: Finding[];
  /** Whether the private parts were opened and compared too. */
  opened: boolean;
}

/**
 * Holds every row of one request against its leaves: each row has its leaf and each leaf its row, and every column that means something
 * is what the leaf's facts, its private part, or the digests in that say. The stored digests are recomputed, not believed.
 */
export async function auditRequest(audited: AuditedRequest, tenant: string, openers: Openers): Promise<RequestAudit> {
  const { leaves, payload, findings } = await readLeaves(audited, tenant, openers.sealer);
  const audit = new Audit(audited, tenant, leaves, findings);
  const parts: (() => void | Promise<void>)[] = [
    () => audit.request(payload?.submission ?? null),
    () => audit.decisions(),
    () => audit.outcomes(),
    () => audit.grants(openers),
    () => audit.deliveries(),
    () => audit.attempts(),
    () => audit.reports(),
    () => auditFollowUps(audited, leaves, findings),
  ];
  for (const part of parts) {
    try {
      await part();
    } catch (error) {
      // The rows' JSON is read as what we once wrote; what somebody else wrote may have another shape altogether.
      if (!(error instanceof TypeError || error instanceof CoreError)) throw error;
      findings.push({
        table: 'action_requests',
        row: audited.id,
        column: 'document',
        problem: 'it or a row that belongs to it has not the shape that Countersign writes',
      });
    }
  }
  return { findings, opened: payload !== null };
}

type Request = NonNullable<AuditedRequest['request']>;
type Submission = Parameters<typeof actionOf>[0] & { reason?: string | undefined; context?: object | undefined; callback?: object | undefined };

class Audit {
  constructor(
    private readonly audited: AuditedRequest,
    private readonly tenant: string,
    private readonly leaves: readonly OpenedLeaf[],
    private readonly findings: Finding[],
  ) {}

  request(submission: Submission | null): void {
    const { request, id } = this.audited;
    const opened = this.#leaf('action_request.opened', () => true);
    if (request === null) return this.#rowless('action_requests', id, opened ?? this.leaves[0]);
    if (opened === undefined) return this.#leafless('action_requests', id, 'action_request.opened');
    const { facts, details } = opened;
    const row = this.#row('action_requests', id, opened);
    row.same('created_at', request.created_at, opened.at);
    row.same('policy_digest', request.policy_digest, facts['policy_digest']);
    const { evaluation } = request;
    row.same(
      'document',
      { effect: evaluation.effect, rules: evaluation.rules, policy_digest: evaluation.policy_digest },
      { effect: facts['effect'], rules: facts['rules'], policy_digest: facts['policy_digest'] },
      'evaluation',
    );
    this.#state(row);
    this.#searchColumns(row);
    if (details === null) return;
    for (const digest of ['action_digest', 'request_digest', 'view_digest'] as const) row.same(digest, request[digest], details[digest]);
    for (const part of ['requester', 'view', 'warnings'] as const) row.same('document', request[part], details[part], part);
    row.same(
      'document',
      request.chain.map(({ role, person_id, ref, name, members }) => ({ role, person_id, ref, name, ...(members === undefined ? {} : { members }) })),
      details['chain'],
      'chain',
    );
    row.same('document', evaluation.explanation, details['explanation'], 'explanation');
    const { view, resolved, requirement, masked } = request;
    row.same(
      'document',
      digestOf({ view, resolved, evaluation, requirement, masked }),
      details['view_digest'],
      'view, resolved, evaluation, requirement or masked',
    );
    if (submission === null) return;
    row.same('action_digest', actionDigest(actionOf(submission)), details['action_digest']);
    row.same('document', request.callback, callbackTarget(submission.callback), 'callback');
    const { action_digest, requester, chain, policy_digest, grant_audience, expires_at } = request;
    const judged = {
      ...{ id, action_digest, resolved, tenant: this.tenant, requester, chain, policy_digest, grant_audience, expires_at },
      ...(submission.reason === undefined ? {} : { reason: submission.reason }),
      ...(submission.context === undefined ? {} : { context: submission.context }),
      ...(requirement === null ? {} : { requirement }),
    };
    // Its parts are compared above; what only the digest covers is named by it. The brands of ids and digests are lost in the rows.
    row.same('expires_at, grant_audience or document', requestDigest(judged as object as Parameters<typeof requestDigest>[0]), details['request_digest']);
  }

  decisions(): void {
    const { decisions } = this.audited;
    for (const decision of decisions) {
      const leaf = this.#leaf('decision.recorded', (facts) => facts['decision'] === decision.id);
      if (leaf === undefined) {
        this.#leafless('decisions', decision.id, 'decision.recorded');
        continue;
      }
      const row = this.#row('decisions', decision.id, leaf);
      for (const fact of ['verdict', 'via', 'policy_digest'] as const) row.same(fact, decision[fact], leaf.facts[fact]);
      row.same('decided_at', decision.decided_at, leaf.at);
      row.same('person_id', decision.person_id, decision.person.id);
      const { details } = leaf;
      if (details === null) continue;
      for (const part of ['person', 'reason', 'groups', 'action_digest', 'request_digest', 'view_digest', 'authenticated', ...GIVEN] as const)
        row.same(part, decision[part], details[part]);
    }
    this.#eachLeaf('decision.recorded', 'decisions', 'decision', (id) => decisions.some((decision) => decision.id === id));
  }

  outcomes(): void {
    const { request, outcomes } = this.audited;
    for (const outcome of outcomes) {
      const leaf = this.leaves.find(({ event, facts }) => isOutcome(event) && facts['outcome'] === outcome.id);
      if (leaf === undefined) {
        this.#leafless('outcomes', outcome.id, 'outcome.settled');
        continue;
      }
      const row = this.#row('outcomes', outcome.id, leaf);
      row.same('status', outcome.status, leaf.facts['status']);
      row.same('sequence', outcome.sequence, leaf.facts['sequence']);
      row.same('settled_at', outcome.settled_at, leaf.at);
      const { details } = leaf;
      if (details !== null) row.same('reason', outcome.reason, details['reason']);
      if (request !== null) row.same('data', outcome.data, this.#loggedOutcome(request, outcome, leaf));
    }
    for (const event of ['outcome.settled', 'outcome.revoked'])
      this.#eachLeaf(event, 'outcomes', 'outcome', (id) => outcomes.some((outcome) => outcome.id === id));
  }

  async grants({ sealer, verifyGrant }: Openers): Promise<void> {
    const { grants } = this.audited;
    for (const grant of grants) {
      const leaf = this.#leaf('grant.issued', (facts) => facts['grant'] === grant.id);
      if (leaf === undefined) {
        this.#leafless('grants', grant.id, 'grant.issued');
        continue;
      }
      const row = this.#row('grants', grant.id, leaf);
      row.same('issued_at', grant.issued_at, leaf.at);
      row.same('expires_at', grant.expires_at, leaf.facts['expires_at']);
      if (leaf.details !== null) row.same('audience', grant.audience, leaf.details['audience']);
      if (sealer === null || verifyGrant === null) continue;
      const token = await sealer
        .open({ tenant: this.tenant, table: 'grants', row: grant.id, column: 'sealed_token' }, grant.sealed_token)
        .then(fromUtf8, () => null);
      const claims = token === null ? null : await verifyGrant(token);
      const { request } = this.audited;
      const stated =
        claims === null
          ? null
          : { id: claims.jti, aud: claims.aud, exp: claims.exp, request: claims.action_request, act: claims.act_digest, judged: claims.request_digest };
      const expected = {
        id: grant.id,
        aud: grant.audience,
        exp: isInstant(grant.expires_at) ? Math.floor(epochMs(grant.expires_at) / 1000) : 0,
        request: grant.request_id,
        act: request?.action_digest,
        judged: request?.request_digest,
      };
      row.same('sealed_token', stated, expected);
    }
    this.#eachLeaf('grant.issued', 'grants', 'grant', (id) => grants.some((grant) => grant.id === id));
  }

  /** A callback has no leaf before it is attempted; where it goes and what it tells follow from the request and its outcomes. */
  deliveries(): void {
    const { request, outcomes, deliveries } = this.audited;
    if (request === null) return;
    for (const delivery of deliveries) {
      const wrong = (column: string): void =>
        void this.findings.push({ table: 'deliveries', row: delivery.id, column, problem: `is not what the request ${request.id} and its outcomes say` });
      if (!equal(delivery.target, request.callback)) wrong('target');
      if (delivery.api_key_id !== request.requester.id) wrong('api_key_id');
      if (!isOutcome(delivery.event)) continue;
      const outcome = outcomes.find(({ sequence }) => sequence === delivery.sequence);
      if (outcome === undefined) wrong('sequence');
      else if (delivery.event !== (outcome.status === 'revoked' ? 'outcome.revoked' : 'outcome.settled')) wrong('event');
    }
    // A registered endpoint may not want to hear it; a bare address is told of every outcome.
    if (request.callback?.kind !== 'url') return;
    for (const { id, sequence } of outcomes) {
      if (!deliveries.some((delivery) => delivery.sequence === sequence))
        this.findings.push({
          table: 'deliveries',
          row: `of ${request.id}, sequence ${sequence}`,
          column: null,
          problem: `is missing: the outcome ${id} had to be delivered`,
        });
    }
  }

  reports(): void {
    const { id, reports } = this.audited;
    const leaf = this.#leaf('execution.reported', () => true);
    for (const report of reports) {
      if (leaf === undefined) {
        this.#leafless('execution_reports', id, 'execution.reported');
        continue;
      }
      const row = this.#row('execution_reports', id, leaf);
      row.same('result', report.result, leaf.facts['result']);
      row.same('reported_at', report.reported_at, leaf.at);
      if (leaf.details !== null) for (const part of ['by', 'result_digest', 'detail'] as const) row.same(part, report[part], leaf.details[part]);
    }
    if (leaf !== undefined && reports.length === 0) this.#rowless('execution_reports', id, leaf);
  }

  attempts(): void {
    const { attempts } = this.audited;
    for (const { delivery_id, number, status, result } of attempts) {
      const leaf = this.#leaf('delivery.attempted', (facts) => facts['delivery'] === delivery_id && facts['attempt'] === number);
      const key = `${delivery_id} ${number}`;
      if (leaf === undefined) {
        this.#leafless('delivery_attempts', key, 'delivery.attempted');
        continue;
      }
      const row = this.#row('delivery_attempts', key, leaf);
      row.same('result', result, leaf.facts['result']);
      row.same('status', status, leaf.facts['status']);
    }
    for (const leaf of this.leaves) {
      const { delivery, attempt } = leaf.facts;
      if (leaf.event === 'delivery.attempted' && !attempts.some(({ delivery_id, number }) => delivery_id === delivery && number === attempt))
        this.#rowless('delivery_attempts', `${typeof delivery === 'string' ? delivery : '(no id)'} ${Number(attempt)}`, leaf);
    }
  }

  /** What the outcome's callback tells, put together from leaves, so that one wrong row is not named as two. */
  #loggedOutcome(request: Request, outcome: OutcomeRecord, leaf: OpenedLeaf): unknown {
    const { facts, details } = leaf;
    const ids = details === null ? outcome.data.decisions.map(({ id }) => id) : details['decisions'];
    const counted = (Array.isArray(ids) ? ids : []).flatMap((id) => this.#loggedDecision(id) ?? []);
    const digests = details === null ? {} : { action_digest: details['action_digest'], request_digest: details['request_digest'] };
    const policy_digest = this.#leaf('action_request.opened', () => true)?.facts['policy_digest'] ?? request.policy_digest;
    const settled = {
      id: outcome.id,
      sequence: facts['sequence'],
      status: facts['status'],
      reason: details === null ? outcome.reason : details['reason'],
      at: leaf.at,
    };
    // Leaves say these members as JSON; whether they are what a row may hold is what the comparison tells.
    return outcomeOf({ ...request, ...digests, policy_digest } as Request, counted, settled as Parameters<typeof outcomeOf>[2]).data;
  }

  /** A decision as its leaf has it; as its row has it where the private part did not open. */
  #loggedDecision(id: unknown): DecisionRecord | null {
    const leaf = this.#leaf('decision.recorded', (facts) => facts['decision'] === id);
    if (leaf?.details == null) return this.audited.decisions.find((decision) => decision.id === id) ?? null;
    const { facts, details } = leaf;
    // What decide() puts into the leaf are the members of the record.
    return {
      ...details,
      id,
      request_id: this.audited.id,
      verdict: facts['verdict'],
      via: facts['via'],
      policy_digest: facts['policy_digest'],
      decided_at: leaf.at,
    } as object as DecisionRecord;
  }

  /** Where the request stands, as its leaves have it. */
  #state(row: RowCheck): void {
    const { request } = this.audited;
    if (request === null) return;
    const last = this.leaves
      .filter(({ event }) => isOutcome(event))
      .toSorted((a, b) => Number(a.facts['sequence']) - Number(b.facts['sequence']))
      .at(-1);
    const state = last === undefined ? row : this.#row('action_requests', request.id, last);
    state.same('status', request.status, last?.facts['status'] ?? 'pending');
    state.same('settled_at', request.settled_at, last?.at ?? null);
    const approved = this.leaves.find(({ event, facts }) => isOutcome(event) && facts['status'] === 'approved');
    (approved === undefined ? row : this.#row('action_requests', request.id, approved)).same(
      'use_until',
      request.use_until,
      approved?.facts['use_until'] ?? null,
    );
    const redeemed = this.#leaf('grant.redeemed', () => true);
    const use = redeemed === undefined ? row : this.#row('action_requests', request.id, redeemed);
    use.same('redeemed_at', request.redeemed_at, redeemed?.at ?? null);
    if (redeemed === undefined || redeemed.details !== null) use.same('redeemed_by', request.redeemed_by, redeemed?.details?.['caller'] ?? null);
  }

  /** Columns that repeat the document, so that lists and rights find what they should. */
  #searchColumns(row: RowCheck): void {
    const { request } = this.audited;
    if (request === null) return;
    const { search, view, requester, chain, requirement } = request;
    row.same('action', search.action, view.action);
    row.same('actor_id', search.actor_id, view.actor.id);
    row.same('resource_id', search.resource_id, view.resource.id);
    row.same('requester_id', search.requester_id, requester.id);
    row.same(
      'chain_people',
      search.chain_people.toSorted(),
      [...new Set(chain.flatMap(({ person_id, members = [] }) => [...(person_id === null ? [] : [person_id]), ...members]))].toSorted(),
    );
    row.same('stage_groups', search.stage_groups.toSorted(), (requirement === null ? [] : namedGroups(requirement)).toSorted());
  }

  #leaf(event: string, matches: (facts: JsonObject) => boolean): OpenedLeaf | undefined {
    return this.leaves.find((leaf) => leaf.event === event && matches(leaf.facts));
  }

  #eachLeaf(event: string, table: string, member: string, hasRow: (id: string) => boolean): void {
    for (const leaf of this.leaves) {
      const id = leaf.facts[member];
      if (leaf.event === event && typeof id === 'string' && !hasRow(id)) this.#rowless(table, id, leaf);
    }
  }

  #row(table: string, row: string, leaf: OpenedLeaf): RowCheck {
    return new RowCheck({ table, row }, leaf, this.findings);
  }

  #leafless(table: string, row: string, event: string): void {
    this.findings.push(leafless(table, row, event));
  }

  #rowless(table: string, row: string, leaf: OpenedLeaf | undefined): void {
    this.findings.push(rowless(table, row, leaf));
  }
}

/** What a decision may have come with. */
const GIVEN = ['ticket', 'acknowledged', 'delegate_for', 'break_glass', 'self_approved', 'passkey', 'alike', 'ask_again'] as const;

const isOutcome = (event: string): boolean => event === 'outcome.settled' || event === 'outcome.revoked';

function callbackTarget(callback: object | undefined): object | null {
  if (callback === undefined) return null;
  return { kind: 'url' in callback ? 'url' : 'endpoint', ...callback };
}
