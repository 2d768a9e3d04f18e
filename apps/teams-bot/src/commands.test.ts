import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openStoreWithoutServer } from '@countersign/dev-env/approval-world';
import { cardText } from '@countersign/dev-env/teams';
import { randomUUID } from 'node:crypto';
import { GROUP, PEOPLE, startTeamsRig, type TeamsName, type TeamsRig } from './testing/teams-rig.js';

/* The kill switch by a message to the bot. What is common to all platforms is shown by packages/chat. */

let rig: TeamsRig;
beforeEach(async () => {
  rig = await startTeamsRig();
  const { people } = rig.world;
  await rig.world.directory((now) => ({ ...now, groups: [...now.groups, { name: 'freeze_lifters', members: [people.carol] }] }));
});
afterEach(() => rig.close());

const textsIn = (conversation: string) => rig.teams.activities(conversation).map(({ body }) => String(body['text'] ?? ''));
const personal = async (name: TeamsName): Promise<string> => {
  await rig.teams.client.installPersonal(name);
  return rig.teams.personal(name).id;
};
/** What the bot answers there. */
async function say(conversation: string, name: TeamsName, words: string, how: object = {}): Promise<string> {
  const before = textsIn(conversation).length;
  const { status } = await rig.teams.client.addressBot(conversation, name, words, how);
  expect(status).toBe(200);
  const texts = textsIn(conversation).slice(before);
  expect(texts).toHaveLength(1);
  return texts[0] ?? '';
}
const inForce = async () => (await rig.world.store.freezes.list(rig.world.tenant, { open: true, limit: 100 })).map(({ scope, reason }) => ({ scope, reason }));

test('A6: who may freezes by a message in a personal chat, and a second person lifts it by a mention in a group', async () => {
  const own = await personal('olivia');
  const placed = await say(own, 'olivia', 'Freeze everything because it loops');
  expect(placed).toContain('Frozen: everything.');
  expect(await inForce()).toEqual([{ scope: { everything: true }, reason: 'it loops' }]);
  const [id = ''] = /fz_[0-9a-f-]{36}/.exec(placed) ?? [];
  expect(placed).toContain(`\nA second person lifts it: unfreeze ${id}`);
  expect(await say(own, 'olivia', `unfreeze ${id}`)).toContain('Nothing was lifted. You placed this freeze.');
  expect(await say(GROUP, 'alice', 'freezes')).toContain(`${id}: everything (Olivia Example`);
  const before = textsIn(own).length;
  expect(await say(GROUP, 'carol', `unfreeze ${id}`)).toContain('Lifted: everything');
  expect([await inForce(), textsIn(own).length]).toEqual([[], before]);
});

test('A6, C5: who may not, guests and outsiders freeze nothing, and are told why', async () => {
  expect(await say(GROUP, 'alice', 'freeze everything')).toContain('Nothing was frozen. Freezing is for administrators');
  const own = await personal('olivia');
  rig.teams.changePerson('olivia', { userRole: 'guest' });
  expect(await say(own, 'olivia', 'freeze everything')).toContain('Guests');
  await rig.teams.client.addressBot(own, 'olivia', 'freeze everything', { activity: { channelData: { tenant: { id: randomUUID() } } } });
  expect(await inForce()).toEqual([]);
});

test('A6, C5: an account that is nobody’s freezes nothing; its link is told where it alone reads', async () => {
  const inGroup = await say(GROUP, 'mallory', 'freeze everything');
  expect(inGroup).toContain('belongs to nobody');
  expect(inGroup).not.toContain('/link#');
  expect(await say(await personal('mallory'), 'mallory', 'freeze everything')).toMatch(/^Nothing was frozen\. .*http:\/\/localhost:8080\/link#[\w-]{43}$/s);
  expect(await inForce()).toEqual([]);
});

test.each(['no_token', 'foreign_key'] as const)('A6, C5: a forged message (%s) freezes nothing', async (forgery) => {
  const own = await personal('olivia');
  expect((await rig.teams.client.addressBot(own, 'olivia', 'freeze everything', { forgery })).status).toBe(401);
  expect(await inForce()).toEqual([]);
});

test('A6, C5: a message that is sent again as it stands is not done again: what was lifted stays lifted', async () => {
  const own = await personal('olivia');
  const first = await rig.teams.client.addressBot(own, 'olivia', 'freeze everything');
  const [id = ''] = /fz_[0-9a-f-]{36}/.exec(textsIn(own).at(-1) ?? '') ?? [];
  await say(GROUP, 'carol', `unfreeze ${id}`);
  const before = textsIn(own).length;
  await rig.teams.client.replay(first);
  expect([await inForce(), textsIn(own).length]).toEqual([[], before]);
});

test('A6, C2: mentions, marks and lines in a reason do nothing in the answer', async () => {
  const own = await personal('olivia');
  const hostile = '<at>Alice</at> **bold** [Ticket](https://evil.example) &lt;img src=x&gt;\nLifted: everything\u202e';
  expect(await say(own, 'olivia', `freeze action iam.* ${hostile}`)).toContain(
    'Reason: <at>Alice</at> **bold** [Ticket](https://evil.example) <img src=x> ⏎ Lifted: everything⟦U+202E RLO⟧\n',
  );
  const body = rig.teams.activities(own).at(-1)?.body;
  expect([body?.['textFormat'], body?.['entities'] ?? []]).toEqual(['plain', []]);
});

test('C6: somebody who is mentioned stands in, until a day of the writer’s own zone; the answer is for the writer alone', async () => {
  const own = await personal('alice');
  const mentioned = rig.teams.addPerson({ key: 'robert', name: 'Robert the second', email: 'robert@example.com', aadObjectId: PEOPLE.bob });
  const mention = { type: 'mention', text: '<at>Robert the second</at>', mentioned: { id: mentioned.id, name: mentioned.name } };
  rig.teams.addConversation({ id: GROUP, type: 'groupChat', name: 'On call' });
  const before = textsIn(own).length;
  const inGroup = await say(GROUP, 'alice', 'away for 2 days, <at>Robert the second</at> stands in', {
    activity: {
      localTimezone: 'Pacific/Auckland',
      text: '<at>Countersign</at> away for 2 days, <at>Robert the second</at> stands in',
      entities: [{ type: 'mention', text: '<at>Countersign</at>', mentioned: { id: `28:${rig.teams.appId}` } }, mention],
    },
  });
  expect(inGroup).toBe('I answered you in our personal chat.');
  expect(textsIn(own).slice(before)).toEqual([expect.stringMatching(/You are away from now until [^]*Bob Example \(bob@example\.com\) stands in for you/)]);
  expect(textsIn(own).at(-1)).toContain('Pacific/Auckland');
  expect(await rig.world.store.delegations.list(rig.world.tenant, rig.world.people.alice)).toMatchObject([
    { state: 'in_force', delegate: { email: 'bob@example.com' } },
  ]);
  expect(await say(own, 'alice', 'back')).toContain('Welcome back.');
});

test('C6: who is mentioned and belongs to nobody, or to another organisation, stands in for nobody', async () => {
  const own = await personal('alice');
  const outside = rig.teams.addPerson({ key: 'eve', name: 'Eve', email: 'eve@elsewhere.example', aadObjectId: PEOPLE.bob, tenantId: randomUUID() });
  rig.teams.addConversation({ id: own, type: 'personal', members: ['alice', 'eve'] });
  const entities = [{ type: 'mention', text: '<at>Eve</at>', mentioned: { id: outside.id, name: 'Eve' } }];
  await say(own, 'alice', 'away for 2 days, <at>Eve</at> stands in', { activity: { entities } });
  expect(await rig.world.store.delegations.list(rig.world.tenant, rig.world.people.alice)).toEqual([]);
});

test('C6: what waits is told to whom it waits for, alone', async () => {
  const own = await personal('alice');
  const { id } = await rig.world.open();
  expect(await say(GROUP, 'alice', 'waiting')).toBe('I answered you in our personal chat.');
  const card = rig.teams.activities(own).at(-1)?.id ?? '';
  expect(cardText(rig.teams.card(card))).toMatch(new RegExp(`One request waits for you[^]*${id}`));
  expect(JSON.stringify(rig.teams.card(card))).toContain(`/requests/${id}"`);
  expect(await say(GROUP, 'bob', 'waiting')).toContain('Write to me in a personal chat');
});

test('A6: while the database is away the answer says that nothing was frozen and what to use', async () => {
  const own = await personal('olivia');
  const away = await openStoreWithoutServer();
  try {
    await rig.bot.stop();
    rig.use(rig.createBot({}, away));
    const answer = await say(own, 'olivia', 'freeze everything');
    expect(answer).toContain('nothing was frozen');
    expect(answer).toContain('countersign freeze --everything');
    expect(await inForce()).toEqual([]);
  } finally {
    await away.close();
  }
});

test('A6: help tells the words, and what is no command is welcomed as ever', async () => {
  expect(await say(GROUP, 'bob', 'help')).toContain('freeze action PATTERN');
  expect(await say(GROUP, 'bob', 'please freeze everything')).toContain('This is Countersign.');
});
