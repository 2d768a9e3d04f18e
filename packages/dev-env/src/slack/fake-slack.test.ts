import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import bolt from '@slack/bolt';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startFakeSlack, visibleText, type FakeSlack } from './index.js';

/** The fake is true where the real SDK takes it for Slack: these tests talk to it with Bolt and its WebClient alone. */
const { App, ExpressReceiver, webApi } = bolt;
const { WebClient } = webApi;

/** What the SDK would print about the failures that these tests order. */
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, setLevel: () => {}, getLevel: () => bolt.LogLevel.ERROR, setName: () => {} };

let slack: FakeSlack;
let clock: number;
let client: InstanceType<typeof WebClient>;

beforeEach(async () => {
  clock = Date.now();
  slack = await startFakeSlack({
    now: () => clock,
    users: [
      { id: 'U0ALICE', name: 'alice', email: 'alice@example.com' },
      { id: 'U0GONE', name: 'gone', email: 'gone@example.com', deleted: true },
      { id: 'U0GUEST', name: 'guest', is_restricted: true, team_id: 'T0OTHER', is_stranger: true },
    ],
    channels: [
      { id: 'C0APPROVALS', name: 'approvals' },
      { id: 'C0SECRET', name: 'secret', is_private: true, members: [] },
    ],
  });
  client = new WebClient(slack.botToken, {
    slackApiUrl: slack.apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: 1_000,
    logger: quiet,
  });
});
afterEach(() => slack.close());

const section = (text: string, block_id?: string) => ({
  type: 'section' as const,
  text: { type: 'plain_text' as const, text },
  ...(block_id === undefined ? {} : { block_id }),
});
const buttons = {
  type: 'actions' as const,
  block_id: 'decide',
  elements: [
    { type: 'button' as const, action_id: 'approve', value: 'ar_1', text: { type: 'plain_text' as const, text: 'Approve' } },
    { type: 'button' as const, action_id: 'deny', value: 'ar_1', text: { type: 'plain_text' as const, text: 'Deny' } },
  ],
};
const failure = async (
  call: Promise<unknown>,
): Promise<{ code?: string; data?: { error?: string; response_metadata?: { messages?: string[] } }; retryAfter?: number }> => {
  try {
    await call;
  } catch (error) {
    // The SDK's errors carry these members by its own declaration (WebAPICallError).
    return error as Awaited<ReturnType<typeof failure>>;
  }
  throw new Error('the call was answered with ok');
};
const errorOf = async (call: Promise<unknown>) => (await failure(call)).data?.error;

describe('messages', () => {
  test('a message goes to a channel by name, by id and to a person, and its metadata comes back', async () => {
    const metadata = { event_type: 'countersign_card', event_payload: { request: 'ar_1' } };
    const byName = await client.chat.postMessage({ channel: '#approvals', text: 'card', blocks: [section('Export?'), buttons], metadata });
    const byId = await client.chat.postMessage({ channel: 'C0APPROVALS', text: 'reply', thread_ts: byName.ts ?? '' });
    const open = await client.conversations.open({ users: 'U0ALICE' });
    await client.chat.postMessage({ channel: open.channel?.id ?? '', text: 'for you' });

    expect(byName.channel).toBe('C0APPROVALS');
    expect(byName.message?.blocks?.[0]?.block_id).toBeTruthy();
    expect(slack.messages('approvals').map((one) => [one.text, one.thread_ts])).toEqual([
      ['card', undefined],
      ['reply', byName.ts],
    ]);
    expect(slack.direct('U0ALICE').map((one) => one.text)).toEqual(['for you']);
    const page = await client.conversations.history({ channel: 'C0APPROVALS', include_all_metadata: true, oldest: byName.ts ?? '', inclusive: true });
    expect(page.messages?.map((one) => one.metadata)).toEqual([metadata]);
    expect((await client.conversations.replies({ channel: 'C0APPROVALS', ts: byName.ts ?? '' })).messages?.map((one) => one.ts)).toEqual([byName.ts, byId.ts]);
    expect((await client.chat.getPermalink({ channel: 'C0APPROVALS', message_ts: byName.ts ?? '' })).permalink).toContain(
      `/C0APPROVALS/p${(byName.ts ?? '').replace('.', '')}`,
    );
  });

  test('an update keeps blocks that it leaves out, removes them by an empty array, and touches own messages alone', async () => {
    const { ts = '' } = await client.chat.postMessage({ channel: 'approvals', text: 'card', blocks: [section('Export?')] });
    await client.chat.update({ channel: 'C0APPROVALS', ts, text: 'renamed' });
    expect(visibleText(slack.message('approvals', ts)?.blocks ?? [])).toBe('Export?');
    await client.chat.update({ channel: 'C0APPROVALS', ts, text: 'empty', blocks: [] });
    expect(slack.message('approvals', ts)).toMatchObject({ text: 'empty', blocks: [], edited: { user: slack.botUserId } });

    const foreign = slack.sayAs('U0ALICE', 'approvals', 'mine');
    expect(await errorOf(client.chat.update({ channel: 'C0APPROVALS', ts: foreign.ts, text: 'no' }))).toBe('cant_update_message');
    expect(await errorOf(client.chat.update({ channel: 'C0APPROVALS', ts: '1.000001', text: 'no' }))).toBe('message_not_found');
    expect(await errorOf(client.chat.update({ channel: 'U0ALICE', ts, text: 'no' }))).toBe('channel_not_found');
  });

  test('a conversation that the bot may not see, a closed account and a wrong token are refused in Slack’s words', async () => {
    expect(await errorOf(client.chat.postMessage({ channel: 'secret', text: 'x' }))).toBe('channel_not_found');
    expect(await errorOf(client.chat.postMessage({ channel: 'nowhere', text: 'x' }))).toBe('channel_not_found');
    expect(await errorOf(client.conversations.open({ users: 'U0GONE' }))).toBe('user_disabled');
    expect(await errorOf(client.users.lookupByEmail({ email: 'gone@example.com' }))).toBe('users_not_found');
    expect(await errorOf(new WebClient('xoxb-other', { slackApiUrl: slack.apiUrl, logger: quiet }).auth.test())).toBe('invalid_auth');
    expect((await client.users.lookupByEmail({ email: 'Alice@example.com' })).user?.id).toBe('U0ALICE');
    expect((await client.users.info({ user: 'U0GONE' })).user?.deleted).toBe(true);
    expect((await client.users.info({ user: 'U0GUEST' })).user).toMatchObject({ team_id: 'T0OTHER', is_restricted: true, is_stranger: true });
    expect((await client.auth.test()).response_metadata?.scopes).toContain('chat:write');
  });
});

describe('limits of Block Kit', () => {
  test.each([
    ['51 blocks', Array.from({ length: 51 }, () => section('x')), '/blocks]'],
    ['3,001 characters in a section', [section('x'.repeat(3_001))], 'must be less than 3001 characters [json-pointer:/blocks/0/text/text]'],
    ['an empty text', [section('')], 'must be more than 0 characters'],
    [
      '11 fields',
      [{ type: 'section', fields: Array.from({ length: 11 }, () => ({ type: 'plain_text', text: 'x' })) }],
      'no more than 10 items allowed [json-pointer:/blocks/0/fields]',
    ],
    ['2,001 characters in a field', [{ type: 'section', fields: [{ type: 'plain_text', text: 'x'.repeat(2_001) }] }], '/blocks/0/fields/0/text'],
    ['a header of 151 characters', [{ type: 'header', text: { type: 'plain_text', text: 'x'.repeat(151) } }], 'less than 151'],
    ['a header with marks', [{ type: 'header', text: { type: 'mrkdwn', text: 'x' } }], 'must be one of: plain_text'],
    ['a label of 76 characters', [{ type: 'actions', elements: [{ type: 'button', text: { type: 'plain_text', text: 'x'.repeat(76) } }] }], 'less than 76'],
    ['a value of 2,001 characters', [{ ...buttons, elements: [{ ...buttons.elements[0], value: 'x'.repeat(2_001) }] }], '/value'],
    ['one action twice', [{ ...buttons, elements: [buttons.elements[0], buttons.elements[0]] }], 'action_id "approve" already exists'],
    ['one block id twice', [section('a', 'same'), section('b', 'same')], 'block_id "same" already exists'],
    ['an action_id of 256 characters', [{ ...buttons, elements: [{ ...buttons.elements[0], action_id: 'x'.repeat(256) }] }], '/action_id'],
    [
      '26 buttons',
      [{ type: 'actions', elements: Array.from({ length: 26 }, (_, index) => ({ ...buttons.elements[0], action_id: String(index) })) }],
      'no more than 25',
    ],
    ['11 things in a context', [{ type: 'context', elements: Array.from({ length: 11 }, () => ({ type: 'plain_text', text: 'x' })) }], 'no more than 10'],
    ['a run outside of a section', [{ type: 'rich_text', elements: [{ type: 'text', text: 'x' }] }], 'unsupported type: text'],
    [
      'a section in preformatted text',
      [{ type: 'rich_text', elements: [{ type: 'rich_text_preformatted', elements: [{ type: 'rich_text_section', elements: [] }] }] }],
      'must be a text or link',
    ],
    ['a property that does not exist', [{ type: 'section', text: { type: 'plain_text', text: 'x', verbatim: true } }], 'invalid additional property: verbatim'],
    ['an unknown block', [{ type: 'banner' }], 'unsupported type: banner'],
  ])('refuses %s', async (_what, blocks, complaint) => {
    const error = await failure(client.apiCall('chat.postMessage', { channel: 'approvals', text: 'x', blocks }));
    expect(error.data?.error).toBe('invalid_blocks');
    expect(error.data?.response_metadata?.messages?.join('\n')).toContain(complaint);
    expect(slack.messages('approvals')).toEqual([]);
  });

  test('a message at every limit at once passes, and one above 13,200 characters in all does not', async () => {
    const run = (text: string) => ({
      type: 'rich_text' as const,
      elements: [{ type: 'rich_text_preformatted' as const, elements: [{ type: 'text' as const, text }] }],
    });
    await client.chat.postMessage({
      channel: 'approvals',
      text: 'x',
      blocks: [{ type: 'header', text: { type: 'plain_text', text: 'x'.repeat(150) } }, section('x'.repeat(3_000)), run('<!channel> & *x*'), buttons],
    });
    expect(slack.messages('approvals')).toHaveLength(1);
    const long = Array.from({ length: 5 }, () => section('x'.repeat(2_900)));
    expect(await errorOf(client.chat.postMessage({ channel: 'approvals', text: 'x', blocks: long }))).toBe('msg_blocks_too_long');
  });
});

describe('faults', () => {
  test('a rate limit says how long to wait, once', async () => {
    slack.rateLimit('chat.postMessage', 7);
    expect(await failure(client.chat.postMessage({ channel: 'approvals', text: 'x' }))).toMatchObject({
      code: 'slack_webapi_rate_limited_error',
      retryAfter: 7,
    });
    await client.chat.postMessage({ channel: 'approvals', text: 'x' });
    expect(slack.messages('approvals')).toHaveLength(1);
  });

  test('a lost answer leaves the message there, and its metadata finds it again', async () => {
    slack.fail('chat.postMessage', 'lose_answer');
    const metadata = { event_type: 'countersign_card', event_payload: { place: 'pl_1' } };
    expect((await failure(client.chat.postMessage({ channel: 'approvals', text: 'x', metadata }))).code).toBe('slack_webapi_request_error');
    const found = await client.conversations.history({ channel: 'C0APPROVALS', include_all_metadata: true });
    expect(found.messages).toHaveLength(1);
    expect(found.messages?.[0]?.metadata).toEqual(metadata);
  });

  test('a server error, a reset, a hang and a host that is down do nothing', async () => {
    for (const fault of ['server_error', 'reset', 'hang'] as const) {
      slack.fail('chat.postMessage', fault);
      await failure(client.chat.postMessage({ channel: 'approvals', text: 'x' }));
    }
    slack.wire.heal();
    await slack.wire.refuse();
    expect((await failure(client.chat.postMessage({ channel: 'approvals', text: 'x' }))).code).toBe('slack_webapi_request_error');
    await slack.wire.accept();
    expect(slack.messages('approvals')).toEqual([]);
    await client.chat.postMessage({ channel: 'approvals', text: 'x' });
    expect(slack.messages('approvals')).toHaveLength(1);
  });
});

test('files travel through all three calls of uploadV2 into the thread', async () => {
  const { ts = '' } = await client.chat.postMessage({ channel: 'approvals', text: 'card' });
  await client.filesUploadV2({ channel_id: 'C0APPROVALS', thread_ts: ts, filename: 'payload.json', content: '{"rows":48211}', initial_comment: 'Everything' });
  expect(slack.files().map((file) => [file.name, file.content?.toString()])).toEqual([['payload.json', '{"rows":48211}']]);
  expect(slack.messages('approvals').at(-1)).toMatchObject({ thread_ts: ts, text: 'Everything' });
});

describe('a real Bolt app', () => {
  let stop: () => Promise<void>;
  let presses: string[];

  beforeEach(async () => {
    presses = [];
    const receiver = new ExpressReceiver({ signingSecret: slack.signingSecret, endpoints: '/slack/events', logger: quiet });
    const app = new App({ token: slack.botToken, receiver, logger: quiet, clientOptions: { slackApiUrl: slack.apiUrl, logger: quiet } });
    app.action('approve', async ({ ack, body, respond }) => {
      await ack();
      presses.push(body.user.id);
      // A press in a modal has no response_url, and Bolt then gives no respond.
      if (body.type === 'block_actions' && 'response_url' in body)
        await respond({ text: 'You may not decide this', response_type: 'ephemeral', replace_original: false });
    });
    app.action('deny', async ({ ack, body, client: web }) => {
      await ack();
      // A block_actions payload has a trigger_id (bolt declares it on BlockAction alone).
      const trigger_id = (body as { trigger_id: string }).trigger_id;
      await web.views.open({
        trigger_id,
        view: {
          type: 'modal',
          callback_id: 'reason',
          title: { type: 'plain_text', text: 'Deny' },
          submit: { type: 'plain_text', text: 'Deny' },
          blocks: [
            {
              type: 'input',
              block_id: 'why',
              label: { type: 'plain_text', text: 'Why?' },
              element: { type: 'plain_text_input', action_id: 'reason', max_length: 500 },
            },
          ],
        },
      });
    });
    app.view('reason', async ({ ack, view }) => {
      const said = view.state.values['why']?.['reason']?.value ?? '';
      if (said === 'no') await ack({ response_action: 'errors', errors: { why: 'Say more' } });
      else await ack();
      presses.push(said);
    });
    app.command('/countersign', async ({ ack, command }) => {
      await ack(`pong ${command.text}`);
    });
    const server = createServer(receiver.app);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    // A TCP server that listens has an AddressInfo.
    slack.connect(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/slack/events`);
    stop = () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
  });
  afterEach(() => stop());

  const card = async () => (await client.chat.postMessage({ channel: 'approvals', text: 'card', blocks: [section('Export?'), buttons] })).ts ?? '';

  test('takes a signed press, and its private answer is seen by the presser alone', async () => {
    const ts = await card();
    const press = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: 'approve' });
    expect(press.status).toBe(200);
    const [said] = await slack.wire.until(() => (slack.ephemeral('U0ALICE').length > 0 ? slack.ephemeral('U0ALICE') : undefined), 'the private answer');
    expect(said).toMatchObject({ text: 'You may not decide this', via: 'response_url' });
    expect(slack.messages('approvals')).toHaveLength(1);
    expect(press.payload['actions']).toMatchObject([{ action_id: 'approve', block_id: 'decide', value: 'ar_1', type: 'button' }]);
  });

  test('a response_url works five times and not after half an hour', async () => {
    const press = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: await card(), actionId: 'approve' });
    const respond = async () =>
      (await fetch(press.responseUrl ?? '', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"text":"x"}' })).status;
    await slack.wire.until(() => slack.ephemeral('U0ALICE').length === 1, 'the answer of the app');
    expect([await respond(), await respond(), await respond(), await respond(), await respond()]).toEqual([200, 200, 200, 200, 404]);
    const later = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: await card(), actionId: 'approve' });
    clock += 30 * 60_000 + 1;
    expect((await fetch(later.responseUrl ?? '', { method: 'POST', body: '{"text":"x"}' })).status).toBe(404);
  });

  test.each(['foreign_secret', 'tampered_body', 'malformed', 'other_version', 'missing'] as const)(
    'Bolt does not take a press whose signature is %s',
    async (signature) => {
      const press = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: await card(), actionId: 'approve', signature });
      expect(press.status).toBe(401);
      expect(presses).toEqual([]);
    },
  );

  test('Bolt refuses a stale press, but takes one from the future and one that was replayed: the bot must refuse these itself', async () => {
    const ts = await card();
    const stale = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: 'approve', at: clock - 6 * 60_000 });
    const future = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: 'approve', at: clock + 6 * 60_000 });
    const again = await slack.client.replay(future);
    expect([stale.status, future.status, again.status]).toEqual([401, 200, 200]);
    expect(presses).toHaveLength(2);
  });

  test('a modal opens by a trigger once and within three seconds, is refused with complaints, and closes when submitted', async () => {
    await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: await card(), actionId: 'deny' });
    const [view] = await slack.wire.until(() => (slack.views('U0ALICE').length > 0 ? slack.views('U0ALICE') : undefined), 'the modal');
    expect(view?.callback_id).toBe('reason');
    await expect(slack.client.submit({ user: 'U0ALICE' })).rejects.toThrow('must be filled in');
    expect((await slack.client.submit({ user: 'U0ALICE', values: { reason: 'no' } })).formErrors).toEqual({ why: 'Say more' });
    expect(slack.views('U0ALICE')).toHaveLength(1);
    await slack.client.submit({ user: 'U0ALICE', values: { reason: 'too wide' } });
    expect(slack.views('U0ALICE')).toEqual([]);
    expect(presses).toEqual(['no', 'too wide']);

    const modal = { type: 'modal' as const, title: { type: 'plain_text' as const, text: 'x' }, blocks: [] };
    const used = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: await card(), actionId: 'deny' });
    await slack.wire.until(() => slack.views('U0ALICE').length > 0, 'the second modal');
    expect(await errorOf(client.views.open({ trigger_id: used.triggerId ?? '', view: modal }))).toBe('exchanged_trigger_id');
    const slow = await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: await card(), actionId: 'approve' });
    clock += 3_001;
    expect(await errorOf(client.views.open({ trigger_id: slow.triggerId ?? '', view: modal }))).toBe('expired_trigger_id');
    expect(await errorOf(client.views.open({ trigger_id: 'made.up', view: modal }))).toBe('invalid_trigger_id');
  });

  test('a modal has its limits, its versions and a stack three deep', async () => {
    const modal = (title: string, more: object = {}) => ({ type: 'modal' as const, title: { type: 'plain_text' as const, text: title }, blocks: [], ...more });
    const trigger = async (viewId?: string) =>
      (await slack.client.press({ user: 'U0ALICE', actionId: 'approve', ...(viewId === undefined ? { channel: 'approvals', ts: await card() } : { viewId }) }))
        .triggerId ?? '';
    for (const bad of [
      modal('x'.repeat(25)),
      modal('x', { private_metadata: 'x'.repeat(3_001) }),
      modal('x', { blocks: Array.from({ length: 101 }, () => section('x')) }),
    ]) {
      expect(await errorOf(client.views.open({ trigger_id: await trigger(), view: bad }))).toBe('invalid_arguments');
    }
    const first = await client.views.open({ trigger_id: await trigger(), view: modal('one') });
    const id = first.view?.id ?? '';
    const second = await client.views.update({ view_id: id, hash: first.view?.hash ?? '', view: modal('two') });
    expect(second.view).toMatchObject({ id, title: { text: 'two' } });
    expect(await errorOf(client.views.update({ view_id: id, hash: first.view?.hash ?? '', view: modal('three') }))).toBe('hash_conflict');
    await client.views.push({ trigger_id: await trigger(id), view: modal('on top') });
    await client.views.push({ trigger_id: await trigger(id), view: modal('higher') });
    expect(await errorOf(client.views.push({ trigger_id: await trigger(id), view: modal('too high') }))).toBe('push_limit_reached');
    expect(slack.views('U0ALICE')).toHaveLength(3);
  });

  test('a slash command is answered privately', async () => {
    expect((await slack.client.command({ user: 'U0ALICE', channel: 'approvals', command: '/countersign', text: 'help' })).status).toBe(200);
    expect(slack.ephemeral('U0ALICE')).toMatchObject([{ text: 'pong help', via: 'command' }]);
  });
});
