import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { type MailServer, startMailServer } from '@countersign/dev-env/mail';
import { needs } from '@countersign/dev-env/needs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { linksOf } from './support/mail-harness.js';
import { type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/* The whole server with a mail server, and what happens when somebody, or something, opens the link of a mail in a real browser. */

const chromium = needs('chromium', 'links of mails in a browser');

(chromium === undefined ? describe.skip : describe)('the link of a mail in a browser', () => {
  let folder: string;
  let mail: MailServer;
  let server: RunningServer;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'countersign-mail-'));
    [mail, browser] = await Promise.all([startMailServer({ users: { countersign: 'secret/1' } }), launchBrowser(chromium ?? '')]);
    writeFileSync(path.join(folder, 'ca.pem'), mail.ca);
    server = await startServer({ env: { SMTP_URL: mail.url, MAIL_FROM: 'Countersign <approvals@example.com>', SMTP_CA: path.join(folder, 'ca.pem') } });
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await mail?.close();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  /** A request, and the link in a person's mail about it. */
  async function mailed(person: string): Promise<{ id: string; link: string; urls: string[] }> {
    const reply = await server.submit(server.quickstart().api_key, { ...EXPORT, reason: 'Look: https://evil.example/ and http://127.0.0.1:9/' });
    expect(reply.status).toBe(201);
    const { id } = reply.json;
    const received = await until(
      () => mail.to(`${person}@example.com`).find(({ parsed }) => String(parsed.html).includes(id)),
      `the mail to ${person} about ${id}`,
    );
    const link = linksOf(received)[0]?.url ?? '';
    const urls = [...`${String(received.parsed.html)} ${received.parsed.text ?? ''}`.matchAll(/https?:\/\/[^\s"'<>]+/g)].map(([url]) => url);
    return { id, link, urls: [...new Set([link, ...urls])] };
  }
  const read = async (id: string) => (await server.call('GET', `/v1/action-requests/${id}`, { as: server.token('olivia') })).json;

  /** A browser session, signed in by a link as a person would be. */
  const sessions = new Map<string, Page>();
  async function signedIn(person: string): Promise<Page> {
    const before = sessions.get(person);
    if (before !== undefined) return before.context().newPage();
    const { page } = await openPage(browser, { width: 400, height: 850 });
    await page.goto(server.quickstart().people[`${person}@example.com`]?.sign_in_url ?? '');
    await page.getByText('Waiting', { exact: false }).first().waitFor();
    sessions.set(person, page);
    return page;
  }

  test('whatever follows every address of a mail, renders the page and presses what is on it, without being signed in, changes nothing', async () => {
    const { id, link, urls } = await mailed('alice');
    for (const url of [...urls, ...urls].filter((each) => each.startsWith(server.url))) {
      const answer = await fetch(url);
      expect(answer.status).toBe(200);
      // Nothing of the request stands in what a program gets that has no session.
      expect(await answer.text()).not.toContain('prod.customers');
    }
    const { page, faults } = await openPage(browser);
    for (let round = 0; round < 2; round++) {
      await page.goto('about:blank');
      await page.goto(link);
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      // The token is in no address that a server or a history keeps.
      expect(page.url()).toBe(`${server.url}/m`);
      const count = await page.getByRole('button').count();
      for (let place = 0; place < count; place++) await page.getByRole('button').nth(place).click();
    }
    expect(faults).toEqual([]);
    expect(await read(id)).toMatchObject({ status: 'pending', decisions: [] });
    // Its person can still use it.
    const own = await signedIn('alice');
    await own.goto(link);
    await own.waitForURL(`**/requests/${id}#mail/*`);
    expect(await read(id)).toMatchObject({ status: 'pending', decisions: [] });
  });

  test('C3: its person opens it, reads, approves with one press, and the decision came by mail; used again it opens nothing and says where the request is', async () => {
    const { id, link } = await mailed('alice');
    const page = await signedIn('alice');
    await page.goto(link);
    await page.getByText('You came from your mail').waitFor();
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('You approved it.').waitFor();
    expect(await read(id)).toMatchObject({ status: 'approved', decisions: [{ verdict: 'approve', via: 'email', person: { email: 'alice@example.com' } }] });
    await until(
      () => mail.to('bob@example.com').some(({ parsed }) => parsed.subject?.startsWith('Approved: ') === true && String(parsed.html).includes(id)),
      'the mail on the outcome',
    );
    await page.goto('about:blank');
    await page.goto(link);
    await page.getByText('does not open anything any more').waitFor();
    await page.getByRole('button', { name: 'Open the request' }).click();
    await page.waitForURL(`**/requests/${id}`);
  });

  test('who is not signed in yet signs in first, in the same tab, and goes on to the request', async () => {
    const { id, link } = await mailed('bob');
    const { page } = await openPage(browser);
    await page.goto(link);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.goto(server.quickstart().people['bob@example.com']?.sign_in_url ?? '');
    await page.waitForURL(`**/requests/${id}#mail/*`);
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.getByRole('button', { name: 'Deny', exact: true }).click();
    await page.getByText('You denied it.').waitFor();
    expect(await read(id)).toMatchObject({ status: 'denied', decisions: [{ verdict: 'deny', via: 'email' }] });
  });

  test('a forwarded link opens nothing for somebody else, and tells nothing of the request', async () => {
    const { id, link } = await mailed('bob');
    const page = await signedIn('alice');
    await page.goto(link);
    await page.getByText('sent to somebody else').waitFor();
    expect(await page.content()).not.toContain(id);
    expect(await read(id)).toMatchObject({ status: 'pending' });
  });
});
