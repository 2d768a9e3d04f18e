import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeysError } from './errors.js';
import { MASTER_KEY_BYTES, parseMasterKeyring, type MasterKeyring } from './master-keyring.js';

/**
 * The master keyring of a file, which is made with one random key (mode 0600, its folder 0700) where there is none.
 * The file has the text form of `parseMasterKeyring`. Of processes that start at once, all get the same key.
 * @throws KeysError `key_file_unsafe` where others can read the file, or it is a link, a folder, or another user's; `key_file_unusable`
 * where it cannot be read or made; `invalid_master_key` for its contents.
 */
export async function loadOrCreateMasterKeyring(path: string): Promise<MasterKeyring> {
  return (await read(path)) ?? (await create(path));
}

async function create(path: string): Promise<MasterKeyring> {
  const text = `local-${randomBytes(4).toString('hex')}:${randomBytes(MASTER_KEY_BYTES).toString('base64')}\n`;
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await withFile(draft, 'wx', async (file) => {
      await file.writeFile(text);
      await file.sync();
    });
    // A link appears whole, and never replaces what another process has put there meanwhile.
    await link(draft, path).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
    await unlink(draft);
    await syncFolder(dirname(path));
  } catch (cause) {
    await unlink(draft).catch(() => undefined);
    throw new KeysError('key_file_unusable', `The master key cannot be written to ${path}.`, { cause });
  }
  const keyring = await read(path);
  if (keyring === null) throw new KeysError('key_file_unusable', `The master key's file ${path} vanished.`);
  return keyring;
}

async function read(path: string): Promise<MasterKeyring | null> {
  try {
    return await withFile(path, constants.O_RDONLY | constants.O_NOFOLLOW, async (file) => {
      await refuseUnsafe(path, file);
      return parseMasterKeyring((await file.readFile('utf8')).trim());
    });
  } catch (cause) {
    if (cause instanceof KeysError) throw cause;
    if (hasCode(cause, 'ENOENT')) return null;
    if (hasCode(cause, 'ELOOP')) throw new KeysError('key_file_unsafe', `The master key's file ${path} is a symbolic link.`, { cause });
    throw new KeysError('key_file_unusable', `The master key's file ${path} cannot be read.`, { cause });
  }
}

async function refuseUnsafe(path: string, handle: FileHandle): Promise<void> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new KeysError('key_file_unsafe', `${path} is not a file.`);
  // Windows has neither modes nor user ids.
  if (process.geteuid === undefined) return;
  if ((stat.mode & 0o077) !== 0) throw new KeysError('key_file_unsafe', `Others can read the master key's file ${path}. Run: chmod 600 ${path}`);
  if (stat.uid !== process.geteuid() && stat.uid !== 0) throw new KeysError('key_file_unsafe', `The master key's file ${path} belongs to another user.`);
}

async function withFile<T>(path: string, flags: string | number, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags, 0o600);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** So that the name outlives a power cut, too. Windows cannot open folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform !== 'win32') await withFile(path, constants.O_RDONLY, (folder) => folder.sync());
}

function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
