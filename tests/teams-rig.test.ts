import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { freePort } from '@countersign/dev-env/free-port';
import { needs } from '@countersign/dev-env/needs';
import type { Browser, Locator, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { PLAYGROUND, type Rig, rig, startRig } from './support/rigs.js';
import { type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/*
 * The running product in the Microsoft 365 Agents Playground: the real botbuilder, cards drawn and pressed in Microsoft's own page.
 * It knows neither authentication offline nor refresh, dialogs, guests and limits: what it does not model, the fakes of dev-env do (apps/teams-bot).
 */
const program = rig(PLAYGROUND, 'Teams, played by the Microsoft 365 Agents Playground');
const chromium = needs('chromium', 'Teams, played by the Microsoft 365 Agents Playground');

/** Bob, an approver, sits before it. */
const person = (number: number, name: string): object => ({
  id: `user-id-${number}`,
  name,
  userPrincipleName: `${name}@example.com`,
  aadObjectId: `00000000-0000-0000-0000-00000000002${number}`,
  givenName: name,
  surname: 'Example',
  email: `${name}@example.com`,
});
/** The playground's configuration (YAML, so JSON too); it wants five others, and Bob, an approver, sits before it. */
const PEOPLE = JSON.stringify({
  version: '0.1.1',
  tenantId: '00000000-0000-0000-0000-000000000001',
  bot: { id: '00000000-0000-0000-0000-000000000011', name: 'Countersign' },
  currentUser: person(0, 'bob'),
  users: ['alice', 'dana', 'carol', 'olivia', 'mallory'].map((name, index) => person(index + 1, name)),
  personalChat: { id: '11111111-1111-1111-1111-111111111111' },
  groupChat: { id: '11111111-1111-1111-1111-111111111112', name: 'Group Chat' },
  team: { id: 'team-id', name: 'My Team', aadGroupId: '00000000-0000-0000-0000-000000000031', channels: [{ id: 'channel-approvals', name: 'Approvals' }] },
});

(program === undefined || chromium === undefined ? describe.skip : describe)('Teams, played by the Agents Playground', () => {
  let teams: Rig;
  let server: RunningServer;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const port = await freePort();
    teams = await startRig({
      program: process.execPath,
      args: (own) => [program ?? '', 'start', '-e', `http://127.0.0.1:${port}/api/messages`, '-c', 'msteams', '-p', String(own), '--disable-telemetry'],
      files: { '.m365agentsplayground.yml': PEOPLE },
    });
    [server, browser] = await Promise.all([startServer({ port, env: { TEAMS_AUTH: 'off' } }), launchBrowser(chromium ?? '')]);
    ({ page } = await openPage(browser, { width: 1200, height: 1400 }));
    await page.goto(teams.url);
    // A bot speaks to whom has spoken to it: what is asked before the word is with it gets no card here.
    const greeted = async (): Promise<boolean> => {
      // The composer stands below the cards, which have fields of their own.
      await page.getByRole('textbox').last().click();
      await page.keyboard.type('hi');
      await page.keyboard.press('Enter');
      await ask({ reason: 'Is anybody there' });
      return cardWith('Is anybody there', 10_000).then(
        () => true,
        () => false,
      );
    };
    await until(greeted, 'the first card', 60_000);
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await teams?.stop();
  }, 60_000);

  const status = async (id: string): Promise<string> =>
    (await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key })).json.status;
  const ask = async (members: object = {}): Promise<{ id: string; request_digest: string }> =>
    (await server.submit(server.quickstart().api_key, { ...EXPORT, ...members })).json;

  /** The newest card with that text in it, drawn. */
  async function cardWith(text: string, timeout = 30_000): Promise<Locator> {
    const card = page.locator('.ac-adaptiveCard').filter({ hasText: text }).last();
    await card.waitFor({ timeout });
    return card;
  }

  test('C1, C3: the card that Microsoft draws is approved by one press, and closes', async () => {
    const { id } = await ask({ reason: 'Approved in Teams' });
    const card = await cardWith('Approved in Teams');
    await card.getByRole('button', { name: 'Approve' }).click();
    await until(async () => (await status(id)) === 'approved', 'the approval');
    const { json } = await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key });
    expect(json.decisions).toEqual([expect.objectContaining({ verdict: 'approve', via: 'teams' })]);
    const closed = await cardWith(id);
    await closed.getByText('Approved by Bob').waitFor({ timeout: 30_000 });
    expect(await closed.getByRole('button', { name: 'Approve' }).count()).toBe(0);
  });

  test('C3: a denial takes the reason along', async () => {
    const { id } = await ask({ reason: 'Denied in Teams' });
    const card = await cardWith('Denied in Teams');
    await card.locator('textarea').fill('Not this week');
    await card.getByRole('button', { name: 'Deny' }).click();
    await until(async () => (await status(id)) === 'denied', 'the denial');
    const { json } = await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key });
    expect(json.decisions).toEqual([expect.objectContaining({ verdict: 'deny', reason: 'Not this week', via: 'teams' })]);
  });

  test('C2: Show everything shows the whole of what one card cannot hold, page by page, and it is approved there', async () => {
    const { id } = await ask({ reason: 'A long one', parameters: { sql: `BEGIN ${'x'.repeat(41_220)} END` } });
    const card = await cardWith('A long one');
    await card.getByRole('button', { name: 'Approve' }).click();
    for (let number = 1; number < 9; number++) {
      const whole = await cardWith(`Page ${String(number)} of`);
      if ((await whole.getByRole('button', { name: 'Next page' }).count()) === 0) break;
      expect(await status(id)).toBe('pending');
      await whole.getByRole('button', { name: 'Next page' }).click();
    }
    const last = page.locator('.ac-adaptiveCard').filter({ hasText: 'Everything' }).filter({ hasText: id }).last();
    await last.getByRole('button', { name: 'Approve' }).click();
    await until(async () => (await status(id)) === 'approved', 'the approval');
  });

  test('C3: a question is asked from the card’s menu, where no dialogs are known by a form of its own', async () => {
    const { id } = await ask({ reason: 'To be asked about' });
    const card = await cardWith('To be asked about');
    await card.getByRole('button').last().click();
    await page.getByText('Ask a question').last().click();
    const form = await cardWith('Your question');
    await form.locator('textarea').fill('Which *tables*?');
    await form.getByRole('button', { name: 'Ask' }).click();
    const asked = async (): Promise<boolean> =>
      JSON.stringify((await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key })).json).includes('Which *tables*?');
    await until(asked, 'the question');
  });

  test('C6: what waits is told to whom it waits for', async () => {
    const { id } = await ask({ reason: 'Waiting for you' });
    await cardWith('Waiting for you');
    await page.getByRole('textbox').last().click();
    await page.keyboard.type('waiting');
    await page.keyboard.press('Enter');
    await cardWith('wait for you');
    await page.getByText(id).last().waitFor({ timeout: 30_000 });
  });

  test('C1: what was decided elsewhere closes here too', async () => {
    const request = await ask({ reason: 'Decided elsewhere' });
    await cardWith('Decided elsewhere');
    expect((await server.decide(server.token('alice'), request, 'approve')).status).toBe(201);
    await (await cardWith(request.id)).getByText('Approved by Alice').waitFor({ timeout: 30_000 });
  });

  test('C4: who stands behind the request is refused, and it stays open', async () => {
    const { id } = await ask({ reason: 'For Bob himself', actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'bob@example.com' } } });
    const card = await cardWith('For Bob himself');
    await card.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('You cannot decide this request').last().waitFor({ timeout: 30_000 });
    expect(await status(id)).toBe('pending');
  });
});
