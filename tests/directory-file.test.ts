import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@countersign/cli';
import { freePort } from '@countersign/dev-env/free-port';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { type Api, apiOf } from './support/api.js';
import { until } from './support/until.js';

/* The directory's file on the whole product: read at the start, read again when it changes, and never half. */
jest.setTimeout(120_000);

const PEOPLE = `people:
  - { email: dana@example.com, name: Dana }
  - { email: alice@example.com, name: Alice, groups: [data-owners] }
  - { email: olivia@example.com, name: Olivia, roles: [administrator] }
agents: [{ id: retrainer, owner: dana@example.com }]
`;

const POLICY = fileURLToPath(new URL('../apps/server/src/quickstart/policy.yaml', import.meta.url));

let home: string;
let file: string;
let running: Running;
let api: Api;
let token: string;

const config = async () => {
  const read = readConfig({
    COUNTERSIGN_HOME: home,
    COUNTERSIGN_DIRECTORY: file,
    COUNTERSIGN_POLICY: POLICY,
    PORT: String(await freePort()),
    LOG_LEVEL: 'silent',
  });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.config;
};

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-directory-'));
  file = path.join(home, 'people.yaml');
  await writeFile(file, PEOPLE);
  running = await start(await config());
  api = apiOf(running.port, `localhost:${running.port}`);
  token = (await countersign('token', 'create', '--person', 'olivia@example.com', '--scopes', 'read,admin', '--home', home)).out.trim();
});
afterAll(async () => {
  await running?.shutdown.stop('the test is over');
  running?.shutdown.release();
  await rm(home, { recursive: true, force: true });
});

const people = async () => {
  const { json } = await api.call('GET', '/v1/people', { as: token });
  return new Map((json.data as { email: string; active: boolean; groups: string[] }[]).map((person) => [person.email, person]));
};

describe('COUNTERSIGN_DIRECTORY', () => {
  test('C5: a change of the file is in force within seconds, and what is wrong in it leaves everything as it was', async () => {
    expect((await people()).get('alice@example.com')).toMatchObject({ active: true, groups: ['data-owners'] });
    await writeFile(file, PEOPLE.replace('groups: [data-owners]', 'groups: [security], active: false'));
    await until(async () => (await people()).get('alice@example.com')?.active === false, 'the file to be read again');
    expect((await people()).get('alice@example.com')).toMatchObject({ groups: ['security'] });

    // Wrong in one place: nothing of it counts, however right the rest is.
    await writeFile(file, `${PEOPLE}groups: [{ name: x, members: [nobody@example.com] }]\n`);
    const marker = '  - { email: new@example.com, name: New }\n';
    await until(async () => {
      const { code } = await check();
      return code === 1;
    }, 'the file to be there');
    expect((await people()).get('alice@example.com')).toMatchObject({ active: false });
    await writeFile(file, PEOPLE.replace('agents:', `${marker}agents:`));
    await until(async () => (await people()).has('new@example.com'), 'the mended file to be read');
    expect((await people()).get('alice@example.com')).toMatchObject({ active: true, groups: ['data-owners'] });
  });

  test('C5: a start with a file that claims an account twice tells the place', async () => {
    const slack = 'accounts: { slack: { team: T1, user: U1 } }';
    const broken = path.join(home, 'broken.yaml');
    await writeFile(broken, `people:\n  - { email: a@example.com, name: A, ${slack} }\n  - { email: b@example.com, name: B, ${slack} }\n`);
    const { code, out } = await check(broken);
    expect(code).toBe(1);
    expect(out).toContain(`${broken}:3: people[1].accounts.slack: this slack account stands already at people[0].accounts.slack`);
    await expect(start({ ...(await config()), directoryPath: broken, home: path.join(home, 'other') })).rejects.toMatchObject({ code: 'directory_invalid' });
  });
});

const check = (name = file) => countersign('directory', 'check', name);

async function countersign(...args: string[]): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const terminal = { env: {}, cwd: home, out: (line: string) => void out.push(line), err: () => undefined, stdin: () => Promise.resolve(new Uint8Array()) };
  return { code: await run(args, terminal), out: out.join('\n') };
}
