import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  CardFactory,
  CloudAdapter,
  ConfigurationBotFrameworkAuthentication,
  MessageFactory,
  TeamsActivityHandler,
  TeamsInfo,
  TurnContext,
  type ConversationReference,
  type InvokeResponse,
} from 'botbuilder';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cardText, MESSAGE_BYTES, startFakeBotFramework, type FakeBotFramework, type TokenForgery } from './index.js';

/** The fake is true where botbuilder takes it for Teams: the bot below is a real CloudAdapter with its checks on. */
let teams: FakeBotFramework;
let server: Server;
let adapter: CloudAdapter;
let reference: Partial<ConversationReference>;
let verbs: string[];
let member: Awaited<ReturnType<typeof TeamsInfo.getMember>> | undefined;

const card = (title: string, more: object = {}) => ({
  type: 'AdaptiveCard',
  version: '1.5',
  body: [
    { type: 'TextBlock', text: title },
    { type: 'Input.Text', id: 'reason', isRequired: true, label: 'Why?', errorMessage: 'Say why.' },
  ],
  actions: [
    {
      type: 'Action.Execute',
      title: 'Approve',
      verb: 'approve',
      data: { request: 'ar_1' },
      associatedInputs: 'none',
      fallback: { type: 'Action.Submit', title: 'Approve', data: { verb: 'approve' } },
    },
    { type: 'Action.Execute', title: 'Deny', verb: 'deny', data: { request: 'ar_1' } },
    { type: 'Action.Execute', title: 'Odd', verb: 'odd', associatedInputs: 'none' },
  ],
  ...more,
});
const message = (content: object) => MessageFactory.attachment(CardFactory.adaptiveCard(content));

class Bot extends TeamsActivityHandler {
  constructor() {
    super();
    this.onMessage(async (context, next) => {
      reference = TurnContext.getConversationReference(context.activity);
      await context.sendActivity(message(card('Export?')));
      await next();
    });
    this.onInstallationUpdateAdd(async (context, next) => {
      reference = TurnContext.getConversationReference(context.activity);
      await next();
    });
  }

  override async onInvokeActivity(context: TurnContext): Promise<InvokeResponse> {
    // The value of an adaptiveCard/action is an AdaptiveCardInvokeValue.
    const { verb } = (context.activity.value as { action: { verb: string } }).action;
    verbs.push(verb);
    if (verb === 'odd') return { status: 200 };
    member = await TeamsInfo.getMember(context, context.activity.from.aadObjectId ?? '');
    return {
      status: 200,
      body: { statusCode: 200, type: 'application/vnd.microsoft.card.adaptive', value: card(`Decided by ${member.name}`, { actions: [] }) },
    };
  }
}

beforeEach(async () => {
  verbs = [];
  member = undefined;
  // botbuilder prints every failure that these tests provoke.
  for (const method of ['error', 'warn'] as const) jest.spyOn(console, method).mockImplementation(() => {});
  teams = await startFakeBotFramework({
    people: [
      { key: 'alice', name: 'Alice Example', email: 'alice@example.com' },
      { key: 'guest', name: 'Guest', email: 'guest@other.example', userPrincipalName: 'guest_other.example#EXT#@example.com' },
    ],
    conversations: [{ id: '19:approvals@thread.tacv2', type: 'channel', name: 'Approvals', teamId: '19:team@thread.tacv2' }],
  });
  adapter = new CloudAdapter(new ConfigurationBotFrameworkAuthentication(teams.botConfiguration, teams.credentialsFactory));
  const bot = new Bot();
  server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      // A request without an encoding gives Buffers.
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
      const reply = {
        socket: response.socket,
        header: (name: string, value: unknown) => response.setHeader(name, String(value)),
        status: (code: number) => (response.statusCode = code),
        send: (content: unknown) => {
          if (typeof content === 'object') response.setHeader('content-type', 'application/json');
          response.write(typeof content === 'string' ? content : JSON.stringify(content));
        },
        end: () => response.end(),
      };
      await adapter.process({ method: request.method ?? '', headers: request.headers, body: Object(body) }, reply, (context) => bot.run(context));
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  // A TCP server that listens has an AddressInfo.
  teams.connect(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/api/messages`);
});
afterEach(async () => {
  jest.restoreAllMocks();
  server.closeAllConnections();
  server.close();
  await teams.close();
});

async function cardForAlice(): Promise<{ conversation: string; activityId: string }> {
  await teams.client.installPersonal('alice');
  const conversation = teams.personal('alice').id;
  expect((await teams.client.addressBot(conversation, 'alice', 'hi')).status).toBe(200);
  return { conversation, activityId: teams.activities(conversation).at(-1)?.id ?? '' };
}

/** Runs as the bot, outside of any turn, in the conversation it was last addressed in; its calls are tried once. */
async function proactively(what: (context: TurnContext) => Promise<unknown>, tries: 'once' | 'as botbuilder likes' = 'once'): Promise<void> {
  let failure: unknown;
  await adapter.continueConversationAsync(teams.appId, reference, async (context) => {
    try {
      // botbuilder 4.23.3 heeds neither noRetryPolicy nor retryOptions; its connector is an Azure client whose pipeline can be changed.
      const connector = context.turnState.get<{ client: { pipeline: { removePolicy(policy: { name: string }): unknown[] } } }>(adapter.ConnectorClientKey);
      if (tries === 'once') expect(connector?.client.pipeline.removePolicy({ name: 'defaultRetryPolicy' })).toHaveLength(1);
      await what(context);
    } catch (error) {
      failure = error;
    }
  });
  if (failure !== undefined) throw failure;
}

describe('a turn', () => {
  test('a person installs the app, writes, and gets a card; a press is answered with another card for that person', async () => {
    const { conversation, activityId } = await cardForAlice();
    const pressed = await teams.client.press({ user: 'alice', conversation, activityId, verb: 'approve' });
    expect(pressed.shown.kind).toBe('card');
    expect(member).toMatchObject({ email: 'alice@example.com', userPrincipalName: 'alice@example.com', tenantId: teams.tenantId, userRole: 'user' });
    // The answer of an invoke reaches the presser alone (botbuilder-js#4635).
    expect(cardText(teams.card(activityId, 'alice'))).toContain('Decided by Alice Example');
    expect(cardText(teams.card(activityId))).toContain('Export?');
  });

  test('inputs travel with the press, and a required one is asked for first', async () => {
    const { conversation, activityId } = await cardForAlice();
    await expect(teams.client.press({ user: 'alice', conversation, activityId, verb: 'deny' })).rejects.toThrow('reason');
    const pressed = await teams.client.press({ user: 'alice', conversation, activityId, verb: 'deny', inputs: { reason: 'too wide' } });
    expect(JSON.parse(pressed.request.body)).toMatchObject({
      type: 'invoke',
      replyToId: activityId,
      value: { action: { verb: 'deny', data: { request: 'ar_1', reason: 'too wide' } } },
    });
  });

  test('an empty answer to an invoke is trouble', async () => {
    const { conversation, activityId } = await cardForAlice();
    expect((await teams.client.press({ user: 'alice', conversation, activityId, verb: 'odd' })).shown).toMatchObject({ kind: 'trouble' });
  });

  test('a channel gets its card in the thread where the bot was mentioned', async () => {
    expect((await teams.client.addressBot('19:approvals@thread.tacv2', 'alice', 'hi')).status).toBe(200);
    expect(teams.activities('19:approvals@thread.tacv2')).toHaveLength(1);
  });
});

describe('tokens', () => {
  test.each<[TokenForgery, number]>([
    ['no_token', 401],
    ['other_audience', 401],
    ['other_issuer', 401],
    ['unknown_key', 401],
    ['other_service_url_claim', 401],
    ['no_service_url_claim', 401],
    ['expired', 401],
    ['no_algorithm', 500],
    ['foreign_key', 500],
    ['public_key_as_secret', 500],
    ['not_yet_valid', 500],
  ])('botbuilder does not run for %s and answers %i', async (forgery, status) => {
    const { conversation, activityId } = await cardForAlice();
    expect((await teams.client.press({ user: 'alice', conversation, activityId, verb: 'approve', forgery })).status).toBe(status);
    expect(verbs).toEqual([]);
  });

  test('botbuilder lets pass what the bot must refuse itself: no serviceUrl in the body, another tenant, four minutes late, nobody', async () => {
    const { conversation, activityId } = await cardForAlice();
    const press = { user: 'alice', conversation, activityId, verb: 'odd' };
    const passed = [
      await teams.client.press({ ...press, serviceUrl: null }),
      await teams.client.press({
        ...press,
        activity: { channelData: { tenant: { id: 'another' } }, conversation: { id: conversation, tenantId: 'another', conversationType: 'personal' } },
      }),
      await teams.client.press({ ...press, forgery: 'barely_expired' }),
      await teams.client.press({ ...press, activity: { from: { id: '29:nobody', name: 'Nobody' } } }),
    ];
    expect(passed.map((one) => one.status)).toEqual([200, 200, 200, 200]);
    expect((await teams.client.press({ ...press, serviceUrl: 'https://evil.example.com/' })).status).toBe(401);
    expect(verbs).toHaveLength(4);
  });

  test('the Connector takes no call without a token that it granted', async () => {
    const { conversation } = await cardForAlice();
    const answer = await fetch(`${teams.serviceUrl}v3/conversations/${encodeURIComponent(conversation)}/activities`, {
      method: 'POST',
      headers: { authorization: 'Bearer made-up' },
      body: '{"type":"message","text":"x"}',
    });
    expect(answer.status).toBe(401);
    expect(teams.activities(conversation)).toHaveLength(1);
  });
});

describe('outside of a turn', () => {
  test('the bot writes, updates and deletes; an update replaces what one person was shown', async () => {
    const { conversation, activityId } = await cardForAlice();
    await teams.client.press({ user: 'alice', conversation, activityId, verb: 'approve' });
    await proactively((context) => context.updateActivity({ ...message(card('Approved')), id: activityId }));
    expect([cardText(teams.card(activityId)), cardText(teams.card(activityId, 'alice'))]).toEqual([
      expect.stringContaining('Approved'),
      expect.stringContaining('Approved'),
    ]);
    expect(teams.activity(activityId)?.updates).toBe(1);
    await proactively((context) => context.sendActivity('Done'));
    expect(teams.activities(conversation).at(-1)?.body['text']).toBe('Done');
    await proactively((context) => context.deleteActivity(activityId));
    expect(teams.activity(activityId)).toBeUndefined();
    await expect(proactively((context) => context.updateActivity({ ...message(card('x')), id: activityId }))).rejects.toMatchObject({
      statusCode: 404,
      code: 'ActivityNotFoundInConversation',
    });
  });

  test('a personal conversation is created for one who installed the app, and for no one else', async () => {
    await teams.client.installPersonal('alice');
    const create = (person: string, tenantId = teams.tenantId) =>
      adapter.createConversationAsync(
        teams.appId,
        'msteams',
        teams.serviceUrl,
        'https://api.botframework.com',
        {
          isGroup: false,
          bot: { id: `28:${teams.appId}`, name: '' },
          members: [{ id: person, name: '' }],
          tenantId,
          channelData: { tenant: { id: tenantId } },
        },
        async (context) => {
          await context.sendActivity('hello');
        },
      );
    await create(teams.addPerson({ key: 'alice', name: 'Alice Example', email: 'alice@example.com', aadObjectId: 'object-1' }).aadObjectId).catch(() => {});
    await teams.client.installPersonal('alice');
    await create('object-1');
    expect(teams.activities(teams.personal('alice').id).map((one) => one.body['text'])).toEqual(['hello']);
    await expect(create('guest_other.example#EXT#@example.com')).rejects.toMatchObject({ statusCode: 403, code: 'BotNotInConversationRoster' });
    await expect(create('object-1', 'another-tenant')).rejects.toMatchObject({ statusCode: 400 });
  });

  test('who blocked the bot or removed it is not written to', async () => {
    await cardForAlice();
    teams.block('alice');
    await expect(proactively((context) => context.sendActivity('x'))).rejects.toMatchObject({ statusCode: 403, code: 'MessageWritesBlocked' });
    await teams.client.uninstall('19:approvals@thread.tacv2', 'alice');
    reference = { ...reference, conversation: { ...Object(reference.conversation), id: '19:approvals@thread.tacv2' } };
    await expect(proactively((context) => context.sendActivity('x'))).rejects.toMatchObject({ statusCode: 403, code: 'BotNotInConversationRoster' });
  });

  test('guests and members are told apart by what Teams says of them', async () => {
    const { conversation } = await cardForAlice();
    await teams.client.addressBot('19:approvals@thread.tacv2', 'guest', 'hi');
    let guest: unknown;
    await proactively(async (context) => {
      guest = await TeamsInfo.getMember(context, 'guest_other.example#EXT#@example.com');
      expect((await TeamsInfo.getPagedMembers(context)).members).toHaveLength(2);
    });
    expect(guest).toMatchObject({ userPrincipalName: expect.stringContaining('#EXT#') });
    reference = { ...reference, conversation: { ...Object(reference.conversation), id: conversation } };
    await expect(proactively((context) => TeamsInfo.getMember(context, 'nobody@example.com'))).rejects.toMatchObject({ statusCode: 404 });
  });
});

describe('limits', () => {
  test.each([
    ['version 1.6', { version: '1.6' }],
    ['an unknown element', { body: [{ type: 'Banner' }] }],
    ['a text without text', { body: [{ type: 'TextBlock' }] }],
    ['an Execute without a verb', { actions: [{ type: 'Action.Execute', title: 'x' }] }],
    ['an Execute with another style', { actions: [{ type: 'Action.Execute', title: 'x', verb: 'x', style: 'danger' }] }],
    [
      'one id twice',
      {
        body: [
          { type: 'TextBlock', id: 'a', text: 'a' },
          { type: 'TextBlock', id: 'a', text: 'b' },
        ],
      },
    ],
    ['a link to a script', { actions: [{ type: 'Action.OpenUrl', title: 'x', url: 'javascript:alert(1)' }] }],
    ['61 people in refresh', { refresh: { action: { type: 'Action.Execute', verb: 'x', title: 'x' }, userIds: Array.from({ length: 61 }, () => '29:x') } }],
  ])('a card with %s is refused', async (_what, more) => {
    const { conversation } = await cardForAlice();
    await expect(proactively((context) => context.sendActivity(message(card('x', more))))).rejects.toMatchObject({ statusCode: 400 });
    expect(teams.activities(conversation)).toHaveLength(1);
  });

  test('a message above the limit is refused, and a card above 28 KB is warned of', async () => {
    await cardForAlice();
    await expect(proactively((context) => context.sendActivity(message(card('x'.repeat(MESSAGE_BYTES / 2)))))).rejects.toMatchObject({
      statusCode: 413,
      code: 'MessageSizeTooBig',
    });
    expect(teams.warnings).toEqual([]);
    await proactively((context) => context.sendActivity(message(card('x'.repeat(30_000)))));
    expect(teams.warnings).toHaveLength(1);
  });
});

describe('faults', () => {
  const posting = /^(sendToConversation|replyToActivity)$/;

  test('a throttled call says how long to wait', async () => {
    await cardForAlice();
    teams.throttle(posting, 3, { times: 10 });
    await expect(proactively((context) => context.sendActivity('x'))).rejects.toMatchObject({ statusCode: 429 });
  });

  test('botbuilder repeats a post whose answer was lost, so that it is there twice, unless it is told not to', async () => {
    const { conversation } = await cardForAlice();
    teams.fail(posting, 'lose_answer');
    await proactively((context) => context.sendActivity('twice'), 'as botbuilder likes');
    expect(teams.activities(conversation).filter((one) => one.body['text'] === 'twice')).toHaveLength(2);
  });

  test('a lost answer leaves the message there; a server error and a host that is down do not', async () => {
    const { conversation } = await cardForAlice();
    teams.fail(posting, 'lose_answer');
    await expect(proactively((context) => context.sendActivity('lost'))).rejects.toThrow();
    expect(teams.activities(conversation).map((one) => one.body['text'])).toContain('lost');
    teams.fail(posting, 'server_error', { times: 10 });
    await expect(proactively((context) => context.sendActivity('x'))).rejects.toMatchObject({ statusCode: 502 });
    await teams.wire.refuse();
    await expect(proactively((context) => context.sendActivity('x'))).rejects.toThrow();
    await teams.wire.accept();
    expect(teams.activities(conversation)).toHaveLength(2);
  });
});
