/**
 * Loaded with --import into each server that is measured: answers over IPC what the process has used. Where BENCH_CAPTURE is set it
 * also hands over the first statement of that name as pg gets it, so that the baseline runs the very statement of the product.
 */
import { createRequire } from 'node:module';

process.on('message', (message) => {
  if (message !== 'usage') return;
  const { maxRSS } = process.resourceUsage();
  process.send({ usage: { cpuMs: cpuMs(process.cpuUsage()), peakRssBytes: maxRSS * 1024, rssBytes: process.memoryUsage.rss() } });
});
// Being measured must not keep a server alive.
process.channel?.unref();

const wanted = process.env.BENCH_CAPTURE;
if (wanted !== undefined) {
  const { Client } = createRequire(new URL('../packages/store/package.json', import.meta.url))('pg');
  const { query } = Client.prototype;
  Client.prototype.query = function captured(statement, ...rest) {
    if (typeof statement?.name === 'string' && statement.name.startsWith(wanted)) {
      process.send({ statement: { name: statement.name, text: statement.text, values: statement.values.map(packed) } });
    }
    return Reflect.apply(query, this, [statement, ...rest]);
  };
}

function cpuMs({ user, system }) {
  return (user + system) / 1000;
}

/** IPC is JSON: bytes go as an object. */
function packed(value) {
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value;
}
