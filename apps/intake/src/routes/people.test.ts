import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { meSchema, sessionSchema } from '../schemas.js';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const me = (as?: string, headers: Record<string, string> = {}) => world.call('GET', '/v1/me', { ...(as === undefined ? {} : { as }), headers });

describe('who am I', () => {
  test('a person, with groups and roles as the directory has them now', async () => {
    const { json } = await me(world.tokens.bob);
    expect(meSchema.parse(json)).toEqual(json);
    expect(json).toMatchObject({
      type: 'person',
      tenant: 'default',
      person: { email: 'bob@example.com', groups: ['data-owners', 'security'], roles: [] },
      scopes: ['read', 'decide'],
      may_decide: true,
    });
  });

  test('an API key, with what it may name', async () => {
    const { json } = await me(world.key);
    expect(meSchema.parse(json)).toEqual(json);
    expect(json).toMatchObject({ type: 'api_key', name: 'pipeline', owner: world.people.dana.id, rights: { redeem: true } });
  });

  test('nobody: without a credential, and with one that is malformed, unknown, revoked or over', async () => {
    const expired = await world.newKey({ expires_at: '2020-01-01T00:00:00.000Z' });
    const revoked = await world.newKey();
    await world.sql(`UPDATE api_keys SET revoked_at = now() WHERE id = '${revoked.id}'`);
    const over = await world.newToken('alice', ['read'], -1);
    const { key } = world;
    for (const as of ['x', key.slice(0, -1), `${key}x`, key.replace('cs_key_', 'cs_pat_'), expired.key, revoked.key, over, key.toLowerCase()]) {
      expect(await me(as)).toMatchObject({
        status: 401,
        json: { code: 'unauthenticated' },
        headers: { 'www-authenticate': expect.stringContaining('invalid_token') },
      });
    }
    expect(await me()).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="countersign"' } });
    for (const authorization of ['', 'Bearer', 'Basic YTpi', `Bearer ${key} ${key}`, key])
      expect(await me(undefined, { authorization })).toMatchObject({ status: 401 });
  });
});

describe('signing in', () => {
  test('B6: a link is spent once, by POST, and its session is a cookie out of reach of scripts', async () => {
    const token = await world.signInToken('alice');
    const first = await world.call('POST', '/v1/sessions', { body: { token } });
    expect(first.status).toBe(201);
    expect(sessionSchema.parse(first.json)).toEqual(first.json);
    expect(first.headers['set-cookie']).toMatch(/^cs=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=86400$/);
    const cookie = first.headers['set-cookie']?.split(';')[0] ?? '';
    expect((await me(undefined, { cookie })).json).toMatchObject({ type: 'person', person: { email: 'alice@example.com' }, may_decide: true });
    expect(await world.call('POST', '/v1/sessions', { body: { token } })).toMatchObject({ status: 401, json: { code: 'unauthenticated' } });
    expect((await world.call('GET', '/v1/sessions', { headers: { cookie } })).json.data).toMatchObject([{ current: true, method: 'sign_in_link' }]);
  });

  test('B6: twenty who spend one link at once get one session', async () => {
    const token = await world.signInToken('bob');
    const replies = await Promise.all(Array.from({ length: 20 }, () => world.call('POST', '/v1/sessions', { body: { token } })));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 401)).toHaveLength(19);
  });

  test('B6: a link is over after ten minutes, a session after twelve hours without use, and after a day whatever its use', async () => {
    const token = await world.signInToken('alice');
    await world.sql(`UPDATE sign_in_links SET expires_at = now() WHERE spent_at IS NULL`);
    expect(await world.call('POST', '/v1/sessions', { body: { token } })).toMatchObject({ status: 401 });
    const { cookie } = await world.signIn('alice');
    const idle = await world.signIn('alice');
    for (const seconds of [12 * 3600 - 5, 23 * 3600]) {
      world.ahead = seconds;
      expect((await me(undefined, { cookie })).status).toBe(200);
    }
    expect((await me(undefined, { cookie: idle.cookie })).status).toBe(401);
    world.ahead = 24 * 3600 + 5;
    expect((await me(undefined, { cookie })).status).toBe(401);
    world.ahead = 0;
  });

  test('B6: another site cannot sign a browser in, nor out', async () => {
    const token = await world.signInToken('alice');
    expect(await world.call('POST', '/v1/sessions', { body: { token }, headers: { origin: 'https://evil.example.com' } })).toMatchObject({
      status: 403,
      json: { code: 'cross_site_request' },
    });
    const signedIn = await world.call('POST', '/v1/sessions', { body: { token }, headers: { origin: world.url, 'sec-fetch-site': 'same-origin' } });
    const cookie = signedIn.headers['set-cookie']?.split(';')[0] ?? '';
    expect(await world.call('DELETE', '/v1/sessions', { headers: { cookie } })).toMatchObject({ status: 403 });
    const out = await world.call('DELETE', '/v1/sessions', { headers: { cookie, origin: world.url } });
    expect(out.status).toBe(204);
    expect(out.headers['set-cookie']).toContain('Max-Age=0');
    expect((await me(undefined, { cookie })).status).toBe(401);
  });

  test('a bad bearer is not made good by a cookie', async () => {
    const { cookie } = await world.signIn('alice');
    expect(await me('cs_key_bad', { cookie })).toMatchObject({ status: 401 });
  });

  test('neither tokens, keys, links nor cookies are ever in the log', async () => {
    const token = await world.signInToken('alice');
    const { cookie } = await world.signIn('bob');
    await world.call('POST', '/v1/sessions', { body: { token } });
    await me(world.tokens.carol);
    await me(undefined, { cookie });
    const log = world.log();
    expect(log).toContain('/v1/sessions');
    for (const secret of [token, cookie.slice(3), world.tokens.carol, world.key]) expect(log).not.toContain(secret);
  });
});
