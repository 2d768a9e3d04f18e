import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { needs } from '@countersign/dev-env/needs';
import type { Browser, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { type CallbackReceiver, startCallbackReceiver } from './support/callback-receiver.js';
import { type RunningServer, startServer } from './support/running-server.js';

const chromium = needs('chromium', 'the web inbox in a browser');

(chromium === undefined ? describe.skip : describe)('the web inbox', () => {
  let server: RunningServer;
  let browser: Browser;
  let receiver: CallbackReceiver;

  beforeAll(async () => {
    [server, browser, receiver] = await Promise.all([startServer(), launchBrowser(chromium ?? ''), startCallbackReceiver()]);
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await receiver?.close();
    await server?.stop();
  }, 60_000);

  /** A browser session of its own, signed in by a link as a person would be. */
  async function signedIn(person: string): Promise<{ page: Page; faults: string[] }> {
    const session = await server.call('POST', '/v1/sessions', {
      body: { token: new URL(server.quickstart().people[`${person}@example.com`]?.sign_in_url ?? '').hash.slice(1) },
    });
    setCookies.set(person, session.headers['set-cookie'] ?? '');
    const [cookie] = (session.headers['set-cookie'] ?? '').split(';');
    const [name = '', value = ''] = (cookie ?? '').split('=');
    const opened = await openPage(browser);
    await opened.page.context().addCookies([{ name, value, url: server.url }]);
    return opened;
  }

  /** As the server set them. */
  const setCookies = new Map<string, string>();
  /** A sign-in link works once, so each person's first session is kept; every later page is one more tab of it. */
  const sessions = new Map<string, { page: Page; faults: string[] }>();
  async function as(person: string): Promise<{ page: Page; faults: string[] }> {
    const known = sessions.get(person);
    if (known === undefined) {
      const made = await signedIn(person);
      sessions.set(person, made);
      return made;
    }
    const page = await known.page.context().newPage();
    page.on('pageerror', (error) => known.faults.push(error.message));
    return { page, faults: known.faults };
  }

  async function ask(members: object = {}): Promise<{ id: string; url: string; request_digest: string }> {
    const reply = await server.submit(server.quickstart().api_key, { ...EXPORT, ...members });
    expect(reply.status).toBe(201);
    return reply.json;
  }

  test('a sign-in link signs in once, from its fragment, and a mere look at it spends nothing', async () => {
    const link = server.quickstart().people['olivia@example.com']?.sign_in_url ?? '';
    expect((await server.call('GET', '/sign-in')).status).toBe(200);
    const { page, faults } = await openPage(browser);
    await page.goto(link);
    await page.getByRole('heading', { name: /Waiting/ }).waitFor();
    expect(page.url()).toBe(`${server.url}/`);
    expect(await page.getByText('Olivia Owens').count()).toBe(1);
    const second = await openPage(browser);
    await second.page.goto(link);
    await second.page.getByRole('heading', { name: 'This link does not work' }).waitFor();
    expect(faults).toEqual([]);
  });

  test('C2: the card tells who asks and for whom, all that will run, why, which data and systems, and which rule', async () => {
    const statement = Array.from({ length: 200 }, (_, line) => `line ${line + 1} of the statement`).join('\n');
    const request = await ask({
      parameters: { ...EXPORT.parameters, statement },
      context: { risk: 'high', diff: '-old\n+new', links: [{ title: 'Ticket', url: 'https://tickets.example.com/1' }] },
    });
    const { page, faults } = await as('alice');
    await page.goto(request.url);
    const card = page.locator('article.card');
    await card.waitFor();
    const text = await card.innerText();
    for (const said of [
      'retrainer (agent)',
      'Dana Diaz',
      'data.export',
      'prod.customers',
      'production',
      'data_class: pii',
      EXPORT.reason,
      'customer-data',
      '48211',
      's3://ml-retraining/customers.csv',
      '+new',
      'tickets.example.com',
    ]) {
      expect(text).toContain(said);
    }
    for (const line of [1, 100, 200]) expect(text).toContain(`line ${line} of the statement`);
    expect(faults).toEqual([]);
  });

  test('text of a request is shown as text: no markup runs, nothing is hidden, nothing forges a line', async () => {
    const request = await ask({
      reason: '<img src=x onerror="document.title=\'owned\'"> <!channel> [approve](https://evil.example) *Approved by* Alice',
      parameters: { 'destination\nApproved by': 's3://safe\u202e/live//:3s', note: 'a\u200bb', html: '<script>document.title="owned"</script>' },
      context: { links: [{ title: 'Runbook', url: 'https://аpple.com/login' }] },
    });
    const { page, faults } = await as('alice');
    await page.goto(request.url);
    const card = page.locator('article.card');
    await card.waitFor();
    const text = await card.innerText();
    expect(text).toContain('U+202E');
    expect(text).toContain('U+200B');
    expect(text).toContain('<script>document.title="owned"</script>');
    expect(text).toContain('destination⏎Approved by');
    expect(text).toContain('xn--');
    expect(text).toContain('characters that cannot be seen');
    expect(await page.title()).toBe('Countersign');
    expect(await card.locator('img, script, iframe').count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test('C3: one press approves, the card closes everywhere, and the caller gets the signed outcome', async () => {
    const request = await ask({ callback: { url: `${receiver.url}/done` } });
    const [alice, bob] = [await as('alice'), await as('bob')];
    await bob.page.goto(request.url);
    await bob.page.getByRole('button', { name: 'Approve' }).waitFor();
    await alice.page.goto(`${server.url}/`);
    await alice.page.locator(`a[href="/requests/${request.id}"]`).click();
    await alice.page.getByRole('button', { name: 'Approve' }).click();
    await alice.page.getByText('You approved it.').waitFor();
    expect(await alice.page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
    await bob.page.getByText('Approved by Alice Adams.').waitFor();
    expect(await bob.page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
    const [callback] = await receiver.of(request.id);
    expect(callback?.json.data.decisions).toMatchObject([{ person: { email: 'alice@example.com' }, verdict: 'approve', via: 'web' }]);
  });

  test('C3: a denial asks for its reason, and the reason reaches the caller', async () => {
    const request = await ask({ callback: { url: `${receiver.url}/denied` } });
    const { page } = await as('alice');
    await page.goto(request.url);
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.getByRole('textbox').fill('Not before the review');
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.locator('.outcome').getByText('Denied by Alice Adams: Not before the review').waitFor();
    const [callback] = await receiver.of(request.id);
    expect(callback?.json.data).toMatchObject({ status: 'denied', decisions: [{ reason: 'Not before the review' }] });
  });

  test('C4: the person behind the request is told why they cannot decide, and nothing happens', async () => {
    const request = await ask();
    const { page } = await as('dana');
    await page.goto(request.url);
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.locator('.notice.refused').getByText('it runs on your behalf').waitFor();
    expect((await server.call('GET', `/v1/action-requests/${request.id}`, { as: server.token('alice') })).json).toMatchObject({
      status: 'pending',
      decisions: [],
    });
  });

  test('C1: of two presses at once one wins, and the other is told who it was', async () => {
    const request = await ask();
    const [alice, bob] = [await as('alice'), await as('bob')];
    for (const { page } of [alice, bob]) {
      await page.goto(request.url);
      await page.getByRole('button', { name: 'Approve' }).waitFor();
    }
    const press = (page: Page): Promise<boolean> =>
      page
        .getByRole('button', { name: 'Approve' })
        .click({ timeout: 10_000 })
        .then(
          () => true,
          // The other's press came first, and this page heard of it before its own button was pressed.
          () => false,
        );
    expect(await Promise.all([alice, bob].map(({ page }) => press(page)))).toContain(true);
    await Promise.all([alice, bob].map(({ page }) => page.locator('.outcome').waitFor()));
    const settled = (await server.call('GET', `/v1/action-requests/${request.id}`, { as: server.token('alice') })).json;
    expect(settled).toMatchObject({ status: 'approved', decisions: [{ verdict: 'approve' }] });
    expect(settled.decisions).toHaveLength(1);
    const winner: string = settled.decisions[0].person.name;
    for (const { page } of [alice, bob]) expect(await page.locator('.outcome').innerText()).toContain(`Approved by ${winner}`);
  });

  test('C6: an expired request closes its card within ten seconds of its end', async () => {
    const request = await ask({ timeout_seconds: 2 });
    const { page } = await as('alice');
    await page.goto(request.url);
    await page.locator('.outcome').getByText('Expired').waitFor({ timeout: 12_000 });
    expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
  });

  test('a page of another site can neither frame the inbox nor decide with its cookie', async () => {
    const request = await ask();
    const page = await server.call('GET', '/');
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(page.headers['x-frame-options']).toBe('DENY');
    expect(setCookies.get('alice')).toMatch(/; HttpOnly/);
    expect(setCookies.get('alice')).toMatch(/; SameSite=Lax/);
    const [cookie] = await (await as('alice')).page.context().cookies(server.url);
    const forged = await server.call('POST', `/v1/action-requests/${request.id}/decisions`, {
      body: { verdict: 'approve', request_digest: request.request_digest },
      headers: { cookie: `${cookie?.name}=${cookie?.value}`, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    });
    expect({ status: forged.status, code: forged.json.code }).toEqual({ status: 403, code: 'cross_site_request' });
  });
});
