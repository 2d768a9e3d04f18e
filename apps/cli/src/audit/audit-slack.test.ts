import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { slackInstall, slackUninstall } from '@countersign/core/flow';
import { formatInstant } from '@countersign/core/request';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { EnvelopeSealer, parseMasterKeyring } from '@countersign/keys';
import { openAuditSnapshot, openStore, type Store } from '@countersign/store';
import pg from 'pg';
import { auditSlack } from './audit-slack.js';

const TENANT = 'default';
const entropy = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };
const sealer = new EnvelopeSealer(parseMasterKeyring(`k1:${randomBytes(32).toString('base64')}`));
const clock = { now: () => formatInstant(Date.now()) };
let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  store = openStore({ url: database.appUrl, connections: 2 });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const world = () => ({ sealer, entropy, clock, slackInstalls: store.slackInstalls });
const install = (id: string, token = `xoxb-${id}`) =>
  slackInstall(
    world(),
    {
      ...{ tenant: TENANT, id, team_id: id, team_name: 'Example', enterprise_id: null, enterprise_name: null, enterprise_install: false },
      ...{ app_id: 'A1', bot_id: 'B1', bot_user_id: 'U1', scopes: ['chat:write'], installed_by: 'per_olivia' },
    },
    token,
  );

async function findings(opener: typeof sealer | null = sealer): Promise<string[]> {
  const snapshot = await openAuditSnapshot(database.appUrl);
  try {
    return (await auditSlack(snapshot, TENANT, opener)).findings.map(({ row, column, problem }) => `${row} ${column ?? ''}: ${problem}`);
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

describe('the audit of Slack’s installations', () => {
  test('E1: what was installed, installed again and removed as the ledger says is in order, with and without the master key', async () => {
    await install('T1');
    await install('T1', 'xoxb-again');
    await install('T2');
    expect(await slackUninstall(world(), TENANT, 'T2', 'slack')).toBe(true);
    expect(await slackUninstall(world(), TENANT, 'T2', 'slack')).toBe(false);
    expect(await findings()).toEqual([]);
    expect(await findings(null)).toEqual([]);
  });

  test('E1: an installation that nobody made, another token in the place of one, and one that is gone are found', async () => {
    await install('T3');
    await asOwner(`INSERT INTO slack_installations SELECT tenant, 'T4', 'T4', team_name, enterprise_id, enterprise_name, enterprise_install, app_id, bot_id, bot_user_id,
      scopes, sealed_token, token_digest, installed_by, installed_at FROM slack_installations WHERE id = 'T3'`);
    await asOwner(`UPDATE slack_installations SET token_digest = 'other' WHERE id = 'T3'`);
    await asOwner(`DELETE FROM slack_installations WHERE id = 'T1'`);
    expect(await findings()).toEqual([
      expect.stringContaining('T3 token_digest: is not what the ledger says'),
      expect.stringContaining('T4 : has no leaf'),
      expect.stringContaining('T1 : is missing'),
    ]);
  });
});
