import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { freePort } from '@countersign/dev-env/free-port';
import { createTestDatabase } from '@countersign/dev-env/postgres';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EXPORT } from './support/api.js';
import { exampleFiles, newMasterKey, ownFiles } from './support/installation.js';
import { beginServer, type EndedServer, runToEnd, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/* G2: whatever keeps the service from starting is said in a clear line, and nothing is left behind. */

jest.setTimeout(60_000);

let folder: string;
let home: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-start-'));
  home = path.join(folder, 'home');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Nothing but what to change, on stderr; no stack, no process, not success. */
function expectClear(ended: EndedServer): string[] {
  const { code, stderr, stdout, left } = ended;
  expect({ code, left, stderr }).toEqual({ code: 1, left: [], stderr: expect.stringMatching(/^countersign: /) });
  expect(stderr + stdout).not.toMatch(/\n\s+at .*[/:]\d+|node:internal|UnhandledPromise|\[object /);
  return stderr.trimEnd().split('\n');
}

describe('a start that cannot succeed says why in one line', () => {
  test('a taken port', async () => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    try {
      expect(expectClear(await runToEnd({ home, port }))).toEqual([
        expect.stringMatching(new RegExp(`^countersign: Port ${port} on 127\\.0\\.0\\.1 is taken .* PORT`)),
      ]);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
    // What the failed start made is no obstacle to the next.
    const server = await startServer({ home });
    expect((await server.call('GET', '/readyz')).status).toBe(200);
    await server.stop();
  });

  test.each([
    ['is no address', 'localhost/countersign'],
    ['is another database', 'mysql://root@localhost/countersign'],
  ])('a DATABASE_URL that %s', async (_what, address) => {
    const lines = expectClear(await runToEnd({ home, env: { ...ownFiles(folder), DATABASE_URL: address, COUNTERSIGN_MASTER_KEY: newMasterKey() } }));
    expect(lines.slice(1)).toEqual([expect.stringMatching(/^DATABASE_URL must be .* postgresql:\/\//)]);
  });

  test.each([
    ['nobody listens', async () => `postgresql://countersign:PlantedPassword@127.0.0.1:${await freePort()}/countersign`],
    ['there is no such host', async () => 'postgresql://countersign:PlantedPassword@database.invalid:5432/countersign'],
  ])('a DATABASE_URL where %s', async (_what, address) => {
    const ended = await runToEnd({ home, env: { ...ownFiles(folder), DATABASE_URL: await address(), COUNTERSIGN_MASTER_KEY: newMasterKey() } });
    expect(expectClear(ended)).toEqual([expect.stringMatching(/database cannot be reached/i)]);
    expect(ended.stderr + ended.stdout).not.toContain('PlantedPassword');
  });

  test('a DATABASE_URL with a wrong password', async () => {
    const database = await createTestDatabase();
    const url = new URL(database.appUrl);
    url.password = 'PlantedPassword';
    const ended = await runToEnd({ home, env: { ...ownFiles(folder), DATABASE_URL: url.href, COUNTERSIGN_MASTER_KEY: newMasterKey() } });
    expect(expectClear(ended)).toEqual([expect.stringMatching(/password authentication failed/)]);
    expect(ended.stderr + ended.stdout).not.toContain('PlantedPassword');
    await database.drop();
  });

  test.each([
    ['is a file', () => writeFileSync(home, '')],
    ['lies below a file', () => void (writeFileSync(home, ''), (home = path.join(home, 'deeper')))],
    ['cannot be made', () => void (home = '/sys/countersign')],
  ])('a home that %s', async (_what, prepare) => {
    prepare();
    const lines = expectClear(await runToEnd({ home }));
    expect(lines).toEqual([expect.stringContaining(home)]);
    expect(lines[0]).toMatch(/cannot be written/);
  });

  test('a home that another server uses; that one goes on', async () => {
    const server = await startServer({ home });
    expect(expectClear(await runToEnd({ home }))).toEqual([expect.stringMatching(/another|in use|running/i)]);
    expect((await server.call('GET', '/readyz')).status).toBe(200);
    await server.stop();
  });

  test('a master key that is not the one the data was sealed with', async () => {
    const server = await startServer({ home });
    await server.stop();
    const other = newMasterKey();
    const ended = await runToEnd({ home, env: { COUNTERSIGN_MASTER_KEY: other } });
    expect(expectClear(ended)).toEqual([expect.stringMatching(/master key/i)]);
    expect(ended.stderr + ended.stdout).not.toContain(other.slice(3));
  });

  test('a PUBLIC_URL with a path, an unknown argument, an unknown role', async () => {
    expect(expectClear(await runToEnd({ home, env: { PUBLIC_URL: 'https://approve.example.com/x' } })).at(-1)).toMatch(/^PUBLIC_URL must be /);
    expect(expectClear(await runToEnd({ home, args: ['--rolle', 'intake'] }))[0]).toContain('--rolle');
    expect(expectClear(await runToEnd({ home, args: ['--role', 'slackbot'] })).at(-1)).toMatch(
      /^--role .*"slackbot".*intake, slack-bot, teams-bot, mail, decisions/,
    );
  });
});

describe('a configuration that cannot be used', () => {
  test('all wrong variables are named at once, none with its value', async () => {
    const wrong = {
      PORT: '99999',
      REDIS_URL: 'http://PlantedOne',
      COUNTERSIGN_MASTER_KEY: 'PlantedTwo',
      SLACK_SIGNING_SECRET: 'PlantedThree',
      MicrosoftAppId: 'PlantedFour',
      LOG_LEVEL: 'loud',
      COUNTERSIGN_CALLBACK_ALLOW: 'not an/address',
    };
    const ended = await runToEnd({ home, env: wrong });
    const lines = expectClear(ended);
    for (const name of ['PORT', 'REDIS_URL', 'COUNTERSIGN_MASTER_KEY', 'SLACK_BOT_TOKEN', 'MicrosoftAppId', 'LOG_LEVEL', 'COUNTERSIGN_CALLBACK_ALLOW']) {
      expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
    }
    expect(ended.stderr).not.toContain('Planted');
    expect(existsSync(home)).toBe(false);
  });

  test('DATABASE_URL without COUNTERSIGN_MASTER_KEY: none is made up', async () => {
    const lines = expectClear(await runToEnd({ home, env: { ...ownFiles(folder), DATABASE_URL: 'postgresql://localhost/countersign' } }));
    expect(lines.slice(1)).toEqual([expect.stringMatching(/^COUNTERSIGN_MASTER_KEY is missing.*openssl rand/)]);
  });

  test.each([
    ['a policy alone', { COUNTERSIGN_POLICY: path.join(exampleFiles, 'policy.yaml') }],
    ['a HOST that others reach', { HOST: '0.0.0.0' }],
  ])('no source of people: %s is no quickstart', async (_what, env) => {
    const lines = expectClear(await runToEnd({ home, env }));
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/^COUNTERSIGN_DIRECTORY there is no source of people.*COUNTERSIGN_DIRECTORY.*OIDC_ISSUER.*quickstart/),
    ]);
    expect(existsSync(home)).toBe(false);
  });

  test('B1: a policy that does not compile is named by file, line and column', async () => {
    const env = ownFiles(folder);
    const file = path.join(folder, 'policy.yaml');
    const text = readFileSync(file, 'utf8').replace('effect: require', 'effect: maybe');
    writeFileSync(file, text);
    const line = text.split('\n').findIndex((one) => one.includes('effect: maybe')) + 1;
    const lines = expectClear(await runToEnd({ home, env }));
    expect(lines.slice(1)).toEqual([expect.stringMatching(new RegExp(`^${file}:${line}:\\d+: .*`))]);
  });

  test("B1: nor does the quickstart's own policy, once it was edited wrongly; every fault is listed", async () => {
    mkdirSync(home);
    const text = readFileSync(path.join(exampleFiles, 'policy.yaml'), 'utf8');
    writeFileSync(
      path.join(home, 'policy.yaml'),
      text
        .replace('resource.labels.data_class == "pii"', 'resource.labels.data_class = "pii"')
        .replace('group: security, quorum: 1', 'group: securty, quorum: 1'),
    );
    const lines = expectClear(await runToEnd({ home }));
    expect(lines.slice(1).map((line) => /policy\.yaml:(\d+):\d+: /.exec(line)?.[1])).toEqual([
      lineOf(text, 'when: has(resource.labels.data_class)'),
      lineOf(text, 'all: [{ group: data-owners, quorum: 1 }, { group: security'),
    ]);
  });

  test('a policy that is not there', async () => {
    const env = { ...ownFiles(folder), COUNTERSIGN_POLICY: path.join(folder, 'missing.yaml') };
    expect(expectClear(await runToEnd({ home, env }))).toEqual([expect.stringContaining(env.COUNTERSIGN_POLICY)]);
  });

  test('a directory that names somebody twice is named by file and line', async () => {
    const env = ownFiles(folder);
    const file = path.join(folder, 'directory.yaml');
    const text = readFileSync(file, 'utf8').replace('bob@example.com', 'Alice@Example.com');
    writeFileSync(file, text);
    const lines = expectClear(await runToEnd({ home, env }));
    expect(lines.slice(1)).toEqual([expect.stringMatching(new RegExp(`^${file}:${lineOf(text, 'Alice@Example.com')}: people\\[2\\]\\.email: .*already`))]);
  });

  const lineOf = (text: string, part: string): string => String(text.split('\n').findIndex((line) => line.includes(part)) + 1);
});

describe('Ctrl-C', () => {
  test('ends everything at once, also while callers wait, and tells them', async () => {
    const server = await startServer({ home });
    const key = server.quickstart().api_key;
    const { id } = (await server.submit(key, EXPORT)).json;
    const waiting = server.call('GET', `/v1/action-requests/${id}?wait=60`, { as: key });
    const stream = await fetch(`${server.url}/v1/events`, { headers: { authorization: `Bearer ${key}` } });
    const reader = (stream.body as NonNullable<typeof stream.body>).pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ''; !text.includes('event: ping');) text += (await reader.read()).value ?? '';
    await server.stop();
    // Held answers come early, as they stand; the stream ends, and is not cut off.
    expect((await waiting).json).toMatchObject({ id, status: 'pending' });
    expect((await reader.read()).done).toBe(true);
    expect(server.processes()).toEqual([]);
  });

  test('during the start leaves nothing either, and the next start works', async () => {
    const starting = await beginServer({ home });
    await until(() => existsSync(path.join(home, 'postgres', 'data', 'postmaster.pid')), 'PostgreSQL to start');
    starting.signal('SIGINT');
    const { left, stderr } = await starting.ended();
    expect({ left, stderr }).toEqual({ left: [], stderr: '' });
    const server = await startServer({ home });
    expect((await server.call('GET', '/readyz')).status).toBe(200);
    await server.stop();
  });
});
