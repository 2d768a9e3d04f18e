import type { RewrapStore, SealedPlace } from '@countersign/core/ports';
import { type Database, Values } from './database.js';
import { StoreError } from './errors.js';

/** A column of sealed values: how its rows are found, and the context that each was sealed with. */
interface Place {
  table: string;
  column: string;
  /** The primary key, with the types of its columns. */
  key: readonly (readonly [column: string, type: 'text' | 'uuid' | 'bytea'])[];
  /** The context's row, of a row `t`. */
  row: string;
  /** The context's tenant, of a row `t`; its own unless told. */
  tenant?: string;
  /** The context's column, where it is another than where the value stands now. */
  sealedAs?: string;
}

const TENANT_ID = [
  ['tenant', 'text'],
  ['id', 'text'],
] as const;

/** Every column of the schema whose name begins with `sealed_`; a test holds this list against the database. */
const PLACES: readonly Place[] = [
  { table: 'signing_keys', column: 'sealed_private_key', key: [['kid', 'text']], row: `t.purpose || '/' || t.kid`, tenant: `'*'` },
  { table: 'api_keys', column: 'sealed_webhook_secret', key: TENANT_ID, row: 't.id' },
  { table: 'api_keys', column: 'sealed_previous_webhook_secret', key: TENANT_ID, row: 't.id', sealedAs: 'sealed_webhook_secret' },
  { table: 'endpoints', column: 'sealed_headers', key: TENANT_ID, row: 't.id' },
  {
    table: 'endpoint_secrets',
    column: 'sealed_secret',
    key: [
      ['tenant', 'text'],
      ['endpoint_id', 'text'],
      ['id', 'text'],
    ],
    row: `t.endpoint_id || '/' || t.id`,
  },
  { table: 'sessions', column: 'sealed_hint', key: [['hash', 'bytea']], row: 't.id' },
  { table: 'action_requests', column: 'sealed_payload', key: TENANT_ID, row: 't.id' },
  { table: 'grants', column: 'sealed_token', key: TENANT_ID, row: 't.id' },
  {
    table: 'idempotency_keys',
    column: 'sealed_answer',
    key: [
      ['tenant', 'text'],
      ['key_id', 'text'],
      ['key', 'text'],
    ],
    row: 't.request_id',
  },
  // A redriven delivery has the bytes of the first one, sealed in its place.
  { table: 'deliveries', column: 'sealed_body', key: [['id', 'text']], row: 'coalesce(t.message_id, t.id)' },
  { table: 'config_changes', column: 'sealed_payload', key: TENANT_ID, row: 't.id' },
  { table: 'patterns', column: 'sealed_pins', key: TENANT_ID, row: 't.id' },
  { table: 'proposals', column: 'sealed_parameters', key: TENANT_ID, row: 't.id' },
  { table: 'slack_installations', column: 'sealed_token', key: TENANT_ID, row: 't.id' },
  {
    table: 'ledger_rewraps',
    column: 'sealed_private',
    key: [
      ['tenant', 'text'],
      ['leaf_id', 'uuid'],
    ],
    row: 't.leaf_id::text',
  },
];

/** Leaves never change: what is outdated in them is put beside them, once. */
const LEAVES = 'ledger_leaves.sealed_private';
const nameOf = ({ table, column }: Place): string => `${table}.${column}`;

export function rewrapStore(database: Database): RewrapStore {
  const places = new Map(PLACES.map((place) => [nameOf(place), place]));
  const find = (name: string): Place => {
    const place = places.get(name);
    if (place === undefined) throw new StoreError('refused', `There is nothing sealed in ${name}.`);
    return place;
  };
  return {
    places: () => [LEAVES, ...places.keys()],
    outdated: (name, activeKid, after, limit) =>
      name === LEAVES ? outdatedLeaves(database, activeKid, after, limit) : outdated(database, find(name), activeKid, after, limit),
    replace: (found, sealed) => (found.place === LEAVES ? putBeside(database, found, sealed) : replace(database, find(found.place), found, sealed)),
    census: () => census(database),
  };
}

/** The kid of what is sealed under a master key (0x01 ‖ length of kid ‖ kid ‖ …); null for everything else. CASE, since AND has no order. */
const kidOf = (value: string): string =>
  `CASE WHEN length(${value}) > 2 THEN CASE WHEN get_byte(${value}, 0) = 1 THEN substr(${value}, 3, get_byte(${value}, 1)) END END`;

interface Row {
  tenant: string;
  row: string;
  key: string[];
  sealed: Buffer;
}

async function outdated(database: Database, place: Place, activeKid: string, after: string[] | null, limit: number): Promise<SealedPlace[]> {
  const values = new Values();
  const value = `t.${place.column}`;
  const beyond = after === null ? 'true' : `(${place.key.map(([column]) => `t.${column}`).join(', ')}) > (${keyValues(values, place, after).join(', ')})`;
  const rows = await database.run<Row>({
    name: `outdated:${nameOf(place)}:${after === null ? 'first' : 'next'}`,
    text: `SELECT ${place.tenant ?? 't.tenant'} AS tenant, ${place.row} AS row, ARRAY[${place.key.map(([column, type]) => asText(`t.${column}`, type)).join(', ')}] AS key, ${value} AS sealed
      FROM ${place.table} t WHERE ${kidOf(value)} <> ${values.add(Buffer.from(activeKid), 'bytea')} AND ${beyond}
      ORDER BY ${place.key.map(([column]) => `t.${column}`).join(', ')} LIMIT ${values.add(limit, 'int')}`,
    values: values.values,
  });
  return rows.map((row) => found(nameOf(place), place.table, place.sealedAs ?? place.column, row));
}

async function outdatedLeaves(database: Database, activeKid: string, after: string[] | null, limit: number): Promise<SealedPlace[]> {
  const value = 'l.sealed_private';
  const rows = await database.run<Row>({
    name: `outdated:leaves:${after === null ? 'first' : 'next'}`,
    text: `SELECT l.tenant, l.id::text AS row, ARRAY[l.tenant, l.id::text] AS key, ${value} AS sealed FROM ledger_leaves l
      WHERE ${kidOf(value)} <> $1::bytea
        AND NOT EXISTS (SELECT FROM ledger_rewraps w WHERE w.tenant = l.tenant AND w.leaf_id = l.id)
        ${after === null ? '' : 'AND (l.tenant, l.id) > ($3::text, $4::uuid)'}
      ORDER BY l.tenant, l.id LIMIT $2::int`,
    values: [Buffer.from(activeKid), limit, ...(after ?? [])],
  });
  return rows.map((row) => found(LEAVES, 'ledger_leaves', 'sealed_private', row));
}

function found(place: string, table: string, column: string, { tenant, row, key, sealed }: Row): SealedPlace {
  // A rewrap of a leaf is sealed in the leaf's place.
  return { place, key, sealed, context: { tenant, table: table === 'ledger_rewraps' ? 'ledger_leaves' : table, row, column } };
}

async function replace(database: Database, place: Place, { key, sealed: before }: SealedPlace, sealed: Uint8Array): Promise<boolean> {
  const values = new Values();
  const next = values.add(Buffer.from(sealed), 'bytea');
  const where = keyValues(values, place, key).map((value, at) => `t.${place.key[at]?.[0] ?? ''} = ${value}`);
  // Run again after a lost answer, it finds its own bytes there.
  const rows = await database.run({
    name: `rewrap:${nameOf(place)}`,
    text: `UPDATE ${place.table} t SET ${place.column} = ${next} WHERE ${where.join(' AND ')} AND t.${place.column} IN (${values.add(Buffer.from(before), 'bytea')}, ${next}) RETURNING 1`,
    values: values.values,
  });
  return rows.length === 1;
}

async function putBeside(database: Database, { key }: SealedPlace, sealed: Uint8Array): Promise<boolean> {
  await database.run({
    name: 'rewrap:leaf',
    text: 'INSERT INTO ledger_rewraps (tenant, leaf_id, sealed_private) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    values: [...key, Buffer.from(sealed)],
  });
  return true;
}

async function census(database: Database): Promise<{ place: string; kid: string | null; count: number }[]> {
  const one = (place: string, from: string, value: string, where = 'true'): string =>
    `SELECT '${place}' AS place, encode(${kidOf(value)}, 'escape') AS kid, count(*)::int AS count
      FROM ${from} WHERE ${value} IS NOT NULL AND ${where} GROUP BY 2`;
  const beside = 'NOT EXISTS (SELECT FROM ledger_rewraps w WHERE w.tenant = l.tenant AND w.leaf_id = l.id)';
  return database.run({
    name: 'sealed-census',
    text: [
      one(LEAVES, 'ledger_leaves l', 'l.sealed_private', `${kidOf('l.sealed_private')} IS NOT NULL AND ${beside}`),
      ...PLACES.map((place) => one(nameOf(place), `${place.table} t`, `t.${place.column}`)),
    ].join(' UNION ALL '),
    values: [],
  });
}

function keyValues(values: Values, place: Place, key: readonly string[]): string[] {
  return place.key.map(([, type], at) => (type === 'bytea' ? `decode(${values.add(key[at], 'text')}, 'hex')` : values.add(key[at], type)));
}

const asText = (column: string, type: 'text' | 'uuid' | 'bytea'): string => (type === 'bytea' ? `encode(${column}, 'hex')` : `${column}::text`);
