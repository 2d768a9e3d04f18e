import type { AttemptOutcome, CallbackTarget, ClaimedDelivery, DeliveryRecord, DeliveryState, DeliveryStore, DeliveryView } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

/** The outbox of callbacks. A claim moves next_attempt_at to the end of its lease, so a dead worker's work comes due by itself. */
export function deliveryStore(database: Database): DeliveryStore {
  return {
    claim: (query) => claim(database, query),
    finish: (delivery, outcome) => finish(database, delivery, outcome),
    release: (deliveries, dueAt) => release(database, deliveries, dueAt ?? null),
    list: (tenant, requestId) => list(database, tenant, requestId),
  };
}

interface ClaimedRow extends Omit<DeliveryRecord, 'created_at'> {
  tenant: string;
  attempts: number;
  fence: number;
  created_at: Date;
  attempted_at: Date;
}

/** Claimed by state with SKIP LOCKED, never by "id > last seen": a late commit would be lost. */
async function claim(database: Database, query: { limit: number; lease_seconds: number; id?: string }): Promise<ClaimedDelivery[]> {
  const values = new Values();
  const which = query.id === undefined ? '' : `AND d.id = ${values.add(query.id, 'text')}`;
  const rows = await database.run<ClaimedRow>({
    name: query.id === undefined ? 'claim-deliveries' : 'claim-delivery',
    text: `WITH due AS (SELECT d.id FROM deliveries d WHERE d.state = 'pending' AND d.next_attempt_at <= now() ${which}
        AND NOT EXISTS (SELECT FROM deliveries e WHERE e.tenant = d.tenant AND e.request_id = d.request_id AND e.sequence < d.sequence AND e.state IN ('pending', 'held'))
        ORDER BY d.next_attempt_at LIMIT ${values.add(query.limit, 'int')} FOR UPDATE OF d SKIP LOCKED),
      claimed AS (UPDATE deliveries d SET attempts = d.attempts + 1, fence = d.fence + 1, next_attempt_at = now() + make_interval(secs => ${values.add(query.lease_seconds, 'float8')})
        FROM due WHERE d.id = due.id RETURNING d.*),
      attempt AS (INSERT INTO delivery_attempts (tenant, delivery_id, number, fence, attempted_at) SELECT tenant, id, attempts, fence, now() FROM claimed)
      SELECT id, tenant, request_id, api_key_id, target, sequence, event, created_at, sealed_body, attempts, fence, now()::timestamptz(3) AS attempted_at FROM claimed ORDER BY created_at, id`,
    values: values.values,
  });
  return rows.map(({ attempts, created_at, attempted_at, ...row }) => ({
    ...row,
    attempt: attempts,
    created_at: instant(created_at),
    attempted_at: instant(attempted_at),
  }));
}

/**
 * The attempt's row is the gate: it ends once, and only under the newest fence. A delivery that was superseded while its bytes were
 * on the wire stays so, unless they arrived.
 */
async function finish(database: Database, delivery: ClaimedDelivery, outcome: AttemptOutcome): Promise<boolean> {
  const values = new Values();
  const { next } = outcome;
  const tenant = values.add(delivery.tenant, 'text');
  const id = values.add(delivery.id, 'text');
  const fence = values.add(delivery.fence, 'int');
  const state = values.add(next.kind === 'end' ? next.state : 'pending', 'text');
  const at = values.add(next.kind === 'retry' ? next.at : null, 'timestamptz');
  const leaf = leafMembers(values, tenant, [outcome.leaf], 'gate');
  const { rows, again } = await database.runCounting<{ done: boolean }>({
    name: 'finish-delivery',
    text: `WITH newest AS (SELECT id FROM deliveries WHERE tenant = ${tenant} AND id = ${id} AND fence = ${fence} FOR UPDATE),
      gate AS (UPDATE delivery_attempts a SET finished_at = ${values.add(outcome.finished_at, 'timestamptz')}, status = ${values.add(outcome.status, 'int')},
          result = ${values.add(outcome.result, 'text')}, detail = ${values.add(outcome.detail, 'text')}, answer_preview = ${values.add(outcome.answer_preview, 'text')}
        FROM newest WHERE a.delivery_id = newest.id AND a.number = ${values.add(delivery.attempt, 'int')} AND a.finished_at IS NULL RETURNING a.tenant),
      delivery AS (UPDATE deliveries d SET state = ${state}, next_attempt_at = coalesce(${at}, d.next_attempt_at)
        FROM gate WHERE d.id = ${id} AND (d.state = 'pending' OR (d.state = 'superseded' AND ${state} = 'delivered')))
      ${leaf.members.map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS done`,
    values: values.values,
  });
  if (rows[0]?.done === true) return true;
  if (!again) return false;
  // The answer of an earlier try got lost: its leaf tells whether it was committed.
  const written = await database.run({
    name: 'finish-delivery:written',
    text: 'SELECT id FROM ledger_leaves WHERE tenant = $1 AND id = $2',
    values: [delivery.tenant, outcome.leaf.id],
  });
  return written.length > 0;
}

/** Nothing left for the wire, so the attempt did not happen: its row goes and its number is given again (I7: no gaps). */
async function release(database: Database, deliveries: ClaimedDelivery[], dueAt: string | null): Promise<void> {
  if (deliveries.length === 0) return;
  await database.run({
    name: 'release-deliveries',
    text: `WITH given AS (SELECT * FROM unnest($1::text[], $2::int[], $3::int[]) AS g (id, number, fence)),
      gone AS (DELETE FROM delivery_attempts a USING given g WHERE a.delivery_id = g.id AND a.number = g.number AND a.fence = g.fence AND a.finished_at IS NULL
        AND EXISTS (SELECT FROM deliveries d WHERE d.id = g.id AND d.fence = g.fence) RETURNING a.delivery_id)
      UPDATE deliveries d SET attempts = d.attempts - 1, next_attempt_at = coalesce($4::timestamptz, now()) FROM gone WHERE d.id = gone.delivery_id`,
    values: [deliveries.map((delivery) => delivery.id), deliveries.map((delivery) => delivery.attempt), deliveries.map((delivery) => delivery.fence), dueAt],
  });
}

async function list(database: Database, tenant: string, requestId: string): Promise<DeliveryView[]> {
  const deliveries = await database.ordinary((prisma) =>
    prisma.delivery.findMany({ where: { tenant, request_id: requestId }, omit: { sealed_body: true }, orderBy: { sequence: 'asc' } }),
  );
  const ids = deliveries.map((delivery) => delivery.id);
  const attempts = await database.ordinary((prisma) =>
    prisma.deliveryAttempt.findMany({ where: { tenant, delivery_id: { in: ids } }, orderBy: { number: 'asc' } }),
  );
  return deliveries.map((delivery) => {
    // Written by a commit as a CallbackTarget; a CHECK guards the state.
    const target = delivery.target as unknown as CallbackTarget;
    const state = delivery.state as DeliveryState;
    return {
      id: delivery.id,
      event: delivery.event,
      sequence: delivery.sequence,
      state,
      url: target.kind === 'url' ? target.url : null,
      created_at: instant(delivery.created_at),
      next_attempt_at: state === 'pending' ? instant(delivery.next_attempt_at) : null,
      attempts: attempts
        .filter((attempt) => attempt.delivery_id === delivery.id)
        .map(({ number, attempted_at, finished_at, status, result, detail }) => ({
          number,
          at: instant(attempted_at),
          finished_at: instantOrNull(finished_at),
          status,
          result,
          detail,
        })),
    };
  });
}
