/** How soon Slack hears that a press arrived, also while PostgreSQL answers nothing: Slack gives up after three seconds. */
import { createHmac, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { clusterOf } from './cluster.mjs';
import { median, quantile } from './load.mjs';
import { startProduct } from './processes.mjs';
import { number } from './report.mjs';

const SECRET = 'bench-signing-secret';
/** Slack's, in milliseconds. */
const LIMIT_MS = 3_000;

export async function measureSlackAcks({ report, home, presses }) {
  report.heading('A press in Slack, from sending it to the acknowledgement: while PostgreSQL answers, and while all of its processes stand still');
  const slack = await startSlack();
  const product = await startProduct({
    home,
    environment: { SLACK_BOT_TOKEN: 'xoxb-bench', SLACK_SIGNING_SECRET: SECRET, SLACK_API_URL: `${slack.url}/api/`, SLACK_CHANNEL: 'C0BENCH00' },
  });
  const cluster = clusterOf(home);
  const pool = new Pool(product.url, { connections: 4, pipelining: 1 });
  try {
    await pressTimes(pool, 20);
    const answering = await pressTimes(pool, presses);
    cluster.signal('SIGSTOP');
    const frozen = await pressTimes(pool, presses).finally(() => cluster.signal('SIGCONT'));
    report.line(
      'p50 while it stands still, against p50 while it answers',
      median(frozen) / median(answering),
      { atMost: 3 },
      { detail: figures(answering, frozen) },
    );
    report.line('slowest of all, against the three seconds that Slack waits', Math.max(...answering, ...frozen) / LIMIT_MS, { atMost: 0.33 });
  } finally {
    await pool.close();
    await product.stop();
    slack.close();
  }
}

function figures(answering, frozen) {
  const of = (name, all) => `${name} p50 ${number(median(all))}, p99 ${number(quantile(all, 0.99))} ms`;
  return `${of('answering', answering)}; ${of('standing still', frozen)}`;
}

async function pressTimes(pool, count) {
  const found = [];
  for (let done = 0; done < count; done++) found.push(await press(pool));
  return found;
}

/** A press on Approve as Slack signs it, of a card that is nobody's: what comes after the acknowledgement is not measured. */
async function press(pool) {
  const value = JSON.stringify({ request_id: `ar_${randomUUID()}`, request_digest: `sha256:${'0'.repeat(64)}` });
  const now = Date.now() / 1_000;
  const payload = {
    type: 'block_actions',
    team: { id: 'T0BENCH', domain: 'bench' },
    user: { id: 'U0BENCH', team_id: 'T0BENCH' },
    api_app_id: 'A0BENCH',
    trigger_id: randomUUID(),
    container: { type: 'message', channel_id: 'C0BENCH00', message_ts: '1.1' },
    channel: { id: 'C0BENCH00', name: 'bench' },
    actions: [{ type: 'button', block_id: 'b', action_id: 'countersign_approve', value, action_ts: String(now) }],
  };
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  const stamp = String(Math.floor(now));
  const signature = `v0=${createHmac('sha256', SECRET).update(`v0:${stamp}:${body}`).digest('hex')}`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-slack-request-timestamp': stamp, 'x-slack-signature': signature };
  const started = performance.now();
  const answer = await pool.request({ method: 'POST', path: '/slack/events', headers, body });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`A press was answered ${answer.statusCode}`);
  return performance.now() - started;
}

/** A Slack that says yes to everything. */
async function startSlack() {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ ok: true, team_id: 'T0BENCH', user_id: 'U0BOT', bot_id: 'B0BENCH', app_id: 'A0BENCH', channel: { id: 'C0BENCH00' }, ts: '1.1' }),
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
