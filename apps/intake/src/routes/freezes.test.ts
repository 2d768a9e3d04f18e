import { freezeSchema, placedFreezeSchema } from '@countersign/contracts';
import { endFreeze } from '@countersign/core/flow';
import { openLeaf } from '@countersign/core/ledger';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, EXPORT, type Name, type Reply } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
  await join('carol', 'freezers');
  await join('bob', 'freeze_lifters');
  await join('alice', 'freeze_lifters');
  await join('dana', 'freeze_lifters');
});
afterAll(() => world.close());
// Whatever a test froze is thawed by the clock, not by the rules that are tested.
afterEach(() => world.sql(`UPDATE freezes SET lifted_at = now() WHERE lifted_at IS NULL`));

const join = (who: Name, group: string) =>
  world.sql(`INSERT INTO directory_memberships (tenant, group_name, person_id) VALUES ('default', '${group}', '${world.people[who].id}')`);
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();
const freeze = (scope: object, as = world.tokens.olivia, more: object = {}) =>
  world.call('POST', '/v1/freezes', { as, body: { scope, reason: 'It behaves oddly', ...more } });
const lift = (id: string, as: string) => world.call('DELETE', `/v1/freezes/${id}`, { as });
const { action, resource, parameters, actor, environment } = EXPORT;
const redeem = (grant: string) =>
  world.call('POST', '/v1/grants/redeem', { as: world.key, body: { grant, action: { action, resource, parameters, actor, environment } } });
const get = (id: string, as = world.key) => world.call('GET', `/v1/action-requests/${id}`, { as });

async function approved(): Promise<{ id: string; grant: string }> {
  const request = await world.pending();
  expect((await world.decide(world.tokens.alice, request, 'approve')).status).toBe(201);
  return { id: request.id, grant: (await get(request.id)).json.outcome.grant };
}

describe('A6: the kill switch', () => {
  test('A6: while everything is frozen nothing opens, also not what policy allows, nothing is approved, nothing is redeemed', async () => {
    const waiting = await world.pending();
    const ready = await approved();
    const placed = await freeze({ everything: true });
    expect(codeOf(placed)).toBe('201');
    expect(placedFreezeSchema.parse(placed.json)).toMatchObject({ state: 'in_force', placed_by: { email: 'olivia@example.com' } });
    expect(placed.json.holds).toBeGreaterThanOrEqual(2);
    expect(codeOf(await world.submit())).toBe('423 frozen');
    expect(codeOf(await world.submit({ action: 'weather.read', resource: { type: 'city', id: 'Oslo' } }))).toBe('423 frozen');
    expect(codeOf(await world.decide(world.tokens.alice, waiting, 'approve'))).toBe('423 frozen');
    expect(codeOf(await redeem(ready.grant))).toBe('423 frozen');
    expect((await get(ready.id)).json).toMatchObject({ status: 'approved', redeemed_at: null, freezes: [{ id: placed.json.id }] });
    expect((await get(ready.id)).json.outcome.grant).toBeUndefined();

    expect((await lift(placed.json.id, world.tokens.bob)).json).toMatchObject({ state: 'lifted', lifted_by: { email: 'bob@example.com' } });
    expect(codeOf(await redeem(ready.grant))).toBe('200');
    expect(codeOf(await world.decide(world.tokens.alice, waiting, 'approve'))).toBe('201');
    expect((await get(waiting.id)).json.freezes).toBeUndefined();
  });

  test('A6: denying, cancelling and revoking go on while frozen', async () => {
    const [denied, cancelled] = [await world.pending(), await world.pending()];
    const revoked = await approved();
    await freeze({ everything: true });
    expect(codeOf(await world.decide(world.tokens.alice, denied, 'deny'))).toBe('201');
    expect((await world.call('POST', `/v1/action-requests/${cancelled.id}/cancel`, { as: world.key })).json.status).toBe('cancelled');
    expect((await world.call('POST', `/v1/action-requests/${revoked.id}/revoke`, { as: world.tokens.alice })).json.status).toBe('revoked');
  });

  test('A6: a fresh grant is not had while frozen', async () => {
    const own = await createApiWorld({ policy: (text) => text.replace('      timeout: 4h', '      timeout: 4h\n      use_within: 1h') });
    try {
      const request = await own.pending();
      await own.decide(own.tokens.alice, request, 'approve');
      const fresh = () => own.call('POST', `/v1/action-requests/${request.id}/grant`, { as: own.key });
      expect(codeOf(await fresh())).toBe('201');
      await own.call('POST', '/v1/freezes', { as: own.tokens.olivia, body: { scope: { action: 'data.*' }, reason: 'x' } });
      expect(codeOf(await fresh())).toBe('423 frozen');
    } finally {
      await own.close();
    }
  });

  test.each([
    ['the actor', { actor: 'RETRAINER' }, true],
    ['the person behind it', { actor: 'Dana@example.com ' }, true],
    ['the person behind it, by another spelling of the address', { actor: 'dana+x@example.com' }, true],
    ['another actor', { actor: 'retrainer2' }, false],
    ['the action by pattern', { action: 'DATA.*' }, true],
    ['a part of the action', { action: 'data' }, false],
    ['a pattern with characters that SQL knows', { action: 'data_export' }, false],
    ['all that must fit', { actor: 'retrainer', action: 'data.export' }, true],
    ['one of two that fits', { actor: 'retrainer', action: 'iam.*' }, false],
    ['another caller', { caller: 'key_0' }, false],
  ])('A6: a freeze of %s holds exactly that', async (_what, scope, held) => {
    expect(codeOf(await freeze(scope))).toBe('201');
    expect((await world.submit()).status).toBe(held ? 423 : 201);
  });

  test('A6: a person does not slip past a freeze by another of their addresses', async () => {
    const waiting = await world.pending({ actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana+bot@example.com' } } });
    await freeze({ actor: 'dana@example.com' });
    expect(codeOf(await world.submit({ actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana+other@example.com' } } }))).toBe(
      '423 frozen',
    );
    expect(codeOf(await world.submit({ actor: { type: 'person', id: 'DANA@example.com' } }))).toBe('423 frozen');
    expect(codeOf(await world.decide(world.tokens.alice, waiting, 'approve'))).toBe('423 frozen');
  });

  test('A6: a freeze of a caller holds its key alone, as requester and as redeemer', async () => {
    const mine = await world.newKey();
    const { grant } = await approved();
    await freeze({ caller: mine.id });
    expect(codeOf(await world.submit({}, { as: mine.key }))).toBe('423 frozen');
    expect((await world.submit()).status).toBe(201);
    expect(codeOf(await redeem(grant))).toBe('200');
    const other = await world.newKey({ name: 'executor' });
    const request = await world.pending({ grant_audience: other.id });
    await world.decide(world.tokens.alice, request, 'approve');
    const given = (await get(request.id)).json.outcome.grant;
    await freeze({ caller: other.id });
    const spent = await world.call('POST', '/v1/grants/redeem', {
      as: other.key,
      body: { grant: given, action: { action, resource, parameters, actor, environment } },
    });
    expect(codeOf(spent)).toBe('423 frozen');
  });

  test('A6: a replay of an earlier submission answers as before, without its grant', async () => {
    const members = { action: 'weather.read', resource: { type: 'city', id: 'Oslo' } };
    const first = await world.submit(members, { key: 'frozen-replay' });
    expect(first.json.outcome.grant).toEqual(expect.any(String));
    await freeze({ everything: true });
    const again = await world.submit(members, { key: 'frozen-replay' });
    expect([again.status, again.json.id, again.json.outcome.grant]).toEqual([201, first.json.id, undefined]);
  });

  test('A6: it ends by itself where it was placed for a time, and the ledger says so', async () => {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const placed = (await freeze({ everything: true }, world.tokens.olivia, { expires_at })).json;
    expect((await world.submit()).status).toBe(423);
    // It is not over by the database's clock, whatever the worker thinks.
    expect(await endFreeze({ ...world.flow, freezes: world.store.freezes }, { tenant: 'default', id: placed.id })).toBe(false);
    await world.sql(`UPDATE freezes SET expires_at = now() - interval '1 second' WHERE id = '${placed.id}'`);
    expect((await world.submit()).status).toBe(201);
    expect(await world.store.freezes.over(10)).toEqual([{ tenant: 'default', id: placed.id }]);
    expect(await endFreeze({ ...world.flow, freezes: world.store.freezes }, { tenant: 'default', id: placed.id })).toBe(true);
    expect((await world.call('GET', `/v1/freezes/${placed.id}`, { as: world.tokens.olivia })).json).toMatchObject({ state: 'over', lifted_by: null });
    expect(await leavesOf(placed.id)).toEqual(['freeze.placed', 'freeze.ended']);
  });

  test('A6: placing and lifting are ledger entries, without the reason or the names in the open', async () => {
    const placed = (await freeze({ actor: 'retrainer' })).json;
    await lift(placed.id, world.tokens.bob);
    expect(await leavesOf(placed.id)).toEqual(['freeze.placed', 'freeze.lifted']);
    for (const bytes of await leafBytes(placed.id)) expect(Buffer.from(bytes).toString()).not.toMatch(/oddly|olivia|bob|retrainer/);
  });

  test('A6: a held request says so on its card', async () => {
    const request = await world.pending();
    const before = (await world.store.requests.state('default', request.id))?.request.version ?? 0;
    await freeze({ action: 'data.export' }, world.tokens.olivia);
    const card = (await world.call('GET', `/v1/previews/web/${request.id}`, { as: world.tokens.alice })).json;
    expect(card.warnings[0]).toMatch(/^Frozen since .*It behaves oddly/);
    // Cards in chat are brought up to date: they show versions.
    expect((await world.store.requests.state('default', request.id))?.request.version).toBe(before + 1);
  });
});

describe('A6: cards in chat', () => {
  test('A6: placing and lifting bring the cards of what is held up to date, and of nothing else', async () => {
    const own = await createApiWorld();
    try {
      await own.store.cards.connect('default', 'slack');
      const due = async (): Promise<string[]> => {
        const tasks = await own.store.cards.claim('slack', 50, 60);
        for (const task of tasks) await own.store.cards.finish(task);
        return tasks.map(({ request_id }) => request_id);
      };
      const held = await own.pending();
      await own.pending({ actor: { type: 'agent', id: 'another' } });
      await due();
      const placed = await own.call('POST', '/v1/freezes', { as: own.tokens.olivia, body: { scope: { actor: 'retrainer' }, reason: 'x' } });
      expect(placed.json.holds).toBe(1);
      expect(await due()).toEqual([held.id]);
      await own.sql(`INSERT INTO directory_memberships (tenant, group_name, person_id) VALUES ('default', 'freeze_lifters', '${own.people.bob.id}')`);
      expect((await own.call('DELETE', `/v1/freezes/${placed.json.id}`, { as: own.tokens.bob })).status).toBe(200);
      expect(await due()).toEqual([held.id]);
    } finally {
      await own.close();
    }
  });
});

describe('A6: who freezes and who lifts', () => {
  test('A6: administrators and freezers place; others do not, and no API key does', async () => {
    expect(codeOf(await freeze({ everything: true }, world.tokens.carol))).toBe('201');
    expect(codeOf(await freeze({ everything: true }, world.tokens.alice))).toBe('403 forbidden');
    expect(codeOf(await freeze({ everything: true }, world.key))).toBe('403 forbidden');
    expect(codeOf(await freeze({ everything: true }, await world.newToken('olivia', ['read'])))).toBe('403 forbidden');
    expect(codeOf(await world.call('POST', '/v1/freezes', { body: { scope: { everything: true }, reason: 'x' } }))).toBe('401 unauthenticated');
  });

  test('A6: policy says in a line who freezes and who lifts: groups that include others', async () => {
    const own = await createApiWorld({
      policy: (text) => text.replace('groups:\n', 'groups:\n  freezers: { includes: [security] }\n  freeze_lifters: { includes: [data-owners] }\n'),
    });
    try {
      const placed = await own.call('POST', '/v1/freezes', { as: own.tokens.carol, body: { scope: { everything: true }, reason: 'x' } });
      expect(codeOf(placed)).toBe('201');
      expect(codeOf(await own.call('DELETE', `/v1/freezes/${placed.json.id}`, { as: own.tokens.dana }))).toBe('403 forbidden');
      expect(codeOf(await own.call('DELETE', `/v1/freezes/${placed.json.id}`, { as: own.tokens.alice }))).toBe('200');
    } finally {
      await own.close();
    }
  });

  test('A6: a token that does not administer lifts nothing by the rank of its person', async () => {
    const own = await createApiWorld({ policy: (text) => text.replace('groups:\n', 'groups:\n  freezers: { includes: [security] }\n') });
    try {
      const placed = await own.call('POST', '/v1/freezes', { as: own.tokens.carol, body: { scope: { everything: true }, reason: 'x' } });
      const lift = async (as: string) => codeOf(await own.call('DELETE', `/v1/freezes/${placed.json.id}`, { as }));
      expect(await lift(await own.newToken('olivia', ['read', 'decide']))).toBe('403 forbidden');
      expect(await lift(own.tokens.olivia)).toBe('200');
    } finally {
      await own.close();
    }
  });

  test('A6: who placed it does not lift it, whichever credential is used', async () => {
    const { id } = (await freeze({ everything: true })).json;
    expect(codeOf(await lift(id, world.tokens.olivia))).toBe('403 second_person_needed');
    const { cookie } = await world.signIn('olivia');
    const bySession = await world.call('DELETE', `/v1/freezes/${id}`, { headers: { cookie, origin: world.url, 'sec-fetch-site': 'same-origin' } });
    expect(codeOf(bySession)).toBe('403 second_person_needed');
    expect(codeOf(await lift(id, world.key))).toBe('403 forbidden');
    expect(codeOf(await lift(id, world.tokens.carol))).toBe('403 forbidden');
    expect(codeOf(await lift(id, world.tokens.alice))).toBe('200');
    expect(codeOf(await lift(id, world.tokens.bob))).toBe('409 already_lifted');
    expect(codeOf(await lift('fz_nothing', world.tokens.bob))).toBe('404 not_found');
  });

  test('A6: the owner of a frozen agent does not lift it, nor the person that is frozen, nor the owner of a frozen key', async () => {
    for (const scope of [{ actor: 'retrainer' }, { actor: 'dana@example.com' }, { caller: (await world.newKey({ owner: 'dana' })).id }]) {
      const { id } = (await freeze(scope)).json;
      expect([scope, codeOf(await lift(id, world.tokens.dana))]).toEqual([scope, '403 second_person_needed']);
      expect(codeOf(await lift(id, world.tokens.bob))).toBe('200');
    }
  });

  test('A6: a second account of the human who placed it does not lift it', async () => {
    const own = await createApiWorld();
    try {
      // Bob's entry and Olivia's are one human.
      await own.sql(
        `UPDATE directory_people SET human = (SELECT human FROM directory_people WHERE email = 'olivia@example.com'), roles = '{administrator}' WHERE email = 'bob@example.com'`,
      );
      const placed = await own.call('POST', '/v1/freezes', { as: own.tokens.olivia, body: { scope: { everything: true }, reason: 'x' } });
      expect(codeOf(await own.call('DELETE', `/v1/freezes/${placed.json.id}`, { as: await own.newToken('bob', ['read', 'decide', 'admin']) }))).toBe(
        '403 second_person_needed',
      );
    } finally {
      await own.close();
    }
  });

  test.each([
    [{ scope: {} }],
    [{ scope: { everything: false } }],
    [{ scope: { everything: true, actor: 'x' } }],
    [{ scope: { person: 'x' } }],
    [{ scope: { everything: true }, reason: '' }],
    [{ scope: { everything: true }, expires_at: '2020-01-01T00:00:00Z' }],
  ])('A6: a freeze that says nothing clear is refused: %j', async (body) => {
    expect((await world.call('POST', '/v1/freezes', { as: world.tokens.olivia, body: { reason: 'x', ...body } })).status).toBe(422);
  });

  test('A6: everybody who may see requests sees what is frozen', async () => {
    const { id } = (await freeze({ everything: true })).json;
    const list = await world.call('GET', '/v1/freezes', { as: world.tokens.dana });
    expect(list.json.data.map((one: object) => freezeSchema.parse(one).id)).toEqual([id]);
    await lift(id, world.tokens.bob);
    expect((await world.call('GET', '/v1/freezes', { as: world.tokens.dana })).json.data).toEqual([]);
    expect((await world.call('GET', '/v1/freezes?state=all', { as: world.tokens.dana })).json.data[0]).toMatchObject({ id, state: 'lifted' });
  });
});

describe('A6: a freeze that races what it stops', () => {
  test('A6: once it is acknowledged, no approval, grant or redemption commits, whatever was under way', async () => {
    const rounds = 12;
    for (let round = 0; round < rounds; round++) {
      const [waiting, ready] = [await world.pending(), await approved()];
      let acknowledged = false;
      /** Everything that had not answered when the freeze did; the statements race in the database. */
      const late: Reply[] = [];
      const watch = async (call: Promise<Reply>) => {
        const begunAfter = acknowledged;
        const reply = await call;
        if (begunAfter) late.push(reply);
        return reply;
      };
      const placing = freeze({ everything: true }).then((reply) => {
        acknowledged = true;
        return reply;
      });
      const racing = [watch(world.decide(world.tokens.alice, waiting, 'approve')), watch(redeem(ready.grant)), watch(world.submit())];
      const { json: placed } = await placing;
      const after = await Promise.all([watch(world.submit()), watch(world.submit({ action: 'weather.read', resource: { type: 'city', id: 'Oslo' } }))]);
      const raced = await Promise.all(racing);
      expect(after.map(codeOf)).toEqual(['423 frozen', '423 frozen']);
      expect(late.map(({ status }) => status)).toEqual(late.map(() => 423));
      // What was let through was committed before the freeze was; what was not is held still.
      const stamps = await world.store.freezes.get('default', placed.id);
      expect(stamps?.lifted_at).toBeNull();
      for (const reply of raced) expect([200, 201, 423]).toContain(reply.status);
      if (raced[0]?.status === 423) expect((await get(waiting.id)).json.status).toBe('pending');
      if (raced[1]?.status === 423) expect((await get(ready.id)).json.redeemed_at).toBeNull();
      expect((await lift(placed.id, world.tokens.bob)).status).toBe(200);
    }
  });

  test('A6: a commit that began before waits for a freeze that is being placed, and sees it', async () => {
    const request = await world.pending();
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: world.databaseUrl });
    await client.connect();
    try {
      // A freeze in the middle of being placed: it has the lock and its row, and is not committed.
      await client.query('BEGIN');
      await client.query(`SELECT countersign_take_control('default')`);
      await client.query(
        `INSERT INTO freezes (tenant, id, scope, reason, placed_by, placed_at) VALUES ('default', 'fz_race', '{"everything":true}', 'race', '{"id":"per_x","email":"x","name":"x"}', now())`,
      );
      const approving = world.decide(world.tokens.alice, request, 'approve');
      // It waits for the lock: its snapshot is older than the freeze's commit.
      for (;;) {
        const { rows } = await client.query(
          `SELECT count(*)::int AS count FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        if (rows[0].count > 0) break;
      }
      await client.query('COMMIT');
      expect(codeOf(await approving)).toBe('423 frozen');
      expect((await get(request.id)).json.status).toBe('pending');
    } finally {
      await client.end();
    }
  });
});

async function leafBytes(subject: string): Promise<Uint8Array[]> {
  return (await world.store.requests.timeline('default', subject)).map(({ bytes }) => bytes);
}

async function leavesOf(subject: string): Promise<string[]> {
  return (await leafBytes(subject)).map((bytes) => openLeaf(bytes).event);
}
