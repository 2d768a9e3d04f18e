import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { chatPlaceView, decidePlace } from '@countersign/core/flow';
import { createAuthentication } from './authentication.js';
import { createPlaces, type Places } from './places.js';
import { createTeamsCalls } from './teams-calls.js';
import { CHANNEL, GROUP, PEOPLE as ids, startTeamsRig, TENANT_ID as tenantId, type TeamsRig } from './testing/teams-rig.js';

/* Which conversations the bot knows, what they are called, and how it reaches people whom it has not met. */

let rig: TeamsRig;
let places: Places;
beforeEach(async () => {
  jest.spyOn(console, 'error').mockImplementation(() => {});
  rig = await startTeamsRig();
  const { world, teams, config, warnings } = rig;
  const calls = createTeamsCalls(createAuthentication(config, teams.credentialsFactory), teams.appId);
  const { cards, routing } = world.store;
  const note = (fields: object, message: string): void =>
    void warnings.push(`${message}: ${'err' in fields && fields.err instanceof Error ? fields.err.message : ''}`);
  const log = { info: note, warn: note };
  places = createPlaces({ tenant: world.tenant, config, calls, cards, routing, clock: world.flow.clock, entropy: world.flow.entropy, log });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rig.close();
});

const listed = async () => (await rig.world.store.chatPlaces.list(rig.world.tenant, { limit: 100 })).map(chatPlaceView);
const placeOf = async (conversation: string) => (await listed()).find(({ place }) => place === conversation);
const asked = () => rig.teams.wire.traffic.filter(({ request }) => request.name === 'createConversation');
const cardsIn = (conversation: string) => rig.teams.activities(conversation).filter(({ id }) => rig.teams.card(id) !== undefined);

describe('what administrators see', () => {
  test('every conversation that the bot was added to, with its name and when it was heard of', async () => {
    await rig.teams.client.installIn(CHANNEL, 'alice');
    await rig.teams.client.addressBot(GROUP, 'alice', 'hi');
    await rig.teams.client.installPersonal('bob');
    expect((await listed()).map(({ kind, name, allowed, removed }) => ({ kind, name, allowed, removed }))).toEqual(
      expect.arrayContaining([
        { kind: 'channel', name: 'Platform / Approvals', allowed: false, removed: false },
        { kind: 'group', name: 'On call', allowed: false, removed: false },
        { kind: 'personal', name: 'bob example', allowed: false, removed: false },
      ]),
    );
    expect((await listed()).at(-1)?.kind).toBe('personal');
  });

  test('a group without a name is called after its members, the first channel of a team General', async () => {
    rig.teams.addConversation({ id: '19:nameless@thread.v2', type: 'groupChat' });
    rig.teams.addConversation({ id: '19:first@thread.tacv2', type: 'channel', teamId: '19:first@thread.tacv2', teamName: 'Data' });
    await rig.teams.client.installIn('19:nameless@thread.v2', 'alice');
    await rig.teams.client.installIn('19:first@thread.tacv2', 'alice');
    expect((await placeOf('19:nameless@thread.v2'))?.name).toBe('dana example, alice example, bob example …');
    expect((await placeOf('19:first@thread.tacv2'))?.name).toBe('Data / General');
  });

  test('where Teams does not say what a place is called, the bot works all the same', async () => {
    rig.teams.fail('getTeamChannels', 'server_error');
    await rig.allow(CHANNEL);
    expect((await placeOf(CHANNEL))?.name).toBeNull();
    await rig.world.open();
    await rig.bot.work();
    expect(cardsIn(CHANNEL)).toHaveLength(1);
    rig.teams.wire.heal();
    await rig.teams.client.addressBot(CHANNEL, 'alice', 'hi');
    expect((await placeOf(CHANNEL))?.name).toBe('Platform / Approvals');
  });

  test('a place that is allowed gets the open requests, one that is disallowed gets no new ones, and its card still closes', async () => {
    await rig.teams.client.addressBot(GROUP, 'alice', 'hi');
    const { id } = await rig.world.open();
    await rig.bot.work();
    expect(cardsIn(GROUP)).toHaveLength(0);
    await rig.allow(GROUP);
    await rig.bot.work();
    expect(cardsIn(GROUP)).toHaveLength(1);
    const place = await placeOf(GROUP);
    const by = { id: rig.world.people.olivia, email: 'olivia@example.com', name: 'Olivia' };
    await decidePlace({ ...rig.world.flow, chatPlaces: rig.world.store.chatPlaces }, rig.world.tenant, by, place?.id ?? '', false);
    await rig.world.open();
    await rig.bot.work();
    expect(cardsIn(GROUP)).toHaveLength(1);
    await rig.world.cancel(id);
    await rig.bot.work();
    expect(JSON.stringify(rig.teams.card(cardsIn(GROUP)[0]?.id ?? ''))).not.toContain('"verb":"approve"');
  });

  test('a bot that was removed posts nothing, says so in the list, and goes on where it left off once it is added again', async () => {
    await rig.allow(GROUP);
    await rig.teams.client.uninstall(GROUP, 'alice');
    expect(await placeOf(GROUP)).toMatchObject({ removed: true, allowed: true });
    await rig.world.open();
    await rig.bot.work();
    expect(rig.warnings).toEqual([]);
    await rig.teams.client.installIn(GROUP, 'alice');
    expect(await placeOf(GROUP)).toMatchObject({ removed: false, allowed: true });
    await rig.bot.work();
    expect(cardsIn(GROUP)).toHaveLength(1);
  });

  test('where Teams says that the bot is not there any more, the place is forgotten, and the operator is told what to do', async () => {
    await rig.allow(GROUP);
    const conversation = rig.teams.addConversation({ id: GROUP, type: 'groupChat' });
    conversation.installed = false;
    await rig.world.open();
    await rig.bot.work();
    expect(rig.warnings.join()).toMatch(/403 BotNotInConversationRoster: the app is not installed there/);
    expect(await placeOf(GROUP)).toMatchObject({ removed: true });
  });
});

describe('people whom the bot has not met', () => {
  test('C1: are written to where the app is installed for them, by their object id, once', async () => {
    await rig.teams.client.installIn(GROUP, 'alice');
    rig.teams.personal('carol').installed = true;
    const account = { workspace: tenantId, user: ids.carol };
    const opened = await places.openPersonal(account);
    expect(opened?.conversation.id).toBe(rig.teams.personal('carol').id);
    expect(await places.openPersonal(account)).toEqual(opened);
    expect(asked()).toHaveLength(1);
    expect(await placeOf(rig.teams.personal('carol').id)).toMatchObject({ kind: 'personal', removed: false });
  });

  test('are not where the app is not installed; Teams is not asked again for ten minutes, unless they install it', async () => {
    await rig.teams.client.installIn(GROUP, 'alice');
    const account = { workspace: tenantId, user: ids.bob };
    expect([await places.openPersonal(account), await places.openPersonal(account)]).toEqual([null, null]);
    expect(asked()).toHaveLength(1);
    expect(rig.warnings.join()).toContain('the app is not installed');
    await rig.teams.client.installPersonal('bob');
    expect((await places.openPersonal(account))?.conversation.id).toBe(rig.teams.personal('bob').id);
  });

  test('of another tenant nobody is written to, and nobody before the bot was heard of at a rig', async () => {
    expect(await places.openPersonal({ workspace: tenantId, user: ids.bob })).toBeNull();
    await rig.teams.client.installIn(GROUP, 'alice');
    expect(await places.openPersonal({ workspace: 'f2c1b7e0-0000-4000-8000-000000000000', user: ids.bob })).toBeNull();
    expect(asked()).toHaveLength(0);
  });

  test('who blocked the bot is a matter for the operator, in words', async () => {
    await rig.teams.client.installPersonal('alice');
    rig.teams.block('alice');
    await rig.world.open();
    await rig.bot.work();
    expect(rig.warnings.join()).toMatch(/403 MessageWritesBlocked: the person blocked the bot or removed the app/);
  });
});

describe('the places that policy names', () => {
  test.each([
    ['its name', 'Platform / Approvals'],
    ['its name in other letters', 'platform/approvals'],
    ['its last part', '#approvals'],
    ["Teams' id", CHANNEL],
  ])('are found by %s', async (_what, words) => {
    expect(await places.named(words)).toBeNull();
    await rig.allow(CHANNEL);
    expect(await places.named(words)).toBe(CHANNEL);
  });

  test('a name that two have names neither; a place that nobody allowed, or that is gone, has none', async () => {
    rig.teams.addConversation({ id: '19:other@thread.tacv2', type: 'channel', name: 'Approvals', teamId: '19:data@thread.tacv2', teamName: 'Data' });
    await rig.allow(CHANNEL);
    await rig.teams.client.installIn('19:other@thread.tacv2', 'alice');
    expect(await places.named('Approvals')).toBe(CHANNEL);
    await rig.allow('19:other@thread.tacv2');
    expect(await places.named('Approvals')).toBeNull();
    expect(await places.named('Data / Approvals')).toBe('19:other@thread.tacv2');
    await rig.teams.client.uninstall('19:other@thread.tacv2', 'alice');
    expect(await places.named('Approvals')).toBe(CHANNEL);
  });
});
