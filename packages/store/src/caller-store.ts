import type {
  ApiKeyRecord,
  CallerFilter,
  CallerPatch,
  CallerRotation,
  CallerStore,
  LeafRecord,
  TrustedCaller,
  Voidable,
  WorkloadTokenRecord,
} from '@countersign/core/ports';
import { API_KEY_COLUMNS, apiKeyInsert, apiKeyOf, type ApiKeyRow } from './api-key-rows.js';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { instant } from './rows.js';

/** Callers on PostgreSQL. The row that changes is the gate of its leaf, so both are written or neither. */
export function callerStore(database: Database): CallerStore {
  return {
    list: (tenant, filter) => list(database, tenant, filter),
    get: (tenant, id) => get(database, tenant, id),
    create: (key, leaf) => create(database, key, leaf),
    change: (tenant, id, patch, leaf) => change(database, tenant, id, patch, leaf),
    rotate: (tenant, id, rotation, leaf) => rotate(database, tenant, id, rotation, leaf),
    revoke: (tenant, id, reason, leaf) => revoke(database, tenant, id, reason, leaf),
    used: async (tenant, id) => {
      await database.run({
        name: 'api-key-used',
        text: `UPDATE api_keys SET last_used_at = now() WHERE tenant = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
        values: [tenant, id],
      });
    },
    voidable: (tenant, id, limit) =>
      database.run<Voidable>({
        name: 'api-key-voidable',
        text: `SELECT id AS request_id, status FROM action_requests WHERE tenant = $1 AND requester_id = $2
          AND (status = 'pending' OR (status = 'approved' AND redeemed_at IS NULL AND use_until > now())) ORDER BY created_at, id LIMIT $3`,
        values: [tenant, id, limit],
      }),
    unvoided: () =>
      database.run({
        name: 'api-keys-unvoided',
        text: `SELECT tenant, id, name, coalesce(revoked_reason, '') AS reason FROM api_keys WHERE revoked_at IS NOT NULL AND voided_at IS NULL ORDER BY revoked_at LIMIT 100`,
        values: [],
      }),
    voided: async (tenant, id) => {
      // A statement ends after 30 s (statement_timeout): what saw the key live has committed by then, and was found, or never will.
      await database.run({
        name: 'api-key-voided',
        text: `UPDATE api_keys SET voided_at = now() WHERE tenant = $1 AND id = $2 AND voided_at IS NULL AND revoked_at < now() - interval '1 minute'`,
        values: [tenant, id],
      });
    },
    trustedBy: async (issuer) => {
      const rows = await database.run<ApiKeyRow>({
        name: 'trusted-by',
        text: `SELECT ${API_KEY_COLUMNS} FROM api_keys k WHERE k.kind = 'workload' AND k.revoked_at IS NULL AND k.binding ->> 'issuer' = $1 ORDER BY k.tenant, k.id`,
        values: [issuer],
      });
      // The condition says the kind.
      return rows.map(apiKeyOf) as TrustedCaller[];
    },
    insertWorkloadToken: async (token) => {
      await database.run({
        name: 'insert-workload-token',
        text: `WITH over AS (DELETE FROM workload_tokens WHERE hash IN (SELECT hash FROM workload_tokens WHERE expires_at < now() - interval '1 hour' LIMIT 50 FOR UPDATE SKIP LOCKED))
          INSERT INTO workload_tokens (hash, tenant, key_id, rule, evidence, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
        values: [Buffer.from(token.hash), token.tenant, token.key_id, token.rule, JSON.stringify(token.evidence), token.created_at, token.expires_at],
      });
    },
    workloadToken: (hash) => workloadToken(database, hash),
    certificateCaller: async ({ thumbprint, san }) => {
      const rows = await database.run<ApiKeyRow>({
        name: 'certificate-caller',
        text: `SELECT ${API_KEY_COLUMNS} FROM api_keys k WHERE k.kind = 'certificate' AND k.revoked_at IS NULL
          AND (k.binding ->> 'thumbprint' = $1 OR k.binding ->> 'san' = ANY ($2::text[])) LIMIT 2`,
        values: [thumbprint, san],
      });
      const [row] = rows;
      return rows.length === 1 && row !== undefined ? apiKeyOf(row) : null;
    },
    personOfIdentity: async (tenant, issuer, subject) => {
      const [row] = await database.run<{ person_id: string }>({
        name: 'person-of-identity',
        text: 'SELECT person_id FROM identity_links WHERE tenant = $1 AND issuer = $2 AND subject = $3 AND cut_at IS NULL',
        values: [tenant, issuer, subject],
      });
      return row?.person_id ?? null;
    },
    spend: (tenant, digest, expiresAt) => spend(database, tenant, digest, expiresAt),
    issuerKeys: async (tenant, issuer) => {
      const [row] = await database.run<{ jwks: { keys: object[] }; fetched_at: Date }>({
        name: 'issuer-keys',
        text: 'SELECT jwks, fetched_at FROM issuer_keys WHERE tenant = $1 AND issuer = $2',
        values: [tenant, issuer],
      });
      return row === undefined ? null : { jwks: row.jwks, fetched_at: instant(row.fetched_at) };
    },
    keepIssuerKeys: async (tenant, issuer, jwks) => {
      await database.run({
        name: 'keep-issuer-keys',
        text: `INSERT INTO issuer_keys (tenant, issuer, jwks, fetched_at) VALUES ($1, $2, $3, now())
          ON CONFLICT (tenant, issuer) DO UPDATE SET jwks = excluded.jwks, fetched_at = excluded.fetched_at`,
        values: [tenant, issuer, JSON.stringify(jwks)],
      });
    },
  };
}

async function list(database: Database, tenant: string, filter: CallerFilter): Promise<ApiKeyRecord[]> {
  const values = new Values();
  const conditions = [`k.tenant = ${values.add(tenant, 'text')}`];
  let variant = '';
  const also = (letter: string, condition: string): void => {
    variant += letter;
    conditions.push(condition);
  };
  if (filter.kind !== undefined) also('k', `k.kind = ${values.add(filter.kind, 'text')}`);
  if (filter.owner !== undefined) also('o', `k.owner = ${values.add(filter.owner, 'text')}`);
  if (filter.revoked !== undefined) also(filter.revoked ? 'r' : 'l', `k.revoked_at IS ${filter.revoked ? 'NOT ' : ''}NULL`);
  if (filter.before !== undefined)
    also('b', `(k.created_at, k.id) < (${values.add(filter.before.created_at, 'timestamptz')}, ${values.add(filter.before.id, 'text')})`);
  const rows = await database.run<ApiKeyRow>({
    name: `api-keys:${variant}`,
    text: `SELECT ${API_KEY_COLUMNS} FROM api_keys k WHERE ${conditions.join(' AND ')} ORDER BY k.created_at DESC, k.id DESC LIMIT ${values.add(filter.limit, 'int')}`,
    values: values.values,
  });
  return rows.map(apiKeyOf);
}

async function get(database: Database, tenant: string, id: string): Promise<ApiKeyRecord | null> {
  const [row] = await database.run<ApiKeyRow>({
    name: 'api-key-of',
    text: `SELECT ${API_KEY_COLUMNS} FROM api_keys k WHERE k.tenant = $1 AND k.id = $2`,
    values: [tenant, id],
  });
  return row === undefined ? null : apiKeyOf(row);
}

async function create(database: Database, key: ApiKeyRecord, leaf: LeafRecord): Promise<void> {
  const values = new Values();
  const tenant = values.add(key.tenant, 'text');
  const leaves = leafMembers(values, tenant, [leaf], 'gate');
  await database.run({
    name: 'create-api-key',
    // A key that is there already was written by an earlier try, or of a workload by another process that read the same file.
    text: `WITH gate AS (${apiKeyInsert(values, key)} ON CONFLICT DO NOTHING RETURNING tenant), ${leaves.members.join(', ')} SELECT 1`,
    values: values.values,
  });
}

function change(database: Database, tenant: string, id: string, patch: CallerPatch, leaf: LeafRecord): Promise<ApiKeyRecord | null> {
  const values = new Values();
  const set: string[] = [];
  let variant = '';
  const also = (letter: string, assignment: string): void => {
    variant += letter;
    set.push(assignment);
  };
  if (patch.name !== undefined) also('n', `name = ${values.add(patch.name, 'text')}`);
  if (patch.owner !== undefined) also('o', `owner = ${values.add(patch.owner, 'text')}`);
  if (patch.rights !== undefined) also('r', `rights = ${values.add(JSON.stringify(patch.rights), 'json')}`);
  if (patch.networks !== undefined) also('w', `networks = ${values.add(patch.networks, 'text[]')}`);
  if (patch.binding !== undefined) also('b', `binding = ${values.add(patch.binding === null ? null : JSON.stringify(patch.binding), 'json')}`);
  if (patch.expires_at !== undefined) also('e', `expires_at = ${values.add(patch.expires_at, 'timestamptz')}`);
  return onLive(database, `change:${variant}`, values, { tenant, id, set, leaf });
}

function rotate(database: Database, tenant: string, id: string, rotation: CallerRotation, leaf: LeafRecord): Promise<ApiKeyRecord | null> {
  const values = new Values();
  const webhook = rotation.sealed_webhook_secret;
  const overlap = `now() + make_interval(secs => ${values.add(rotation.overlap_seconds, 'float8')})`;
  const set = [
    `hash = ${values.add(Buffer.from(rotation.hash), 'bytea')}`,
    `prefix = ${values.add(rotation.prefix, 'text')}`,
    'previous_hash = k.hash',
    `previous_until = ${overlap}`,
    // The secrets before the last rotation count, of earlier ones none.
    ...(webhook === null
      ? ['sealed_previous_webhook_secret = NULL']
      : [`sealed_webhook_secret = ${values.add(Buffer.from(webhook), 'bytea')}`, 'sealed_previous_webhook_secret = k.sealed_webhook_secret']),
  ];
  return onLive(database, `rotate${webhook === null ? '' : ':w'}`, values, { tenant, id, set, leaf });
}

function revoke(database: Database, tenant: string, id: string, reason: string, leaf: LeafRecord): Promise<ApiKeyRecord | null> {
  const values = new Values();
  const set = ['revoked_at = clock_timestamp()', `revoked_reason = ${values.add(reason, 'text')}`];
  return onLive(database, 'revoke', values, { tenant, id, set, leaf });
}

/**
 * A change of a key that is not revoked, with its leaf. Run again after a lost answer, it finds the leaf of the first time there, and answers
 * with the row as that left it.
 */
async function onLive(
  database: Database,
  name: string,
  values: Values,
  { tenant, id, set, leaf }: { tenant: string; id: string; set: string[]; leaf: LeafRecord },
): Promise<ApiKeyRecord | null> {
  const ofTenant = values.add(tenant, 'text');
  const ofKey = values.add(id, 'text');
  const done = `EXISTS (SELECT FROM ledger_leaves WHERE tenant = ${ofTenant} AND id = ${values.add(leaf.id, 'uuid')})`;
  const leaves = leafMembers(values, ofTenant, [leaf], 'gate');
  const { rows, again } = await database.runCounting<{ changed: boolean; before: boolean }>({
    name: `api-key-${name}`,
    text: `WITH gate AS (UPDATE api_keys k SET ${set.join(', ')} WHERE k.tenant = ${ofTenant} AND k.id = ${ofKey} AND k.revoked_at IS NULL AND NOT ${done} RETURNING k.tenant),
      ${leaves.members.join(', ')} SELECT EXISTS (SELECT FROM gate) AS changed, ${done} AS before`,
    values: values.values,
  });
  const [row] = rows;
  return row?.changed === true || (again && row?.before === true) ? get(database, tenant, id) : null;
}

async function workloadToken(database: Database, hash: Uint8Array): Promise<{ token: WorkloadTokenRecord; caller: ApiKeyRecord } | null> {
  type Row = {
    token_tenant: string;
    rule: string;
    evidence: WorkloadTokenRecord['evidence'];
    token_created_at: Date;
    token_expires_at: Date;
    token_hash: Buffer;
  };
  const [row] = await database.run<ApiKeyRow & Row>({
    name: 'workload-token',
    text: `SELECT ${API_KEY_COLUMNS}, t.rule, t.evidence, t.hash AS token_hash, t.created_at AS token_created_at, t.expires_at AS token_expires_at
      FROM workload_tokens t JOIN api_keys k ON k.tenant = t.tenant AND k.id = t.key_id
      WHERE t.hash = $1 AND t.expires_at > now() AND k.revoked_at IS NULL AND k.binding ->> 'digest' = t.rule`,
    values: [Buffer.from(hash)],
  });
  if (row === undefined) return null;
  const { rule, evidence, token_hash, token_created_at, token_expires_at, ...key } = row;
  const caller = apiKeyOf(key);
  const token = {
    hash: token_hash,
    tenant: caller.tenant,
    key_id: caller.id,
    rule,
    evidence,
    created_at: instant(token_created_at),
    expires_at: instant(token_expires_at),
  };
  return { token, caller };
}

/** At most once: an answer that got lost leaves it spent, and whoever presented it gets another one. */
async function spend(database: Database, tenant: string, digest: Uint8Array, expiresAt: string): Promise<boolean> {
  const taken = await database.once({
    name: 'spend-proof',
    text: `WITH over AS (DELETE FROM spent_proofs WHERE (tenant, digest) IN (SELECT tenant, digest FROM spent_proofs WHERE expires_at < now() - interval '5 minutes' LIMIT 20 FOR UPDATE SKIP LOCKED))
      INSERT INTO spent_proofs (tenant, digest, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING tenant`,
    values: [tenant, Buffer.from(digest), expiresAt],
  });
  return taken.length === 1;
}
