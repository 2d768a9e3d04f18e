/**
 * Loaded with --import into each server that is measured: answers over IPC what the process has used. Where BENCH_CAPTURE is set it
 * also hands over the first statement of that name as pg gets it, so that the baseline runs the very statement of the product.
 */
import { createRequire } from 'node:module';

process.on('message', (message) => {
  if (message !== 'usage') return;
  const { maxRSS } = process.resourceUsage();
  process.send({
    usage: { cpuMs: cpuMs(process.cpuUsage()), userMs: process.cpuUsage().user / 1000, peakRssBytes: maxRSS * 1024, rssBytes: process.memoryUsage.rss() },
  });
});
// Being measured must not keep a server alive.
process.channel?.unref();

const wanted = process.env.BENCH_CAPTURE;
const timed = process.env.BENCH_STATEMENTS === undefined ? null : new Map();
if (wanted !== undefined || timed !== null) {
  const { Client } = createRequire(new URL('../packages/store/package.json', import.meta.url))('pg');
  const { query } = Client.prototype;
  Client.prototype.query = function watched(statement, ...rest) {
    const name = typeof statement === 'string' ? statement : (statement?.name ?? statement?.text);
    if (wanted !== undefined && typeof name === 'string' && name.startsWith(wanted)) {
      process.send({ statement: { name: statement.name, text: statement.text, values: statement.values.map(packed) } });
    }
    const result = Reflect.apply(query, this, [statement, ...rest]);
    if (timed !== null && typeof result?.then === 'function') time(String(name).trim().slice(0, 60), result);
    return result;
  };
}

if (timed !== null) {
  process.on('message', (message) => {
    if (message === 'statements') process.send({ statements: [...timed].map(([name, { count, ms }]) => ({ name, count, ms })) });
  });
  process.channel?.unref();
}

function time(name, result) {
  const started = performance.now();
  const ended = () => {
    const known = timed.get(name) ?? { count: 0, ms: 0 };
    timed.set(name, { count: known.count + 1, ms: known.ms + performance.now() - started });
  };
  result.then(ended, ended);
}

function cpuMs({ user, system }) {
  return (user + system) / 1000;
}

/** IPC is JSON: bytes go as an object. */
function packed(value) {
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value;
}
