import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '@countersign/cli';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { freePort } from '@countersign/dev-env/free-port';
import { type IdentityProvider, startIdentityProvider } from '@countersign/dev-env/identity-provider';
import { needs } from '@countersign/dev-env/needs';
import { type PostgresServer, startPostgresServer } from '@countersign/dev-env/postgres-server';
import { type FakeSlack, startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { type Credentials, makeCredentials, newMasterKey, ownFiles } from './support/installation.js';
import { type RunningServer, startServer } from './support/running-server.js';

/* C5: people sign in by a real identity provider, in a real browser, at a whole installation with a Slack workspace. */

const chromium = needs('chromium', 'signing in, in a browser');

(chromium === undefined ? describe.skip : describe)('signing in, in a browser', () => {
  let folder: string;
  let postgres: PostgresServer;
  let slack: FakeSlack;
  let idp: IdentityProvider;
  let server: RunningServer;
  let browser: Browser;
  let held: Credentials;
  let masterKey: string;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'countersign-sign-in-'));
    const [port, idpPort] = [await freePort(), await freePort()];
    [postgres, browser] = await Promise.all([startPostgresServer(), launchBrowser(chromium ?? '')]);
    slack = await startFakeSlack({
      users: ['dana', 'alice', 'bob', 'carol'].map((name) => ({ id: `U0${name.toUpperCase()}`, name, email: `${name}@example.com` })),
      channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
    });
    idp = await startIdentityProvider({ port: idpPort, client: { publicUrl: `http://localhost:${port}`, ids: ['sso'] } });
    for (const name of ['alice', 'bob']) idp.accounts.set(name, { email: `${name}@example.com`, email_verified: true, name });
    masterKey = newMasterKey();
    server = await startServer({
      home: path.join(folder, 'home'),
      port,
      env: {
        ...ownFiles(folder),
        DATABASE_URL: postgres.url,
        COUNTERSIGN_MASTER_KEY: masterKey,
        OIDC_ISSUER: idp.issuer,
        OIDC_CLIENT_ID: idp.clientId,
        OIDC_CLIENT_SECRET: idp.clientSecret,
        SLACK_BOT_TOKEN: slack.botToken,
        SLACK_SIGNING_SECRET: slack.signingSecret,
        SLACK_API_URL: slack.apiUrl,
        SLACK_CHANNEL: '#approvals',
      },
    });
    slack.connect(`${server.url}/slack/events`);
    held = await makeCredentials(postgres.url, masterKey);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await Promise.all([slack?.close(), idp?.close()]);
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  async function atProvider(page: Page, account: string): Promise<void> {
    await page.getByRole('heading', { name: 'Identity provider' }).waitFor();
    await page.getByLabel('Account').fill(account);
    await page.getByRole('button', { name: 'Continue' }).click();
  }

  async function signedIn(account: string): Promise<{ page: Page; faults: string[] }> {
    const opened = await openPage(browser);
    await opened.page.goto(server.url);
    await opened.page.getByRole('link', { name: 'Sign in' }).click();
    await atProvider(opened.page, account);
    await opened.page.getByRole('heading', { name: /Waiting/ }).waitFor();
    return opened;
  }

  test('C5: the button leads to the provider and back to the page that was wanted', async () => {
    const { page, faults } = await openPage(browser);
    await page.goto(`${server.url}/account`);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await atProvider(page, 'alice');
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    expect(page.url()).toBe(`${server.url}/account`);
    await page.getByText('alice@example.com').waitFor();
    const [cookie] = (await page.context().cookies(server.url)).filter(({ name }) => name === 'cs');
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/', domain: 'localhost' });
    expect(await page.evaluate('document.cookie')).toBe('');
    expect(faults).toEqual([]);
  });

  test('C5: who is refused reads why, and begins again', async () => {
    idp.accounts.set('stranger', { email: 'stranger@example.com', email_verified: true });
    const { page, faults } = await openPage(browser);
    await page.goto(server.url);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await atProvider(page, 'stranger');
    expect(await page.getByRole('alert').innerText()).toContain('The directory does not know you');
    // A locator that finds two does not wait for either of them.
    await page.getByRole('link', { name: 'Sign in' }).waitFor();
    await page.goto(`${server.url}/sign-in?refused=%3Cscript%3Ealert(1)%3C/script%3E`);
    expect(await page.getByRole('alert').innerText()).toBe('You were not signed in. Begin again.');
    expect(faults).toEqual([]);
  });

  test('C5: sessions are seen and ended, and a token is made once it is fresh, and shown once', async () => {
    const [first, second] = [await signedIn('alice'), await signedIn('alice')];
    const { page } = first;
    await page.goto(`${server.url}/account`);
    const others = page.getByRole('list', { name: 'Sessions' }).getByRole('button', { name: 'End' });
    await others.first().waitFor();
    await page.getByRole('button', { name: 'End every other session' }).click();
    await page.getByText('Every other session is over.').waitFor();
    await second.page.goto(`${server.url}/account`);
    await second.page.getByRole('link', { name: 'Sign in' }).waitFor();

    await page.getByLabel('Name of a new token').fill('Laptop');
    await page.getByLabel('approve and deny in my name').check();
    await page.getByRole('button', { name: 'Make a token' }).click();
    const token = await page.locator('pre.revealed').innerText();
    expect(token).toMatch(/^cs_pat_/);
    expect((await server.call('GET', '/v1/me', { as: token })).json).toMatchObject({ person: { email: 'alice@example.com' }, may_decide: true });
    await page.reload();
    const tokens = page.getByRole('list', { name: 'Personal tokens' });
    await tokens.getByText('Laptop').waitFor();
    expect(await page.getByText(token).count()).toBe(0);
    await tokens.getByRole('listitem').filter({ hasText: 'Laptop' }).getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('Laptop is revoked.').waitFor();
    expect((await server.call('GET', '/v1/me', { as: token })).status).toBe(401);
    expect([...first.faults, ...second.faults]).toEqual([]);
  });

  test('C5, C1: a press of an unlinked account leads by a private link, a sign-in and a code to a decision', async () => {
    const request = (await server.submit(held.apiKey, EXPORT)).json;
    const card = await slack.wire.until(() => slack.messages('approvals').find(({ blocks }) => visibleText(blocks ?? []).includes(request.id)), 'the card');
    const press = () => slack.client.press({ user: 'U0BOB', channel: 'approvals', ts: card.ts, actionId: 'countersign_approve' });
    await press();
    const said = await slack.wire.until(() => slack.ephemeral('U0BOB').at(-1), 'the private word');
    expect(said.text).toContain('belongs to nobody');
    expect(JSON.stringify(slack.messages('approvals'))).not.toContain('/link#');
    const { url = '' } = /"url":"(?<url>[^"]+\/link#[\w-]{43})"/.exec(JSON.stringify(said.blocks))?.groups ?? {};

    const { page, faults } = await openPage(browser);
    const asked: string[] = [];
    page.on('request', (sent) => asked.push(sent.url()));
    await page.goto(url);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await atProvider(page, 'bob');
    await page.getByRole('heading', { name: 'Is this account yours?' }).waitFor();
    for (const part of ['U0BOB', slack.teamId, 'bob@example.com']) await page.locator('main', { hasText: part }).waitFor();
    await page.getByRole('button', { name: /send a code/ }).click();
    const message = await slack.wire.until(() => slack.direct('U0BOB').at(-1), 'the code');
    expect(message.text).toContain('bob@example.com');
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(message.text ?? '')?.[0] ?? '';
    await page.getByLabel(/The code that the bot/).fill('AAAA-AAAA');
    await page.getByRole('button', { name: 'Yes, link it to me' }).click();
    await page.getByRole('alert').getByText('not the code').waitFor();
    await page.getByLabel(/The code that the bot/).fill(code);
    await page.getByRole('button', { name: 'Yes, link it to me' }).click();
    await page.getByRole('heading', { name: 'Linked' }).waitFor();
    // The token never stood in an address that a server sees.
    expect(asked.filter((address) => address.includes(new URL(url).hash.slice(1)) && !address.includes('#'))).toEqual([]);

    await press();
    expect((await server.settled(held.apiKey, request.id)).json).toMatchObject({
      status: 'approved',
      decisions: [{ person: { email: 'bob@example.com' }, via: 'slack' }],
    });
    await page.getByRole('button', { name: 'your account' }).click();
    await page.getByRole('list', { name: 'Chat accounts' }).getByText('U0BOB').waitFor();
    expect(faults).toEqual([]);
  });

  test('E1: who signed in and who linked what is in the ledger, and the auditor finds a link that nobody made', async () => {
    const verify = async (): Promise<{ ok: boolean; findings: { table: string; row: string }[] }> => {
      const out: string[] = [];
      await run(['ledger', 'verify', '--json', '--database-url', postgres.url, '--home', folder], {
        ...{ env: { COUNTERSIGN_MASTER_KEY: masterKey }, cwd: folder, stdin: () => Promise.resolve(Buffer.alloc(0)) },
        ...{ out: (line: string) => void out.push(line), err: () => {} },
      });
      return JSON.parse(out.join('\n'));
    };
    expect(await verify()).toMatchObject({ ok: true, findings: [] });
    const owner = new pg.Client({ connectionString: postgres.url });
    await owner.connect();
    try {
      await owner.query(`INSERT INTO chat_account_links (tenant, platform, workspace, "user", person_id, how)
        SELECT tenant, 'slack', 'T0EXAMPLE', 'U0MALLORY', id, 'proof' FROM directory_people WHERE email = 'carol@example.com'`);
      expect(await verify()).toMatchObject({ ok: false, findings: [{ table: 'chat_account_links', row: 'slack T0EXAMPLE U0MALLORY' }] });
      await owner.query(`DELETE FROM chat_account_links WHERE "user" = 'U0MALLORY'`);
    } finally {
      await owner.end();
    }
  });

  test('C5: signing out ends the session here and at the provider', async () => {
    const { page } = await signedIn('alice');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL((address) => address.origin === idp.issuer);
    const elsewhere = await page.context().newPage();
    await elsewhere.goto(`${server.url}/account`);
    await elsewhere.getByRole('link', { name: 'Sign in' }).waitFor();
  });

  test('C4: a page of another site cannot make the browser mint a token or link an account', async () => {
    const { page } = await signedIn('alice');
    for (const address of ['/v1/tokens', '/v1/links/confirm', '/v1/sessions/end']) {
      const reply = await server.call('POST', address, {
        headers: {
          cookie: (await page.context().cookies(server.url)).map(({ name, value }) => `${name}=${value}`).join('; '),
          'sec-fetch-site': 'cross-site',
          origin: 'https://evil.example.com',
        },
        body: {},
      });
      expect(reply).toMatchObject({ status: 403, json: { code: 'cross_site_request' } });
    }
  });
});
