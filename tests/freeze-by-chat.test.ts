import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type FakeSlack, startFakeSlack } from '@countersign/dev-env/slack';
import type { Running } from '@countersign/server';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Api, EXPORT } from './support/api.js';
import { exampleFiles } from './support/installation.js';
import { type SlackServer, startWithSlack } from './support/slack-server.js';

/* The kill switch from chat, over the whole server: what is said in Slack holds at the API. */
jest.setTimeout(120_000);

let home: string;
let slack: FakeSlack;
let server: SlackServer;
let running: Running;
let api: Api;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-chat-freeze-'));
  const people = await readFile(path.join(exampleFiles, 'directory.yaml'), 'utf8');
  await writeFile(path.join(home, 'directory.yaml'), people.replace('name: Carol Chen\n', 'name: Carol Chen\n    roles: [administrator]\n'));
  slack = await startFakeSlack({
    users: ['olivia', 'carol'].map((name) => ({ id: `U0${name.toUpperCase()}`, name, email: `${name}@example.com` })),
    channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
  });
  server = await startWithSlack(home, slack, { COUNTERSIGN_CHAT_LINK: 'email' });
  ({ api, running } = server);
});

afterAll(async () => {
  await server?.stop();
  await slack?.close();
  await rm(home, { recursive: true, force: true });
});

async function say(user: string, text: string): Promise<string> {
  const before = slack.ephemeral(user).length;
  expect((await slack.client.command({ user, channel: 'approvals', command: '/countersign', text })).status).toBe(200);
  return slack.wire.until(() => slack.ephemeral(user)[before]?.text, `the answer to ${text}`);
}
const submit = () => api.submit(running.quickstart?.api_key ?? '', EXPORT);

test('A6: from the answer to /countersign freeze on nothing opens at the API, until a second person lifts it by chat', async () => {
  expect((await submit()).status).toBe(201);
  const placed = await say('U0OLIVIA', 'freeze actor retrainer it loops');
  expect(placed).toContain('Frozen: actor retrainer.');
  expect(placed).toContain('It holds 1 request ');
  const held = await submit();
  expect([held.status, held.json.code]).toEqual([423, 'frozen']);
  const [id = ''] = /fz_[0-9a-f-]{36}/.exec(placed) ?? [];
  expect(await say('U0OLIVIA', `unfreeze ${id}`)).toContain('Nothing was lifted.');
  expect((await submit()).status).toBe(423);
  expect(await say('U0CAROL', `unfreeze ${id}`)).toContain('Lifted: actor retrainer');
  expect((await submit()).status).toBe(201);
});
