import { afterEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type EmbeddedServer, type EmbeddedServerOptions, startEmbeddedServer } from './embedded-server.js';

const folders: string[] = [];
const servers: EmbeddedServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

async function newHome(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-home-'));
  folders.push(folder);
  return join(folder, 'home');
}

async function start(home: string, options: Partial<EmbeddedServerOptions> = {}): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ home, durable: false, ...options });
  servers.push(server);
  return server;
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ answer: unknown }>(sql);
    return rows[0]?.answer;
  } finally {
    await client.end();
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries += 1) {
    if (tries > 2_000) throw new Error('the condition never came true');
    await delay(5);
  }
}

describe('the embedded server', () => {
  test('G2: a second start finds the data of the first, and a stop leaves no process behind', async () => {
    const home = await newHome();
    const first = await start(home);
    await ask(first.ownerUrl, 'CREATE TABLE kept (answer int)');
    await ask(first.ownerUrl, 'INSERT INTO kept VALUES (42)');
    await first.stop();
    expect(lives(first.pid)).toBe(false);

    const second = await start(home);
    expect(second.ownerUrl).toBe(first.ownerUrl);
    expect(await ask(second.ownerUrl, 'SELECT answer FROM kept')).toBe(42);
  });

  test('it is UTF-8, sorts by code point, keeps commits on disk, and its secrets are for us alone', async () => {
    const home = await newHome();
    const server = await start(home, { durable: true });
    expect(await ask(server.appUrl, `SELECT current_setting('server_encoding') AS answer`)).toBe('UTF8');
    expect(await ask(server.appUrl, `SELECT string_agg(x, '' ORDER BY x) AS answer FROM unnest(array['ä','b','Z','a']) x`)).toBe('Zabä');
    expect(
      await ask(server.appUrl, `SELECT current_setting('fsync') || current_setting('synchronous_commit') || current_setting('full_page_writes') AS answer`),
    ).toBe('ononon');
    expect(await ask(server.appUrl, 'SELECT current_user AS answer')).toBe('countersign_app');
    expect(await ask(server.ownerUrl, 'SELECT rolsuper AS answer FROM pg_roles WHERE rolname = current_user')).toBe(false);
    expect((await stat(join(home, 'postgres', 'credentials.json'))).mode & 0o077).toBe(0);
    expect((await stat(join(home, 'postgres'))).mode & 0o077).toBe(0);
    const wrong = new URL(server.appUrl);
    wrong.password = 'guess';
    await expect(ask(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  test('a home that another instance holds is refused, and the other one is left alone', async () => {
    const home = await newHome();
    const server = await start(home);
    await expect(startEmbeddedServer({ home })).rejects.toMatchObject({ name: 'StoreError', code: 'home_in_use' });
    expect(await ask(server.appUrl, 'SELECT 1 AS answer')).toBe(1);
  });

  test('a home that cannot be written is refused in one line', async () => {
    const home = await newHome();
    await writeFile(join(home, '..', 'file'), '');
    const start = startEmbeddedServer({ home: join(home, '..', 'file', 'home') });
    await expect(start).rejects.toMatchObject({ code: 'home_not_writable', message: expect.stringMatching(/^[^\n]*COUNTERSIGN_HOME[^\n]*$/) });
  });

  test('a server that outlived its process is ended and its data found', async () => {
    const home = await newHome();
    const keeper = spawn('sleep', ['600']);
    const orphan = await start(home, { ownedBy: keeper.pid ?? 0 });
    await ask(orphan.ownerUrl, 'CREATE TABLE kept AS SELECT 7 AS answer');
    const next = await start(home);
    expect(lives(orphan.pid)).toBe(false);
    expect(await ask(next.ownerUrl, 'SELECT answer FROM kept')).toBe(7);
    keeper.kill('SIGKILL');
  });

  test('the server ends with the process that owns it, even after kill -9', async () => {
    const keeper = spawn('sleep', ['600']);
    const server = await start(await newHome(), { ownedBy: keeper.pid ?? 0 });
    keeper.kill('SIGKILL');
    await until(() => !lives(server.pid));
  });

  test('stale locks of the folder and the socket that name a living stranger do not stop a start', async () => {
    // A process of the same user: PostgreSQL takes only such a one for a server.
    const stranger = await start(await newHome());
    const home = await newHome();
    const first = await start(home);
    const text = await readFile(join(home, 'postgres', 'data', 'postmaster.pid'), 'utf8');
    await first.stop();
    const file = join(home, 'postgres', 'data', 'postmaster.pid');
    await writeFile(file, text.replace(/^\d+/, String(stranger.pid)));
    await chmod(file, 0o644);
    // The port of the cluster stays, and with it the name of its socket; the fourth line of the pid file has it.
    const socket = join(home, 'postgres', 'data', `.s.PGSQL.${text.split('\n')[3]}`);
    await writeFile(`${socket}.lock`, text.replace(/^\d+/, String(stranger.pid)));
    await chmod(`${socket}.lock`, 0o644);
    const second = await start(home);
    expect(await ask(second.appUrl, 'SELECT 1 AS answer')).toBe(1);
  });

  test('I1: a server that is killed starts again with everything that was committed', async () => {
    const faults: string[] = [];
    const server = await start(await newHome(), { durable: true, onFault: (error) => faults.push(error.code) });
    await ask(server.ownerUrl, 'CREATE TABLE kept AS SELECT 9 AS answer');
    const killed = server.pid;
    process.kill(killed, 'SIGKILL');
    await until(() => server.pid !== killed);
    expect(await ask(server.ownerUrl, 'SELECT answer FROM kept')).toBe(9);
    expect(faults[0]).toBe('server_failed');
  });

  test('a home below a folder that is private to its user works', async () => {
    const home = await newHome();
    await mkdir(join(home, 'private'), { recursive: true, mode: 0o700 });
    const server = await start(join(home, 'private', 'home'));
    expect(await ask(server.appUrl, 'SELECT 1 AS answer')).toBe(1);
  });

  test('Ctrl-C in the terminal does not reach the server: it is in a session of its own', async () => {
    const server = await start(await newHome());
    const status = await readFile(`/proc/${server.pid}/stat`, 'utf8').catch(() => null);
    // Fields after the program's name in parentheses: state, parent, group, session (proc(5)).
    const session = status?.slice(status.lastIndexOf(')') + 2).split(' ')[3];
    if (status !== null) expect(Number(session)).toBe(server.pid);
  });
});
