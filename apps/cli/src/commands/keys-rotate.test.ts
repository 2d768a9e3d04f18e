import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { formatInstant } from '@countersign/core/request';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { EnvelopeSealer, Keyring, parseMasterKeyring } from '@countersign/keys';
import { openStore, type Store } from '@countersign/store';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { countersign } from '../testing/terminal.js';

const newMaster = (): string => `k1:${randomBytes(32).toString('base64')}`;
const master = newMaster();
const clock = { now: () => formatInstant(Date.now()) };
let database: TestDatabase;
let store: Store;
let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'countersign-rotate-'));
  database = await createTestDatabase();
  store = openStore({ url: database.appUrl, connections: 2 });
});
afterAll(async () => {
  await store.close();
  await database.drop();
  await rm(cwd, { recursive: true });
});

const rotate = (purpose: string[], env: Record<string, string> = {}) =>
  countersign(['keys', 'rotate', ...purpose], { cwd, env: { DATABASE_URL: database.appUrl, COUNTERSIGN_MASTER_KEY: master, ...env } });

test('D1: rotates on the database itself, and a running keyring goes on with the new key', async () => {
  const running = await Keyring.open({ store: store.signingKeys, sealer: new EnvelopeSealer(parseMasterKeyring(master)), clock });
  for (const purpose of ['outcome', 'checkpoint'] as const) {
    const before = running.signer(purpose).kid;
    const ended = await rotate([purpose]);
    expect(ended).toMatchObject({ code: 0, err: '' });
    await running.refresh();
    const after = running.signer(purpose).kid;
    expect(after).not.toBe(before);
    expect(ended.out).toContain(`${after} signs for ${purpose} now`);
    expect(running.publicKeys(purpose).map(({ kid }) => kid)).toEqual([before, after]);
    const [leaf] = await store.requests.timeline('default', after);
    expect(leaf?.event).toBe('key.rotated');
  }
});

test('refuses, and changes nothing, without a purpose, without the right master key, without a database', async () => {
  const keys = async (): Promise<string[]> => (await store.signingKeys.list()).map(({ kid, retired_at }) => `${kid} ${retired_at}`);
  const before = await keys();
  expect(await rotate([])).toMatchObject({ code: 2, out: '' });
  expect(await rotate(['master'])).toMatchObject({ code: 2, out: '' });
  expect(await rotate(['outcome'], { COUNTERSIGN_MASTER_KEY: newMaster() })).toMatchObject({ code: 2, out: '' });
  expect(await rotate(['outcome'], { COUNTERSIGN_MASTER_KEY: '' })).toMatchObject({ code: 2, err: expect.stringContaining('master key') });
  expect(await rotate(['outcome'], { DATABASE_URL: '' })).toMatchObject({ code: 2, err: expect.stringContaining('no database') });
  expect(await keys()).toEqual(before);
});
