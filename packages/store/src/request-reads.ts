import type { Agent, DecidingContext, LeafRecord, OpeningContext, RequestFilter, RequestState, Subscription } from '@countersign/core/ports';
import type { EventName, Reversibility } from '@countersign/contracts';
import { foldRef, mailboxOf } from '@countersign/core/decision';
import { type Database, Values } from './database.js';
import { StoreError } from './errors.js';
import { type DelegationJson, delegationOf } from './follow-up-rows.js';
import { instant, LEAF_PRIVATE, PERSON_JSON, type PersonJson, personOf, STATE_COLUMNS, STATE_JOINS, stateOf, type StateRow } from './rows.js';

/** An agent's id in another case, or in letters that look the same to people (NFKC), is the same agent; the exact one goes first. */
const agentBy = (id: string): string =>
  `(SELECT a.id, a.owner, a.owner_group, a.active, a.actions, a.purposes, a.risk FROM directory_agents a
    WHERE a.tenant = $1 AND countersign_fold(a.id) = countersign_fold(${id}) ORDER BY (a.id = ${id}) DESC, a.id LIMIT 1)`;
const AGENT_JSON = `json_build_object('id', a.id, 'owner', a.owner, 'owner_group', a.owner_group, 'active', a.active, 'actions', a.actions, 'purposes', a.purposes, 'risk', a.risk)`;

/** What opening needs, in one statement. A tenant without a policy in force opens nothing (I17). */
export async function openingContext(
  database: Database,
  query: { tenant: string; agent_id: string; refs: string[]; chain_key?: string },
): Promise<OpeningContext> {
  const [row] = await database.run<{
    active_policy: string | null;
    agent: Agent | null;
    people: PersonJson[] | null;
    owner_group: string[] | null;
    chain: Reversibility | null;
  }>({
    name: 'opening-context',
    text: `WITH agent AS ${agentBy('$2')}
      SELECT (SELECT digest FROM active_policies WHERE tenant = $1) AS active_policy,
        (SELECT ${AGENT_JSON} FROM agent a) AS agent,
        (SELECT json_agg(${PERSON_JSON}) FROM directory_people p
          WHERE p.tenant = $1 AND (p.id = ANY ($3::text[]) OR p.id = (SELECT owner FROM agent) OR p.mailboxes && ARRAY[(SELECT countersign_fold(owner) FROM agent)] OR p.mailboxes && $4::text[] OR p.former && $4::text[])) AS people,
        (SELECT json_agg(m.person_id ORDER BY m.person_id) FROM directory_memberships m, agent a WHERE m.tenant = $1 AND m.group_name = a.owner_group) AS owner_group,
        (SELECT CASE WHEN bool_or(c.class = 'irreversible') THEN 'irreversible' WHEN bool_or(c.class = 'recoverable') THEN 'recoverable' ELSE max(c.class) END
          FROM (SELECT r.document->'resolved'->>'reversibility' AS class FROM action_requests r WHERE r.tenant = $1 AND r.chain_key = $5) c) AS chain`,
    values: [query.tenant, query.agent_id, query.refs.map(foldRef), query.refs.map(mailboxOf), query.chain_key ?? null],
  });
  return {
    active_policy: inForce(row?.active_policy),
    agent: row?.agent ?? null,
    people: (row?.people ?? []).map(personOf),
    ...(row?.owner_group == null ? {} : { owner_group: row.owner_group }),
    ...(row?.chain == null ? {} : { chain: row.chain }),
  };
}

export async function decidingContext(
  database: Database,
  query: { tenant: string; request_id: string; person_id: string | null; delegate_for?: string },
): Promise<DecidingContext | null> {
  const [row] = await database.run<
    StateRow & { active_policy: string | null; people: PersonJson[] | null; agent_today: Agent | null; key_owner_today: string | null } & DeciderRow
  >({
    name: 'deciding-context',
    text: `SELECT ${STATE_COLUMNS}, (SELECT digest FROM active_policies WHERE tenant = $1) AS active_policy,
        (SELECT json_agg(${PERSON_JSON}) FROM directory_people p WHERE p.tenant = $1 AND (p.id = $3 OR p.id = $4 OR p.id = ANY (r.chain_people)
          OR p.id IN (SELECT d.person_id FROM decisions d WHERE d.tenant = r.tenant AND d.request_id = r.id)
          OR p.id IN (SELECT d.given->'delegate_for'->>'id' FROM decisions d WHERE d.tenant = r.tenant AND d.request_id = r.id))) AS people,
        ${DECIDER_COLUMNS},
        (SELECT ${AGENT_JSON} FROM ${agentBy('r.actor_id')} a) AS agent_today,
        (SELECT k.owner FROM api_keys k WHERE k.tenant = $1 AND k.id = r.requester_id) AS key_owner_today
      FROM action_requests r ${STATE_JOINS} WHERE r.tenant = $1 AND r.id = $2`,
    values: [query.tenant, query.request_id, query.person_id, query.delegate_for ?? null],
  });
  if (row === undefined) return null;
  const { agent_today: agent, key_owner_today: key_owner } = row;
  return {
    ...stateOf(row),
    active_policy: inForce(row.active_policy),
    people: (row.people ?? []).map(personOf),
    ...deciderOf(row),
    today: { agent, key_owner },
  };
}

export async function state(database: Database, tenant: string, requestId: string): Promise<RequestState | null> {
  const [row] = await database.run<StateRow>({
    name: 'state',
    text: `SELECT ${STATE_COLUMNS} FROM action_requests r ${STATE_JOINS} WHERE r.tenant = $1 AND r.id = $2`,
    values: [tenant, requestId],
  });
  return row === undefined ? null : stateOf(row);
}

/** What concerns the presser (`$3`) of a request `r`: stand-ins in force now, for any entry of that human, and what was opened. */
const DECIDER_COLUMNS = `(SELECT json_agg(g) FROM delegations g WHERE g.tenant = $1 AND g.ended_at IS NULL AND g.from_at <= clock_timestamp() AND g.until_at > clock_timestamp()
          AND (g.delegate_id = $3 OR g.person_id IN (SELECT q.id FROM directory_people p JOIN directory_people q ON q.tenant = p.tenant AND q.human = p.human WHERE p.tenant = $1 AND p.id = $3))) AS delegations,
        (SELECT json_agg(c.view_digest) FROM card_openings c WHERE c.tenant = $1 AND c.request_id = r.id AND c.person_id = $3) AS opened`;

interface DeciderRow {
  delegations: DelegationJson[] | null;
  opened: string[] | null;
}

const deciderOf = ({ delegations, opened }: DeciderRow) => ({ delegations: (delegations ?? []).map(delegationOf), opened: opened ?? [] });

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
    also(
      '2',
      `(${person} = ANY (r.chain_people) OR r.stage_groups && ${values.add(reader.groups, 'text[]')} OR ${decidedBy(person)}
      OR (r.stage_groups && ${values.add(reader.lent ?? [], 'text[]')} AND r.document->'requirement'->'delegation'->>'within' = 'anyone'))`,
    );
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
    text: `SELECT l.id, l.event, l.at, l.subject, l.bytes, ${LEAF_PRIVATE} AS sealed_private, e.position FROM ledger_leaves l
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
