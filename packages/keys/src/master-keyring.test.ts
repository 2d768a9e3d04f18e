import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { KeysError } from './errors.js';
import { loadOrCreateMasterKeyring } from './master-key-file.js';
import { parseMasterKeyring } from './master-keyring.js';

const key = (): string => randomBytes(32).toString('base64');

describe('the master keyring', () => {
  test('the first key wraps, all unwrap, each in its context alone', async () => {
    const [one, two] = [key(), key()];
    const old = parseMasterKeyring(`k1:${one}`);
    const rotated = parseMasterKeyring(` k2:${two} ,k1:${one}\n`);
    expect(rotated.kids).toEqual(['k2', 'k1']);
    const dataKey = randomBytes(32);
    const wrapped = await old.wrap(dataKey, 'here');
    expect(wrapped).toHaveLength(60);
    expect(Buffer.from(await rotated.unwrap('k1', wrapped, 'here'))).toEqual(dataKey);
    await expect(rotated.unwrap('k1', wrapped, 'there')).rejects.toMatchObject({ code: 'not_opened' });
    await expect(rotated.unwrap('k2', wrapped, 'here')).rejects.toMatchObject({ code: 'not_opened' });
    await expect(old.unwrap('k2', wrapped, 'here')).rejects.toMatchObject({ code: 'unknown_master_key' });
  });

  test('an error never repeats any part of the text', () => {
    const good = key();
    const texts = [
      good,
      `k1${good}`,
      `${good}:k1`,
      `k1:${good.slice(1)}`,
      `k1:${good},k1:${key()}`,
      `k1:${good},k2:${good}`,
      `k1:${good},`,
      `k1:${good.replace('=', '')}`,
      `k 1:${good}`,
      `k1:${good.slice(0, 42)}${good[42] === 'B' ? 'D' : 'B'}=`,
      `k1:${Buffer.alloc(32).toString('base64')}`,
      `${'k'.repeat(65)}:${good}`,
      'hunter2hunter2',
    ];
    for (const text of texts) {
      const error = thrown(() => parseMasterKeyring(text));
      expect(error).toMatchObject({ code: 'invalid_master_key' });
      for (const part of text.split(/[:,]/).filter((piece) => piece.length > 8)) expect(inspect(error)).not.toContain(part);
    }
    expect(thrown(() => parseMasterKeyring(''))).toMatchObject({ code: 'invalid_master_key' });
  });

  test('printing or logging a keyring shows no key', () => {
    const text = key();
    const keyring = parseMasterKeyring(`k1:${text}`);
    const shown = inspect(keyring, { depth: 9, showHidden: true }) + JSON.stringify(keyring);
    expect(shown).not.toContain(text);
    expect(shown).not.toContain(Buffer.from(text, 'base64').toString('hex'));
  });
});

describe('the master key file', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'countersign-keys-'));
  });
  afterEach(() => rm(home, { recursive: true }));

  test('is made once, for its owner alone, and found again', async () => {
    const path = join(home, 'made', 'master.key');
    const first = await loadOrCreateMasterKeyring(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(home, 'made'))).mode & 0o777).toBe(0o700);
    const wrapped = await first.wrap(randomBytes(32), 'x');
    const again = await loadOrCreateMasterKeyring(path);
    expect(await again.unwrap(first.activeKid, wrapped, 'x')).toHaveLength(32);
    expect(await readdir(join(home, 'made'))).toEqual(['master.key']);
  });

  test('processes that start at once get the same key', async () => {
    const path = join(home, 'master.key');
    const keyrings = await Promise.all(Array.from({ length: 12 }, () => loadOrCreateMasterKeyring(path)));
    expect(new Set(keyrings.map(({ activeKid }) => activeKid)).size).toBe(1);
    expect(await readdir(home)).toEqual(['master.key']);
  });

  test('a file that others can read, a link and a folder are refused', async () => {
    const path = join(home, 'master.key');
    await writeFile(path, `k1:${key()}\n`, { mode: 0o600 });
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(path, mode);
      await expect(loadOrCreateMasterKeyring(path)).rejects.toMatchObject({ code: 'key_file_unsafe' });
    }
    await chmod(path, 0o400);
    expect((await loadOrCreateMasterKeyring(path)).activeKid).toBe('k1');
    await symlink(path, join(home, 'link.key'));
    await expect(loadOrCreateMasterKeyring(join(home, 'link.key'))).rejects.toMatchObject({ code: 'key_file_unsafe' });
    await expect(loadOrCreateMasterKeyring(home)).rejects.toMatchObject({ code: 'key_file_unsafe' });
  });

  test('a damaged file is an error that does not show it, and is left alone', async () => {
    const path = join(home, 'master.key');
    await writeFile(path, 'k1:not-a-key-but-secret', { mode: 0o600 });
    const error = await loadOrCreateMasterKeyring(path).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'invalid_master_key' });
    expect(inspect(error)).not.toContain('secret');
    expect(await readFile(path, 'utf8')).toBe('k1:not-a-key-but-secret');
    await expect(loadOrCreateMasterKeyring(join(path, 'below'))).rejects.toMatchObject({ code: 'key_file_unusable' });
  });
});

function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(KeysError);
    return error;
  }
  throw new Error('nothing was thrown');
}
