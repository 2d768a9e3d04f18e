/** 7. Spending grants: how many a second, how many win one grant, and how long a killed worker's callback waits. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { interleaved, median } from './load.mjs';
import { clockMs, startProduct } from './processes.mjs';

const ACTION = { action: 'bench.run', resource: { type: 'job', id: 'nightly' }, actor: { type: 'agent', id: 'retrainer' } };

export async function measureRedeem({ report, world, rounds, seconds }) {
  const home = await world.home();
  let product = await startProduct({ home });
  report.heading('Grants: redeemed over HTTP at c=32, against opening a request that policy allows (which issues the grant) at c=32');
  const pool = new Pool(product.url, { connections: 32, pipelining: 1 });
  const headers = { authorization: `Bearer ${product.apiKey}`, 'content-type': 'application/json' };
  const post = async (path, body, more = {}) => {
    const answer = await pool.request({ method: 'POST', path, headers: { ...headers, ...more }, body: JSON.stringify(body) });
    return { status: answer.statusCode, json: await answer.body.json() };
  };
  const open = (body = ACTION) => post('/v1/action-requests', body, { 'idempotency-key': randomUUID() });
  const redeem = (grant) => post('/v1/grants/redeem', { grant, action: ACTION });

  /** So many at a time for that long; how many a second. */
  const rate = async (task) => {
    const until = clockMs() + seconds * 1000;
    const started = clockMs();
    let done = 0;
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        while (clockMs() < until && (await task())) done += 1;
      }),
    );
    return (done * 1000) / (clockMs() - started);
  };
  const grants = [];
  const [opened, redeemed] = await interleaved(rounds, [
    () => rate(async () => grants.push((await open()).json.outcome.grant)),
    () =>
      rate(async () => {
        const grant = grants.pop();
        if (grant === undefined) return false;
        const { status } = await redeem(grant);
        if (status !== 200) throw new Error(`A redemption answered ${status}.`);
        return true;
      }),
  ]);
  report.line(
    'redemptions a second against requests a second',
    median(redeemed) / median(opened),
    { atLeast: 1 },
    { detail: `${Math.round(median(redeemed))}/s of ${Math.round(median(opened))}/s` },
  );

  const { grant } = (await open()).json.outcome;
  const answers = await Promise.all(Array.from({ length: 1000 }, () => redeem(grant)));
  const winners = answers.filter(({ status }) => status === 200).length;
  report.line(
    'winners among 1,000 concurrent redemptions of one grant',
    winners,
    { atMost: 1 },
    { detail: `${answers.filter(({ status }) => status === 409).length} were told that it is redeemed` },
  );

  const taken = await takeover({ home, open, product, restart: async () => (product = await startProduct({ home })) });
  report.line(
    'a killed worker’s callback: from the kill to its arrival',
    taken.seconds,
    { atMost: 15 },
    { unit: ' s', detail: 'kill -9 during the attempt, started again at once, lease 10 s' },
  );
  await pool.close();
  await product.stop();
}

/** A receiver that lets the first attempt hang, so that the worker dies holding it. */
async function takeover({ open, product, restart }) {
  let attempts = 0;
  let tell = () => {};
  const receiver = createServer((request, response) => {
    request.resume();
    attempts += 1;
    tell();
    if (attempts > 1) response.writeHead(204).end();
  });
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const attempted = (count) =>
    new Promise((resolve) => {
      tell = () => (attempts >= count ? resolve(clockMs()) : undefined);
      tell();
    });
  await open({ ...ACTION, callback: { url: `http://127.0.0.1:${receiver.address().port}/` } });
  await attempted(1);
  const killed = clockMs();
  product.child.kill('SIGKILL');
  await product.exited;
  await restart();
  const arrived = await attempted(2);
  receiver.closeAllConnections();
  receiver.close();
  return { seconds: (arrived - killed) / 1000 };
}
