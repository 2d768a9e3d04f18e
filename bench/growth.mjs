/** 5. What a request costs beside many stored ones, against few; and how many bytes one leaves behind. */
import { setTimeout as delay } from 'node:timers/promises';
import { productCaller, submission } from './caller.mjs';
import { clusterOf } from './cluster.mjs';
import { interleaved, median, sum, times } from './load.mjs';
import { startProduct, startReceiver } from './processes.mjs';
import { number } from './report.mjs';
import { flows } from './whole-flow.mjs';

/** How many requests went the whole way before they are multiplied. */
const TEMPLATES = 100;
const CONCURRENCY = 8;

export async function measureGrowth({ report, world, few, many, rounds, seconds }) {
  report.heading(`Cost of a whole flow beside ${many} stored requests against ${few} (c=${CONCURRENCY})`);
  const [small, large] = [await side(world, few), await side(world, many)];
  try {
    const [beside, alone] = await interleaved(rounds, [
      () => flows(large, large.receiver, seconds, CONCURRENCY),
      () => flows(small, small.receiver, seconds, CONCURRENCY),
    ]);
    const time = (results) => median(results.map(({ perSecond }) => 1000 / perSecond));
    const cpu = (results) => sum(results.map(({ cpuMs }) => cpuMs)) / sum(results.map(({ ended }) => ended));
    report.line(
      'time per flow',
      time(beside) / time(alone),
      { atMost: 1.5 },
      { detail: `${number(time(beside))} ms against ${number(time(alone))} ms; the process's CPU ${number(cpu(beside) / cpu(alone))}×` },
    );
    const payload = Buffer.byteLength(JSON.stringify(submission('http://127.0.0.1:40000/', 12345)));
    const whole = sum(Object.values(large.bytes));
    report.line(
      'bytes per stored request and its whole life, over payload',
      (whole - payload) / 1024,
      { atMost: 1.5 },
      { unit: ' KiB', detail: `${Math.round(whole)} bytes with a payload of ${payload}` },
    );
    report.note(
      `by table, with indexes: ${Object.entries(large.bytes)
        .filter(([, bytes]) => bytes >= 1)
        .toSorted(([, a], [, b]) => b - a)
        .map(([table, bytes]) => `${table} ${Math.round(bytes)}`)
        .join(', ')}`,
    );
  } finally {
    for (const each of [small, large]) await each.end();
  }
}

/** A product of its own with that many requests that went the whole way, its ledger sequenced. */
async function side(world, stored) {
  const home = await world.home();
  let program = await startProduct({ home });
  const receiver = await startReceiver({ secret: program.webhookSecret });
  let caller = productCaller(program, receiver.url, CONCURRENCY);
  await times(Math.min(stored, TEMPLATES), CONCURRENCY, async () => {
    const submitted = await caller.submit();
    const arrived = receiver.arrival(submitted.id);
    await caller.approve(submitted);
    await arrived;
  });
  const admin = await clusterOf(home).admin('countersign');
  await sequenced(admin);
  await admin.query('VACUUM (FULL, ANALYZE)');
  const before = await sizes(admin);
  const copies = Math.floor(stored / TEMPLATES) - 1;
  if (copies > 0) await multiply(admin, copies);
  await sequenced(admin);
  const after = await sizes(admin);
  await admin.query('VACUUM (ANALYZE)');
  await admin.query('CHECKPOINT');
  await admin.end();
  const added = Math.max(1, copies * TEMPLATES);
  const bytes = Object.fromEntries(Object.entries(after).map(([table, size]) => [table, (size - (before[table] ?? 0)) / added]));
  return {
    program,
    caller,
    receiver,
    bytes,
    async end() {
      await caller.close();
      await program.stop();
      await receiver.stop();
    },
  };
}

/**
 * Stored requests multiplied by copying rows with ids of their own: the last 48 bits of a request's UUID become the copy's number. Leaves are
 * left for the product's own sequencer, so that the ledger stays one that verifies.
 */
async function multiply(admin, copies) {
  const id = (column) => `left(${column}, -12) || lpad(to_hex(n), 12, '0')`;
  const uuid = (column) => `(left(${column}::text, -12) || lpad(to_hex(n), 12, '0'))::uuid`;
  const changed = {
    action_requests: { id: id('id') },
    idempotency_keys: { key: "key || '-' || n", request_id: id('request_id') },
    decisions: { id: id('id'), request_id: id('request_id') },
    outcomes: { id: id('id'), request_id: id('request_id') },
    grants: { id: id('id'), request_id: id('request_id') },
    deliveries: { id: id('id'), request_id: id('request_id') },
    delivery_attempts: { delivery_id: id('delivery_id') },
    ledger_leaves: { id: uuid('id'), subject: id('subject') },
  };
  // In steps, so that the order of rows is that of time, as it is where requests come one after the other.
  const step = 100;
  for (let from = 1; from <= copies; from += step) {
    const to = Math.min(copies, from + step - 1);
    for (const [table, expressions] of Object.entries(changed)) {
      const { rows } = await admin.query(
        'SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum',
        [table],
      );
      const columns = rows.map(({ name }) => name);
      const picked = columns.map((name) => expressions[name] ?? `"${name}"`);
      await admin.query(
        `INSERT INTO ${table} (${columns.map((name) => `"${name}"`).join(', ')}) SELECT ${picked.join(', ')} FROM generate_series(${from}, ${to}) n, ${templatesOf(table)} t`,
      );
    }
    await admin.query(
      `INSERT INTO ledger_unplaced (tenant, leaf_id) SELECT tenant, ${uuid('id')} FROM generate_series(${from}, ${to}) n, ${templatesOf('ledger_leaves')} t`,
    );
  }
}

/** The rows that were there before. Copies have a number in the last 48 bits, below 2^32; what is random there is above it but for one in 65,536. */
function templatesOf(table) {
  const column =
    { idempotency_keys: 'request_id', decisions: 'request_id', outcomes: 'request_id', grants: 'request_id', delivery_attempts: 'delivery_id' }[table] ?? 'id';
  return `(SELECT * FROM ${table} WHERE substr(right(${column}::text, 12), 1, 4) <> '0000')`;
}

/** Waits until the product's sequencer has placed every leaf. */
async function sequenced(admin) {
  for (;;) {
    const { rows } = await admin.query('SELECT EXISTS (SELECT FROM ledger_unplaced) AS waiting');
    if (!rows[0].waiting) return;
    await delay(250);
  }
}

async function sizes(admin) {
  const { rows } = await admin.query(
    `SELECT relname AS table, pg_total_relation_size(oid) AS bytes FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
  );
  return Object.fromEntries(rows.map(({ table, bytes }) => [table, Number(bytes)]));
}
