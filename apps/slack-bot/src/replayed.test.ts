import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Delivery } from '@countersign/dev-env/slack';
import { ACTIONS } from './buttons.js';
import { createSlackWorld, type SlackWorld } from './testing/slack-world.js';

/*
 * What Slack signed once, sent again within its five minutes to a process that has not seen it: after a restart, or another one. Slack itself
 * sends events again that it had no answer to.
 */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];

beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
});
afterEach(() => made.close());

const answers = (user: string) => [...slack.ephemeral(user), ...slack.direct(user)];
const told = (user: string, count: number) =>
  slack.wire.until(
    () =>
      answers(user).length >= count
        ? answers(user)
            .toSorted((one, other) => Number(one.ts) - Number(other.ts))
            .at(-1)?.text
        : undefined,
    `an answer for ${user}`,
  );
const decisions = async (id: string) => (await world.state(id)).decisions.map(({ person, verdict }) => `${person.email} ${verdict}`);
const frozen = async () => (await world.store.freezes.list(world.tenant, { open: true, limit: 10 })).length;

async function posted(): Promise<{ id: string; ts: string }> {
  const { id } = await world.open();
  await made.bot.work();
  return { id, ts: slack.messages('approvals').at(-1)?.ts ?? '' };
}

/** The very bytes again, to a process that is new. */
async function again(delivery: Delivery): Promise<number | null> {
  await made.restart();
  return (await slack.client.replay(delivery)).status;
}

test('C3: a press that comes again decides nothing more', async () => {
  const { id, ts } = await posted();
  const pressed = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.approve });
  await told('U0ALICE', 1);
  expect(await again(pressed)).toBe(200);
  expect(await told('U0ALICE', 2)).not.toContain('You approved it');
  expect(await decisions(id)).toEqual(['alice@example.com approve']);
});

test('C3: a form that comes again denies nothing more, and another request’s card is not touched by it', async () => {
  const { id, ts } = await posted();
  const other = await posted();
  await slack.client.press({ user: 'U0BOB', channel: 'approvals', ts, actionId: ACTIONS.deny });
  await made.form('U0BOB');
  const sent = await slack.client.submit({ user: 'U0BOB', values: { reason: 'too wide' } });
  await slack.wire.until(() => !JSON.stringify(slack.message('approvals', ts)?.blocks).includes('"Approve"'), 'the closed card');
  await told('U0BOB', 1);
  expect(await again(sent)).toBe(200);
  expect(await told('U0BOB', 2)).not.toContain('You denied it');
  expect([await decisions(id), await decisions(other.id)]).toEqual([['bob@example.com deny'], []]);
});

test('A6: a freeze that was lifted does not come back by its old command', async () => {
  const sent = await slack.client.command({ user: 'U0OLIVIA', channel: 'approvals', command: '/countersign', text: 'freeze everything it loops' });
  await told('U0OLIVIA', 1);
  const [freeze] = await world.store.freezes.list(world.tenant, { open: true, limit: 10 });
  expect(freeze).toBeDefined();
  await world.directory((now) => ({
    ...now,
    people: now.people.map((person) => (person.id === world.people.carol ? { ...person, roles: ['administrator'] } : person)),
  }));
  await slack.client.command({ user: 'U0CAROL', channel: 'approvals', command: '/countersign', text: `unfreeze ${freeze?.id ?? ''}` });
  await told('U0CAROL', 1);
  expect(await frozen()).toBe(0);
  expect(await again(sent)).toBe(200);
  expect(await told('U0OLIVIA', 2)).toContain('sent before');
  expect(await frozen()).toBe(0);
});

test.each(['app_uninstalled', 'tokens_revoked', 'user_change', 'channel_archive'])('an event (%s) that Slack sends three times does no harm', async (type) => {
  const { id, ts } = await posted();
  const event = { type, user: { id: 'U0ALICE' }, channel: 'C0APPROVALS', tokens: { bot: ['U0BOT'] } };
  const sent = await slack.client.event(event);
  expect([sent.status, (await slack.client.replay(sent)).status, await again(sent)]).toEqual([200, 200, 200]);
  await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.approve });
  expect(await told('U0ALICE', 1)).toContain('You approved it');
  expect(await decisions(id)).toEqual(['alice@example.com approve']);
});
