import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type FakeOnCall, startFakeOnCall } from '@countersign/dev-env/on-call';
import { type FakeSlack, startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import type { Running } from '@countersign/server';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Api, EXPORT } from './support/api.js';
import { exampleFiles } from './support/installation.js';
import { type SlackServer, startWithSlack } from './support/slack-server.js';

/* Where cards go, over the whole server: a policy's schedules that PagerDuty and Opsgenie keep, and Slack. */
jest.setTimeout(120_000);

let home: string;
let slack: FakeSlack;
let onCall: FakeOnCall;
let server: SlackServer;
let running: Running;
let api: Api;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-routing-'));
  slack = await startFakeSlack({
    users: ['olivia', 'carol', 'alice'].map((name) => ({ id: `U0${name.toUpperCase()}`, name, email: `${name}@example.com` })),
    channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
  });
  onCall = await startFakeOnCall();
  onCall.duty.set('PNIGHT', ['Carol@Example.com']);
  const [people, policy] = await Promise.all(['directory.yaml', 'policy.yaml'].map((name) => readFile(path.join(exampleFiles, name), 'utf8')));
  const account = (name: string) => `    accounts: { slack: { team: ${slack.teamId}, user: U0${name.toUpperCase()} } }\n`;
  await writeFile(
    path.join(home, 'directory.yaml'),
    (people ?? '')
      .replace('name: Carol Chen\n', `name: Carol Chen\n${account('carol')}`)
      .replace('name: Olivia Owens\n', `name: Olivia Owens\n${account('olivia')}`),
  );
  const to = (text: string, rule: string, channel: string) => text.replace(rule, `${rule}\n      channels: [{ on_call: ${channel} }]`);
  const routed = to(
    to(policy ?? '', 'explain: Customer tables need the data owner\n    require:', 'night'),
    'need a data owner and security\n    require:',
    'apps',
  );
  await writeFile(path.join(home, 'policy.yaml'), `${routed}\nschedules: { night: { pagerduty: PNIGHT }, apps: { opsgenie: apps } }\n`);
  server = await startWithSlack(home, slack, {
    PAGERDUTY_TOKEN: onCall.pagerDutyToken,
    PAGERDUTY_API_URL: onCall.url,
    OPSGENIE_TOKEN: onCall.opsgenieToken,
    OPSGENIE_API_URL: `${onCall.url}/`,
  });
  ({ api, running } = server);
});

afterAll(async () => {
  await server?.stop();
  await slack?.close();
  await onCall?.close();
  await rm(home, { recursive: true, force: true });
});

const submit = async (submission: object): Promise<string> => {
  const answer = await api.submit(running.quickstart?.api_key ?? '', submission);
  expect(answer.status).toBe(201);
  return String(answer.json.id);
};
const shows = (messages: readonly { blocks: Parameters<typeof visibleText>[0] }[], words: string) =>
  messages.some(({ blocks }) => visibleText(blocks).includes(words));

test('a card goes to whoever is on call by PagerDuty; where Opsgenie does not say who is, to the standing channel, and administrators are told', async () => {
  const customers = await submit(EXPORT);
  await slack.wire.until(() => shows(slack.direct('U0CAROL'), customers), 'the card for carol');
  expect(shows(slack.messages('approvals'), customers)).toBe(false);

  const privilege = await submit({ ...EXPORT, action: 'iam.role.grant', resource: { type: 'role', id: 'admin' }, parameters: { to: 'svc-7' } });
  await slack.wire.until(() => shows(slack.messages('approvals'), privilege), 'the card in the standing channel');
  await slack.wire.until(() => shows(slack.direct('U0OLIVIA'), 'Opsgenie answers 404'), 'words for olivia');
});
