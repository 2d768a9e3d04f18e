import { ask, fireTimer } from '@countersign/core/flow';
import { visibleText } from '@countersign/dev-env/slack';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CHANNEL, accountOf, createSlackWorld, type SlackWorld } from './testing/slack-world.js';

let made: SlackWorld;
beforeAll(async () => {
  made = await createSlackWorld();
  await made.world.policy((text) => text.replace('      timeout: 4h\n\n', '      timeout: { after: 4h, reminders: [10m] }\n\n'));
});
afterAll(() => made.close());

const NAMES = ['dana', 'alice', 'bob', 'carol', 'olivia'] as const;
/** How many messages each person had. */
let before: Record<string, number> = {};
const directOf = (name: string) => made.slack.direct(accountOf(name)).slice(before[name] ?? 0);
/** Who was told what in private since the test began. */
const direct = () => NAMES.flatMap((name) => directOf(name).map(({ text }) => `${name}: ${text}`));
const replies = () => made.slack.messages(CHANNEL.name).filter(({ thread_ts }) => thread_ts !== undefined);

async function remind(): Promise<void> {
  const { flow, store } = made.world;
  for (const timer of await store.timers.due(100)) await fireTimer({ ...flow, timers: store.timers }, timer);
}

/** One run after another as time passes, until nothing is left to tell. */
async function workOff(): Promise<void> {
  for (let run = 0; run < 10; run++) {
    await made.world.hurry();
    await made.bot.work();
    made.pass(60);
  }
}

describe('what people are told in Slack besides the card', () => {
  beforeEach(async () => {
    await workOff();
    before = Object.fromEntries(NAMES.map((name) => [name, made.slack.direct(accountOf(name)).length]));
  });

  test('C6: a reminder stands in the thread of the card, once, and goes to those who are still needed', async () => {
    const { id } = await made.world.open({}, 700);
    await made.bot.work();
    const card = made.slack.messages(CHANNEL.name).findLast(({ thread_ts }) => thread_ts === undefined);
    await remind();
    await workOff();
    expect(replies().map(({ text, thread_ts }) => [text, thread_ts])).toEqual([['Still waiting', card?.ts]]);
    expect(direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
    const [own] = directOf('alice');
    expect(visibleText(own?.blocks ?? [])).toMatch(
      /Still waiting for 1 of data-owners: data\.export on postgres_table prod\.customers\. The time is over at .* UTC\./,
    );
    expect(JSON.stringify(own?.blocks)).toContain(`http://localhost:8080/requests/${id}`);
    expect(own).toMatchObject({ unfurl_links: false, unfurl_media: false });
    await made.world.decide('alice', id, 'approve');
    await workOff();
    expect(direct()).toEqual(['dana: A request was decided', 'alice: Still waiting', 'bob: Still waiting']);
  });

  test('C6: a question reaches whoever wants the action, with a button to answer; hostile words in it are words', async () => {
    const { id } = await made.world.open();
    await made.bot.work();
    await ask(
      made.world.flow,
      { tenant: made.world.tenant, person_id: made.world.people.bob },
      id,
      'Why *now* <!channel> <https://evil.example|the wiki>?\u202e',
    );
    await workOff();
    expect(direct()).toEqual(['dana: A question about a request']);
    const text = JSON.stringify(directOf('dana')[0]?.blocks);
    expect(text).toContain('<!channel>');
    expect(text).not.toContain('\u202e');
    expect(text).not.toContain('mrkdwn');
    expect(text).toContain('"Answer"');
  });

  test.each(['refused', 'its answers lost'])('Slack is down for an hour (%s): told once when it is back', async (how) => {
    await made.world.open({}, 700);
    await made.bot.work();
    const known = replies().length;
    await remind();
    if (how === 'refused') await made.slack.wire.refuse();
    else made.slack.fail('chat.postMessage', 'lose_answer', { times: 2 });
    await made.bot.work();
    await workOff();
    if (how === 'refused') await made.slack.wire.accept();
    await workOff();
    expect(direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
    expect(replies()).toHaveLength(known + 1);
  });

  test('Retry-After is kept to, and two bots tell once', async () => {
    await made.world.open({}, 700);
    await made.bot.work();
    await remind();
    made.slack.rateLimit('chat.postMessage', 30);
    const other = made.createBot();
    await Promise.all([made.bot.work(), other.work()]);
    await workOff();
    await Promise.all([made.world.hurry(), other.work()]);
    await other.stop();
    expect(direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
  });

  test('C6: whose status says that they are away is named to the others, where that is to be read, and asked all the same', async () => {
    const remindedBy = async (readAbsence: boolean) => {
      const { id } = await made.world.open({}, 700);
      await made.bot.work();
      await remind();
      const bot = made.createBot({ readAbsence });
      await bot.work();
      await bot.stop();
      const [alice, bob] = ['alice', 'bob'].map((name) => visibleText(directOf(name).at(-1)?.blocks ?? []));
      expect(await made.world.decide('bob', id, 'approve')).toMatchObject({ kind: 'decided' });
      await workOff();
      return { alice, bob };
    };
    const back = new Date('2037-01-02T08:00:00Z');
    made.slack.changeUser(accountOf('bob'), {
      profile: { email: 'bob@example.com', status_emoji: ':palm_tree:', status_text: 'Vacationing *there* <!here>', status_expiration: back.getTime() / 1_000 },
    });
    expect((await remindedBy(false)).alice).not.toContain('away');
    const { alice, bob } = await remindedBy(true);
    expect(alice).toContain('Bob Example seems to be away until 2037-01-02 08:00 UTC.');
    expect(bob).toContain('Still waiting');
    expect(bob).not.toContain('away');
    expect(
      replies()
        .map(({ blocks }) => visibleText(blocks))
        .at(-1),
    ).toContain('Bob Example seems to be away');
  });

  test('C1: cards come before what only tells', async () => {
    await made.world.open({}, 700);
    await made.bot.work();
    await remind();
    const { id } = await made.world.open();
    const before = made.slack.messages(CHANNEL.name).length;
    await made.bot.work();
    const [first] = made.slack.messages(CHANNEL.name).slice(before);
    expect(visibleText(first?.blocks ?? [])).toContain(id);
  });
});
