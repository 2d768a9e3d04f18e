import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { gitPolicyOf } from '@countersign/service';
import { type ApiWorld, createApiWorld } from '@countersign/intake/testing';
import { needs } from '@countersign/dev-env/needs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PolicyFileError } from './policy-file.js';
import { fetchPolicy } from './policy-git.js';
import { type PolicyOriginConfig, PolicySources } from './policy-sources.js';

const quickstart = readFileSync(new URL('quickstart/policy.yaml', import.meta.url), 'utf8');
/** Another bundle that adds a rule which denies. */
const stricter = (number: number): string => `${quickstart}\n  - id: no-${number}\n    effect: deny\n    actions: [thing.${number}]\n    explain: Never\n`;
const looser = quickstart.replace('actions: [data.export]', 'actions: [data.export.other]');

let world: ApiWorld;
let folder: string;
beforeEach(async () => {
  world = await createApiWorld();
  folder = await mkdtemp(path.join(tmpdir(), 'countersign-policy-'));
});
afterEach(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const sources = (source: PolicyOriginConfig, gated = false): PolicySources =>
  new PolicySources(
    { flow: world.flow, clock: world.flow.clock, store: world.store },
    { tenant: 'default', source, home: path.join(folder, 'home'), gated, log: silent },
  );
const active = async () => (await world.store.policies.active('default'))?.digest;
const status = async () => (await world.call('GET', '/v1/policies/status', { as: world.tokens.olivia })).json;
const write = (text: string, name = 'policy.yaml'): string => {
  writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
};

describe('B1: policy from a file', () => {
  test('B1: a change of the file is in force after the next look, and the history says where it came from', async () => {
    const file = write(stricter(1));
    const watched = sources({ kind: 'file', path: file });
    await watched.start();
    const first = await active();
    write(stricter(2));
    await watched.sync();
    expect(await active()).not.toBe(first);
    expect((await status()).in_force).toMatchObject({ previous: first, activated_by: 'COUNTERSIGN_POLICY', origin: { kind: 'file', path: file } });
    expect((await status()).sources).toMatchObject([{ source: 'COUNTERSIGN_POLICY', kind: 'file', failed_at: null, in_force: true }]);
  });

  test('B1: whoever asks for a look sees what was written before, also while an earlier look runs', async () => {
    const watched = sources({ kind: 'file', path: write(stricter(1)) });
    await watched.start();
    const before = await active();
    const { looked } = world.store.policies;
    const digests: string[] = [];
    world.store.policies.looked = (tenant, look) => {
      if (look.result.kind === 'read') digests.push(look.result.digest);
      // The source changes after it was read.
      write(stricter(2));
      return looked(tenant, look);
    };
    const early = watched.sync();
    await Promise.all([early, watched.sync(), watched.sync()]);
    expect([digests.length, digests[0]]).toEqual([2, before]);
    expect(await active()).toBe(digests[1]);
    expect(digests[1]).not.toBe(before);
  });

  test('B1: a bad file replaces nothing; everybody who may see policy sees why, until it is good again', async () => {
    const file = write(stricter(1));
    const watched = sources({ kind: 'file', path: file });
    await watched.start();
    const before = await active();
    write(stricter(2).replace('effect: deny', 'effect: refuse'));
    await watched.sync();
    expect(await active()).toBe(before);
    const [failed] = (await status()).sources;
    expect(failed).toMatchObject({
      failed_at: expect.any(String),
      policy_digest: before,
      problems: [{ file, line: expect.any(Number), column: expect.any(Number) }],
    });
    rmSync(file);
    await watched.sync();
    expect((await status()).sources[0]).toMatchObject({ failed_at: failed.failed_at, problems: [{ message: expect.stringContaining('cannot be read') }] });
    expect(await active()).toBe(before);
    write(stricter(2));
    await watched.sync();
    expect((await status()).sources[0]).toMatchObject({ failed_at: null, problems: [] });
    expect(await active()).not.toBe(before);
  });

  test('B1: a restart with a bad file goes on with what is in force; without any it does not start', async () => {
    const before = await active();
    await sources({ kind: 'file', path: write('nonsense: [') }).start();
    expect(await active()).toBe(before);
    await world.sql('DELETE FROM active_policies');
    await expect(sources({ kind: 'file', path: write('nonsense: [') }).start()).rejects.toBeInstanceOf(PolicyFileError);
  });

  test('B1: what was activated by hand stays, also over a restart, until the file changes', async () => {
    const file = write(stricter(1));
    await sources({ kind: 'file', path: file }).start();
    const uploaded = await world.call('POST', '/v1/policies', { as: world.tokens.olivia, body: { files: [{ path: 'p.yaml', text: stricter(3) }] } });
    await world.call('POST', `/v1/policies/${uploaded.json.policy_digest}/activate`, { as: world.tokens.olivia, body: {} });
    const watched = sources({ kind: 'file', path: file });
    await watched.start();
    await watched.sync();
    expect(await active()).toBe(uploaded.json.policy_digest);
    write(stricter(4));
    await watched.sync();
    expect(await active()).not.toBe(uploaded.json.policy_digest);
  });

  test('B1: a replica whose file is older does not undo what a newer one put in force', async () => {
    const [older, newer] = [write(stricter(1), 'older.yaml'), write(stricter(1), 'newer.yaml')];
    const [first, second] = [sources({ kind: 'file', path: older }), sources({ kind: 'file', path: newer })];
    await first.start();
    await second.start();
    write(stricter(2), 'newer.yaml');
    await second.sync();
    const inForce = await active();
    await first.sync();
    expect(await active()).toBe(inForce);
  });

  test('B4: gated, what may loosen is stored and waits for somebody to activate it; what tightens does not wait', async () => {
    const watched = sources({ kind: 'file', path: write(quickstart) }, true);
    await watched.start();
    const before = await active();
    write(looser);
    await watched.sync();
    expect(await active()).toBe(before);
    const {
      sources: [source],
    } = await status();
    expect(source).toMatchObject({ in_force: false, failed_at: null });
    expect((await world.call('GET', `/v1/policies/${source.policy_digest}`, { as: world.tokens.olivia })).status).toBe(200);
    write(stricter(1));
    await watched.sync();
    expect(await active()).not.toBe(before);
  });
});

const git = needs('git', 'policy from a git repository');
(git === undefined ? describe.skip : describe)('B1: policy from git', () => {
  let repository: string;
  const run = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=Olivia', '-c', 'user.email=olivia@example.com', '-c', 'init.defaultBranch=main', ...args], {
      cwd: repository,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
    });
  const commit = (text: string, ...sign: string[]): string => {
    mkdirSync(path.join(repository, 'policy'), { recursive: true });
    writeFileSync(path.join(repository, 'policy', 'bundle.yaml'), text);
    run('add', '--all');
    run(...sign, 'commit', '--quiet', '--message', 'Change the policy');
    return run('rev-parse', 'HEAD').trim();
  };
  const source = (ref = 'main', where = 'policy', signers?: string): PolicyOriginConfig => {
    const read = gitPolicyOf(`git+${pathToFileURL(repository).href}#${ref}:${where}`);
    if (read === null) throw new Error('no address');
    return { kind: 'git', git: read, signers };
  };
  const fetched = (ref?: string, where?: string, signers?: string) => {
    const { git: address, signers: allowed } = source(ref, where, signers) as Extract<PolicyOriginConfig, { kind: 'git' }>;
    return fetchPolicy(address, { folder: path.join(folder, 'bare'), signers: allowed });
  };
  beforeEach(() => {
    repository = path.join(folder, 'repository');
    mkdirSync(repository);
    run('init', '--quiet');
  });

  test('B1: a commit is in force after the next look, by its id', async () => {
    const first = commit(stricter(1));
    const watched = sources(source());
    await watched.start();
    expect((await status()).in_force).toMatchObject({ activated_by: `git ${first}`, origin: { kind: 'git', commit: first, ref: 'main', path: 'policy' } });
    const second = commit(stricter(2));
    await watched.sync();
    expect((await status()).in_force.origin.commit).toBe(second);
    // Back in the branch is another change of the source.
    run('reset', '--quiet', '--hard', first);
    await watched.sync();
    expect((await status()).in_force.origin.commit).toBe(first);
    expect((await status()).sources).toMatchObject([{ kind: 'git', revision: first, failed_at: null }]);
  });

  test('B1: a repository that is gone, a ref or a path that is not there change nothing, and are shown', async () => {
    commit(stricter(1));
    const watched = sources(source());
    await watched.start();
    const before = await active();
    rmSync(repository, { recursive: true });
    await watched.sync();
    expect(await active()).toBe(before);
    expect((await status()).sources[0]).toMatchObject({
      failed_at: expect.any(String),
      problems: [{ message: expect.stringContaining('could not be fetched') }],
    });
    mkdirSync(repository);
    run('init', '--quiet');
    commit(stricter(1));
    await expect(fetched('nowhere')).rejects.toThrow(PolicyFileError);
    await expect(fetched('main', 'elsewhere')).rejects.toThrow('no policy at elsewhere');
  });

  test('B1: a branch, a tag and a single file are read; links, folders within and other files are not', async () => {
    mkdirSync(path.join(repository, 'policy', 'deeper'), { recursive: true });
    writeFileSync(path.join(repository, 'policy', 'notes.txt'), 'not a policy');
    writeFileSync(path.join(repository, 'policy', 'deeper', 'other.yaml'), 'nonsense');
    symlinkSync('/etc/passwd', path.join(repository, 'policy', 'link.yaml'));
    const first = commit(stricter(1));
    run('tag', '--annotate', '--message', 'One', 'v1');
    commit(stricter(2));
    expect((await fetched()).files.map(({ path: name }) => name)).toEqual(['policy/bundle.yaml']);
    expect((await fetched('v1')).commit).toBe(first);
    expect((await fetched('main', 'policy/bundle.yaml')).files[0]?.text).toBe(stricter(2));
  });

  test('B1: nothing of the repository is run: no hook, no filter, no submodule', async () => {
    const proof = path.join(folder, 'ran');
    writeFileSync(path.join(repository, '.gitattributes'), '*.yaml filter=evil\n');
    writeFileSync(path.join(repository, '.gitmodules'), `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% ${proof}\n`);
    commit(stricter(1));
    const watched = sources(source());
    await watched.start();
    const hook = path.join(folder, 'home', 'policy.git', 'hooks', 'post-fetch');
    mkdirSync(path.dirname(hook), { recursive: true });
    for (const name of ['post-fetch', 'reference-transaction', 'post-checkout']) {
      writeFileSync(path.join(path.dirname(hook), name), `#!/bin/sh\ntouch ${proof}\n`);
      chmodSync(path.join(path.dirname(hook), name), 0o755);
    }
    commit(stricter(2));
    await watched.sync();
    expect((await status()).sources[0].failed_at).toBeNull();
    expect(existsSync(proof)).toBe(false);
  });

  const keygen = needs('ssh-keygen', 'signed commits of the policy');
  (keygen === undefined ? describe.skip : describe)('signed', () => {
    const key = (name: string): string => {
      const file = path.join(folder, name);
      execFileSync(keygen ?? '', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
      return file;
    };
    const signWith = (file: string): string[] => [
      '-c',
      'gpg.format=ssh',
      '-c',
      `user.signingkey=${file}`,
      '-c',
      'commit.gpgsign=true',
      '-c',
      'tag.gpgsign=true',
    ];
    const allow = (file: string): string => {
      const signers = path.join(folder, 'allowed_signers');
      writeFileSync(signers, `olivia@example.com ${readFileSync(`${file}.pub`, 'utf8')}`);
      return signers;
    };

    test('B1: a commit of an allowed signer is taken over, and its signer is in the history; others are not', async () => {
      const [olivia, mallory] = [key('olivia'), key('mallory')];
      const signers = allow(olivia);
      commit(stricter(1), ...signWith(olivia));
      const watched = sources(source('main', 'policy', signers));
      await watched.start();
      const before = await active();
      expect((await status()).in_force.origin).toMatchObject({ kind: 'git', signer: 'olivia@example.com' });
      for (const sign of [[], signWith(mallory)]) {
        commit(stricter(2 + sign.length), ...sign);
        await watched.sync();
        expect(await active()).toBe(before);
        expect((await status()).sources[0].problems[0].message).toContain('not signed by any of the allowed signers');
      }
      commit(stricter(99), ...signWith(olivia));
      await watched.sync();
      expect(await active()).not.toBe(before);
    });

    test('B1: a signed tag vouches for a commit that is not signed; an unsigned one does not', async () => {
      const olivia = key('olivia');
      const signers = allow(olivia);
      commit(stricter(1));
      run('tag', '--annotate', '--message', 'plain', 'plain');
      run(...signWith(olivia), 'tag', '--sign', '--message', 'signed', 'signed');
      await expect(fetched('plain', 'policy', signers)).rejects.toThrow('not signed');
      expect(await fetched('signed', 'policy', signers)).toMatchObject({ signer: 'olivia@example.com' });
    });
  });
});
