import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { needs } from '@countersign/dev-env/needs';
import type { Browser, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { exampleFiles } from './support/installation.js';
import { type RunningServer, startServer } from './support/running-server.js';

const chromium = needs('chromium', 'the explanation on the request page, in a browser');

/** To the rules of the quickstart; nothing of it loosens, so it holds at once. */
const MORE = `
  - id: large-exports
    effect: require
    actions: [data.export]
    when: 'environment == "production" && has(parameters.rows) && parameters.rows > 10000'
    masks: [parameters.note]
  - id: noted
    effect: require
    actions: [data.export]
    when: 'has(parameters.note) && parameters.note.contains("urgent")'
  - id: no-parquet
    effect: deny
    actions: [data.export]
    when: 'has(parameters.format) && parameters.format == "parquet"'
  - id: nobody-exports
    effect: deny
    mode: shadow
    actions: [data.export]
`;

const NOTE = 'urgent: for the board';

(chromium === undefined ? describe.skip : describe)('why policy said so, on the page of a request', () => {
  let server: RunningServer;
  let browser: Browser;
  let page: Page;
  let faults: string[];
  let request: { id: string; url: string };

  beforeAll(async () => {
    [server, browser] = await Promise.all([startServer(), launchBrowser(chromium ?? '')]);
    const text = readFileSync(path.join(exampleFiles, 'policy.yaml'), 'utf8') + MORE;
    const admin = server.token('olivia');
    const stored = await server.call('POST', '/v1/policies', { as: admin, body: { files: [{ path: 'policy.yaml', text }] } });
    expect((await server.call('POST', `/v1/policies/${stored.json.policy_digest}/activate`, { as: admin, body: {} })).json.in_force).toBe(true);
    ({ page, faults } = await openPage(browser));
    await page.goto(server.quickstart().people['alice@example.com']?.sign_in_url ?? '');
    await page.getByRole('heading', { name: /Waiting/ }).waitFor();
    const parameters = { ...EXPORT.parameters, format: '<img src=x onerror="document.title=1">', note: NOTE };
    const reply = await server.submit(server.quickstart().api_key, { ...EXPORT, parameters });
    expect(reply.status).toBe(201);
    request = reply.json;
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  }, 60_000);

  test('it is folded and asks for nothing until it is opened; then it tells each rule, condition and value', async () => {
    const asked: string[] = [];
    page.on('request', (sent) => void (sent.url().endsWith('/explanation') && asked.push(sent.url())));
    await page.goto(request.url);
    const why = page.locator('details.explanation');
    await why.waitFor();
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    expect(asked).toEqual([]);
    await page.getByText('Why policy said so').focus();
    await page.keyboard.press('Enter');
    const rule = page.getByRole('region', { name: 'Rule large-exports' });
    await rule.waitFor();
    expect(asked).toHaveLength(1);
    const text = await rule.innerText();
    for (const said of ['require', 'It matches', 'This decided', 'parameters.rows > 10000', '48211']) expect(text).toContain(said);
    const whole = await why.innerText();
    for (const said of ['quickstart 1', 'production', 'irreversible', 'nobody-exports', 'it would be denied', '2 rules are for other actions'])
      expect(whole).toContain(said);
    await why.getByText('1 rule for this action does not match').click();
    const silent = page.getByRole('region', { name: 'Rule no-parquet' });
    await silent.waitFor();
    const other = await silent.innerText();
    for (const said of ['It does not match', 'false', 'parameters.format == "parquet"', '<img src=x', 'Were it true: it would be denied'])
      expect(other).toContain(said);
  });

  test('no hidden value is on it, no markup of a request runs, and the content security policy stops nothing', async () => {
    const why = page.locator('details.explanation');
    const text = await why.innerText();
    expect(text).toContain('(hidden)');
    expect(await page.content()).not.toContain(NOTE);
    expect(await why.locator('img, script, iframe').count()).toBe(0);
    expect(await page.title()).toBe('Countersign');
    expect(faults).toEqual([]);
  });
});
