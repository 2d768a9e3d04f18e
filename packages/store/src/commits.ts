import { endpointKeyOf } from '@countersign/core/outcome';
import type { CommitParts, DeliveryRecord, LeafRecord } from '@countersign/core/ports';
import { configChangeInsert, patternInsert } from './control.js';
import type { Values } from './database.js';
import { followUpMembers } from './follow-up-parts.js';
import { givenOf } from './given.js';

/**
 * The parts that every commit may bring, as members of one WITH: each runs only where `gate` yields its row, so state, outbox and
 * leaves are written together or not at all (I4). Prisma's version of their meaning would be one `create` per part in a transaction.
 *
 * @param at the placeholders of tenant and request in the statement, and the name of the gate
 * @returns the members, and the letters that name this combination for the prepared statement
 */
export function commitParts(
  values: Values,
  commit: CommitParts,
  at: { tenant: string; requestId: string; gate: string },
): { members: string[]; variant: string } {
  const members: string[] = [];
  let variant = '';
  const { tenant, requestId, gate } = at;
  const { decision, outcome, grant, report, deliveries = [] } = commit;

  if (decision !== undefined) {
    variant += 'd';
    members.push(`decision AS (INSERT INTO decisions (tenant, id, request_id, person_id, person, verdict, reason, decided_at, via, groups, action_digest, request_digest, view_digest, policy_digest, authenticated, given)
      SELECT ${[
        tenant,
        values.add(decision.id, 'text'),
        values.add(decision.request_id, 'text'),
        values.add(decision.person.id, 'text'),
        values.add(JSON.stringify(decision.person), 'json'),
        values.add(decision.verdict, 'text'),
        values.add(decision.reason, 'text'),
        values.add(decision.decided_at, 'timestamptz'),
        values.add(decision.via, 'text'),
        values.add(decision.groups, 'text[]'),
        values.add(decision.action_digest, 'text'),
        values.add(decision.request_digest, 'text'),
        values.add(decision.view_digest, 'text'),
        values.add(decision.policy_digest, 'text'),
        values.add(JSON.stringify(decision.authenticated), 'json'),
        values.add(givenOf(decision), 'json'),
      ].join(', ')} FROM ${gate})`);
  }
  if (outcome !== undefined) {
    variant += 'o';
    members.push(`outcome AS (INSERT INTO outcomes (tenant, request_id, sequence, id, status, reason, settled_at, data)
      SELECT ${[
        tenant,
        values.add(outcome.request_id, 'text'),
        values.add(outcome.sequence, 'int'),
        values.add(outcome.id, 'text'),
        values.add(outcome.status, 'text'),
        values.add(outcome.reason, 'text'),
        values.add(outcome.settled_at, 'timestamptz'),
        values.add(JSON.stringify(outcome.data), 'json'),
      ].join(', ')} FROM ${gate})`);
  }
  if (grant !== undefined) {
    variant += 'g';
    members.push(`granted AS (INSERT INTO grants (tenant, id, request_id, audience, issued_at, expires_at, sealed_token)
      SELECT ${[
        tenant,
        values.add(grant.id, 'text'),
        values.add(grant.request_id, 'text'),
        values.add(grant.audience, 'text'),
        values.add(grant.issued_at, 'timestamptz'),
        values.add(grant.expires_at, 'timestamptz'),
        values.add(grant.sealed_token, 'bytea'),
      ].join(', ')} FROM ${gate})`);
  }
  if (report !== undefined) {
    variant += 'r';
    members.push(`report AS (INSERT INTO execution_reports (tenant, request_id, by, result, result_digest, detail, reported_at, fingerprint)
      SELECT ${[
        tenant,
        values.add(report.request_id, 'text'),
        values.add(report.by, 'text'),
        values.add(report.result, 'text'),
        values.add(report.result_digest, 'text'),
        values.add(report.detail, 'text'),
        values.add(report.reported_at, 'timestamptz'),
        values.add(report.fingerprint, 'text'),
      ].join(', ')} FROM ${gate})`);
  }
  deliveries.forEach((delivery, index) => {
    variant += 'm';
    members.push(`delivery${index} AS (${deliveryInsert(values, tenant, delivery)} FROM ${gate})`);
  });
  if (commit.supersede === true) {
    variant += 's';
    // What is on the wire already keeps its fence and may still say how it ended; what is not yet will never go out.
    members.push(`superseded AS (UPDATE deliveries SET state = 'superseded', reason = 'revoked', ended_at = now() FROM ${gate}
      WHERE deliveries.tenant = ${tenant} AND deliveries.request_id = ${requestId}
        AND deliveries.state IN ('pending', 'held') AND deliveries.sequence < ${values.add(deliveries[0]?.sequence ?? outcome?.sequence ?? 2_147_483_647, 'int')})`);
  }
  if (commit.cards) {
    variant += 'c';
    members.push(`card AS (INSERT INTO card_tasks (tenant, platform, request_id)
      SELECT p.tenant, p.platform, ${requestId} FROM ${gate}, chat_platforms p WHERE p.tenant = ${tenant}
      ON CONFLICT (tenant, platform, request_id) DO UPDATE SET revision = excluded.revision, attempts = 0, due_at = now())`);
  }
  if (commit.pattern !== undefined) {
    variant += 'p';
    members.push(`pattern AS (${patternInsert(values, tenant, commit.pattern)} FROM ${gate})`);
  }
  if (commit.config_change !== undefined) {
    const change = commit.config_change;
    variant += change.kind === 'propose' ? 'P' : 'A';
    members.push(
      change.kind === 'propose'
        ? `proposed AS (${configChangeInsert(values, tenant, change.record)} FROM ${gate})`
        : `applying AS (UPDATE config_changes SET state = 'applying' FROM ${gate}
      WHERE config_changes.tenant = ${tenant} AND config_changes.id = ${values.add(change.id, 'text')} AND config_changes.state = 'proposed')`,
    );
  }
  const followUps = followUpMembers(values, commit, { tenant, gate });
  const leaves = leafMembers(values, tenant, commit.leaves, gate);
  return { members: [...members, ...followUps.members, ...leaves.members], variant: variant + followUps.variant + leaves.variant };
}

/** The outbox row of an event, as the beginning of a statement. Its endpoint may be disabled: a claim finds out, and holds it. */
export function deliveryInsert(values: Values, tenant: string, delivery: DeliveryRecord): string {
  return `INSERT INTO deliveries (tenant, id, request_id, api_key_id, target, endpoint_key, sequence, event, format, created_at, sealed_body)
      SELECT ${[
        tenant,
        values.add(delivery.id, 'text'),
        values.add(delivery.request_id, 'text'),
        values.add(delivery.api_key_id, 'text'),
        values.add(JSON.stringify(delivery.target), 'json'),
        values.add(endpointKeyOf(delivery), 'text'),
        values.add(delivery.sequence, 'int'),
        values.add(delivery.event, 'text'),
        values.add(delivery.format ?? 'standard', 'text'),
        values.add(delivery.created_at, 'timestamptz'),
        values.add(delivery.sealed_body, 'bytea'),
      ].join(', ')}`;
}

/** Leaves without a position, and the sequencer's note of them. */
export function leafMembers(values: Values, tenant: string, leaves: readonly LeafRecord[], gate: string): { members: string[]; variant: string } {
  if (leaves.length === 0) return { members: [], variant: '' };
  const rows = leaves.map(
    (leaf) =>
      `(${[
        values.add(leaf.id, 'uuid'),
        values.add(leaf.event, 'text'),
        values.add(leaf.at, 'timestamptz'),
        values.add(leaf.subject, 'text'),
        values.add(leaf.bytes, 'bytea'),
        values.add(leaf.sealed_private, 'bytea'),
      ].join(', ')})`,
  );
  return {
    variant: String(leaves.length),
    members: [
      // A leaf that is there already was written by an earlier try of this very statement.
      `leaf AS (INSERT INTO ledger_leaves (tenant, id, event, at, subject, bytes, sealed_private)
        SELECT ${tenant}, l.* FROM ${gate}, (VALUES ${rows.join(', ')}) AS l ON CONFLICT DO NOTHING RETURNING tenant, id)`,
      'unplaced AS (INSERT INTO ledger_unplaced (tenant, leaf_id) SELECT tenant, id FROM leaf)',
    ],
  };
}
