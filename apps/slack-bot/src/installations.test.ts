import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { insertSlackLink, newSlackLink } from '@countersign/core/flow';
import { type FakeWorkspace, visibleText } from '@countersign/dev-env/slack';
import { ACTIONS } from './buttons.js';
import { createSlackWorld, type SlackWorld } from './testing/slack-world.js';

/* The app in several workspaces and in a whole Grid, installed as an administrator installs it in a browser. */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];

beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
});
afterEach(() => made.close());

/** What an administrator's browser is: it keeps cookies, follows nothing by itself. */
function browser() {
  let cookie = '';
  return async (url: string, form?: Record<string, string>): Promise<{ status: number; location: string | null; text: string }> => {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    const set = answer.headers.get('set-cookie');
    if (set !== null) cookie = set.split(';')[0] ?? '';
    return { status: answer.status, location: answer.headers.get('location'), text: await answer.text() };
  };
}

/** A link as the API makes it for olivia, who administers; its secret. */
async function link(by: 'olivia' | 'alice' = 'olivia'): Promise<string> {
  const { secret, link: kept } = newSlackLink(world.flow, world.tenant, world.people[by]);
  await insertSlackLink({ ...world.flow, slackInstalls: world.store.slackInstalls }, kept);
  return secret;
}

/** The whole way: from the link through Slack's page and back. */
async function install(chosen: { teamId: string } | { enterpriseId: string } | null, secret?: string, visit = browser()) {
  const begun = await visit(`${made.url}/slack/install`, { link: secret ?? (await link()) });
  if (begun.location === null) return begun;
  return visit(back(begun.location, chosen));
}

/** Where Slack sends the browser, which reaches the bot at another address here. */
const back = (page: string, chosen: Parameters<typeof slack.choose>[1]): string => slack.choose(page, chosen).replace('http://localhost:8080', made.url);

const INSTALLED = { status: 200, text: expect.stringContaining('Countersign is installed in') };
const listed = async () => (await world.store.slackInstalls.list(world.tenant)).map(({ id }) => id);
const workspace = (id: string, enterpriseId?: string): FakeWorkspace =>
  slack.addWorkspace({
    id,
    ...(enterpriseId === undefined ? {} : { enterpriseId }),
    users: [{ id: `U${id.slice(1)}ALICE`, name: 'alice', email: 'alice@example.com' }],
    channels: [{ id: `C${id.slice(1)}CARDS`, name: 'cards' }],
  });

/** The directory names the account as alice's, too. */
async function linked(account: { workspace: string; user: string }): Promise<void> {
  await world.directory((now) => ({
    ...now,
    people: now.people.map((person) =>
      person.id === world.people.alice ? { ...person, accounts: [...person.accounts, { platform: 'slack', ...account }] } : person,
    ),
  }));
}

/** Looks again and again until it is so. */
async function eventually(probe: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await probe());) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The card of a request in a workspace. */
async function cardIn(there: FakeWorkspace): Promise<{ id: string; ts: string }> {
  const { id } = await world.open();
  await made.bot.work();
  const message = there.messages('cards').at(-1);
  expect(visibleText(message?.blocks ?? [])).toContain(id);
  return { id, ts: message?.ts ?? '' };
}
const decisions = async (id: string) => (await world.state(id)).decisions.map((decision) => `${decision.person.email} ${decision.verdict}`);
const told = (there: FakeWorkspace, user: string) =>
  slack.wire.until(() => [...there.ephemeral(user), ...there.direct(user)].at(-1)?.text, `an answer for ${user}`);

describe('a second workspace', () => {
  test('C5: is installed from an administrator’s link; cards go there and its people press there, with its own token', async () => {
    const there = workspace('T0SECOND');
    await made.restart({ channel: 'T0SECOND/#cards', oauth: true });
    expect(await install({ teamId: 'T0SECOND' })).toMatchObject(INSTALLED);
    await linked({ workspace: 'T0SECOND', user: 'U0SECONDALICE' });
    const { id, ts } = await cardIn(there);
    expect(slack.messages('approvals')).toEqual([]);
    await there.client.press({ user: 'U0SECONDALICE', channel: 'cards', ts, actionId: ACTIONS.approve });
    expect(await told(there, 'U0SECONDALICE')).toContain('You approved it');
    expect(await decisions(id)).toEqual(['alice@example.com approve']);
    await slack.wire.until(() => !JSON.stringify(there.message('cards', ts)?.blocks).includes('"Approve"'), 'the closed card');
  });

  test('its token is kept sealed, and forgotten when the app is removed', async () => {
    const there = workspace('T0SECOND');
    await made.restart({ oauth: true });
    await install({ teamId: 'T0SECOND' });
    const [kept] = await world.store.slackInstalls.list(world.tenant);
    expect(kept).toMatchObject({ id: 'T0SECOND', team_id: 'T0SECOND', installed_by: world.people.olivia, enterprise_install: false });
    expect(Buffer.from(kept?.sealed_token ?? []).toString('latin1')).not.toContain('xoxb-');
    slack.endTokens('T0SECOND');
    await there.client.event({ type: 'app_uninstalled' });
    await eventually(async () => (await listed()).length === 0);
    expect(made.warnings.join()).toContain('its token is forgotten');
  });

  test('an event that says that the app was removed removes nothing while the token works', async () => {
    const there = workspace('T0SECOND');
    await made.restart({ oauth: true });
    await install({ teamId: 'T0SECOND' });
    const asked = () => slack.wire.traffic.filter(({ request }) => request.name === 'auth.test').length;
    const before = asked();
    await there.client.event({ type: 'tokens_revoked', tokens: { bot: ['U0SECONDBOT'] } });
    await slack.wire.until(() => asked() > before, 'the question to Slack');
    await made.bot.work();
    expect(await listed()).toEqual(['T0SECOND']);
  });

  test('C5: a press there on a card of the first workspace decides nothing, and the other way round', async () => {
    const there = workspace('T0SECOND');
    await made.restart({ channel: 'T0SECOND/cards', oauth: true });
    await install({ teamId: 'T0SECOND' });
    await linked({ workspace: 'T0SECOND', user: 'U0SECONDALICE' });
    const { id, ts } = await cardIn(there);
    // The same channel and message, as a payload of the other workspace would name them.
    const value = JSON.stringify({ request_id: id, request_digest: (await world.state(id)).request.request_digest });
    await slack.client.press({ user: 'U0BOB', channel: 'C0SECONDCARDS', ts, actionId: ACTIONS.approve, value });
    expect(await slack.wire.until(() => [...slack.ephemeral('U0BOB'), ...slack.direct('U0BOB')].at(-1)?.text, 'an answer')).toContain('does not belong');
    expect(await decisions(id)).toEqual([]);
  });

  test('a channel without its workspace is the one of the operator’s token; with several others and no token, it must be said', async () => {
    const there = workspace('T0SECOND');
    workspace('T0THIRD');
    await made.restart({ oauth: true });
    await install({ teamId: 'T0SECOND' });
    await install({ teamId: 'T0THIRD' });
    await world.open();
    await made.bot.work();
    expect([slack.messages('approvals').length, there.messages('cards').length]).toEqual([1, 0]);
    await made.restart({ oauth: true, token: false, channel: 'cards' });
    await world.open();
    await made.bot.work();
    expect(made.warnings.join()).toContain('channels need theirs before them');
  });
});

describe('only an administrator’s link installs', () => {
  test.each<[string, (visit: ReturnType<typeof browser>) => Promise<{ status: number; text: string }>]>([
    ['no link', (visit) => install({ teamId: 'T0SECOND' }, 'made-up', visit)],
    [
      'a link that was spent',
      async (visit) => {
        const secret = await link();
        await install({ teamId: 'T0THIRD' }, secret);
        return install({ teamId: 'T0SECOND' }, secret, visit);
      },
    ],
    ['a link of somebody who does not administer', async (visit) => install({ teamId: 'T0SECOND' }, await link('alice'), visit)],
    [
      'another browser than the one that began',
      async (visit) => {
        const begun = await browser()(`${made.url}/slack/install`, { link: await link() });
        return visit(back(begun.location ?? '', { teamId: 'T0SECOND' }));
      },
    ],
    [
      'a state of somebody’s own',
      async (visit) => {
        await visit(`${made.url}/slack/install`, { link: await link() });
        return visit(`${made.url}/slack/oauth_redirect?code=x&state=x`);
      },
    ],
    ['a refusal at Slack’s page', async (visit) => install(null, await link(), visit)],
  ])('%s installs nothing', async (_what, come) => {
    workspace('T0SECOND');
    workspace('T0THIRD');
    await made.restart({ oauth: true });
    expect((await come(browser())).status).toBe(403);
    expect(await listed()).not.toContain('T0SECOND');
  });

  test('a link that is opened by a scanner of links is not spent, and its secret stands in no request', async () => {
    workspace('T0SECOND');
    await made.restart({ oauth: true });
    const secret = await link();
    const page = await browser()(`${made.url}/slack/install`);
    expect([page.status, page.text.includes(secret)]).toEqual([200, false]);
    expect(await install({ teamId: 'T0SECOND' }, secret)).toMatchObject(INSTALLED);
  });

  test('a code that comes a second time, and a workspace that the operator’s token connects, install nothing', async () => {
    workspace('T0SECOND');
    await made.restart({ oauth: true });
    const visit = browser();
    const begun = await visit(`${made.url}/slack/install`, { link: await link() });
    const address = back(begun.location ?? '', { teamId: 'T0SECOND' });
    expect(await visit(address)).toMatchObject(INSTALLED);
    expect((await visit(address)).status).toBe(403);
    expect(await install({ teamId: slack.teamId })).toMatchObject({ status: 409, text: expect.stringContaining('SLACK_BOT_TOKEN') });
  });

  test('tokens that would have to be renewed are not taken', async () => {
    workspace('T0SECOND');
    await made.restart({ oauth: true });
    slack.oauthAnswers({ expires_in: 43_200, refresh_token: 'xoxe-1' });
    expect(await install({ teamId: 'T0SECOND' })).toMatchObject({ status: 409, text: expect.stringContaining('rotation') });
    expect(await listed()).toEqual([]);
  });

  test('without a client there are no such pages', async () => {
    expect(made.bot.mount().paths).toEqual(['/slack/events']);
  });
});

describe('a whole Enterprise Grid', () => {
  test('C5: one installation serves its workspaces; an account is the Grid’s, and people of another Grid are outsiders', async () => {
    const one = workspace('T0ONE', 'E0GRID');
    const other = workspace('T0OTHER', 'E0GRID');
    workspace('T0FOREIGN', 'E0FOREIGN');
    await made.restart({ channel: 'T0OTHER/cards', oauth: true, token: false });
    expect(await install({ enterpriseId: 'E0GRID' })).toMatchObject(INSTALLED);
    expect(await world.store.slackInstalls.list(world.tenant)).toMatchObject([{ id: 'E0GRID', team_id: null, enterprise_install: true }]);
    await linked({ workspace: 'E0GRID', user: 'U0OTHERALICE' });
    const { id, ts } = await cardIn(other);
    expect(one.messages('cards')).toEqual([]);
    // Another Grid, by the payload or by the account itself.
    other.changeUser('U0OTHERALICE', { enterprise_user: { id: 'U0OTHERALICE', enterprise_id: 'E0FOREIGN', teams: ['T0OTHER'] }, team_id: 'T0FOREIGN' });
    await other.client.press({ user: 'U0OTHERALICE', channel: 'cards', ts, actionId: ACTIONS.approve });
    expect(await told(other, 'U0OTHERALICE')).toContain('another organisation');
    expect(await decisions(id)).toEqual([]);
    other.changeUser('U0OTHERALICE', { enterprise_user: { id: 'U0OTHERALICE', enterprise_id: 'E0GRID', teams: ['T0OTHER'] }, team_id: 'T0OTHER' });
    await other.client.event({ type: 'user_change', user: { id: 'U0OTHERALICE' } });
    await other.client.press({ user: 'U0OTHERALICE', channel: 'cards', ts, actionId: ACTIONS.approve });
    await eventually(async () => (await decisions(id)).length === 1);
  });

  test('C5: an address links accounts in the workspace that the operator names; what an administrator installed besides vouches for nobody', async () => {
    const there = workspace('T0SECOND');
    const ask = async (): Promise<string> => {
      const before = there.ephemeral('U0SECONDALICE').length;
      await there.client.command({ user: 'U0SECONDALICE', channel: 'cards', command: '/countersign', text: 'waiting' });
      await eventually(() => Promise.resolve(there.ephemeral('U0SECONDALICE').length > before));
      return there.ephemeral('U0SECONDALICE').at(-1)?.text ?? '';
    };
    await world.open();
    await made.restart({ linkMode: 'email', oauth: true });
    await install({ teamId: 'T0SECOND' });
    expect(await ask()).toContain('Link it to yourself');
    await made.restart({ linkMode: 'email', oauth: true, token: false, channel: 'T0SECOND/cards' });
    expect(await ask()).toContain('1 request waits for you');
    // What was linked by an address then counts no more.
    await made.restart({ linkMode: 'email', oauth: true });
    expect(await ask()).not.toContain('1 request waits');
  });

  test('a payload of a workspace where the app is not installed is answered with 401', async () => {
    const there = workspace('T0SECOND');
    const stranger = workspace('T0STRANGER');
    await made.restart({ channel: 'T0SECOND/cards', oauth: true, token: false });
    await install({ teamId: 'T0SECOND' });
    const { id, ts } = await cardIn(there);
    const value = JSON.stringify({ request_id: id, request_digest: (await world.state(id)).request.request_digest });
    const pressed = await stranger.client.press({ user: 'U0STRANGERALICE', channel: 'C0SECONDCARDS', ts, actionId: ACTIONS.approve, value });
    expect(pressed.status).toBe(401);
    expect((await stranger.client.command({ user: 'U0STRANGERALICE', channel: 'cards', command: '/countersign', text: 'help' })).status).toBe(401);
    expect(await decisions(id)).toEqual([]);
  });
});
