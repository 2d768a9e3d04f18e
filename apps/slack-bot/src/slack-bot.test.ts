import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ApprovalWorld, createApprovalWorld } from '@countersign/dev-env/approval-world';
import { type FakeSlack, startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import { decide } from '@countersign/core/flow';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSlackBot, type SlackBot } from './index.js';
import { ACTIONS } from './render.js';

let world: ApprovalWorld;
let slack: FakeSlack;
let bot: SlackBot;
let server: Server;
let warnings: string[];

beforeEach(async () => {
  warnings = [];
  slack = await startFakeSlack({
    users: [
      ...['dana', 'alice', 'bob', 'carol'].map((name) => ({ id: `U0${name.toUpperCase()}`, name, email: `${name}@example.com` })),
      { id: 'U0MALLORY', name: 'mallory', email: 'mallory@example.com' },
    ],
    channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
  });
  const account = (name: string) => [{ platform: 'slack' as const, workspace: slack.teamId, user: `U0${name.toUpperCase()}` }];
  world = await createApprovalWorld({ accounts: { dana: account('dana'), alice: account('alice'), bob: account('bob'), carol: account('carol') } });
  bot = createBot();
  server = createServer((request, response) => {
    bot.mount().handler(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  // A TCP server that listens has an AddressInfo.
  slack.connect(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/slack/events`);
  await bot.start();
});
afterEach(async () => {
  await bot.stop();
  server.closeAllConnections();
  server.close();
  await slack.close();
  await world.close();
});

function createBot(options: { linkMode?: 'proof' | 'email'; socket?: boolean } = {}): SlackBot {
  const note = (fields: object, message: string) =>
    void warnings.push(`${message}: ${'err' in fields && fields.err instanceof Error ? fields.err.message : JSON.stringify(fields)}`);
  return createSlackBot({
    config: {
      botToken: slack.botToken,
      signingSecret: slack.signingSecret,
      appToken: options.socket === true ? slack.appToken : null,
      apiUrl: slack.apiUrl,
      channel: '#approvals',
      linkMode: options.linkMode ?? 'proof',
    },
    tenant: world.tenant,
    publicUrl: 'http://localhost:8080',
    notice: null,
    cards: world.store.cards,
    requests: world.store.requests,
    directory: world.store.directory,
    decide: (input) => decide(world.flow, input),
    clock: world.flow.clock,
    log: { debug: () => {}, info: () => {}, warn: note, error: note },
  });
}

/** Opens a request and posts its card. */
async function posted(submission = {}, ago = 0): Promise<{ id: string; ts: string }> {
  const { id } = await world.open(submission, ago);
  await bot.work();
  const message = slack.messages('approvals').at(-1);
  expect(visibleText(message?.blocks ?? [])).toContain(id);
  return { id, ts: message?.ts ?? '' };
}
const textOf = (ts: string) => visibleText(slack.message('approvals', ts)?.blocks ?? []);
const isOpen = (ts: string) => JSON.stringify(slack.message('approvals', ts)?.blocks).includes('"Approve"');
const press = (user: string, ts: string, actionId: string, more: object = {}) => slack.client.press({ user, channel: 'approvals', ts, actionId, ...more });
/** The last of so many answers that only this person was given, in the channel or in person. */
const told = (user: string, count = 1) =>
  slack.wire.until(
    () => {
      const answers = [...slack.ephemeral(user), ...slack.direct(user)];
      return answers.length === count ? answers.at(-1)?.text : undefined;
    },
    `${String(count)} answers for ${user}`,
  );
const decisions = async (id: string) => (await world.state(id)).decisions.map((decision) => `${decision.person.email} ${decision.verdict}`);

describe('cards', () => {
  test('C1: a request is posted once, however often and by however many workers it is looked at', async () => {
    const { ts } = await posted();
    const second = createBot();
    await world.hurry();
    await Promise.all([bot.work(), second.work(), second.work()]);
    await second.stop();
    expect(slack.messages('approvals')).toHaveLength(1);
    expect(isOpen(ts)).toBe(true);
  });

  test.each([
    ['decided elsewhere', (id: string) => world.decide('alice', id, 'deny'), 'Denied by Alice Example'],
    ['cancelled', (id: string) => world.cancel(id), 'Cancelled'],
  ])('C1: the card closes when the request is %s', async (_how, end, words) => {
    const { id, ts } = await posted();
    await end(id);
    await bot.work();
    expect(isOpen(ts)).toBe(false);
    expect(textOf(ts)).toContain(words);
  });

  test('C6: the card closes when nobody decides in time', async () => {
    const { id, ts } = await posted({ timeout_seconds: 60 }, 61);
    await world.expire(id);
    await bot.work();
    expect(isOpen(ts)).toBe(false);
    expect(textOf(ts)).toContain('Expired');
  });

  test('a message whose answer was lost is found again, not posted twice', async () => {
    slack.fail('chat.postMessage', 'lose_answer');
    const { id } = await world.open();
    await bot.work();
    await world.hurry();
    await bot.work();
    expect(slack.messages('approvals')).toHaveLength(1);
    expect(warnings).toHaveLength(1);
    const ts = slack.messages('approvals')[0]?.ts ?? '';
    await press('U0ALICE', ts, ACTIONS.approve);
    await told('U0ALICE');
    expect(await decisions(id)).toEqual(['alice@example.com approve']);
  });

  test.each(['server_error', 'reset', 'hold'] as const)('Slack in trouble (%s) delays a card and loses none', async (trouble) => {
    if (trouble === 'hold') slack.rateLimit('chat.postMessage', 30);
    else slack.fail('chat.postMessage', trouble);
    await world.open();
    await bot.work();
    expect(slack.messages('approvals')).toEqual([]);
    await world.hurry();
    await bot.work();
    expect(slack.messages('approvals')).toHaveLength(1);
  });

  test('a bot starts while Slack is down, and posts when it is back', async () => {
    await slack.wire.refuse();
    const other = createBot();
    await other.start();
    await world.open();
    await other.work();
    await slack.wire.accept();
    await world.hurry();
    await other.work();
    await other.stop();
    expect(slack.messages('approvals')).toHaveLength(1);
  });

  test('a card is not shown in a channel that another organisation shares', async () => {
    slack.changeChannel('C0APPROVALS', { is_ext_shared: true });
    await world.open();
    await bot.work();
    expect(slack.messages('approvals')).toEqual([]);
    expect(warnings.join()).toContain('shared with another organisation');
  });
});

describe('presses', () => {
  test('C3: one click approves, the presser is told, and the card closes with who did it', async () => {
    const { id, ts } = await posted();
    const pressed = await press('U0ALICE', ts, ACTIONS.approve);
    expect(pressed.status).toBe(200);
    expect(await told('U0ALICE')).toContain('You approved it');
    await slack.wire.until(() => !isOpen(ts), 'the closed card');
    expect(textOf(ts)).toContain('Approved by Alice Example');
    expect(await decisions(id)).toEqual(['alice@example.com approve']);
    expect((await world.state(id)).decisions[0]).toMatchObject({ via: 'slack', authenticated: { issuer: `slack:${slack.teamId}`, method: 'slack' } });
  });

  test('C3: Deny asks for a reason, which may stay empty, and the card says it', async () => {
    const { id, ts } = await posted();
    await press('U0BOB', ts, ACTIONS.deny);
    await slack.wire.until(() => slack.views('U0BOB').length === 1, 'the modal');
    await slack.client.submit({ user: 'U0BOB', values: { reason: 'Too wide <!channel>' } });
    await slack.wire.until(() => !isOpen(ts), 'the closed card');
    expect(textOf(ts)).toContain('Too wide <!channel>');
    expect((await world.state(id)).decisions).toMatchObject([{ verdict: 'deny', reason: 'Too wide <!channel>' }]);
    expect(slack.views('U0BOB')).toEqual([]);
  });

  test('two groups: the card stays open after the first approval, shows it, and says who is still needed', async () => {
    const { id, ts } = await posted({ action: 'iam.role.grant' });
    await press('U0BOB', ts, ACTIONS.approve);
    expect(await told('U0BOB')).toContain('Still needed');
    await slack.wire.until(() => textOf(ts).includes('Bob Example approved'), 'the first approval on the card');
    expect(isOpen(ts)).toBe(true);
    await press('U0BOB', ts, ACTIONS.approve);
    expect(await told('U0BOB', 2)).toContain('You decided already');
    await press('U0ALICE', ts, ACTIONS.approve);
    await slack.wire.until(() => !isOpen(ts), 'the closed card');
    expect(await decisions(id)).toEqual(['bob@example.com approve', 'alice@example.com approve']);
  });

  test.each([
    ['the human behind the agent', 'U0DANA', 'on your behalf'],
    ['one who is no approver', 'U0CAROL', 'not an approver'],
    ['an account of nobody', 'U0MALLORY', 'belongs to nobody'],
  ])('C4, C5: %s is refused in private, and the card stays', async (_who, user, words) => {
    const { id, ts } = await posted();
    const before = slack.message('approvals', ts)?.blocks;
    await press(user, ts, ACTIONS.approve);
    expect(await told(user)).toContain(words);
    expect(await decisions(id)).toEqual([]);
    expect(slack.message('approvals', ts)?.blocks).toEqual(before);
    expect(slack.messages('approvals')).toHaveLength(1);
  });

  test.each([
    ['deactivated', { deleted: true }, 'deactivated'],
    ['a guest', { is_restricted: true }, 'Guests'],
    ['a guest of one channel', { is_ultra_restricted: true }, 'Guests'],
    ['a bot', { is_bot: true }, 'Bots'],
    ['a workflow', { is_workflow_bot: true }, 'Bots'],
    ['of another workspace', { team_id: 'T0OTHER' }, 'another organisation'],
    ['a stranger of a shared channel', { is_stranger: true }, 'another organisation'],
    ['invited, and never came', { is_invited_user: true }, 'deactivated'],
  ])('C5: an approver’s account that is %s decides nothing', async (_what, change, words) => {
    const { id, ts } = await posted();
    slack.changeUser('U0ALICE', change);
    await press('U0ALICE', ts, ACTIONS.approve);
    expect(await told('U0ALICE')).toContain(words);
    expect(await decisions(id)).toEqual([]);
  });

  test('C5: a press that names another workspace decides nothing, though the account is an approver’s', async () => {
    const { id, ts } = await posted();
    for (const from of [{ teamId: 'T0OTHER' }, { userTeamId: 'T0OTHER' }]) {
      await press('U0ALICE', ts, ACTIONS.approve, from);
    }
    await told('U0ALICE', 2);
    expect(slack.ephemeral('U0ALICE').map((one) => one.text)).toEqual([
      expect.stringContaining('another organisation'),
      expect.stringContaining('another organisation'),
    ]);
    expect(await decisions(id)).toEqual([]);
  });

  test('C5: who left the directory between card and press decides nothing', async () => {
    const { id, ts } = await posted();
    await world.deactivate('alice');
    await press('U0ALICE', ts, ACTIONS.approve);
    await told('U0ALICE');
    expect(await decisions(id)).toEqual([]);
  });

  test('A5: where Slack does not say who pressed, nothing is decided, and the presser is told', async () => {
    const { id, ts } = await posted();
    slack.fail('users.info', 'server_error');
    await press('U0ALICE', ts, ACTIONS.approve);
    expect(await told('U0ALICE')).toContain('nothing was decided');
    expect(await decisions(id)).toEqual([]);
    await press('U0ALICE', ts, ACTIONS.approve);
    await slack.wire.until(() => !isOpen(ts), 'the closed card');
  });

  test('a button of another request, of another message, or with another digest decides nothing', async () => {
    const one = await posted();
    const other = await posted();
    const value = (id: string, request_digest: string) => JSON.stringify({ request_id: id, request_digest });
    const { request } = await world.state(other.id);
    await press('U0ALICE', one.ts, ACTIONS.approve, { value: value(other.id, request.request_digest) });
    await press('U0ALICE', '1700000000.000001', ACTIONS.approve, { value: value(other.id, request.request_digest) });
    await press('U0ALICE', other.ts, ACTIONS.approve, { value: value(other.id, request.action_digest) });
    await told('U0ALICE', 3);
    expect([await decisions(one.id), await decisions(other.id)]).toEqual([[], []]);
    for (const nonsense of ['', '{', '[]', '{"request_id":7}', value('ar_nothing', 'x')]) await press('U0ALICE', one.ts, ACTIONS.approve, { value: nonsense });
    expect([await decisions(one.id), await decisions(other.id)]).toEqual([[], []]);
  });

  test('a forged form decides nothing', async () => {
    const one = await posted();
    const other = await posted();
    await press('U0ALICE', one.ts, ACTIONS.deny);
    const view = await slack.wire.until(() => slack.views('U0ALICE').at(-1), 'the modal');
    const { request } = await world.state(other.id);
    const context = JSON.stringify({ request_id: other.id, request_digest: request.request_digest, verdict: 'approve', channel: 'C0APPROVALS', ts: one.ts });
    await slack.client.submit({ user: 'U0ALICE', payload: { view: { ...view, private_metadata: context } } });
    expect(await told('U0ALICE')).toContain('does not belong to this card');
    expect([await decisions(one.id), await decisions(other.id)]).toEqual([[], []]);
  });

  test.each([
    ['from the future', { at: Date.now() + 6 * 60_000 }],
    ['stale', { at: Date.now() - 6 * 60_000 }],
    ['signed by another', { signature: 'foreign_secret' }],
    ['changed on its way', { signature: 'tampered_body' }],
    ['not signed', { signature: 'missing' }],
  ])('a press %s is answered with 401 and decides nothing', async (_what, how) => {
    const { id, ts } = await posted();
    expect((await press('U0ALICE', ts, ACTIONS.approve, how)).status).toBe(401);
    expect(await decisions(id)).toEqual([]);
  });

  test('a press that is sent twice decides once', async () => {
    const { id, ts } = await posted();
    const first = await press('U0ALICE', ts, ACTIONS.approve);
    await slack.client.replay(first);
    await told('U0ALICE', 2);
    expect(await decisions(id)).toEqual(['alice@example.com approve']);
  });

  test('two who press at once: one decides, the other is told that it is too late', async () => {
    const { id, ts } = await posted();
    await Promise.all([press('U0ALICE', ts, ACTIONS.approve), press('U0BOB', ts, ACTIONS.approve)]);
    const answers = [await told('U0ALICE'), await told('U0BOB')];
    expect(answers.filter((answer) => answer.includes('You approved it'))).toHaveLength(1);
    expect(answers.filter((answer) => answer.includes('Too late'))).toHaveLength(1);
    expect(await decisions(id)).toHaveLength(1);
  });

  test('an address links an account only where the operator said that addresses are enforced', async () => {
    const { id, ts } = await posted();
    slack.addUser({ id: 'U0NEW', name: 'alice.new', email: 'alice@example.com' });
    await press('U0NEW', ts, ACTIONS.approve);
    expect(await told('U0NEW')).toContain('belongs to nobody');
    await bot.stop();
    bot = createBot({ linkMode: 'email' });
    slack.addUser({ id: 'U0UNSURE', name: 'bob.new', email: 'bob@example.com', is_email_confirmed: false });
    await press('U0UNSURE', ts, ACTIONS.approve);
    expect(await told('U0UNSURE')).toContain('belongs to nobody');
    await press('U0NEW', ts, ACTIONS.approve);
    expect(await told('U0NEW', 2)).toContain('You approved it');
    expect(await decisions(id)).toEqual(['alice@example.com approve']);
  });

  test('where the bot may not whisper in the channel, it writes to the person', async () => {
    const { ts } = await posted();
    slack.changeChannel('C0APPROVALS', { members: ['U0CAROL'] });
    await press('U0CAROL', ts, ACTIONS.approve);
    expect(await told('U0CAROL')).toContain('not an approver');
    expect(slack.direct('U0CAROL')).toHaveLength(1);
  });
});

describe('Show everything', () => {
  test('9.2.2: leads to every character of a long request, page by page, also after it was decided', async () => {
    const marks = Array.from({ length: 80 }, (_, index) => `<mark ${String(index)}> ${'x'.repeat(900)}`);
    const { id, ts } = await posted({ parameters: { statements: marks } });
    expect(textOf(ts)).toContain('use Show everything');
    await world.decide('alice', id, 'approve');
    await bot.work();
    await press('U0CAROL', ts, ACTIONS.everything);
    const read: string[] = [];
    for (;;) {
      const page = read.length + 1;
      const view = await slack.wire.until(
        () => slack.views('U0CAROL').find((one) => visibleText(one.blocks).startsWith(`Page ${String(page)} of`)),
        `page ${String(page)}`,
      );
      read.push(visibleText(view.blocks.filter((block) => block['type'] === 'rich_text').slice(1)).replaceAll('\n', ''));
      if (!JSON.stringify(view.blocks).includes('Next page')) break;
      await slack.client.press({ user: 'U0CAROL', viewId: view.id, actionId: 'countersign_page_next' });
    }
    expect(read.length).toBeGreaterThan(2);
    for (const mark of marks) expect(read.join('')).toContain(mark);
  });

  test('shows nothing of another request than the card’s', async () => {
    const one = await posted();
    const other = await posted({ reason: 'a secret reason' });
    await press('U0CAROL', one.ts, ACTIONS.everything, { value: JSON.stringify({ request_id: other.id, request_digest: 'x' }) });
    const view = await slack.wire.until(() => slack.views('U0CAROL').find((one) => !visibleText(one.blocks).includes('Loading')), 'the answer');
    expect(visibleText(view.blocks)).toContain('does not belong to this card');
  });
});

test('in socket mode presses come over the bot’s own connection, and no path is served', async () => {
  const { id, ts } = await posted();
  const other = createBot({ socket: true });
  slack.disconnect();
  await other.start();
  await slack.wire.until(() => slack.socketConnected(), 'the socket');
  expect(other.mount().paths).toEqual([]);
  expect((await press('U0ALICE', ts, ACTIONS.approve)).status).toBe(200);
  expect(await told('U0ALICE')).toContain('You approved it');
  expect(await decisions(id)).toEqual(['alice@example.com approve']);
  await other.stop();
});
