import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { authenticateCaller, authenticatePerson, authenticateScim, hashOf, openWebhookSecret } from '@countersign/identity';
import { EnvelopeSealer, Keyring, parseMasterKeyring } from '@countersign/keys';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { formatInstant } from '@countersign/core/request';
import { openStore, type Store } from '@countersign/store';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { countersign } from '../testing/terminal.js';

const master = `k1:${randomBytes(32).toString('base64')}`;
const clock = { now: () => formatInstant(Date.now()) };
const sealer = new EnvelopeSealer(parseMasterKeyring(master));
let database: TestDatabase;
let store: Store;
let cwd: string;

beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'countersign-credentials-'));
  database = await createTestDatabase();
  store = openStore({ url: database.appUrl, connections: 2 });
  await Keyring.open({ store: store.signingKeys, sealer, clock });
  const person = (at: number, name: string, active = true, roles: 'administrator'[] = []) => ({
    id: `per_00000000-0000-7000-8000-00000000000${at}`,
    email: `${name}@example.com`,
    name,
    active,
    roles,
    accounts: [],
  });
  await store.directory.replace('default', {
    people: [person(1, 'dana'), person(2, 'olivia', true, ['administrator']), person(3, 'gone', false)],
    groups: [],
    agents: [],
  });
});
afterAll(async () => {
  await store.close();
  await database.drop();
  await rm(cwd, { recursive: true });
});

const run = (...args: string[]) => countersign(args, { cwd, env: { DATABASE_URL: database.appUrl, COUNTERSIGN_MASTER_KEY: master } });
const world = () => ({ credentials: store.credentials, directory: store.directory, clock, issuer: 'test' });

test('an operator makes the first API key of an installation: it works, its owner is named, its rights are what was said', async () => {
  const made = await run(
    'api-key',
    'create',
    '--owner',
    'dana@example.com',
    '--name',
    'pipeline',
    '--actors',
    'deployer,ci-*',
    '--actions',
    'deploy.*',
    '--redeem',
  );
  expect(made).toMatchObject({ code: 0, err: '' });
  const [, key = ''] = /api_key\s+(\S+)/.exec(made.out) ?? [];
  const [, secret] = /webhook_secret\s+(\S+)/.exec(made.out) ?? [];
  const caller = await authenticateCaller({ bearer: key }, world(), null);
  expect(caller).toMatchObject({ kind: 'caller' });
  expect('caller' in caller ? caller.caller : null).toMatchObject({
    name: 'pipeline',
    owner: 'per_00000000-0000-7000-8000-000000000001',
    rights: { actors: ['deployer', 'ci-*'], actions: ['deploy.*'], environments: ['*'], callback_hosts: [], redeem: true },
  });
  const record = await store.credentials.apiKeyByHash(hashOf(key));
  expect(record === null ? null : await openWebhookSecret(sealer, record)).toBe(secret);
});

test('C4: a personal token has the scopes that were said, and admin for administrators alone', async () => {
  const made = await run('token', 'create', '--person', 'dana@example.com', '--scopes', 'read');
  expect(made).toMatchObject({ code: 0, err: '' });
  expect(await authenticatePerson({ bearer: made.out.trim() }, world())).toMatchObject({ may_decide: false, scopes: ['read'] });
  // Whoever holds the database is not the person: only a fresh proof makes a token that decides.
  expect(await run('token', 'create', '--person', 'dana@example.com', '--scopes', 'read,decide')).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining('--url'),
  });
  expect(await run('token', 'create', '--person', 'dana@example.com', '--scopes', 'admin')).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('no administrator'),
  });
  expect(await run('token', 'create', '--person', 'olivia@example.com', '--scopes', 'admin')).toMatchObject({ code: 0 });
});

test('C5: nobody who is unknown or has left gets anything', async () => {
  for (const who of ['gone@example.com', 'mallory@example.com']) {
    expect(await run('token', 'create', '--person', who)).toMatchObject({ code: 2, out: '' });
    expect(await run('sign-in-link', who, '--url', 'https://cs.example.com')).toMatchObject({ code: 2, out: '' });
    expect(await run('api-key', 'create', '--owner', who, '--name', 'x', '--actors', '*', '--actions', '*')).toMatchObject({ code: 2, out: '' });
  }
});

test('a sign-in link is for one person, once', async () => {
  const made = await run('sign-in-link', 'olivia@example.com', '--url', 'https://cs.example.com/');
  expect(made).toMatchObject({ code: 0, err: '' });
  expect(made.out.trim()).toMatch(/^https:\/\/cs\.example\.com\/sign-in#[A-Za-z0-9_-]{43}$/);
  const token = made.out.trim().split('#')[1] ?? '';
  expect(await store.credentials.spendSignInLink(hashOf(token))).toMatchObject({ person_id: 'per_00000000-0000-7000-8000-000000000002' });
  expect(await store.credentials.spendSignInLink(hashOf(token))).toBeNull();
});

test('C5: an operator makes a token for a SCIM client; it is none for anything else, and no life is endless', async () => {
  const made = await run('scim-token', 'create', '--name', 'Okta', '--days', '30');
  expect(made).toMatchObject({ code: 0, err: '' });
  const [, token = ''] = /token\s+(\S+)/.exec(made.out) ?? [];
  const record = await authenticateScim(token, { scim: store.scim, clock });
  expect(record).toMatchObject({ tenant: 'default', name: 'Okta', revoked_at: null });
  expect(Math.round((Date.parse(record?.expires_at ?? '') - Date.parse(record?.created_at ?? '')) / 86_400_000)).toBe(30);
  expect(await authenticatePerson({ bearer: token }, world())).toBeNull();
  expect(await run('scim-token', 'create', '--name', 'x', '--days', '0')).toMatchObject({ code: 2 });
  expect(await run('scim-token', 'create')).toMatchObject({ code: 2 });
});
