import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { decidePlace } from '@countersign/core/flow';
import { formatInstant, newId } from '@countersign/core/request';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { EnvelopeSealer, parseMasterKeyring } from '@countersign/keys';
import { openAuditSnapshot, openStore, type Store } from '@countersign/store';
import pg from 'pg';
import { auditChatPlaces } from './audit-chat-places.js';

const TENANT = 'default';
const entropy = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };
const sealer = new EnvelopeSealer(parseMasterKeyring(`k1:${randomBytes(32).toString('base64')}`));
const clock = { now: () => formatInstant(Date.now()) };
const olivia = { id: newId('per', 0, randomBytes(10)), email: 'olivia@example.com', name: 'Olivia' };
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

async function heard(place: string, kind: 'group' | 'personal' = 'group'): Promise<string> {
  const id = newId('pl', Date.now(), randomBytes(10));
  await store.cards.rememberPlace({ tenant: TENANT, id, platform: 'teams', place, kind, reference: {}, user: null, name: place, addressed: false });
  return id;
}
const decide = (id: string, allowed: boolean) =>
  decidePlace({ sealer, entropy, clock, chatPlaces: store.chatPlaces, announcer: { announce: () => undefined } }, TENANT, olivia, id, allowed);

async function findings(opener: typeof sealer | null = sealer): Promise<string[]> {
  const snapshot = await openAuditSnapshot(database.appUrl);
  try {
    return (await auditChatPlaces(snapshot, TENANT, opener)).findings.map(({ row, column, problem }) => `${row} ${column ?? ''}: ${problem}`);
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

describe('the audit of conversations', () => {
  test('E1: what was allowed and taken back as the ledger says is in order, with and without the master key', async () => {
    const [one, other] = [await heard('19:one'), await heard('19:other')];
    await heard('a:personal', 'personal');
    expect((await decide(one, true)).kind).toBe('decided');
    await decide(other, true);
    // What already is so is no entry.
    await decide(other, true);
    await decide(other, false);
    await heard('19:one');
    expect(await findings()).toEqual([]);
    expect(await findings(null)).toEqual([]);
  });

  test('E1: a conversation that nobody allowed, one that was allowed again by hand, and another one in the place of an allowed one are found', async () => {
    const [allowed, never, taken] = [await heard('19:allowed'), await heard('19:never'), await heard('19:taken')];
    await decide(allowed, true);
    await decide(taken, true);
    await decide(taken, false);
    await asOwner(`UPDATE chat_places SET allowed = true WHERE id IN ('${never}', '${taken}')`);
    expect((await findings()).toSorted()).toEqual(
      [expect.stringContaining(`${never} : has no leaf`), expect.stringContaining(`${taken} allowed: is not`)].toSorted((a, b) =>
        String(a).localeCompare(String(b)),
      ),
    );
    await asOwner(`UPDATE chat_places SET allowed = false WHERE id IN ('${never}', '${taken}')`);
    await asOwner(`UPDATE chat_places SET place = '19:mallory' WHERE id = '${allowed}'`);
    expect(await findings()).toEqual([expect.stringContaining(`${allowed} place: is not`)]);
    await asOwner(`DELETE FROM chat_places WHERE id = '${allowed}'`);
    expect(await findings()).toEqual([expect.stringContaining(`${allowed} : is missing`)]);
  });
});
