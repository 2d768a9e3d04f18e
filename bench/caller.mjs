/** What callers and approvers send: to the product, and the same to the naive program. */
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

/** The example export. `rows` differs, so that no two requests are the same action. */
export function submission(callbackUrl, rows) {
  return {
    action: 'data.export',
    resource: { type: 'postgres_table', id: 'prod.customers', labels: { data_class: 'pii', region: 'eu' } },
    parameters: { format: 'csv', rows, destination: 's3://ml-retraining/customers.csv' },
    reason: 'Retraining set for churn model v7',
    actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana@example.com' } },
    environment: 'production',
    callback: { url: callbackUrl },
  };
}

let rows = 0;

/** `submit()` gives what `approve` takes. */
export function productCaller({ url, apiKey, approver }, callbackUrl, connections) {
  const pool = new Pool(url, { connections, pipelining: 1 });
  return {
    async submit() {
      const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', 'idempotency-key': randomUUID() };
      return JSON.parse(await post(pool, '/v1/action-requests', headers, submission(callbackUrl, rows++)));
    },
    async approve({ id, action_digest }) {
      const headers = { authorization: `Bearer ${approver}`, 'content-type': 'application/json' };
      await post(pool, `/v1/action-requests/${id}/decisions`, headers, { verdict: 'approve', action_digest });
    },
    close: () => pool.close(),
  };
}

export function naiveCaller({ url }, callbackUrl, connections) {
  const pool = new Pool(url, { connections, pipelining: 1 });
  const headers = { 'content-type': 'application/json' };
  return {
    submit: async () => JSON.parse(await post(pool, '/requests', headers, submission(callbackUrl, rows++))),
    approve: ({ id }) => post(pool, `/requests/${id}/approve`, headers, { by: 'alice@example.com' }),
    close: () => pool.close(),
  };
}

async function post(pool, path, headers, body) {
  const answer = await pool.request({ method: 'POST', path, headers, body: JSON.stringify(body) });
  const text = await answer.body.text();
  if (answer.statusCode !== 201) throw new Error(`POST ${path} answered ${answer.statusCode}: ${text}`);
  return text;
}
