import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createApiWorld, type ApiWorld } from '@countersign/intake/testing';
import { parseMasterKeyring, EnvelopeSealer, Keyring } from '@countersign/keys';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { formatInstant } from '@countersign/core/request';
import { openStore } from '@countersign/store';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { countersign } from '@countersign/cli/testing';

let world: ApiWorld;
let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'countersign-api-keys-'));
  world = await createApiWorld();
});
afterAll(async () => {
  await world.close();
  await rm(cwd, { recursive: true });
});

const CREATE = ['create', '--owner', 'dana@example.com', '--name', 'ci', '--actors', '*', '--actions', '*', '--networks', '127.0.0.0/8,::1'];
const there = (args: string[], token = world.tokens.olivia) =>
  countersign(['api-key', ...args, '--url', world.url], { cwd, env: { COUNTERSIGN_TOKEN: token } });
const secretOf = (out: string): string => /api_key\s+(\S+)/.exec(out)?.[1] ?? '';
const idOf = (out: string): string => /id\s+(key_\S+)/.exec(out)?.[1] ?? '';

test('an administrator makes, lists, rotates and revokes a key of a running service', async () => {
  const made = await there(CREATE);
  expect(made).toMatchObject({ code: 0, err: '' });
  const [key, id] = [secretOf(made.out), idOf(made.out)];
  expect((await world.submit({}, { as: key })).status).toBe(201);
  const listed = await there(['list']);
  expect(listed.out).toContain(`${id}  active`);
  expect(listed.out).not.toContain(key);

  const rotated = await there(['rotate', id, '--overlap', '0']);
  expect((await world.call('GET', '/v1/action-requests', { as: key })).status).toBe(401);
  expect((await world.call('GET', '/v1/action-requests', { as: secretOf(rotated.out) })).status).toBe(200);

  expect((await there(['revoke', id, '--reason', 'not needed'])).out).toContain('1 request ended with it');
  expect((await there(['list'])).out).not.toContain(id);
  expect((await there(['list', '--all'])).out).toContain(`${id}  revoked`);
  expect(await there(['revoke', id])).toMatchObject({ code: 1 });
});

test('C4: nobody else does', async () => {
  const made = await there(CREATE, world.tokens.dana);
  expect(made).toMatchObject({ code: 1, out: '', err: expect.stringContaining('forbidden') });
});

test('says what is wrong before it asks anybody', async () => {
  expect(await there([...CREATE.slice(0, -2), '--networks', '10.0.0.0/40'])).toMatchObject({ code: 1, out: '' });
  expect(await there([...CREATE, '--expires-at', 'tomorrow'])).toMatchObject({ code: 2, err: expect.stringContaining('/expires_at') });
  expect(await there(['rotate'])).toMatchObject({ code: 2, err: expect.stringContaining('Name the key') });
});

test('does the same on the database itself, for the first key and for emergencies', async () => {
  const master = `k1:${randomBytes(32).toString('base64')}`;
  const database: TestDatabase = await createTestDatabase();
  const store = openStore({ url: database.appUrl, connections: 2 });
  try {
    const clock = { now: () => formatInstant(Date.now()) };
    await Keyring.open({ store: store.signingKeys, sealer: new EnvelopeSealer(parseMasterKeyring(master)), clock });
    const dana = { id: 'per_00000000-0000-7000-8000-000000000001', email: 'dana@example.com', name: 'Dana', active: true, roles: [], accounts: [] };
    await store.directory.replace('default', { people: [dana], groups: [], agents: [] });
    const here = (...args: string[]) => countersign(['api-key', ...args], { cwd, env: { DATABASE_URL: database.appUrl, COUNTERSIGN_MASTER_KEY: master } });
    const made = await here(...CREATE);
    expect(made).toMatchObject({ code: 0, err: '' });
    const id = idOf(made.out);
    const rotated = await here('rotate', id, '--webhook-secret');
    expect(rotated.out).toMatch(/api_key\s+cs_key_\S+\nwebhook_secret\s+whsec_\S+\nThe old secret counts for 86400 s more/);
    expect((await here('list')).out).toContain(`${id}  active`);
    expect((await here('revoke', id)).out).toContain('is revoked');
    expect(await here('revoke', id)).toMatchObject({ code: 2, err: expect.stringContaining('no live API key') });
    expect((await store.requests.timeline('default', id)).map(({ event }) => event)).toEqual(['api_key.created', 'api_key.rotated', 'api_key.revoked']);
  } finally {
    await store.close();
    await database.drop();
  }
});
