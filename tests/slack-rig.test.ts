import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { freePort } from '@countersign/dev-env/free-port';
import { needs } from '@countersign/dev-env/needs';
import type { Browser, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { LOCAL_SLACK, type Rig, rig, startRig } from './support/rigs.js';
import { type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/*
 * The running product with a Slack that we did not write (local-slack): the real Bolt over HTTP and over Socket Mode, presses through the
 * rig's control API and by a person's hand in its page. It checks no limits and knows no guests: what it does not model, the fakes of
 * dev-env do (apps/slack-bot).
 */
const program = rig(LOCAL_SLACK, 'Slack, played by local-slack');
const chromium = needs('chromium', 'Slack, played by local-slack');
const CHANNEL = 'C0APPROVALS';
const USERS = { alice: 'U0ALICE', bob: 'U0BOB', dana: 'U0DANA' } as const;

const workspace = (mode: 'events' | 'socket', port: number): string =>
  JSON.stringify({
    workspace: { name: 'Rig', domain: 'rig', teamId: 'T0RIG' },
    app: {
      ...{ appId: 'A0RIG', botUserId: 'U0BOT', botName: 'Countersign', botToken: 'xoxb-rig-token', appToken: 'xapp-rig-token', signingSecret: 'rig-secret' },
      mode,
      requestUrl: `http://127.0.0.1:${port}/slack/events`,
    },
    users: Object.entries(USERS).map(([name, id]) => ({ id, name, real_name: name, email: `${name}@example.com` })),
    channels: [{ id: CHANNEL, name: 'approvals', members: ['U0BOT', ...Object.values(USERS)] }],
  });

interface Message {
  ts: string;
  thread_ts?: string;
  text: string;
  blocks?: { block_id?: string; type: string; elements?: { type: string; action_id?: string; value?: string; text?: { text: string } }[] }[];
}

describe.each(['events', 'socket'] as const)('Slack, played by local-slack: %s mode', (mode) => {
  const it = program === undefined || chromium === undefined ? test.skip : test;
  let slack: Rig;
  let server: RunningServer;
  let browser: Browser;

  beforeAll(async () => {
    if (program === undefined || chromium === undefined) return;
    const port = await freePort();
    slack = await startRig({ program, args: (own) => ['--config', 'slack.yaml', '--port', String(own)], files: { 'slack.yaml': workspace(mode, port) } });
    [server, browser] = await Promise.all([
      startServer({
        port,
        env: {
          SLACK_BOT_TOKEN: 'xoxb-rig-token',
          ...(mode === 'socket' ? { SLACK_APP_TOKEN: 'xapp-rig-token' } : { SLACK_SIGNING_SECRET: 'rig-secret' }),
          SLACK_API_URL: `${slack.url}/api/`,
          SLACK_CHANNEL: '#approvals',
        },
      }),
      launchBrowser(chromium),
    ]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await slack?.stop();
  }, 60_000);

  const messages = async (channel: string = CHANNEL): Promise<Message[]> => (await (await fetch(`${slack.url}/_control/messages/${channel}`)).json()).messages;
  const cardOf = (id: string): Promise<Message> => until(async () => (await messages()).find((one) => JSON.stringify(one).includes(id)), `the card of ${id}`);
  const status = async (id: string): Promise<string> =>
    (await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key })).json.status;
  const ask = async (members: object = {}): Promise<{ id: string; request_digest: string }> =>
    (await server.submit(server.quickstart().api_key, { ...EXPORT, ...members })).json;
  const button = ({ blocks = [] }: Message, label: string) => {
    for (const block of blocks) {
      const found = block.elements?.find(({ type, text }) => type === 'button' && text?.text === label);
      if (found !== undefined) return { type: 'button', action_id: found.action_id, block_id: block.block_id, value: found.value };
    }
    throw new Error(`no button ${label}`);
  };
  /** Presses, and presses again where nothing comes of it: the rig drops what it has for an app whose socket is not connected, or connects anew. */
  async function press(user: string, messageTs: string, action: object, effect: () => Promise<boolean>, what: string): Promise<void> {
    await until(
      async () => {
        await fetch(`${slack.url}/_control/interact`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ channel: CHANNEL, messageTs, user, action }),
        });
        return until(effect, what, 4_000).catch(() => false);
      },
      what,
      40_000,
    );
  }
  const refusals = async (id: string): Promise<number> =>
    (await server.call('GET', `/v1/action-requests/${id}/events`, { as: server.token('olivia') })).json.data.filter(
      ({ event }: { event: string }) => event === 'decision.refused',
    ).length;
  /** Whether the bot said so to anybody, as the rig's record of its calls has it. */
  const told = async (words: string): Promise<boolean> => (await (await fetch(`${slack.url}/_control/log`)).text()).includes(words);

  /** Whether it stands in the channel, for all or for one person: the record of calls does not hold what goes to a response_url. */
  const shown = async (words: string): Promise<boolean> => JSON.stringify(await messages()).includes(words);

  it('C1, C3: one press by an approver decides, and the card closes with the outcome', async () => {
    const { id } = await ask();
    const card = await cardOf(id);
    await press(USERS.bob, card.ts, button(card, 'Approve'), async () => (await status(id)) === 'approved', 'the approval');
    const closed = await until(async () => {
      const now = await cardOf(id);
      return JSON.stringify(now).includes('Approved') && now;
    }, 'the card to close');
    expect(closed.ts).toBe(card.ts);
    expect(() => button(closed, 'Approve')).toThrow();
  });

  it('C4: who stands behind the request, a stranger value, and a button that is gone decide nothing', async () => {
    const [first, second] = [await ask(), await ask()];
    const card = await cardOf(first.id);
    const approve = button(card, 'Approve');
    await press(USERS.dana, card.ts, approve, async () => (await refusals(first.id)) > 0, 'the refusal of who stands behind it');
    const other = JSON.stringify({ request_id: second.id, request_digest: second.request_digest });
    await press(USERS.bob, card.ts, { ...approve, value: other }, () => told('This button does not belong to this card'), 'the words for a strange button');
    expect((await server.decide(server.token('alice'), first, 'deny', 'No')).status).toBe(201);
    const before = await refusals(first.id);
    await press(USERS.bob, card.ts, approve, async () => (await refusals(first.id)) > before, 'the refusal of a button that is gone');
    expect(await status(first.id)).toBe('denied');
    expect(await status(second.id)).toBe('pending');
  });

  it('C3: a person denies in the page, with a reason in the form', async () => {
    const { id } = await ask({ reason: 'Denied by hand' });
    await cardOf(id);
    const { page } = await openPage(browser, { width: 1280, height: 1000 });
    await actAs(page, 'alice');
    // As in `press`: what is clicked while a socket connects anew is lost.
    const form = page.getByText('Deny the request');
    const asked = async (): Promise<boolean> => {
      if (await form.isVisible()) return true;
      await page.getByRole('button', { name: 'Deny' }).last().click();
      return form.waitFor({ timeout: 10_000 }).then(
        () => true,
        () => false,
      );
    };
    await until(asked, 'the form', 60_000);
    await page.locator('textarea, input[type=text], input:not([type])').last().fill('Not this week');
    await page.getByRole('button', { name: 'Deny' }).last().click();
    await until(async () => (await status(id)) === 'denied', 'the denial');
    const { json } = await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key });
    expect(json.decisions).toEqual([expect.objectContaining({ verdict: 'deny', reason: 'Not this week', via: 'slack' })]);
  });

  it('C3: a person asks a question in the page; it is on the record, stands in the thread of its card, and the card stays open', async () => {
    const { id } = await ask({ reason: 'Asked about by hand' });
    const card = await cardOf(id);
    const { page } = await openPage(browser, { width: 1280, height: 1000 });
    await actAs(page, 'alice');
    const form = page.getByText('Your question', { exact: true });
    await until(
      async () => {
        if (await form.isVisible()) return true;
        await page.getByRole('button', { name: 'Ask a question' }).last().click();
        return form.waitFor({ timeout: 10_000 }).then(
          () => true,
          () => false,
        );
      },
      'the form',
      60_000,
    );
    await page.locator('textarea, input[type=text], input:not([type])').last().fill('Why all the rows?');
    await page.getByRole('button', { name: 'Ask', exact: true }).last().click();
    await until(async () => JSON.stringify(await messages()).includes('Why all the rows?'), 'the question');
    const thread = await until(
      async () => (await messages()).find((one) => one.thread_ts === card.ts && JSON.stringify(one).includes('Why all the rows?')),
      'the question in the thread of its card',
    );
    expect(thread.ts).not.toBe(card.ts);
    expect(await status(id)).toBe('pending');
  });

  it('C3: a person says by a command that they are away, and the app’s home shows it, and what waits', async () => {
    const control = (what: string, body: object) =>
      fetch(`${slack.url}/_control/${what}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const { id } = await ask({ reason: 'Waits at home' });
    await cardOf(id);
    const away = { channel: CHANNEL, user: USERS.alice, command: '/countersign', text: 'away until tomorrow, bob@example.com stands in' };
    await until(
      async () => (await control('command', away)) && until(() => shown('stands in for you'), 'the answer', 4_000).catch(() => false),
      'the answer',
      40_000,
    );
    await until(
      async () => {
        await control('open-home', { user: USERS.alice });
        return until(() => told('To end it: /countersign back'), 'the home', 4_000).catch(() => false);
      },
      'the home',
      40_000,
    );
    expect(await told('wait for you')).toBe(true);
    await control('command', { ...away, text: 'back' });
    await until(() => shown('in for you no more'), 'the end of it');
  });

  async function actAs(page: Page, name: string): Promise<void> {
    await page.goto(slack.url);
    await page.locator('select').first().selectOption({ label: name });
  }
});
