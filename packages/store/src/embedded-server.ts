import { resolve } from 'node:path';
import { platform } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { serverAccount } from './embedded/account.js';
import { findBinaries } from './embedded/binaries.js';
import { type ClusterFiles, clusterFiles, type Credentials, ensureData, loadCredentials, makeFolders, settlePort } from './embedded/cluster.js';
import { endOrphan, launch, type LaunchOptions, type Postmaster, readStatus, servesFolder } from './embedded/postmaster.js';
import { StoreError } from './errors.js';

export interface EmbeddedServerOptions {
  /** COUNTERSIGN_HOME; the server lives in `<home>/postgres`. */
  home: string;
  /** False switches fsync off: for tests that are not about durability. Default true. */
  durable?: boolean;
  /** Default 100. */
  maxConnections?: number;
  /** Called when the server ended by itself; it is started again whatever this does. */
  onFault?: (error: StoreError) => void;
  /** The server belongs to the process with this id instead of ours, which may end before it: for test runners. */
  ownedBy?: number;
}

/** A running embedded PostgreSQL. The addresses hold passwords. */
export interface EmbeddedServer {
  /** Role `countersign_owner`: owns the schema; for migrations. */
  ownerUrl: string;
  /** Role `countersign_app`: runs the service; cannot change or delete ledger rows. */
  appUrl: string;
  /** The superuser, database `postgres`: for tests and repairs. */
  superuserUrl: string;
  /** The server's process id, as long as it runs. */
  readonly pid: number;
  /** Fast shutdown; no process is left. */
  stop(): Promise<void>;
}

export const OWNER_ROLE = 'countersign_owner';
export const APP_ROLE = 'countersign_app';
const DATABASE = 'countersign';
/** Key of the advisory lock that a running instance holds in the database `postgres` of its home ("CsHm"). */
const HOME_LOCK = 0x4373486d;

/**
 * Starts the PostgreSQL of a home, making it first where there is none. It listens on loopback and, below a short enough path, on a
 * socket in its data folder. A server that outlived its process (kill -9) is ended first, a stale postmaster.pid cleared.
 *
 * @throws StoreError home_not_writable, home_in_use, server_unsupported, server_failed
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const files = await makeFolders(resolve(options.home));
  const account = await serverAccount(files.data);
  const binaries = await findBinaries(account);
  let credentials = await loadCredentials(files);
  await ensureData(files, binaries, account, { password: credentials.superuser_password, durable: options.durable ?? true });
  await refuseIfHeld(files, credentials);
  await endOrphan({ binaries, dataFolder: files.data });
  credentials = await settlePort(files, credentials);

  const launching: LaunchOptions = {
    binaries,
    account,
    dataFolder: files.data,
    logFile: files.log,
    port: credentials.port,
    durable: options.durable ?? true,
    maxConnections: options.maxConnections ?? 100,
    lifeline: options.ownedBy === undefined ? 'this-process' : { pid: options.ownedBy },
  };
  let postmaster = await launch(launching);
  let lock: pg.Client;
  try {
    lock = await takeLock(files, credentials, options.ownedBy === undefined);
    await ensureRoles(lock, credentials);
  } catch (error) {
    await postmaster.stop();
    throw error;
  }
  if (options.ownedBy !== undefined) await lock.end();

  const end: { stopping: Promise<void> | null } = { stopping: null };
  const isStopping = (): boolean => end.stopping !== null;
  const stop = async (): Promise<void> => {
    await lock.end().catch(() => {});
    await postmaster.stop();
  };
  /** The server ended though nobody asked: somebody killed it, or memory ran out. Its data is safe, so it starts again. */
  const revive = async (ended: Postmaster): Promise<void> => {
    const how = await ended.exited;
    for (let wait = 50; !isStopping(); wait = Math.min(wait * 2, 5_000)) {
      options.onFault?.(new StoreError('server_failed', `The embedded PostgreSQL ended by itself (${how}); starting it again.`));
      try {
        postmaster = await launch(launching);
        // stop() may have come while it started, and stopped the one before.
        if (isStopping()) return await postmaster.stop();
        lock = await takeLock(files, credentials, true);
        void revive(postmaster);
        return;
      } catch {
        await delay(wait, undefined, { ref: false });
      }
    }
  };
  if (options.ownedBy === undefined) void revive(postmaster);

  return {
    ownerUrl: address(files, credentials, OWNER_ROLE, credentials.owner_password, DATABASE),
    appUrl: address(files, credentials, APP_ROLE, credentials.app_password, DATABASE),
    superuserUrl: address(files, credentials, 'postgres', credentials.superuser_password, 'postgres'),
    get pid() {
      return postmaster.pid;
    },
    stop: () => (end.stopping ??= stop()),
  };
}

/**
 * The addresses of the server that another process runs on a home, for whoever only looks; null when none runs.
 *
 * @throws StoreError server_unsupported when its credentials cannot be read
 */
export async function findEmbeddedServer(home: string): Promise<Pick<EmbeddedServer, 'ownerUrl' | 'appUrl'> | null> {
  const files = clusterFiles(resolve(home));
  const status = await readStatus(files.data);
  if (status === null || !status.ready || !(await servesFolder(status.pid, files.data))) return null;
  const credentials = { ...(await loadCredentials(files)), port: status.port };
  return {
    ownerUrl: address(files, credentials, OWNER_ROLE, credentials.owner_password, DATABASE),
    appUrl: address(files, credentials, APP_ROLE, credentials.app_password, DATABASE),
  };
}

/** A running instance holds an advisory lock for as long as it lives, so a crash frees it and no lock file goes stale. */
async function refuseIfHeld(files: ClusterFiles, credentials: Credentials): Promise<void> {
  for (let tries = 0; tries < 3_000; tries += 1) {
    const status = await readStatus(files.data);
    if (status === null || !(await servesFolder(status.pid, files.data))) return;
    const client = newClient(files, { ...credentials, port: status.port });
    try {
      await client.connect();
      const held = !(await tryLock(client));
      if (held) throw inUse(files);
      return;
    } catch (error) {
      if (error instanceof StoreError) throw error;
      // It is starting, recovering or shutting down: it will be ready, or gone, soon.
      await delay(10);
    } finally {
      await client.end().catch(() => {});
    }
  }
  throw new StoreError('server_failed', `A PostgreSQL runs on ${files.data} but does not answer; see ${files.log}.`);
}

/** Connects as the superuser and takes the home's lock; the connection stays open and holds it. */
async function takeLock(files: ClusterFiles, credentials: Credentials, lock: boolean): Promise<pg.Client> {
  const client = newClient(files, credentials);
  // When the server dies the connection does too; the next start takes the lock again.
  client.on('error', () => {});
  await client.connect();
  if (lock && !(await tryLock(client))) {
    await client.end();
    throw inUse(files);
  }
  return client;
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [HOME_LOCK]);
  return rows[0]?.locked === true;
}

function inUse(files: ClusterFiles): StoreError {
  return new StoreError('home_in_use', `Another Countersign is running on ${files.folder}: stop it, or set COUNTERSIGN_HOME to another folder.`);
}

/** Makes what a first start, perhaps cut short, has not made. */
async function ensureRoles(client: pg.Client, credentials: Credentials): Promise<void> {
  const { rows } = await client.query<{ role: boolean; app: boolean; db: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '${OWNER_ROLE}') AS role,
            EXISTS (SELECT FROM pg_roles WHERE rolname = '${APP_ROLE}') AS app,
            EXISTS (SELECT FROM pg_database WHERE datname = '${DATABASE}') AS db`,
  );
  const [found] = rows;
  if (!found?.role) await client.query(`CREATE ROLE ${OWNER_ROLE} LOGIN PASSWORD ${client.escapeLiteral(credentials.owner_password)}`);
  if (!found?.app) await client.query(`CREATE ROLE ${APP_ROLE} LOGIN PASSWORD ${client.escapeLiteral(credentials.app_password)}`);
  if (!found?.db) await client.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER_ROLE}`);
}

function newClient(files: ClusterFiles, credentials: Credentials): pg.Client {
  return new pg.Client({
    connectionString: address(files, credentials, 'postgres', credentials.superuser_password, 'postgres'),
    connectionTimeoutMillis: 5_000,
  });
}

/** A socket saves about a fifth of a round trip; its path must fit into sockaddr_un (108 bytes on Linux, 104 on macOS). */
function address(files: ClusterFiles, credentials: Credentials, role: string, password: string, database: string): string {
  const url = `postgresql://${role}:${password}@127.0.0.1:${credentials.port}/${database}`;
  const fits = platform() !== 'win32' && Buffer.byteLength(`${files.data}/.s.PGSQL.${credentials.port}`) < 100;
  return fits ? `${url}?host=${encodeURIComponent(files.data)}` : url;
}
