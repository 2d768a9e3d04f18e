import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { madeTokenSchema, tokenListSchema } from '@countersign/contracts';
import type { CookieBrowser } from '@countersign/dev-env/identity-provider';
import { createSignInWorld, type SignInWorld } from '../testing/sign-in-world.js';

let world: SignInWorld;
let alice: CookieBrowser;
beforeAll(async () => {
  world = await createSignInWorld();
  alice = await world.signedIn('alice');
}, 60_000);
afterAll(() => world.close());

const wanted = { name: 'laptop', scopes: ['read', 'decide'] };

describe('personal tokens', () => {
  test('C5: made in a fresh session, shown once, kept as a hash, listed and revoked', async () => {
    const made = await world.as(alice, 'POST', '/v1/tokens', wanted);
    expect(made.status).toBe(201);
    const { token, id } = madeTokenSchema.parse(made.json);
    expect(token).toMatch(/^cs_pat_/);
    expect(id).toMatch(/^pat_/);
    expect((await world.api.call('GET', '/v1/me', { as: token })).json).toMatchObject({ person: { email: 'alice@example.com' }, may_decide: true });
    const list = await world.as(alice, 'GET', '/v1/tokens');
    expect(tokenListSchema.parse(list.json).data.find((one) => one.id === id)).toMatchObject({
      name: 'laptop',
      last_used_at: expect.any(String),
      stepped_up_at: expect.any(String),
    });
    expect(list.text).not.toContain(token);
    expect(await world.api.count(`SELECT count(*) FROM personal_tokens t WHERE t::text LIKE '%${token.slice(8)}%'`)).toBe(0);
    expect((await world.as(alice, 'DELETE', `/v1/tokens/${id}`)).status).toBe(204);
    expect((await world.api.call('GET', '/v1/me', { as: token })).status).toBe(401);
    expect((await world.as(alice, 'DELETE', `/v1/tokens/${id}`)).status).toBe(404);
    expect(await world.api.count(`SELECT count(*) FROM ledger_leaves WHERE subject = '${id}' AND event IN ('token.created', 'token.revoked')`)).toBe(2);
  });

  test('C4: minted without step-up: a session older than five minutes makes none, and a fresh proof lets it', async () => {
    world.api.ahead = 301;
    try {
      expect(await world.as(alice, 'POST', '/v1/tokens', wanted)).toMatchObject({ status: 403, json: { code: 'step_up_required' } });
    } finally {
      world.api.ahead = 0;
    }
    expect(await world.signIn(alice, 'alice', '?max_age=0')).toBe('/');
    expect((await world.as(alice, 'POST', '/v1/tokens', wanted)).status).toBe(201);
  });

  test('C4: a session of which nobody said when it was proved is never fresh', async () => {
    await world.api.sql(`UPDATE sessions SET auth_time = NULL WHERE person_id = '${world.api.people.alice.id}'`);
    expect(await world.as(alice, 'POST', '/v1/tokens', wanted)).toMatchObject({ status: 403, json: { code: 'step_up_required' } });
    await world.signIn(alice, 'alice', '?max_age=0');
  });

  test('C4: no token, API key or agent’s credential mints one, with decide or without', async () => {
    for (const as of [world.api.tokens.alice, world.api.tokens.olivia, world.api.key]) {
      expect(await world.api.call('POST', '/v1/tokens', { as, body: { name: 'x', scopes: ['decide'] } })).toMatchObject({
        status: 403,
        json: { code: 'forbidden' },
      });
    }
    expect((await world.api.call('POST', '/v1/tokens', { body: wanted })).status).toBe(401);
  });

  test('C4: another site cannot make a signed-in person’s browser mint one', async () => {
    const headers = { cookie: alice.cookies(world.api.url), origin: 'https://evil.example.com' };
    expect(await world.api.call('POST', '/v1/tokens', { headers, body: wanted })).toMatchObject({ status: 403, json: { code: 'cross_site_request' } });
  });

  test('C4: admin is for administrators, and every scope and life has its bounds', async () => {
    expect(await world.as(alice, 'POST', '/v1/tokens', { name: 'x', scopes: ['admin'] })).toMatchObject({ status: 403 });
    for (const body of [
      { name: 'x', scopes: [] },
      { name: 'x', scopes: ['read', 'read'] },
      { name: 'x', scopes: ['root'] },
      { name: '', scopes: ['read'] },
      { name: 'x', scopes: ['read'], expires_in_seconds: 90 * 86_400 + 1 },
      { name: 'x', scopes: ['read'], expires_in_seconds: 0 },
      { name: 'x', scopes: ['read'], person: world.api.people.bob.id },
    ]) {
      expect((await world.as(alice, 'POST', '/v1/tokens', body)).status).toBe(422);
    }
    const { expires_at, created_at } = (await world.as(alice, 'POST', '/v1/tokens', { name: 'x', scopes: ['read'] })).json;
    expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(90 * 86_400_000);
  });

  test('C4: a token with the scope decide that nobody proved themselves for decides nothing', async () => {
    const { token, id } = (await world.as(alice, 'POST', '/v1/tokens', wanted)).json;
    const request = await world.api.pending();
    await world.api.sql(`UPDATE personal_tokens SET stepped_up_at = NULL WHERE id = '${id}'`);
    expect(await world.api.decide(token, request, 'approve')).toMatchObject({ status: 403, json: { code: 'decider_not_allowed' } });
    expect((await world.api.call('GET', '/v1/me', { as: token })).json).toMatchObject({ scopes: ['read', 'decide'], may_decide: false });
  });

  test('C4: a token that only reads decides nothing, and one that is over is none', async () => {
    const { token } = (await world.as(alice, 'POST', '/v1/tokens', { name: 'reader', scopes: ['read'], expires_in_seconds: 3600 })).json;
    const request = await world.api.pending();
    expect(await world.api.decide(token, request, 'approve')).toMatchObject({ status: 403, json: { code: 'decider_not_allowed' } });
    world.api.ahead = 3601;
    expect((await world.api.call('GET', '/v1/me', { as: token })).status).toBe(401);
    world.api.ahead = 0;
  });

  test('C5: the token of an inactive person decides nothing and reads nothing', async () => {
    const { token } = (await world.as(alice, 'POST', '/v1/tokens', wanted)).json;
    const request = await world.api.pending();
    await world.api.sql(`UPDATE directory_people SET active = false WHERE email = 'alice@example.com'`);
    try {
      expect(await world.api.decide(token, request, 'approve')).toMatchObject({ status: 403, json: { code: 'account_inactive' } });
      expect((await world.api.call('GET', '/v1/me', { as: token })).status).toBe(403);
    } finally {
      await world.api.sql(`UPDATE directory_people SET active = true WHERE email = 'alice@example.com'`);
    }
  });

  test('C5: nobody sees or revokes another’s token, but an administrator', async () => {
    const { id } = (await world.as(alice, 'POST', '/v1/tokens', wanted)).json;
    const bob = await world.signedIn('bob');
    expect((await world.as(bob, 'GET', '/v1/tokens')).json.data.map((one: { id: string }) => one.id)).not.toContain(id);
    expect((await world.as(bob, 'GET', `/v1/tokens?person=${world.api.people.alice.id}`)).status).toBe(403);
    expect((await world.as(bob, 'DELETE', `/v1/tokens/${id}`)).status).toBe(404);
    const olivia = await world.signedIn('olivia');
    expect((await world.as(olivia, 'GET', '/v1/tokens?person=*')).json.data.map((one: { id: string }) => one.id)).toContain(id);
    expect((await world.as(olivia, 'DELETE', `/v1/tokens/${id}`)).status).toBe(204);
  });
});

describe('sessions', () => {
  test('C5: are listed, ended one by one, and all at once', async () => {
    const [one, two, three] = [await world.signedIn('carol'), await world.signedIn('carol'), await world.signedIn('carol')];
    const list = (await world.as(one, 'GET', '/v1/sessions')).json.data;
    expect(list).toHaveLength(3);
    expect(list.filter((session: { current: boolean }) => session.current)).toHaveLength(1);
    expect(JSON.stringify(list)).not.toContain(one.get(world.api.url, 'cs'));
    const other = list.find((session: { current: boolean }) => !session.current).id;
    const bob = await world.signedIn('bob');
    expect((await world.as(bob, 'DELETE', `/v1/sessions/${other}`)).status).toBe(404);
    expect((await world.as(one, 'DELETE', `/v1/sessions/${other}`)).status).toBe(204);
    expect([await world.me(two), await world.me(three)].filter((email) => email !== null)).toHaveLength(1);
    expect((await world.as(one, 'POST', '/v1/sessions/end', { keep_current: true })).json).toEqual({ ended: 1 });
    expect([await world.me(one), await world.me(two), await world.me(three)]).toEqual(['carol@example.com', null, null]);
    expect((await world.as(one, 'POST', '/v1/sessions/end', {})).json).toEqual({ ended: 1 });
    expect(await world.me(one)).toBeNull();
  });

  test('C5: an administrator ends those of somebody else, nobody else does', async () => {
    const carol = await world.signedIn('carol');
    const person = world.api.people.carol.id;
    expect((await world.as(await world.signedIn('bob'), 'GET', `/v1/sessions?person=${person}`)).status).toBe(403);
    expect((await world.as(await world.signedIn('olivia'), 'GET', `/v1/sessions?person=${person}`)).json.data).toMatchObject([
      { current: false, method: 'oidc' },
    ]);
    expect((await world.as(await world.signedIn('bob'), 'POST', '/v1/sessions/end', { person })).status).toBe(403);
    expect((await world.as(await world.signedIn('olivia'), 'POST', '/v1/sessions/end', { person })).status).toBe(200);
    expect(await world.me(carol)).toBeNull();
  });
});
