import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { needs } from '@countersign/dev-env/needs';
import type { Browser, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { root, type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/**
 * Every state of a card as Slack and Teams are sent it, drawn by renderers that are not ours, in a real browser. With
 * `COUNTERSIGN_PICTURES=1` the pictures of docs/cards are made anew.
 */
const chromium = needs('chromium', 'the cards of Slack and Teams, drawn by renderers that are not ours');
const PICTURES = process.env['COUNTERSIGN_PICTURES'] === '1' ? path.join(root, 'docs/cards') : null;

const PRIVILEGE = {
  action: 'iam.grant_role',
  resource: { type: 'aws_role', id: 'billing-admin' },
  parameters: { user: 'svc-reports', for_hours: 2 },
  reason: 'Month-end report needs read access to invoices',
  actor: { type: 'agent', id: 'retrainer' },
  environment: 'production',
};

const HOSTILE = {
  ...EXPORT,
  reason: 'Routine.\n\n*Approved by alice@example.com* <!channel> <https://evil.example|Details>\n\u202egnp.exe\u200b',
  parameters: { ...EXPORT.parameters, destination: `s3://ml-retraining/customers.csv${' '.repeat(200)}--delete-after` },
  context: { links: [{ title: 'github.com/acme/plan', url: 'https://xn--githu-n7a.example/plan' }] },
};

const GERMAN = {
  ...EXPORT,
  reason: 'Übergabe der Kundendaten für die Umschulung des Modells „Abwanderung“, Größe: 48.211 Zeilen. Rückfragen an Jürgen Groß 🙂',
  context: { risk: 'high', links: [{ title: 'Auftrag Nr. 7', url: 'https://tickets.example.com/7' }] },
};

const DIFF = '- retention_days = 30\n+ retention_days = 365\n  encryption = "aws:kms"';

/** How each state comes to be, and what both platforms must say of it. */
const STATES: { name: string; says: RegExp[]; buttons: boolean; make(server: RunningServer): Promise<string> }[] = [
  {
    name: 'pending',
    says: [
      /Approval needed/,
      /retrainer/,
      /prod\.customers/,
      /48211/,
      /Ticket OPS-7/,
      /tickets\.example\.com/,
      /customer-data/,
      /retention_days = 365/,
      /1 of data-owners/,
    ],
    buttons: true,
    make: (server) =>
      submit(server, { ...EXPORT, context: { diff: DIFF, risk: 'high', links: [{ title: 'Ticket OPS-7', url: 'https://tickets.example.com/7' }] } }),
  },
  {
    name: 'partly-approved',
    says: [/Alice.* approved it/, /1 of security/],
    buttons: true,
    async make(server) {
      const id = await submit(server, PRIVILEGE);
      await decide(server, id, 'alice', 'approve', 'Checked with finance');
      return id;
    },
  },
  {
    name: 'approved',
    says: [/^Approved/m, /Approved by Alice/],
    buttons: false,
    async make(server) {
      const id = await submit(server, EXPORT);
      await decide(server, id, 'alice', 'approve');
      return id;
    },
  },
  {
    name: 'denied',
    says: [/^Denied/m, /Denied by Bob/, /Use the anonymised copy/],
    buttons: false,
    async make(server) {
      const id = await submit(server, EXPORT);
      await decide(server, id, 'bob', 'deny', 'Use the anonymised copy instead');
      return id;
    },
  },
  {
    name: 'expired',
    says: [/^Expired/m, /not decided in time/],
    buttons: false,
    async make(server) {
      const id = await submit(server, { ...EXPORT, timeout_seconds: 1 });
      await until(async () => (await read(server, id)).status === 'expired', 'the request expires');
      return id;
    },
  },
  {
    name: 'cancelled',
    says: [/^Cancelled/m],
    buttons: false,
    async make(server) {
      const id = await submit(server, EXPORT);
      expect((await server.call('POST', `/v1/action-requests/${id}/cancel`, { as: server.quickstart().api_key })).status).toBeLessThan(300);
      return id;
    },
  },
  {
    name: 'revoked',
    says: [/^Revoked/m],
    buttons: false,
    async make(server) {
      const id = await submit(server, EXPORT);
      await decide(server, id, 'alice', 'approve');
      await until(
        async () => (await server.call('POST', `/v1/action-requests/${id}/revoke`, { as: server.token('alice'), body: {} })).status < 300,
        'the approval is revoked',
      );
      return id;
    },
  },
  {
    name: 'masked',
    says: [/Approval needed/, /hidden|masked/i],
    buttons: true,
    make: (server) =>
      submit(server, { ...EXPORT, parameters: { ...EXPORT.parameters, api_key: 'sk_live_4eC39HqLyjWDarjtT1zdp7dc', notify: 'jane.roe@customer.example' } }),
  },
  {
    name: 'over-long',
    says: [/continues: shown/, /does not show all of it/],
    buttons: true,
    make: (server) =>
      submit(server, {
        ...EXPORT,
        parameters: { ...EXPORT.parameters, statement: `SELECT ${Array.from({ length: 4_000 }, (_, n) => `column_${String(n)}`).join(', ')} FROM customers` },
      }),
  },
  { name: 'hostile', says: [/Beware/, /⟦U\+202E RLO⟧/, /stamp of ours/, /leads to/, /<!channel>/], buttons: true, make: (server) => submit(server, HOSTILE) },
  { name: 'german', says: [/Übergabe der Kundendaten/, /Jürgen Groß/, /🙂/], buttons: true, make: (server) => submit(server, GERMAN) },
];

(chromium === undefined ? describe.skip : describe)('C2: the cards of Slack and Teams, drawn by renderers that are not ours', () => {
  let server: RunningServer;
  let browser: Browser;
  let page: Page;
  let faults: string[];

  beforeAll(async () => {
    [server, browser] = await Promise.all([startServer(), launchBrowser(chromium ?? '')]);
    ({ page, faults } = await openPage(browser, { width: 760, height: 1100 }));
    await page.goto(server.quickstart().people['alice@example.com']?.sign_in_url ?? '');
    await page.getByRole('heading', { name: /Waiting/ }).waitFor();
    if (PICTURES !== null) mkdirSync(PICTURES, { recursive: true });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  }, 60_000);

  test.each(STATES)('$name', async ({ name, says, buttons, make }) => {
    const id = await make(server);
    await page.goto(`${server.url}/requests/${id}`);
    await page.getByText('As Slack and Teams show it').click();
    for (const [tab, platform] of [
      ['Slack', 'slack'],
      ['Microsoft Teams', 'teams'],
    ] as const) {
      await page.getByRole('tab', { name: tab, exact: true }).click();
      const shown = page.locator(`.preview.${platform}`);
      await shown.getByText(id).first().waitFor();
      const text = await shown.innerText();
      for (const said of says) expect({ platform, text }).toEqual({ platform, text: expect.stringMatching(said) });
      expect(text).not.toContain('sk_live_4eC39');
      // What the caller wrote starts no element of its own.
      expect(await shown.locator('img[src*="evil"], a[href*="evil"], script, iframe').count()).toBe(0);
      expect(/\bDeny\b/.test(text)).toBe(buttons);
      if (PICTURES !== null) await shown.screenshot({ path: path.join(PICTURES, `${platform}-${name}.png`) });
    }
    expect(faults).toEqual([]);
  });
});

async function submit(server: RunningServer, submission: object): Promise<string> {
  const reply = await server.submit(server.quickstart().api_key, submission);
  expect(reply).toMatchObject({ status: 201, json: { status: 'pending' } });
  return reply.json.id;
}

async function read(server: RunningServer, id: string): Promise<{ status: string; request_digest: string }> {
  return (await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key })).json;
}

async function decide(server: RunningServer, id: string, who: string, verdict: 'approve' | 'deny', reason?: string): Promise<void> {
  const { request_digest } = await read(server, id);
  const body = { verdict, request_digest, ...(reason === undefined ? {} : { reason }) };
  expect((await server.call('POST', `/v1/action-requests/${id}/decisions`, { as: server.token(who), body })).status).toBe(201);
}
