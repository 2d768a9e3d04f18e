import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readDirectory, readDirectoryFile, snapshotOf } from './directory-file.js';

const example = `
people:
  - { email: dana@example.com, name: Dana }
  - email: alice@example.com
    name: Alice
    groups: [data-owners]
    accounts:
      slack: { team: T1, user: U1 }
      teams: { tenant: 7F5B1C3E-0000-4000-8000-000000000001, user: 7f5b1c3e-0000-4000-8000-00000000000a }
  - { email: bob@example.com, name: Bob, groups: [data-owners, security] }
  - { email: olivia@example.com, name: Olivia, roles: [administrator] }
agents:
  - { id: retrainer, owner: Dana@Example.com }
`;

function directoryOf(text: string) {
  const read = readDirectory('directory.yaml', text);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.directory;
}

function problemsOf(text: string) {
  const read = readDirectory('directory.yaml', text);
  return read.ok ? [] : read.problems;
}

describe('a directory file', () => {
  test('B3: says who is in which group, who owns which agent, and whose chat accounts are whose', () => {
    const snapshot = snapshotOf('default', directoryOf(example), []);
    const id = (email: string) => snapshot.people.find((person) => person.email === email)?.id;
    expect(snapshot.groups).toEqual([
      { name: 'data-owners', members: [id('alice@example.com'), id('bob@example.com')] },
      { name: 'security', members: [id('bob@example.com')] },
    ]);
    expect(snapshot.agents).toEqual([{ id: 'retrainer', active: true, owner: id('dana@example.com') }]);
    expect(snapshot.people[1]).toEqual({
      id: id('alice@example.com'),
      email: 'alice@example.com',
      name: 'Alice',
      active: true,
      roles: [],
      accounts: [
        { platform: 'slack', workspace: 'T1', user: 'U1' },
        { platform: 'teams', workspace: '7f5b1c3e-0000-4000-8000-000000000001', user: '7f5b1c3e-0000-4000-8000-00000000000a' },
      ],
    });
  });

  test('read as JSON says the same', () => {
    const directory = directoryOf(example);
    expect(directoryOf(JSON.stringify(directory))).toEqual(directory);
  });

  test('gives a person the id of the file, else the one the directory has, else one on which all replicas agree', () => {
    const file = directoryOf(example);
    const fresh = snapshotOf('default', file, []);
    expect(snapshotOf('default', file, [])).toEqual(fresh);
    expect(new Set(fresh.people.map(({ id }) => id)).size).toBe(4);
    expect(snapshotOf('other', file, []).people[0]?.id).not.toBe(fresh.people[0]?.id);
    const known = { id: 'per_01970000-0000-7000-8000-000000000001', email: 'ALICE@example.com', active: true };
    const left = { ...known, id: 'per_01970000-0000-7000-8000-000000000009', active: false };
    expect(snapshotOf('default', file, [known, left]).people[1]?.id).toBe(known.id);
    const given = directoryOf(example.replace('name: Dana }', 'name: Dana, id: per_01970000-0000-7000-8000-000000000002 }'));
    expect(snapshotOf('default', given, [known]).people[0]?.id).toBe('per_01970000-0000-7000-8000-000000000002');
    expect(snapshotOf('default', given, [known]).agents[0]?.owner).toBe('per_01970000-0000-7000-8000-000000000002');
  });

  test('C5: with one e-mail address or one chat account claimed twice is refused, and the place is named', () => {
    expect(problemsOf('people:\n  - { email: a@example.com, name: A }\n  - { email: A@EXAMPLE.com, name: B }\n')).toEqual([
      { file: 'directory.yaml', line: 3, path: 'people[1].email', message: 'this e-mail address stands already at people[0].email' },
    ]);
    const slack = 'accounts: { slack: { team: T1, user: U1 } }';
    expect(problemsOf(`people:\n  - { email: a@example.com, name: A, ${slack} }\n  - { email: b@example.com, name: B, ${slack} }\n`)).toMatchObject([
      { line: 3, path: 'people[1].accounts.slack', message: 'this slack account stands already at people[0].accounts.slack' },
    ]);
  });

  test('that is not understood whole is not used: unknown members, roles, owners, doubled keys, aliases', () => {
    expect(problemsOf('people: [{ email: a@example.com, name: A, group: [x] }]')).toMatchObject([
      { path: 'people[0].group', message: 'is no member of a directory' },
    ]);
    expect(problemsOf('people: [{ email: a@example.com, name: A, roles: [root] }]')).toMatchObject([{ path: 'people[0].roles[0]' }]);
    expect(problemsOf('people: [{ email: a, name: A }]')).toMatchObject([{ path: 'people[0].email' }]);
    expect(problemsOf('people: [{ email: a@example.com, name: A }]\nagents: [{ id: x, owner: z@example.com }]')).toMatchObject([
      { line: 2, path: 'agents[0].owner' },
    ]);
    expect(problemsOf('people: []')).toHaveLength(1);
    expect(problemsOf('people: [{ email: a@example.com, email: b@example.com, name: A }]')).toHaveLength(1);
    expect(problemsOf('people: [&a { email: a@example.com, name: A }, *a]')).toHaveLength(1);
    expect(problemsOf('{')).not.toHaveLength(0);
    expect(problemsOf('')).not.toHaveLength(0);
  });

  test('B3: groups may be in groups, whoever is in the inner one is in the outer one, and a circle is refused', () => {
    const people = 'people:\n  - { email: a@example.com, name: A, groups: [dba] }\n  - { email: b@example.com, name: B }\n';
    const file = directoryOf(`${people}groups:\n  - { name: data, groups: [dba], members: [B@example.com] }\n  - { name: all, groups: [data] }\n`);
    const { people: entries, groups } = snapshotOf('default', file, []);
    const [a = '', b = ''] = entries.map(({ id }) => id);
    expect(Object.fromEntries(groups.map(({ name, members }) => [name, members.toSorted()]))).toEqual({
      dba: [a],
      data: [a, b].toSorted(),
      all: [a, b].toSorted(),
    });
    expect(problemsOf(`${people}groups:\n  - { name: x, groups: [y] }\n  - { name: y, groups: [x] }\n`)).toEqual([
      { file: 'directory.yaml', line: 5, path: 'groups[0].groups', message: 'goes round in a circle: x in y in x' },
    ]);
    expect(problemsOf(`${people}groups: [{ name: x, groups: [nobody], members: [c@example.com] }]\n`)).toMatchObject([
      { path: 'groups[0].members[0]' },
      { path: 'groups[0].groups[0]' },
    ]);
    expect(problemsOf(`${people}groups: [{ name: DBA }]\n`)).toMatchObject([{ message: 'the groups dba and DBA differ in case alone' }]);
  });

  test('C5: an OIDC subject or an alias that two entries claim is refused', () => {
    const oidc = 'oidc: [{ issuer: "https://id.example.com", subject: u1 }]';
    expect(problemsOf(`people:\n  - { email: a@example.com, name: A, ${oidc} }\n  - { email: b@example.com, name: B, ${oidc} }\n`)).toMatchObject([
      { line: 3, path: 'people[1].oidc[0]', message: 'this OIDC subject stands already at people[0].oidc[0]' },
    ]);
    expect(problemsOf('people:\n  - { email: a@example.com, name: A }\n  - { email: b@example.com, name: B, aliases: [A@example.com] }\n')).toMatchObject([
      { line: 3, path: 'people[1].aliases[0]' },
    ]);
  });

  test('C4: agents say what they may ask, who or which group answers for them, and differ in more than case', () => {
    const people = 'people: [{ email: a@example.com, name: A, groups: [ml] }]\n';
    const file = directoryOf(`${people}agents: [{ id: r, owner_group: ml, actions: [data.*], purposes: [training], risk: high }]`);
    expect(snapshotOf('default', file, []).agents).toEqual([
      { id: 'r', active: true, owner: null, owner_group: 'ml', actions: ['data.*'], purposes: ['training'], risk: 'high' },
    ]);
    expect(problemsOf(`${people}agents: [{ id: r }, { id: R, owner_group: nobody }]`)).toMatchObject([
      { path: 'agents[1].id' },
      { path: 'agents[1].owner_group' },
    ]);
  });

  test('that cannot be used says at the start every problem with file and line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-directory-'));
    try {
      const path = join(folder, 'people.yaml');
      await writeFile(path, 'people:\n  - { email: a, name: A }\n  - { email: b@example.com }\n');
      await expect(readDirectoryFile(path)).rejects.toMatchObject({
        code: 'directory_invalid',
        message: expect.stringContaining(`${path}:2: people[0].email`),
      });
      await expect(readDirectoryFile(path)).rejects.toMatchObject({ message: expect.stringContaining(`${path}:3: people[1].name`) });
      await expect(readDirectoryFile(join(folder, 'none.yaml'))).rejects.toMatchObject({ code: 'directory_unreadable' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
