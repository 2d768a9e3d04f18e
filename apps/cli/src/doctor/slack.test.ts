import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type FakeSlack, startFakeSlack } from '@countersign/dev-env/slack';
import { Secret } from '@countersign/service';
import type { Check } from './check.js';
import { slackChecks } from './slack.js';

/* What the doctor says of Slack, before a Slack of ours. The command itself is shown in commands/doctor.test.ts. */

let slack: FakeSlack;
/** Where PUBLIC_URL leads, and what answers there. */
let service: Server;
let status: number;

beforeEach(async () => {
  slack = await startFakeSlack({ channels: [{ id: 'C0APPROVALS', name: 'approvals' }] });
  status = 401;
  service = createServer((_request, response) => void response.writeHead(status).end());
  await new Promise<void>((resolve) => {
    service.listen(0, '127.0.0.1', resolve);
  });
});
afterEach(async () => {
  service.close();
  await slack.close();
});

interface Options {
  token?: string;
  appToken?: string;
  channel?: string;
  url?: string;
}

async function look({ token = slack.botToken, appToken, channel = '#approvals', url }: Options = {}): Promise<(name: string) => Check | undefined> {
  // A TCP server that listens has an AddressInfo.
  const { port } = service.address() as AddressInfo;
  const checks = await slackChecks(
    { botToken: new Secret(token), apiUrl: slack.apiUrl, channel, ...(appToken === undefined ? {} : { appToken: new Secret(appToken) }) },
    url ?? `http://127.0.0.1:${String(port)}`,
  );
  return (name) => checks.find((check) => check.name === name);
}
const failing = (words: string) => ({ status: 'fail', says: expect.stringContaining(words) });

describe('the channel', () => {
  test.each([['#approvals'], ['approvals'], ['C0APPROVALS'], ['T0EXAMPLE/approvals']])('%s is found', async (channel) => {
    expect((await look({ channel }))('Slack channel')).toMatchObject({ status: 'ok' });
  });

  test('that is not there, archived, shared or without the app is said with what to do', async () => {
    expect((await look({ channel: 'nowhere' }))('Slack channel')).toMatchObject({
      ...failing('no channel nowhere'),
      fix: expect.stringContaining('/invite @Countersign'),
    });
    slack.changeChannel('C0APPROVALS', { is_archived: true });
    expect((await look())('Slack channel')).toMatchObject(failing('archived'));
    slack.changeChannel('C0APPROVALS', { is_archived: false, is_ext_shared: true });
    expect((await look())('Slack channel')).toMatchObject(failing('another organisation'));
    slack.changeChannel('C0APPROVALS', { is_ext_shared: false, members: [] });
    expect((await look())('Slack channel')).toMatchObject(failing('no member'));
  });
});

describe('the road of presses', () => {
  test('over HTTP: 401 is what a request that nobody signed must get', async () => {
    // Over loopback it is answered, and Slack cannot come there.
    expect((await look())('Slack requests')).toMatchObject({ status: 'warn', says: expect.stringContaining('Slack cannot reach it') });
    status = 404;
    expect((await look())('Slack requests')).toMatchObject({ ...failing('404'), fix: expect.stringContaining('slack-bot') });
    status = 421;
    expect((await look())('Slack requests')).toMatchObject({ ...failing('421'), fix: expect.stringContaining('Host') });
    status = 302;
    expect((await look())('Slack requests')).toMatchObject({ ...failing('302'), fix: expect.stringContaining('sign-in page') });
    expect((await look({ url: 'http://127.0.0.1:1' }))('Slack requests')).toMatchObject(failing('cannot be reached'));
  });

  test('in Socket Mode: the app-level token opens a connection, or the doctor says how to make one', async () => {
    expect((await look({ appToken: slack.appToken }))('Slack socket')).toMatchObject({ status: 'ok' });
    expect((await look({ appToken: 'xapp-of-old' }))('Slack socket')).toMatchObject({
      ...failing('invalid_auth'),
      fix: expect.stringContaining('connections:write'),
    });
    expect((await look({ appToken: slack.botToken }))('Slack socket')).toMatchObject(failing('not_allowed_token_type'));
  });
});

test.each([
  [0, 'ok'],
  [-30_000, 'ok'],
  [-240_000, 'fail'],
  [240_000, 'fail'],
])('Slack’s clock that is %i ms from ours: %s', async (skew, expected) => {
  slack.setClockSkew(skew);
  expect((await look())('Slack clock')).toMatchObject({ status: expected });
});

test('a dead token is said to be dead, and no token of an answer is shown', async () => {
  slack.endTokens(slack.teamId, 'account_inactive');
  const of = await look();
  expect(of('Slack')).toMatchObject({ ...failing('account_inactive'), fix: expect.stringContaining('uninstalled') });
  expect(of('Slack channel')).toBeUndefined();
});

test('without any token the doctor says how the app is installed', async () => {
  expect(await slackChecks({ apiUrl: slack.apiUrl }, 'http://127.0.0.1:1')).toMatchObject([{ status: 'warn', fix: expect.stringContaining('install-link') }]);
});
