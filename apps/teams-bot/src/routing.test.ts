import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { cardText } from '@countersign/dev-env/teams';
import { routedPolicy } from '@countersign/dev-env/routed-policy';
import { CHANNEL, GROUP, startTeamsRig, type TeamsName, type TeamsRig } from './testing/teams-rig.js';

/* Where cards go in Teams, by a policy that says so. data-owners are alice and bob; dana stands behind every request. */

let rig: TeamsRig;
const NAMES: readonly TeamsName[] = ['dana', 'alice', 'bob', 'carol', 'olivia', 'mallory'];

beforeEach(async () => {
  // botbuilder prints a token whose signature is wrong.
  jest.spyOn(console, 'error').mockImplementation(() => {});
  rig = await startTeamsRig();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rig.close();
});

const cards = (conversation: string, id: string): number =>
  rig.teams.activities(conversation).filter((activity) => rig.teams.card(activity.id) !== undefined && cardText(rig.teams.card(activity.id)).includes(id))
    .length;
const direct = (id: string): string[] => NAMES.filter((name) => cards(rig.teams.personal(name).id, id) > 0);
const installed = async (...names: TeamsName[]): Promise<void> => {
  for (const name of names) await rig.teams.client.installPersonal(name);
};
const routed = (channels: string): Promise<void> => rig.world.policy(() => routedPolicy(channels));
const opened = async (): Promise<string> => {
  const { id } = await rig.world.open();
  await rig.bot.work();
  return id;
};
const failing = async () => (await rig.world.store.routing.failing(rig.world.tenant)).map(({ platform, target }) => `${platform}: ${target}`);

describe('where policy says', () => {
  test('a conversation that policy names gets the card, and no other that an administrator allowed', async () => {
    await rig.allow(GROUP);
    await rig.allow(CHANNEL);
    await installed('alice');
    await routed(`[{ teams: ${JSON.stringify(GROUP)} }]`);
    const id = await opened();
    expect([cards(GROUP, id), cards(CHANNEL, id), direct(id)]).toEqual([1, 0, []]);
    expect(rig.warnings).toEqual([]);
  });

  test('direct: the personal chats of those who are asked, and never who stands behind the request', async () => {
    await installed('dana', 'alice', 'bob', 'carol');
    await rig.allow(GROUP);
    await routed('[{ direct: data-owners }, { person: dana@example.com }]');
    const id = await opened();
    expect(direct(id)).toEqual(['alice', 'bob']);
    // Dana stands behind it, so that line of policy tells nobody: the standing places get it.
    expect(cards(GROUP, id)).toBe(1);
  });

  test('nothing is posted here for a channel of Slack where Slack is connected, and here where it is not', async () => {
    await rig.allow(GROUP);
    await routed('[{ slack: "#prod" }]');
    const first = await opened();
    expect([cards(GROUP, first), await failing()]).toEqual([1, ['*: slack #prod']]);
    await rig.world.store.cards.connect(rig.world.tenant, 'slack');
    const second = await opened();
    expect([cards(GROUP, second), await failing()]).toEqual([0, []]);
  });
});

describe('where that fails', () => {
  test('a conversation that the bot does not know, or that nobody allowed: the standing places, and administrators are told once', async () => {
    await rig.allow(GROUP);
    await routed(`[{ teams: ${JSON.stringify(CHANNEL)} }]`);
    const ids = [await opened(), await opened()];
    for (const id of ids) expect(cards(GROUP, id)).toBe(1);
    expect(rig.warnings).toHaveLength(1);
    expect(await failing()).toEqual([`teams: channel ${CHANNEL}`]);
    const notices = await rig.world.store.notices.since({
      tenant: rig.world.tenant,
      person_id: rig.world.people.olivia,
      groups: ['role:administrator'],
      seconds: 600,
    });
    expect(notices.filter(({ kind }) => kind === 'routing_failed')).toHaveLength(1);
  });

  test('who has not installed the app, or blocked it, does not keep the others from it', async () => {
    await installed('alice');
    rig.teams.block('alice');
    await installed('bob');
    await routed('[{ direct: data-owners }]');
    const id = await opened();
    expect(direct(id)).toEqual(['bob']);
    expect(await failing()).toHaveLength(1);
  });

  test('where none of them can be written to, the standing places get it', async () => {
    await rig.allow(GROUP);
    await routed('[{ direct: data-owners }]');
    const id = await opened();
    expect([cards(GROUP, id), direct(id)]).toEqual([1, []]);
  });
});

describe('many that are alike', () => {
  const lists = () =>
    rig.teams.activities(GROUP).flatMap(({ id }) => {
      const text = cardText(rig.teams.card(id));
      return text.includes('alike') ? [text] : [];
    });

  test('one message lists each of them, marks what is settled, and closes with the last', async () => {
    await rig.allow(GROUP);
    await rig.world.policy(() => routedPolicy(`[{ teams: ${JSON.stringify(GROUP)} }]`, { rule: 'batch: { at_least: 3, within: 10m }' }));
    const ids = await Promise.all([1, 2, 3].map(async () => (await rig.world.open()).id));
    await rig.bot.work();
    expect(lists()).toHaveLength(1);
    for (const id of ids) expect([lists()[0]?.includes(`${id}, until`), cards(GROUP, id)]).toEqual([true, 1]);
    await rig.world.decide('alice', ids[0] ?? '', 'approve');
    await rig.bot.work();
    expect(lists()).toEqual([expect.stringContaining('2 requests that are alike wait')]);
    for (const id of ids.slice(1)) await rig.world.cancel(id);
    await rig.bot.work();
    expect(lists()).toEqual([expect.stringContaining('3 requests that were alike are settled')]);
    expect(rig.warnings).toEqual([]);
  });
});
