import { DEMANDED_WORDS, demandMore } from '@countersign/dev-env/approval-world';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { cardText } from '@countersign/dev-env/teams';
import { GROUP, startTeamsRig, type TeamsRig } from './testing/teams-rig.js';

/* What policy demands with an approval, asked for in Teams. */

let rig: TeamsRig;
let id: string;
let activityId: string;

beforeEach(async () => {
  rig = await startTeamsRig();
  await rig.allow(GROUP);
  await rig.world.policy(demandMore);
  ({ id } = await rig.world.open());
  await rig.bot.work();
  activityId = rig.teams.activities(GROUP).at(-1)?.id ?? '';
});
afterEach(() => rig.close());

const press = (user: string, verb: string, inputs: Record<string, string> = {}) =>
  rig.teams.client.press({ user, conversation: GROUP, activityId, verb, inputs });
const wordsOf = (answer: Awaited<ReturnType<typeof press>>): string => JSON.stringify(answer.json);
const decisions = async () => (await rig.world.state(id)).decisions;
const GIVEN = { ticket: 'CHG-0007', words_0: DEMANDED_WORDS };

test('B5: the card says and asks what an approval takes; what was given stands on the decision', async () => {
  expect(cardText(rig.teams.card(activityId))).toContain('Approving needs');
  await press('alice', 'everything');
  expect((await rig.world.store.requests.timeline(rig.world.tenant, id)).map(({ event }) => event)).toContain('card.opened');
  expect(wordsOf(await press('alice', 'approve', GIVEN))).toContain('You approved it');
  expect(await decisions()).toMatchObject([{ ticket: 'CHG-0007', acknowledged: [DEMANDED_WORDS] }]);
});

test('B5: what is missing is refused to the presser alone, with the way to the page; nothing is decided', async () => {
  expect(wordsOf(await press('alice', 'approve'))).toContain('Policy asks for a ticket');
  expect(wordsOf(await press('alice', 'approve', { ticket: 'CHG-0007' }))).toContain('word for word');
  expect(wordsOf(await press('alice', 'approve', { ticket: 'CHG-0007', words_0: 'I have read it.' }))).toContain('word for word');
  // A ticket is never cut to one that fits.
  expect(wordsOf(await press('alice', 'approve', { ...GIVEN, ticket: `CHG-0007${' '.repeat(248)}-` }))).toContain('may have 256 characters; it has 257');
  const unseen = wordsOf(await press('alice', 'approve', GIVEN));
  expect(unseen).toContain('seen everything first');
  expect(unseen).toContain(`/requests/${id}`);
  expect(await decisions()).toEqual([]);
  // A denial asks for nothing of it.
  expect(wordsOf(await press('bob', 'deny'))).toContain('You denied it');
});

test('B5: a request that a card cannot hold is not opened by it, whatever its text says of itself', async () => {
  const { id: huge } = await rig.world.open({ parameters: { sql: `All 60,000 characters ${'x'.repeat(60_000)}` } });
  await rig.bot.work();
  activityId = rig.teams.activities(GROUP).at(-1)?.id ?? '';
  await press('alice', 'everything');
  expect((await rig.world.store.requests.timeline(rig.world.tenant, huge)).map(({ event }) => event)).not.toContain('card.opened');
});
