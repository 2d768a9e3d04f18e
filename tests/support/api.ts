import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';

/** An answer as it came over the wire. */
export interface Reply {
  status: number;
  headers: Record<string, string | undefined>;
  bytes: Buffer;
  text: string;
  /** The parsed body; null when there is none. `any`, since tests say themselves what they expect of it. */
  json: any;
}

export interface CallOptions {
  /** A token or key for Authorization; none by default. */
  as?: string;
  body?: unknown;
  /** Bytes as they are, instead of `body`. */
  raw?: string | Buffer;
  headers?: Record<string, string | string[]>;
}

export interface Api {
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  /** Submits a request under a new idempotency key unless one is given. */
  submit(as: string, body: object, options?: CallOptions & { key?: string }): Promise<Reply>;
  decide(as: string, request: { id: string; request_digest: string }, verdict: 'approve' | 'deny', reason?: string): Promise<Reply>;
  /** The request once it is settled. */
  settled(as: string, id: string): Promise<Reply>;
}

/** The example of the quickstart, without a callback. */
export const EXPORT = {
  action: 'data.export',
  resource: { type: 'postgres_table', id: 'prod.customers' },
  parameters: { format: 'csv', rows: 48211, destination: 's3://ml-retraining/customers.csv' },
  reason: 'Retraining set for churn model v7',
  actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana@example.com' } },
  environment: 'production',
};

/** What a redeemer sends of a submission: the members that run. */
export function actionOf(submission: typeof EXPORT): object {
  const { action, resource, parameters, actor, environment } = submission;
  return { action, resource, parameters, actor, environment };
}

const agent = new Agent({ keepAlive: false });

/** Calls over plain HTTP, where a test says every header itself. Rejects when the connection breaks. */
export function apiOf(port: number, host: string): Api {
  const call: Api['call'] = (method, path, { as, body, raw, headers = {} } = {}) => {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const sent = httpRequest(
        {
          host: '127.0.0.1',
          port,
          method,
          path,
          agent,
          headers: {
            host,
            ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
            ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const bytes = Buffer.concat(chunks);
            const text = bytes.toString('utf8');
            const flat = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
            resolve({
              status: response.statusCode ?? 0,
              headers: flat,
              bytes,
              text,
              json: /json/.test(flat['content-type'] ?? '') && text !== '' ? JSON.parse(text) : null,
            });
          });
        },
      );
      sent.on('error', reject);
      sent.end(payload);
    });
  };
  return {
    call,
    submit: (as, body, { key = randomUUID(), headers = {}, ...rest } = {}) =>
      call('POST', '/v1/action-requests', { as, body, headers: { 'idempotency-key': key, ...headers }, ...rest }),
    decide: (as, { id, request_digest }, verdict, reason) =>
      call('POST', `/v1/action-requests/${id}/decisions`, { as, body: { verdict, request_digest, ...(reason === undefined ? {} : { reason }) } }),
    settled: (as, id) => call('GET', `/v1/action-requests/${id}?wait=30`, { as }),
  };
}
