import type { CallbackTarget, DeliveryFilter, DeliveryState, DeliveryView } from '@countersign/core/ports';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

interface DeliveryRow {
  id: string;
  message_id: string | null;
  request_id: string;
  api_key_id: string;
  target: CallbackTarget;
  endpoint_url: string | null;
  endpoint_id: string | null;
  sequence: number;
  event: string;
  state: DeliveryState;
  reason: string | null;
  created_at: Date;
  ended_at: Date | null;
  next_attempt_at: Date;
  redrive_of: string | null;
  attempts: AttemptJson[] | null;
}

/** As json_agg writes it. */
type AttemptJson = DeliveryView['attempts'][number];

const COLUMNS = `d.id, d.message_id, d.request_id, d.api_key_id, d.target, e.url AS endpoint_url, e.id AS endpoint_id, d.sequence, d.event, d.state, d.reason, d.created_at, d.ended_at,
  d.next_attempt_at, d.redrive_of,
  (SELECT json_agg(json_build_object('number', a.number, 'at', a.attempted_at, 'finished_at', a.finished_at, 'url', a.url, 'status', a.status, 'result', a.result,
     'detail', a.detail, 'duration_ms', a.duration_ms, 'answer_preview', a.answer_preview) ORDER BY a.number) FROM delivery_attempts a WHERE a.delivery_id = d.id AND a.tenant = d.tenant) AS attempts`;
const JOIN = 'LEFT JOIN endpoints e ON e.tenant = d.tenant AND e.endpoint_key = d.endpoint_key';

export async function list(database: Database, tenant: string, requestId: string): Promise<DeliveryView[]> {
  const rows = await database.run<DeliveryRow>({
    name: 'deliveries-of-request',
    text: `SELECT ${COLUMNS} FROM deliveries d ${JOIN} WHERE d.tenant = $1 AND d.request_id = $2 ORDER BY d.sequence, d.created_at, d.id`,
    values: [tenant, requestId],
  });
  return rows.map(viewOf);
}

export async function get(database: Database, tenant: string, id: string): Promise<DeliveryView | null> {
  const [row] = await database.run<DeliveryRow>({
    name: 'delivery',
    text: `SELECT ${COLUMNS} FROM deliveries d ${JOIN} WHERE d.tenant = $1 AND d.id = $2`,
    values: [tenant, id],
  });
  return row === undefined ? null : viewOf(row);
}

/** Newest first; the keys and the order are those of the indexes. */
export async function search(database: Database, tenant: string, filter: DeliveryFilter): Promise<DeliveryView[]> {
  const values = new Values();
  const conditions = [`d.tenant = ${values.add(tenant, 'text')}`];
  let variant = '';
  const also = (letter: string, condition: string): void => {
    variant += letter;
    conditions.push(condition);
  };
  // The literal lets the planner use the index of dead letters.
  if (filter.state === 'dead') also('x', `d.state = 'dead'`);
  else if (filter.state !== undefined) also('s', `d.state = ${values.add(filter.state, 'text')}`);
  if (filter.endpoint_id !== undefined) {
    also('e', `d.endpoint_key = (SELECT p.endpoint_key FROM endpoints p WHERE p.tenant = d.tenant AND p.id = ${values.add(filter.endpoint_id, 'text')})`);
  }
  if (filter.request_id !== undefined) also('r', `d.request_id = ${values.add(filter.request_id, 'text')}`);
  if (filter.api_key_id !== undefined) also('k', `d.api_key_id = ${values.add(filter.api_key_id, 'text')}`);
  if (filter.from !== undefined) also('f', `d.created_at >= ${values.add(filter.from, 'timestamptz')}`);
  if (filter.to !== undefined) also('t', `d.created_at < ${values.add(filter.to, 'timestamptz')}`);
  if (filter.before !== undefined) {
    also('b', `(d.created_at, d.id) < (${values.add(filter.before.created_at, 'timestamptz')}, ${values.add(filter.before.id, 'text')})`);
  }
  const rows = await database.run<DeliveryRow>({
    name: `deliveries:${variant}`,
    text: `SELECT ${COLUMNS} FROM (SELECT * FROM deliveries d WHERE ${conditions.join(' AND ')} ORDER BY d.created_at DESC, d.id DESC LIMIT ${values.add(filter.limit, 'int')}) d
      ${JOIN} ORDER BY d.created_at DESC, d.id DESC`,
    values: values.values,
  });
  return rows.map(viewOf);
}

/**
 * A new record with the old one's bytes and message; the old one stays as it ended. Not of what a revocation superseded, before or since,
 * and one at a time: the partial unique index decides between two who ask at once.
 */
export async function redrive(
  database: Database,
  tenant: string,
  pairs: readonly { id: string; redrive_of: string }[],
): Promise<{ id: string; redrive_of: string }[]> {
  if (pairs.length === 0) return [];
  const ids = pairs.map((pair) => pair.id);
  await database.run({
    name: 'redrive-deliveries',
    text: `INSERT INTO deliveries (tenant, id, request_id, api_key_id, target, endpoint_key, sequence, event, format, created_at, sealed_body, redrive_of, message_id)
      SELECT d.tenant, n.id, d.request_id, d.api_key_id, d.target, d.endpoint_key, d.sequence, d.event, d.format, now(), d.sealed_body, d.id, coalesce(d.message_id, d.id)
      FROM unnest($2::text[], $3::text[]) AS n (id, redrive_of) JOIN deliveries d ON d.tenant = $1 AND d.id = n.redrive_of
      WHERE d.state IN ('dead', 'aborted', 'delivered')
        AND NOT (d.event <> 'outcome.revoked' AND EXISTS (SELECT FROM deliveries r WHERE r.tenant = d.tenant AND r.request_id = d.request_id AND r.event = 'outcome.revoked'))
        AND NOT EXISTS (SELECT FROM endpoints e WHERE e.tenant = d.tenant AND e.endpoint_key = d.endpoint_key AND e.deleted_at IS NOT NULL)
      ON CONFLICT DO NOTHING`,
    values: [tenant, ids, pairs.map((pair) => pair.redrive_of)],
  });
  // Read back: a try whose answer got lost made its rows all the same.
  return database.run<{ id: string; redrive_of: string }>({
    name: 'redriven-deliveries',
    text: 'SELECT id, redrive_of FROM deliveries WHERE tenant = $1 AND id = ANY ($2::text[]) ORDER BY array_position($2::text[], id)',
    values: [tenant, ids],
  });
}

function viewOf(row: DeliveryRow): DeliveryView {
  const { target, state } = row;
  return {
    id: row.id,
    webhook_id: row.message_id ?? row.id,
    event: row.event,
    action_request: row.event === 'endpoint.tested' ? null : row.request_id,
    endpoint_id: target.kind === 'endpoint' ? target.endpoint_id : row.endpoint_id,
    api_key_id: row.api_key_id,
    sequence: row.sequence,
    state,
    reason: row.reason,
    url: target.kind === 'url' ? target.url : row.endpoint_url,
    created_at: instant(row.created_at),
    ended_at: instantOrNull(row.ended_at),
    next_attempt_at: state === 'pending' ? instant(row.next_attempt_at) : null,
    redrive_of: row.redrive_of,
    attempts: (row.attempts ?? []).map((attempt) => ({ ...attempt, at: instant(attempt.at), finished_at: instantOrNull(attempt.finished_at) })),
  };
}
