import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decidePlace } from '@countersign/core/flow';
import { formatInstant, newId } from '@countersign/core/request';
import { createTestDatabase, type TestDatabase } from '@countersign/dev-env/postgres';
import { type FakeBotFramework, startFakeBotFramework } from '@countersign/dev-env/teams';
import { EnvelopeSealer, parseMasterKeyring } from '@countersign/keys';
import { openStore, type Store } from '@countersign/store';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countersign } from '../testing/terminal.js';
import type { Check } from './check.js';
import { answerCheck } from './teams.js';

let teams: FakeBotFramework;
let database: TestDatabase;
let store: Store;
let folder: string;
const servers: Server[] = [];
const masterKey = `k1:${randomBytes(32).toString('base64')}`;

beforeAll(async () => {
  teams = await startFakeBotFramework();
  database = await createTestDatabase();
  store = openStore({ url: database.appUrl, connections: 2 });
  folder = await mkdtemp(path.join(tmpdir(), 'countersign-doctor-teams-'));
});
afterAll(async () => {
  await store.close();
  await database.drop();
  await teams.close();
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`; // a TCP server's address is an object
}

async function doctor(change: Record<string, string> = {}, args: readonly string[] = []): Promise<Record<string, Check>> {
  const env = {
    DATABASE_URL: database.appUrl,
    COUNTERSIGN_MASTER_KEY: masterKey,
    COUNTERSIGN_DIRECTORY: 'people.yaml',
    COUNTERSIGN_POLICY: 'policy.yaml',
    PUBLIC_URL: 'https://approvals.example.com',
    MicrosoftAppType: 'SingleTenant',
    MicrosoftAppId: teams.appId,
    MicrosoftAppPassword: teams.appPassword,
    MicrosoftAppTenantId: teams.tenantId,
    TEAMS_OPENID_METADATA_URL: teams.openIdMetadataUrl,
    ...change,
  };
  const { out, err } = await countersign(['doctor', 'teams', '--json', '--token-url', teams.tokenUrl, ...args], { cwd: folder, env });
  expect(err).toBe('');
  const { checks } = JSON.parse(out) as { checks: Check[] }; // what the command prints
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

describe('countersign doctor teams', () => {
  test('a registration that is as it should be has a token, keys and a clock', async () => {
    const checks = await doctor();
    expect(['Teams bot', 'Teams token', 'Teams keys', 'Teams clock'].map((name) => [name, checks[name]?.status])).toEqual([
      ['Teams bot', 'ok'],
      ['Teams token', 'ok'],
      ['Teams keys', 'ok'],
      ['Teams clock', 'ok'],
    ]);
    expect(JSON.stringify(checks)).not.toContain(teams.appPassword);
  });

  test('a wrong secret is told with what to do, and is not printed', async () => {
    const checks = await doctor({ MicrosoftAppPassword: 'not-the-secret' });
    expect(checks['Teams token']).toMatchObject({
      status: 'fail',
      says: expect.stringContaining('invalid_client'),
      fix: expect.stringContaining('client secret'),
    });
    expect(JSON.stringify(checks)).not.toContain('not-the-secret');
  });

  test.each([
    ['AADSTS7000222: The provided client secret keys are expired.', 'The secret is over'],
    ['AADSTS700016: Application was not found in the directory.', 'MicrosoftAppTenantId'],
    ['AADSTS90002: Tenant was not found.', 'directory (tenant) id'],
  ])('Entra’s %s is told in words', async (error_description, words) => {
    const url = await serve((_request, response) => {
      response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error: 'invalid_client', error_description }));
    });
    expect((await doctor({}, ['--token-url', url]))['Teams token']).toMatchObject({ status: 'fail', fix: expect.stringContaining(words) });
  });

  test('a managed identity is asked as Azure’s own SDK asks, and what it says is told', async () => {
    const asked: (string | undefined)[] = [];
    const url = await serve(({ url: target = '', headers }, response) => {
      asked.push(target, String(headers['x-identity-header'] ?? headers['metadata']));
      const known = target.includes(`client_id=${teams.appId}`);
      response.writeHead(known ? 200 : 400, { 'content-type': 'application/json' });
      response.end(JSON.stringify(known ? { access_token: 't' } : { error: 'invalid_request' }));
    });
    const managed = { MicrosoftAppType: 'UserAssignedMSI', MicrosoftAppPassword: '' };
    expect((await doctor({ ...managed, AZURE_POD_IDENTITY_AUTHORITY_HOST: url }))['Teams token']).toMatchObject({ status: 'ok' });
    expect((await doctor({ ...managed, IDENTITY_ENDPOINT: `${url}/token`, IDENTITY_HEADER: 'header' }))['Teams token']).toMatchObject({ status: 'ok' });
    expect(asked).toEqual([expect.stringContaining('/metadata/identity/oauth2/token?'), 'true', expect.stringContaining('/token?'), 'header']);
    const other = await doctor({ ...managed, AZURE_POD_IDENTITY_AUTHORITY_HOST: url, MicrosoftAppId: randomUUID() });
    expect(other['Teams token']).toMatchObject({ status: 'fail', says: expect.stringContaining('invalid_request') });
  });

  test('keys that cannot be read, are of another cloud, or may not sign for Teams', async () => {
    expect((await doctor({ TEAMS_OPENID_METADATA_URL: `${teams.url}/nowhere` }))['Teams keys']).toMatchObject({ status: 'fail' });
    const metadata = (issuer: string, endorsements: string[]) =>
      serve(({ url, headers }, response) => {
        const body = url === '/keys' ? { keys: [{ endorsements }] } : { issuer, jwks_uri: `http://${String(headers.host)}/keys` };
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    const ask = async (url: string) => (await doctor({ TEAMS_OPENID_METADATA_URL: url }))['Teams keys'];
    expect(await ask(await metadata('https://api.botframework.com', ['msteams']))).toMatchObject({ status: 'ok' });
    expect(await ask(await metadata('https://api.botframework.us', ['msteams']))).toMatchObject({
      status: 'fail',
      says: expect.stringContaining('botframework.us'),
    });
    expect(await ask(await metadata('https://api.botframework.com', ['skype']))).toMatchObject({
      status: 'fail',
      says: expect.stringContaining('none that may sign'),
    });
  });

  test('a clock that is far from Microsoft’s', async () => {
    const late = await serve(({ url, headers }, response) => {
      response.setHeader('date', new Date(Date.now() - 400_000).toUTCString());
      const body = url === '/keys' ? { keys: [{}] } : { issuer: 'https://api.botframework.com', jwks_uri: `http://${String(headers.host)}/keys` };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    expect((await doctor({ TEAMS_OPENID_METADATA_URL: late }))['Teams clock']).toMatchObject({ status: 'fail', fix: expect.stringContaining('NTP') });
  });

  test('the endpoint has to be https, and to refuse what Teams did not sign', async () => {
    expect((await doctor({ PUBLIC_URL: 'http://localhost:8080' }))['Teams endpoint']).toMatchObject({
      status: 'fail',
      says: expect.stringContaining('not https'),
    });
    const answering = async (status: number) => {
      const url = await serve((request, response) => {
        request.resume();
        response.writeHead(status).end();
      });
      return answerCheck('endpoint', `${url}/api/messages`, 'Set it.');
    };
    expect(await answering(401)).toMatchObject({ status: 'ok', says: expect.stringContaining('Set it.') });
    for (const [status, words] of [
      [200, 'proxy|before the service'],
      [302, 'sign-in'],
      [403, 'TEAMS_AUTH'],
      [404, 'teams-bot'],
      [421, 'PUBLIC_URL'],
      [502, 'before the service'],
    ] as const)
      expect([status, await answering(status)]).toEqual([status, expect.objectContaining({ status: 'fail', fix: expect.stringMatching(words) })]);
    expect(await answerCheck('endpoint', 'http://127.0.0.1:1/api/messages', '')).toMatchObject({
      status: 'fail',
      says: expect.stringContaining('does not answer'),
    });
  });

  test('conversations and accounts: unknown, known, allowed, removed, linked', async () => {
    expect(await doctor()).toMatchObject({
      'Teams places': { status: 'warn', fix: expect.stringContaining('teams package') },
      'Teams accounts': { status: 'warn' },
    });
    const id = newId('pl', Date.now(), randomBytes(10));
    const heard = (reference: { removed: boolean }) =>
      store.cards.rememberPlace({
        tenant: 'default',
        id,
        platform: 'teams',
        place: '19:x',
        kind: 'group',
        reference,
        user: null,
        name: 'On call',
        addressed: true,
      });
    await heard({ removed: false });
    expect((await doctor())['Teams places']).toMatchObject({ status: 'warn', fix: expect.stringContaining('countersign teams allow On call') });
    const sealer = new EnvelopeSealer(parseMasterKeyring(masterKey));
    const world = { sealer, chatPlaces: store.chatPlaces, announcer: { announce: () => undefined } };
    const clock = { now: () => formatInstant(Date.now()) };
    const entropy = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };
    const alice = { id: newId('per', 0, randomBytes(10)), email: 'alice@example.com', name: 'Alice' };
    await decidePlace({ ...world, clock, entropy }, 'default', alice, id, true);
    expect((await doctor())['Teams places']).toMatchObject({ status: 'ok', says: '1 group or channel, 1 of them allowed, and 0 personal chats' });
    await heard({ removed: true });
    expect((await doctor())['Teams places']).toMatchObject({ status: 'warn' });
    const accounts = [{ platform: 'teams' as const, workspace: teams.tenantId, user: randomUUID() }];
    await store.directory.replace('default', { people: [{ ...alice, active: true, roles: [], accounts }], groups: [], agents: [] });
    expect((await doctor())['Teams accounts']).toMatchObject({ status: 'ok', says: '1 person has one' });
  });

  test('a package that is today’s, one for another bot, and what is none', async () => {
    expect((await doctor())['Teams package']).toBeUndefined();
    const env = { MicrosoftAppId: teams.appId, PUBLIC_URL: 'https://approvals.example.com' };
    await countersign(['teams', 'package', '--privacy', 'https://example.com/privacy'], { cwd: folder, env });
    expect((await doctor())['Teams package']).toMatchObject({ status: 'ok' });
    expect((await doctor({ PUBLIC_URL: 'https://other.example.com' }))['Teams package']).toMatchObject({
      status: 'warn',
      says: expect.stringContaining('validDomains'),
    });
    expect((await doctor({}, ['--package', 'none.zip']))['Teams package']).toMatchObject({ status: 'fail' });
  });

  test('without a bot, and with the playground’s setting, it says what is missing', async () => {
    const { out, code } = await countersign(['doctor', 'teams'], { cwd: folder, env: { COUNTERSIGN_HOME: folder } });
    expect([code, out]).toEqual([1, expect.stringMatching(/fail {2}Teams.*not configured[^]*MicrosoftAppId/)]);
    const off = await countersign(['doctor', 'teams'], { cwd: folder, env: { COUNTERSIGN_HOME: folder, TEAMS_AUTH: 'off' } });
    expect([off.code, off.out]).toEqual([0, expect.stringContaining('TEAMS_AUTH is off')]);
  });
});
