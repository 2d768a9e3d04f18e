import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { freePort } from '@countersign/dev-env/free-port';
import { needs } from '@countersign/dev-env/needs';
import { type PostgresServer, startPostgresServer } from '@countersign/dev-env/postgres-server';
import { type RedisServer, startRedisServer } from '@countersign/dev-env/redis-server';
import { type FakeSlack, type SlackMessage, startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EXPORT } from './support/api.js';
import { type CallbackReceiver, startCallbackReceiver, verifiedByOfficialPackage } from './support/callback-receiver.js';
import { type Credentials, makeCredentials, newMasterKey, ownFiles } from './support/installation.js';
import { readLog } from './support/ledger-check.js';
import { type RunningServer, startServer } from './support/running-server.js';

/*
 * G2: past one process. Each role is a process of its own; they share PostgreSQL, and a queue that wakes them up: BullMQ on Redis, or on
 * the same PostgreSQL.
 */

jest.setTimeout(180_000);

/** Longer than a sweep (5 s) and a bot's look (5 s) together: what no wake-up told is found by then. */
const UNTOLD_MS = 20_000;

let folder: string;
let postgres: PostgresServer;
let slack: FakeSlack;
let receiver: CallbackReceiver;
let held: Credentials;
let common: Record<string, string>;
const running = new Map<'intake' | 'decisions' | 'slack-bot', RunningServer>();

afterEach(async () => {
  // All of them are asked to stop, also where one does not.
  const stopped = await Promise.allSettled([...running.values()].map((server) => server.stop()));
  running.clear();
  await Promise.all([receiver?.close(), slack?.close()]);
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
  for (const one of stopped) if (one.status === 'rejected') throw one.reason;
}, 60_000);

/** Starts all roles at once on an empty database. */
async function startRoles(queue: { REDIS_URL?: string }): Promise<void> {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-roles-'));
  [postgres, receiver] = await Promise.all([startPostgresServer(), startCallbackReceiver()]);
  slack = await startFakeSlack({
    users: ['dana', 'alice', 'bob', 'carol'].map((name) => ({ id: `U0${name.toUpperCase()}`, name, email: `${name}@example.com` })),
    channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
  });
  const masterKey = newMasterKey();
  const port = await freePort();
  common = {
    ...ownFiles(folder),
    ...queue,
    DATABASE_URL: postgres.url,
    COUNTERSIGN_MASTER_KEY: masterKey,
    COUNTERSIGN_CALLBACK_ALLOW: '127.0.0.1',
    PUBLIC_URL: `http://localhost:${port}`,
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_APP_TOKEN: slack.appToken,
    SLACK_API_URL: slack.apiUrl,
    SLACK_CHANNEL: '#approvals',
    COUNTERSIGN_CHAT_LINK: 'email',
  };
  await Promise.all([startRole('intake', port), startRole('decisions'), startRole('slack-bot')]);
  held = await makeCredentials(postgres.url, masterKey);
  await slack.wire.until(() => slack.socketConnected(), 'the bot to connect its socket', UNTOLD_MS);
}

async function startRole(role: 'intake' | 'decisions' | 'slack-bot', port?: number): Promise<void> {
  running.set(role, await startServer({ home: path.join(folder, role), args: ['--role', role], env: common, ...(port === undefined ? {} : { port }) }));
}

function roleOf(role: 'intake' | 'decisions' | 'slack-bot'): RunningServer {
  const server = running.get(role);
  if (server === undefined) throw new Error(`${role} does not run`);
  return server;
}

/** A request that waits for a data owner. */
async function open(members: object = {}): Promise<{ id: string; request_digest: string }> {
  const reply = await roleOf('intake').submit(held.apiKey, { ...EXPORT, callback: { url: `${receiver.url}/hook` }, ...members });
  expect(reply).toMatchObject({ status: 201, json: { status: 'pending' } });
  return reply.json;
}

/** The one card of a request, once it is there (and closed, with these words). */
const card = (id: string, closedWith?: string): Promise<SlackMessage> =>
  slack.wire.until(
    () => {
      const found = slack.messages('approvals').filter((message) => message.thread_ts === undefined && visibleText(message.blocks).includes(id));
      expect(found.length).toBeLessThanOrEqual(1);
      return found.find((message) => isOpen(message) === (closedWith === undefined) && visibleText(message.blocks).includes(closedWith ?? '') && message);
    },
    `the card of ${id}${closedWith === undefined ? '' : `, closed with "${closedWith}"`}`,
    UNTOLD_MS,
  );
const isOpen = (message: SlackMessage): boolean => buttonOf(message.blocks, 'Approve') !== undefined;

/** The action_id of the button with that label, wherever it stands. */
function buttonOf(value: unknown, label: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if ('action_id' in value && 'text' in value && typeof value.action_id === 'string' && JSON.stringify(value.text).includes(`"${label}"`))
    return value.action_id;
  for (const inner of Object.values(value)) {
    const found = buttonOf(inner, label);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function press(user: string, message: SlackMessage, label: string): Promise<void> {
  const actionId = buttonOf(message.blocks, label);
  if (actionId === undefined) throw new Error(`the card has no button ${label}`);
  await slack.client.press({ user, channel: 'approvals', ts: message.ts, actionId });
}

async function callback(id: string): Promise<any> {
  const [attempt] = await receiver.of(id, 1, UNTOLD_MS);
  if (attempt === undefined) throw new Error('no callback');
  const { data }: any = verifiedByOfficialPackage(attempt, held.webhookSecret);
  return data;
}

/** One request from intake to callback, decided through the API, its card posted and closed. */
async function wholeWay(): Promise<void> {
  const request = await open();
  await card(request.id);
  expect((await roleOf('intake').decide(held.tokens.alice, request, 'approve')).status).toBe(201);
  expect(await callback(request.id)).toMatchObject({ status: 'approved', decisions: [{ via: 'api' }], grant: expect.any(String) });
  await card(request.id, 'Approved by Alice Adams');
}

/** What does not depend on the queue's kind. */
async function everyRoleDoesItsPart(): Promise<void> {
  await wholeWay();

  // A press in Slack settles what intake opened; whoever waits at intake hears of it from the other process.
  const pressed = await open();
  const posted = await card(pressed.id);
  const waiting = roleOf('intake').settled(held.apiKey, pressed.id);
  await press('U0DANA', posted, 'Approve');
  await slack.wire.until(() => [...slack.ephemeral('U0DANA'), ...slack.direct('U0DANA')].length > 0, 'the refusal for Dana alone', UNTOLD_MS);
  await press('U0BOB', posted, 'Approve');
  expect((await waiting).json).toMatchObject({ status: 'approved', decisions: [{ person: { email: 'bob@example.com' }, via: 'slack' }] });
  expect(await callback(pressed.id)).toMatchObject({ status: 'approved', decisions: [{ via: 'slack' }] });
  await card(pressed.id, 'Approved by Bob Brown');

  // Time runs out in the decisions process; the card closes in the other.
  const late = await open({ timeout_seconds: 1 });
  expect(await callback(late.id)).toMatchObject({ status: 'expired' });
  await card(late.id, 'Expired');

  // A decisions process that dies leaves its work to the next.
  const orphan = await open();
  await card(orphan.id);
  await roleOf('decisions').kill();
  expect((await roleOf('intake').decide(held.tokens.alice, orphan, 'deny', 'Not now')).status).toBe(201);
  await card(orphan.id, 'Denied by Alice Adams');
  expect(receiver.attempts.filter(({ json }) => json.data.action_request === orphan.id)).toEqual([]);
  await startRole('decisions');
  expect(await callback(orphan.id)).toMatchObject({ status: 'denied', decisions: [{ reason: 'Not now' }] });
}

/** Each role serves what is its own. */
async function rolesKeepToTheirOwn(): Promise<void> {
  for (const server of running.values()) expect(await server.call('GET', '/readyz')).toMatchObject({ status: 200 });
  for (const role of ['decisions', 'slack-bot'] as const) {
    const reply = await roleOf(role).call('GET', '/v1/action-requests', { as: held.apiKey, headers: { host: new URL(common['PUBLIC_URL'] ?? '').host } });
    expect(reply.status).toBe(404);
  }
  const log = await readLog(roleOf('intake'), held.tokens.olivia);
  expect(log).toMatchObject({ verified: true });
}

describe('three processes', () => {
  test('G2, C1: on one PostgreSQL alone, intake, decisions and the Slack bot do a request together', async () => {
    await startRoles({});
    await everyRoleDoesItsPart();
    await rolesKeepToTheirOwn();
  });

  const program = needs('redis-server', 'three roles on Redis, flushed and killed');
  (program === undefined ? test.skip : test)('G2, I16: on Redis, which is flushed, killed and started again in between; nothing is lost', async () => {
    if (program === undefined) return;
    const redis: RedisServer = await startRedisServer(program);
    try {
      await startRoles({ REDIS_URL: redis.url });
      await everyRoleDoesItsPart();

      const flushed = await open();
      await card(flushed.id);
      expect(await redis.command('FLUSHALL')).toBe('+OK');
      expect((await roleOf('intake').decide(held.tokens.alice, flushed, 'approve')).status).toBe(201);
      expect(await redis.command('FLUSHALL')).toBe('+OK');
      expect(await callback(flushed.id)).toMatchObject({ status: 'approved' });
      await card(flushed.id, 'Approved by Alice Adams');

      const open2 = await open();
      await card(open2.id);
      await redis.kill();
      // Without it everything goes on, later than usual.
      expect((await roleOf('intake').decide(held.tokens.bob, open2, 'deny')).status).toBe(201);
      expect(await callback(open2.id)).toMatchObject({ status: 'denied' });
      await card(open2.id, 'Denied by Bob Brown');
      await wholeWay();
      for (const server of running.values()) expect(await server.call('GET', '/readyz')).toMatchObject({ status: 200 });

      // A process that starts without it works too.
      await roleOf('decisions').kill();
      await startRole('decisions');
      await wholeWay();

      await redis.restart();
      await wholeWay();
      await rolesKeepToTheirOwn();
    } finally {
      await redis.stop();
    }
  });
});
