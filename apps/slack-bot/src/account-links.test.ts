import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createAccountLinks } from '@countersign/chat';
import { linkCodeHash, linkTokenHash, loneLeaf } from '@countersign/core/flow';
import { visibleText } from '@countersign/dev-env/slack';
import { ACTIONS } from './buttons.js';
import { createSlackWorld, MALLORY, type SlackWorld } from './testing/slack-world.js';

/* How an account that is nobody's becomes somebody's, on Slack's side; the browser's side is intake's. */

let made: SlackWorld;
beforeEach(async () => {
  made = await createSlackWorld();
});
afterEach(() => made.close());

async function pressedBy(user: string): Promise<string> {
  const { id } = await made.world.open();
  await made.bot.work();
  const ts = made.slack.messages('approvals').at(-1)?.ts ?? '';
  await made.slack.client.press({ user, channel: 'approvals', ts, actionId: ACTIONS.approve });
  await made.slack.wire.until(() => made.slack.ephemeral(user).length + made.slack.direct(user).length > 0, 'the private word');
  return id;
}
const linkFor = (user: string): string | undefined => /"url":"(?<url>[^"]+\/link#[\w-]{43})"/.exec(JSON.stringify(made.slack.ephemeral(user)))?.groups?.['url'];

describe('an account that is nobody’s', () => {
  test('C5: gets a link of its own, in private, and decides nothing', async () => {
    const id = await pressedBy(MALLORY);
    const url = linkFor(MALLORY);
    expect(url).toMatch(/^http:\/\/localhost:8080\/link#[\w-]{43}$/);
    expect(JSON.stringify(made.slack.messages('approvals'))).not.toContain('/link#');
    expect(made.slack.ephemeral('U0ALICE')).toEqual([]);
    expect((await made.world.state(id)).decisions).toEqual([]);
    const by = { tenant: made.world.tenant, person_id: made.world.people.alice, session_id: 'ses_1' };
    const opened = await made.world.store.chatLinks.openLink(linkTokenHash(new URL(url ?? '').hash.slice(1)), by);
    expect(opened).toMatchObject({ platform: 'slack', workspace: made.slack.teamId, user: MALLORY, label: expect.any(String) });
  });

  test.each([
    ['guest', { is_restricted: true }],
    ['single-channel guest', { is_restricted: true, is_ultra_restricted: true }],
    ['stranger of Slack Connect', { is_stranger: true }],
    ['account of another workspace', { team_id: 'T0OTHER' }],
    ['bot', { is_bot: true }],
    ['deactivated account', { deleted: true }],
  ])('C5: a %s gets no link, but the reason', async (_what, change) => {
    made.slack.changeUser(MALLORY, change);
    await pressedBy(MALLORY);
    expect(linkFor(MALLORY)).toBeUndefined();
    expect(await made.world.store.chatLinks.takeCodeTask(made.world.tenant, 'slack', linkCodeHash('x'))).toBeNull();
  });

  test('C5: the code goes to the account alone, once, and names who wants it', async () => {
    await pressedBy(MALLORY);
    const hash = linkTokenHash(new URL(linkFor(MALLORY) ?? '').hash.slice(1));
    const by = { tenant: made.world.tenant, person_id: made.world.people.alice, session_id: 'ses_1' };
    const { chatLinks } = made.world.store;
    await chatLinks.openLink(hash, by);
    await chatLinks.wantCode(hash, by, 5);
    await Promise.all([made.bot.work(), made.bot.work()]);
    const sent = made.slack.direct(MALLORY);
    expect(sent).toHaveLength(1);
    const text = visibleText(sent[0]?.blocks ?? []);
    expect(text).toContain('alice@example.com');
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(text)?.[0] ?? '';
    expect(JSON.stringify(made.slack.messages('approvals'))).not.toContain(code);
    expect(await chatLinks.tryCode(hash, by, linkCodeHash(code), 5)).toBe('right');
  });

  test('C5: a code that Slack did not take is sent again', async () => {
    await pressedBy(MALLORY);
    const hash = linkTokenHash(new URL(linkFor(MALLORY) ?? '').hash.slice(1));
    const by = { tenant: made.world.tenant, person_id: made.world.people.alice, session_id: 'ses_1' };
    await made.world.store.chatLinks.openLink(hash, by);
    await made.world.store.chatLinks.wantCode(hash, by, 5);
    made.slack.fail('conversations.open', 'server_error');
    await made.bot.work();
    expect(made.slack.direct(MALLORY)).toEqual([]);
    await made.bot.work();
    expect(made.slack.direct(MALLORY)).toHaveLength(1);
  });
});

test('C4: a newly linked account waits where the operator wants it to; one that the directory names does not', async () => {
  const { world } = made;
  const links = createAccountLinks({
    ...world.flow,
    tenant: world.tenant,
    links: world.store.chatLinks,
    publicUrl: 'http://localhost:8080',
    cooldownSeconds: 3600,
  });
  const account = { platform: 'slack', workspace: 'T0X', user: 'U0X' } as const;
  const leaf = await loneLeaf(world.flow, {
    ...{ tenant: world.tenant, event: 'account.linked', subject: world.people.carol, at: world.flow.clock.now() },
    ...{ facts: {}, details: {} },
  });
  expect(await world.store.chatLinks.linkAccount({ ...account, tenant: world.tenant, person_id: world.people.carol, how: 'email' }, leaf)).toBe('linked');
  const [mine, named] = [await links.find(account), await links.find({ platform: 'slack', workspace: made.slack.teamId, user: 'U0ALICE' })];
  expect(mine === null ? null : links.waitsUntil(mine.link)).toMatch(/Z$/);
  expect(named === null ? 'none' : links.waitsUntil(named.link)).toBeNull();
});

test('C5: an account that an address linked decides while addresses count and the address is the same, and no longer', async () => {
  const { world, slack } = made;
  await made.restart({ linkMode: 'email' });
  slack.changeUser(MALLORY, { profile: { email: 'carol@example.com' } });
  const first = await pressedBy(MALLORY);
  expect(slack.ephemeral(MALLORY).at(-1)?.text).toContain('not an approver');
  expect((await world.state(first)).decisions).toEqual([]);
  expect(await world.store.chatLinks.account({ tenant: world.tenant, platform: 'slack', workspace: slack.teamId, user: MALLORY })).toMatchObject({
    link: { how: 'email' },
  });

  // Its owner gives the profile another person's address: nobody becomes anybody by that.
  slack.changeUser(MALLORY, { profile: { email: 'alice@example.com' } });
  await made.restart({ linkMode: 'email' });
  const second = await pressedBy(MALLORY);
  await slack.wire.until(() => slack.ephemeral(MALLORY).length === 2, 'the second word');
  expect(slack.ephemeral(MALLORY).at(-1)?.text).toContain('does not count any more');
  expect((await world.state(second)).decisions).toEqual([]);
});
