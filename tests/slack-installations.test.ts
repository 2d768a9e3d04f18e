import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countersign } from '@countersign/cli/testing';
import { freePort } from '@countersign/dev-env/free-port';
import { type FakeSlack, type FakeWorkspace, startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Api, apiOf, EXPORT } from './support/api.js';
import { exampleFiles } from './support/installation.js';
import { posted } from './support/posted-card.js';
import { until } from './support/until.js';

/* An administrator installs the Slack app in two workspaces of the running product, without any token in its environment. */
jest.setTimeout(180_000);

let home: string;
let slack: FakeSlack;
let cards: FakeWorkspace;
let running: Running;
let api: Api;
let url: string;
let env: Record<string, string>;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-slack-installations-'));
  const people = await readFile(path.join(exampleFiles, 'directory.yaml'), 'utf8');
  await writeFile(path.join(home, 'directory.yaml'), people);
  slack = await startFakeSlack();
  cards = slack.addWorkspace({
    id: 'T0CARDS',
    users: [{ id: 'U0ALICE', name: 'alice', email: 'alice@example.com' }],
    channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
  });
  slack.addWorkspace({ id: 'T0OTHER' });
  const port = await freePort();
  url = `http://localhost:${String(port)}`;
  env = {
    COUNTERSIGN_HOME: home,
    PORT: String(port),
    LOG_LEVEL: 'silent',
    SLACK_CLIENT_ID: slack.clientId,
    SLACK_CLIENT_SECRET: slack.clientSecret,
    SLACK_SIGNING_SECRET: slack.signingSecret,
    SLACK_API_URL: slack.apiUrl,
    SLACK_CHANNEL: 'T0CARDS/#approvals',
    COUNTERSIGN_CHAT_LINK: 'email',
  };
  const read = readConfig(env);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  running = await start(read.config);
  api = apiOf(port, `localhost:${String(port)}`);
  slack.connect(`${url}/slack/events`);
});

afterAll(async () => {
  await running?.shutdown.stop('the test is over');
  running?.shutdown.release();
  await slack?.close();
  await rm(home, { recursive: true, force: true });
});

const cli = (...args: string[]) => countersign([...args, '--home', home], { cwd: home, env: {} });

/** As olivia's browser goes: the link's page, Slack, and back. */
async function install(teamId: string): Promise<string> {
  const { out, err } = await cli('slack', 'install-link', '--as', 'olivia@example.com');
  const link = /^http:\S+#(\S+)$/m.exec(out);
  if (link === null) throw new Error(`${out}\n${err}`);
  expect(out.startsWith(`${url}/slack/install#`)).toBe(true);
  const begun = await fetch(`${url}/slack/install`, { method: 'POST', body: new URLSearchParams({ link: link[1] ?? '' }), redirect: 'manual' });
  const cookie = (begun.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const back = await fetch(slack.choose(begun.headers.get('location') ?? '', { teamId }), { headers: { cookie } });
  return back.text();
}

test('C5: whoever does not administer gets no link', async () => {
  const { code, err } = await cli('slack', 'install-link', '--as', 'alice@example.com');
  expect(code).toBe(1);
  expect(err).toContain('forbidden');
});

test('C1: a request’s card goes to an installed workspace, and is decided there', async () => {
  expect(await install('T0CARDS')).toContain('Countersign is installed in');
  expect(await install('T0OTHER')).toContain('Countersign is installed in');
  const { id } = (await api.submit(running.quickstart?.api_key ?? '', EXPORT)).json as { id: string };
  const message = await until(
    () => cards.messages('approvals').find(({ blocks }) => visibleText(blocks).includes(id)),
    () => 'the card',
  );
  await posted(url, running.quickstart?.api_key ?? '', id);
  const approve = /"action_id":"([^"]+)"[^{}]*\{[^{}]*"text":"Approve"/.exec(JSON.stringify(message.blocks))?.[1] ?? 'countersign_approve';
  expect((await cards.client.press({ user: 'U0ALICE', channel: 'approvals', ts: message.ts, actionId: approve })).status).toBe(200);
  await until(
    () => [...cards.ephemeral('U0ALICE'), ...cards.direct('U0ALICE')].some(({ text }) => text.includes('You approved it')),
    () => 'the answer',
  );
});

test('E1: the installations are listed without tokens, the doctor tries each, and the audit finds them in order', async () => {
  const listed = await cli('slack', 'installations', '--as', 'olivia@example.com');
  expect(listed.out).toMatch(/^T0CARDS .*\nT0OTHER /);
  expect(listed.out).not.toContain('xoxb-');
  const doctor = await countersign(['doctor', 'slack', '--home', home, '--json'], { cwd: home, env });
  const { checks } = JSON.parse(doctor.out) as { checks: { name: string; status: string; says: string }[] };
  const of = (name: string) => checks.find((check) => check.name === name);
  expect([of('Slack (T0CARDS)')?.status, of('Slack (T0OTHER)')?.status, of('Slack channel')?.status]).toEqual(['ok', 'ok', 'ok']);
  expect(of('Slack installations')?.says).toContain('T0CARDS');
  expect(doctor.out).not.toContain('xoxb-');
  expect((await cli('ledger', 'verify')).code).toBe(0);
});

test('C5: forgotten, a workspace gets no card, and its presses are answered with 401', async () => {
  expect((await cli('slack', 'forget', 'T0CARDS', '--as', 'olivia@example.com')).code).toBe(0);
  const { out } = await cli('slack', 'installations', '--as', 'olivia@example.com');
  expect(out).toMatch(/^T0OTHER /);
  await until(
    async () => (await cards.client.command({ user: 'U0ALICE', channel: 'approvals', command: '/countersign', text: 'help' })).status === 401,
    () => 'the end of the installation',
  );
  expect((await cli('ledger', 'verify')).code).toBe(0);
});
