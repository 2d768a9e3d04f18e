import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, readdir, readlink, realpath, rm, stat, truncate } from 'node:fs/promises';
import { platform } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { StoreError } from '../errors.js';
import type { Account } from './account.js';
import { type Binaries, reachableByOthers } from './binaries.js';

const run = promisify(execFile);

export interface LaunchOptions {
  binaries: Binaries;
  account: Account;
  dataFolder: string;
  logFile: string;
  port: number;
  /** False only where losing the data in a crash of the machine is fine: tests. */
  durable: boolean;
  maxConnections: number;
  /** The server ends with this process. */
  lifeline: 'this-process' | { pid: number };
}

/** A server that we started. */
export interface Postmaster {
  pid: number;
  /** Settles when the process is gone, with the reason. */
  exited: Promise<string>;
  /** Fast shutdown: open transactions are rolled back, everything is on disk, no process is left. */
  stop(): Promise<void>;
}

/** Log files above this many bytes begin anew at a start. */
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 30_000;

/**
 * Starts the server in a session of its own, so that Ctrl-C in the terminal reaches us alone and we end it in order;
 * resolves when it accepts connections.
 *
 * @throws StoreError server_failed with the server's own last words
 */
export async function launch(options: LaunchOptions): Promise<Postmaster> {
  const { binaries, account, dataFolder, logFile, port, durable } = options;
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_LIMIT_BYTES) await truncate(logFile);
  const from = size > LOG_LIMIT_BYTES ? 0 : size;
  const setting = (name: string, value: string | number): string[] => ['-c', `${name}=${value}`];
  const settings = [
    ...setting('listen_addresses', '127.0.0.1'),
    ...setting('unix_socket_directories', platform() === 'win32' ? '' : '.'),
    ...setting('unix_socket_permissions', '0700'),
    ...setting('max_connections', options.maxConnections),
    ...setting('shared_buffers', '64MB'),
    ...setting('jit', 'off'),
    ...setting('timezone', 'UTC'),
    ...setting('log_timezone', 'UTC'),
    ...setting('log_checkpoints', 'off'),
    ...setting('logging_collector', 'off'),
    // A statement that fails may carry a value; the log says what failed, not with what.
    ...setting('log_min_error_statement', 'panic'),
    ...setting('log_parameter_max_length_on_error', 0),
    ...setting('fsync', durable ? 'on' : 'off'),
    ...setting('full_page_writes', durable ? 'on' : 'off'),
    ...setting('synchronous_commit', durable ? 'on' : 'off'),
  ];
  const child = await spawnAs({ account, folder: dataFolder, logFile }, (folder) => [binaries.postgres, ['-D', folder, '-p', String(port), ...settings]]);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  let gone: string | null = null;
  void exited.then((how) => (gone = how));
  const { pid } = child;
  // From the first moment on: a start that is given up (Ctrl-C, kill -9) leaves no server either.
  const watchdog = pid === undefined ? null : options.lifeline === 'this-process' ? watchOurselves(pid) : watchProcess(pid, options.lifeline.pid);
  void exited.then(() => watchdog?.kill('SIGKILL'));
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const status = await readStatus(dataFolder);
    if (status !== null && status.pid === child.pid && status.ready) break;
    if (gone !== null) throw new StoreError('server_failed', `The embedded PostgreSQL did not start (${gone}): ${await lastWords(logFile, from)}`);
    if (Date.now() > deadline) {
      child.kill('SIGQUIT');
      throw new StoreError('server_failed', `The embedded PostgreSQL was not ready after ${START_TIMEOUT_MS / 1000} s; see ${logFile}.`);
    }
    await delay(5);
  }
  if (pid === undefined) throw new StoreError('server_failed', 'The embedded PostgreSQL has no process id.');
  child.unref();
  return {
    pid,
    exited,
    stop: async () => {
      if (gone !== null) return;
      watchdog?.kill('SIGKILL');
      child.ref();
      await signalStop(pid, options);
      await Promise.race([exited, delay(STOP_TIMEOUT_MS, undefined, { ref: false }).then(() => child.kill('SIGQUIT'))]);
      await exited;
    },
  };
}

/**
 * Ends the server of a data folder that outlived its process, and clears what a crash left. True when there was one.
 * The caller has made sure that no living instance holds it.
 */
export async function endOrphan(options: Pick<LaunchOptions, 'dataFolder' | 'binaries'>): Promise<boolean> {
  const status = await readStatus(options.dataFolder);
  if (status === null || !(await servesFolder(status.pid, options.dataFolder))) {
    await clearLocks(options.dataFolder);
    return false;
  }
  await signalStop(status.pid, options);
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (await servesFolder(status.pid, options.dataFolder)) {
    if (Date.now() > deadline) throw new StoreError('server_failed', `An earlier embedded PostgreSQL (process ${status.pid}) does not end.`);
    await delay(10);
  }
  return true;
}

/**
 * Takes away what a killed server left: its pid file, and the lock of its socket. The number in them may belong to another
 * program by now, or to a process that ended and that nobody has reaped (a container without an init); PostgreSQL would take
 * either for a server of the same folder.
 */
async function clearLocks(dataFolder: string): Promise<void> {
  const names = await readdir(dataFolder).catch(() => []);
  for (const name of names.filter((entry) => entry === 'postmaster.pid' || /^\.s\.PGSQL\.\d+(\.lock)?$/.test(entry))) {
    await rm(`${dataFolder}/${name}`, { force: true });
  }
}

export interface PostmasterStatus {
  pid: number;
  port: number;
  ready: boolean;
}

/** What postmaster.pid says: the process id, the port and, in its last line, whether it accepts connections. */
export async function readStatus(dataFolder: string): Promise<PostmasterStatus | null> {
  const text = await readFile(`${dataFolder}/postmaster.pid`, 'utf8').catch(() => null);
  const lines = text?.split('\n') ?? [];
  const pid = Number.parseInt(lines[0] ?? '', 10);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return { pid, port: Number.parseInt(lines[3] ?? '', 10), ready: lines[7]?.trim() === 'ready' };
}

/** Whether the process lives and is a server of the folder; process ids are used again after a restart of a container. */
export async function servesFolder(pid: number, dataFolder: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  if (platform() === 'linux') {
    // A postmaster's working directory is its data folder, however that was named to it.
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => null);
    return cwd !== null && cwd === (await realpath(dataFolder));
  }
  if (platform() === 'win32') return true;
  const { stdout } = await run('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({ stdout: '' }));
  return stdout.includes(dataFolder);
}

/**
 * Starts a program under the server's account with a name for `folder` that it can reach. Below a folder that is private to root
 * that name is /proc/self/fd/3: an open descriptor needs no way from the root of the file system.
 */
export async function spawnAs(
  on: { account: Account; folder: string; logFile: string },
  command: (folder: string) => [program: string, args: string[]],
): Promise<ChildProcess> {
  const { account, folder } = on;
  const throughDescriptor = account.switched && platform() === 'linux' && !(await reachableByOthers(folder));
  const log = openSync(on.logFile, 'a', 0o600);
  const descriptor = throughDescriptor ? openSync(folder, 'r') : null;
  try {
    const [program, args] = command(descriptor === null ? folder : '/proc/self/fd/3');
    return spawn(program, args, {
      ...(account.uid === undefined || account.gid === undefined ? {} : { uid: account.uid, gid: account.gid }),
      cwd: folder,
      detached: true,
      windowsHide: true,
      stdio: descriptor === null ? ['ignore', log, log] : ['ignore', log, log, descriptor],
      env: platform() === 'win32' ? process.env : { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    });
  } finally {
    closeSync(log);
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** The last line of the log that says why; the log begins at `from` for this start. */
export async function lastWords(logFile: string, from: number): Promise<string> {
  const text = (await readFile(logFile).catch(() => Buffer.alloc(0))).subarray(from).toString('utf8');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const why = lines.filter((line) => /(FATAL|PANIC|error):/i.test(line)).at(-1) ?? lines.at(-1);
  return why === undefined ? `see ${logFile}` : why.replace(/^.*?(FATAL|PANIC|error):\s*/i, '');
}

async function signalStop(pid: number, options: Pick<LaunchOptions, 'dataFolder' | 'binaries'>): Promise<void> {
  if (platform() === 'win32') {
    await run(options.binaries.pgCtl, ['stop', '-D', options.dataFolder, '-m', 'fast', '-w']);
    return;
  }
  try {
    process.kill(pid, 'SIGINT');
  } catch {
    // It is gone already, which is what we want.
  }
}

/** Ends the server when we are gone, however we went: our end of the pipe closes even after kill -9. */
function watchOurselves(pid: number): ChildProcess | null {
  if (platform() === 'win32') return null;
  const watchdog = spawn('/bin/sh', ['-c', 'cat > /dev/null; kill -INT "$0"', String(pid)], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
  watchdog.unref();
  // The pipe shall not keep our process alive; the typings hide that it is a socket.
  (watchdog.stdin as { unref?: () => void } | null)?.unref?.();
  watchdog.stdin?.on('error', () => {});
  watchdog.on('error', () => {});
  return watchdog;
}

function watchProcess(pid: number, watched: number): ChildProcess | null {
  if (platform() === 'win32') return null;
  const watchdog = spawn('/bin/sh', ['-c', 'while kill -0 "$1" 2> /dev/null; do sleep 0.2; done; kill -INT "$0"', String(pid), String(watched)], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
  });
  watchdog.unref();
  watchdog.on('error', () => {});
  return watchdog;
}
