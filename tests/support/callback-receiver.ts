import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** One attempt as it arrived. */
export interface Attempt {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** The parsed body; `any`, since tests say themselves what they expect of it. */
  json: any;
}

/** The caller's side: takes callbacks and answers them as it is told. */
export interface CallbackReceiver {
  /** Without a path. */
  url: string;
  attempts: Attempt[];
  /** What attempts are answered with from now on; 204 at first. */
  answerWith(status: number): void;
  /** The first attempts of a request, once there are so many. */
  of(requestId: string, count?: number, withinMs?: number): Promise<Attempt[]>;
  close(): Promise<void>;
}

/** @param port a free one unless told. */
export async function startCallbackReceiver(port = 0): Promise<CallbackReceiver> {
  const attempts: Attempt[] = [];
  const watchers = new Set<() => void>();
  let status = 204;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      attempts.push({ path: request.url ?? '', headers: request.headers, body, json: JSON.parse(body) });
      response.writeHead(status).end();
      for (const look of [...watchers]) look();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  // A TCP server that listens has an AddressInfo.
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${taken}`,
    attempts,
    answerWith: (next) => void (status = next),
    of: (requestId, count = 1, withinMs = 30_000) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = attempts.filter(({ json }) => json.data.action_request === requestId);
          if (found.length < count) return;
          end();
          resolve(found.slice(0, count));
        };
        const end = (): void => {
          clearTimeout(deadline);
          watchers.delete(look);
        };
        const deadline = setTimeout(() => {
          end();
          reject(new Error(`waited in vain for ${count} callbacks of ${requestId}; ${attempts.length} came for all`));
        }, withinMs);
        watchers.add(look);
        look();
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Verifies with the official package, whose throw says why not; gives the outcome. `any`, as in Attempt. */
export function verifiedByOfficialPackage(attempt: Attempt, secret: string): any {
  return new Webhook(secret).verify(attempt.body, signatureHeaders(attempt));
}

/** Whether exactly one `v1a` signature stands on it, and a published Ed25519 key made it (Standard Webhooks, asymmetric scheme). */
export function verifiedByPublishedKey(attempt: Attempt, keys: readonly JsonWebKey[]): boolean {
  const headers = signatureHeaders(attempt);
  const signed = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${attempt.body}`);
  const signatures = headers['webhook-signature'].split(' ').filter((entry) => entry.startsWith('v1a,'));
  const [signature] = signatures;
  if (signature === undefined || signatures.length !== 1) return false;
  return keys.some((key) => verify(null, signed, createPublicKey({ key, format: 'jwk' }), Buffer.from(signature.slice('v1a,'.length), 'base64')));
}

function signatureHeaders({ headers }: Attempt): { 'webhook-id': string; 'webhook-timestamp': string; 'webhook-signature': string } {
  const one = (name: string): string => {
    const value = headers[name];
    if (typeof value !== 'string') throw new Error(`the callback has no ${name}`);
    return value;
  };
  return { 'webhook-id': one('webhook-id'), 'webhook-timestamp': one('webhook-timestamp'), 'webhook-signature': one('webhook-signature') };
}
