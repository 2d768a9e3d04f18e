import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { migrate } from './migrate.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function query(url: string, sql: string, values: unknown[] = []): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql, values);
  } finally {
    await client.end();
  }
}

describe('migrations', () => {
  test('two processes that start at once on an empty database migrate it once', async () => {
    await query(database.ownerUrl, 'DROP SCHEMA public CASCADE');
    await query(database.ownerUrl, 'CREATE SCHEMA public');
    const applied = await Promise.all([1, 2, 3].map(() => migrate({ url: database.ownerUrl, appRole: 'countersign_app' })));
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
    expect(await migrate({ url: database.ownerUrl, appRole: 'countersign_app' })).toEqual([]);
    const { rows } = await query(database.appUrl, 'SELECT id FROM tenants');
    expect(rows).toEqual([{ id: 'default' }]);
  });

  test('the same address for both roles needs no grants', async () => {
    expect(await migrate({ url: database.ownerUrl, appRole: 'countersign_owner' })).toEqual([]);
    expect(await migrate({ url: database.ownerUrl })).toEqual([]);
  });

  test('a database that cannot be reached is named as such', async () => {
    await expect(migrate({ url: 'postgresql://nobody@127.0.0.1:1/none' })).rejects.toMatchObject({ name: 'StoreError', code: 'unavailable' });
  });
});

describe('E1: the ledger is append-only', () => {
  const leaf = `INSERT INTO ledger_leaves (tenant, id, event, at, subject, bytes) VALUES ('default', gen_random_uuid(), 'policy.activated', now(), 'x', '\\x00')`;
  const changes = ['ledger_leaves', 'ledger_entries', 'ledger_nodes', 'ledger_checkpoints'].flatMap((table) => [
    `UPDATE ${table} SET tenant = 'other'`,
    `DELETE FROM ${table}`,
    `TRUNCATE ${table}`,
  ]);

  test.each(changes)('the role that runs the service owns no right to: %s', async (sql) => {
    await expect(query(database.appUrl, sql)).rejects.toMatchObject({ code: '42501' });
  });

  test.each(changes)('and the database refuses it to the owner and the superuser, in replication mode too: %s', async (sql) => {
    await expect(query(database.ownerUrl, sql)).rejects.toMatchObject({ code: '23001' });
    await expect(query(database.superuserUrl, `SET session_replication_role = replica; ${sql}`)).rejects.toMatchObject({ code: '23001' });
  });

  test('the service can add leaves, but neither switch the trigger off, nor grant itself rights, nor touch the migrations', async () => {
    await query(database.appUrl, leaf);
    for (const sql of [
      'ALTER TABLE ledger_leaves DISABLE TRIGGER append_only',
      'DROP TABLE ledger_leaves',
      `SELECT countersign_grant('countersign_app')`,
      'CREATE TABLE mine (x int)',
      'DELETE FROM _prisma_migrations',
    ]) {
      await expect(query(database.appUrl, sql)).rejects.toMatchObject({ code: '42501' });
    }
    const { rows } = await query(database.appUrl, 'SELECT count(*)::int AS count FROM ledger_leaves');
    expect(rows).toEqual([{ count: 1 }]);
  });

  test("I15: every table names its tenant, but for the tenants themselves and the service's own keys", async () => {
    const { rows } = await query(
      database.ownerUrl,
      `SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT IN ('tenants', 'signing_keys', '_prisma_migrations')
         AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND a.attnotnull)`,
    );
    expect(rows).toEqual([]);
  });
});
