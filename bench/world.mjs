/**
 * Where the measurements run: homes of quickstarts made for this run alone. The product's PostgreSQL also holds the databases of what
 * it is compared with, so that both have the same server, settings and disk.
 */
import { chown, cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEmbeddedServer } from '@countersign/store';
import pg from 'pg';
import { submission } from './caller.mjs';
import { startProduct } from './processes.mjs';
import { request } from 'undici';

/** Makes the folder of the run; `end()` removes it. */
export async function makeWorld() {
  const folder = await mkdtemp(path.join(tmpdir(), 'countersign-bench-'));
  const template = path.join(folder, 'template');
  const statement = await firstStart(template);
  const postgresVersion = await addDatabases(template);
  let homes = 0;
  return {
    folder,
    postgresVersion,
    /** The product's statement that opens a request, as pg gets it. */
    statement,
    /** A home of its own with a database that was used once. */
    async home() {
      homes += 1;
      const home = path.join(folder, `home-${homes}`);
      await cp(template, home, { recursive: true, preserveTimestamps: true });
      await keepOwners(template, home);
      return home;
    },
    end: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Opens one request and catches the statement that did it. */
async function firstStart(home) {
  await mkdir(home, { mode: 0o700 });
  const product = await startProduct({ home, capture: 'open:' });
  const captured = product.message('statement');
  const headers = { authorization: `Bearer ${product.apiKey}`, 'content-type': 'application/json', 'idempotency-key': 'bench-first' };
  const { statusCode, body } = await request(`${product.url}/v1/action-requests`, {
    method: 'POST',
    headers,
    body: JSON.stringify(submission('http://127.0.0.1:8090/', 0)),
  });
  if (statusCode !== 201) throw new Error(`The first request was answered ${statusCode}: ${await body.text()}`);
  const { id } = await body.json();
  const { name, text, values } = await captured;
  await product.stop();
  return { name, text, values: values.map(unpacked), requestId: id, idempotencyKey: 'bench-first' };
}

const unpacked = (value) => (value !== null && typeof value === 'object' && 'bytes' in value ? Buffer.from(value.bytes, 'base64') : value);

/** `baseline`: the product's schema and rows, for its own statement in a tight loop. `naive`: empty. */
async function addDatabases(home) {
  const server = await startEmbeddedServer({ home });
  const admin = new pg.Client({ connectionString: server.superuserUrl });
  await admin.connect();
  await admin.query('CREATE DATABASE baseline TEMPLATE countersign');
  await admin.query('CREATE DATABASE naive OWNER countersign_app');
  const { rows } = await admin.query(`SELECT split_part(version(), ' on ', 1) || ', fsync ' || current_setting('fsync') AS version`);
  await admin.end();
  await server.stop();
  return rows[0].version;
}

/** PostgreSQL's files keep their owner: where we are root it runs under another account, and cp gives everything to us. */
async function keepOwners(from, to) {
  if (process.getuid?.() !== 0) return;
  const data = path.join('postgres', 'data');
  const { uid, gid } = await stat(path.join(from, data));
  const give = async (folder) => {
    await chown(folder, uid, gid);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const each = path.join(folder, entry.name);
      if (entry.isDirectory()) await give(each);
      else await chown(each, uid, gid);
    }
  };
  await give(path.join(to, data));
}
