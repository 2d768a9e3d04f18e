import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { CookieBrowser } from '@countersign/dev-env/identity-provider';
import { createSignInWorld, type SignInWorld } from '../testing/sign-in-world.js';

let world: SignInWorld;
beforeAll(async () => {
  world = await createSignInWorld();
}, 60_000);
afterAll(() => world.close());
afterEach(() => {
  world.idp.alter = null;
  world.idp.acr = null;
});

const refused = (code: string) => `/sign-in?refused=${code}`;

describe('signing in by the identity provider', () => {
  test('C5: leads by the code flow to a session of the directory’s person, which may decide', async () => {
    const browser = new CookieBrowser();
    expect(await world.signIn(browser, 'alice', '?return_to=/account')).toBe('/account');
    expect(await world.me(browser)).toBe('alice@example.com');
    const sessions = (await world.as(browser, 'GET', '/v1/sessions')).json.data;
    expect(sessions).toMatchObject([{ current: true, issuer: world.idp.issuer, method: 'oidc', auth_time: expect.stringMatching(/Z$/) }]);
    // What the browser kept of the sign-in is gone.
    expect(browser.cookies(world.api.url)).toMatch(/^cs=[\w-]{43}$/);
  });

  test('C5: asks with a state, a nonce and a PKCE challenge of its own each time', async () => {
    const starts = await Promise.all([1, 2].map(() => new CookieBrowser().go(`${world.api.url}/v1/sign-in/start`)));
    const queries = starts.map(({ location }) => new URL(location ?? '').searchParams);
    for (const name of ['state', 'nonce', 'code_challenge']) {
      const [a, b] = queries.map((query) => query.get(name));
      expect(a).toMatch(/^[\w-]{43}$/);
      expect(a).not.toBe(b);
    }
    expect(Object.fromEntries(queries[0] ?? [])).toMatchObject({ response_type: 'code', code_challenge_method: 'S256', scope: 'openid email profile' });
  });

  test('C5: the options name the provider, and nothing of our secret', async () => {
    const { json, text } = await world.api.call('GET', '/v1/sign-in');
    expect(json).toEqual({ providers: [{ id: 'sso', issuer: world.idp.issuer, start: `${world.api.url}/v1/sign-in/start?provider=sso` }] });
    expect(text).not.toContain('secret');
  });

  test('C5: what the database keeps of a sign-in under way completes none', async () => {
    const { location } = await new CookieBrowser().go(`${world.api.url}/v1/sign-in/start`);
    const query = new URL(location ?? '').searchParams;
    const nonce = query.get('nonce') ?? '';
    expect(
      await world.api.count(`SELECT count(*) FROM sign_in_attempts a WHERE a::text LIKE '%${nonce}%' OR a::text LIKE '%${query.get('state') ?? ''}%'`),
    ).toBe(0);
  });
});

describe('a sign-in that somebody else put together', () => {
  test('C5: login CSRF: a callback of the attacker’s signs no other browser in', async () => {
    const attacker = new CookieBrowser();
    const callback = await world.callbackOf(attacker, 'bob');
    const victim = new CookieBrowser();
    expect((await victim.go(callback)).location).toBe(`${world.api.url}${refused('state_unknown')}`);
    expect(await world.me(victim)).toBeNull();
    // Nor does the attacker's own attempt suffer for it.
    expect((await attacker.go(callback)).location).toBe(`${world.api.url}/`);
  });

  test('C5: login CSRF: a victim that began a sign-in of its own does not finish the attacker’s', async () => {
    const attacker = new CookieBrowser();
    const callback = await world.callbackOf(attacker, 'bob');
    const victim = new CookieBrowser();
    await victim.go(`${world.api.url}/v1/sign-in/start`);
    expect((await victim.go(callback)).location).toContain('state_unknown');
    expect(await world.me(victim)).toBeNull();
  });

  test('C5: login CSRF: a cookie that somebody planted under the state’s name finishes nothing, and spends nothing', async () => {
    const attacker = new CookieBrowser();
    const callback = await world.callbackOf(attacker, 'bob');
    const victim = new CookieBrowser();
    victim.set(world.api.url, `cs-in-${(new URL(callback).searchParams.get('state') ?? '').slice(0, 12)}`, 'A'.repeat(43));
    expect((await victim.go(callback)).location).toContain(refused('state_unknown'));
    expect(await world.me(victim)).toBeNull();
    expect((await attacker.go(callback)).location).toBe(`${world.api.url}/`);
  });

  test('C5: replay: a callback that was used signs nobody in again, not even the same browser', async () => {
    const browser = new CookieBrowser();
    const callback = await world.callbackOf(browser, 'alice');
    const cookies = browser.cookies(world.api.url);
    expect((await browser.go(callback)).location).toBe(`${world.api.url}/`);
    const replayed = await world.api.call('GET', callback.slice(world.api.url.length), { headers: { cookie: cookies } });
    expect(replayed).toMatchObject({ status: 303, headers: { location: refused('state_unknown') } });
    expect(replayed.headers['set-cookie']).not.toMatch(/cs=[\w-]{43}/);
  });

  test('C5: replay: of ten uses of one callback at once, one signs in', async () => {
    const browser = new CookieBrowser();
    const callback = (await world.callbackOf(browser, 'alice')).slice(world.api.url.length);
    const headers = { cookie: browser.cookies(world.api.url) };
    const replies = await Promise.all(Array.from({ length: 10 }, () => world.api.call('GET', callback, { headers })));
    expect(replies.filter(({ headers: { location } }) => location === '/')).toHaveLength(1);
    expect(replies.filter(({ headers: { location } }) => location === refused('state_unknown'))).toHaveLength(9);
  });

  test('C5: a code from another sign-in does not fit the state’s PKCE verifier and nonce', async () => {
    const [mine, theirs] = [new CookieBrowser(), new CookieBrowser()];
    const [own, stolen] = [await world.callbackOf(mine, 'alice'), await world.callbackOf(theirs, 'bob')];
    const mixed = new URL(own);
    mixed.searchParams.set('code', new URL(stolen).searchParams.get('code') ?? '');
    expect((await mine.go(mixed.href)).location).toContain(refused('not_proved'));
    expect(await world.me(mine)).toBeNull();
  });

  test('C5: a state that is none, twice, or of another sign-in', async () => {
    const browser = new CookieBrowser();
    const callback = new URL(await world.callbackOf(browser, 'alice'));
    const other = new URL((await browser.go(`${world.api.url}/v1/sign-in/start`)).location ?? '').searchParams.get('state') ?? '';
    for (const state of ['', 'x', 'A'.repeat(43), other]) {
      const url = new URL(callback);
      url.searchParams.set('state', state);
      const { location } = await browser.go(url.href);
      expect(location).toMatch(/refused=(state_unknown|not_proved)/);
    }
    expect((await browser.go(`${callback.href}&state=x`)).status).toBe(400);
    expect(await world.me(browser)).toBeNull();
  });

  test('C5: mix-up: a response that names another issuer, or none, proves nothing (RFC 9207)', async () => {
    for (const iss of ['https://evil.example.com', null]) {
      const browser = new CookieBrowser();
      const callback = new URL(await world.callbackOf(browser, 'alice'));
      expect(callback.searchParams.get('iss')).toBe(world.idp.issuer);
      if (iss === null) callback.searchParams.delete('iss');
      else callback.searchParams.set('iss', iss);
      expect((await browser.go(callback.href)).location).toContain(refused('not_proved'));
      expect(await world.me(browser)).toBeNull();
    }
  });

  test('C5: mix-up: an answer at another provider’s address is nobody’s', async () => {
    const browser = new CookieBrowser();
    const callback = await world.callbackOf(browser, 'alice');
    expect((await browser.go(callback.replace('/callback/sso', '/callback/slack'))).status).toBe(404);
    expect(await world.me(browser)).toBeNull();
  });

  test('C5: session fixation: the value that a browser came with is never the session’s afterwards', async () => {
    const victim = new CookieBrowser();
    const planted = (await world.signedIn('bob')).get(world.api.url, 'cs') ?? '';
    victim.set(world.api.url, 'cs', planted);
    expect(await world.signIn(victim, 'alice')).toBe('/');
    expect(victim.get(world.api.url, 'cs')).not.toBe(planted);
    expect(await world.me(victim)).toBe('alice@example.com');
    const attacker = new CookieBrowser();
    attacker.set(world.api.url, 'cs', planted);
    // What was planted ended when the victim signed in over it.
    expect(await world.me(attacker)).toBeNull();
  });

  test('C5: open redirect: only paths of our own pages are returned to', async () => {
    for (const path of [
      '//evil.example.com',
      '/\\evil.example.com',
      '\\\\evil.example.com',
      'https://evil.example.com',
      'javascript:alert(1)',
      '/%0d%0aSet-Cookie:x=y\r\n',
      '/\t/evil.example.com',
      '/v1/sessions',
      '/./v1/me',
      'account',
      '/x/..//evil.example.com',
      '/\u3002evil',
    ]) {
      const { status, json } = await world.api.call('GET', `/v1/sign-in/start?return_to=${encodeURIComponent(path)}`);
      expect({ path, status, code: json?.code }).toEqual({ path, status: 400, code: 'invalid_query' });
    }
  });

  test('C5: an error of the provider signs nobody in, and its words do not come back', async () => {
    const browser = new CookieBrowser();
    const callback = new URL(await world.callbackOf(browser, ''));
    expect(callback.searchParams.get('error')).toBe('access_denied');
    callback.searchParams.set('error_description', '<script>');
    const { location } = await browser.go(callback.href);
    expect(location).toBe(`${world.api.url}${refused('provider_refused')}`);
  });
});

describe('an ID token that is not for us, or not true', () => {
  const lies: [string, (claims: Record<string, unknown>) => Record<string, unknown>][] = [
    ['another nonce', (claims) => ({ ...claims, nonce: 'A'.repeat(43) })],
    ['no nonce', ({ nonce: _nonce, ...claims }) => claims],
    ['another audience', (claims) => ({ ...claims, aud: 'other-app' })],
    ['two audiences', (claims) => ({ ...claims, aud: ['countersign', 'other-app'], azp: 'countersign' })],
    ['another issuer', (claims) => ({ ...claims, iss: 'https://evil.example.com' })],
    ['its issuer with a slash', (claims) => ({ ...claims, iss: `${String(claims['iss'])}/` })],
    ['a time that is over', (claims) => ({ ...claims, exp: Math.floor(Date.now() / 1000) - 600 })],
    ['no subject', ({ sub: _sub, ...claims }) => claims],
  ];
  test.each(lies)('C5: token confusion: a token with %s', async (_name, lie) => {
    world.idp.alter = lie;
    const browser = new CookieBrowser();
    expect(await world.signIn(browser, 'alice')).toBe(refused('not_proved'));
    expect(await world.me(browser)).toBeNull();
  });

  test('C5: token confusion: an ID token of another application is no credential here', async () => {
    const now = Math.floor(Date.now() / 1000);
    const token = await world.idp.sign({ iss: world.idp.issuer, sub: 'alice', aud: world.idp.other.clientId, iat: now, exp: now + 600 });
    expect(await world.api.call('GET', '/v1/me', { as: token })).toMatchObject({ status: 401 });
    expect(await world.api.call('POST', '/v1/sessions', { body: { token } })).toMatchObject({ status: 422 });
  });

  test('C5: a token that the provider’s published keys did not sign', async () => {
    // The provider answers with a token of the same words, signed by a key that it does not publish.
    const browser = new CookieBrowser();
    const callback = await world.callbackOf(browser, 'alice');
    world.idp.foreignKey = true;
    try {
      world.idp.alter = (claims) => claims;
      expect((await browser.go(callback)).location).toContain(refused('not_proved'));
    } finally {
      world.idp.foreignKey = false;
    }
    expect(await world.me(browser)).toBeNull();
  });
});

describe('proving again who one is', () => {
  test('C5: max_age=0 makes the provider ask again, and the session begins anew', async () => {
    const browser = await world.signedIn('carol');
    const before = browser.get(world.api.url, 'cs') ?? '';
    const asked = world.idp.interactions();
    expect(await world.signIn(browser, 'carol', '?max_age=0&return_to=/account')).toBe('/account');
    expect(world.idp.interactions()).toBeGreaterThan(asked);
    expect(browser.get(world.api.url, 'cs')).not.toBe(before);
    const old = new CookieBrowser();
    old.set(world.api.url, 'cs', before);
    expect(await world.me(old)).toBeNull();
  });

  test('C5: a provider that does not ask again proves nothing fresh, and the session stays what it was', async () => {
    const browser = await world.signedIn('carol');
    for (const stale of [
      (claims: Record<string, unknown>) => ({ ...claims, auth_time: Math.floor(Date.now() / 1000) - 3600 }),
      ({ auth_time: _at, ...claims }: Record<string, unknown>) => claims,
    ]) {
      world.idp.alter = stale;
      expect(await world.signIn(browser, 'carol', '?max_age=0')).toMatch(/refused=(not_fresh|not_proved)/);
      world.idp.alter = null;
      expect(await world.me(browser)).toBe('carol@example.com');
    }
  });

  test('C5: acr: only what was asked for counts', async () => {
    const browser = new CookieBrowser();
    expect(await world.signIn(browser, 'carol', '?acr=urn:example:mfa')).toBe(refused('not_fresh'));
    world.idp.acr = 'urn:example:mfa';
    expect(await world.signIn(new CookieBrowser(), 'carol', '?acr=urn:example:mfa')).toBe('/');
  });

  test('C4: another person’s proof does not refresh this session', async () => {
    const browser = await world.signedIn('alice');
    browser.clear(world.idp.issuer);
    expect(await world.signIn(browser, 'bob', '?max_age=0')).toBe(refused('other_person'));
    expect(await world.me(browser)).toBe('alice@example.com');
  });
});

describe('signing out', () => {
  test('C5: ends the session here, and leads to the provider’s end of its own', async () => {
    const browser = await world.signedIn('dana');
    const { json, headers } = await world.as(browser, 'POST', '/v1/sign-in/logout');
    expect(headers['set-cookie']).toContain('Max-Age=0');
    expect(await world.me(browser)).toBeNull();
    const url = new URL(json.url);
    expect(url.origin).toBe(world.idp.issuer);
    expect(url.searchParams.get('id_token_hint')).toMatch(/^eyJ/);
    expect((await browser.go(url.href)).status).toBe(200);
  });

  test('C5: another site cannot sign a person out', async () => {
    const browser = await world.signedIn('dana');
    const forged = await world.api.call('POST', '/v1/sign-in/logout', {
      headers: { cookie: browser.cookies(world.api.url), origin: 'https://evil.example.com' },
    });
    expect(forged).toMatchObject({ status: 403, json: { code: 'cross_site_request' } });
    expect(await world.me(browser)).toBe('dana@example.com');
  });
});

describe('back-channel logout', () => {
  const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
  const post = (token: string) =>
    world.api.call('POST', '/v1/sign-in/logout/sso', {
      raw: new URLSearchParams({ logout_token: token }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  const claimsFor = (sub: string) => {
    const now = Math.floor(Date.now() / 1000);
    return { iss: world.idp.issuer, aud: world.idp.clientId, sub, iat: now, exp: now + 120, jti: `jti-${Math.random()}`, events: { [EVENT]: {} } };
  };
  const typ = 'logout+jwt';

  test('C5: the provider’s own logout ends the session at once', async () => {
    const browser = await world.signedIn('bob');
    const other = await world.signedIn('alice');
    const token = await world.idp.sign(claimsFor('bob'), { typ });
    expect((await post(token)).status).toBe(200);
    expect(await world.me(browser)).toBeNull();
    expect(await world.me(other)).toBe('alice@example.com');
  });

  test('C5: signing out at the provider itself ends the other sessions that it began here', async () => {
    const browser = await world.signedIn('carol');
    const elsewhere = new CookieBrowser();
    elsewhere.set(world.api.url, 'cs', browser.get(world.api.url, 'cs') ?? '');
    // A second session of the same one at the provider, which knows the person still.
    browser.clear(world.api.url);
    expect(await world.signIn(browser, 'carol')).toBe('/');
    const { url } = (await world.as(browser, 'POST', '/v1/sign-in/logout')).json;
    expect(await world.me(elsewhere)).toBe('carol@example.com');
    const asked = await browser.go(url);
    const xsrf = /name="xsrf" value="(?<value>[^"]+)"/.exec(asked.text)?.groups?.['value'] ?? '';
    await browser.go(`${world.idp.issuer}/session/end/confirm`, { xsrf, logout: 'yes' });
    // The provider tells us on its own time; the test's time-out bounds it.
    while ((await world.me(elsewhere)) !== null) await setImmediate();
    expect(await world.me(elsewhere)).toBeNull();
  });

  test('C5: by the provider’s session alone, where it names one', async () => {
    const [a, b] = [await world.signedIn('bob'), await world.signedIn('bob')];
    const { provider_sid: sid } = await world.api.row(`SELECT provider_sid FROM sessions ORDER BY created_at DESC LIMIT 1`);
    expect(sid).toEqual(expect.any(String));
    expect((await post(await world.idp.sign({ ...claimsFor('bob'), sid }, { typ }))).status).toBe(200);
    expect([await world.me(a), await world.me(b)]).toEqual(['bob@example.com', null]);
  });

  test('C5: forged, altered, another’s, an ID token, or replayed, it ends nothing', async () => {
    const browser = await world.signedIn('bob');
    const good = claimsFor('bob');
    const { events: _events, ...noEvents } = good;
    const { jti: _jti, ...noJti } = good;
    const { sub: _sub, ...nobody } = good;
    const bad: [string, string][] = [
      ['a key of another', await world.idp.sign(good, { typ }, 'foreign')],
      ['an ID token’s type', await world.idp.sign(good, {})],
      ['typ JWT', await world.idp.sign(good, { typ: 'JWT' })],
      ['another audience', await world.idp.sign({ ...good, aud: 'other-app' }, { typ })],
      ['two audiences', await world.idp.sign({ ...good, aud: [world.idp.clientId, 'other-app'] }, { typ })],
      ['another issuer', await world.idp.sign({ ...good, iss: 'https://evil.example.com' }, { typ })],
      ['a nonce', await world.idp.sign({ ...good, nonce: 'n' }, { typ })],
      ['no event', await world.idp.sign(noEvents, { typ })],
      ['another event', await world.idp.sign({ ...good, events: { 'http://schemas.openid.net/event/other': {} } }, { typ })],
      ['no jti', await world.idp.sign(noJti, { typ })],
      ['nobody', await world.idp.sign(nobody, { typ })],
      ['a time that is over', await world.idp.sign({ ...good, iat: good.iat - 3600, exp: good.iat - 3000 }, { typ })],
      ['an old time with a long life', await world.idp.sign({ ...good, iat: good.iat - 3600, exp: good.iat + 3600 }, { typ })],
      ['alg none', `${Buffer.from(JSON.stringify({ alg: 'none', typ })).toString('base64url')}.${Buffer.from(JSON.stringify(good)).toString('base64url')}.`],
      ['no token', 'x'],
    ];
    for (const [what, token] of bad) expect({ what, status: (await post(token)).status }).toEqual({ what, status: 400 });
    expect(await world.me(browser)).toBe('bob@example.com');

    const once = await world.idp.sign(good, { typ });
    expect((await post(once)).status).toBe(200);
    const again = await world.signedIn('bob');
    expect((await post(once)).status).toBe(400);
    expect(await world.me(again)).toBe('bob@example.com');
  });
});
