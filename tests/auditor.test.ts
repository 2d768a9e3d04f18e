import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '@countersign/cli';
import { freePort } from '@countersign/dev-env/free-port';
import { needs } from '@countersign/dev-env/needs';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { findEmbeddedServer } from '@countersign/store';
import pg from 'pg';
import { actionOf, type Api, apiOf, EXPORT } from './support/api.js';
import { type CallbackReceiver, startCallbackReceiver } from './support/callback-receiver.js';
import { until } from './support/until.js';

/*
 * The auditor's story on the whole product: what was asked and decided is checked from the database, from the server and from an export;
 * then somebody who owns the database changes rows, one after the other, and each is named.
 */
jest.setTimeout(120_000);

let home: string;
let running: Running;
let receiver: CallbackReceiver;
let api: Api;
/** As the role that owns the tables: whom neither rights nor, once it has switched them off, triggers stop. */
let owner: pg.Client;
/** Ids of requests by what became of them. */
const asked: Record<'approved' | 'denied' | 'pending' | 'revoked' | 'passed' | 'refused', string> = {
  approved: '',
  denied: '',
  pending: '',
  revoked: '',
  passed: '',
  refused: '',
};

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-auditor-'));
  receiver = await startCallbackReceiver();
  const port = await freePort();
  const read = readConfig({ COUNTERSIGN_HOME: home, PORT: String(port), LOG_LEVEL: 'silent' });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  running = await start(read.config);
  api = apiOf(port, `localhost:${port}`);
  const found = await findEmbeddedServer(home);
  owner = new pg.Client({ connectionString: found?.ownerUrl });
  owner.on('error', () => {});
  await owner.connect();
  await ask();
  await until(async () => (await verify()).result.waiting === 0, 'every leaf to have its place');
  for (const table of TABLES) await owner.query(`CREATE TABLE kept_${table} AS SELECT * FROM ${table}`);
});

afterAll(async () => {
  await owner?.end();
  await running?.shutdown.stop('the test is over');
  running?.shutdown.release();
  await receiver?.close();
  await rm(home, { recursive: true, force: true });
});

/** One request of every kind of end, with decisions, grants, callbacks and a redemption. */
async function ask(): Promise<void> {
  const key = running.quickstart?.api_key ?? '';
  const as = (name: string): string => running.quickstart?.people[`${name}@example.com`]?.token ?? '';
  const submit = async (members: object = {}) => (await api.submit(key, { ...EXPORT, callback: { url: `${receiver.url}/hook` }, ...members })).json;
  const approved = await submit();
  await api.decide(as('alice'), approved, 'approve', 'Looks right');
  const [callback] = await receiver.of(approved.id);
  const redeemed = await api.call('POST', '/v1/grants/redeem', { as: key, body: { grant: callback?.json.data.grant, action: actionOf(EXPORT) } });
  expect(redeemed.status).toBe(200);
  expect((await api.call('POST', `/v1/action-requests/${approved.id}/report`, { as: key, body: { result: 'succeeded', detail: '48211 rows' } })).status).toBe(
    201,
  );
  const endpoint = { url: `${receiver.url}/registered`, description: 'Where nothing goes' };
  expect((await api.call('POST', '/v1/endpoints', { as: as('olivia'), body: endpoint })).status).toBe(201);
  const denied = await submit();
  await api.decide(as('bob'), denied, 'deny', 'Not this week');
  const pending = await submit();
  const revoked = await submit();
  await api.decide(as('alice'), revoked, 'approve');
  // A revocation supersedes an approval that was not delivered yet.
  await receiver.of(revoked.id);
  expect((await api.call('POST', `/v1/action-requests/${revoked.id}/revoke`, { as: as('alice'), body: {} })).status).toBe(200);
  const passed = await submit({ resource: { type: 'postgres_table', id: 'prod.weather' } });
  const refused = await submit({ action: 'backup.delete', resource: { type: 'backup', id: 'nightly' } });
  for (const { id } of [denied, passed, refused]) await receiver.of(id);
  await receiver.of(revoked.id, 2);
  Object.assign(asked, { approved: approved.id, denied: denied.id, pending: pending.id, revoked: revoked.id, passed: passed.id, refused: refused.id });
}

/** Runs `countersign …` as somebody at a terminal in the home's folder does. */
async function countersign(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const terminal = {
    env: {},
    cwd: home,
    out: (line: string) => void out.push(line),
    err: (line: string) => void err.push(line),
    stdin: () => Promise.resolve(new Uint8Array()),
  };
  const code = await run(args, terminal);
  return { code, out: out.join('\n'), err: err.join('\n') };
}

interface Result {
  ok: boolean;
  origin: string;
  key_from: string;
  vkeys: string[];
  log: { size: number; checkpoints: number } | null;
  fault: { kind: string; index?: number; reason?: string; detail: string } | null;
  waiting: number | null;
  rows: Record<string, number>;
  findings: { table: string; row: string; column: string | null; problem: string }[];
  not_checked: string[];
}

async function verify(...args: string[]): Promise<{ code: number; result: Result }> {
  const { code, out, err } = await countersign('ledger', 'verify', ...args, '--home', home, '--json');
  if (out === '') throw new Error(err);
  return { code, result: JSON.parse(out) };
}

const TABLES = [
  ...[
    'action_requests',
    'decisions',
    'outcomes',
    'grants',
    'deliveries',
    'delivery_attempts',
    'execution_reports',
    'policies',
    'active_policies',
    'signing_keys',
  ],
  ...['directory_people', 'directory_groups', 'directory_memberships', 'directory_agents', 'endpoints', 'endpoint_secrets', 'api_keys'],
  ...['ledger_leaves', 'ledger_entries', 'ledger_nodes', 'ledger_checkpoints', 'ledger_unplaced'],
] as const;
type Table = (typeof TABLES)[number];

/** Changes the database behind everybody's back, looks, and puts it back as it was. */
async function tampered(table: Table, sql: string): Promise<{ code: number; result: Result }> {
  const guarded = /^ledger_(leaves|entries|nodes|checkpoints)$/.test(table);
  const change = async (...statements: string[]): Promise<number> => {
    // In one transaction: the workers of the running server never see the table empty.
    await owner.query('BEGIN');
    try {
      if (guarded) await owner.query(`ALTER TABLE ${table} DISABLE TRIGGER append_only`);
      let rows = 0;
      for (const statement of statements) rows = (await owner.query(statement)).rowCount ?? 0;
      if (guarded) await owner.query(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER append_only`);
      await owner.query('COMMIT');
      return rows;
    } catch (error) {
      await owner.query('ROLLBACK');
      throw error;
    }
  };
  expect(await change(sql)).toBeGreaterThan(0);
  try {
    return await verify();
  } finally {
    await change(`DELETE FROM ${table}`, `INSERT INTO ${table} SELECT * FROM kept_${table}`);
  }
}

/** Columns that no other row follows from: a change of one of them must not cast doubt on anything else. */
const ALONE = new Set([
  ...['status', 'redeemed_at', 'redeemed_by', 'use_until', 'settled_at', 'chain_people', 'document (callback)', 'document (warnings)'].map(
    (column) => `action_requests.${column}`,
  ),
  ...['verdict', 'reason', 'person_id', 'groups', 'via', 'decided_at', 'authenticated'].map((column) => `decisions.${column}`),
  ...['status', 'data', 'reason'].map((column) => `outcomes.${column}`),
  ...['deliveries.api_key_id', 'delivery_attempts.status', 'execution_reports.result', 'execution_reports.detail', 'active_policies.activated_by'],
]);

const one = async (sql: string): Promise<string> => String(Object.values((await owner.query(sql)).rows[0] ?? {})[0]);

describe('the ledger and the database', () => {
  test('E1, E2: what was asked and decided is as it was logged, down to each row', async () => {
    const { code, result } = await verify();
    expect(result).toMatchObject({ ok: true, fault: null, findings: [], waiting: 0 });
    expect(code).toBe(0);
    expect(result.key_from).toContain('opened with the master key');
    expect(result.rows).toMatchObject({ action_requests: 6, decisions: 3, outcomes: 6, grants: 3, deliveries: 6, execution_reports: 1, policies: 1 });
    expect(result.rows['delivery_attempts']).toBeGreaterThanOrEqual(6);
    expect(result.log?.size).toBe(Number(await one('SELECT count(*) FROM ledger_leaves')));
    const text = await countersign('ledger', 'verify', '--home', home);
    expect(text).toMatchObject({ code: 0, err: '' });
    expect(text.out).toContain('OK: all is as it was logged.');
  });

  test('E1: the service itself cannot change what was logged', async () => {
    const app = new pg.Client({ connectionString: (await findEmbeddedServer(home))?.appUrl });
    await app.connect();
    try {
      for (const sql of ['UPDATE ledger_leaves SET event = event', 'DELETE FROM ledger_entries', 'TRUNCATE ledger_checkpoints'])
        await expect(app.query(sql)).rejects.toMatchObject({ code: '42501' });
      await expect(owner.query('UPDATE ledger_leaves SET event = event')).rejects.toMatchObject({ code: '23001' });
    } finally {
      await app.end();
    }
  });

  const email = (name: string): string => `email = '${name}@example.com'`;
  const person = (name: string) => () => one(`SELECT id FROM directory_people WHERE split_part(email, '@', 1) = '${name}'`);
  const registered = () => one(`SELECT id FROM endpoints WHERE kind = 'registered'`);
  const request = (which: keyof typeof asked) => () => Promise.resolve(asked[which]);
  const rowOf = (table: string, column: string, which: keyof typeof asked) => () =>
    one(`SELECT ${column} FROM ${table} WHERE request_id = '${asked[which]}' LIMIT 1`);
  const where = (which: keyof typeof asked) => `id = '${asked[which]}'`;
  const of = (which: keyof typeof asked) => `request_id = '${asked[which]}'`;
  const document = (path: string, value: string) => `document = jsonb_set(document::jsonb, '${path}', '${value}')::json`;
  /** What is changed, how, and the row and column that must be named. */
  const changes: [Table, () => string, column: string | null, row: () => Promise<string>][] = [
    ['directory_people', () => `UPDATE directory_people SET roles = '{administrator}' WHERE ${email('carol')}`, 'roles', person('carol')],
    ['directory_people', () => `UPDATE directory_people SET active = false WHERE ${email('bob')}`, 'active', person('bob')],
    ['directory_people', () => `UPDATE directory_people SET email = 'alice@evil.example' WHERE ${email('alice')}`, 'email', person('alice')],
    ['directory_people', () => `UPDATE directory_people SET human = 'per_other' WHERE ${email('dana')}`, 'human', person('dana')],
    ['directory_people', () => `UPDATE directory_people SET revision = 7 WHERE ${email('dana')}`, 'revision', person('dana')],
    [
      'directory_people',
      () => `DELETE FROM directory_people WHERE ${email('carol')}`,
      null,
      () => one(`SELECT id FROM kept_directory_people WHERE ${email('carol')}`),
    ],
    [
      'directory_people',
      () => `INSERT INTO directory_people SELECT (jsonb_populate_record(p, '{"id":"per_forged"}')).* FROM directory_people p WHERE ${email('alice')}`,
      null,
      () => Promise.resolve('per_forged'),
    ],
    [
      'directory_memberships',
      () => `INSERT INTO directory_memberships SELECT tenant, 'data-owners', id FROM directory_people WHERE ${email('dana')}`,
      'person_id',
      () => Promise.resolve('data-owners'),
    ],
    [
      'directory_memberships',
      () => `DELETE FROM directory_memberships WHERE group_name = 'security' AND person_id = (SELECT id FROM directory_people WHERE ${email('carol')})`,
      'person_id',
      () => Promise.resolve('security'),
    ],
    [
      'directory_memberships',
      () => `INSERT INTO directory_memberships SELECT tenant, 'forged', id FROM directory_people WHERE ${email('dana')}`,
      'group_name',
      () => Promise.resolve('forged'),
    ],
    ['directory_groups', () => `UPDATE directory_groups SET source = 'scim' WHERE name = 'security'`, 'source', () => Promise.resolve('security')],
    ['directory_agents', () => `UPDATE directory_agents SET owner = NULL`, 'owner', () => Promise.resolve('retrainer')],
    ['directory_agents', () => `DELETE FROM directory_agents`, null, () => Promise.resolve('agent:retrainer')],
    ['api_keys', () => `UPDATE api_keys SET owner = (SELECT id FROM directory_people WHERE ${email('carol')})`, 'owner', () => one('SELECT id FROM api_keys')],
    // Voided too: else the running server would end what the key asked for.
    ['api_keys', () => `UPDATE api_keys SET revoked_at = now(), voided_at = now()`, 'revoked_at', () => one('SELECT id FROM api_keys')],
    ['api_keys', () => `UPDATE api_keys SET networks = '{10.0.0.0/8}'`, 'networks', () => one('SELECT id FROM api_keys')],
    ['endpoints', () => `UPDATE endpoints SET url = 'https://evil.example/hook' WHERE kind = 'registered'`, 'url', registered],
    ['endpoints', () => `DELETE FROM endpoints WHERE kind = 'registered'`, null, () => one(`SELECT id FROM kept_endpoints WHERE kind = 'registered'`)],
    [
      'endpoint_secrets',
      () => `INSERT INTO endpoint_secrets SELECT tenant, endpoint_id, 'forged', sealed_secret, created_at FROM endpoint_secrets`,
      'id',
      registered,
    ],
    ['action_requests', () => `UPDATE action_requests SET status = 'approved' WHERE ${where('pending')}`, 'status', request('pending')],
    ['action_requests', () => `UPDATE action_requests SET status = 'approved' WHERE ${where('denied')}`, 'status', request('denied')],
    ['action_requests', () => `UPDATE action_requests SET status = 'approved' WHERE ${where('revoked')}`, 'status', request('revoked')],
    ['action_requests', () => `UPDATE action_requests SET status = 'denied' WHERE ${where('approved')}`, 'status', request('approved')],
    ['action_requests', () => `UPDATE action_requests SET redeemed_at = NULL WHERE ${where('approved')}`, 'redeemed_at', request('approved')],
    [
      'action_requests',
      () => `UPDATE action_requests SET settled_at = settled_at + interval '1 day' WHERE ${where('denied')}`,
      'settled_at',
      request('denied'),
    ],
    [
      'action_requests',
      () => `UPDATE action_requests SET created_at = created_at - interval '1 day' WHERE ${where('denied')}`,
      'created_at',
      request('denied'),
    ],
    [
      'action_requests',
      () => `UPDATE action_requests SET expires_at = expires_at + interval '1 day' WHERE ${where('pending')}`,
      'expires_at, grant_audience or document',
      request('pending'),
    ],
    [
      'action_requests',
      () => `UPDATE action_requests SET grant_audience = 'https://elsewhere.example' WHERE ${where('pending')}`,
      'expires_at, grant_audience or document',
      request('pending'),
    ],
    [
      'action_requests',
      () => `UPDATE action_requests SET ${document('{view,parameters,rows}', '1')} WHERE ${where('pending')}`,
      'document (view)',
      request('pending'),
    ],
    [
      'action_requests',
      () => `UPDATE action_requests SET ${document('{requirement,stages,0,all,0,group}', '"security"')} WHERE ${where('pending')}`,
      'document (view, resolved, evaluation, requirement or masked)',
      request('pending'),
    ],
    [
      'action_requests',
      () => `UPDATE action_requests SET ${document('{callback,url}', '"https://evil.example/"')} WHERE ${where('pending')}`,
      'document (callback)',
      request('pending'),
    ],
    ['action_requests', () => `UPDATE action_requests SET ${document('{chain}', '[]')} WHERE ${where('pending')}`, 'document (chain)', request('pending')],
    [
      'action_requests',
      () => `UPDATE action_requests SET ${document('{warnings}', '["Trust me"]')} WHERE ${where('pending')}`,
      'document (warnings)',
      request('pending'),
    ],
    [
      'action_requests',
      () => `UPDATE action_requests SET ${document('{evaluation,effect}', '"allow"')} WHERE ${where('pending')}`,
      'document (evaluation)',
      request('pending'),
    ],
    ['action_requests', () => `UPDATE action_requests SET document = '{}' WHERE ${where('pending')}`, 'document', request('pending')],
    [
      'action_requests',
      () => `UPDATE action_requests SET policy_digest = 'sha256:${'0'.repeat(64)}' WHERE ${where('pending')}`,
      'policy_digest',
      request('pending'),
    ],
    [
      'action_requests',
      () => `UPDATE action_requests SET action_digest = 'sha256:${'0'.repeat(64)}' WHERE ${where('approved')}`,
      'action_digest',
      request('approved'),
    ],
    ['action_requests', () => `UPDATE action_requests SET chain_people = '{}' WHERE ${where('pending')}`, 'chain_people', request('pending')],
    [
      'action_requests',
      () => `UPDATE action_requests SET sealed_payload = (SELECT sealed_payload FROM action_requests WHERE ${where('denied')}) WHERE ${where('pending')}`,
      'sealed_payload',
      request('pending'),
    ],
    ['action_requests', () => `UPDATE action_requests SET sealed_payload = '' WHERE ${where('pending')}`, 'sealed_payload', request('pending')],
    ['action_requests', () => `DELETE FROM action_requests WHERE ${where('denied')}`, null, request('denied')],
    [
      'action_requests',
      () =>
        `INSERT INTO action_requests SELECT (jsonb_populate_record(r, '{"id":"ar_01900000-0000-7000-8000-00000000f0f0"}')).* FROM action_requests r WHERE ${where('approved')}`,
      null,
      () => Promise.resolve('ar_01900000-0000-7000-8000-00000000f0f0'),
    ],
    ['decisions', () => `UPDATE decisions SET verdict = 'approve' WHERE ${of('denied')}`, 'verdict', rowOf('decisions', 'id', 'denied')],
    ['decisions', () => `UPDATE decisions SET reason = 'Fine by me' WHERE ${of('denied')}`, 'reason', rowOf('decisions', 'id', 'denied')],
    ['decisions', () => `UPDATE decisions SET reason = NULL WHERE ${of('denied')}`, 'reason', rowOf('decisions', 'id', 'denied')],
    [
      'decisions',
      () => `UPDATE decisions SET person = json_build_object('id', person_id, 'email', 'carol@example.com', 'name', 'Carol Chen') WHERE ${of('denied')}`,
      'person',
      rowOf('decisions', 'id', 'denied'),
    ],
    [
      'decisions',
      () => `UPDATE decisions SET person_id = 'per_01900000-0000-7000-8000-00000000f0f0' WHERE ${of('denied')}`,
      'person_id',
      rowOf('decisions', 'id', 'denied'),
    ],
    ['decisions', () => `UPDATE decisions SET groups = ARRAY['security'] WHERE ${of('denied')}`, 'groups', rowOf('decisions', 'id', 'denied')],
    ['decisions', () => `UPDATE decisions SET via = 'slack' WHERE ${of('denied')}`, 'via', rowOf('decisions', 'id', 'denied')],
    [
      'decisions',
      () => `UPDATE decisions SET decided_at = decided_at - interval '1 second' WHERE ${of('denied')}`,
      'decided_at',
      rowOf('decisions', 'id', 'denied'),
    ],
    ['decisions', () => `UPDATE decisions SET authenticated = '{}' WHERE ${of('denied')}`, 'authenticated', rowOf('decisions', 'id', 'denied')],
    ['decisions', () => `DELETE FROM decisions WHERE ${of('denied')}`, null, () => one(`SELECT id FROM kept_decisions WHERE ${of('denied')}`)],
    [
      'decisions',
      () =>
        `INSERT INTO decisions SELECT (jsonb_populate_record(d, '{"id":"dec_forged","person_id":"per_forged","request_id":"${asked.pending}"}')).* FROM decisions d WHERE ${of('approved')}`,
      null,
      () => Promise.resolve('dec_forged'),
    ],
    ['outcomes', () => `UPDATE outcomes SET status = 'approved' WHERE ${of('denied')}`, 'status', rowOf('outcomes', 'id', 'denied')],
    [
      'outcomes',
      () => `UPDATE outcomes SET data = jsonb_set(data::jsonb, '{status}', '"approved"')::json WHERE ${of('denied')}`,
      'data',
      rowOf('outcomes', 'id', 'denied'),
    ],
    ['outcomes', () => `UPDATE outcomes SET sequence = 7 WHERE ${of('denied')}`, 'sequence', rowOf('outcomes', 'id', 'denied')],
    ['outcomes', () => `UPDATE outcomes SET reason = 'because' WHERE ${of('denied')}`, 'reason', rowOf('outcomes', 'id', 'denied')],
    ['outcomes', () => `DELETE FROM outcomes WHERE ${of('denied')}`, null, () => one(`SELECT id FROM kept_outcomes WHERE ${of('denied')}`)],
    ['grants', () => `UPDATE grants SET expires_at = expires_at + interval '1 year' WHERE ${of('approved')}`, 'expires_at', rowOf('grants', 'id', 'approved')],
    ['grants', () => `UPDATE grants SET audience = 'https://elsewhere.example' WHERE ${of('approved')}`, 'audience', rowOf('grants', 'id', 'approved')],
    [
      'grants',
      () => `UPDATE grants SET sealed_token = (SELECT sealed_token FROM grants WHERE ${of('revoked')}) WHERE ${of('approved')}`,
      'sealed_token',
      rowOf('grants', 'id', 'approved'),
    ],
    ['grants', () => `DELETE FROM grants WHERE ${of('approved')}`, null, () => one(`SELECT id FROM kept_grants WHERE ${of('approved')}`)],
    [
      'deliveries',
      () => `UPDATE deliveries SET target = '{"kind":"url","url":"https://evil.example/"}' WHERE ${of('denied')}`,
      'target',
      rowOf('deliveries', 'id', 'denied'),
    ],
    ['deliveries', () => `DELETE FROM deliveries WHERE ${of('denied')}`, null, () => Promise.resolve(`of ${asked.denied}, sequence 1`)],
    [
      'delivery_attempts',
      () => `UPDATE delivery_attempts SET status = 500 WHERE delivery_id = (SELECT id FROM deliveries WHERE ${of('denied')})`,
      'status',
      async () => `${await rowOf('deliveries', 'id', 'denied')()} 1`,
    ],
    ['execution_reports', () => `UPDATE execution_reports SET result = 'failed'`, 'result', request('approved')],
    ['execution_reports', () => `UPDATE execution_reports SET detail = '1 row'`, 'detail', request('approved')],
    ['execution_reports', () => `DELETE FROM execution_reports`, null, request('approved')],
    ['policies', () => `UPDATE policies SET canonical = replace(canonical, 'security', 'everybody')`, 'canonical', () => one('SELECT digest FROM policies')],
    ['policies', () => `DELETE FROM policies`, null, () => one('SELECT digest FROM kept_policies')],
    ['active_policies', () => `UPDATE active_policies SET digest = 'sha256:${'0'.repeat(64)}'`, 'digest', () => Promise.resolve('default')],
    ['active_policies', () => `UPDATE active_policies SET activated_by = 'somebody else'`, 'activated_by', () => Promise.resolve('default')],
    [
      'signing_keys',
      () => `UPDATE signing_keys SET public_key = sha256(public_key) WHERE purpose = 'checkpoint'`,
      'sealed_private_key',
      () => Promise.resolve('of this installation'),
    ],
    [
      'ledger_leaves',
      () => `UPDATE ledger_leaves SET bytes = set_byte(bytes, 40, get_byte(bytes, 40) # 1) WHERE id = '${leaf}'`,
      'bytes',
      () => Promise.resolve(leaf),
    ],
    [
      'ledger_leaves',
      () => `UPDATE ledger_leaves SET bytes = replace(convert_from(bytes, 'UTF8'), '"deny"', '"allow"')::bytea WHERE id = '${leaf}'`,
      'bytes',
      () => Promise.resolve(leaf),
    ],
    [
      'ledger_leaves',
      () => `UPDATE ledger_leaves SET sealed_private = set_byte(sealed_private, 30, get_byte(sealed_private, 30) # 1) WHERE id = '${leaf}'`,
      'sealed_private',
      () => Promise.resolve(leaf),
    ],
    ['ledger_leaves', () => `UPDATE ledger_leaves SET sealed_private = NULL WHERE id = '${leaf}'`, 'sealed_private', () => Promise.resolve(leaf)],
    ['ledger_leaves', () => `UPDATE ledger_leaves SET event = 'decision.refused' WHERE id = '${leaf}'`, 'event', () => Promise.resolve(leaf)],
    ['ledger_leaves', () => `UPDATE ledger_leaves SET at = at + interval '1 hour' WHERE id = '${leaf}'`, 'at', () => Promise.resolve(leaf)],
    ['ledger_leaves', () => `UPDATE ledger_leaves SET subject = '${asked.approved}' WHERE id = '${leaf}'`, 'subject', () => Promise.resolve(leaf)],
    ['ledger_leaves', () => `DELETE FROM ledger_leaves WHERE id = '${leaf}'`, null, () => Promise.resolve(leaf)],
    [
      'ledger_leaves',
      () =>
        `INSERT INTO ledger_leaves SELECT tenant, '01900000-0000-7000-8000-00000000f0f0', event, at, subject, bytes, sealed_private FROM ledger_leaves WHERE id = '${leaf}'`,
      null,
      () => Promise.resolve('01900000-0000-7000-8000-00000000f0f0'),
    ],
    [
      'ledger_entries',
      () => `UPDATE ledger_entries SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE leaf_id = '${leaf}'`,
      'bytes',
      () => Promise.resolve(leaf),
    ],
    ['ledger_entries', () => `DELETE FROM ledger_entries WHERE position = 3`, null, () => Promise.resolve('3')],
    [
      'ledger_checkpoints',
      () => `UPDATE ledger_checkpoints SET frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 1) WHERE size = (SELECT max(size) FROM ledger_checkpoints)`,
      'frontier',
      () => one('SELECT max(size) FROM ledger_checkpoints'),
    ],
    [
      'ledger_checkpoints',
      () => `UPDATE ledger_checkpoints SET root = sha256(root) WHERE size = (SELECT max(size) FROM ledger_checkpoints)`,
      'root',
      () => one('SELECT max(size) FROM ledger_checkpoints'),
    ],
  ];
  /** The leaf of the denial. */
  let leaf = '';

  test('E1, E2: whoever owns the database changes a row, and the verifier names it', async () => {
    leaf = await one(`SELECT id FROM ledger_leaves WHERE subject = '${asked.denied}' AND event = 'decision.recorded'`);
    for (const [table, sql, column, row] of changes) {
      const { code, result } = await tampered(table, sql());
      const named = { table: table === 'ledger_entries' && column === 'bytes' ? 'ledger_leaves' : table, row: await row(), column };
      expect({ sql: sql(), code, ok: result.ok, findings: result.findings.map(({ problem: _problem, ...place }) => place) }).toEqual({
        sql: sql(),
        code: 1,
        ok: false,
        // The row and nothing else, where one value is wrong that stands nowhere else.
        findings: ALONE.has(`${table}.${column}`) ? [named] : expect.arrayContaining([named]),
      });
    }
    expect((await verify()).result).toMatchObject({ ok: true, findings: [], fault: null });
  });

  test('E2: a leaf and its hash changed together no longer lead to the signed root', async () => {
    const forged = `replace(convert_from(l.bytes, 'UTF8'), '"deny"', '"approve"')::bytea`;
    await owner.query('ALTER TABLE ledger_entries DISABLE TRIGGER append_only');
    await owner.query(
      `UPDATE ledger_entries e SET hash = sha256('\\x00'::bytea || ${forged}) FROM ledger_leaves l WHERE l.id = e.leaf_id AND l.id = '${leaf}'`,
    );
    try {
      const { result } = await tampered('ledger_leaves', `UPDATE ledger_leaves l SET bytes = ${forged} WHERE id = '${leaf}'`);
      expect(result.fault).toMatchObject({ kind: 'checkpoint', reason: 'other_root' });
      // The decision's row is what it was, and the leaf now says something else.
      expect(result.findings).toEqual(expect.arrayContaining([expect.objectContaining({ table: 'decisions', column: 'verdict' })]));
    } finally {
      await owner.query('DELETE FROM ledger_entries');
      await owner.query('INSERT INTO ledger_entries SELECT * FROM kept_ledger_entries');
      await owner.query('ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER append_only');
    }
    expect((await verify()).code).toBe(0);
  });

  test('E2: entries that no checkpoint covers, and checkpoints that nobody signed, are found', async () => {
    const { result: uncovered } = await tampered(
      'ledger_checkpoints',
      'DELETE FROM ledger_checkpoints WHERE size = (SELECT max(size) FROM ledger_checkpoints)',
    );
    // It was verified before with the checkpoint that is gone now.
    expect(uncovered).toMatchObject({ ok: false, fault: { kind: 'history', detail: expect.stringContaining('shrunk') } });
    const { result: unsigned } = await tampered('ledger_checkpoints', `UPDATE ledger_checkpoints SET note = replace(note, '— localhost', '— localhost2')`);
    expect(unsigned).toMatchObject({ ok: false, fault: { kind: 'checkpoint', reason: expect.stringMatching(/malformed|no_known_signature|other_origin/) } });
  });

  test('E1: without the master key it says what it did not check, and still names what the open facts contradict', async () => {
    const elsewhere = await mkdtemp(path.join(tmpdir(), 'countersign-no-key-'));
    try {
      const url = (await findEmbeddedServer(home))?.appUrl ?? '';
      const looking = async (): Promise<Result> =>
        JSON.parse((await countersign('ledger', 'verify', '--database-url', url, '--home', elsewhere, '--json')).out);
      const sound = await looking();
      expect(sound).toMatchObject({ ok: true, findings: [], key_from: expect.stringContaining('offered by the log itself') });
      expect(sound.not_checked.join(' ')).toContain('There is no master key');
      await owner.query(`UPDATE action_requests SET status = 'approved' WHERE id = '${asked.denied}'`);
      const { findings, ok } = await looking();
      await owner.query(`UPDATE action_requests SET status = 'denied' WHERE id = '${asked.denied}'`);
      expect(ok).toBe(false);
      expect(findings).toEqual([expect.objectContaining({ table: 'action_requests', row: asked.denied, column: 'status' })]);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });
});

describe('a running server and an export', () => {
  const known = () => path.join(home, `known-${randomUUID()}.json`);

  test('E2: the log that a server publishes verifies over HTTP, entries with audit rights', async () => {
    const { code, result } = await verify('--url', running.url, '--known', known());
    expect(result).toMatchObject({ ok: true, fault: null, key_from: expect.stringContaining('pinned now') });
    expect(code).toBe(0);
    const alice = running.quickstart?.people['alice@example.com']?.token ?? '';
    expect(await countersign('ledger', 'verify', '--url', running.url, '--token', alice, '--known', known(), '--home', home)).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('auditors and administrators'),
    });
  });

  test('E2: an export verifies offline, and any flipped bit in it is found', async () => {
    const folder = path.join(home, 'export');
    expect(await countersign('ledger', 'export', '--out', folder, '--home', home)).toMatchObject({ code: 0, err: '' });
    const vkey = ['--vkey', path.join(folder, 'vkey')];
    const sound = await verify(folder, ...vkey, '--known', known());
    expect(sound).toMatchObject({ code: 0, result: { ok: true, log: { size: (await verify()).result.log?.size } } });
    expect(sound.result.log?.checkpoints).toBe(Number(await one('SELECT count(*) FROM ledger_checkpoints')));
    const given = sound.result.vkeys.flatMap((key) => ['--vkey', key]);
    let flips = 0;
    for (const file of await filesOf(folder)) {
      if (file === 'vkey' || file === 'jwks.json') continue;
      const place = path.join(folder, file);
      const bytes = await readFile(place);
      const step = Math.max(1, Math.floor(bytes.length / 12));
      for (let at = 0; at < bytes.length; at += step) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
        await writeFile(place, flipped);
        const { code, out } = await countersign('ledger', 'verify', folder, ...given, '--known', known(), '--home', home);
        expect({ file, at, code, out }).toMatchObject({ file, at, code: 1, out: expect.stringContaining('WRONG') });
        flips += 1;
      }
      await writeFile(place, bytes);
    }
    expect(flips).toBeGreaterThan(40);
    expect((await verify(folder, ...given, '--known', known())).code).toBe(0);
  });

  test('E2: a log that was set back, and one under another key, are refused by whoever saw it before', async () => {
    const [before, after] = [path.join(home, 'before'), path.join(home, 'after')];
    const seen = known();
    await countersign('ledger', 'export', '--out', before, '--home', home);
    await api.submit(running.quickstart?.api_key ?? '', { ...EXPORT, resource: { type: 'postgres_table', id: 'prod.weather' } });
    const grown = Number(JSON.parse(JSON.stringify((await verify(before, '--known', known())).result.log?.size)));
    await until(async () => Number(await one('SELECT max(size) FROM ledger_checkpoints')) > grown, 'the next checkpoint');
    await countersign('ledger', 'export', '--out', after, '--home', home);
    expect((await verify(after, '--known', seen)).code).toBe(0);
    expect(await verify(before, '--known', seen)).toMatchObject({ code: 1, result: { fault: { kind: 'history', detail: expect.stringContaining('shrunk') } } });
    // Another installation's log under the same name: its own key stands beside it, and is not believed.
    const [, , name = ''] = /^((.+)\+[0-9a-f]{8}\+)/.exec(await readFile(path.join(after, 'vkey'), 'utf8')) ?? [];
    expect(name).toContain('/ledger/default');
    const forged = path.join(home, 'forged');
    await cp(after, forged, { recursive: true });
    const checkpoint = await readFile(path.join(forged, 'checkpoint'), 'utf8');
    await writeFile(path.join(forged, 'checkpoint'), checkpoint.replace(/(— \S+ )\S+/, `$1${Buffer.alloc(68, 7).toString('base64')}`));
    await rm(path.join(forged, 'checkpoints.jsonl'));
    expect(await verify(forged, '--known', seen)).toMatchObject({ code: 1, result: { fault: { kind: 'checkpoint', reason: 'no_known_signature' } } });
  });
});

const shell = ['curl', 'openssl', 'sha256sum', 'xxd', 'jq', 'bash'].every((program) => needs(program, 'the recipes of docs/auditor.md') !== undefined);
(shell ? describe : describe.skip)('the recipes of docs/auditor.md', () => {
  /** Runs a shell block of the page as it stands there. */
  async function recipe(containing: string, env: Record<string, string>): Promise<{ code: number; out: string }> {
    const page = await readFile(new URL('../docs/auditor.md', import.meta.url), 'utf8');
    const block = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text).find((text) => text.includes(containing)) ?? 'false';
    const cwd = await mkdtemp(path.join(home, 'recipe-'));
    return new Promise((resolve) => {
      execFile('bash', ['--norc', '-c', block], { cwd, env: { PATH: process.env['PATH'] ?? '', URL: running.url, ...env } }, (error, stdout) =>
        resolve({ code: error === null ? 0 : Number(error.code), out: stdout }),
      );
    });
  }
  const olivia = (): string => running.quickstart?.people['olivia@example.com']?.token ?? '';

  test('E2: with curl, openssl and sha256sum alone, an entry leads to a signed root', async () => {
    for (const N of ['0', '7']) {
      const { code, out } = await recipe('openssl pkeyutl', { TOKEN: olivia(), N });
      expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/Signature Verified Successfully\n\{"at":.*"v":1\}$/) });
      expect(out).toContain(await one(`SELECT leaf_id FROM ledger_entries WHERE position = ${N}`));
    }
  });

  test('E2, E4: with openssl and jq, the details of a receipt are what its entry commits to', async () => {
    expect(await recipe('hexkey', { TOKEN: olivia(), ID: asked.approved })).toEqual({ code: 0, out: '' });
  });

  test('E2: the same recipe finds an entry that was changed', async () => {
    await owner.query('ALTER TABLE ledger_leaves DISABLE TRIGGER append_only');
    const id = await one('SELECT leaf_id FROM ledger_entries WHERE position = 7');
    await owner.query(`UPDATE ledger_leaves SET bytes = set_byte(bytes, 10, get_byte(bytes, 10) # 1) WHERE id = '${id}'`);
    const { code } = await recipe('openssl pkeyutl', { TOKEN: olivia(), N: '7' });
    await owner.query(`UPDATE ledger_leaves SET bytes = set_byte(bytes, 10, get_byte(bytes, 10) # 1) WHERE id = '${id}'`);
    await owner.query('ALTER TABLE ledger_leaves ENABLE ALWAYS TRIGGER append_only');
    expect(code).toBe(1);
  });
});

async function filesOf(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
}
