import { endpointKeyOf } from '@countersign/core/outcome';
import type { AttemptOutcome, ClaimedDelivery, DeliveryRecord, DeliveryStore, InFlightCaps } from '@countersign/core/ports';
import { newId } from '@countersign/core/request';
import { randomBytes } from 'node:crypto';
import { deliveryInsert, leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { get, list, redrive, search } from './delivery-reads.js';
import { instant, instantOrNull } from './rows.js';

/** Nothing delivered for so long disables an endpoint. */
const DISABLE_AFTER_HOURS = 120;
/** Where nobody names caps: more than any worker takes. */
const NO_CAPS: InFlightCaps = { per_endpoint: 1_000_000, per_tenant: 1_000_000 };

/** The outbox of callbacks. A claim moves next_attempt_at to the end of its lease, so a dead worker's work comes due by itself. */
export function deliveryStore(database: Database): DeliveryStore {
  return {
    claim: (query) => claim(database, query),
    renew: (deliveries, leaseSeconds) => renew(database, deliveries, leaseSeconds),
    finish: (delivery, outcome) => finish(database, delivery, outcome),
    release: (deliveries, dueAt) => release(database, deliveries, dueAt ?? null),
    list: (tenant, requestId) => list(database, tenant, requestId),
    search: (tenant, filter) => search(database, tenant, filter),
    get: (tenant, id) => get(database, tenant, id),
    insert: (tenant, delivery) => insert(database, tenant, delivery),
    redrive: (tenant, pairs) => redrive(database, tenant, pairs),
  };
}

interface ClaimedRow
  extends Omit<DeliveryRecord, 'created_at'>, Pick<ClaimedDelivery, 'sealed_payload' | 'sealed_webhook_secret' | 'sealed_previous_webhook_secret'> {
  tenant: string;
  attempts: number;
  fence: number;
  message_id: string;
  created_at: Date;
  attempted_at: Date;
  endpoint_since: Date | null;
}

/** So much that is due is read as it is; more is walked. */
const NEAR = 500;

/** Of one request the lowest sequence that has not ended goes first. */
const FIRST_OF_REQUEST = `NOT EXISTS (SELECT FROM deliveries f WHERE f.tenant = d.tenant AND f.request_id = d.request_id AND f.sequence < d.sequence AND f.state IN ('pending', 'held'))`;

/**
 * Claimed by state with SKIP LOCKED, never by "id > last seen": a late commit would be lost. Of each endpoint with something due the
 * oldest are taken while it has places; then tenants take turns, and in a tenant its endpoints do. Where little is due, reading that
 * tells the endpoints; where much is, a walk from endpoint to endpoint does (a loose index scan), so that a backlog of one is never read
 * for the others.
 *
 * What waits for a disabled endpoint is held first. The endpoint's row is locked in share mode for it: who enables it waits for this
 * statement, and then sees all that it held.
 */
async function claim(database: Database, query: { limit: number; lease_seconds: number; caps?: InFlightCaps; id?: string }): Promise<ClaimedDelivery[]> {
  const values = new Values();
  const lease = values.add(query.lease_seconds, 'float8');
  const rows = await database.run<ClaimedRow>({
    name: query.id === undefined ? 'claim-deliveries' : 'claim-delivery',
    text: `WITH RECURSIVE ${query.id === undefined ? dueByTurns(values, query.caps ?? NO_CAPS, values.add(query.limit, 'int')) : dueById(values, query.id)},
      claimed AS (UPDATE deliveries d SET attempts = d.attempts + 1, fence = d.fence + 1, next_attempt_at = now() + make_interval(secs => ${lease}), leased_until = now() + make_interval(secs => ${lease})
        FROM due WHERE d.id = due.id RETURNING d.*, due.turn),
      attempt AS (INSERT INTO delivery_attempts (tenant, delivery_id, number, fence, attempted_at) SELECT tenant, id, attempts, fence, now() FROM claimed)
      SELECT c.id, c.tenant, c.request_id, c.api_key_id, c.target, c.sequence, c.event, c.format, c.created_at, c.sealed_body, c.attempts, c.fence, coalesce(c.message_id, c.id) AS message_id,
        now()::timestamptz(3) AS attempted_at, e.since AS endpoint_since, r.sealed_payload, k.sealed_webhook_secret,
        CASE WHEN k.previous_until > now() THEN k.sealed_previous_webhook_secret END AS sealed_previous_webhook_secret
      FROM claimed c LEFT JOIN endpoints e ON e.tenant = c.tenant AND e.endpoint_key = c.endpoint_key
        LEFT JOIN action_requests r ON r.tenant = c.tenant AND r.id = c.request_id LEFT JOIN api_keys k ON k.tenant = c.tenant AND k.id = c.api_key_id
      ORDER BY c.turn, c.created_at, c.id`,
    values: values.values,
  });
  return rows.map(({ attempts, created_at, attempted_at, endpoint_since, ...row }) => ({
    ...row,
    attempt: attempts,
    created_at: instant(created_at),
    attempted_at: instant(attempted_at),
    endpoint_since: instantOrNull(endpoint_since),
  }));
}

function dueByTurns(values: Values, caps: InFlightCaps, limit: string): string {
  const perEndpoint = values.add(caps.per_endpoint, 'int');
  const perTenant = values.add(caps.per_tenant, 'int');
  return `disabled AS MATERIALIZED (SELECT tenant, endpoint_key FROM endpoints WHERE state = 'disabled' AND deleted_at IS NULL FOR SHARE),
      held AS (UPDATE deliveries d SET state = 'held', reason = 'endpoint_disabled', leased_until = NULL FROM disabled x
        WHERE d.tenant = x.tenant AND d.endpoint_key = x.endpoint_key AND d.state = 'pending' AND (d.leased_until IS NULL OR d.leased_until <= now())),
      near AS MATERIALIZED (SELECT tenant, endpoint_key FROM deliveries WHERE state = 'pending' AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT ${NEAR}),
      walked AS ((SELECT tenant, endpoint_key FROM deliveries WHERE state = 'pending' AND (SELECT count(*) FROM near) = ${NEAR} ORDER BY tenant, endpoint_key LIMIT 1)
        UNION ALL SELECT n.tenant, n.endpoint_key FROM walked p CROSS JOIN LATERAL
          (SELECT d.tenant, d.endpoint_key FROM deliveries d WHERE d.state = 'pending' AND (d.tenant, d.endpoint_key) > (p.tenant, p.endpoint_key) ORDER BY d.tenant, d.endpoint_key LIMIT 1) n),
      places AS (SELECT tenant, endpoint_key FROM near UNION SELECT tenant, endpoint_key FROM walked),
      busy AS (SELECT tenant, endpoint_key, count(*)::int AS out FROM deliveries WHERE leased_until > now() AND state = 'pending' GROUP BY tenant, endpoint_key),
      ready AS (SELECT r.id, p.tenant, r.next_attempt_at, row_number() OVER (PARTITION BY p.tenant ORDER BY r.nth, r.next_attempt_at) AS turn
        FROM places p LEFT JOIN busy b ON b.tenant = p.tenant AND b.endpoint_key = p.endpoint_key
        LEFT JOIN disabled x ON x.tenant = p.tenant AND x.endpoint_key = p.endpoint_key
        CROSS JOIN LATERAL (SELECT o.id, o.next_attempt_at, row_number() OVER (ORDER BY o.next_attempt_at, o.id) AS nth FROM
          (SELECT d.id, d.next_attempt_at FROM deliveries d WHERE d.tenant = p.tenant AND d.endpoint_key = p.endpoint_key AND d.state = 'pending' AND d.next_attempt_at <= now()
            AND ${FIRST_OF_REQUEST} ORDER BY d.next_attempt_at LIMIT least(${limit}, greatest(0, ${perEndpoint} - coalesce(b.out, 0)))) o) r
        WHERE x.tenant IS NULL),
      picked AS (SELECT r.id, r.turn FROM ready r LEFT JOIN (SELECT tenant, sum(out) AS out FROM busy GROUP BY tenant) t ON t.tenant = r.tenant
        WHERE r.turn <= ${perTenant} - coalesce(t.out, 0) ORDER BY r.turn, r.next_attempt_at LIMIT ${limit}),
      due AS (SELECT d.id, k.turn FROM deliveries d JOIN picked k ON k.id = d.id WHERE d.state = 'pending' AND d.next_attempt_at <= now() FOR UPDATE OF d SKIP LOCKED)`;
}

function dueById(values: Values, id: string): string {
  return `due AS (SELECT d.id, 1::bigint AS turn FROM deliveries d WHERE d.id = ${values.add(id, 'text')} AND d.state = 'pending' AND d.next_attempt_at <= now() AND ${FIRST_OF_REQUEST}
        AND NOT EXISTS (SELECT FROM endpoints e WHERE e.tenant = d.tenant AND e.endpoint_key = d.endpoint_key AND e.state = 'disabled' AND e.deleted_at IS NULL)
        FOR UPDATE OF d SKIP LOCKED)`;
}

/** A lease that ran out may still be renewed: nobody has taken the delivery, or its fence would be another. */
async function renew(database: Database, deliveries: ClaimedDelivery[], leaseSeconds: number): Promise<string[]> {
  if (deliveries.length === 0) return [];
  const rows = await database.run<{ id: string }>({
    name: 'renew-deliveries',
    text: `UPDATE deliveries d SET next_attempt_at = now() + make_interval(secs => $3::float8), leased_until = now() + make_interval(secs => $3::float8)
      FROM unnest($1::text[], $2::int[]) AS g (id, fence) WHERE d.id = g.id AND d.fence = g.fence AND d.leased_until IS NOT NULL AND d.state IN ('pending', 'superseded') RETURNING d.id`,
    values: [deliveries.map((delivery) => delivery.id), deliveries.map((delivery) => delivery.fence), leaseSeconds],
  });
  return rows.map((row) => row.id);
}

/**
 * The attempt's row is the gate: it ends once, and only under the newest fence. A delivery that was superseded, held or given up while
 * its bytes were on the wire stays so, unless they arrived. What the attempt tells of the endpoint is written with it.
 */
async function finish(database: Database, delivery: ClaimedDelivery, outcome: AttemptOutcome): Promise<boolean> {
  const values = new Values();
  const { next } = outcome;
  const tenant = values.add(delivery.tenant, 'text');
  const id = values.add(delivery.id, 'text');
  const fence = values.add(delivery.fence, 'int');
  const state = values.add(next.kind === 'end' ? next.state : 'pending', 'text');
  const at = values.add(next.kind === 'retry' ? next.at : null, 'timestamptz');
  const reason = values.add(next.kind === 'end' ? (next.reason ?? null) : null, 'text');
  const leaf = leafMembers(values, tenant, outcome.leaf === null ? [] : [outcome.leaf], 'gate');
  const endpoint = endpointMember(values, tenant, delivery, outcome);
  const { rows, again } = await database.runCounting<{ done: boolean }>({
    name: `finish-delivery:${leaf.variant}${endpoint.variant}`,
    text: `WITH newest AS (SELECT id FROM deliveries WHERE tenant = ${tenant} AND id = ${id} AND fence = ${fence} FOR UPDATE),
      gate AS (UPDATE delivery_attempts a SET finished_at = ${values.add(outcome.finished_at, 'timestamptz')}, status = ${values.add(outcome.status, 'int')},
          result = ${values.add(outcome.result, 'text')}, detail = ${values.add(outcome.detail, 'text')}, answer_preview = ${values.add(outcome.answer_preview, 'text')},
          url = ${values.add(outcome.url ?? null, 'text')}, duration_ms = ${values.add(outcome.duration_ms ?? null, 'int')}
        FROM newest WHERE a.delivery_id = ${id} AND a.number = ${values.add(delivery.attempt, 'int')} AND a.finished_at IS NULL RETURNING a.tenant),
      delivery AS (UPDATE deliveries d SET leased_until = NULL,
          state = CASE WHEN d.state = 'pending' OR ${state} = 'delivered' THEN ${state} ELSE d.state END,
          next_attempt_at = CASE WHEN d.state = 'pending' THEN coalesce(${at}, d.next_attempt_at) ELSE d.next_attempt_at END,
          reason = CASE WHEN d.state = 'pending' OR ${state} = 'delivered' THEN ${reason} ELSE d.reason END,
          ended_at = CASE WHEN ${state} = 'delivered' OR d.state = 'pending' AND ${state} <> 'pending' THEN now() ELSE d.ended_at END
        FROM gate WHERE d.id = ${id})
      ${[...leaf.members, ...endpoint.members].map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS done`,
    values: values.values,
  });
  if (rows[0]?.done === true) return true;
  if (!again) return false;
  // The answer of an earlier try got lost: its attempt tells whether it was committed. Nobody else ends an attempt of this fence.
  const written = await database.run({
    name: 'finish-delivery:written',
    text: 'SELECT FROM delivery_attempts WHERE tenant = $1 AND delivery_id = $2 AND number = $3 AND fence = $4 AND finished_at IS NOT NULL',
    values: [delivery.tenant, delivery.id, delivery.attempt, delivery.fence],
  });
  return written.length > 0;
}

/** What an attempt does to its endpoint. A bare URL gets its row with the first failure; a success writes only where one was noted. */
function endpointMember(
  values: Values,
  tenant: string,
  delivery: ClaimedDelivery,
  { receiver = null, disable = null }: AttemptOutcome,
): { members: string[]; variant: string } {
  if (disable === null && receiver === null) return { members: [], variant: '' };
  const key = values.add(endpointKeyOf(delivery), 'text');
  if (disable === null && receiver === 'up') {
    return {
      variant: ':up',
      members: [
        `endpoint AS (UPDATE endpoints e SET failing_since = NULL FROM gate WHERE e.tenant = ${tenant} AND e.endpoint_key = ${key} AND e.failing_since IS NOT NULL)`,
      ],
    };
  }
  const why = values.add(disable, 'text');
  const down = values.add(receiver === 'down', 'bool');
  const disables = `(${why} IS NOT NULL OR (${down} AND e.failing_since <= now() - interval '${DISABLE_AFTER_HOURS} hours'))`;
  const changes = `(e.state = 'enabled' AND ${disables})`;
  const set = `failing_since = CASE WHEN ${down} THEN coalesce(e.failing_since, now()) ELSE e.failing_since END,
    state = CASE WHEN ${changes} THEN 'disabled' ELSE e.state END, reason = CASE WHEN ${changes} THEN coalesce(${why}, 'failing') ELSE e.reason END,
    since = CASE WHEN ${changes} THEN now() ELSE e.since END`;
  if (delivery.target.kind === 'endpoint') {
    return {
      variant: ':registered',
      members: [`endpoint AS (UPDATE endpoints e SET ${set} FROM gate WHERE e.tenant = ${tenant} AND e.endpoint_key = ${key} AND e.deleted_at IS NULL)`],
    };
  }
  const id = values.add(newId('ep', Date.now(), randomBytes(10)), 'text');
  return {
    variant: ':bare',
    members: [
      `endpoint AS (INSERT INTO endpoints AS e (tenant, id, endpoint_key, kind, url, events, header_names, state, reason, since, failing_since, api_key_id, created_at, updated_at)
        SELECT ${tenant}, ${id}, ${key}, 'bare', ${values.add(addressOf(delivery.target.url), 'text')}, '{outcome.settled,outcome.revoked}', '{}', CASE WHEN ${why} IS NULL THEN 'enabled' ELSE 'disabled' END, ${why},
          now(), CASE WHEN ${down} THEN now() END, ${values.add(delivery.api_key_id, 'text')}, now(), now() FROM gate
        ON CONFLICT (tenant, endpoint_key) DO UPDATE SET ${set})`,
    ],
  };
}

/** Origin and path: a query may differ from request to request. */
function addressOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** Nothing left for the wire, so the attempt did not happen: its row goes and its number is given again (I7: no gaps). */
async function release(database: Database, deliveries: ClaimedDelivery[], dueAt: string | null): Promise<void> {
  if (deliveries.length === 0) return;
  await database.run({
    name: 'release-deliveries',
    text: `WITH given AS (SELECT * FROM unnest($1::text[], $2::int[], $3::int[]) AS g (id, number, fence)),
      gone AS (DELETE FROM delivery_attempts a USING given g WHERE a.delivery_id = g.id AND a.number = g.number AND a.fence = g.fence AND a.finished_at IS NULL
        AND EXISTS (SELECT FROM deliveries d WHERE d.id = g.id AND d.fence = g.fence) RETURNING a.delivery_id)
      UPDATE deliveries d SET attempts = d.attempts - 1, leased_until = NULL, next_attempt_at = coalesce($4::timestamptz, now()) FROM gone WHERE d.id = gone.delivery_id`,
    values: [deliveries.map((delivery) => delivery.id), deliveries.map((delivery) => delivery.attempt), deliveries.map((delivery) => delivery.fence), dueAt],
  });
}

async function insert(database: Database, tenant: string, delivery: DeliveryRecord): Promise<void> {
  const values = new Values();
  // A second try of the same insert finds the row.
  await database.run({
    name: 'insert-delivery',
    text: `${deliveryInsert(values, values.add(tenant, 'text'), delivery)} ON CONFLICT DO NOTHING`,
    values: values.values,
  });
}
