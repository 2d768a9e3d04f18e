import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import bolt from '@slack/bolt';
import { platformError } from './faults.js';
import { createSlackWorld, type SlackWorld } from './testing/slack-world.js';

/* What Slack refuses or slows down: no work is lost, and the operator reads what to do. Pacing itself is shown by packages/chat/src/pace.test.ts. */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];

beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
});
afterEach(() => made.close());

const calls = (method: string) => slack.wire.traffic.filter(({ request }) => request.name === method).length;
const cards = () => slack.messages('approvals').length;

describe('limits', () => {
  test('when Slack asks for silence, nobody of the process calls the method again before its time', async () => {
    slack.rateLimit('chat.postMessage', 30);
    for (let nth = 0; nth < 3; nth++) await world.open();
    await made.bot.work();
    const refused = calls('chat.postMessage');
    expect([cards(), refused]).toEqual([0, 1]);
    // The work is due, and Slack has not asked to be called yet.
    await world.hurry();
    made.pass(20);
    await made.bot.work();
    expect(calls('chat.postMessage')).toBe(refused);
    await world.hurry();
    made.pass(10);
    await made.bot.work();
    expect(cards()).toBe(3);
  });

  test('many cards for one channel are all posted, however often some have to come again', async () => {
    for (let nth = 0; nth < 12; nth++) await world.open();
    for (let round = 0; round < 12 && cards() < 12; round++) {
      await made.bot.work();
      await world.hurry();
      made.pass(10);
    }
    expect(cards()).toBe(12);
    expect(new Set(slack.messages('approvals').map(({ blocks }) => /ar_[0-9a-f-]{36}/.exec(JSON.stringify(blocks))?.[0])).size).toBe(12);
  });

  test('a silence for new cards does not keep an outcome from being shown', async () => {
    const { id } = await world.open();
    await made.bot.work();
    slack.rateLimit('chat.postMessage', 300);
    await world.open();
    await made.bot.work();
    await world.decide('alice', id, 'approve');
    await made.bot.work();
    expect(JSON.stringify(slack.messages('approvals')[0]?.blocks)).not.toContain('"Approve"');
  });
});

describe('what an operator reads', () => {
  test.each([
    ['not_in_channel', '/invite @Countersign'],
    ['channel_not_found', 'check its name or id'],
    ['is_archived', 'unarchive it'],
    ['restricted_action', 'settings forbid'],
    ['account_inactive', 'uninstalled or switched off'],
    ['token_revoked', 'install it there again'],
    ['invalid_auth', 'countersign doctor slack'],
    ['ekm_access_denied', 'Enterprise Key Management'],
    ['msg_too_long', 'a fault of Countersign’s'],
    ['invalid_blocks', 'a fault of Countersign’s'],
  ])('%s is told with what to do, and the card is posted once it is mended', async (word, words) => {
    slack.refuse('chat.postMessage', { error: word }, { times: 1 });
    await world.open();
    await made.bot.work();
    expect(cards()).toBe(0);
    expect(made.warnings.join()).toContain(`Slack answers ${word} to chat.postMessage`);
    expect(made.warnings.join()).toContain(words);
    await world.hurry();
    made.pass(600);
    await made.bot.work();
    expect(cards()).toBe(1);
  });

  test('a missing scope is named', async () => {
    slack.refuse('chat.postMessage', { error: 'missing_scope', needed: 'chat:write', provided: 'users:read' }, { times: 1 });
    await world.open();
    await made.bot.work();
    expect(made.warnings.join()).toContain('the app lacks chat:write; paste what countersign slack manifest prints');
  });

  test.each([
    ['user_not_found', 'there is no such account'],
    ['user_disabled', 'deactivated'],
  ])('%s at a direct message is told, too', (word, words) => {
    const error = new bolt.webApi.WebAPIPlatformError({ ok: false, error: word });
    expect(platformError(error, { method: 'conversations.open' })).toMatchObject({ code: 'gone', message: expect.stringContaining(words) });
  });
});
