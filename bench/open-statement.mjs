/** The product's open statement without the product: in a tight loop of prepared statements through pg, and through pgbench. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { closedLoop } from './load.mjs';

const run = promisify(execFile);

/** A loop over `concurrency` connections; call the result for each round, and `end` it. */
export async function pgLoop(statement, connectionString, concurrency) {
  const clients = Array.from({ length: concurrency }, () => new pg.Client({ connectionString }));
  await Promise.all(clients.map((client) => client.connect()));
  const fresh = freshValues(statement);
  return {
    round: (seconds) => closedLoop(concurrency, seconds, (worker) => clients[worker].query({ name: statement.name, text: statement.text, values: fresh() })),
    end: () => Promise.all(clients.map((client) => client.end())),
  };
}

/** The captured values with ids of their own each time. */
function freshValues({ values, requestId, idempotencyKey }) {
  const kinds = values.map((value) => (value === requestId ? 'request' : value === idempotencyKey ? 'key' : isUuid(value) ? 'uuid' : 'same'));
  return () => {
    const digits = randomBytes(16).toString('hex');
    const uuid = `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
    return values.map((value, index) => {
      switch (kinds[index]) {
        case 'request':
          return `ar_${uuid}`;
        case 'key':
        case 'uuid':
          return uuid;
        default:
          return value;
      }
    });
  };
}

const isUuid = (value) => typeof value === 'string' && /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{22}$/.test(value);

/** Whether pgbench is here. */
export const hasPgbench = () =>
  run('pgbench', ['--version']).then(
    () => true,
    () => false,
  );

/** The same through pgbench: ids come from its own random numbers, everything else stands in the text. */
export async function pgbenchScript(statement, folder) {
  const { text, values, requestId, idempotencyKey } = statement;
  const filled = text.replaceAll(/\$(\d+)/g, (_, number) => {
    const value = values[Number(number) - 1];
    if (value === requestId) return `('ar_' || lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0'))`;
    if (value === idempotencyKey) return `(lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0'))`;
    if (isUuid(value)) return `(lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0'))`;
    return literal(value);
  });
  const file = path.join(folder, 'open.pgbench');
  const random = (name) => `\\set ${name} random(1, 9223372036854775806)`;
  await writeFile(file, `${random('a')}\n${random('b')}\n${filled.replaceAll(/\s+/g, ' ')};\n`);
  return file;
}

export async function pgbenchRound(file, { port, appPassword }, concurrency, seconds) {
  const args = [
    '-h',
    '127.0.0.1',
    '-p',
    String(port),
    '-U',
    'countersign_app',
    '-n',
    '-M',
    'prepared',
    '-c',
    String(concurrency),
    '-j',
    '1',
    '-T',
    String(Math.max(1, Math.round(seconds))),
    '-f',
    file,
    'baseline',
  ];
  const { stdout } = await run('pgbench', args, { env: { ...process.env, PGPASSWORD: appPassword } });
  const rate = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  if (!(rate > 0)) throw new Error(`pgbench did not say its rate: ${stdout}`);
  return { perSecond: rate };
}

/** As E'…' text, with no colon in it: pgbench would take one for a variable. */
function literal(value) {
  if (value === null || value === undefined) return 'NULL';
  if (value instanceof Uint8Array) return `'\\x${Buffer.from(value).toString('hex')}'`;
  if (typeof value === 'number') return String(value);
  const text = Array.isArray(value) ? `{${value.map((item) => `"${item}"`).join(',')}}` : String(value);
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll(':', '\\x3a').replaceAll('\n', '\\n')}'`;
}
