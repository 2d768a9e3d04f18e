import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { formatInstant } from '@countersign/core/request';
import { freePort } from '@countersign/dev-env/free-port';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { makePersonalToken } from '@countersign/identity';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { openStore } from '@countersign/store';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Api, apiOf, EXPORT } from './support/api.js';
import { exampleFiles, makeCredentials, newMasterKey, ownFiles } from './support/installation.js';

/*
 * Two servers on one database, as replicas run: what one is told, the other obeys from that moment on.
 */
jest.setTimeout(120_000);

let database: TestDatabase;
let folder: string;
const servers: { running: Running; api: Api }[] = [];
let held: Awaited<ReturnType<typeof makeCredentials>>;
let admin: string;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-replicas-'));
  const masterKey = newMasterKey();
  for (const name of ['one', 'two']) {
    const port = await freePort();
    const read = readConfig({
      ...ownFiles(folder),
      COUNTERSIGN_HOME: path.join(folder, name),
      DATABASE_URL: database.appUrl,
      MIGRATE_DATABASE_URL: database.ownerUrl,
      COUNTERSIGN_MASTER_KEY: masterKey,
      PORT: String(port),
      LOG_LEVEL: 'silent',
    });
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    servers.push({ running: await start(read.config), api: apiOf(port, `localhost:${port}`) });
  }
  held = await makeCredentials(database.appUrl, masterKey);
  admin = await administrator();
});
afterAll(async () => {
  for (const { running } of servers) {
    await running.shutdown.stop('the test is over');
    running.shutdown.release();
  }
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** A token of Olivia's that administers. */
async function administrator(): Promise<string> {
  const store = openStore({ url: database.appUrl, connections: 1 });
  try {
    const [person] = await store.directory.people('default', ['olivia@example.com']);
    const world = { clock: { now: () => formatInstant(Date.now()) }, entropy: { bytes: (length: number) => new Uint8Array(randomBytes(length)) } };
    const made = makePersonalToken(world, {
      tenant: 'default',
      person_id: person?.id ?? '',
      name: 'test',
      scopes: ['read', 'decide', 'admin'],
      life_seconds: 3600,
      stepped_up_at: world.clock.now(),
    });
    await store.credentials.insertPersonalToken(made.record);
    return made.token;
  } finally {
    await store.close();
  }
}
const server = (index: 0 | 1): Api => {
  const found = servers[index];
  if (found === undefined) throw new Error('it does not run');
  return found.api;
};

describe('B1, A6: two servers on one database', () => {
  test('B1: a policy that one puts in force judges the next request at the other, though both have a file of their own', async () => {
    const text = readFileSync(path.join(exampleFiles, 'policy.yaml'), 'utf8');
    const warm = await server(1).submit(held.apiKey, { ...EXPORT, action: 'thing.delete' });
    expect(warm.json.status).toBe('approved');
    for (const round of [1, 2, 3]) {
      const more = `${text}\n  - id: never-${round}\n    effect: deny\n    actions: [thing.delete-${round}]\n    explain: Never\n`;
      const stored = await server(0).call('POST', '/v1/policies', { as: admin, body: { files: [{ path: 'p.yaml', text: more }] } });
      expect(stored.status).toBe(201);
      const activated = await server(0).call('POST', `/v1/policies/${stored.json.policy_digest}/activate`, { as: admin, body: {} });
      expect(activated.json.in_force).toBe(true);
      const judged = await server(1).submit(held.apiKey, { ...EXPORT, action: `thing.delete-${round}` });
      expect([judged.json.status, judged.json.evaluation.policy_digest]).toEqual(['denied', stored.json.policy_digest]);
    }
  });

  test('A6: a freeze that one acknowledged holds at the other, whatever was on its way there', async () => {
    for (let round = 0; round < 8; round++) {
      const waiting = (await server(1).submit(held.apiKey, EXPORT)).json;
      const racing = server(1).decide(held.tokens.alice, waiting, 'approve');
      const placed = await server(0).call('POST', '/v1/freezes', { as: admin, body: { scope: { actor: 'retrainer' }, reason: 'Stop' } });
      expect(placed.status).toBe(201);
      const late = (await server(1).submit(held.apiKey, EXPORT)).status;
      const approved = (await racing).status;
      const after = await server(1).decide(held.tokens.bob, waiting, 'approve');
      expect([late, after.status === 423 || approved === 201]).toEqual([423, true]);
      const state = (await server(1).call('GET', `/v1/action-requests/${waiting.id}`, { as: held.apiKey })).json;
      // Either it was approved before the freeze, or it waits still; its grant is not shown in either case.
      expect([approved, state.status, state.outcome?.grant]).toEqual(approved === 201 ? [201, 'approved', undefined] : [423, 'pending', undefined]);
      await thaw();
    }
  });
});

async function thaw(): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  await client.query('UPDATE freezes SET lifted_at = now() WHERE lifted_at IS NULL');
  await client.end();
}
