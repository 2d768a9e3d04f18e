import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { StoreError } from '../errors.js';
import type { Account } from './account.js';
import type { Binaries } from './binaries.js';
import { lastWords, spawnAs } from './postmaster.js';

/** Where the embedded server keeps what. */
export interface ClusterFiles {
  folder: string;
  data: string;
  log: string;
  credentials: string;
}

/** Kept 0600 in the home: whoever reads it owns the database. */
export interface Credentials {
  port: number;
  superuser_password: string;
  owner_password: string;
  app_password: string;
}

/** @throws StoreError home_not_writable */
export async function makeFolders(home: string): Promise<ClusterFiles> {
  const folder = join(home, 'postgres');
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const probe = join(folder, `.probe-${process.pid}`);
    await writeFile(probe, '');
    await rm(probe);
  } catch (cause) {
    throw notWritable(home, cause);
  }
  return clusterFiles(home);
}

/** Where the server of a home keeps what, whether or not it is there. */
export function clusterFiles(home: string): ClusterFiles {
  const folder = join(home, 'postgres');
  return { folder, data: join(folder, 'data'), log: join(folder, 'server.log'), credentials: join(folder, 'credentials.json') };
}

/**
 * Reads the credentials, or makes them where there is no database yet. The port is kept as long as nobody else took it.
 *
 * @throws StoreError server_unsupported when there is data but no credentials: nobody could sign in
 */
export async function loadCredentials(files: ClusterFiles): Promise<Credentials> {
  const text = await readFile(files.credentials, 'utf8').catch(() => null);
  if (text === null) {
    if (await exists(files.data))
      throw new StoreError('server_unsupported', `${files.credentials} is missing, but ${files.data} is there: put it back, or remove both.`);
    const fresh = { port: await freePort(0), superuser_password: secret(), owner_password: secret(), app_password: secret() };
    await saveCredentials(files, fresh);
    return fresh;
  }
  const kept = parseCredentials(text);
  if (kept === null) throw new StoreError('server_unsupported', `${files.credentials} is damaged: put back a copy of it.`);
  return kept;
}

/** The kept port while it is free, else another one, remembered. */
export async function settlePort(files: ClusterFiles, credentials: Credentials): Promise<Credentials> {
  const port = await freePort(credentials.port).catch(() => freePort(0));
  if (port === credentials.port) return credentials;
  const moved = { ...credentials, port };
  await saveCredentials(files, moved);
  return moved;
}

/**
 * Makes the data folder: UTF-8, sorted by code point on every platform, passwords by SCRAM. It is made aside and renamed, so a
 * half-made one is never taken for a database, and of two starts one wins.
 *
 * @throws StoreError server_failed, home_not_writable; server_unsupported when the data is of another major version
 */
export async function ensureData(files: ClusterFiles, binaries: Binaries, account: Account, options: { password: string; durable: boolean }): Promise<void> {
  const version = await readFile(join(files.data, 'PG_VERSION'), 'utf8').catch(() => null);
  if (version !== null) {
    if (version.trim() !== binaries.major) {
      throw new StoreError(
        'server_unsupported',
        `${files.data} was made by PostgreSQL ${version.trim()}, this release brings ${binaries.major}: dump and restore it, or choose another COUNTERSIGN_HOME.`,
      );
    }
    return;
  }
  const fresh = `${files.data}.${process.pid}`;
  const from = await stat(files.log).then(
    (found) => found.size,
    () => 0,
  );
  try {
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { mode: 0o700 });
    // initdb reads the password from a file and wants an empty folder, so the file lies one level higher than the data.
    await mkdir(join(fresh, 'data'), { mode: 0o700 });
    await writeFile(join(fresh, 'password'), `${options.password}\n`, { mode: 0o600 });
    for (const path of [fresh, join(fresh, 'data'), join(fresh, 'password')]) await giveTo(path, account);
  } catch (cause) {
    throw notWritable(files.folder, cause);
  }
  try {
    const child = await spawnAs({ account, folder: fresh, logFile: files.log }, (folder) => [
      binaries.initdb,
      [
        `--pgdata=${folder}/data`,
        '--username=postgres',
        '--auth=scram-sha-256',
        `--pwfile=${folder}/password`,
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        ...(options.durable ? [] : ['--no-sync']),
      ],
    ]);
    const how = await new Promise<string | null>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(code === 0 ? null : (signal ?? `code ${code}`)));
    });
    if (how !== null) throw new StoreError('server_failed', `The embedded PostgreSQL could not be set up (${how}): ${await lastWords(files.log, from)}`);
    await rename(join(fresh, 'data'), files.data).catch(async (cause: unknown) => {
      // Another start was faster: its data is as good as ours, and its lock decides who goes on.
      if (!(await exists(join(files.data, 'PG_VERSION')))) throw notWritable(files.folder, cause);
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function giveTo(path: string, account: Account): Promise<void> {
  if (account.uid !== undefined && account.gid !== undefined) await chown(path, account.uid, account.gid);
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}

function parseCredentials(text: string): Credentials | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const found = value as Record<string, unknown>; // an object, just checked; its members are checked next
    const { port, superuser_password, owner_password, app_password } = found;
    if (typeof port !== 'number' || typeof superuser_password !== 'string' || typeof owner_password !== 'string' || typeof app_password !== 'string')
      return null;
    return { port, superuser_password, owner_password, app_password };
  } catch {
    return null;
  }
}

/** Losing this file locks everybody out, so it is on disk, whole, before it is used. */
async function saveCredentials(files: ClusterFiles, credentials: Credentials): Promise<void> {
  const fresh = `${files.credentials}.${process.pid}`;
  try {
    const handle = await open(fresh, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(credentials, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(fresh, 0o600);
    await rename(fresh, files.credentials);
  } catch (cause) {
    throw notWritable(files.folder, cause);
  }
}

/** The port when it is free on loopback; 0 asks for any. */
function freePort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function notWritable(path: string, cause: unknown): StoreError {
  const why = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return new StoreError('home_not_writable', `${path} cannot be written${why}: set COUNTERSIGN_HOME to a folder that can.`, { cause });
}
