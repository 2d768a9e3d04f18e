import type { FreezeNotice } from '@countersign/contracts';
import { namedGroups } from '@countersign/core/policy';
import type { ChangeCommit, ChangeResult, LeafRecord, OpenCommit, OpeningRecord, OpenResult, RequestStore } from '@countersign/core/ports';
import { callerLive, requesterRevoked } from './caller-live.js';
import { commitParts, leafMembers } from './commits.js';
import { countedMembers, frozenAtChange, frozenAtOpen, freezeNotice, inForce, limitsUsed, needsThaw, patternLive, personLive } from './control.js';
import { type Database, Values } from './database.js';
import { StoreError } from './errors.js';
import { decidingContext, due, list, openingContext, state, subscription, timeline } from './request-reads.js';
import { documentOf } from './rows.js';

/** The flows' port on PostgreSQL: each commit is one statement, so one round trip and one transaction. */
export function requestStore(database: Database): RequestStore {
  return {
    openingContext: (query) => openingContext(database, query),
    open: (commit) => open(database, commit),
    decidingContext: (query) => decidingContext(database, query),
    change: (commit) => change(database, commit),
    usedUp: async (tenant, limits) => {
      const [row] = await database.run<{ rules: string[] }>({
        name: 'limits-used',
        text: 'SELECT countersign_limits_used($1, $2::json) AS rules',
        values: [tenant, JSON.stringify(limits)],
      });
      return row?.rules ?? [];
    },
    record: (tenant, leaves) => record(database, tenant, leaves),
    opened: (opening, leaf) => opened(database, opening, leaf),
    state: (tenant, requestId) => state(database, tenant, requestId),
    list: (tenant, filter) => list(database, tenant, filter),
    timeline: (tenant, requestId) => timeline(database, tenant, requestId),
    subscription: (query) => subscription(database, query),
    due: (limit) => due(database, limit),
  };
}

interface OpenRow {
  done: boolean;
  policy_ok: boolean;
  caller_ok: boolean;
  freeze: FreezeNotice | null;
  used_up: string[];
  pattern_ok: boolean;
  fingerprint: string | null;
  request_id: string | null;
  sealed_answer: Buffer | null;
}

/**
 * The idempotency row is the gate: whoever inserts it writes everything else. Somebody with the same key waits here until the first
 * has committed or failed.
 */
async function open(database: Database, commit: OpenCommit): Promise<OpenResult> {
  const { request, idempotency } = commit;
  const values = new Values();
  const tenant = values.add(commit.tenant, 'text');
  const keyId = values.add(idempotency.key_id, 'text');
  const key = values.add(idempotency.key, 'text');
  const policy = values.add(commit.active_policy ?? null, 'text');
  const gate = `SELECT ${[
    tenant,
    keyId,
    key,
    values.add(idempotency.fingerprint, 'text'),
    values.add(idempotency.request_id, 'text'),
    values.add(idempotency.sealed_answer, 'bytea'),
  ].join(', ')} FROM conditions WHERE policy_ok AND caller_ok AND conditions.freeze IS NULL AND conditions.used_up = '{}' AND conditions.pattern_ok`;
  const document = documentOf(request);
  const chainPeople = [...new Set(request.chain.flatMap(({ person_id, members = [] }) => [...(person_id === null ? [] : [person_id]), ...members]))];
  const stageGroups = request.requirement === null ? [] : namedGroups(request.requirement);
  const requestId = values.add(request.id, 'text');
  const row = `SELECT ${[
    tenant,
    requestId,
    values.add(request.status, 'text'),
    values.add(request.version, 'int'),
    values.add(request.created_at, 'timestamptz'),
    values.add(request.expires_at, 'timestamptz'),
    values.add(request.settled_at, 'timestamptz'),
    values.add(request.use_until, 'timestamptz'),
    values.add(request.redeemed_at, 'timestamptz'),
    values.add(request.redeemed_by, 'text'),
    values.add(request.action_digest, 'text'),
    values.add(request.request_digest, 'text'),
    values.add(request.view_digest, 'text'),
    values.add(request.policy_digest, 'text'),
    values.add(request.grant_audience, 'text'),
    values.add(request.view.action, 'text'),
    values.add(request.view.actor.id, 'text'),
    values.add(request.view.resource.id, 'text'),
    values.add(request.requester.id, 'text'),
    values.add(chainPeople, 'text[]'),
    values.add(stageGroups, 'text[]'),
    values.add(JSON.stringify(document), 'json'),
    values.add(request.sealed_payload, 'bytea'),
    values.add(commit.chain_key ?? null, 'text'),
  ].join(', ')} FROM gate`;
  const parts = commitParts(values, commit, { tenant, requestId, gate: 'gate' });
  const counted = countedMembers(values, tenant, requestId, commit);
  const text = `WITH conditions AS (SELECT
      ${inForce(tenant, policy)} AS policy_ok, ${frozenAtOpen(values, tenant, request)} AS freeze,
      ${limitsUsed(values, tenant, commit)} AS used_up, ${patternLive(values, tenant, commit)} AS pattern_ok,
      ${request.requester.type === 'person' ? personLive(tenant, keyId) : callerLive(tenant, keyId)} AS caller_ok),
    gate AS (INSERT INTO idempotency_keys (tenant, key_id, key, fingerprint, request_id, sealed_answer) ${gate} ON CONFLICT DO NOTHING RETURNING tenant),
    request AS (INSERT INTO action_requests (tenant, id, status, version, created_at, expires_at, settled_at, use_until, redeemed_at, redeemed_by, action_digest, request_digest, view_digest,
      policy_digest, grant_audience, action, actor_id, resource_id, requester_id, chain_people, stage_groups, document, sealed_payload, chain_key) ${row})
    ${[...parts.members, ...counted.members].map((member) => `, ${member}`).join('\n')}
    SELECT EXISTS (SELECT FROM gate) AS done, c.policy_ok, c.caller_ok, c.freeze, c.used_up, c.pattern_ok, i.fingerprint, i.request_id, i.sealed_answer
    FROM conditions c LEFT JOIN idempotency_keys i ON i.tenant = ${tenant} AND i.key_id = ${keyId} AND i.key = ${key}`;
  const statement = { name: `open:${request.requester.type === 'person' ? 'person' : ''}:${parts.variant}:${counted.variant}`, text, values: values.values };

  // Twice: the holder of the same key may have failed while we waited for it.
  for (let tries = 0; tries < 2; tries += 1) {
    const [found] = await database.run<OpenRow>(statement);
    if (found === undefined) throw new StoreError('corrupt', 'Opening a request gave no answer.');
    if (found.done) return { kind: 'committed' };
    const replay = replayOf(found, request.id);
    // A key that is not live any more is given no earlier answer either; that our own try was committed is no replay.
    if (replay !== null && (found.caller_ok || replay.kind === 'committed')) return replay;
    if (!found.caller_ok) return { kind: 'key_inactive' };
    if (!found.policy_ok) return { kind: 'policy_changed' };
    if (found.freeze !== null) return { kind: 'frozen', freeze: freezeNotice(found.freeze) };
    if (found.used_up.length > 0) return { kind: 'limits', rules: found.used_up };
    if (!found.pattern_ok) return { kind: 'pattern_over' };
    // The row was committed after our snapshot: a new one sees it.
    const [now] = await database.run<OpenRow>({
      name: 'open:replay',
      text: 'SELECT fingerprint, request_id, sealed_answer FROM idempotency_keys WHERE tenant = $1 AND key_id = $2 AND key = $3',
      values: [commit.tenant, idempotency.key_id, idempotency.key],
    });
    const late = now === undefined ? null : replayOf(now, request.id);
    if (late !== null) return late;
  }
  return { kind: 'in_progress' };
}

/** Our own request under the key means that an earlier try was committed though its answer got lost. */
function replayOf(row: OpenRow, ownId: string): OpenResult | null {
  const { fingerprint, request_id, sealed_answer } = row;
  if (fingerprint === null || request_id === null || sealed_answer === null) return null;
  return request_id === ownId ? { kind: 'committed' } : { kind: 'replay', fingerprint, request_id, sealed_answer };
}

interface ChangeRow {
  done: boolean;
  policy_ok: boolean;
  freeze: FreezeNotice | null;
  current: boolean | null;
  in_time: boolean | null;
  not_early: boolean | null;
  actor_ok: boolean | null;
  requester_ok: boolean | null;
}

/**
 * Compare-and-set on version and status. Time is clock_timestamp(): now() stands still while the statement waits for the row's lock,
 * and the condition is judged again when it gets it.
 */
async function change(database: Database, commit: ChangeCommit): Promise<ChangeResult> {
  const values = new Values();
  const tenant = values.add(commit.tenant, 'text');
  const id = values.add(commit.request_id, 'text');
  const policy = values.add(commit.active_policy ?? null, 'text');
  const current = `r.version = ${values.add(commit.from.version, 'int')} AND r.status = ${values.add(commit.from.status, 'text')}`;
  const { inTime, variant: timeVariant } = timeCondition(values, commit.time);
  const notEarly = commit.not_before === undefined ? 'true' : `clock_timestamp() >= ${values.add(commit.not_before, 'timestamptz')}`;
  const set = [
    'version = r.version + 1',
    `status = coalesce(${values.add(commit.set.status ?? null, 'text')}, r.status)`,
    `settled_at = coalesce(${values.add(commit.set.settled_at ?? null, 'timestamptz')}, r.settled_at)`,
    `use_until = coalesce(${values.add(commit.set.use_until ?? null, 'timestamptz')}, r.use_until)`,
    `redeemed_by = coalesce(${values.add(commit.set.redeemed_by ?? null, 'text')}, r.redeemed_by)`,
    `redeemed_at = coalesce(${values.add(commit.set.redeemed_at ?? null, 'timestamptz')}, r.redeemed_at)`,
  ].join(', ');
  const parts = commitParts(values, commit, { tenant, requestId: id, gate: 'gate' });
  const keys = keysConditions(values, commit, tenant);
  const text = `WITH conditions AS (SELECT ${inForce(tenant, policy)} AS policy_ok, ${frozenAtChange(values, commit, { tenant, id })} AS freeze),
    gate AS (UPDATE action_requests r SET ${set} FROM conditions c
      WHERE r.tenant = ${tenant} AND r.id = ${id} AND ${current} AND ${inTime} AND ${notEarly} AND c.policy_ok AND c.freeze IS NULL AND ${keys.actor} AND ${keys.requester} RETURNING r.tenant)
    ${parts.members.map((member) => `, ${member}`).join('\n')}
    SELECT EXISTS (SELECT FROM gate) AS done, c.policy_ok, c.freeze, ${current} AS current, ${inTime} AS in_time, ${notEarly} AS not_early, ${keys.actor} AS actor_ok, ${keys.requester} AS requester_ok
    FROM conditions c LEFT JOIN action_requests r ON r.tenant = ${tenant} AND r.id = ${id}`;
  const { rows, again } = await database.runCounting<ChangeRow>({
    name: `change:${timeVariant}${commit.not_before === undefined ? '' : 'n'}:${keys.variant}${needsThaw(commit) ? 't' : ''}:${parts.variant}`,
    text,
    values: values.values,
  });
  const [found] = rows;
  if (found === undefined) throw new StoreError('corrupt', 'A change of a request gave no answer.');
  if (found.done) return { kind: 'committed' };
  if (again && (await wasWritten(database, commit))) return { kind: 'committed' };
  // The row moved before our snapshot, or (all conditions true) while we waited for its lock.
  if (found.current !== true) return { kind: 'conflict' };
  if (found.in_time !== true) return { kind: 'time' };
  if (found.not_early !== true) return { kind: 'early' };
  if (found.requester_ok !== true) return { kind: 'key_inactive', whose: 'requester' };
  if (found.actor_ok !== true) return { kind: 'key_inactive', whose: 'actor' };
  if (!found.policy_ok) return { kind: 'policy_changed' };
  return found.freeze === null ? { kind: 'conflict' } : { kind: 'frozen', freeze: freezeNotice(found.freeze) };
}

/** What a revoked key asked for is neither approved nor granted nor redeemed, and a key that is not live redeems nothing. */
function keysConditions(values: Values, { set, grant, acting_key }: ChangeCommit, tenant: string): { actor: string; requester: string; variant: string } {
  const uses = set.status === 'approved' || set.redeemed_at !== undefined || grant !== undefined;
  return {
    actor: acting_key === undefined ? 'true' : callerLive(tenant, values.add(acting_key, 'text')),
    requester: uses ? `NOT ${requesterRevoked(tenant, 'r.requester_id')}` : 'true',
    variant: `${uses ? 'u' : ''}${acting_key === undefined ? '' : 'k'}`,
  };
}

function timeCondition(values: Values, time: ChangeCommit['time']): { inTime: string; variant: string } {
  if (typeof time === 'object') return { inTime: `clock_timestamp() < ${values.add(time.before, 'timestamptz')}`, variant: 'before' };
  switch (time) {
    case 'live':
      return { inTime: 'r.expires_at > clock_timestamp()', variant: time };
    case 'due':
      return { inTime: 'r.expires_at <= clock_timestamp()', variant: time };
    case 'any':
      return { inTime: 'true', variant: time };
  }
}

/** Whether a commit whose answer got lost happened: what it would have written is there, by ids that nobody else makes. */
async function wasWritten(database: Database, commit: ChangeCommit): Promise<boolean> {
  const { decision, outcome, grant } = commit;
  const [row] = await database.run<{ written: boolean }>({
    name: 'change:written',
    text: `SELECT EXISTS (SELECT FROM ledger_leaves WHERE tenant = $1 AND id = $2)
             OR EXISTS (SELECT FROM decisions WHERE tenant = $1 AND id = $3)
             OR EXISTS (SELECT FROM outcomes WHERE tenant = $1 AND request_id = $4 AND id = $5)
             OR EXISTS (SELECT FROM grants WHERE tenant = $1 AND id = $6) AS written`,
    values: [commit.tenant, commit.leaves[0]?.id ?? null, decision?.id ?? null, commit.request_id, outcome?.id ?? null, grant?.id ?? null],
  });
  return row?.written === true;
}

/** Once per person and view: who opens it again changes nothing, and makes no second entry. */
async function opened(database: Database, opening: OpeningRecord, leaf: LeafRecord): Promise<boolean> {
  const values = new Values();
  const tenant = values.add(opening.tenant, 'text');
  const row = [opening.request_id, opening.person_id, opening.view_digest].map((text) => values.add(text, 'text'));
  const { members } = leafMembers(values, tenant, [leaf], 'gate');
  const [found] = await database.run<{ added: boolean }>({
    name: 'opened',
    text: `WITH gate AS (INSERT INTO card_openings (tenant, request_id, person_id, view_digest, opened_at)
        VALUES (${[tenant, ...row, values.add(opening.opened_at, 'timestamptz')].join(', ')}) ON CONFLICT DO NOTHING RETURNING tenant)
      ${members.map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS added`,
    values: values.values,
  });
  return found?.added === true;
}

async function record(database: Database, tenant: string, leaves: LeafRecord[]): Promise<void> {
  if (leaves.length === 0) return;
  const values = new Values();
  const parts = leafMembers(values, values.add(tenant, 'text'), leaves, '(SELECT) AS gate');
  await database.run({ name: `record:${parts.variant}`, text: `WITH ${parts.members.join(',\n')} SELECT 1`, values: values.values });
}
