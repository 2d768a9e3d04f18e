/** 6. From starting the program on an existing home to the first request that it accepts, against a program with the same weights. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { submission } from './caller.mjs';
import { interleaved, median } from './load.mjs';
import { clockMs, freePort, productMain } from './processes.mjs';
import { number } from './report.mjs';

export async function measureWarmStart({ report, world, rounds }) {
  report.heading('Warm start: from the start of the program on an existing home to its first accepted request');
  const [ours, theirs] = [await world.home(), await world.home()];
  const { api_key } = JSON.parse(readFileSync(path.join(ours, 'quickstart.json'), 'utf8'));
  const baseline = path.join(import.meta.dirname, 'bare-start/main.mjs');
  const [product, bare] = await interleaved(rounds, [() => once(productMain, ours, api_key), () => once(baseline, theirs, api_key)]);
  report.line(
    'warm start',
    median(product) / median(bare),
    { atMost: 3 },
    {
      detail: `${number(median(product))} ms of ${number(median(bare))} ms: a program that imports the same SDKs and starts the same PostgreSQL`,
    },
  );
}

async function once(file, home, apiKey) {
  const port = await freePort();
  const started = clockMs();
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port), COUNTERSIGN_HOME: home },
    stdio: 'ignore',
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let ended = false;
  void exited.then(() => (ended = true));
  try {
    while (!(await accepted(port, apiKey))) {
      if (ended) throw new Error(`${file} ended before it accepted a request.`);
      await delay(5);
    }
    return clockMs() - started;
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

/** Whether a submission is answered 201. Not listening yet is no error. */
function accepted(port, apiKey) {
  const body = JSON.stringify(submission('http://127.0.0.1:8090/', 1));
  const headers = {
    authorization: `Bearer ${apiKey}`,
    'content-type': 'application/json',
    'idempotency-key': randomUUID(),
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve) => {
    const sent = request(
      { host: '127.0.0.1', port, method: 'POST', path: '/v1/action-requests', headers, agent: new Agent({ keepAlive: false }) },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode === 201));
      },
    );
    sent.on('error', () => resolve(false));
    sent.end(body);
  });
}
