import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, stat, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readDirectory, snapshotOf } from '@countersign/identity';
import { countersign } from './testing/terminal.js';

const example = new URL('../../server/src/quickstart/directory.yaml', import.meta.url);
const homes: string[] = [];
let home: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-link-'));
  homes.push(home);
  await writeFile(path.join(home, 'directory.yaml'), await readFile(example, 'utf8'));
});
afterAll(() => Promise.all(homes.map((folder) => rm(folder, { recursive: true }))));

const link = (...args: string[]) => countersign(['quickstart', 'link', ...args, '--home', home], { cwd: home });
const text = () => readFile(path.join(home, 'directory.yaml'), 'utf8');
async function directory() {
  const read = readDirectory('directory.yaml', await text());
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.directory;
}

describe('quickstart link', () => {
  test('C5: a mail address makes the example person the real one, who stays the same person in the record', async () => {
    const before = snapshotOf('default', await directory(), []);
    const commented = (await text()).split('\n').filter((line) => line.startsWith('#'));
    const said = await link('alice', 'Real.Alice@corp.example');
    expect(said).toMatchObject({ code: 0, err: '' });
    expect(said.out).toContain('npm start');
    const after = snapshotOf('default', await directory(), []);
    expect(after.people.map(({ id }) => id)).toEqual(before.people.map(({ id }) => id));
    expect(after.people[1]).toMatchObject({ email: 'Real.Alice@corp.example', name: 'Alice Adams' });
    expect(after.groups).toEqual(before.groups);
    expect((await text()).split('\n').filter((line) => line.startsWith('#'))).toEqual(commented);
  });

  test('C4: whoever owns an agent owns it under the new address too, so that nobody decides what an agent of theirs asks', async () => {
    const before = snapshotOf('default', await directory(), []);
    expect(await link('dana', 'dana@corp.example')).toMatchObject({ code: 0 });
    const after = snapshotOf('default', await directory(), []);
    expect(after.agents).toEqual(before.agents);
    expect(after.agents[0]?.owner).toBe(after.people[0]?.id);
  });

  test('C5: chat accounts are tied by the ids that the platforms give', async () => {
    expect(await link('alice@example.com', 'T024BE7LD/U012AB3CD')).toMatchObject({ code: 0 });
    expect(await link('bob', 'E024BE7LD/W012AB3CD')).toMatchObject({ code: 0 });
    const [tenant, user] = ['72f988bf-86f1-41af-91ab-2d7cd011db47', '3F2504E0-4F89-41D3-9A0C-0305E82C3301'];
    expect(await link('alice', `${tenant}/${user}`)).toMatchObject({ code: 0 });
    const { people } = await directory();
    expect(people[1]?.accounts).toEqual({ slack: { team: 'T024BE7LD', user: 'U012AB3CD' }, teams: { tenant, user: user.toLowerCase() } });
    expect(people[2]?.accounts).toEqual({ slack: { enterprise: 'E024BE7LD', user: 'W012AB3CD' } });
    // Again is no change, another account of the same person replaces it.
    const once = await text();
    expect(await link('alice', 'T024BE7LD/U012AB3CD')).toMatchObject({ code: 0, out: expect.stringContaining('already') });
    expect(await text()).toBe(once);
    expect(await link('alice', 'T024BE7LD/U099ZZ9ZZ')).toMatchObject({ code: 0 });
    expect((await directory()).people[1]?.accounts.slack?.user).toBe('U099ZZ9ZZ');
  });

  test('C4: an account that is somebody else already is refused, and nothing is written', async () => {
    expect(await link('alice', 'T024BE7LD/U012AB3CD')).toMatchObject({ code: 0 });
    const before = await text();
    for (const account of ['T024BE7LD/U012AB3CD', 'ALICE@example.com', 'olivia@example.com']) {
      expect(await link('bob', account)).toMatchObject({ code: 1, out: '', err: expect.stringContaining('already') });
    }
    expect(await text()).toBe(before);
  });

  test('what is no account, nobody, or no quickstart is said in one line', async () => {
    for (const [args, code, says] of [
      [['alice', 'U012AB3CD'], 2, 'T…/U012AB3CD'],
      [['alice', 'somebody'], 2, 'neither a mail address'],
      [['mallory', 'm@corp.example'], 1, 'nobody "mallory"'],
      [['alice'], 2, 'Name a person and an account'],
      [['alice', 'a@corp.example', 'more'], 2, 'one argument too many'],
    ] as const) {
      const said = await link(...args);
      expect({ args, code: said.code }).toEqual({ args, code });
      expect(said.err.split('\n')[0]).toContain(says);
    }
    const empty = await mkdtemp(path.join(tmpdir(), 'countersign-link-'));
    homes.push(empty);
    expect(await countersign(['quickstart', 'link', 'alice', 'a@corp.example'], { cwd: empty })).toMatchObject({
      code: 2,
      err: expect.stringContaining('npm start'),
    });
    expect(
      await countersign(['quickstart', 'link', 'alice', 'a@corp.example', '--home', home], { cwd: empty, env: { COUNTERSIGN_DIRECTORY: 'people.yaml' } }),
    ).toMatchObject({ code: 1 });
  });

  test('the file keeps its mode', async () => {
    await chmod(path.join(home, 'directory.yaml'), 0o600);
    await link('alice', 'a@corp.example');
    expect((await stat(path.join(home, 'directory.yaml'))).mode & 0o777).toBe(0o600);
  });
});
