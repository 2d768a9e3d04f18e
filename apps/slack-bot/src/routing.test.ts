import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type FakeOnCall, startFakeOnCall } from '@countersign/dev-env/on-call';
import { routedPolicy } from '@countersign/dev-env/routed-policy';
import { visibleText } from '@countersign/dev-env/slack';
import { createAccountLinks, createOnCallSource } from '@countersign/chat';
import { createSlackWorld, MALLORY, type SlackWorld } from './testing/slack-world.js';

/* Where cards go in Slack, by a policy that says so. data-owners are alice and bob (with two accounts); dana stands behind every request. */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];
const PEOPLE = ['ALICE', 'BOB', 'BOB2', 'CAROL', 'DANA', 'OLIVIA'] as const;

beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
  slack.addChannel({ id: 'C0PRODUCTION', name: 'prod-approvals', is_private: true });
  slack.addChannel({ id: 'C0STAGING', name: 'staging-approvals' });
});
afterEach(() => made.close());

const carries = (blocks: unknown, id: string): boolean => visibleText(blocks as never).includes(id);
const inChannel = (name: string, id: string): number => slack.messages(name).filter(({ blocks }) => carries(blocks, id)).length;
/** Who got the request's card in private, with how many. */
const direct = (id: string) =>
  Object.fromEntries(
    PEOPLE.map((name) => [name, slack.direct(`U0${name}`).filter(({ blocks }) => carries(blocks, id)).length] as const).filter(([, count]) => count > 0),
  );
const ROUTED = (channels: string, more: Parameters<typeof routedPolicy>[1] = {}) => world.policy(() => routedPolicy(channels, more));
const opened = async (submission = {}, ago = 0): Promise<string> => {
  const { id } = await world.open(submission, ago);
  await made.bot.work();
  return id;
};
/** What administrators are told of routing. */
const told = async () =>
  (await world.store.notices.since({ tenant: world.tenant, person_id: world.people.olivia, groups: ['role:administrator'], seconds: 600 }))
    .filter(({ kind }) => kind === 'routing_failed')
    .map(({ text }) => text);
const failing = async () => (await world.store.routing.failing(world.tenant)).map(({ platform, target }) => `${platform}: ${target}`);

describe('channels', () => {
  test('production goes to its channel and staging to another, and neither to the standing one', async () => {
    await ROUTED(`[{ slack: "#prod-approvals", when: environment == "production" }, { slack: C0STAGING, when: environment != "production" }]`);
    const [production, staging] = [await opened(), await opened({ environment: 'staging' })];
    const counts = (id: string) => ['prod-approvals', 'staging-approvals', 'approvals'].map((name) => inChannel(name, id));
    expect([counts(production), counts(staging)]).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(made.warnings).toEqual([]);
  });

  test('C5: what an address linked is written to while addresses count, and no more once they do not', async () => {
    const alice = await world.store.directory.person(world.tenant, world.people.alice);
    if (alice === null) throw new Error('there is no alice');
    const account = { platform: 'slack' as const, workspace: slack.teamId, user: MALLORY };
    const links = createAccountLinks({ tenant: world.tenant, links: world.store.chatLinks, cooldownSeconds: 0, ...world.flow });
    expect(await links.linkByEmail(account, alice)).toBe('linked');
    const written = (id: string) => slack.direct(MALLORY).filter(({ blocks }) => carries(blocks, id)).length;
    await ROUTED('[{ direct: data-owners }]');
    await made.restart({ linkMode: 'email' });
    expect(written(await opened())).toBe(1);
    await made.restart({ linkMode: 'proof' });
    const id = await opened();
    expect([written(id), direct(id)]).toEqual([0, { ALICE: 1, BOB: 1, BOB2: 1 }]);
  });

  test('a request is shown once in each place, however often it is looked at, and every card closes with it', async () => {
    await ROUTED('[{ slack: "#prod-approvals" }, { slack: C0PRODUCTION }, { direct: data-owners }, { person: alice@example.com }]');
    const id = await opened();
    const other = made.createBot();
    await world.hurry();
    await Promise.all([made.bot.work(), other.work()]);
    expect([inChannel('prod-approvals', id), direct(id)]).toEqual([1, { ALICE: 1, BOB: 1, BOB2: 1 }]);
    await world.decide('alice', id, 'approve');
    await made.bot.work();
    expect(made.warnings).toEqual([]);
    const all = [...slack.messages('prod-approvals'), ...['U0ALICE', 'U0BOB', 'U0BOB2'].flatMap((user) => slack.direct(user))].filter(({ blocks }) =>
      carries(blocks, id),
    );
    expect(all.map(({ blocks }) => [visibleText(blocks).includes('Approved by Alice Example'), JSON.stringify(blocks).includes('"Deny"')])).toEqual(
      all.map(() => [true, false]),
    );
    await other.stop();
  });

  test.each([
    ['the bot was kicked', () => slack.changeChannel('C0PRODUCTION', { members: ['U0ALICE'] }), 'prod-approvals'],
    ['is archived', () => slack.changeChannel('C0PRODUCTION', { is_archived: true }), 'prod-approvals'],
    ['is shared with outsiders', () => slack.changeChannel('C0PRODUCTION', { is_ext_shared: true }), 'shared with another organisation'],
  ])('a channel that %s: the standing channel gets the card, operators are told once, and it heals', async (_what, spoil, words) => {
    await ROUTED('[{ slack: "#prod-approvals" }, { slack: "#staging-approvals" }]');
    spoil();
    const ids = [await opened(), await opened(), await opened()];
    for (const id of ids) expect(['prod-approvals', 'staging-approvals', 'approvals'].map((name) => inChannel(name, id))).toEqual([0, 1, 1]);
    expect(made.warnings).toEqual([expect.stringContaining(words)]);
    expect(await told()).toEqual([expect.stringContaining('#prod-approvals')]);
    expect(await failing()).toEqual(['slack: channel #prod-approvals']);
    // It is not asked for again by each request.
    const tries = slack.wire.traffic.filter(({ request: { name, body } }) => name === 'chat.postMessage' && body.toString().includes('C0PRODUCTION')).length;
    expect(tries).toBeLessThan(2);
    // A minute later it is tried, and told no second time, whichever process looks.
    const again = made.createBot({ ahead: 61 });
    await world.hurry();
    await again.work();
    await again.stop();
    expect([made.warnings.length, (await told()).length]).toEqual([1, 1]);
    // An operator mends it: it is tried again by itself, and forgotten as a failure.
    slack.changeChannel('C0PRODUCTION', { members: [slack.botUserId, 'U0ALICE'], is_archived: false, is_ext_shared: false });
    const later = made.createBot({ ahead: 120 });
    await world.hurry();
    await later.work();
    for (const id of ids) expect(inChannel('prod-approvals', id)).toBe(1);
    expect(await failing()).toEqual([]);
    await later.stop();
  });

  test('a channel that policy names and nobody has, and no standing one: administrators are told that it waits in the web inbox', async () => {
    await made.restart({ channel: null });
    await ROUTED('[{ slack: "#nowhere" }]');
    await opened();
    expect(await failing()).toEqual(expect.arrayContaining(['slack: channel #nowhere', 'slack: standing']));
    expect((await told()).join()).toContain('wait in the web inbox');
  });

  test('a channel that the bot is kicked from while a request waits there: the standing one gets its card', async () => {
    await ROUTED('[{ slack: "#prod-approvals" }]', { rule: 'deny_threshold: 2' });
    const id = await opened();
    slack.changeChannel('C0PRODUCTION', { members: ['U0ALICE'] });
    await world.decide('alice', id, 'deny', 'no');
    await made.bot.work();
    expect((await world.state(id)).request.status).toBe('pending');
    expect(inChannel('approvals', id)).toBe(1);
  });

  test('Slack in trouble is no failure of the channel: the card comes late, and only where it should', async () => {
    await ROUTED('[{ slack: "#prod-approvals" }]');
    slack.fail('chat.postMessage', 'server_error');
    const id = await opened();
    expect([inChannel('prod-approvals', id), inChannel('approvals', id), await failing()]).toEqual([0, 0, []]);
    await world.hurry();
    await made.bot.work();
    expect([inChannel('prod-approvals', id), inChannel('approvals', id)]).toEqual([1, 0]);
  });
});

describe('private messages', () => {
  test('each member who is asked gets one for each account, and nobody who stands behind the request', async () => {
    await world.directory((now) => ({
      ...now,
      groups: now.groups.map((group) => (group.name === 'data-owners' ? { ...group, members: [...group.members, world.people.dana] } : group)),
    }));
    await ROUTED('[{ direct: data-owners }]');
    const id = await opened();
    expect([direct(id), inChannel('approvals', id), made.warnings]).toEqual([{ ALICE: 1, BOB: 1, BOB2: 1 }, 0, []]);
  });

  test('whoever may decide by now gets one when their time has come', async () => {
    await ROUTED('[{ direct: data-owners }]');
    const id = await opened();
    expect(direct(id)).toEqual({ ALICE: 1, BOB: 1, BOB2: 1 });
    const later = made.createBot({ ahead: 601 });
    // It looks at every request that waits, as after an escalation.
    await later.start();
    await later.work();
    expect(direct(id)).toEqual({ ALICE: 1, BOB: 1, BOB2: 1, CAROL: 1 });
    await later.stop();
  });

  test('a person whom policy names', async () => {
    await ROUTED('[{ person: olivia@example.com }]');
    expect(direct(await opened())).toEqual({ OLIVIA: 1 });
  });

  test('one that cannot be written to does not keep the others from it; where nobody can be, the standing channel gets it', async () => {
    slack.changeUser('U0ALICE', { deleted: true });
    await ROUTED('[{ direct: data-owners }]');
    const id = await opened();
    expect([direct(id), inChannel('approvals', id)]).toEqual([{ BOB: 1, BOB2: 1 }, 0]);
    expect(await failing()).toEqual([`slack: account ${slack.teamId}/U0ALICE`]);
    await ROUTED('[{ person: alice@example.com }]');
    const other = await opened();
    expect([direct(other), inChannel('approvals', other)]).toEqual([{}, 1]);
    expect(await told()).toHaveLength(1);
  });

  test('who has no account on any connected platform: the standing channel, and it is said', async () => {
    await world.directory((now) => ({ ...now, people: now.people.map((one) => (one.id === world.people.olivia ? { ...one, accounts: [] } : one)) }));
    await ROUTED('[{ person: olivia@example.com }]');
    const id = await opened();
    expect([inChannel('approvals', id), await failing()]).toEqual([1, ['*: person olivia@example.com']]);
    expect(await told()).toEqual([expect.stringContaining('no chat account')]);
  });
});

describe('who is on call', () => {
  let fake: FakeOnCall;
  beforeEach(async () => {
    fake = await startFakeOnCall();
  });
  afterEach(() => fake.close());
  const source = () =>
    createOnCallSource({
      pagerduty: { token: fake.pagerDutyToken, apiUrl: fake.url },
      opsgenie: { token: fake.opsgenieToken, apiUrl: fake.url },
      clock: world.flow.clock,
    });

  test('by a rotation of the bundle', async () => {
    const schedules = '{ night: { start: 2020-01-06T00:00Z, handover: weekly, rotation: [carol@example.com] } }';
    await ROUTED('[{ on_call: night }]', { schedules });
    expect(direct(await opened())).toEqual({ CAROL: 1 });
  });

  test('by PagerDuty and by Opsgenie', async () => {
    fake.duty.set('PABC', ['carol@example.com']);
    fake.duty.set('apps', ['Olivia@Example.com']);
    await made.restart({ onCall: source() });
    await ROUTED('[{ on_call: night }, { on_call: apps }]', { schedules: '{ night: { pagerduty: PABC }, apps: { opsgenie: apps } }' });
    expect(direct(await opened())).toEqual({ CAROL: 1, OLIVIA: 1 });
  });

  test('no answer: the standing channel, and it is said; later whoever is on call gets it too', async () => {
    fake.duty.set('PABC', ['carol@example.com']);
    fake.wire.fail('pagerduty', { kind: 'reset' });
    await made.restart({ onCall: source() });
    await ROUTED('[{ on_call: night }]', { schedules: '{ night: { pagerduty: PABC } }' });
    const id = await opened();
    expect([direct(id), inChannel('approvals', id)]).toEqual([{}, 1]);
    expect(await told()).toEqual([expect.stringContaining('PagerDuty gives no answer')]);
    await made.restart({ onCall: source() });
    await world.hurry();
    await made.bot.work();
    expect([direct(id), inChannel('approvals', id), await failing()]).toEqual([{ CAROL: 1 }, 1, []]);
  });

  test('who is on call and stands behind the request gets none; the standing channel does', async () => {
    const schedules = '{ night: { start: 2020-01-06T00:00Z, handover: weekly, rotation: [dana@example.com] } }';
    await ROUTED('[{ on_call: night }]', { schedules });
    const id = await opened();
    expect([direct(id), inChannel('approvals', id), await failing()]).toEqual([{}, 1, []]);
  });
});
