import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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
    const read = readConfig({ COUNTERSIGN_HOME: home, PORT: String(port), LOG_LEVEL: 'silent' });
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

  async function as(person: string): Promise<{ page: Page; faults: string[] }> {
    const link = running.quickstart?.people[`${person}@example.com`]?.sign_in_url ?? '';
    const session = await api.call('POST', '/v1/sessions', { body: { token: new URL(link).hash.slice(1) } });
    const [name = '', value = ''] = (session.headers['set-cookie'] ?? '').split(';')[0]?.split('=') ?? [];
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
});
