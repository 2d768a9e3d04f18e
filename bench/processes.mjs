/** The programs that are measured, each in a process of its own: the product, the naive program, the receiver. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';

const root = path.resolve(import.meta.dirname, '..');
const probe = path.join(import.meta.dirname, 'usage-probe.mjs');

/** Whatever configures a Countersign that runs here must not configure the one that is measured. */
const FOREIGN =
  /^(COUNTERSIGN_|SLACK_|Microsoft|TEAMS_|OIDC_|DATABASE_URL|MIGRATE_DATABASE_URL|REDIS_URL|HOST$|PORT$|PUBLIC_URL|LOG_LEVEL|BENCH_|NODE_OPTIONS)/;

const running = new Set();

/** A program under the probe. */
class Program {
  constructor(name, file, environment, { log, nodeOptions = [] } = {}) {
    this.name = name;
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !FOREIGN.test(key)));
    const out = log === undefined ? 'ignore' : openSync(log, 'a');
    this.child = fork(file, [], {
      cwd: root,
      env: { ...inherited, ...environment },
      execArgv: ['--import', probe, ...nodeOptions],
      stdio: ['ignore', out, out, 'ipc'],
      serialization: 'json',
    });
    this.exited = once(this.child, 'exit');
    running.add(this);
    void this.exited.then(() => running.delete(this));
  }

  /** `{ cpuMs, peakRssBytes, rssBytes }` of the process so far. */
  async usage() {
    const answer = this.message('usage');
    this.child.send('usage');
    return answer;
  }

  /** Each statement so far, the most time first: `{ name, count, ms }`. Only where they are timed. */
  async statements() {
    const answer = this.message('statements');
    this.child.send('statements');
    return (await answer).toSorted((a, b) => b.ms - a.ms);
  }

  /** The next message that has that member. */
  message(member) {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error(`${this.name} ended.`));
      const take = (message) => {
        if (message[member] === undefined) return;
        this.child.off('message', take).off('exit', ended);
        resolve(message[member]);
      };
      this.child.on('message', take).once('exit', ended);
    });
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    await this.exited;
  }
}

/** The product as `npm start` runs it, after the build, on a home of its own. Resolves when it is ready. */
export async function startProduct({ home, capture, profileFolder, statements, environment: more = {} }) {
  const port = await freePort();
  const log = path.join(home, 'bench.log');
  const environment = {
    PORT: String(port),
    COUNTERSIGN_HOME: home,
    ...(capture === undefined ? {} : { BENCH_CAPTURE: capture }),
    ...(statements === true ? { BENCH_STATEMENTS: '1' } : {}),
    ...more,
  };
  const nodeOptions = process.env.PERFMAP
    ? ['--perf-basic-prof-only-functions', '--interpreted-frames-native-stack']
    : profileFolder === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
  const program = new Program('the product', productMain, environment, { log, nodeOptions });
  const url = `http://localhost:${port}`;
  await answering(program, `${url}/readyz`, log);
  const { api_key, webhook_secret, people } = JSON.parse(readFileSync(path.join(home, 'quickstart.json'), 'utf8'));
  return Object.assign(program, { url, apiKey: api_key, webhookSecret: webhook_secret, approver: people['alice@example.com'].token });
}

export const productMain = path.join(root, 'apps/server/dist/main.js');

/** The program that somebody would write in an afternoon; see naive-server/main.mjs. */
export async function startNaive({ databaseUrl, secret, log }) {
  const port = await freePort();
  const program = new Program(
    'the naive program',
    path.join(import.meta.dirname, 'naive-server/main.mjs'),
    { PORT: String(port), NAIVE_DATABASE_URL: databaseUrl, WEBHOOK_SECRET: secret },
    { log },
  );
  const url = `http://localhost:${port}`;
  await answering(program, `${url}/healthz`, log);
  return Object.assign(program, { url });
}

/** Answers 204 to every callback and says when it came. `arrival(id)` resolves with that time (see clockMs). */
export async function startReceiver({ secret }) {
  const program = new Program('the receiver', path.join(import.meta.dirname, 'receiver.mjs'), { WEBHOOK_SECRET: secret });
  const port = await program.message('port');
  const waiting = new Map();
  const early = new Map();
  let unsigned = 0;
  program.child.on('message', ({ arrivals = [] }) => {
    for (const { id, at, signed } of arrivals) {
      if (!signed) unsigned += 1;
      const resolve = waiting.get(id);
      if (resolve === undefined) early.set(id, at);
      else {
        waiting.delete(id);
        resolve(at);
      }
    }
  });
  return Object.assign(program, {
    url: `http://127.0.0.1:${port}/`,
    unsigned: () => unsigned,
    arrival(id) {
      const at = early.get(id);
      if (at === undefined) return new Promise((resolve) => waiting.set(id, resolve));
      early.delete(id);
      return Promise.resolve(at);
    },
    /** For a measurement that begins anew: what it did not wait for is forgotten. */
    forget() {
      early.clear();
      waiting.clear();
    },
  });
}

/** Milliseconds of the machine's monotonic clock, comparable between processes. */
export const clockMs = () => Number(process.hrtime.bigint()) / 1e6;

/** Ends everything that was started here, also after a fault. */
export async function stopAll() {
  await Promise.all([...running].map((program) => program.stop()));
}

async function answering(program, url, log) {
  let ended = false;
  void program.exited.then(() => (ended = true));
  for (;;) {
    if (ended) throw new Error(`${program.name} did not start: ${log === undefined ? '' : readFileSync(log, 'utf8').split('\n').slice(-5).join('\n')}`);
    try {
      const { statusCode, body } = await request(url);
      await body.dump();
      if (statusCode === 200) return;
    } catch {
      // Not listening yet.
    }
    await delay(20);
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
