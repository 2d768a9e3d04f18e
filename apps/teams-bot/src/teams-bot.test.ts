import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type CardPress, CARD_BYTES_ADVISED, cardText, findAction, startFakeBotFramework } from '@countersign/dev-env/teams';
import { STEP_UP_TEXT } from '@countersign/chat';
import { demandPasskey } from '@countersign/dev-env/approval-world';
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { CHANNEL, GROUP, PEOPLE as ids, startTeamsRig, TENANT_ID as tenantId, type TeamsName as Name, type TeamsRig } from './testing/teams-rig.js';

/* What is Teams' own; what every platform guarantees is shown by platform.test.ts. */

let rig: TeamsRig;
let { world, teams, bot, warnings } = {} as TeamsRig;

async function restart(...how: Parameters<TeamsRig['restart']>): Promise<void> {
  await rig.restart(...how);
  ({ world, teams, bot, warnings } = rig);
}

beforeEach(async () => {
  // botbuilder prints a token whose signature is wrong.
  jest.spyOn(console, 'error').mockImplementation(() => {});
  rig = await startTeamsRig();
  ({ world, teams, bot, warnings } = rig);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rig.close();
});

const cardsIn = (conversation: string) => teams.activities(conversation).filter(({ id }) => teams.card(id) !== undefined);
const personal = (name: Name) => teams.personal(name).id;

interface Posted {
  id: string;
  conversation: string;
  activityId: string;
}

/** Opens a request and posts its card into the group chat. */
async function posted(submission = {}): Promise<Posted> {
  await rig.allow(GROUP);
  const { id } = await world.open(submission);
  await bot.work();
  const card = cardsIn(GROUP).at(-1);
  expect(cardText(teams.card(card?.id ?? ''))).toContain(id);
  return { id, conversation: GROUP, activityId: card?.id ?? '' };
}
const press = (user: string, { conversation, activityId }: Posted, verb: string, more: Partial<CardPress> = {}) =>
  teams.client.press({ user, conversation, activityId, verb, ...more });
const textOf = ({ activityId }: Posted, seenBy?: string) => cardText(teams.card(activityId, seenBy));
const isOpen = ({ activityId }: Posted) => findAction(teams.card(activityId), 'approve') !== undefined;
const decisions = async (id: string) => (await world.state(id)).decisions.map((decision) => `${decision.person.email} ${decision.verdict}`);

describe('places', () => {
  test('a personal chat gets the cards that its person may decide, and no others', async () => {
    for (const name of ['dana', 'alice', 'bob', 'carol', 'mallory'] as const) await teams.client.installPersonal(name);
    await world.open();
    await bot.work();
    const got = () => (['dana', 'alice', 'bob', 'carol', 'mallory'] as const).filter((name) => cardsIn(personal(name)).length > 0);
    expect(got()).toEqual(['alice', 'bob']);
    await world.open({ action: 'iam.role.grant' });
    await bot.work();
    expect(got()).toEqual(['alice', 'bob', 'carol']);
  });

  test('a group or channel gets cards once an administrator allowed it', async () => {
    await teams.client.installIn(CHANNEL, 'alice');
    await teams.client.addressBot(GROUP, 'alice', 'hi');
    expect(teams.activities(GROUP).at(-1)?.body['text']).toContain('once an administrator allows');
    const { id } = await world.open();
    await bot.work();
    expect([cardsIn(CHANNEL), cardsIn(GROUP)]).toEqual([[], []]);
    await world.cancel(id);
    await rig.allow(CHANNEL);
    await world.open();
    await bot.work();
    expect([cardsIn(CHANNEL).length, cardsIn(GROUP)]).toEqual([1, []]);
  });

  test('who installs the bot later gets what is open', async () => {
    const { id } = await world.open();
    await bot.work();
    await teams.client.installPersonal('alice');
    await bot.work();
    expect(cardText(teams.card(cardsIn(personal('alice'))[0]?.id ?? ''))).toContain(id);
  });

  test('a conversation that the bot was removed from gets nothing, until it is back', async () => {
    await rig.allow(GROUP);
    await teams.client.uninstall(GROUP, 'alice');
    await world.open();
    await bot.work();
    expect([cardsIn(GROUP), warnings]).toEqual([[], []]);
    await teams.client.installIn(GROUP, 'alice');
    await bot.work();
    expect(cardsIn(GROUP)).toHaveLength(1);
  });

  test('a conversation of another tenant is not remembered', async () => {
    const activity = { channelData: { tenant: { id: randomUUID() } }, conversation: { id: 'a:other', conversationType: 'personal', tenantId: randomUUID() } };
    expect((await teams.client.addressBot(GROUP, 'alice', 'hi', { activity })).status).toBe(200);
    expect(await world.store.cards.places(world.tenant, 'teams')).toEqual([]);
  });

  test('one that blocked the bot does not keep the others from being shown', async () => {
    for (const name of ['alice', 'bob'] as const) await teams.client.installPersonal(name);
    teams.block('alice');
    await world.open();
    await bot.work();
    expect([cardsIn(personal('alice')).length, cardsIn(personal('bob')).length]).toEqual([0, 1]);
    expect(warnings.join()).toContain('MessageWritesBlocked');
  });
});

describe('cards', () => {
  test.each(['server_error', 'reset', 'throttle'] as const)('Teams in trouble (%s) delays a card and loses none', async (trouble) => {
    await rig.allow(GROUP);
    if (trouble === 'throttle') teams.throttle('sendToConversation', 1);
    else teams.fail('sendToConversation', trouble);
    await world.open();
    await bot.work();
    expect(cardsIn(GROUP)).toEqual([]);
    expect(warnings).toHaveLength(1);
    // Where Teams asked for silence, nothing is sent before it is over.
    while (cardsIn(GROUP).length === 0) {
      await world.hurry();
      await bot.work();
    }
    expect(cardsIn(GROUP)).toHaveLength(1);
  });

  test('a card that somebody deleted is let go', async () => {
    const card = await posted();
    const activity = teams.activity(card.activityId);
    if (activity !== undefined) activity.deleted = true;
    await world.decide('alice', card.id, 'approve');
    await bot.work();
    expect([cardsIn(GROUP), warnings]).toEqual([[], []]);
  });

  test('a redirect of the connector is not followed', async () => {
    await rig.allow(GROUP);
    teams.wire.fail('sendToConversation', { kind: 'answer', answer: { status: 307, headers: { location: `${teams.url}/elsewhere` }, body: '' } });
    await world.open();
    await bot.work();
    expect(teams.wire.traffic.filter(({ request }) => request.path === '/elsewhere')).toEqual([]);
  });

  test('text of others is harmless, and a huge request stays below what Teams takes', async () => {
    const hostile = '**bold** [Ticket](https://evil.example) <at>Alice</at> {{DATE(2026-01-01T00:00:00Z)}} \u202egnp.exe';
    const card = await posted({ reason: hostile, parameters: { sql: `${hostile} ${'x'.repeat(60_000)}` } });
    const json = JSON.stringify(teams.card(card.activityId));
    expect(Buffer.byteLength(json)).toBeLessThan(25_001);
    expect(CARD_BYTES_ADVISED).toBeGreaterThan(25_001);
    expect(textOf(card)).toContain('**bold** [Ticket](https://evil.example) <at>Alice</at> {{DATE(2026-01-01T00:00:00Z)}}');
    expect(json).not.toContain('\u202e');
    expect(textOf(card)).toMatch(/continues: shown [\d,]+ of 60,/);
  });
});

describe('presses', () => {
  test('C4: a press that needs a passkey decides nothing, and gives the presser alone a link without any right in it', async () => {
    await world.policy(demandPasskey);
    const card = await posted();
    const answer = JSON.stringify((await press('alice', card, 'approve')).json);
    expect(answer).toContain(STEP_UP_TEXT);
    const [, url, request, intent = ''] = /"url":"(http:\/\/localhost:8080\/requests\/(ar_[0-9a-f-]+)#step-up\/([0-9a-f-]{36}))"/.exec(answer) ?? [];
    expect(answer).toContain(`"type":"Action.OpenUrl","title":"Confirm with passkey","url":"${url ?? 'no link'}"`);
    expect(request).toBe(card.id);
    const remembered = await world.store.passkeys.intent(world.tenant, intent);
    expect(remembered).toMatchObject({ person_id: world.people.alice, request_id: card.id, verdict: 'approve', via: 'teams', used_at: null });
    expect([await decisions(card.id), isOpen(card)]).toEqual([[], true]);
    expect(textOf(card)).not.toContain('step-up');
    // A denial needs none.
    await press('alice', card, 'card');
    await press('alice', card, 'deny', { inputs: { reason: 'no' } });
    expect(await decisions(card.id)).toEqual(['alice@example.com deny']);
  });

  test('C3: one click approves; the presser sees it at once, everybody by an update', async () => {
    const card = await posted();
    const { shown, status } = await press('alice', card, 'approve');
    expect([status, shown.kind]).toEqual([200, 'card']);
    expect(shown.kind === 'card' && cardText(shown.card)).toMatch(/You approved it[^]*Approved by Alice Example/);
    await teams.wire.until(() => !isOpen(card), 'the closed card');
    expect(textOf(card)).toContain('Approved by Alice Example');
    expect(textOf(card, 'bob')).not.toContain('You approved it');
    expect(await decisions(card.id)).toEqual(['alice@example.com approve']);
    expect((await world.state(card.id)).decisions[0]).toMatchObject({ via: 'teams', authenticated: { issuer: `teams:${tenantId}`, method: 'teams' } });
  });

  test('C3: a press in a channel counts, though it comes from the card’s thread', async () => {
    await rig.allow(CHANNEL);
    const { id } = await world.open();
    await bot.work();
    const card = { id, conversation: CHANNEL, activityId: cardsIn(CHANNEL)[0]?.id ?? '' };
    const thread = { id: `${CHANNEL};messageid=${card.activityId}`, conversationType: 'channel', isGroup: true, tenantId };
    await press('alice', card, 'approve', { activity: { conversation: thread } });
    expect(await decisions(id)).toEqual(['alice@example.com approve']);
    await teams.wire.until(() => !isOpen(card), 'the closed card');
  });

  test('C3: Deny takes the reason along, and the card says it', async () => {
    const card = await posted();
    await press('bob', card, 'deny', { inputs: { reason: ' Too wide **now** ' } });
    await teams.wire.until(() => !isOpen(card), 'the closed card');
    expect(textOf(card)).toContain('Too wide **now**');
    expect((await world.state(card.id)).decisions).toMatchObject([{ verdict: 'deny', reason: 'Too wide **now**' }]);
  });

  test('a reason that is too long decides nothing, and what the database does not hold is replaced', async () => {
    const card = await posted();
    const { shown } = await press('alice', card, 'deny', { inputs: { reason: 'x'.repeat(2_001) } });
    expect(shown).toMatchObject({ kind: 'message', text: expect.stringContaining('The reason may have 2,000 characters; it has 2,001') });
    expect(await decisions(card.id)).toEqual([]);
    await press('alice', card, 'deny', { inputs: { reason: 'a\u0000b \ud83d' } });
    expect((await world.state(card.id)).decisions).toMatchObject([{ verdict: 'deny', reason: 'a\ufffdb \ufffd' }]);
  });

  test.each([
    ['a guest', { userPrincipalName: 'alice_other.example#EXT#@example.onmicrosoft.com' }, 'Guests'],
    ['of the role guest', { userRole: 'guest' }, 'Guests'],
    ['anonymous', { userRole: 'anonymous' }, 'another organisation'],
    ['of no role', { userRole: '' }, 'another organisation'],
    ['of another tenant', { tenantId: randomUUID() }, 'another organisation'],
    ['another object', { aadObjectId: randomUUID() }, 'another organisation'],
  ])('C5: an approver’s account that is %s decides nothing', async (_what, change, words) => {
    const card = await posted();
    const { id, aadObjectId } = teams.addPerson({ key: 'alice', name: 'Alice', email: 'alice@example.com', aadObjectId: ids.alice });
    teams.changePerson('alice', change);
    const { shown } = await press('alice', card, 'approve', { activity: { from: { id, aadObjectId }, channelData: { tenant: { id: tenantId } } } });
    expect(shown).toMatchObject({ kind: 'message', text: expect.stringContaining(words) });
    expect(await decisions(card.id)).toEqual([]);
  });

  test.each([
    ['another tenant', { channelData: { tenant: { id: randomUUID() } } }],
    [
      'another tenant in both places',
      { channelData: { tenant: { id: 'other' } }, conversation: { id: GROUP, conversationType: 'groupChat', tenantId: 'other' } },
    ],
    ['no tenant', { channelData: {}, conversation: { id: GROUP, conversationType: 'groupChat' } }],
    ['nobody', { from: { id: '29:x', name: 'X' } }],
    ['no message', { replyToId: undefined }],
    ['no data', { value: { action: { type: 'Action.Execute', verb: 'approve' } } }],
    ['no verb', { value: { action: { type: 'Action.Execute', data: {} } } }],
    ['nothing at all', { value: null }],
  ])('a press that names %s is answered with words, and decides nothing', async (_what, activity) => {
    const card = await posted();
    const { status, shown } = await press('alice', card, 'approve', { activity });
    expect([status, shown.kind]).toEqual([200, 'message']);
    expect(await decisions(card.id)).toEqual([]);
  });

  test('without MicrosoftAppTenantId no press counts', async () => {
    const card = await posted();
    await restart({ tenantIds: [], appType: 'MultiTenant' });
    expect((await press('alice', card, 'approve')).shown.kind).toBe('message');
    expect(await decisions(card.id)).toEqual([]);
  });

  test.each(['server_error', 'reset', 'hang'] as const)(
    'A5: where Teams does not say who pressed (%s), nothing is decided, and the presser is told',
    async (trouble) => {
      const card = await posted();
      teams.fail('getMember', trouble);
      expect((await press('alice', card, 'approve')).shown).toMatchObject({ kind: 'message', text: expect.stringContaining('nothing was decided') });
      expect(await decisions(card.id)).toEqual([]);
      teams.wire.heal();
      await press('alice', card, 'approve');
      expect(await decisions(card.id)).toEqual(['alice@example.com approve']);
    },
  );

  test('a button of no message, of another conversation, of no sense, or of no verb decides nothing', async () => {
    const one = await posted();
    const other = await posted();
    const { request } = await world.state(other.id);
    const data = { request_id: other.id, request_digest: request.request_digest };
    const answers = [
      await press('alice', { ...other, activityId: '1700000000000' }, 'approve', { data }),
      await press('alice', { ...other, conversation: CHANNEL }, 'approve', { data }),
      await press('alice', other, 'approve', { data: { request_id: 7, request_digest: null } }),
      await press('alice', other, 'grant', { data }),
      await press('alice', one, 'everything', { data }),
    ];
    expect(answers.map(({ shown }) => shown.kind)).toEqual(answers.map(() => 'message'));
    expect([await decisions(one.id), await decisions(other.id)]).toEqual([[], []]);
  });

  test('an address links an account only where the operator said that addresses are enforced', async () => {
    teams.addPerson({ key: 'alice2', name: 'Alice', email: 'alice@example.com' });
    teams.addConversation({ id: GROUP, type: 'groupChat' });
    const card = await posted();
    expect((await press('alice2', card, 'approve')).shown).toMatchObject({ text: expect.stringContaining('belongs to nobody') });
    await restart({ linkMode: 'email' });
    expect((await press('alice2', card, 'approve')).shown.kind).toBe('card');
    expect(await decisions(card.id)).toEqual(['alice@example.com approve']);
  });

  test('an old client’s press comes as a message and is answered in the personal chat', async () => {
    const card = await posted();
    await teams.client.installPersonal('carol');
    const data = findAction(teams.card(card.activityId), 'approve')?.['data'];
    const submit = (user: Name) =>
      teams.client.submit({ user, conversation: GROUP, activityId: card.activityId, verb: 'approve', data: { ...Object(data), verb: 'approve' } });
    expect((await submit('carol')).status).toBe(200);
    expect(teams.activities(personal('carol')).at(-1)?.body['text']).toContain('not an approver');
    await submit('alice');
    expect(await decisions(card.id)).toEqual(['alice@example.com approve']);
    expect(teams.activities(GROUP).at(-1)?.body['text']).not.toContain('approved');
  });

  test('an invoke that is not ours is answered, not left empty', async () => {
    await posted();
    const answer = await teams.client.send({
      type: 'invoke',
      name: 'composeExtension/submitAction',
      channelId: 'msteams',
      serviceUrl: teams.serviceUrl,
      conversation: { id: GROUP, tenantId },
      from: { id: '29:x' },
      channelData: { tenant: { id: tenantId } },
    });
    expect([answer.status, answer.json]).toEqual([501, expect.objectContaining({ type: 'application/vnd.microsoft.error' })]);
  });
});

describe('Show everything', () => {
  test('the presser alone sees all of it, may decide there, and may go back', async () => {
    const card = await posted({ parameters: { sql: 'x'.repeat(9_000), last: 'the end' } });
    const { shown } = await press('carol', card, 'everything');
    expect(shown.kind).toBe('card');
    expect(textOf(card, 'carol')).toContain('the end');
    expect(textOf(card, 'alice')).not.toContain('Everything');
    await press('carol', card, 'card');
    expect(textOf(card, 'carol')).toContain('Approval needed');
    await press('alice', card, 'everything');
    expect((await press('alice', card, 'approve')).shown.kind).toBe('card');
    expect(await decisions(card.id)).toEqual(['alice@example.com approve']);
  });

  test('what no card holds is said, with the way to all of it', async () => {
    const card = await posted({ parameters: { sql: 'x'.repeat(60_000) } });
    const { shown } = await press('alice', card, 'everything');
    if (shown.kind !== 'card') throw new Error('no card');
    expect(Buffer.byteLength(JSON.stringify(shown.card))).toBeLessThan(25_001);
    expect(cardText(shown.card)).toMatch(/continues: shown 2\d,\d{3} of 6\d,\d{3} characters/);
    expect(JSON.stringify(shown.card)).toContain(`http://localhost:8080/requests/${card.id}`);
  });
});

/* The attacks on the token are in authentication.test.ts. */
describe('who may speak', () => {
  test('where Teams’ keys cannot be read nothing is decided, and it is not called a forgery', async () => {
    const card = await posted();
    await restart({ openIdMetadataUrl: `${teams.url}/nowhere` });
    expect((await press('alice', card, 'approve')).status).toBe(503);
    expect(await decisions(card.id)).toEqual([]);
  });

  test.each([
    ['no activity', '[]', 400],
    ['no JSON', '{', 400],
    ['no conversation', '{"type":"message","serviceUrl":"https://smba.trafficmanager.net/emea/"}', 400],
    ['too much', `{"type":"${'x'.repeat(262_144)}"}`, 413],
  ])('a body that is %s is refused', async (_what, body, status) => {
    const answer = await fetch(rig.endpoint, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', authorization: 'Bearer x' },
    });
    expect(answer.status).toBe(status);
  });
});

describe('with TEAMS_AUTH=off', () => {
  beforeEach(async () => {
    const playground = await startFakeBotFramework({
      anonymousBot: true,
      tenantId,
      people: [{ key: 'alice', name: 'Alice', email: 'alice@example.com', aadObjectId: ids.alice }],
      conversations: [
        { id: GROUP, type: 'groupChat' },
        { id: CHANNEL, type: 'channel' },
      ],
    });
    await restart({ auth: 'off', appId: undefined, tenantIds: [], openIdMetadataUrl: undefined, openPlaces: true }, playground);
  });

  test('every conversation in which the bot was addressed gets every card, and presses count', async () => {
    expect(warnings.join()).toContain('TEAMS_AUTH IS OFF');
    await teams.client.installIn(CHANNEL, 'alice', { forgery: 'no_token' });
    await teams.client.addressBot(GROUP, 'alice', 'hi', { forgery: 'no_token' });
    const { id } = await world.open({ action: 'iam.role.grant' });
    await bot.work();
    expect([cardsIn(CHANNEL).length, cardsIn(GROUP).length]).toEqual([0, 1]);
    await press('alice', { id, conversation: GROUP, activityId: cardsIn(GROUP)[0]?.id ?? '' }, 'approve', { forgery: 'no_token' });
    expect(await decisions(id)).toEqual(['alice@example.com approve']);
  });

  test.each<[string, Record<string, string>, number]>([
    ['came through a proxy', { 'x-forwarded-for': '127.0.0.1' }, 403],
    ['came through a tunnel', { 'cf-connecting-ip': '203.0.113.7' }, 403],
    ['has the Forwarded of RFC 7239', { forwarded: 'for=203.0.113.7' }, 403],
    ['names another host', { host: 'countersign.example.com' }, 403],
    ['names a host that begins like loopback', { host: '127.0.0.1.evil.example' }, 403],
    ['comes from a page', { origin: 'https://evil.example' }, 403],
    ['comes from a page of another port', { origin: 'http://localhost:5173' }, 403],
    ['comes from a sandboxed page', { origin: 'null' }, 403],
    ['is a form', { 'content-type': 'text/plain' }, 415],
  ])('a request that %s is refused', async (_what, headers, status) => {
    const body = JSON.stringify({
      type: 'message',
      text: 'hi',
      channelId: 'msteams',
      serviceUrl: teams.serviceUrl,
      conversation: { id: GROUP, conversationType: 'groupChat', tenantId },
      from: { id: '29:x' },
      recipient: { id: '28:y' },
    });
    expect(await send({ 'content-type': 'application/json', ...headers }, body)).toBe(status);
    expect(await world.store.cards.places(world.tenant, 'teams')).toEqual([]);
    expect(await send({ 'content-type': 'application/json' }, body)).toBe(200);
  });

  test.each([
    'https://smba.trafficmanager.net/emea/',
    'http://192.168.0.7/',
    'http://127.0.0.1@evil.example/',
    'http://0.0.0.0/',
    'http://evil.localhost/',
    'file:///etc/passwd',
    null,
  ])('a serviceUrl of %s is refused, and nothing is sent there', async (serviceUrl) => {
    expect((await teams.client.addressBot(GROUP, 'alice', 'hi', { forgery: 'no_token', serviceUrl })).status).toBe(401);
    expect(await world.store.cards.places(world.tenant, 'teams')).toEqual([]);
  });

  /** fetch sets Host itself. */
  function send(headers: Record<string, string>, body: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const sent = request(rig.endpoint, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
});
