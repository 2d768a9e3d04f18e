import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiWorld, Name, Reply } from '../testing/api-world.js';
import { ask, demandingWorld, join, press, read, refusal, stage } from '../testing/demands.js';

const OWNERS = [stage({ group: 'data-owners', quorum: 2 })];
const DAY = 86_400;

let world: ApiWorld;
beforeAll(async () => {
  world = await demandingWorld({
    'same.run': { stages: OWNERS, delegation: { within: 'same_group', max_seconds: 14 * DAY } },
    'any.run': { stages: OWNERS, delegation: { within: 'anyone', max_seconds: 14 * DAY } },
    'none.run': { stages: OWNERS },
  });
});
afterAll(() => world.close());

const inDays = (days: number): string => new Date(Date.now() + days * DAY * 1000).toISOString();
const away = (who: Name, delegate: Name, days = 2, from?: number): Promise<Reply> =>
  world.call('POST', '/v1/delegations', {
    as: world.tokens[who],
    body: { delegate: `${delegate}@example.com`, until: inDays(days), reason: 'Holiday', ...(from === undefined ? {} : { from: inDays(from) }) },
  });
const back = (who: Name, id: string): Promise<Reply> => world.call('DELETE', `/v1/delegations/${id}`, { as: world.tokens[who] });
/** Everybody is there again. */
const allBack = async (): Promise<void> => {
  const { json } = await world.call('GET', '/v1/delegations', { as: world.tokens.olivia });
  for (const { id, state } of json.data) if (state === 'in_force' || state === 'to_come') await back('olivia', id);
};
const standIn = (for_: Name) => ({ delegate_for: world.people[for_].id });

describe('naming a stand-in', () => {
  test('C6: for oneself alone, for a time, listed and taken back, each a ledger entry', async () => {
    const named = await away('alice', 'carol');
    expect(named).toMatchObject({ status: 201, json: { state: 'in_force', person: { email: 'alice@example.com' }, delegate: { email: 'carol@example.com' } } });
    for (const who of ['alice', 'carol', 'olivia'] as const)
      expect((await world.call('GET', '/v1/delegations', { as: world.tokens[who] })).json.data).toMatchObject([{ id: named.json.id }]);
    expect((await world.call('GET', '/v1/delegations', { as: world.tokens.bob })).json.data).toEqual([]);
    // The stand-in is told.
    expect((await world.call('GET', '/v1/notices', { as: world.tokens.carol })).json.data).toMatchObject([
      { kind: 'stand_in', action_request: null, text: expect.stringContaining('Alice Adams') },
    ]);
    expect(refusal(await back('bob', named.json.id))).toEqual([404, 'not_found']);
    expect(refusal(await back('carol', named.json.id))).toEqual([422, 'delegation_not_allowed']);
    expect(await back('alice', named.json.id)).toMatchObject({ status: 200, json: { state: 'taken_back' } });
    const { rows } = await query(`SELECT event FROM ledger_leaves WHERE subject = '${named.json.id}' ORDER BY at, id`);
    expect(rows).toEqual(['delegation.created', 'delegation.ended']);
  });

  test('C6: not oneself, not nobody, not backwards, not for years, not by an API key or a token that may not decide', async () => {
    expect(refusal(await away('alice', 'alice'))).toEqual([422, 'delegation_not_allowed']);
    expect(refusal(await away('alice', 'bob', -1))).toEqual([422, 'delegation_not_allowed']);
    expect(refusal(await away('alice', 'bob', 91))).toEqual([422, 'delegation_not_allowed']);
    const body = { delegate: 'nobody@example.com', until: inDays(1) };
    expect(refusal(await world.call('POST', '/v1/delegations', { as: world.tokens.alice, body }))).toEqual([422, 'delegation_not_allowed']);
    expect((await world.call('POST', '/v1/delegations', { as: world.key, body: { ...body, delegate: 'bob@example.com' } })).status).toBe(403);
    const reader = await world.newToken('alice', ['read']);
    expect((await world.call('POST', '/v1/delegations', { as: reader, body: { ...body, delegate: 'bob@example.com' } })).status).toBe(403);
  });

  test('C6: no loops, also when both name each other at the same moment; a second absence at the same time is refused', async () => {
    await allBack();
    const both = await Promise.all([away('alice', 'bob'), away('bob', 'alice')]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 422]);
    await allBack();
    await away('alice', 'bob');
    expect(refusal(await away('alice', 'carol'))).toEqual([422, 'delegation_not_allowed']);
    expect(refusal(await away('carol', 'alice'))).toEqual([422, 'delegation_not_allowed']);
    // At another time there is no loop.
    expect((await away('bob', 'alice', 9, 5)).status).toBe(201);
    await allBack();
  });
});

describe('standing in', () => {
  test('C6: counts for the absent person, is named on the decision, and one human counts once', async () => {
    await away('alice', 'carol');
    const request = await ask(world, 'any.run');
    expect(refusal(await press(world, 'carol', request))).toEqual([403, 'not_an_approver']);
    const decided = await press(world, 'carol', request, standIn('alice'));
    expect(decided).toMatchObject({ status: 201, json: { person: { email: 'carol@example.com' }, delegate_for: { email: 'alice@example.com' } } });
    // Alice has decided, through carol; carol has decided too.
    expect(refusal(await press(world, 'alice', request))).toEqual([409, 'already_decided']);
    expect(refusal(await press(world, 'carol', request, standIn('alice')))).toEqual([403, 'not_a_delegate']);
    expect(refusal(await press(world, 'carol', request))).toEqual([403, 'not_an_approver']);
    expect((await read(world, request)).status).toBe('pending');
    expect((await press(world, 'bob', request)).status).toBe(201);
    expect((await read(world, request)).status).toBe('approved');
    await allBack();
  });

  test('C6: only where policy has stand-ins, only of the same group where it says so, only for whom one was named, only for as long as policy lets', async () => {
    await away('alice', 'carol');
    expect(refusal(await press(world, 'carol', await ask(world, 'none.run'), standIn('alice')))).toEqual([403, 'not_a_delegate']);
    expect(refusal(await press(world, 'carol', await ask(world, 'same.run'), standIn('alice')))).toEqual([403, 'not_an_approver']);
    expect(refusal(await press(world, 'carol', await ask(world, 'any.run'), standIn('bob')))).toEqual([403, 'not_a_delegate']);
    expect(refusal(await press(world, 'alice', await ask(world, 'any.run'), standIn('alice')))).toEqual([403, 'not_a_delegate']);
    await allBack();
    expect(refusal(await press(world, 'carol', await ask(world, 'any.run'), standIn('alice')))).toEqual([403, 'not_a_delegate']);
    await away('alice', 'carol', 20);
    expect(refusal(await press(world, 'carol', await ask(world, 'any.run'), standIn('alice')))).toEqual([403, 'not_a_delegate']);
    await allBack();
    await away('alice', 'bob');
    expect((await press(world, 'bob', await ask(world, 'same.run'), standIn('alice'))).status).toBe(201);
    await allBack();
  });

  test('C4: segregation of duties holds for the stand-in and for the absent person', async () => {
    await join(world, 'dana', 'data-owners');
    await away('alice', 'dana');
    // Dana owns the agent that asks.
    expect(refusal(await press(world, 'dana', await ask(world, 'any.run'), standIn('alice')))).toEqual([403, 'self_approval']);
    await allBack();
    await away('dana', 'carol');
    const reply = await press(world, 'carol', await ask(world, 'any.run'), standIn('dana'));
    expect(refusal(reply)).toEqual([403, 'self_approval']);
    expect(reply.json.detail).toContain('Dana');
    await allBack();
  });

  test('C6: never deeper than one, and two that stand in at once for the same person count once', async () => {
    // Alice is away, then carol is away: bob stands in for carol, and not for alice through her.
    await away('alice', 'carol', 4);
    await away('carol', 'bob', 4);
    const request = await ask(world, 'any.run');
    expect(refusal(await press(world, 'bob', request, standIn('alice')))).toEqual([403, 'not_a_delegate']);
    // Who is away does not stand in.
    expect(refusal(await press(world, 'carol', request, standIn('alice')))).toEqual([403, 'not_a_delegate']);
    await allBack();
    await away('alice', 'carol');
    const raced = await ask(world, 'any.run');
    await Promise.all([press(world, 'carol', raced, standIn('alice')), press(world, 'alice', raced)]);
    expect((await read(world, raced)).decisions).toHaveLength(1);
    await allBack();
  });

  test('C5: a stand-in sees what it may decide, and only while it may', async () => {
    const request = await ask(world, 'any.run');
    const sees = async () => [
      (await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.tokens.carol })).status,
      (await world.call('GET', '/v1/action-requests?status=pending&limit=100', { as: world.tokens.carol })).json.data.some(
        ({ id }: { id: string }) => id === request.id,
      ),
    ];
    expect(await sees()).toEqual([404, false]);
    await away('alice', 'carol');
    expect(await sees()).toEqual([200, true]);
    const other = await ask(world, 'none.run');
    expect((await world.call('GET', `/v1/action-requests/${other.id}`, { as: world.tokens.carol })).status).toBe(404);
    await allBack();
    expect(await sees()).toEqual([404, false]);
  });

  test('C5: what an absent person lent counts no more when that person has left', async () => {
    await away('alice', 'carol');
    const request = await ask(world, 'any.run');
    await press(world, 'carol', request, standIn('alice'));
    await world.sql(`UPDATE directory_people SET active = false WHERE email = 'alice@example.com'`);
    await press(world, 'bob', request);
    expect((await read(world, request)).status).toBe('pending');
    await world.sql(`UPDATE directory_people SET active = true WHERE email = 'alice@example.com'`);
    await allBack();
  });
});

async function query(sql: string): Promise<{ rows: string[] }> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: world.databaseUrl });
  await client.connect();
  try {
    return { rows: (await client.query<{ event: string }>(sql)).rows.map(({ event }) => event) };
  } finally {
    await client.end();
  }
}
