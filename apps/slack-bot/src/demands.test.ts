import { digestOf } from '@countersign/core/request';
import { DEMANDED_WORDS, demandMore } from '@countersign/dev-env/approval-world';
import { visibleText } from '@countersign/dev-env/slack';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ACTIONS } from './buttons.js';
import { createSlackWorld, type SlackWorld } from './testing/slack-world.js';

/* What policy demands with an approval, asked for in Slack. */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];
let id: string;
let ts: string;

beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
  await world.policy(demandMore);
  ({ id } = await world.open());
  await made.bot.work();
  ts = slack.messages('approvals').at(-1)?.ts ?? '';
});
afterEach(() => made.close());

const press = (user: string, actionId: string) => slack.client.press({ user, channel: 'approvals', ts, actionId });
const told = (user: string, count: number) =>
  slack.wire.until(
    () => {
      const answers = [...slack.ephemeral(user), ...slack.direct(user)];
      return answers.length === count ? answers.at(-1)?.text : undefined;
    },
    `${String(count)} answers for ${user}`,
  );
/** Opens the modal of Approve, fills it in and sends it. */
async function approve(user: string, values: Record<string, string>): Promise<void> {
  await press(user, ACTIONS.approveWithMore);
  await made.form(user);
  await slack.client.submit({ user, values, force: true });
}
/** The box's name is that of its text: what policy says otherwise by then is not confirmed. */
const boxOf = (text: string) => `acknowledge_${digestOf(text).slice('sha256:'.length, 'sha256:'.length + 32)}`;
const CONFIRMED = { [boxOf(DEMANDED_WORDS)]: 'yes' };
const opened = async () => (await world.store.requests.timeline(world.tenant, id)).some(({ event }) => event === 'card.opened');
const decisions = async () => (await world.state(id)).decisions;

test('B5: the card says what an approval takes, and the modal asks for it', async () => {
  expect(visibleText(slack.message('approvals', ts)?.blocks ?? [])).toContain('Approving needs');
  await press('U0ALICE', ACTIONS.everything);
  await slack.wire.until(() => slack.views('U0ALICE').some(({ blocks }) => visibleText(blocks).startsWith('Page 1 of 1')), 'all of it');
  while (!(await opened())); // it is recorded once it is shown; the test's own time bounds the wait
  await slack.client.closeView('U0ALICE');
  await approve('U0ALICE', { ticket: 'CHG-0007', ...CONFIRMED });
  expect(await told('U0ALICE', 1)).toContain('You approved it');
  expect(await decisions()).toMatchObject([{ ticket: 'CHG-0007', acknowledged: [DEMANDED_WORDS] }]);
});

test('B5: what is missing is refused in private, with the way to the page; nothing is decided', async () => {
  await approve('U0ALICE', { ticket: 'CHG-7', ...CONFIRMED });
  expect(await told('U0ALICE', 1)).toContain('Policy asks for a ticket');
  await approve('U0ALICE', { ticket: 'CHG-0007' });
  expect(await told('U0ALICE', 2)).toContain('word for word');
  // Whoever forges the form's value confirms nothing.
  await approve('U0ALICE', { ticket: 'CHG-0007', [boxOf(DEMANDED_WORDS)]: 'no' });
  expect(await told('U0ALICE', 3)).toContain('word for word');
  await approve('U0ALICE', { ticket: 'CHG-0007', ...CONFIRMED });
  expect(await told('U0ALICE', 4)).toContain('seen everything first');
  expect(JSON.stringify(slack.ephemeral('U0ALICE').at(-1))).toContain(`/requests/${id}`);
  expect(await decisions()).toEqual([]);
});

test('B5: a plain press of Approve, forged onto the card, decides nothing either; a denial asks for a reason alone', async () => {
  const { request_digest } = (await world.state(id)).request;
  await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.approve, value: JSON.stringify({ request_id: id, request_digest }) });
  expect(await told('U0ALICE', 1)).toContain('Policy asks for a ticket');
  await press('U0BOB', ACTIONS.deny);
  await made.form('U0BOB');
  await slack.client.submit({ user: 'U0BOB', values: { reason: 'no' } });
  expect(await told('U0BOB', 1)).toContain('You denied it');
});
