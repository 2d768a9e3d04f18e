import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { needs } from '@countersign/dev-env/needs';
import type { Browser, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { root, type RunningServer, startServer } from './support/running-server.js';

const chromium = needs('chromium', 'what the page asks for with a decision');

const RULES = `
  - id: restart
    effect: require
    actions: [ops.restart]
    explain: Restarts take a ticket
    break_glass: { group: security, review_by: data-owners, review_within: 1h }
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      obligations: { ticket: { pattern: "CHG-[0-9]{4}" }, acknowledge: ["I have read the runbook."], must_open: true }
      delegation: { within: anyone, max_duration: 14d }
      counter: [parameters.rows]
  - id: exports-alike
    effect: require
    actions: [report.export]
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      alike: { pin: [parameters.format], max_uses: 3, max_ttl: 2h }
`;

/** The quickstart's policy with a rule that demands what a press alone cannot give. */
function policyText(): string {
  const text = readFileSync(path.join(root, 'apps/server/src/quickstart/policy.yaml'), 'utf8');
  const more = text.replace('\nrules:\n', `\nrules:${RULES}\n`);
  if (more === text) throw new Error('the quickstart policy reads otherwise than this test thinks');
  return more;
}

(chromium === undefined ? describe.skip : describe)('what the page asks for with a decision', () => {
  let home: string;
  let server: RunningServer;
  let browser: Browser;

  beforeAll(async () => {
    home = mkdtempSync(path.join(tmpdir(), 'countersign-inputs-'));
    writeFileSync(path.join(home, 'policy.yaml'), policyText());
    copyFileSync(path.join(root, 'apps/server/src/quickstart/directory.yaml'), path.join(home, 'directory.yaml'));
    [server, browser] = await Promise.all([startServer({ home }), launchBrowser(chromium ?? '')]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(home, { recursive: true, force: true });
  }, 60_000);

  /** A sign-in link works once: a person's later pages are of the same browser. */
  const first = new Map<string, Page>();
  async function as(person: string): Promise<Page> {
    const known = first.get(person);
    if (known !== undefined) return known.context().newPage();
    const { page } = await openPage(browser);
    await page.goto(server.quickstart().people[`${person}@example.com`]?.sign_in_url ?? '');
    await page.getByRole('heading', { name: /Waiting/ }).waitFor();
    first.set(person, page);
    return page;
  }
  async function ask(): Promise<{ id: string; url: string; request_digest: string }> {
    const reply = await server.submit(server.quickstart().api_key, { ...EXPORT, action: 'ops.restart', resource: { type: 'service', id: 'billing' } });
    expect(reply).toMatchObject({ status: 201, json: { status: 'pending' } });
    return reply.json;
  }
  const read = async (id: string) => (await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key })).json;

  test('B5: ticket, words and a look at everything are asked for, and stand on the decision', async () => {
    const { id, url } = await ask();
    const page = await as('alice');
    await page.goto(url);
    await page.getByText('Approving needs').waitFor();
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    // Nothing went out: the form asks first, and cannot be sent before everything was opened.
    expect(await page.getByRole('button', { name: 'Approve', exact: true }).isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Open everything' }).click();
    await page.locator('pre.everything').waitFor();
    await page.getByLabel(/^Ticket/).fill('CHG-1');
    await page.getByLabel('I have read the runbook.').check();
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('Policy asks for a ticket with the approval').waitFor();
    expect((await read(id)).status).toBe('pending');
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByLabel(/^Ticket/).fill('CHG-1234');
    await page.getByLabel('I have read the runbook.').check();
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('You approved it.').waitFor();
    expect(await read(id)).toMatchObject({ status: 'approved', decisions: [{ ticket: 'CHG-1234', acknowledged: ['I have read the runbook.'] }] });
  });

  test('B6: others like it are approved with it: pinned as the approver says, so often, and no wider', async () => {
    const submit = (parameters: object) =>
      server.submit(server.quickstart().api_key, { ...EXPORT, action: 'report.export', resource: { type: 'report', id: 'churn' }, parameters });
    const { json: asked } = await submit({ format: 'csv', rows: 10 });
    const page = await as('alice');
    await page.goto(asked.url);
    await page.getByRole('button', { name: 'Approve others like it too…' }).click();
    // What policy pins cannot be let go; the rest begins pinned.
    expect(await page.getByLabel(/parameters.format is as here/).isDisabled()).toBe(true);
    expect(await page.getByLabel(/parameters.rows is as here/).isChecked()).toBe(true);
    await page.getByLabel(/parameters.rows is as here/).uncheck();
    await page.getByLabel(/^So many/).fill('2');
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('You approved it.').waitFor();
    expect((await submit({ format: 'pdf', rows: 11 })).json.status).toBe('pending');
    expect((await submit({ format: 'csv', rows: 12 })).json.status).toBe('approved');
    await page.goto(`${server.url}/control`);
    await page.getByText('1 of 2 used').waitFor();
    for (const status of ['approved', 'pending']) expect((await submit({ format: 'csv', rows: 13 })).json.status).toBe(status);
  });

  test('B5: a denial asks for a reason alone', async () => {
    const { id, url } = await ask();
    const page = await as('bob');
    await page.goto(url);
    await page.getByRole('button', { name: 'Deny' }).click();
    expect(await page.getByLabel(/^Ticket/).count()).toBe(0);
    await page.getByLabel(/^Reason/).fill('Not now');
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.getByText('You denied it.').waitFor();
    expect((await read(id)).status).toBe('denied');
  });

  test('C6: who may break the glass is offered it, with a reason; the others are not; a review follows', async () => {
    const { id, url } = await ask();
    const owner = await as('alice');
    await owner.goto(url);
    await owner.getByRole('button', { name: 'Approve', exact: true }).waitFor();
    expect(await owner.getByRole('button', { name: /Break the glass/ }).count()).toBe(0);
    const page = await as('carol');
    await page.goto(url);
    await page.getByRole('button', { name: /Break the glass/ }).click();
    await page.getByLabel(/^Reason/).fill('Billing is down');
    await page.getByRole('button', { name: 'Break the glass', exact: true }).click();
    await page.getByText('You broke the glass').waitFor();
    expect(await read(id)).toMatchObject({ status: 'approved', outcome: { break_glass: true } });
    await owner.goto(`${server.url}/reviews`);
    await owner.getByLabel('What you found').first().fill('It was down indeed');
    await owner.getByRole('button', { name: 'Justified', exact: true }).first().click();
    await owner.getByText('found it justified').waitFor();
    expect((await read(id)).reviews).toMatchObject([{ finding: 'justified', reviewed_by: { email: 'alice@example.com' } }]);
  });

  test('C6: a question and a counter-proposal go from the page to the caller, and the answer comes back', async () => {
    const { id, url } = await ask();
    const page = await as('alice');
    await page.goto(url);
    await page.getByRole('button', { name: 'Ask a question' }).click();
    await page.getByLabel(/^Ask a question/).fill('Why at noon?');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Your question is asked.').waitFor();
    const [question] = (await read(id)).questions;
    await server.call('POST', `/v1/action-requests/${id}/questions/${question.id}/answers`, {
      as: server.quickstart().api_key,
      body: { text: 'Lunch is quiet' },
    });
    await page.reload();
    await page.locator('.answer', { hasText: 'Lunch is quiet' }).waitFor();
    await page.getByRole('button', { name: 'Propose other values' }).click();
    await page.getByLabel('Value').fill('100');
    await page.getByRole('button', { name: 'Propose', exact: true }).click();
    await page.getByText('Your counter-proposal is made.').waitFor();
    expect((await read(id)).proposals).toMatchObject([{ parameters: { 'parameters.rows': 100 } }]);
  });

  test('C6: a stand-in is named on a page, and decides for who is away', async () => {
    const away = await as('bob');
    await away.goto(`${server.url}/stand-ins`);
    await away.getByLabel(/^Who stands in/).fill('carol@example.com');
    const tomorrow = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 16);
    await away.getByLabel('Until').fill(tomorrow);
    await away.getByRole('button', { name: 'Name the stand-in' }).click();
    await away.getByText('Carol Chen for Bob Brown').waitFor();
    const { id, url } = await ask();
    const page = await as('carol');
    await page.goto(url);
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.getByRole('button', { name: 'Back' }).waitFor();
    await page.getByLabel('Decide for').selectOption({ label: 'Bob Brown, who is away' });
    await page.getByLabel(/^Reason/).fill('Bob would not');
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.getByText('You denied it.').waitFor();
    expect((await read(id)).decisions).toMatchObject([{ person: { email: 'carol@example.com' }, delegate_for: { email: 'bob@example.com' } }]);
  });
});
