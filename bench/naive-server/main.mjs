/**
 * What somebody would write in an afternoon, for comparison: Express, pg, one row per request, and a callback by fetch with an HMAC.
 * No policy, no people, no card, no ledger, no encryption, no idempotency, no retry: a crash after the answer loses the callback.
 */
import { createHmac, randomUUID } from 'node:crypto';
import express from 'express';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.NAIVE_DATABASE_URL, max: 16 });
const secret = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace(/^whsec_/, ''), 'base64');

await pool.query(`CREATE TABLE IF NOT EXISTS requests (
  id text PRIMARY KEY, status text NOT NULL, body jsonb NOT NULL, callback text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), decided_by text, decided_at timestamptz)`);

const app = express();
app.use(express.json());

app.get('/healthz', (_request, response) => response.json({ status: 'ok' }));

app.post('/requests', async (request, response) => {
  const id = `ar_${randomUUID()}`;
  await pool.query({
    name: 'insert',
    text: `INSERT INTO requests (id, status, body, callback) VALUES ($1, 'pending', $2, $3)`,
    values: [id, JSON.stringify(request.body), request.body.callback.url],
  });
  response.status(201).json({ id, status: 'pending' });
});

app.post('/requests/:id/approve', async (request, response) => {
  const { rows } = await pool.query({
    name: 'approve',
    text: `UPDATE requests SET status = 'approved', decided_by = $2, decided_at = now() WHERE id = $1 AND status = 'pending' RETURNING callback, decided_at`,
    values: [request.params.id, request.body.by],
  });
  if (rows.length === 0) return response.status(409).json({ error: 'already settled' });
  response.status(201).json({ id: request.params.id, status: 'approved' });
  const [{ callback, decided_at }] = rows;
  await notify(callback, request.params.id, {
    type: 'outcome.settled',
    timestamp: decided_at,
    data: { action_request: request.params.id, status: 'approved', by: request.body.by },
  });
});

async function notify(url, id, event) {
  const body = JSON.stringify(event);
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  const headers = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${signature}` };
  const answer = await fetch(url, { method: 'POST', headers, body });
  await answer.arrayBuffer();
}

app.listen(Number(process.env.PORT), '127.0.0.1');
