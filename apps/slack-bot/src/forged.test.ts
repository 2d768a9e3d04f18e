import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Delivery, Press } from '@countersign/dev-env/slack';
import { ACTIONS } from './buttons.js';
import { createSlackWorld, type SlackWorld } from './testing/slack-world.js';

/*
 * Whatever comes to the request address that is not Slack's word to this app, now, from a workspace where it is installed: 401 or words to the
 * presser alone, never 500, never a decision. One world for all, since none of it may leave a trace; its last press is a true one.
 */

let made: SlackWorld;
let slack: SlackWorld['slack'];
let id: string;
let ts: string;

beforeAll(async () => {
  made = await createSlackWorld();
  slack = made.slack;
  ({ id } = await made.world.open());
  await made.bot.work();
  ts = slack.messages('approvals').at(-1)?.ts ?? '';
});
afterAll(() => made.close());

const MINUTES = 60_000;
type Forgery = Pick<Press, 'at' | 'signature' | 'appId'>;

const FORGERIES: [string, () => Forgery][] = [
  ['without a signature', () => ({ signature: 'missing' })],
  ['with a signature of no sense', () => ({ signature: 'malformed' })],
  ['with a signature of another version', () => ({ signature: 'other_version' })],
  ['signed with another app’s secret', () => ({ signature: 'foreign_secret' })],
  ['changed on its way', () => ({ signature: 'tampered_body' })],
  ['six minutes old', () => ({ at: Date.now() - 6 * MINUTES })],
  ['from six minutes ahead', () => ({ at: Date.now() + 6 * MINUTES })],
  ['a year old', () => ({ at: Date.now() - 525_600 * MINUTES })],
  ['before time began', () => ({ at: -1_000 })],
  ['signed by Slack for another app', () => ({ appId: 'A0OTHER' })],
];

const ROADS: [string, (forgery: Forgery) => Promise<Delivery>][] = [
  ['a press', (forgery) => slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.approve, ...forgery })],
  [
    'a command',
    (forgery) => slack.client.command({ user: 'U0OLIVIA', channel: 'approvals', command: '/countersign', text: 'freeze everything now', ...forgery }),
  ],
  ['an event', (forgery) => slack.client.event({ type: 'app_uninstalled' }, forgery)],
];

const decisions = async () => (await made.world.state(id)).decisions;

describe.each(ROADS)('%s', (road, send) => {
  // Bolt acknowledges events before anybody listens; one of another app is heard by nobody (below).
  test.each(FORGERIES.filter(([, forgery]) => road !== 'an event' || forgery().appId === undefined))('%s is answered with 401', async (_what, forgery) => {
    expect((await send(forgery())).status).toBe(401);
  });
});

test('an event for another app is heard by nobody', async () => {
  const asked = () => slack.wire.traffic.filter(({ request }) => request.name === 'auth.test').length;
  const before = asked();
  await slack.client.event({ type: 'app_uninstalled' }, { appId: 'A0OTHER' });
  expect(made.warnings.join()).toContain('The payload is for the app A0OTHER');
  expect(asked()).toBe(before);
});

test.each(FORGERIES)('a form %s is answered with 401', async (_what, forgery) => {
  await slack.client.press({ user: 'U0BOB', channel: 'approvals', ts, actionId: ACTIONS.deny });
  await made.form('U0BOB');
  expect((await slack.client.submit({ user: 'U0BOB', force: true, values: { reason: 'no' }, ...forgery() })).status).toBe(401);
});

test.each<[string, Partial<Press>]>([
  ['of another workspace', { teamId: 'T0OTHER', userTeamId: 'T0OTHER' }],
  ['whose person is of another workspace', { userTeamId: 'T0OTHER' }],
  ['of another workspace, of our person', { teamId: 'T0OTHER' }],
  ['of no workspace', { payload: { team: null } }],
  ['of a whole Grid', { payload: { team: null, enterprise: { id: 'E0OTHER', name: 'Other' }, is_enterprise_install: true } }],
  ['of another Grid’s workspace', { teamId: 'T0OTHER', payload: { enterprise: { id: 'E0OTHER', name: 'Other' } } }],
])('a press %s is refused in private', async (_what, forgery) => {
  const answers = () => [...slack.ephemeral('U0ALICE'), ...slack.direct('U0ALICE')];
  const before = new Set(answers().map((answer) => answer.ts));
  const { status } = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.approve, ...forgery });
  expect(status).toBe(200);
  expect(await slack.wire.until(() => answers().find((answer) => !before.has(answer.ts))?.text, 'the refusal')).toContain('another organisation');
});

test.each([
  ['nothing', ''],
  ['no JSON', 'payload=x'],
  ['JSON of another kind', 'payload=[1]'],
  ['an empty payload', 'payload={}'],
  [
    'an action without a message',
    `payload=${encodeURIComponent(JSON.stringify({ type: 'block_actions', user: { id: 'U0ALICE' }, actions: [{ action_id: ACTIONS.approve }] }))}`,
  ],
])('%s, as it may come from anybody, is answered with 401', async (_what, body) => {
  const { status } = await fetch(`${made.url}/slack/events`, { method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  expect(status).toBe(401);
});

test('before the app’s own id is known, a payload for another app decides nothing', async () => {
  await made.restart();
  const before = slack.ephemeral('U0ALICE').length + slack.direct('U0ALICE').length;
  await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.approve, appId: 'A0OTHER' });
  await slack.wire.until(() => slack.ephemeral('U0ALICE').length + slack.direct('U0ALICE').length > before, 'an answer');
  expect(await decisions()).toEqual([]);
});

test('and of all of it nothing is left: nothing was decided, nothing is frozen, and the true press counts', async () => {
  expect(await decisions()).toEqual([]);
  expect(await made.world.store.freezes.list(made.world.tenant, { open: true, limit: 10 })).toEqual([]);
  await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.approve });
  await slack.wire.until(() => !JSON.stringify(slack.message('approvals', ts)?.blocks).includes('"Approve"'), 'the closed card');
  expect(await decisions()).toMatchObject([{ verdict: 'approve' }]);
});
