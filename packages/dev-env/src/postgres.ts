import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { APP_ROLE, type EmbeddedServer, migrate, OWNER_ROLE, startEmbeddedServer } from '@countersign/store';
import pg from 'pg';

/** A migrated database of a test's own, on the real PostgreSQL. */
export interface TestDatabase {
  /** As the role that migrates. */
  ownerUrl: string;
  /** As the role that runs the service. */
  appUrl: string;
  /** As the superuser, on the same database: to do what nobody may. */
  superuserUrl: string;
  drop(): Promise<void>;
}

/**
 * A clone of the migrated template. All suites of a run share one server, started by the first that asks and ended after the last;
 * it is not durable (no fsync): what a crash leaves behind is tested on a server of one's own, by startTestServer.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const cluster = await sharedCluster();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asSuperuser(cluster, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} OWNER ${OWNER_ROLE}`);
  return {
    ownerUrl: onDatabase(cluster.ownerUrl, name),
    appUrl: onDatabase(cluster.appUrl, name),
    superuserUrl: onDatabase(cluster.superuserUrl, name),
    drop: () => asSuperuser(cluster, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** A migrated, durable server of a test's own, to be killed and started again: `start()` after `server.stop()` finds its data. */
export async function startTestServer(): Promise<{ home: string; server: EmbeddedServer; start(): Promise<EmbeddedServer>; remove(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'countersign-server-'));
  const start = (): Promise<EmbeddedServer> => startEmbeddedServer({ home });
  const server = await start();
  await migrate({ url: server.ownerUrl, appRole: APP_ROLE });
  return { home, server, start, remove: () => rm(home, { recursive: true, force: true }) };
}

/** The embedded server's own database, never connected to after it was migrated. */
const TEMPLATE = 'countersign';

type Cluster = Pick<EmbeddedServer, 'ownerUrl' | 'appUrl' | 'superuserUrl' | 'pid'>;

let shared: Promise<Cluster> | null = null;

/**
 * The run's server. Suites run in several processes: whoever makes the folder `starting` starts it, the others wait for `cluster.json`.
 * jest-global-setup.mjs names the folder and ends the server; outside jest it belongs to this process.
 */
function sharedCluster(): Promise<Cluster> {
  return (shared ??= (async () => {
    const folder = process.env['COUNTERSIGN_TEST_CLUSTER'] ?? ownFolder();
    const file = join(folder, 'cluster.json');
    const first = await mkdir(join(folder, 'starting')).then(
      () => true,
      () => false,
    );
    if (!first) return JSON.parse(await waitFor(file, join(folder, 'failed'))) as Cluster; // written below
    try {
      const server = await startEmbeddedServer({
        home: join(folder, 'home'),
        durable: false,
        maxConnections: 200,
        ownedBy: Number(process.env['COUNTERSIGN_TEST_RUN'] ?? process.pid),
      });
      await migrate({ url: server.ownerUrl, appRole: APP_ROLE });
      const cluster: Cluster = { ownerUrl: server.ownerUrl, appUrl: server.appUrl, superuserUrl: server.superuserUrl, pid: server.pid };
      await writeFile(`${file}.new`, JSON.stringify(cluster), { mode: 0o600 });
      await rename(`${file}.new`, file);
      return cluster;
    } catch (error) {
      await writeFile(join(folder, 'failed'), String(error));
      throw error;
    }
  })());
}

function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-tests-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function waitFor(file: string, failed: string): Promise<string> {
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return text;
    const why = await readFile(failed, 'utf8').catch(() => null);
    if (why !== null) throw new Error(`the tests' PostgreSQL did not start: ${why}`);
    await delay(10);
  }
}

async function asSuperuser(cluster: Cluster, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: cluster.superuserUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function onDatabase(address: string, name: string): string {
  const url = new URL(address);
  url.pathname = `/${name}`;
  return url.href;
}
