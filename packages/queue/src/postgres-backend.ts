import { assertSchemaCompatibility, createPostgresBackend, LATEST_SCHEMA_VERSION, Queue, runMigrations, Worker } from 'bullmq';
import pg from 'pg';

import type { WakeupBackend } from './bullmq-wakeups.js';
import { QueueError } from './queue-error.js';
import { QUEUE_SCHEMA } from './queue-schema.js';

/** How long an idle worker sleeps; NOTIFY wakes it, and a broken LISTEN connection is noticed by TCP keep-alive. Four statements per round. */
const IDLE_ROUND_SECONDS = 300;
/** One statement per round looks for jobs whose worker died. */
const STALLED_ROUND_MS = 120_000;
/** Nothing reads BullMQ's event table here; keep it short. */
const EVENTS_KEPT = 100;

export interface PostgresBackendOptions {
  /** The service's own role. */
  readonly databaseUrl: string;
  /** A role that may create schemas; without it the service's role has to, once. */
  readonly migrateDatabaseUrl?: string;
}

/**
 * BullMQ on PostgreSQL, in a schema of its own, which it creates and migrates when that is needed.
 *
 * @throws QueueError `backend_unreachable`, `access_denied`, `invalid_url`.
 */
export async function openPostgresBackend(options: PostgresBackendOptions): Promise<WakeupBackend> {
  const connection = connectionOf(options.databaseUrl);
  await prepareSchema(connection, options.migrateDatabaseUrl);
  const pool = new pg.Pool({ ...connection, max: 1, idleTimeoutMillis: 5_000 });
  pool.on('error', () => undefined);
  // `migrate` stays off: the schema stands by now, and the service's role need not be able to change it.
  const backendConnection = { ...connection, schema: QUEUE_SCHEMA, max: 2, idleTimeoutMillis: 60_000 };

  return {
    name: 'postgres',
    problem: () => undefined,
    onUsable: (callback) => callback(),
    async ping() {
      await pool.query('SELECT 1');
    },
    openQueue(queue) {
      const jobs = new Queue(queue, { connection: backendConnection, streams: { events: { maxLen: EVENTS_KEPT } } }, createPostgresBackend);
      // An announcement that fails is counted and said where it is made; an emitter without a listener would throw.
      jobs.on('error', () => undefined);
      return jobs;
    },
    openWorker(queue, process) {
      return new Worker(
        queue,
        (job) => process(job.data),
        {
          autorun: false,
          connection: backendConnection,
          concurrency: 1,
          drainDelay: IDLE_ROUND_SECONDS,
          stalledInterval: STALLED_ROUND_MS,
          runRetryDelay: 1_000,
        },
        createPostgresBackend,
      );
    },
    async close() {
      await pool.end();
    },
  };
}

interface Connection {
  readonly connectionString: string;
  readonly options: string;
  readonly connectionTimeoutMillis: number;
  readonly query_timeout: number;
  readonly keepAlive: boolean;
}

/** A wake-up need not survive a crash, so its commits do not wait for the disk. */
function connectionOf(databaseUrl: string): Connection {
  let url: URL;
  try {
    url = new URL(databaseUrl);
  } catch (error) {
    throw new QueueError('invalid_url', 'The database address cannot be read.', error);
  }
  // pg lets the address win over the config, and BullMQ hands its search_path over in `options`: so both have to be one.
  const given = url.searchParams.get('options');
  url.searchParams.delete('options');
  const options = `${given === null ? '' : `${given} `}-c synchronous_commit=off`;
  return { connectionString: url.href, options, connectionTimeoutMillis: 5_000, query_timeout: 10_000, keepAlive: true };
}

async function prepareSchema(connection: Connection, migrateDatabaseUrl: string | undefined): Promise<void> {
  await withClient(connection, async (client) => {
    if ((await schemaVersion(client)) >= LATEST_SCHEMA_VERSION) return;
    if (migrateDatabaseUrl === undefined) {
      await runMigrations(client, QUEUE_SCHEMA);
      return;
    }
    const role: unknown = (await client.query<{ role: string }>('SELECT current_user AS role')).rows[0]?.role;
    await withClient(connectionOf(migrateDatabaseUrl), async (owner) => {
      await runMigrations(owner, QUEUE_SCHEMA);
      await grantTo(owner, String(role));
    });
  });
}

/** 0 when the schema is not there, or not readable for this role. */
async function schemaVersion(client: pg.Client): Promise<number> {
  try {
    return await assertSchemaCompatibility(client, QUEUE_SCHEMA);
  } catch (error) {
    if (error instanceof Error && (error.name === 'SchemaMigrationRequiredError' || codeOf(error) === '42501' || codeOf(error) === '3F000')) return 0;
    throw error;
  }
}

async function grantTo(owner: pg.Client, role: string): Promise<void> {
  const name = owner.escapeIdentifier(role);
  await owner.query(
    `GRANT USAGE ON SCHEMA ${QUEUE_SCHEMA} TO ${name};
     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${QUEUE_SCHEMA} TO ${name};
     GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${QUEUE_SCHEMA} TO ${name};
     GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${QUEUE_SCHEMA} TO ${name};`,
  );
}

async function withClient(connection: Connection, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await work(client);
  } catch (error) {
    if (error instanceof QueueError) throw error;
    // 28xxx: invalid authorisation; 42501: insufficient privilege.
    if (/^28|^42501$/u.test(codeOf(error) ?? '')) {
      throw new QueueError(
        'access_denied',
        `PostgreSQL refused to prepare the schema ${QUEUE_SCHEMA}; give MIGRATE_DATABASE_URL a role that may create it.`,
        error,
      );
    }
    throw new QueueError('backend_unreachable', 'The queue could not be prepared on PostgreSQL.', error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
