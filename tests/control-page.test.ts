import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { freePort } from '@countersign/dev-env/free-port';
import { needs } from '@countersign/dev-env/needs';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { type Api, apiOf, EXPORT } from './support/api.js';
import { exampleFiles } from './support/installation.js';
import { until } from './support/until.js';

jest.setTimeout(120_000);
const chromium = needs('chromium', 'the control page in a browser');

(chromium === undefined ? describe.skip : describe)('A6: the control page', () => {
  let home: string;
  let running: Running;
  let api: Api;
  let browser: Browser;

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'countersign-control-page-'));
    const people = await readFile(path.join(exampleFiles, 'directory.yaml'), 'utf8');
    await writeFile(path.join(home, 'directory.yaml'), people.replace('name: Carol Chen\n', 'name: Carol Chen\n    roles: [administrator]\n'));
    const port = await freePort();
    const read = readConfig({ COUNTERSIGN_HOME: home, PORT: String(port), LOG_LEVEL: 'silent', TEAMS_AUTH: 'off' });
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    [running, browser] = await Promise.all([start(read.config), launchBrowser(chromium ?? '')]);
    api = apiOf(port, `localhost:${port}`);
  });
  afterAll(async () => {
    await browser?.close();
    await running?.shutdown.stop('the test is over');
    running?.shutdown.release();
    await rm(home, { recursive: true, force: true });
  });

  /** By person: a sign-in link works once. */
  const cookies = new Map<string, string>();
  async function signIn(person: string): Promise<string> {
    const link = running.quickstart?.people[`${person}@example.com`]?.sign_in_url ?? '';
    const session = await api.call('POST', '/v1/sessions', { body: { token: new URL(link).hash.slice(1) } });
    return (session.headers['set-cookie'] ?? '').split(';')[0] ?? '';
  }
  async function as(person: string): Promise<{ page: Page; faults: string[] }> {
    const cookie = cookies.get(person) ?? (await signIn(person));
    cookies.set(person, cookie);
    const [name = '', value = ''] = cookie.split('=');
    const opened = await openPage(browser);
    await opened.page.context().addCookies([{ name, value, url: running.url }]);
    await opened.page.goto(`${running.url}/control`);
    return opened;
  }
  const submit = () => api.submit(running.quickstart?.api_key ?? '', EXPORT);

  test('A6: an administrator freezes with two fields and a click; a second one lifts; who placed it is refused in words', async () => {
    const [olivia, carol] = [await as('olivia'), await as('carol')];
    await olivia.page.getByLabel('Actor').fill('retrainer');
    await olivia.page.getByLabel('Why').fill('It loops <b>badly</b>');
    await olivia.page.getByRole('button', { name: 'Freeze' }).click();
    await olivia.page.getByText(/^Frozen\. It holds/).waitFor();
    expect((await submit()).status).toBe(423);
    await olivia.page.getByRole('button', { name: 'Lift' }).click();
    await olivia.page.getByText('You placed this freeze. Somebody else has to lift it.').waitFor();
    await carol.page.reload();
    await carol.page.getByText('It loops <b>badly</b>').waitFor();
    await carol.page.getByRole('button', { name: 'Lift' }).click();
    await carol.page.getByText('It is lifted.').waitFor();
    expect((await submit()).status).toBe(201);
    // What else the page shows; and nothing is frozen without a reason.
    await olivia.page.getByText(/In force:/).waitFor();
    await olivia.page.getByLabel('Everything').check();
    expect(await olivia.page.getByRole('button', { name: 'Freeze' }).isDisabled()).toBe(true);
    expect([...olivia.faults, ...carol.faults]).toEqual([]);
  });

  test('C1: an administrator sees where the bot was added, and a second one has to approve that cards are shown there', async () => {
    // As the local playground says that somebody spoke to the bot; nobody waits for its answer.
    const said = await fetch(`${running.url}/api/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        type: 'message',
        text: 'hi',
        channelId: 'msteams',
        serviceUrl: 'http://127.0.0.1:1/',
        conversation: { id: '19:release@thread.v2', conversationType: 'groupChat', name: 'Release <i>night</i>', tenantId: randomUUID() },
        from: { id: '29:olivia', aadObjectId: randomUUID() },
        recipient: { id: '28:bot' },
      }),
    });
    expect(said.status).toBe(200);
    const [olivia, carol] = [await as('olivia'), await as('carol')];
    await olivia.page.getByText('Release <i>night</i>').waitFor();
    await olivia.page.getByText('gets no cards').waitFor();
    await olivia.page.getByRole('button', { name: 'Show cards here' }).click();
    await olivia.page.getByText('it waits for the approval of somebody else').waitFor();
    await carol.page.getByRole('link', { name: 'Decide' }).first().click();
    await carol.page.getByRole('button', { name: 'Approve' }).click();
    await until(
      async () =>
        (await api.call('GET', '/v1/chat-places', { as: running.quickstart?.people['olivia@example.com']?.token ?? '' })).json.data.some(
          ({ allowed }: { allowed: boolean }) => allowed,
        ),
      'the change',
    );
    await olivia.page.reload();
    await olivia.page.getByText(/gets cards, allowed by Olivia/).waitFor();
    await olivia.page.getByRole('button', { name: 'Show no more cards' }).click();
    await olivia.page.getByText('No more cards are shown there.').waitFor();
    await olivia.page.getByText(/gets no cards, taken back by Olivia/).waitFor();
    expect([...olivia.faults, ...carol.faults]).toEqual([]);
  });
});
