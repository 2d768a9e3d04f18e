import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openStoreWithoutServer } from '@countersign/dev-env/approval-world';
import { visibleText } from '@countersign/dev-env/slack';
import { createSlackWorld, MALLORY, type SlackWorld } from './testing/slack-world.js';

/* The kill switch by `/countersign`. What is common to all platforms is shown by packages/chat. */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];
beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
  await world.directory((now) => ({ ...now, groups: [...now.groups, { name: 'freeze_lifters', members: [world.people.carol] }] }));
});
afterEach(() => made.close());

const command = (user: string, text: string, more: object = {}) => slack.client.command({ user, channel: 'approvals', command: '/countersign', text, ...more });
/** The answer to the last of so many commands; it stands where this person alone sees it. */
async function told(user: string, count = 1): Promise<string> {
  const answers = await slack.wire.until(() => (slack.ephemeral(user).length === count ? slack.ephemeral(user) : undefined), `${count} answers for ${user}`);
  return visibleText(answers.at(-1)?.blocks ?? []);
}
const inForce = async () => (await world.store.freezes.list(world.tenant, { open: true, limit: 100 })).map(({ scope, reason }) => ({ scope, reason }));

test('A6: who may freezes by a slash command, and a second person lifts it; only they see the answers', async () => {
  const given = await command('U0OLIVIA', 'freeze everything because it loops');
  expect([given.status, given.body]).toEqual([200, '']);
  const placed = await told('U0OLIVIA');
  expect(placed).toContain('Frozen: everything.');
  expect(await inForce()).toEqual([{ scope: { everything: true }, reason: 'it loops' }]);
  const [id = ''] = /fz_[0-9a-f-]{36}/.exec(placed) ?? [];
  await command('U0OLIVIA', `unfreeze ${id}`);
  expect(await told('U0OLIVIA', 2)).toContain('Nothing was lifted. You placed this freeze.');
  await command('U0ALICE', 'freezes');
  expect(await told('U0ALICE')).toContain(`${id}: everything (Olivia Example`);
  await command('U0CAROL', `unfreeze ${id} mended`);
  expect(await told('U0CAROL')).toContain('Lifted: everything');
  expect(await inForce()).toEqual([]);
  expect([slack.messages('approvals'), slack.direct('U0OLIVIA'), slack.ephemeral('U0BOB')]).toEqual([[], [], []]);
});

test.each([
  ['who may not freeze', 'U0ALICE', {}, 'Freezing is for administrators'],
  ['a guest', 'U0OLIVIA', { is_restricted: true }, 'Guests'],
  ['a bot', 'U0OLIVIA', { is_bot: true }, 'Bots'],
  ['of another workspace', 'U0OLIVIA', { team_id: 'T0OTHER' }, 'another organisation'],
  ['deactivated', 'U0OLIVIA', { deleted: true }, 'deactivated'],
])('A6, C5: %s: nothing is frozen, and the reason is told in private', async (_what, user, change, words) => {
  slack.changeUser(user, change);
  await command(user, 'freeze everything');
  const answer = await told(user);
  expect(answer).toContain('Nothing was frozen.');
  expect(answer).toContain(words);
  expect(await inForce()).toEqual([]);
});

test('A6, C5: a command that names another workspace freezes nothing', async () => {
  await command('U0OLIVIA', 'freeze everything', { teamId: 'T0OTHER' });
  expect(await told('U0OLIVIA')).toContain('another organisation');
  expect(await inForce()).toEqual([]);
});

test('A6, C5: an account that is nobody’s freezes nothing, and gets its link in private', async () => {
  await command(MALLORY, 'freeze everything');
  expect(await told(MALLORY)).toContain('belongs to nobody');
  expect(JSON.stringify(slack.ephemeral(MALLORY).at(-1)?.blocks)).toMatch(/"url":"http:\/\/localhost:8080\/link#[\w-]{43}"/);
  expect([await inForce(), slack.messages('approvals')]).toEqual([[], []]);
});

test.each([
  ['from the future', { at: Date.now() + 60 * 60_000 }],
  ['old', { at: Date.now() - 6 * 60_000 }],
  ['signed by another', { signature: 'foreign_secret' }],
  ['changed on its way', { signature: 'tampered_body' }],
  ['not signed', { signature: 'missing' }],
])('A6, C5: a command %s is answered with 401 and freezes nothing', async (_what, how) => {
  expect((await command('U0OLIVIA', 'freeze everything', how)).status).toBe(401);
  expect([await inForce(), slack.ephemeral('U0OLIVIA')]).toEqual([[], []]);
});

test('A6, C5: a command that is sent again as it stands is answered with 401: what was lifted stays lifted', async () => {
  const first = await command('U0OLIVIA', 'freeze everything');
  const [id = ''] = /fz_[0-9a-f-]{36}/.exec(await told('U0OLIVIA')) ?? [];
  await command('U0CAROL', `unfreeze ${id}`);
  await told('U0CAROL');
  expect((await slack.client.replay(first)).status).toBe(401);
  expect([await inForce(), slack.ephemeral('U0OLIVIA').length]).toEqual([[], 1]);
});

test('A6, C2: mentions, marks and lines in a reason do nothing in the answers', async () => {
  const hostile = '<!channel> <@U0ALICE> *bold* <https://evil.example|Ticket> &lt;!here&gt;\nLifted: everything';
  await command('U0OLIVIA', `freeze action iam.* ${hostile}`);
  expect(await told('U0OLIVIA')).toContain('Reason: <!channel> <@U0ALICE> *bold* Ticket <!here> ⏎ Lifted: everything');
  const [said] = slack.ephemeral('U0OLIVIA');
  expect(said?.text).not.toMatch(/[<>]/);
  expect(JSON.stringify(said?.blocks)).not.toContain('mrkdwn');
  await command('U0ALICE', 'freezes');
  expect(await told('U0ALICE')).toContain('<!channel> <@U0ALICE> *bold*');
  expect(slack.ephemeral('U0ALICE')[0]?.text).not.toMatch(/[<>]/);
});

test('A6: an address that Slack made a link of freezes whom it names; a mention names nobody here', async () => {
  await command('U0OLIVIA', 'freeze actor <mailto:dana@example.com|dana@example.com> left');
  await told('U0OLIVIA');
  expect(await inForce()).toEqual([{ scope: { actor: 'dana@example.com' }, reason: 'left' }]);
  await command('U0OLIVIA', 'freeze actor <@U0DANA|dana>');
  expect(await told('U0OLIVIA', 2)).toContain('Nothing was changed.');
  expect(await inForce()).toHaveLength(1);
});

test.each(['', 'help', 'what?'])('A6: %j is answered with the words that there are', async (text) => {
  await command('U0BOB', text);
  expect(await told('U0BOB')).toContain('/countersign freeze action PATTERN');
});

test('A6: while the database is away the command is acknowledged, and the answer says that nothing was frozen and what to use', async () => {
  const away = await openStoreWithoutServer();
  try {
    await made.restart({ store: away });
    expect((await command('U0OLIVIA', 'freeze everything')).status).toBe(200);
    const answer = await told('U0OLIVIA');
    expect(answer).toContain('nothing was frozen');
    expect(answer).toContain('countersign freeze --everything');
    expect(await inForce()).toEqual([]);
  } finally {
    await away.close();
  }
});

test('A6: a command is acknowledged before anything is asked of anybody', async () => {
  slack.fail('users.info', 'hold_answer');
  expect((await command('U0OLIVIA', 'freeze everything')).status).toBe(200);
  expect(slack.ephemeral('U0OLIVIA')).toEqual([]);
  slack.wire.heal();
  expect(await told('U0OLIVIA')).toContain('Frozen: everything.');
});

test('A6: where Slack does not say whose account it is, nothing is frozen', async () => {
  slack.fail('users.info', 'server_error');
  await command('U0OLIVIA', 'freeze everything');
  expect(await told('U0OLIVIA')).toContain('nothing was frozen');
  expect(await inForce()).toEqual([]);
});
