import { ask, fireTimer } from '@countersign/core/flow';
import { cardText, type StoredActivity } from '@countersign/dev-env/teams';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CHANNEL, startTeamsRig, type TeamsName, type TeamsRig } from './testing/teams-rig.js';

let rig: TeamsRig;
beforeAll(async () => {
  rig = await startTeamsRig();
  await rig.allow(CHANNEL);
  // Bob has not installed the app.
  for (const name of ['dana', 'alice', 'carol']) await rig.teams.client.installPersonal(name);
  await rig.world.policy((text) => text.replace('      timeout: 4h\n\n', '      timeout: { after: 4h, reminders: [10m] }\n\n'));
});
afterAll(() => rig.close());

const textOf = ({ id }: StoredActivity) => cardText(rig.teams.card(id));
const inPersonal = (name: TeamsName) => rig.teams.activities(rig.teams.personal(name).id);
/** What a title of a message stands in, and no card. */
const saying = (title: string, activities: readonly StoredActivity[]) => activities.filter((one) => textOf(one).startsWith(title));
let known = new Set<string>();
const fresh = (activities: readonly StoredActivity[]) => activities.filter(({ id }) => !known.has(id));

async function remind(): Promise<void> {
  const { flow, store } = rig.world;
  for (const timer of await store.timers.due(100)) await fireTimer({ ...flow, timers: store.timers }, timer);
}

async function workOff(runs = 4): Promise<void> {
  for (let run = 0; run < runs; run++) {
    await rig.world.hurry();
    await rig.bot.work();
  }
}

describe('what people are told in Teams besides the card', () => {
  beforeEach(async () => {
    await workOff();
    const all = [CHANNEL, ...(['dana', 'alice', 'bob', 'carol'] as const).map((name) => rig.teams.personal(name).id)].flatMap((id) => rig.teams.activities(id));
    known = new Set(all.map(({ id }) => id));
  });

  test('C6: a reminder stands in the thread of the channel’s card, and goes to those who are still needed and installed the app', async () => {
    const { id } = await rig.world.open({}, 700);
    await rig.bot.work();
    const [card] = fresh(rig.teams.activities(CHANNEL));
    await remind();
    await workOff();
    const replies = saying('Still waiting', fresh(rig.teams.activities(CHANNEL)));
    expect(replies).toHaveLength(1);
    expect(JSON.stringify(replies[0])).toContain(String(card?.id));
    expect(saying('Still waiting', fresh(inPersonal('alice')))).toHaveLength(1);
    for (const name of ['bob', 'carol', 'dana'] as const) expect(saying('Still waiting', fresh(inPersonal(name)))).toEqual([]);
    expect(replies.map(textOf)[0]).toContain('Still waiting for 1 of data-owners: data.export on postgres_table prod.customers.');
    await rig.world.decide('alice', id, 'deny', 'not now');
    await workOff();
    expect(saying('A request was decided', fresh(inPersonal('dana'))).map(textOf)[0]).toContain('Denied by Alice Example: not now');
  });

  test('C6: a question reaches whoever wants the action, and its words are words', async () => {
    const { id } = await rig.world.open();
    await rig.bot.work();
    await ask(rig.world.flow, { tenant: rig.world.tenant, person_id: rig.world.people.alice }, id, 'Why **now**, [the wiki](https://evil.example)?');
    await workOff();
    const [asked] = saying('A question about a request', fresh(inPersonal('dana')));
    expect(asked === undefined ? '' : textOf(asked)).toContain('Why **now**, [the wiki](https://evil.example)?');
    expect(JSON.stringify(rig.teams.card(asked?.id ?? ''))).toContain('"Answer"');
  });

  test('C6: whose presence says out of office is named to the others, where that is to be read; nobody decides otherwise for it', async () => {
    rig.teams.setPresence('bob', { availability: 'Away', activity: 'OutOfOffice', outOfOfficeSettings: { message: 'Back *soon*', isOutOfOffice: true } });
    const tell = async (change: Parameters<TeamsRig['createBot']>[0]) => {
      const { id } = await rig.world.open({}, 700);
      await rig.bot.work();
      await remind();
      const bot = rig.createBot(change);
      await bot.work();
      await bot.stop();
      const said = saying('Still waiting', fresh(inPersonal('alice')))
        .map(textOf)
        .at(-1);
      expect(await rig.world.decide('bob', id, 'approve')).toMatchObject({ kind: 'decided' });
      return said;
    };
    expect(await tell({})).not.toContain('away');
    const reading = { readAbsence: true, graphUrl: rig.teams.graphUrl };
    expect(await tell(reading)).toMatch(/Bob Example seems to be away\./);
    // Graph that does not answer holds nothing up.
    rig.teams.fail('presence', 'server_error');
    expect(await tell(reading)).toContain('Still waiting for 1 of data-owners');
  });

  test('Teams is down for an hour: told once when it is back; and where its answer was lost, twice at most', async () => {
    await rig.world.open({}, 700);
    await rig.bot.work();
    await remind();
    await rig.teams.wire.refuse();
    await workOff(3);
    await rig.teams.wire.accept();
    await workOff();
    expect(saying('Still waiting', fresh(inPersonal('alice')))).toHaveLength(1);
    expect(saying('Still waiting', fresh(rig.teams.activities(CHANNEL)))).toHaveLength(1);

    await rig.world.open({}, 700);
    await rig.bot.work();
    await remind();
    // A bot cannot read what it wrote: what may have been said is said again.
    rig.teams.fail(/sendToConversation|replyToActivity/, 'lose_answer', { times: 1 });
    await workOff();
    const told = [...fresh(inPersonal('alice')), ...fresh(rig.teams.activities(CHANNEL))];
    expect(saying('Still waiting', told)).toHaveLength(2 + 2 + 1);
  });
});
