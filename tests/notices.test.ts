import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type FakeSlack, startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import type { Running } from '@countersign/server';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Api, EXPORT } from './support/api.js';
import { exampleFiles } from './support/installation.js';
import { type SlackServer, startWithSlack } from './support/slack-server.js';

/* What people are told besides the card, over the whole server: the service's own timers, sweep and bots, before a fake Slack. */
jest.setTimeout(120_000);

let home: string;
let slack: FakeSlack;
let server: SlackServer;
let running: Running;
let api: Api;

const NAMES = ['dana', 'alice', 'bob', 'carol'] as const;
const userOf = (name: string) => `U0${name.toUpperCase()}`;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-notices-'));
  slack = await startFakeSlack({
    users: NAMES.map((name) => ({ id: userOf(name), name, email: `${name}@example.com` })),
    channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
  });
  // The accounts are the directory's, so that people are reached who never pressed anything.
  const people = await readFile(path.join(exampleFiles, 'directory.yaml'), 'utf8');
  const linked = NAMES.reduce(
    (text, name) =>
      text.replace(`email: ${name}@example.com\n`, `email: ${name}@example.com\n    accounts: { slack: { team: ${slack.teamId}, user: ${userOf(name)} } }\n`),
    people,
  );
  await writeFile(path.join(home, 'directory.yaml'), linked);
  const policy = await readFile(path.join(exampleFiles, 'policy.yaml'), 'utf8');
  const reminded = policy.replace('      timeout: 4h\n\n', '      timeout: { after: 4h, reminders: [2s] }\n\n');
  await writeFile(path.join(home, 'policy.yaml'), reminded);
  server = await startWithSlack(home, slack, { COUNTERSIGN_POLICY_POLL_SECONDS: '1' });
  ({ api, running } = server);
});

afterAll(async () => {
  await server?.stop();
  await slack?.close();
  await rm(home, { recursive: true, force: true });
});

const saying = (name: string, title: string) => slack.direct(userOf(name)).filter(({ text }) => text === title);

test('C6: while a request waits its people are reminded by themselves, and when it is over whoever wanted it is told', async () => {
  const key = running.quickstart?.api_key ?? '';
  const { json } = await api.submit(key, EXPORT);
  const [reminder] = await slack.wire.until(
    () => {
      const found = saying('alice', 'Still waiting');
      return found.length > 0 ? found : undefined;
    },
    'the reminder of alice',
    60_000,
  );
  expect(visibleText(reminder?.blocks ?? [])).toContain('Still waiting for 1 of data-owners');
  const card = slack.messages('approvals').find(({ blocks }) => visibleText(blocks).includes(json.id));
  await slack.wire.until(
    () => slack.messages('approvals').find(({ text, thread_ts }) => text === 'Still waiting' && thread_ts === card?.ts),
    'the reply',
    60_000,
  );
  const alice = running.quickstart?.people['alice@example.com']?.token ?? '';
  const waiting = await api.call('GET', `/v1/action-requests/${String(json.id)}`, { as: alice });
  const decided = await api.decide(alice, waiting.json, 'deny', 'not now');
  expect(decided.status).toBe(201);
  await slack.wire.until(() => saying('dana', 'A request was decided')[0], 'the outcome for dana', 60_000);
});

test('C6: a digest comes by itself at its time, once for each of its people and into its channel', async () => {
  const body = { ...EXPORT, action: 'iam.grant', resource: { type: 'role', id: 'admin' }, parameters: { role: 'admin' } };
  const { json } = await api.submit(running.quickstart?.api_key ?? '', body);
  await slack.wire.until(() => slack.messages('approvals').find(({ blocks }) => visibleText(blocks).includes(json.id)), 'the card');
  // By the zone's clock it was due two minutes ago.
  const at = new Date(Date.now() - 120_000).toISOString().slice(11, 16);
  const text = await readFile(path.join(home, 'policy.yaml'), 'utf8');
  await writeFile(
    path.join(home, 'policy.yaml'),
    `${text}\ndigest: { tz: UTC, at: ["${at}"], to: { groups: [security], channels: [{ slack: "#approvals" }] } }\n`,
  );
  const title = 'One request waits for you';
  await slack.wire.until(() => saying('bob', title)[0] && saying('carol', title)[0], 'the digests', 60_000);
  const here = () => slack.messages('approvals').filter((message) => message.text === 'One request waits here');
  await slack.wire.until(() => here()[0], 'the digest of the channel', 60_000);
  expect([saying('bob', title), saying('carol', title), here()].map(({ length }) => length)).toEqual([1, 1, 1]);
  expect(visibleText(saying('carol', title)[0]?.blocks ?? [])).toContain('asks to run iam.grant on role admin');
  expect(saying('alice', title)).toEqual([]);
});
