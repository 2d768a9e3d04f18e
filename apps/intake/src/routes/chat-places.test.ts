import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { settleChanges } from '@countersign/core/flow';
import { newId } from '@countersign/core/request';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { type ApiWorld, createApiWorld, type Reply } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

async function heard(place: string, kind: 'personal' | 'group' | 'channel' = 'group', name: string | null = place): Promise<string> {
  const id = newId('pl', Date.now(), randomBytes(10));
  await world.store.cards.rememberPlace({ tenant: 'default', id, platform: 'teams', place, kind, reference: {}, user: null, name, addressed: true });
  return id;
}
const decide = (id: string, verb: 'allow' | 'disallow', as = world.tokens.olivia): Promise<Reply> =>
  world.call('POST', `/v1/chat-places/${id}/${verb}`, { as });
const leaves = (id: string): Promise<string[]> => texts(`SELECT event FROM ledger_leaves WHERE subject = '${id}' ORDER BY at, id`);

/** The first column. */
async function texts(sql: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: world.databaseUrl });
  await client.connect();
  try {
    return (await client.query<{ [column: string]: string }>(sql)).rows.map((row) => Object.values(row)[0] ?? '');
  } finally {
    await client.end();
  }
}

describe('conversations', () => {
  test('C1: an administrator sees which the bot knows, allows one and takes it back, each a ledger entry', async () => {
    const id = await heard('19:one@thread.v2', 'group', 'On call');
    await heard('a:alice', 'personal', 'Alice');
    const listed = await world.call('GET', '/v1/chat-places', { as: world.tokens.olivia });
    expect(listed.json.data).toMatchObject([
      { id, platform: 'teams', kind: 'group', name: 'On call', place: '19:one@thread.v2', allowed: false, decided_by: null, removed: false },
      { kind: 'personal', name: 'Alice' },
    ]);
    expect(await decide(id, 'allow')).toMatchObject({ status: 200, json: { allowed: true, decided_by: { email: 'olivia@example.com' } } });
    expect(await decide(id, 'allow')).toMatchObject({ status: 200, json: { allowed: true } });
    expect(await decide(id, 'disallow')).toMatchObject({ status: 200, json: { allowed: false, decided_by: { email: 'olivia@example.com' } } });
    expect(await leaves(id)).toEqual(['place.allowed', 'place.disallowed']);
    expect((await world.call('GET', '/v1/chat-places?kind=personal', { as: world.tokens.olivia })).json.data).toHaveLength(1);
  });

  test('nobody but administrators, by a credential that administers, says where cards go', async () => {
    const id = await heard('19:two@thread.v2');
    const reader = await world.newToken('olivia', ['read']);
    for (const as of [world.tokens.alice, world.key, reader]) {
      expect((await decide(id, 'allow', as)).status).toBe(403);
      expect((await decide(id, 'disallow', as)).status).toBe(403);
    }
    expect((await world.call('GET', '/v1/chat-places', { as: world.tokens.alice })).status).toBe(403);
    expect((await world.call('GET', '/v1/chat-places', { as: world.key })).status).toBe(403);
    expect((await decide(newId('pl', 0, randomBytes(10)), 'allow')).status).toBe(404);
    expect(await leaves(id)).toEqual([]);
  });

  test('a personal chat is nobody’s to allow', async () => {
    const id = await heard('a:bob', 'personal');
    expect(await decide(id, 'allow')).toMatchObject({ status: 422, json: { code: 'place_not_allowable' } });
    expect(await decide(id, 'disallow')).toMatchObject({ status: 422, json: { code: 'place_not_allowable' } });
  });

  test('allowing makes the open requests due for the platform’s cards, disallowing does not', async () => {
    await world.store.cards.connect('default', 'teams');
    const { json } = await world.submit({ action: 'iam.role.grant', resource: { type: 'thing', id: 'one' } });
    const due = async () => (await texts(`SELECT request_id FROM card_tasks WHERE platform = 'teams' AND request_id = '${json.id}'`)).length;
    const id = await heard('19:three@thread.v2');
    await world.sql('DELETE FROM card_tasks');
    await decide(id, 'allow');
    expect(await due()).toBe(1);
    await world.sql('DELETE FROM card_tasks');
    await decide(id, 'disallow');
    expect(await due()).toBe(0);
  });
});

describe('with a second administrator', () => {
  test('allowing waits for them, since it widens who sees cards; disallowing does not', async () => {
    const two = await createApiWorld();
    try {
      await two.sql(`UPDATE directory_people SET roles = '{administrator}' WHERE email = 'carol@example.com'`);
      const id = newId('pl', Date.now(), randomBytes(10));
      const place = '19:x@thread.v2';
      await two.store.cards.rememberPlace({
        tenant: 'default',
        id,
        platform: 'teams',
        place,
        kind: 'group',
        reference: {},
        user: null,
        name: 'On call',
        addressed: true,
      });
      const asked = await two.call('POST', `/v1/chat-places/${id}/allow`, { as: two.tokens.olivia });
      expect(asked).toMatchObject({
        status: 202,
        json: { pending: true, change: { kind: 'place.allow', resource: id, summary: { name: 'On call', kind: 'group' } } },
      });
      expect((await two.store.chatPlaces.get('default', id))?.allowed).toBe(false);
      const request = asked.json.change.action_request;
      const { json } = await two.call('GET', `/v1/action-requests/${request}`, { as: two.tokens.carol });
      const body = { verdict: 'approve', request_digest: json.request_digest };
      expect((await two.call('POST', `/v1/action-requests/${request}/decisions`, { as: two.tokens.olivia, body })).status).toBe(403);
      expect((await two.call('POST', `/v1/action-requests/${request}/decisions`, { as: two.tokens.carol, body })).status).toBe(201);
      await settleChanges({ ...two.flow, configChanges: two.store.configChanges, fourEyes: 'auto' }, two.appliers, (error) => {
        throw error;
      });
      expect(await two.store.chatPlaces.get('default', id)).toMatchObject({ allowed: true, decided_by: { email: 'olivia@example.com' } });
      expect((await two.call('POST', `/v1/chat-places/${id}/disallow`, { as: await two.newToken('carol', ['admin']) })).json).toMatchObject({ allowed: false });
    } finally {
      await two.close();
    }
  });
});
