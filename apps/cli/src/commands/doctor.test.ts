import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeLeaf } from '@countersign/core/ledger';
import { compileBundle } from '@countersign/core/policy';
import { formatInstant, newUuid } from '@countersign/core/request';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { startFakeSlack } from '@countersign/dev-env/slack';
import { EnvelopeSealer, Keyring, parseMasterKeyring } from '@countersign/keys';
import type { DirectorySnapshot } from '@countersign/core/ports';
import { openStore } from '@countersign/store';
import pg from 'pg';
import type { Check } from '../doctor/check.js';
import { countersign } from '../testing/terminal.js';

const masterKey = `k1:${randomBytes(32).toString('base64')}`;
let database: TestDatabase;
let home: string;
/** What a careful operator sets. */
let env: Record<string, string>;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-doctor-'));
  database = await createTestDatabase();
  env = {
    DATABASE_URL: database.appUrl,
    COUNTERSIGN_MASTER_KEY: masterKey,
    COUNTERSIGN_DIRECTORY: 'people.yaml',
    COUNTERSIGN_POLICY: 'policy.yaml',
    PUBLIC_URL: 'https://approve.example.com',
  };
  const store = openStore({ url: database.appUrl, connections: 2 });
  await Keyring.open({ store: store.signingKeys, sealer: new EnvelopeSealer(parseMasterKeyring(masterKey)), clock: { now: () => formatInstant(Date.now()) } });
  const compiled = compileBundle([
    {
      path: 'policy.yaml',
      text: 'apiVersion: countersign.dev/v1\nkind: PolicyBundle\nmetadata: { name: tiny, version: 1 }\ndefaults: { outcome: deny, undeclared: deny }\nrules: []\n',
    },
  ]);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const { digest, canonical } = compiled.bundle;
  const at = formatInstant(Date.now());
  const id = newUuid(at, randomBytes(10));
  const bytes = makeLeaf({ id, event: 'policy.activated', at, tenant: 'default', subject: digest, facts: {}, details: {}, recordKey: randomBytes(32) });
  await store.policies.activate({
    tenant: 'default',
    digest,
    canonical,
    by: 'test',
    leaf: { id, event: 'policy.activated', at, subject: digest, bytes, sealed_private: null },
  });
  await store.directory.replace('default', PEOPLE);
  await store.close();
});
afterAll(async () => {
  await database.drop();
  await rm(home, { recursive: true });
});

async function doctor(more: Record<string, string> = {}, ...args: string[]): Promise<{ code: number; checks: Check[]; of(name: string): Check | undefined }> {
  const { code, out, err } = await countersign(['doctor', '--home', home, '--json', ...args], { cwd: home, env: { ...env, ...more } });
  if (out === '') throw new Error(err);
  const { checks } = JSON.parse(out) as { checks: Check[] };
  return { code, checks, of: (name) => checks.find((check) => check.name === name) };
}

async function asOwner(...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: database.ownerUrl });
  await client.connect();
  for (const sql of statements) await client.query(sql);
  await client.end();
}

const person = (id: string, roles: ('administrator' | 'auditor')[] = []) => ({
  ...{ id: `per_01970000-0000-7000-8000-00000000000${id}`, email: `${id}@example.com`, name: id, active: true, roles, accounts: [] },
});
const PEOPLE: DirectorySnapshot = {
  people: [person('a', ['administrator']), person('b', ['administrator']), person('c')],
  groups: [],
  agents: [{ id: 'retrainer', owner: person('c').id, active: true }],
};

describe('doctor', () => {
  test('C4: it says where nobody else would look: one administrator, and an agent that nobody active answers for', async () => {
    const store = openStore({ url: database.appUrl, connections: 1 });
    try {
      await store.directory.replace('default', { ...PEOPLE, people: [person('a', ['administrator']), { ...person('c'), active: false }] });
      const { of } = await doctor();
      expect(of('administrators')).toMatchObject({ status: 'warn', says: expect.stringContaining('there is one') });
      expect(of('agents')).toMatchObject({ status: 'warn', says: 'nobody active answers for retrainer' });
      await store.directory.replace('default', { ...PEOPLE, people: [person('c')] });
      expect((await doctor()).of('administrators')).toMatchObject({ status: 'fail' });
    } finally {
      await store.directory.replace('default', PEOPLE);
      await store.close();
    }
  });

  test('G2: a sound installation has nothing that fails', async () => {
    const { code, checks } = await doctor();
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual([
      'Node',
      'configuration',
      'boundary',
      'database',
      'migrations',
      'ledger',
      'master key',
      'policy',
      'administrators',
      'approvers',
      'agents',
      'cards',
      'callbacks',
      'passkeys',
    ]);
    expect(code).toBe(0);
    expect((await countersign(['doctor', '--home', home], { cwd: home, env })).out).toMatch(/Nothing fails\.$/);
  });

  test('a quickstart fails: it is no boundary; and its database must run', async () => {
    const bare = await countersign(['doctor', '--home', home, '--json'], { cwd: home });
    expect(bare.code).toBe(1);
    const { checks } = JSON.parse(bare.out) as { checks: Check[] };
    expect(checks.find(({ name }) => name === 'boundary')).toMatchObject({ status: 'fail', says: expect.stringContaining('a quickstart is no boundary') });
    expect(checks.find(({ name }) => name === 'database')).toMatchObject({ status: 'fail', fix: expect.stringContaining('Start Countersign') });
  });

  test('a wrong configuration is named whole, and no secret is shown', async () => {
    const { code, checks } = await doctor({ PORT: 'many', COUNTERSIGN_MASTER_KEY: 'hunter2-secret' });
    expect(code).toBe(1);
    const wrong = checks.filter(({ name }) => name === 'configuration');
    expect(new Set(wrong.map(({ says }) => says.split(' ')[0]))).toEqual(new Set(['COUNTERSIGN_MASTER_KEY', 'PORT']));
    expect(JSON.stringify(checks)).not.toContain('hunter2');
  });

  test('E1: a ledger that could be changed is told apart: by role, by ownership, by a trigger that is off', async () => {
    expect((await doctor({ DATABASE_URL: database.superuserUrl })).of('ledger')).toMatchObject({ status: 'fail', says: expect.stringContaining('superuser') });
    expect((await doctor({ DATABASE_URL: database.ownerUrl })).of('ledger')).toMatchObject({ status: 'warn', says: expect.stringContaining('owns') });
    await asOwner('ALTER TABLE ledger_entries DISABLE TRIGGER append_only');
    expect((await doctor()).of('ledger')).toMatchObject({ status: 'fail', says: expect.stringContaining('ledger_entries') });
    await asOwner('ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER append_only', 'GRANT DELETE ON ledger_leaves TO countersign_app');
    expect((await doctor()).of('ledger')).toMatchObject({ status: 'fail', says: expect.stringContaining('DELETE on ledger_leaves') });
    await asOwner('REVOKE DELETE ON ledger_leaves FROM countersign_app');
    expect((await doctor()).of('ledger')).toMatchObject({ status: 'ok' });
  });

  test('another master key, no database and a policy that was changed are found', async () => {
    expect((await doctor({ COUNTERSIGN_MASTER_KEY: `k1:${randomBytes(32).toString('base64')}` })).of('master key')).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('Put back'),
    });
    expect((await doctor({ DATABASE_URL: 'postgresql://nobody:secret-pw@127.0.0.1:1/none' })).of('database')).toMatchObject({
      status: 'fail',
      says: expect.not.stringContaining('secret-pw'),
    });
    await asOwner(`UPDATE policies SET canonical = replace(canonical, 'deny', 'allow')`);
    expect((await doctor()).of('policy')).toMatchObject({ status: 'fail', fix: expect.stringContaining('ledger verify') });
    await asOwner(`UPDATE policies SET canonical = replace(canonical, 'allow', 'deny')`);
  });

  test('callbacks that may go nearly everywhere are warned of', async () => {
    expect((await doctor({ COUNTERSIGN_CALLBACK_ALLOW: '0.0.0.0/0' })).of('callbacks')).toMatchObject({ status: 'warn' });
    expect((await doctor({ COUNTERSIGN_CALLBACK_ALLOW: '10.1.0.0/16, hooks.internal' })).of('callbacks')).toMatchObject({
      status: 'ok',
      says: expect.stringContaining('10.1.0.0/16'),
    });
    expect((await doctor({ COUNTERSIGN_CALLBACK_ALLOW: '' })).of('callbacks')).toMatchObject({
      status: 'ok',
      says: expect.stringContaining('nothing private'),
    });
    expect((await doctor({ COUNTERSIGN_CALLBACK_ALLOW: '10.1.0.0/99' })).of('configuration')).toMatchObject({ status: 'fail' });
  });

  test('C5: a Slack token is tried, and its scopes are compared', async () => {
    const slack = await startFakeSlack();
    const poor = await startFakeSlack({ scopes: ['chat:write', 'users:read'] });
    try {
      const settings = (fake: typeof slack, token = fake.botToken) => ({
        SLACK_BOT_TOKEN: token,
        SLACK_SIGNING_SECRET: 'a'.repeat(32),
        SLACK_API_URL: fake.apiUrl,
      });
      const sound = await doctor(settings(slack));
      expect([sound.of('Slack')?.status, sound.of('Slack scopes')?.status]).toEqual(['ok', 'ok']);
      expect((await doctor(settings(poor))).of('Slack scopes')).toMatchObject({ status: 'fail', says: expect.stringContaining('im:write') });
      const refused = await doctor(settings(slack, 'xoxb-of-somebody-else'));
      expect(refused.of('Slack')).toMatchObject({ status: 'fail', says: expect.stringContaining('invalid_auth') });
      expect(refused.code).toBe(1);
    } finally {
      await slack.close();
      await poor.close();
    }
    expect((await doctor({ SLACK_BOT_TOKEN: 'xoxb-x', SLACK_SIGNING_SECRET: 'a'.repeat(32), SLACK_API_URL: 'http://127.0.0.1:1/' })).of('Slack')).toMatchObject(
      { status: 'fail', says: expect.stringContaining('does not answer') },
    );
  });

  test('--url looks at a running server', async () => {
    let ready = 200;
    const server = createServer((request, response) => void response.writeHead(request.url === '/readyz' ? ready : 200).end('postgresql: down'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A TCP server that listens has an AddressInfo.
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect((await doctor({}, '--url', `${url}/`)).of('server')).toMatchObject({ status: 'ok' });
      ready = 503;
      expect((await doctor({}, '--url', url)).of('server')).toMatchObject({ status: 'fail', says: expect.stringContaining('postgresql: down') });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect((await doctor({}, '--url', url)).of('server')).toMatchObject({ status: 'fail' });
    expect(await countersign(['doctor', '--url', 'nonsense'], { cwd: home, env })).toMatchObject({ code: 2 });
  });
});
