import type { Agent, DecidingContext, LeafRecord, OpeningContext, RequestFilter, RequestState, Subscription } from '@countersign/core/ports';
import type { EventName } from '@countersign/contracts';
import { type Database, Values } from './database.js';
import { StoreError } from './errors.js';
import { instant, PERSON_JSON, type PersonJson, personOf, STATE_COLUMNS, STATE_JOINS, stateOf, type StateRow } from './rows.js';

/** What opening needs, in one statement. A tenant without a policy in force opens nothing (I17). */
export async function openingContext(database: Database, query: { tenant: string; agent_id: string; refs: string[] }): Promise<OpeningContext> {
  const [row] = await database.run<{ active_policy: string | null; agent: Agent | null; people: PersonJson[] | null }>({
    name: 'opening-context',
    text: `WITH agent AS (SELECT id, owner, active FROM directory_agents WHERE tenant = $1 AND id = $2),
      refs AS (SELECT lower(ref) AS ref FROM (SELECT unnest($3::text[]) UNION SELECT owner FROM agent) AS all_refs (ref))
      SELECT (SELECT digest FROM active_policies WHERE tenant = $1) AS active_policy,
        (SELECT json_build_object('id', id, 'owner', owner, 'active', active) FROM agent) AS agent,
        (SELECT json_agg(${PERSON_JSON}) FROM directory_people p
          WHERE p.tenant = $1 AND (p.id IN (SELECT ref FROM refs) OR lower(p.email) IN (SELECT ref FROM refs))) AS people`,
    values: [query.tenant, query.agent_id, query.refs],
  });
  return { active_policy: inForce(row?.active_policy), agent: row?.agent ?? null, people: (row?.people ?? []).map(personOf) };
}

export async function decidingContext(
  database: Database,
  query: { tenant: string; request_id: string; person_id: string | null },
): Promise<DecidingContext | null> {
  const [row] = await database.run<StateRow & { active_policy: string | null; people: PersonJson[] | null }>({
    name: 'deciding-context',
    text: `SELECT ${STATE_COLUMNS}, (SELECT digest FROM active_policies WHERE tenant = $1) AS active_policy,
        (SELECT json_agg(${PERSON_JSON}) FROM directory_people p WHERE p.tenant = $1 AND (p.id = $3 OR p.id = ANY (r.chain_people)
          OR p.id IN (SELECT d.person_id FROM decisions d WHERE d.tenant = r.tenant AND d.request_id = r.id))) AS people
      FROM action_requests r ${STATE_JOINS} WHERE r.tenant = $1 AND r.id = $2`,
    values: [query.tenant, query.request_id, query.person_id],
  });
  if (row === undefined) return null;
  return { ...stateOf(row), active_policy: inForce(row.active_policy), people: (row.people ?? []).map(personOf) };
}

export async function state(database: Database, tenant: string, requestId: string): Promise<RequestState | null> {
  const [row] = await database.run<StateRow>({
    name: 'state',
    text: `SELECT ${STATE_COLUMNS} FROM action_requests r ${STATE_JOINS} WHERE r.tenant = $1 AND r.id = $2`,
    values: [tenant, requestId],
  });
  return row === undefined ? null : stateOf(row);
}

/** Newest first; the keys and the order are those of the indexes. */
export async function list(database: Database, tenant: string, filter: RequestFilter): Promise<RequestState[]> {
  const values = new Values();
  const ofTenant = values.add(tenant, 'text');
  const conditions = [`r.tenant = ${ofTenant}`];
  let variant = '';
  const also = (letter: string, condition: string): void => {
    variant += letter;
    conditions.push(condition);
  };
  // The literal lets the planner use the index of live requests.
  if (filter.status === 'pending') also('p', `r.status = 'pending'`);
  else if (filter.status !== undefined) also('s', `r.status = ${values.add(filter.status, 'text')}`);
  if (filter.action !== undefined) also('a', `r.action = ${values.add(filter.action, 'text')}`);
  if (filter.actor !== undefined) also('k', `r.actor_id = ${values.add(filter.actor, 'text')}`);
  if (filter.resource !== undefined) also('r', `r.resource_id = ${values.add(filter.resource, 'text')}`);
  if (filter.decided_by !== undefined) also('d', decidedBy(values.add(filter.decided_by, 'text')));
  if (filter.from !== undefined) also('f', `r.created_at >= ${values.add(filter.from, 'timestamptz')}`);
  if (filter.to !== undefined) also('t', `r.created_at < ${values.add(filter.to, 'timestamptz')}`);
  if (filter.before !== undefined) {
    also('b', `(r.created_at, r.id) < (${values.add(filter.before.created_at, 'timestamptz')}, ${values.add(filter.before.id, 'text')})`);
  }
  const { reader } = filter;
  if (reader.kind === 'caller') also('1', `r.requester_id = ${values.add(reader.key_id, 'text')}`);
  if (reader.kind === 'person') {
    const person = values.add(reader.person_id, 'text');
    also('2', `(${person} = ANY (r.chain_people) OR r.stage_groups && ${values.add(reader.groups, 'text[]')} OR ${decidedBy(person)})`);
  }
  const rows = await database.run<StateRow>({
    name: `list:${variant}`,
    text: `SELECT ${STATE_COLUMNS} FROM (SELECT * FROM action_requests r WHERE ${conditions.join(' AND ')}
        ORDER BY r.created_at DESC, r.id DESC LIMIT ${values.add(filter.limit, 'int')}) r ${STATE_JOINS}
      ORDER BY r.created_at DESC, r.id DESC`,
    values: values.values,
  });
  return rows.map(stateOf);
}

function decidedBy(person: string): string {
  return `EXISTS (SELECT FROM decisions x WHERE x.tenant = r.tenant AND x.request_id = r.id AND x.person_id = ${person})`;
}

interface LeafRow {
  id: string;
  event: EventName;
  at: Date;
  subject: string;
  bytes: Buffer;
  sealed_private: Buffer | null;
  position: string | null;
}

export async function timeline(database: Database, tenant: string, requestId: string): Promise<(LeafRecord & { position: number | null })[]> {
  const rows = await database.run<LeafRow>({
    name: 'timeline',
    text: `SELECT l.id, l.event, l.at, l.subject, l.bytes, l.sealed_private, e.position FROM ledger_leaves l
      LEFT JOIN ledger_entries e ON e.tenant = l.tenant AND e.leaf_id = l.id WHERE l.tenant = $1 AND l.subject = $2 ORDER BY l.at, l.id`,
    values: [tenant, requestId],
  });
  return rows.map((row) => ({ ...row, at: instant(row.at), position: row.position === null ? null : Number(row.position) }));
}

export async function subscription(database: Database, query: { tenant: string; endpoint_id: string; request_id: string }): Promise<Subscription> {
  const [row] = await database.run<{ url: string | null; events: Subscription['events'] | null; format: Subscription['format'] | null; last_sequence: number }>(
    {
      name: 'subscription',
      text: `SELECT e.url, e.events, e.format, (SELECT coalesce(max(d.sequence), 0)::int FROM deliveries d WHERE d.tenant = $1 AND d.request_id = $3) AS last_sequence
      FROM (SELECT) AS one LEFT JOIN endpoints e ON e.tenant = $1 AND e.id = $2 AND e.kind = 'registered' AND e.deleted_at IS NULL`,
      values: [query.tenant, query.endpoint_id, query.request_id],
    },
  );
  return { url: row?.url ?? null, events: row?.events ?? [], format: row?.format ?? 'standard', last_sequence: row?.last_sequence ?? 0 };
}

export async function due(database: Database, limit: number): Promise<{ tenant: string; request_id: string }[]> {
  return database.run({
    name: 'due',
    text: `SELECT tenant, id AS request_id FROM action_requests WHERE status = 'pending' AND expires_at <= now() ORDER BY expires_at LIMIT $1`,
    values: [limit],
  });
}

function inForce(digest: string | null | undefined): string {
  if (digest === null || digest === undefined) throw new StoreError('no_policy', 'No policy is in force: nothing can be opened or decided.');
  return digest;
}
