import type { EndpointChange, EndpointFilter, EndpointRecord, EndpointSecretRecord, EndpointStore, LeafRecord } from '@countersign/core/ports';
import type pg from 'pg';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

/** Endpoints and their secrets. None of it is on a hot path but `secrets` and `get`, which an attempt reads. */
export function endpointStore(database: Database): EndpointStore {
  return {
    insert: (endpoint, secret, leaf) => insert(database, endpoint, secret, leaf),
    get: async (tenant, id) => (await rowsOf(database, { name: 'endpoint', where: 'e.tenant = $1 AND e.id = $2', values: [tenant, id] }))[0] ?? null,
    list: (tenant, filter) => list(database, tenant, filter),
    update: (tenant, id, change, leafOf) => update(database, tenant, id, change, leafOf),
    remove: (tenant, id, leaf) => remove(database, tenant, id, leaf),
    setState: (tenant, id, state, reason, leaf) => setState(database, tenant, id, state, reason, leaf),
    addSecret: (tenant, id, secret, rule, leaf) => addSecret(database, tenant, id, secret, rule, leaf),
    secrets: (tenant, id) => secrets(database, tenant, id),
  };
}

type EndpointRow = Omit<EndpointRecord, 'since' | 'failing_since' | 'created_at' | 'updated_at'> & {
  since: Date;
  failing_since: Date | null;
  created_at: Date;
  updated_at: Date;
};

const COLUMNS = `e.tenant, e.id, e.kind, e.url, e.description, e.events, e.format, e.header_names, e.sealed_headers, e.state, e.reason, e.since, e.failing_since, e.api_key_id,
  e.created_by, e.created_at, e.updated_at`;

async function rowsOf(database: Database, query: { name: string; where: string; values: unknown[]; order?: string }): Promise<EndpointRecord[]> {
  const rows = await database.run<EndpointRow>({
    name: query.name,
    text: `SELECT ${COLUMNS} FROM endpoints e WHERE ${query.where} AND e.deleted_at IS NULL ${query.order ?? ''}`,
    values: query.values,
  });
  return rows.map(endpointOf);
}

async function insert(database: Database, endpoint: EndpointRecord, secret: EndpointSecretRecord, leaf: LeafRecord | undefined): Promise<void> {
  const values = new Values();
  const tenant = values.add(endpoint.tenant, 'text');
  const id = values.add(endpoint.id, 'text');
  const recorded = leafMembers(values, tenant, leaf === undefined ? [] : [leaf], 'endpoint');
  await database.run({
    name: `insert-endpoint:${recorded.variant}`,
    text: `WITH endpoint AS (INSERT INTO endpoints (tenant, id, endpoint_key, kind, url, description, events, format, header_names, sealed_headers, state, reason, since, api_key_id, created_by, created_at, updated_at)
        VALUES (${[
          tenant,
          id,
          id,
          values.add(endpoint.kind, 'text'),
          values.add(endpoint.url, 'text'),
          values.add(endpoint.description, 'text'),
          values.add(endpoint.events, 'text[]'),
          values.add(endpoint.format, 'text'),
          values.add(endpoint.header_names, 'text[]'),
          values.add(endpoint.sealed_headers, 'bytea'),
          values.add(endpoint.state, 'text'),
          values.add(endpoint.reason, 'text'),
          values.add(endpoint.since, 'timestamptz'),
          values.add(endpoint.api_key_id, 'text'),
          values.add(endpoint.created_by, 'text'),
          values.add(endpoint.created_at, 'timestamptz'),
          values.add(endpoint.updated_at, 'timestamptz'),
        ].join(', ')}) ON CONFLICT DO NOTHING RETURNING tenant)${recorded.members.map((member) => `, ${member}`).join('')}
      INSERT INTO endpoint_secrets (tenant, endpoint_id, id, sealed_secret, created_at) SELECT ${[
        tenant,
        id,
        values.add(secret.id, 'text'),
        values.add(secret.sealed_secret, 'bytea'),
        values.add(secret.created_at, 'timestamptz'),
      ].join(', ')} FROM endpoint`,
    values: values.values,
  });
}

async function list(database: Database, tenant: string, filter: EndpointFilter): Promise<EndpointRecord[]> {
  const values = new Values();
  const conditions = [`e.tenant = ${values.add(tenant, 'text')}`];
  let variant = '';
  if (filter.kind !== undefined) {
    variant += 'k';
    conditions.push(`e.kind = ${values.add(filter.kind, 'text')}`);
  }
  if (filter.state !== undefined) {
    variant += 's';
    conditions.push(`e.state = ${values.add(filter.state, 'text')}`);
  }
  if (filter.before !== undefined) {
    variant += 'b';
    conditions.push(`(e.created_at, e.id) < (${values.add(filter.before.created_at, 'timestamptz')}, ${values.add(filter.before.id, 'text')})`);
  }
  const order = `ORDER BY e.created_at DESC, e.id DESC LIMIT ${values.add(filter.limit, 'int')}`;
  return rowsOf(database, { name: `endpoints:${variant}`, where: conditions.join(' AND '), values: values.values, order });
}

/** The row's lock keeps changes at once apart, so that the last leaf says what the row says. */
async function update(
  database: Database,
  tenant: string,
  id: string,
  change: EndpointChange,
  leafOf: ((after: EndpointRecord) => Promise<LeafRecord>) | undefined,
): Promise<EndpointRecord | null> {
  const { sealed_headers, ...rest } = change;
  const has = (column: keyof EndpointChange): boolean => change[column] !== undefined;
  return database.transaction(async (client) => {
    const { rows } = await client.query<EndpointRow>(
      `UPDATE endpoints e SET url = CASE WHEN $3 THEN $4 ELSE e.url END, description = CASE WHEN $5 THEN $6 ELSE e.description END, events = CASE WHEN $7 THEN $8::text[] ELSE e.events END,
         format = CASE WHEN $9 THEN $10 ELSE e.format END, header_names = CASE WHEN $11 THEN $12::text[] ELSE e.header_names END, sealed_headers = CASE WHEN $13 THEN $14::bytea ELSE e.sealed_headers END,
         updated_at = now()
       WHERE e.tenant = $1 AND e.id = $2 AND e.kind = 'registered' AND e.deleted_at IS NULL RETURNING ${COLUMNS}`,
      [
        ...[tenant, id, has('url'), rest.url ?? null, has('description'), rest.description ?? null, has('events'), rest.events ?? null],
        ...[has('format'), rest.format ?? null, has('header_names'), rest.header_names ?? null],
        ...[has('sealed_headers'), sealed_headers == null ? null : Buffer.from(sealed_headers)],
      ],
    );
    const [row] = rows;
    if (row === undefined) return null;
    const after = endpointOf(row);
    if (leafOf !== undefined) await record(client, tenant, await leafOf(after));
    return after;
  });
}

async function record(client: pg.ClientBase, tenant: string, leaf: LeafRecord | undefined): Promise<void> {
  if (leaf === undefined) return;
  const values = new Values();
  const { members } = leafMembers(values, values.add(tenant, 'text'), [leaf], '(SELECT) AS gate');
  await client.query(`WITH ${members.join(', ')} SELECT 1`, values.values);
}

/** Two statements in one transaction: the second sees what was claimed, held or committed while the first waited for the row. */
async function remove(database: Database, tenant: string, id: string, leaf: LeafRecord | undefined): Promise<boolean> {
  return database.transaction(async (client) => {
    const { rows } = await client.query<{ endpoint_key: string }>(
      'UPDATE endpoints SET deleted_at = now(), updated_at = now() WHERE tenant = $1 AND id = $2 AND deleted_at IS NULL RETURNING endpoint_key',
      [tenant, id],
    );
    const [removed] = rows;
    if (removed === undefined) return false;
    await client.query(
      `UPDATE deliveries SET state = 'aborted', reason = 'endpoint_deleted', ended_at = now(), leased_until = NULL WHERE tenant = $1 AND endpoint_key = $2 AND state IN ('pending', 'held')`,
      [tenant, removed.endpoint_key],
    );
    // A bare URL may be named again, and fail again: it starts anew.
    await client.query(`DELETE FROM endpoints WHERE tenant = $1 AND id = $2 AND kind = 'bare'`, [tenant, id]);
    await client.query('DELETE FROM endpoint_secrets WHERE tenant = $1 AND endpoint_id = $2', [tenant, id]);
    await record(client, tenant, leaf);
    return true;
  });
}

/**
 * A claim that holds events of the endpoint has its row in share mode (delivery-store.ts): either it comes after this, and finds the new
 * state; or this waits for it, and the second statement releases what it held. So nothing stays held at an enabled endpoint (I5).
 */
async function setState(
  database: Database,
  tenant: string,
  id: string,
  state: EndpointRecord['state'],
  reason: string | null,
  leaf: LeafRecord | undefined,
): Promise<{ endpoint: EndpointRecord; deliveries: number } | null> {
  return database.transaction(async (client) => {
    const { rows } = await client.query<EndpointRow & { endpoint_key: string }>(
      `UPDATE endpoints e SET state = $3, reason = CASE WHEN e.state = $3 THEN e.reason ELSE $4 END, since = CASE WHEN e.state = $3 THEN e.since ELSE now() END,
         failing_since = CASE WHEN $3 = 'enabled' THEN NULL ELSE e.failing_since END
       WHERE e.tenant = $1 AND e.id = $2 AND e.deleted_at IS NULL RETURNING ${COLUMNS}, e.endpoint_key`,
      [tenant, id, state, reason],
    );
    const [row] = rows;
    if (row === undefined) return null;
    const { endpoint_key, ...endpoint } = row;
    const moved =
      state === 'enabled'
        ? // Due since they were made: the oldest goes first.
          await client.query(
            `UPDATE deliveries SET state = 'pending', reason = NULL, next_attempt_at = created_at WHERE tenant = $1 AND endpoint_key = $2 AND state = 'held'`,
            [tenant, endpoint_key],
          )
        : await client.query(
            `UPDATE deliveries SET state = 'held', reason = 'endpoint_disabled' WHERE tenant = $1 AND endpoint_key = $2 AND state = 'pending' AND (leased_until IS NULL OR leased_until <= now())`,
            [tenant, endpoint_key],
          );
    await record(client, tenant, leaf);
    return { endpoint: endpointOf(endpoint), deliveries: moved.rowCount ?? 0 };
  });
}

async function addSecret(
  database: Database,
  tenant: string,
  id: string,
  secret: EndpointSecretRecord,
  rule: { overlap_seconds: number; keep: number },
  leaf: LeafRecord | undefined,
): Promise<boolean> {
  return database.transaction(async (client) => {
    // The row's lock puts two rotations at once one after the other.
    const found = await client.query(`SELECT FROM endpoints WHERE tenant = $1 AND id = $2 AND kind = 'registered' AND deleted_at IS NULL FOR UPDATE`, [
      tenant,
      id,
    ]);
    if (found.rowCount === 0) return false;
    const there = await client.query('SELECT FROM endpoint_secrets WHERE tenant = $1 AND endpoint_id = $2 AND id = $3', [tenant, id, secret.id]);
    if (there.rowCount !== 0) return true;
    await record(client, tenant, leaf);
    await client.query(
      `UPDATE endpoint_secrets SET retires_at = now() + make_interval(secs => $3::float8) WHERE tenant = $1 AND endpoint_id = $2 AND retires_at IS NULL`,
      [tenant, id, rule.overlap_seconds],
    );
    await client.query('INSERT INTO endpoint_secrets (tenant, endpoint_id, id, sealed_secret, created_at) VALUES ($1, $2, $3, $4, clock_timestamp())', [
      tenant,
      id,
      secret.id,
      secret.sealed_secret,
    ]);
    await client.query(
      `DELETE FROM endpoint_secrets WHERE tenant = $1 AND endpoint_id = $2 AND retires_at IS NOT NULL AND (retires_at <= now()
         OR id NOT IN (SELECT id FROM endpoint_secrets WHERE tenant = $1 AND endpoint_id = $2 AND retires_at IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT $3))`,
      [tenant, id, rule.keep],
    );
    return true;
  });
}

async function secrets(database: Database, tenant: string, id: string): Promise<EndpointSecretRecord[]> {
  const rows = await database.run<{ id: string; sealed_secret: Buffer; created_at: Date; retires_at: Date | null }>({
    name: 'endpoint-secrets',
    text: `SELECT id, sealed_secret, created_at, retires_at FROM endpoint_secrets WHERE tenant = $1 AND endpoint_id = $2 AND (retires_at IS NULL OR retires_at > now())
      ORDER BY created_at DESC, id DESC`,
    values: [tenant, id],
  });
  return rows.map((row) => ({ ...row, created_at: instant(row.created_at), retires_at: instantOrNull(row.retires_at) }));
}

function endpointOf(row: EndpointRow): EndpointRecord {
  return {
    ...row,
    since: instant(row.since),
    failing_since: instantOrNull(row.failing_since),
    created_at: instant(row.created_at),
    updated_at: instant(row.updated_at),
  };
}
