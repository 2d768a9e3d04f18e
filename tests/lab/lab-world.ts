import { freePort } from '@countersign/dev-env/free-port';
import { startTestServer } from '@countersign/dev-env/postgres';
import { type RedisServer, startRedisServer } from '@countersign/dev-env/redis-server';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { type Api, apiOf } from '../support/api.js';
import { type Credentials, makeCredentials, newMasterKey, ownFiles } from '../support/installation.js';
import { type RunningServer, startServer } from '../support/running-server.js';

export const ROLES = ['intake', 'decisions-1', 'decisions-2'] as const;
export type RoleName = (typeof ROLES)[number];

/** The built server in processes of its own on a durable PostgreSQL, and Redis where it is there. All of it can be taken away. */
export interface LabWorld {
  api: Api;
  held: Credentials;
  origin: string;
  redis: RedisServer | null;
  /** SIGKILL and a new start; at once for both when `alongside` is given, which runs while the role is down. */
  killRole(role: RoleName, alongside?: () => Promise<void>): Promise<void>;
  /** SIGSTOP, and SIGCONT after so many milliseconds. */
  pauseRole(role: RoleName, ms: number): Promise<void>;
  /** SIGQUIT: PostgreSQL's immediate shutdown, without a checkpoint; its keeper starts it again. */
  stopPostgres(): Promise<void>;
  /** As the superuser, who may do and see everything. */
  sql<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>;
  /** A superuser's connection for one task. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

export async function startLabWorld(redisPath: string | undefined): Promise<LabWorld> {
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-lab-'));
  const postgres = await startTestServer();
  const redis = redisPath === undefined ? null : await startRedisServer(redisPath);
  const port = await freePort();
  const masterKey = newMasterKey();
  const origin = `http://localhost:${port}`;
  const common = {
    ...ownFiles(folder),
    MIGRATE_DATABASE_URL: postgres.server.ownerUrl,
    COUNTERSIGN_MASTER_KEY: masterKey,
    COUNTERSIGN_CALLBACK_ALLOW: '127.0.0.1',
    PUBLIC_URL: origin,
    LOG_LEVEL: 'error',
    ...(redis === null ? {} : { REDIS_URL: redis.url }),
  };
  const running = new Map<RoleName, RunningServer>();
  const begin = async (role: RoleName): Promise<void> => {
    const args = ['--role', role.replace(/-\d$/, '')];
    const options = { home: path.join(folder, role), args, env: { ...common, DATABASE_URL: named(postgres.server.appUrl, role) }, withinMs: 90_000 };
    for (;;) {
      try {
        running.set(role, await startServer({ ...options, ...(role === 'intake' ? { port } : {}) }));
        return;
      } catch (error) {
        // A start while the database recovers says so and ends; a supervisor starts it again.
        if (!/did not start/.test(String(error))) throw error;
        starts += 1;
        if (starts > 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  };
  let starts = 0;
  const connect = async (): Promise<pg.Client> => {
    const url = new URL(postgres.server.superuserUrl);
    url.pathname = new URL(postgres.server.appUrl).pathname;
    const client = new pg.Client({ connectionString: url.href });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  const close = async (): Promise<void> => {
    for (const server of running.values()) for (const pid of server.processes()) send(pid, 'SIGCONT');
    await Promise.all([...running.values()].map((server) => server.kill('everything')));
    await redis?.stop();
    await postgres.server.stop();
    await postgres.remove();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await begin('intake');
    await Promise.all([begin('decisions-1'), begin('decisions-2')]);
    const held = await makeCredentials(postgres.server.appUrl, masterKey);
    return {
      api: apiOf(port, `localhost:${port}`),
      held,
      origin,
      redis,
      async killRole(role, alongside) {
        await running.get(role)?.kill();
        await alongside?.();
        await begin(role);
      },
      async pauseRole(role, ms) {
        const pids = running.get(role)?.processes() ?? [];
        for (const pid of pids) send(pid, 'SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, ms));
        for (const pid of pids) send(pid, 'SIGCONT');
      },
      async stopPostgres() {
        send(postgres.server.pid, 'SIGQUIT');
      },
      async sql<R extends pg.QueryResultRow>(text: string, values: unknown[] = []) {
        const client = await connect();
        try {
          return (await client.query<R>(text, values)).rows;
        } finally {
          await client.end();
        }
      },
      connect,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** So that pg_stat_activity says which role runs a statement. */
function named(address: string, role: RoleName): string {
  const url = new URL(address);
  url.searchParams.set('application_name', role);
  return url.href;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}
