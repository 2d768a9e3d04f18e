import type { FreezeNotice } from '@countersign/contracts';
import type { ActionRequestRecord, ChangeCommit, ConfigChangeRecord, OpenCommit, PatternRecord } from '@countersign/core/ports';
import type { Database, Values } from './database.js';
import { ACTORS, CALLERS } from './freeze-conditions.js';
import { instant } from './rows.js';

/*
 * What a commit asks of those who control the installation. The functions stand in the migration `control`: they take a lock that commits
 * share, and look with a snapshot of their own, so that a freeze or an activation which was acknowledged before is always seen.
 */

/** Whether the policy that a plan was made on is in force still, and stays so until the statement is committed. */
export function inForce(tenant: string, digest: string): string {
  return `(${digest} IS NULL OR countersign_in_force(${tenant}, ${digest}))`;
}

/** Whether the person who asks for a change of the configuration is active still. */
export function personLive(tenant: string, id: string): string {
  return `EXISTS (SELECT FROM directory_people WHERE tenant = ${tenant} AND id = ${id} AND active)`;
}

/** The rules of the request's limits that are used up. The limits' rows stay locked until the statement is committed. */
export function limitsUsed(values: Values, tenant: string, { limits = [] }: OpenCommit): string {
  return limits.length === 0 ? `'{}'::text[]` : `countersign_limits_used(${tenant}, ${values.add(JSON.stringify(limits), 'json')})`;
}

/** Whether the pattern by which a request is approved may be used; true where there is none. */
export function patternLive(values: Values, tenant: string, { pattern_use }: OpenCommit): string {
  return pattern_use === undefined
    ? 'true'
    : `countersign_pattern_live(${tenant}, ${values.add(pattern_use.id, 'text')}, ${values.add(pattern_use.used, 'int')})`;
}

/** What a request that is opened uses: its limits once each, and its pattern. */
export function countedMembers(
  values: Values,
  tenant: string,
  requestId: string,
  { limits = [], pattern_use }: OpenCommit,
): { members: string[]; variant: string } {
  const keys = [...new Set(limits.map(({ key }) => key))];
  return {
    variant: `${keys.length > 0 ? 'l' : ''}${pattern_use === undefined ? '' : 'p'}`,
    members: [
      ...(keys.length === 0
        ? []
        : [
            `counted AS (INSERT INTO limit_uses (tenant, key, request_id, at) SELECT ${tenant}, k.key, ${requestId}, clock_timestamp() FROM gate, unnest(${values.add(keys, 'text[]')}) AS k (key))`,
          ]),
      ...(pattern_use === undefined
        ? []
        : [
            `pattern_used AS (UPDATE patterns SET used = patterns.used + 1 FROM gate WHERE patterns.tenant = ${tenant} AND patterns.id = ${values.add(pattern_use.id, 'text')})`,
          ]),
    ],
  };
}

/** The row of a pattern that an approval creates, as the beginning of a statement. */
export function patternInsert(values: Values, tenant: string, record: PatternRecord): string {
  return `INSERT INTO patterns (tenant, id, match_key, request_id, created_by, created_at, expires_at, uses, document, sealed_pins)
      SELECT ${[
        tenant,
        values.add(record.id, 'text'),
        values.add(record.match_key, 'text'),
        values.add(record.request_id, 'text'),
        values.add(record.created_by, 'text'),
        values.add(record.created_at, 'timestamptz'),
        values.add(record.expires_at, 'timestamptz'),
        values.add(record.uses, 'int'),
        values.add(JSON.stringify(record.document), 'json'),
        values.add(record.sealed_pins, 'bytea'),
      ].join(', ')}`;
}

/** The freeze that keeps a request from being opened, as JSON, or null. */
export function frozenAtOpen(values: Values, tenant: string, request: ActionRequestRecord): string {
  const { action, actor } = request.view;
  const known = request.chain.filter(({ role }) => role === 'actor' || role === 'on_behalf_of').flatMap(({ person_id }) => person_id ?? []);
  const actors = [actor.id, ...(actor.on_behalf_of === undefined ? [] : [actor.on_behalf_of.id]), ...known];
  return `countersign_frozen(${tenant}, ${values.add(action, 'text')}, ${values.add(actors, 'text[]')}, ${values.add([request.requester.id], 'text[]')})`;
}

/** Whether a commit lets something run, or brings it nearer to that: then no freeze may hold its request. */
export function needsThaw({ set, decision, grant }: ChangeCommit): boolean {
  return set.status === 'approved' || set.redeemed_at !== undefined || grant !== undefined || decision?.verdict === 'approve';
}

/** The freeze that keeps a request from going on, as JSON, or null. */
export function frozenAtChange(values: Values, commit: ChangeCommit, at: { tenant: string; id: string }): string {
  if (!needsThaw(commit)) return 'NULL::json';
  const redeemer = values.add(commit.set.redeemed_by ?? null, 'text');
  return `(SELECT countersign_frozen(r.tenant, r.action, ${ACTORS}, ARRAY[${CALLERS}, ${redeemer}]) FROM action_requests r WHERE r.tenant = ${at.tenant} AND r.id = ${at.id})`;
}

export const freezeNotice = (json: FreezeNotice): FreezeNotice => ({ ...json, placed_at: instant(json.placed_at) });

/** The row of a change that its request asks approval for, as the beginning of a statement. */
export function configChangeInsert(values: Values, tenant: string, record: ConfigChangeRecord): string {
  return `INSERT INTO config_changes (tenant, id, kind, resource_id, sealed_payload, payload_digest, summary, proposed_by, proposed_at, request_id, state)
      SELECT ${[
        tenant,
        values.add(record.id, 'text'),
        values.add(record.kind, 'text'),
        values.add(record.resource_id, 'text'),
        values.add(record.sealed_payload, 'bytea'),
        values.add(record.payload_digest, 'text'),
        values.add(JSON.stringify(record.summary), 'json'),
        values.add(JSON.stringify(record.proposed_by), 'json'),
        values.add(record.proposed_at, 'timestamptz'),
        values.add(record.request_id, 'text'),
        values.add(record.state, 'text'),
      ].join(', ')}`;
}

/** Whether a leaf is there: it tells whether a commit whose answer got lost has happened. */
export async function hasLeaf(database: Database, tenant: string, id: string): Promise<boolean> {
  return (await database.run({ name: 'leaf:written', text: 'SELECT FROM ledger_leaves WHERE tenant = $1 AND id = $2', values: [tenant, id] })).length > 0;
}
