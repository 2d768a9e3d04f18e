/** `npm run bench`: every ratio that decides, in one run. See docs/performance.md. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { clusterOf } from './cluster.mjs';
import { measureGrowth } from './growth.mjs';
import { measureIdle } from './idle.mjs';
import { measureIntake } from './intake.mjs';
import { median } from './load.mjs';
import { measurePolicy } from './policy.mjs';
import { measurePress } from './press-to-callback.mjs';
import { startNaive, startProduct, startReceiver, stopAll } from './processes.mjs';
import { measureRedeem } from './redeem.mjs';
import { Report } from './report.mjs';
import { measureSlackAcks } from './slack-acks.mjs';
import { measureWarmStart } from './warm-start.mjs';
import { measureWholeFlow } from './whole-flow.mjs';
import { makeWorld } from './world.mjs';

const PARTS = ['policy', 'intake', 'flow', 'press', 'idle', 'redeem', 'growth', 'start', 'slack'];
const USAGE = `Usage: npm run bench -- [options]
  --only PART,…     of ${PARTS.join(', ')}; default: all
  --short           short rounds, for a look while you change something
  --stored N        how many stored requests "many" are; default 50000
  --profile FOLDER  writes a CPU profile of the product there (flow, press, intake, idle)
  --pending N       how many pending requests idle; default 10000`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    short: { type: 'boolean' },
    stored: { type: 'string' },
    pending: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});
const parts = new Set(options.only?.split(',') ?? PARTS);
const unknown = [...parts].filter((part) => !PARTS.includes(part));
if (options.help === true || unknown.length > 0) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(unknown.length > 0 ? 1 : 0);
}

const short = options.short === true;
const times = short ? { rounds: 2, seconds: 2, idle: 12, warmUp: 3 } : { rounds: 5, seconds: 6, idle: 40, warmUp: 15 };
const report = new Report();
const started = performance.now();
let world;
/** The middle evaluation of 100 rules; null where policy is not measured. */
let evaluateMs = null;
try {
  world = await makeWorld();
  await describeMachine();
  if (parts.has('policy')) evaluateMs = measurePolicy({ report, short });
  if (['intake', 'flow', 'press', 'idle'].some((part) => parts.has(part))) await measureOne(await world.home());
  if (parts.has('redeem')) await measureRedeem({ report, world, rounds: short ? 2 : 3, seconds: short ? 2 : 4 });
  if (parts.has('growth'))
    await measureGrowth({ report, world, few: 1000, many: Number(options.stored ?? (short ? 10_000 : 50_000)), rounds: times.rounds, seconds: times.seconds });
  if (parts.has('start')) await measureWarmStart({ report, world, rounds: short ? 3 : 9 });
  if (parts.has('slack')) await measureSlackAcks({ report, home: await world.home(), presses: short ? 50 : 300 });
  report.note(`\n  took ${Math.round((performance.now() - started) / 1000)} s`);
  report.end();
} finally {
  await stopAll();
  await world?.end();
}

/** What needs one product, one naive program and one receiver beside each other. */
async function measureOne(home) {
  const product = await startProduct({ home, ...(options.profile === undefined ? {} : { profileFolder: path.resolve(options.profile) }) });
  const cluster = clusterOf(home);
  const receiver = await startReceiver({ secret: product.webhookSecret });
  const naive = await startNaive({ databaseUrl: cluster.appUrl('naive'), secret: product.webhookSecret, log: path.join(home, 'naive.log') });
  const shared = { report, world, product, naive, cluster, receiver, ...times };
  // The flow comes first: peak RSS is that of flows.
  if (parts.has('flow')) await measureWholeFlow(shared);
  if (parts.has('press')) await measurePress({ ...shared, rounds: short ? 2 : 4, seconds: short ? 4 : 12 });
  if (parts.has('intake')) await measureIntake({ ...shared, evaluateMs });
  if (parts.has('idle')) await measureIdle({ ...shared, pending: Number(options.pending ?? 10_000), seconds: times.idle });
  await Promise.all([product.stop(), naive.stop(), receiver.stop()]);
}

async function describeMachine() {
  report.heading('Machine');
  report.note(`${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), load ${loadavg()[0].toFixed(1)} before the run`);
  report.note(
    `Node ${process.versions.node}, ${world.postgresVersion}; write and fdatasync of 8 KiB: ${Math.round(median(fsyncMicroseconds(world.folder)))} µs`,
  );
  report.note('absolute figures are of this machine; the ratios are what counts');
}

/** What a commit cannot be faster than, in microseconds. */
function fsyncMicroseconds(folder) {
  const file = openSync(path.join(folder, 'fsync'), 'w');
  const block = Buffer.alloc(8192, 1);
  const taken = Array.from({ length: 200 }, (_, index) => {
    const before = performance.now();
    writeSync(file, block, 0, block.length, (index % 64) * block.length);
    fdatasyncSync(file);
    return (performance.now() - before) * 1000;
  });
  closeSync(file);
  return taken;
}
