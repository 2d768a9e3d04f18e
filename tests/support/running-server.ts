import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '@countersign/dev-env/free-port';
import { type Api, apiOf } from './api.js';
import { until } from './until.js';

export const root = path.resolve(import.meta.dirname, '../..');

export interface ServerOptions {
  /** Where it keeps its data; a new folder, removed at the stop, unless told. Whoever names one removes it. */
  home?: string;
  port?: number;
  /** Added to a bare environment: nothing of the test's own environment but the search path reaches the server. */
  env?: Record<string, string>;
  /** For the server itself, such as `--role intake`. */
  args?: readonly string[];
  /** `npm start` as a user types it, or what it ends up running. */
  command?: 'npm start' | 'main.js';
  /** How long the start may take. */
  withinMs?: number;
}

/** `$COUNTERSIGN_HOME/quickstart.json`. */
export interface Quickstart {
  url: string;
  api_key: string;
  webhook_secret: string;
  people: Record<string, { token: string; sign_in_url: string }>;
}

/** The real server, in a process of its own. */
export interface RunningServer extends Api {
  url: string;
  port: number;
  home: string;
  /** Everything that it wrote to stdout and stderr so far. */
  output(): string;
  /** The file as it lies there now. */
  quickstart(): Quickstart;
  /** The personal token of an example person, by first name. */
  token(name: string): string;
  /** Every living process that the server started or is. */
  processes(): number[];
  /** kill -9 of the server's process group; with `everything`, of whatever it started too, as a power cut does. Resolves when all of it is gone. */
  kill(what?: 'server' | 'everything'): Promise<void>;
  /** Ctrl-C: SIGINT to the foreground group. Throws unless it ends with 0, in time, and leaves no process. */
  stop(): Promise<void>;
}

/** What came of a server that was expected not to start. */
export interface EndedServer {
  code: number | null;
  stdout: string;
  stderr: string;
  ms: number;
  /** Processes that it left behind. */
  left: number[];
}

/** Starts the server and waits until it says that it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const home = options.home ?? mkdtempSync(path.join(tmpdir(), 'countersign-walk-'));
  const port = options.port ?? (await freePort());
  const started = launch({ ...options, home, port });
  const removeHome = (): void => (options.home === undefined ? rmSync(home, { recursive: true, force: true }) : undefined);
  const ready = /is ready at (http:\/\/\S+)/;
  await until(
    () => started.end() !== null || ready.test(started.stdout()),
    () => `the server's start; so far it said:\n${tailOf(started.stdout() + started.stderr())}`,
    options.withinMs ?? 60_000,
  ).catch((error: unknown) => {
    started.killAll();
    removeHome();
    throw error;
  });
  const url = ready.exec(started.stdout())?.[1];
  if (url === undefined) {
    removeHome();
    throw new Error(`the server did not start:\n${tailOf(started.stdout() + started.stderr())}`);
  }
  const quickstart = (): Quickstart => JSON.parse(readFileSync(path.join(home, 'quickstart.json'), 'utf8'));
  const said = (): string => tailOf(started.stdout() + started.stderr());
  const gone = (): Promise<unknown> =>
    until(
      () => started.end() !== null && started.processes().length === 0,
      () => `the end of the server's processes ${started.processes().join(', ')}`,
      30_000,
    );
  return {
    ...apiOf(port, `localhost:${port}`),
    url,
    port,
    home,
    output: () => started.stdout() + started.stderr(),
    quickstart,
    token: (name) => quickstart().people[`${name}@example.com`]?.token ?? '',
    processes: started.processes,
    async kill(what = 'server') {
      if (what === 'everything') started.killAll();
      else started.signal('SIGKILL');
      await gone();
    },
    async stop() {
      if (started.end() !== null) return removeHome();
      started.signal('SIGINT');
      try {
        await gone();
      } finally {
        started.killAll();
      }
      removeHome();
      // npm, which got the same Ctrl-C, ends by it in its own way.
      const clean = started.end()?.code === 0 || (options.command === 'npm start' && started.end()?.signal === 'SIGINT');
      if (!clean || said().includes('did not stop cleanly')) throw new Error(`the server ended with ${JSON.stringify(started.end())}:\n${said()}`);
    },
  };
}

/** A server whose start a test does not wait for. */
export interface StartingServer {
  /** To its process group, as a terminal sends it. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has ended, with what came of it. */
  ended(): Promise<EndedServer>;
}

/** Starts the server and waits for nothing. Ask `ended`, else nobody cleans up. */
export async function beginServer(options: ServerOptions & { home: string }): Promise<StartingServer> {
  const at = performance.now();
  const started = launch({ ...options, port: options.port ?? (await freePort()) });
  return {
    signal: started.signal,
    async ended() {
      try {
        await until(
          () => started.end() !== null,
          () => `the end of a server that should not start; it said:\n${tailOf(started.stdout() + started.stderr())}`,
          options.withinMs ?? 30_000,
        );
        const ms = performance.now() - at;
        // What was told to end may need a moment to do so; what stays is left behind.
        await until(
          () => started.processes().length === 0,
          () => 'the end of its processes',
          10_000,
        ).catch(() => {});
        return { code: started.end()?.code ?? null, stdout: started.stdout(), stderr: started.stderr(), ms, left: started.processes() };
      } finally {
        started.killAll();
      }
    },
  };
}

/** Starts the server and waits until it has ended by itself. */
export async function runToEnd(options: ServerOptions & { home: string }): Promise<EndedServer> {
  return (await beginServer(options)).ended();
}

interface Launched {
  /** How the process ended; null while it runs. */
  end(): { code: number | null; signal: NodeJS.Signals | null } | null;
  stdout(): string;
  stderr(): string;
  processes(): number[];
  /** To the process group, as a terminal sends it. */
  signal(signal: NodeJS.Signals): void;
  killAll(): void;
}

let launches = 0;

function launch(options: ServerOptions & { home: string; port: number }): Launched {
  const mark = `${process.pid}-${(launches += 1)}`;
  const before = new Set(processesOf(mark, options.home));
  const args = options.args ?? [];
  const [program, ...words] =
    options.command === 'npm start'
      ? ['npm', 'start', ...(args.length > 0 ? ['--'] : [])]
      : [process.execPath, path.join(root, 'apps', 'server', 'dist', 'main.js')];
  const child = spawn(program, [...words, ...args], {
    cwd: root,
    // A group of its own, as the foreground job of a terminal has it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      TMPDIR: tmpdir(),
      COUNTERSIGN_HOME: options.home,
      PORT: String(options.port),
      COUNTERSIGN_TEST_MARK: mark,
      ...options.env,
    },
  });
  const stdout = collect(child, 'stdout');
  const stderr = collect(child, 'stderr');
  let end: ReturnType<Launched['end']> = null;
  const launched: Launched = {
    end: () => end,
    stdout,
    stderr,
    // Another server may work in the same home already.
    processes: () => processesOf(mark, options.home).filter((pid) => !before.has(pid)),
    signal(signal) {
      if (child.pid !== undefined) send(-child.pid, signal);
    },
    killAll() {
      launched.signal('SIGKILL');
      for (const pid of launched.processes()) send(pid, 'SIGKILL');
    },
  };
  // `close` comes after the last output, `exit` may come before it.
  child.once('close', (code, signal) => (end = { code, signal }));
  // Whatever becomes of the test, nothing of it stays.
  const last = (): void => launched.killAll();
  process.once('exit', last);
  child.once('close', () => process.removeListener('exit', last));
  return launched;
}

/** The last lines: a talkative server says a lot. */
const tailOf = (text: string): string => text.split('\n').slice(-40).join('\n');

function collect(child: ChildProcess, name: 'stdout' | 'stderr'): () => string {
  const chunks: Buffer[] = [];
  child[name]?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}

/**
 * Every process that carries the mark in its environment or works in the home. PostgreSQL gets no environment of ours, but its
 * working directory is its data folder.
 */
function processesOf(mark: string, home: string): number[] {
  if (!existsSync('/proc/self/environ')) return [];
  const folder = existsSync(home) ? realpathSync(home) : home;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        // A zombie holds nothing and waits for its parent alone.
        if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return false;
        if (readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`COUNTERSIGN_TEST_MARK=${mark}`)) return true;
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}${path.sep}`);
      } catch {
        return false;
      }
    });
}
