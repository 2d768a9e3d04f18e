import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ChatMessage, Messenger } from '@countersign/chat';
import { blockComplaints, MESSAGE_LIMIT, messageWeight, visibleText } from '@countersign/dev-env/slack';
import bolt from '@slack/bolt';
import fc from 'fast-check';
import { createMessenger, renderMessage } from './messenger.js';
import { createSlackCalls } from './slack-calls.js';
import { createSlackWorld, type SlackWorld } from './testing/slack-world.js';
import { createWorkspace } from './workspace.js';

let made: SlackWorld;
let slack: SlackWorld['slack'];
let messenger: Messenger;

beforeEach(async () => {
  made = await createSlackWorld();
  ({ slack } = made);
  const client = new bolt.webApi.WebClient(slack.botToken, { slackApiUrl: slack.apiUrl, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true });
  const call = createSlackCalls(client);
  messenger = createMessenger(call, createWorkspace(call, made.world.flow.clock));
});
afterEach(() => made.close());

const message = (members: Partial<ChatMessage> = {}): ChatMessage => ({
  title: 'A reminder',
  lines: ['Still needed: one of data-owners'],
  links: [],
  actions: [],
  ...members,
});
const account = (user: string, workspace = slack.teamId) => ({ workspace, user });

describe('messages that are no cards', () => {
  test('C3: a reply stands in the thread of its card and nowhere else, and nothing in it is unfurled', async () => {
    await made.world.open();
    await made.bot.work();
    const [card] = slack.messages('approvals');
    const place = await messenger.channel('#approvals');
    const ref = await messenger.reply({ channel: place, ts: card?.ts ?? '' }, message(), 'key-1');
    const reply = slack.message(place, String(ref['ts']));
    expect(reply).toMatchObject({ thread_ts: card?.ts, unfurl_links: false, unfurl_media: false, text: 'A reminder' });
    expect(visibleText(reply?.blocks ?? [])).toBe('A reminder\nStill needed: one of data-owners');
    expect(slack.messages('approvals').filter(({ thread_ts }) => thread_ts === undefined)).toHaveLength(1);
  });

  test.each(['channel', 'thread', 'direct'])('a message whose answer was lost is found by its key (%s)', async (where) => {
    const place = where === 'direct' ? await messenger.direct(account('U0ALICE')) : await messenger.channel('approvals');
    const parent = where === 'thread' ? slack.sayAs('U0BOB', 'approvals', 'a card').ts : null;
    const send = () => (parent === null ? messenger.say(place ?? '', message(), 'key-1') : messenger.reply({ channel: place, ts: parent }, message(), 'key-1'));
    slack.fail('chat.postMessage', 'lose_answer');
    await expect(send()).rejects.toMatchObject({ name: 'PlatformError', code: 'unreachable' });
    const within = parent === null ? { place: place ?? '' } : { ref: { channel: place, ts: parent } };
    const ref = await messenger.find?.(within, 'key-1');
    const sent = slack.messages(place ?? '').filter(({ user }) => user === slack.botUserId);
    expect(sent.map(({ ts }) => ts)).toEqual([ref?.['ts']]);
    expect(await messenger.find?.(within, 'key-3')).toBeNull();
    // Another message with the same words is another message.
    await (parent === null ? messenger.say(place ?? '', message(), 'key-2') : messenger.reply({ channel: place, ts: parent }, message(), 'key-2'));
    expect(slack.messages(place ?? '').filter(({ user }) => user === slack.botUserId)).toHaveLength(2);
  });

  test('there is no way to an account that is deactivated, a guest, a bot, unknown, or of another workspace', async () => {
    slack.changeUser('U0ALICE', { deleted: true });
    slack.changeUser('U0BOB', { is_restricted: true });
    slack.changeUser('U0CAROL', { is_stranger: true });
    const ways = await Promise.all(['U0ALICE', 'U0BOB', 'U0CAROL', 'U0NOBODY', 'U0BOT'].map((user) => messenger.direct(account(user))));
    expect(ways).toEqual([null, null, null, null, null]);
    expect(await messenger.direct(account('U0DANA', 'T0OTHER'))).toBeNull();
    expect(await messenger.direct(account('U0DANA'))).toMatch(/^D/);
  });

  test('C2: nothing is said in the thread of a card whose channel another organisation shares since', async () => {
    await made.world.open();
    await made.bot.work();
    const [card] = slack.messages('approvals');
    slack.changeChannel('C0APPROVALS', { is_ext_shared: true });
    await expect(messenger.reply({ channel: 'C0APPROVALS', ts: card?.ts ?? '' }, message(), 'key')).rejects.toMatchObject({ code: 'refused' });
    expect(slack.messages('approvals')).toHaveLength(1);
  });

  test('a channel that there is not, and a card that is gone, are gone', async () => {
    await expect(messenger.channel('nowhere')).rejects.toMatchObject({ code: 'gone' });
    const place = await messenger.channel('approvals');
    await expect(messenger.reply({ channel: place, ts: '1.000001' }, message(), 'key')).rejects.toMatchObject({ code: 'gone' });
    await expect(async () => messenger.reply({}, message(), 'key')).rejects.toMatchObject({ code: 'gone' });
  });

  test('C1: whatever a message holds, Slack takes it, shows it letter for letter, and is told what is missing', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.constantFrom('<!channel>', '*bold*', '<@U0ALICE>', 'https://evil.example', '😀'.repeat(4_000), '\u202e', '"'.repeat(5_000), 'x'.repeat(41_000), ''),
    );
    const actions = fc.record({
      label: hostile,
      action: fc.constantFrom('approve', 'answer', 'not_me'),
      request_id: fc.uuid(),
      request_digest: fc.uuid(),
      subject: fc.uuid(),
    });
    const any = fc.record({
      title: hostile,
      lines: fc.array(hostile, { maxLength: 30 }),
      links: fc.array(fc.record({ label: hostile, url: fc.webUrl() }), { maxLength: 30 }),
      actions: fc.array(actions, { maxLength: 30 }),
    });
    fc.assert(
      fc.property(any, (given) => {
        const { text, blocks } = renderMessage(given);
        expect(blockComplaints(blocks, 'message')).toEqual([]);
        expect(messageWeight(blocks)).toBeLessThan(MESSAGE_LIMIT);
        expect(text.length).toBeLessThanOrEqual(3_000);
        expect(text).not.toContain('<');
        const words = given.lines.join('\n\n');
        if (words !== '' && !visibleText(blocks).includes(words)) expect(visibleText(blocks)).toMatch(/continues: shown [\d,]+ of [\d,]+ characters/);
      }),
    );
  });
});
