import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type AccountLinks, createAccountLinks } from '@countersign/chat';
import { linkViewSchema, openedLinkSchema } from '@countersign/contracts';
import type { ChatAccount } from '@countersign/core/ports';
import { CookieBrowser } from '@countersign/dev-env/identity-provider';
import { createSignInWorld, type SignInWorld } from '../testing/sign-in-world.js';

let next = 0;
const slackAccount = (): ChatAccount => ({ platform: 'slack', workspace: 'T0ACME', user: `U0${(next += 1)}` });

function linksOf(world: SignInWorld): AccountLinks {
  return createAccountLinks({ ...world.api.flow, tenant: 'default', links: world.api.store.chatLinks, publicUrl: world.api.url, cooldownSeconds: 0 });
}
const tokenIn = (url: string): string => new URL(url).hash.slice(1);

/** What the bot sends, by account. */
async function codesSent(world: SignInWorld, platform: ChatAccount['platform'] = 'slack'): Promise<Map<string, { code: string; text: string }>> {
  const sent = new Map<string, { code: string; text: string }>();
  await linksOf(world).sendCodes(platform, async ({ user }, text) => void sent.set(user, { code: /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(text)?.[0] ?? '', text }));
  return sent;
}

describe('linking by a code that the bot sends', () => {
  let world: SignInWorld;
  beforeAll(async () => {
    world = await createSignInWorld();
  }, 60_000);
  afterAll(() => world.close());
  const open = (browser: CookieBrowser, token: string) => world.as(browser, 'POST', '/v1/links/open', { token });
  const wantCode = (browser: CookieBrowser, token: string) => world.as(browser, 'POST', '/v1/links/prove', { token, way: 'code' });
  const confirm = (browser: CookieBrowser, token: string, code?: string) =>
    world.as(browser, 'POST', '/v1/links/confirm', { token, ...(code === undefined ? {} : { code }) });

  test('C5: both ends proved, the account is the person’s: listed, in the ledger, cut again', async () => {
    const account = slackAccount();
    const token = tokenIn(await linksOf(world).startLink(account, 'Bob B.'));
    const bob = await world.signedIn('bob');
    const opened = openedLinkSchema.parse((await open(bob, token)).json);
    expect(opened).toMatchObject({ ...account, label: 'Bob B.', person: { email: 'bob@example.com' }, proof: null, ways: ['code'] });
    expect((await wantCode(bob, token)).json).toEqual({ url: null });
    const { code, text } = (await codesSent(world)).get(account.user) ?? { code: '', text: '' };
    expect(text).toContain('bob@example.com');
    const linked = await confirm(bob, token, code.toLowerCase().replace('-', ' '));
    expect(linked.status).toBe(201);
    expect(linkViewSchema.parse(linked.json)).toMatchObject({ ...account, person: world.api.people.bob.id, how: 'proof', waits_until: null });
    expect((await world.api.store.directory.personByAccount({ tenant: 'default', ...account }))?.email).toBe('bob@example.com');
    expect((await world.as(bob, 'GET', '/v1/links')).json.data).toMatchObject([{ id: linked.json.id }]);

    const alice = await world.signedIn('alice');
    expect((await world.as(alice, 'GET', '/v1/links')).json.data).toEqual([]);
    expect((await world.as(alice, 'GET', '/v1/links?person=*')).status).toBe(403);
    expect((await world.as(alice, 'DELETE', `/v1/links/${linked.json.id}`)).status).toBe(404);
    expect((await world.as(bob, 'DELETE', `/v1/links/${linked.json.id}`)).status).toBe(204);
    expect(await world.api.store.directory.personByAccount({ tenant: 'default', ...account })).toBeNull();
    const events = await world.api
      .row(`SELECT array_agg(event ORDER BY id) AS events FROM ledger_leaves WHERE event LIKE 'account.%' AND bytes::text IS NOT NULL
      AND convert_from(bytes, 'UTF8') LIKE '%"kind":"chat"%'`);
    expect(events['events']).toEqual(['account.linked', 'account.unlinked']);
    const leaves = await world.api.row(`SELECT string_agg(convert_from(bytes, 'UTF8'), ' ') AS text FROM ledger_leaves WHERE event LIKE 'account.%'`);
    expect(leaves['text']).not.toContain(account.user);
  });

  test('C5: stolen link: whoever opens it without the chat account links nothing, and the code goes to the account alone', async () => {
    const account = slackAccount();
    const token = tokenIn(await linksOf(world).startLink(account, null));
    const thief = await world.signedIn('carol');
    await open(thief, token);
    await wantCode(thief, token);
    const sent = await codesSent(world);
    expect([...sent.keys()]).toEqual([account.user]);
    expect(await confirm(thief, token)).toMatchObject({ status: 409, json: { code: 'link_not_possible' } });
    expect(await confirm(thief, token, '0000-0000')).toMatchObject({ status: 403, json: { code: 'code_wrong' } });
    expect(await world.api.store.directory.personByAccount({ tenant: 'default', ...account })).toBeNull();
  });

  test('C5: five wrong codes end it, the right one too late', async () => {
    const account = slackAccount();
    const token = tokenIn(await linksOf(world).startLink(account, null));
    const carol = await world.signedIn('carol');
    await open(carol, token);
    await wantCode(carol, token);
    const code = (await codesSent(world)).get(account.user)?.code ?? '';
    for (let tries = 0; tries < 5; tries++) expect((await confirm(carol, token, `AAAA-${tries}${tries}${tries}${tries}`)).status).toBe(403);
    // A new code brings no new tries.
    await wantCode(carol, token);
    const again = (await codesSent(world)).get(account.user)?.code ?? '';
    for (const each of [code, again]) expect((await confirm(carol, token, each)).status).toBe(403);
  });

  test('C5: nobody floods an account with codes: each further one counts as a try', async () => {
    const account = slackAccount();
    const token = tokenIn(await linksOf(world).startLink(account, null));
    const carol = await world.signedIn('carol');
    await open(carol, token);
    const statuses: number[] = [];
    for (let asked = 0; asked < 8; asked++) statuses.push((await wantCode(carol, token)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 409, 409]);
    expect((await codesSent(world)).has(account.user)).toBe(true);
  });

  test('C5: the first session that opens a link has it: no other session, not even the same person’s', async () => {
    const token = tokenIn(await linksOf(world).startLink(slackAccount(), null));
    expect((await open(await world.signedIn('carol'), token)).status).toBe(200);
    for (const name of ['alice', 'carol'] as const) {
      const other = await world.signedIn(name);
      expect(await open(other, token)).toMatchObject({ status: 409 });
      expect((await wantCode(other, token)).status).toBe(409);
      expect((await confirm(other, token, 'AAAA-AAAA')).status).toBe(409);
    }
  });

  test('C5: a link works once, ten minutes, and only the account’s newest', async () => {
    const account = slackAccount();
    const links = linksOf(world);
    const [old, newest] = [tokenIn(await links.startLink(account, null)), tokenIn(await links.startLink(account, null))];
    const dana = await world.signedIn('dana');
    expect((await open(dana, old)).status).toBe(409);
    await open(dana, newest);
    await wantCode(dana, newest);
    const code = (await codesSent(world)).get(account.user)?.code ?? '';
    const replies = await Promise.all(Array.from({ length: 5 }, () => confirm(dana, newest, code)));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect((await confirm(dana, newest, code)).status).toBe(409);
    const late = tokenIn(await links.startLink(slackAccount(), null));
    await world.api.sql(`UPDATE chat_link_attempts SET expires_at = now() WHERE spent_at IS NULL`);
    expect((await open(dana, late)).status).toBe(409);
    expect(await world.api.count(`SELECT count(*) FROM chat_link_attempts a WHERE a::text LIKE '%${newest}%' OR a::text LIKE '%${code}%'`)).toBe(0);
  });

  test('C4: unique both ways: an account has one person, a person one account, and a second one takes an administrator', async () => {
    const links = linksOf(world);
    const [first, second] = [slackAccount(), slackAccount()];
    const prove = async (browser: CookieBrowser, account: ChatAccount) => {
      const token = tokenIn(await links.startLink(account, null));
      await open(browser, token);
      await wantCode(browser, token);
      return confirm(browser, token, (await codesSent(world)).get(account.user)?.code ?? '');
    };
    const olivia = await world.signedIn('olivia');
    const alice = await world.signedIn('alice');
    expect((await prove(olivia, first)).status).toBe(201);
    expect(await prove(alice, first)).toMatchObject({ status: 409, json: { detail: expect.stringContaining('belongs to somebody') } });
    expect(await prove(olivia, second)).toMatchObject({ status: 409, json: { detail: expect.stringContaining('administrator') } });
    // Not by themselves, nor by somebody who is no administrator.
    const body = { ...second, person: world.api.people.olivia.id };
    expect((await world.as(olivia, 'POST', '/v1/links', body)).status).toBe(403);
    expect((await world.as(alice, 'POST', '/v1/links', body)).status).toBe(403);
    // Nor for a second entry of their own.
    await world.api.sql(`UPDATE directory_people SET human = '${world.api.people.olivia.id}' WHERE id = '${world.api.people.carol.id}'`);
    expect((await world.as(olivia, 'POST', '/v1/links', { ...second, person: world.api.people.carol.id })).status).toBe(403);
    await world.api.sql(`UPDATE directory_people SET human = id WHERE id = '${world.api.people.carol.id}'`);
    expect((await world.as(olivia, 'POST', '/v1/links', { ...second, person: world.api.people.alice.id })).status).toBe(201);
    expect((await world.as(olivia, 'POST', '/v1/links', { ...second, person: world.api.people.bob.id })).status).toBe(409);
  });

  test('C5: what an address linked gives way to its own person’s proof, and to nobody else’s', async () => {
    const links = linksOf(world);
    const account = slackAccount();
    expect(await links.linkByEmail(account, world.api.people.dana)).toBe('second');
    await world.api.sql(`DELETE FROM chat_account_links WHERE person_id = '${world.api.people.dana.id}'`);
    expect(await links.linkByEmail(account, world.api.people.dana)).toBe('linked');
    const prove = async (browser: CookieBrowser) => {
      const token = tokenIn(await links.startLink(account, null));
      await open(browser, token);
      await wantCode(browser, token);
      return confirm(browser, token, (await codesSent(world)).get(account.user)?.code ?? '');
    };
    expect((await prove(await world.signedIn('carol'))).status).toBe(409);
    expect((await prove(await world.signedIn('dana'))).json).toMatchObject({ how: 'proof', person: world.api.people.dana.id });
  });

  test('C4: no token, and no session but one of the identity provider, links an account', async () => {
    const token = tokenIn(await linksOf(world).startLink(slackAccount(), null));
    for (const as of [world.api.tokens.alice, world.api.key])
      expect((await world.api.call('POST', '/v1/links/open', { as, body: { token } })).status).toBe(403);
    const { cookie } = await world.api.signIn('alice');
    expect((await world.api.call('POST', '/v1/links/open', { headers: { cookie, origin: world.api.url }, body: { token } })).status).toBe(403);
    const alice = await world.signedIn('alice');
    const cross = { headers: { cookie: alice.cookies(world.api.url), origin: 'https://evil.example.com' }, body: { token } };
    expect(await world.api.call('POST', '/v1/links/open', cross)).toMatchObject({ status: 403, json: { code: 'cross_site_request' } });
  });

  test('C5: an account that the directory names is cut in the directory alone', async () => {
    const account = slackAccount();
    await world.api.store.directory.link('default', account, world.api.people.alice.id, 'directory');
    const alice = await world.signedIn('alice');
    const link = (await world.as(alice, 'GET', '/v1/links')).json.data.find((one: { user: string }) => one.user === account.user);
    expect(await world.as(alice, 'DELETE', `/v1/links/${link.id}`)).toMatchObject({ status: 409, json: { code: 'link_not_possible' } });
  });
});

describe('linking by Sign in with Slack', () => {
  let world: SignInWorld;
  beforeAll(async () => {
    world = await createSignInWorld({}, { link: {}, extraClaims: ['https://slack.com/team_id', 'https://slack.com/user_id'] });
  }, 60_000);
  afterAll(() => world.close());

  /** A person's browser opens the link of `account`, and signs in to Slack as `slackUser` of `team`. */
  async function prove(name: 'alice' | 'bob' | 'carol' | 'dana', account: ChatAccount, slack: { team: string; user: string }) {
    const browser = await world.signedIn(name);
    const token = tokenIn(await linksOf(world).startLink(account, null));
    const opened = await world.as(browser, 'POST', '/v1/links/open', { token });
    expect(opened.json.ways).toEqual(['slack_oidc']);
    const proving = await world.as(browser, 'POST', '/v1/links/prove', { token, way: 'slack_oidc' });
    const [pair = ''] = (proving.headers['set-cookie'] ?? '').split(';');
    browser.set(world.api.url, pair.split('=')[0] ?? '', pair.split('=')[1] ?? '');
    const subject = `slack-${(next += 1)}`;
    world.idp.accounts.set(subject, { 'https://slack.com/team_id': slack.team, 'https://slack.com/user_id': slack.user });
    browser.clear(world.idp.issuer);
    const end = await browser.follow(proving.json.url, subject, (url) => url.startsWith(`${world.api.url}/link`));
    return { browser, token, end: end.slice(world.api.url.length), confirm: () => world.as(browser, 'POST', '/v1/links/confirm', { token }) };
  }

  test('C5: the same Slack account in the same browser proves it, without any code', async () => {
    const account = slackAccount();
    const { end, confirm } = await prove('alice', account, { team: account.workspace, user: account.user });
    expect(end).toBe('/link?proved=1');
    expect((await confirm()).status).toBe(201);
    const leaf = await world.api.row(`SELECT convert_from(bytes, 'UTF8') AS text FROM ledger_leaves WHERE event = 'account.linked' ORDER BY id DESC LIMIT 1`);
    expect(leaf['text']).toContain('"proof":"slack_oidc"');
  });

  test('C5: forwarded link: the victim who follows the attacker’s link proves their own account, and links nothing', async () => {
    const attackers = slackAccount();
    const { end, confirm } = await prove('bob', attackers, { team: attackers.workspace, user: 'U0VICTIM' });
    expect(end).toBe('/link?refused=another_account');
    expect((await confirm()).status).toBe(409);
    expect(await world.api.store.directory.personByAccount({ tenant: 'default', ...attackers })).toBeNull();
  });

  test('C5: the same user id of another workspace is another account', async () => {
    const account = slackAccount();
    const { end, confirm } = await prove('carol', account, { team: 'T0EVIL', user: account.user });
    expect(end).toBe('/link?refused=another_account');
    expect((await confirm()).status).toBe(409);
  });

  test('C5: where Slack can be asked, no code is sent', async () => {
    const token = tokenIn(await linksOf(world).startLink(slackAccount(), null));
    const dana = await world.signedIn('dana');
    expect((await world.as(dana, 'POST', '/v1/links/prove', { token, way: 'code' })).status).toBe(409);
    expect((await codesSent(world)).size).toBe(0);
  });

  test('C5: Slack signs nobody in: its answer opens no session', async () => {
    expect(await world.api.call('GET', '/v1/sign-in/start?provider=slack')).toMatchObject({ status: 404 });
    const account = slackAccount();
    const { browser } = await prove('dana', account, { team: account.workspace, user: account.user });
    const stranger = new CookieBrowser();
    expect(await world.me(browser)).toBe('dana@example.com');
    expect(await world.me(stranger)).toBeNull();
  });
});

describe('linking a Teams account', () => {
  const [tid, oid] = ['7f1f6f6e-1a2b-4c3d-8e9f-001122334455', '0b0b0b0b-1111-4222-8333-444455556666'];
  let world: SignInWorld;
  beforeAll(async () => {
    world = await createSignInWorld({ preset: 'entra', pins: { tid: [tid] } }, { extraClaims: ['tid', 'oid', 'xms_edov'] });
    for (const [index, name] of (['alice', 'bob'] as const).entries()) {
      world.idp.accounts.set(name, { email: `${name}@example.com`, tid, oid: oid.replace('6666', `000${index}`), xms_edov: true });
    }
  }, 60_000);
  afterAll(() => world.close());

  test('C5: the Entra object of the sign-in is the Teams account: proved at once', async () => {
    const token = tokenIn(await linksOf(world).startLink({ platform: 'teams', workspace: tid, user: oid.replace('6666', '0000') }, null));
    const alice = await world.signedIn('alice');
    expect((await world.as(alice, 'POST', '/v1/links/open', { token })).json).toMatchObject({ proof: 'teams_oidc', ways: [] });
    expect((await world.as(alice, 'POST', '/v1/links/confirm', { token })).status).toBe(201);
  });

  test('C5: somebody else’s object, or another tenant’s, is not: the bot’s code has to prove it', async () => {
    for (const account of [
      { workspace: tid, user: oid.replace('6666', '0000') },
      { workspace: '00000000-1a2b-4c3d-8e9f-001122334455', user: oid.replace('6666', '0001') },
    ]) {
      const token = tokenIn(await linksOf(world).startLink({ platform: 'teams', ...account }, null));
      const bob = await world.signedIn('bob');
      expect((await world.as(bob, 'POST', '/v1/links/open', { token })).json).toMatchObject({ proof: null, ways: ['code'] });
      expect((await world.as(bob, 'POST', '/v1/links/confirm', { token })).status).toBe(409);
    }
  });
});
