import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { routedPolicy } from '@countersign/dev-env/routed-policy';
import { type SlackMessage, visibleText } from '@countersign/dev-env/slack';
import { createSlackWorld, type SlackWorld } from './testing/slack-world.js';

/* Where many alike arrive: at least three within ten minutes. */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];

beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
  await asked();
});
afterEach(() => made.close());

const asked = (rule = 'bulk: true\n      batch: { at_least: 3, within: 10m }') => world.policy(() => routedPolicy('[{ slack: "#approvals" }]', { rule }));
const textOf = ({ blocks }: SlackMessage) => visibleText(blocks);
const ours = () => slack.messages('approvals').filter(({ user }) => user === slack.botUserId);
const lists = () => ours().filter((message) => /alike/.test(textOf(message)));
const cards = () => ours().filter((message) => !/alike/.test(textOf(message)));
const burst = (count: number, submission = {}) =>
  Promise.all(Array.from({ length: count }, async (_, nth) => (await world.open({ ...submission, reason: `run ${String(nth)}` })).id));
const only = (messages: readonly SlackMessage[]): SlackMessage => {
  const [message] = messages;
  if (message === undefined || messages.length > 1) throw new Error(`there are ${String(messages.length)} messages`);
  return message;
};

describe('one message for many', () => {
  test('lists each with its id, its deadline and a button that opens all of it, however many workers look', async () => {
    const ids = await burst(5);
    const other = made.createBot();
    await Promise.all([made.bot.work(), other.work()]);
    await made.bot.work();
    expect(cards()).toEqual([]);
    const list = only(lists());
    for (const id of ids) {
      expect(textOf(list)).toMatch(new RegExp(`${id}, until \\d{4}-`));
      expect(JSON.stringify(list.blocks)).toContain(`http://localhost:8080/requests/${id}`);
    }
    expect(textOf(list)).toContain('5 requests that are alike wait: data.export by pipeline');
    expect(made.warnings).toEqual([]);
    await other.stop();
  });

  test('fewer, others’, or those of another time have a card each', async () => {
    await burst(2);
    await world.open({ resource: { type: 'postgres_table', id: 'prod.other' } }, 700);
    await made.bot.work();
    expect([cards().length, lists().length]).toEqual([3, 0]);
    await made.bot.work();
    await world.open();
    await made.bot.work();
    // The third one: it is in the list, with those that had a card before.
    expect([cards().length, lists().length]).toEqual([3, 1]);
    expect(textOf(only(lists()))).toContain('3 requests that are alike wait');
  });

  test('without a batch in policy each has its card', async () => {
    await asked('bulk: true');
    await burst(4);
    await made.bot.work();
    expect([cards().length, lists().length]).toEqual([4, 0]);
  });

  test('what is decided elsewhere, taken back or over is marked in it, and it closes with the last', async () => {
    const [first = '', second = '', third = ''] = await burst(3);
    await made.bot.work();
    await world.decide('alice', first, 'approve');
    await world.cancel(second);
    await made.bot.work();
    const text = textOf(only(lists()));
    expect(text).toContain('1 request of those that are alike waits');
    expect(text).toMatch(new RegExp(`${first}, Approved: Approved by Alice Example`));
    expect(text).toMatch(new RegExp(`${second}, Cancelled`));
    expect(text).toMatch(new RegExp(`${third}, until`));
    await world.decide('bob', third, 'deny', 'no');
    await made.bot.work();
    const closed = only(lists());
    expect(textOf(closed)).toContain('3 requests that were alike are settled');
    expect(JSON.stringify(closed.blocks)).not.toContain('countersign_act');
  });

  test('what does not fit is counted, and is in the web inbox', async () => {
    const ids = await burst(25);
    await made.bot.work();
    const text = textOf(only(lists()));
    expect(ids.filter((id) => text.includes(id))).toHaveLength(18);
    expect(text).toContain('And 7 more that wait do not fit here: they are in the web inbox.');
    expect(text).not.toContain('do not fit into a message');
  });
});

describe('deciding together', () => {
  const buttons = (message: SlackMessage): string[] => JSON.stringify(message.blocks).match(/countersign_act_bulk_\d+/g) ?? [];

  test('those that the message lists, by a form that names each; only whom policy asks decides', async () => {
    const ids = await burst(3);
    await made.bot.work();
    const list = only(lists());
    const [actionId = ''] = buttons(list);
    await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: list.ts, actionId });
    const form = await made.form('U0ALICE');
    const options = JSON.stringify(form.blocks).match(/ar_[0-9a-f-]{36} sha256:[0-9a-f]{64}/g) ?? [];
    expect(options.map((option) => option.slice(0, 39))).toEqual(ids.toSorted());
    const [first = '', second = ''] = options;
    // Dana stands behind all of it: she decides nothing.
    await slack.client.press({ user: 'U0DANA', channel: 'approvals', ts: list.ts, actionId });
    await made.form('U0DANA');
    await slack.client.submit({ user: 'U0DANA', values: { requests: [first], verdict: 'approve' } });
    await slack.wire.until(
      () => [...slack.ephemeral('U0DANA'), ...slack.direct('U0DANA')].some(({ text }) => text.includes('0 of 1 decided')),
      'words for dana',
    );
    await slack.client.submit({ user: 'U0ALICE', values: { requests: [first, second], verdict: 'approve' } });
    const statuses = async () => Promise.all(ids.toSorted().map(async (id) => (await world.state(id)).request.status));
    await slack.wire.until(() => textOf(only(lists())).includes('1 request of those that are alike waits'), 'the list of what is left');
    expect(await statuses()).toEqual(['approved', 'approved', 'pending']);
    await made.bot.work();
  });

  test('there is no such button where policy does not let them be decided together', async () => {
    await asked('batch: { at_least: 3, within: 10m }');
    await burst(3);
    await made.bot.work();
    const list = only(lists());
    expect(buttons(list)).toEqual([]);
    expect(textOf(list)).toContain('Each is decided by itself: open it.');
  });
});

describe('trouble', () => {
  test('a message whose answer was lost is found again, not made twice', async () => {
    slack.fail('chat.postMessage', 'lose_answer');
    await burst(3);
    await made.bot.work();
    await world.hurry();
    await made.bot.work();
    expect([cards().length, lists().length]).toEqual([0, 1]);
  });

  test('an update whose answer was lost, or that Slack refused for now, is made again', async () => {
    const [first = ''] = await burst(3);
    await made.bot.work();
    slack.fail('chat.update', 'server_error');
    await world.decide('alice', first, 'approve');
    await made.bot.work();
    await world.hurry();
    await made.bot.work();
    expect(textOf(only(lists()))).toContain('2 requests that are alike wait');
  });

  test('where it cannot be posted, each request goes to the standing place as it would by itself', async () => {
    slack.addChannel({ id: 'C0PRODUCTION', name: 'prod-approvals', is_private: true });
    await world.policy(() => routedPolicy('[{ slack: C0PRODUCTION }]', { rule: 'batch: { at_least: 3, within: 10m }' }));
    // The bot is removed between the look at the channel and the post.
    slack.wire.fail(
      'chat.postMessage',
      { kind: 'answer', answer: { status: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":false,"error":"not_in_channel"}' } },
      { times: 2 },
    );
    const ids = await burst(3);
    await made.bot.work();
    const text = ours().map(textOf).join('\n');
    for (const id of ids) expect(text).toContain(id);
  });
});
