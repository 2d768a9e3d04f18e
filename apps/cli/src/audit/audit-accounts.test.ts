import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { loneLeaf } from '@countersign/core/flow';
import type { ChatAccount } from '@countersign/core/ports';
import { formatInstant, newId } from '@countersign/core/request';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { EnvelopeSealer, parseMasterKeyring } from '@countersign/keys';
import { openAuditSnapshot, openStore, type Store } from '@countersign/store';
import pg from 'pg';
import { auditAccounts } from './audit-accounts.js';

const TENANT = 'default';
const ISSUER = 'https://id.example.com';
const entropy = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };
const sealer = new EnvelopeSealer(parseMasterKeyring(`k1:${randomBytes(32).toString('base64')}`));
const [alice, bob] = [newId('per', 0, randomBytes(10)), newId('per', 0, randomBytes(10))];
const account = (user: string): ChatAccount => ({ platform: 'slack', workspace: 'T1', user });
let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ url: database.appUrl, connections: 2 });
  const people = [
    { id: alice, email: 'alice@example.com', name: 'Alice' },
    { id: bob, email: 'bob@example.com', name: 'Bob' },
  ];
  await store.directory.replace(TENANT, { people: people.map((one) => ({ ...one, active: true, roles: [], accounts: [] })), groups: [], agents: [] });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const at = () => formatInstant(Date.now());
async function link(person: string, user: string): Promise<void> {
  const facts = { kind: 'chat', platform: 'slack', how: 'administrator' };
  const details = { person, workspace: 'T1', user };
  const leaf = await loneLeaf({ sealer, entropy }, { tenant: TENANT, event: 'account.linked', subject: person, at: at(), facts, details });
  expect(await store.chatLinks.linkAccount({ ...account(user), tenant: TENANT, person_id: person, how: 'administrator' }, leaf)).toBe('linked');
}

async function findings(): Promise<string[]> {
  const snapshot = await openAuditSnapshot(database.appUrl);
  try {
    return (await auditAccounts(snapshot, TENANT, sealer)).findings.map(({ table, row, column, problem }) => `${table} ${row} ${column ?? ''}: ${problem}`);
  } finally {
    await snapshot.close();
  }
}

async function asOwner(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  await client.query(sql);
  await client.end();
}

describe('the audit of accounts', () => {
  test('E1: links that were made and cut as the ledger says are in order', async () => {
    await link(alice, 'U1');
    await link(bob, 'U2');
    const facts = { kind: 'identity', how: 'email' };
    const details = { person: alice, issuer: ISSUER, subject: 's-1' };
    const leaf = await loneLeaf({ sealer, entropy }, { tenant: TENANT, event: 'account.linked', subject: alice, at: at(), facts, details });
    const identity = {
      tenant: TENANT,
      issuer: ISSUER,
      subject: 's-1',
      person_id: alice,
      how: 'email' as const,
      linked_at: at(),
      last_used_at: null,
      cut_at: null,
    };
    expect(await store.identities.linkIdentity(identity, leaf)).toBe('linked');
    expect(await findings()).toEqual([]);
  });

  test('C5, E1: a link that somebody wrote into the database is found: an invented one, another person’s, one that was cut', async () => {
    await asOwner(
      `INSERT INTO chat_account_links (tenant, platform, workspace, "user", person_id, how) VALUES ('${TENANT}', 'slack', 'T1', 'U9', '${alice}', 'proof')`,
    );
    expect(await findings()).toEqual([expect.stringContaining('chat_account_links slack T1 U9')]);
    await asOwner(`DELETE FROM chat_account_links WHERE "user" = 'U9'`);

    await asOwner(`UPDATE chat_account_links SET person_id = '${alice}' WHERE "user" = 'U2'`);
    expect(await findings()).toEqual([expect.stringContaining('chat_account_links slack T1 U2 person_id')]);
    await asOwner(`UPDATE chat_account_links SET person_id = '${bob}' WHERE "user" = 'U2'`);

    await asOwner(`UPDATE identity_links SET person_id = '${bob}'`);
    expect(await findings()).toEqual([expect.stringContaining(`identity_links ${ISSUER} s-1 person_id`)]);
    await asOwner(`UPDATE identity_links SET person_id = '${alice}'`);

    const found = await store.chatLinks.account({ tenant: TENANT, ...account('U1') });
    const details = { person: alice, workspace: 'T1', user: 'U1', by: alice };
    const facts = { kind: 'chat', platform: 'slack', how: 'administrator' };
    const leaf = await loneLeaf({ sealer, entropy }, { tenant: TENANT, event: 'account.unlinked', subject: alice, at: at(), facts, details });
    expect(await store.chatLinks.cutLink(TENANT, found?.link.id ?? '', leaf)).toBe(true);
    expect(await findings()).toEqual([]);
    await asOwner(
      `INSERT INTO chat_account_links (tenant, platform, workspace, "user", person_id, how) VALUES ('${TENANT}', 'slack', 'T1', 'U1', '${alice}', 'administrator')`,
    );
    expect(await findings()).toEqual([expect.stringContaining('the ledger says that it was cut off')]);
  });
});
