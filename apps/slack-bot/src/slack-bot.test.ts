import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { STEP_UP_TEXT } from '@countersign/chat';
import { demandPasskey } from '@countersign/dev-env/approval-world';
import { visibleText } from '@countersign/dev-env/slack';
import { ACTIONS } from './buttons.js';
import { createSlackWorld, type SlackWorld } from './testing/slack-world.js';

/* What is Slack's own; what every platform guarantees is shown by platform.test.ts. */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];

beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
});
afterEach(() => made.close());

/** Opens a request and posts its card. */
async function posted(submission = {}): Promise<{ id: string; ts: string }> {
  const { id } = await world.open(submission);
  await made.bot.work();
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
  test.each(['server_error', 'reset', 'hold'] as const)('Slack in trouble (%s) delays a card and loses none', async (trouble) => {
    if (trouble === 'hold') slack.rateLimit('chat.postMessage', 30);
    else slack.fail('chat.postMessage', trouble);
    await world.open();
    await made.bot.work();
    expect(slack.messages('approvals')).toEqual([]);
    await world.hurry();
    made.pass(30);
    await made.bot.work();
    expect(slack.messages('approvals')).toHaveLength(1);
  });

  test('a bot starts while Slack is down, and posts when it is back', async () => {
    await slack.wire.refuse();
    const other = made.createBot();
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
    await made.bot.work();
    expect(slack.messages('approvals')).toEqual([]);
    expect(made.warnings.join()).toContain('shared with another organisation');
  });
});

describe('presses', () => {
  test('C4: a press that needs a passkey decides nothing, and gives the presser alone a link without any right in it', async () => {
    await world.policy(demandPasskey);
    const { id, ts } = await posted();
    await press('U0ALICE', ts, ACTIONS.approve);
    expect(await told('U0ALICE')).toBe(STEP_UP_TEXT);
    const [said] = slack.ephemeral('U0ALICE');
    const { url } = /"url":"(?<url>[^"]+)"/.exec(JSON.stringify(said?.blocks))?.groups ?? {};
    const intent = /^http:\/\/localhost:8080\/requests\/(ar_[0-9a-f-]+)#step-up\/([0-9a-f-]{36})$/.exec(url ?? '');
    expect(intent?.[1]).toBe(id);
    const remembered = await world.store.passkeys.intent(world.tenant, intent?.[2] ?? '');
    expect(remembered).toMatchObject({ person_id: world.people.alice, request_id: id, verdict: 'approve', reason: null, via: 'slack', used_at: null });
    expect([await decisions(id), isOpen(ts)]).toEqual([[], true]);
    expect(slack.ephemeral('U0BOB')).toEqual([]);
    // A denial needs none.
    await press('U0ALICE', ts, ACTIONS.deny);
    await made.form('U0ALICE');
    await slack.client.submit({ user: 'U0ALICE', values: { reason: 'no' } });
    await slack.wire.until(() => !isOpen(ts), 'the closed card');
    expect(await decisions(id)).toEqual(['alice@example.com deny']);
  });

  test('C3: Deny asks for a reason, which may stay empty, and the card says it', async () => {
    const { id, ts } = await posted();
    await press('U0BOB', ts, ACTIONS.deny);
    await made.form('U0BOB');
    await slack.client.submit({ user: 'U0BOB', values: { reason: 'Too wide <!channel>' } });
    await slack.wire.until(() => !isOpen(ts), 'the closed card');
    expect(textOf(ts)).toContain('Too wide <!channel>');
    expect((await world.state(id)).decisions).toMatchObject([{ verdict: 'deny', reason: 'Too wide <!channel>' }]);
    expect(slack.views('U0BOB')).toEqual([]);
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

  test('a button of no message, or of no sense, decides nothing', async () => {
    const { id, ts } = await posted();
    const value = (request_digest: string) => JSON.stringify({ request_id: id, request_digest });
    await press('U0ALICE', '1700000000.000001', ACTIONS.approve, { value: value((await world.state(id)).request.request_digest) });
    expect(await told('U0ALICE')).toContain('does not belong to this card');
    for (const nonsense of ['', '{', '[]', '{"request_id":7}', value('x')]) await press('U0ALICE', ts, ACTIONS.approve, { value: nonsense });
    expect(await told('U0ALICE', 2)).toContain('digest');
    expect(await decisions(id)).toEqual([]);
  });

  test('a forged form decides nothing', async () => {
    const one = await posted();
    const other = await posted();
    await press('U0ALICE', one.ts, ACTIONS.deny);
    const view = await made.form('U0ALICE');
    const { request } = await world.state(other.id);
    const context = JSON.stringify({ action: 'approve', request_id: other.id, request_digest: request.request_digest, channel: 'C0APPROVALS', ts: one.ts });
    await slack.client.submit({ user: 'U0ALICE', payload: { view: { ...view, private_metadata: context } } });
    expect(await told('U0ALICE')).toContain('does not belong to this message');
    expect([await decisions(one.id), await decisions(other.id)]).toEqual([[], []]);
  });

  test.each([
    ['from the future', { at: Date.now() + 60 * 60_000 }],
    ['stale', { at: Date.now() - 6 * 60_000 }],
    ['signed by another', { signature: 'foreign_secret' }],
    ['changed on its way', { signature: 'tampered_body' }],
    ['not signed', { signature: 'missing' }],
  ])('a press %s is answered with 401 and decides nothing', async (_what, how) => {
    const { id, ts } = await posted();
    expect((await press('U0ALICE', ts, ACTIONS.approve, how)).status).toBe(401);
    expect(await decisions(id)).toEqual([]);
  });

  test('an address links an account only where the operator said that addresses are enforced', async () => {
    const { id, ts } = await posted();
    slack.addUser({ id: 'U0NEW', name: 'alice.new', email: 'alice@example.com' });
    await press('U0NEW', ts, ACTIONS.approve);
    expect(await told('U0NEW')).toContain('belongs to nobody');
    await made.restart({ linkMode: 'email' });
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
    await made.bot.work();
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
  const other = made.createBot({ socket: true });
  slack.disconnect();
  await other.start();
  await slack.wire.until(() => slack.socketConnected(), 'the socket');
  expect(other.mount().paths).toEqual([]);
  expect((await press('U0ALICE', ts, ACTIONS.approve)).status).toBe(200);
  expect(await told('U0ALICE')).toContain('You approved it');
  expect(await decisions(id)).toEqual(['alice@example.com approve']);
  await other.stop();
});
