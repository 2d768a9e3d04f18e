/** A store on a migrated database of its own with people, a key and a policy in it; for the store's tests. */
import { randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import pg from 'pg';
import { aLeaf, ALICE, at, BOB, DANA, KEY_ID, POLICY, TENANT } from './sample-records.js';
import { openStore, type Store } from '../store.js';

export interface StoreFixture {
  store: Store;
  database: TestDatabase;
  /** Runs SQL as the superuser: to look, and to move time. */
  sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

export async function storeFixture(): Promise<StoreFixture> {
  const database = await createTestDatabase();
  const store = openStore({ url: database.appUrl });
  const superuser = new pg.Client({ connectionString: database.superuserUrl });
  superuser.on('error', () => {});
  await superuser.connect();
  await seed(store);
  return {
    store,
    database,
    sql: async (text, values = []) => (await superuser.query(text, values)).rows,
    close: async () => {
      await store.close();
      await superuser.end();
      await database.drop();
    },
  };
}

/** People, a key and a policy, as every test of the store expects them. */
export async function seed(store: Store): Promise<void> {
  await store.directory.replace(TENANT, {
    people: [
      { id: ALICE, email: 'Alice@example.com', name: 'Alice', active: true, roles: [], accounts: [{ platform: 'slack', workspace: 'T1', user: 'U1' }] },
      { id: BOB, email: 'bob@example.com', name: 'Bob', active: true, roles: ['administrator', 'auditor'], accounts: [] },
      { id: DANA, email: 'dana@example.com', name: 'Dana', active: true, roles: [], accounts: [] },
    ],
    groups: [
      { name: 'data-owners', members: [ALICE, BOB] },
      { name: 'security', members: [BOB] },
    ],
    agents: [{ id: 'retrainer', owner: 'dana@example.com', active: true }],
  });
  await store.credentials.insertApiKey({
    id: KEY_ID,
    tenant: TENANT,
    name: 'ci',
    owner: DANA,
    hash: randomBytes(32),
    prefix: 'cs_1234',
    rights: { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: ['*'], redeem: true },
    sealed_webhook_secret: randomBytes(40),
    created_at: at(0),
    expires_at: null,
    revoked_at: null,
  });
  await store.policies.activate({ tenant: TENANT, digest: POLICY, canonical: 'rules: []', by: 'start', leaf: aLeaf(POLICY, 'policy.activated') });
}
