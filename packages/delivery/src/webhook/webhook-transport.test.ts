import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { parseCallbackAllow, type CallbackPolicy } from '../address-guard.js';
import { transportConformance } from '../conformance.js';
import { decodePublicKey, signerOfPrivateKey, verifyWebhook } from '../standard-webhooks.js';
import type { OutboundMessage, Target } from '../transport.js';
import { httpHarness, LOOPBACK, SECRET } from '../testing/http-harness.js';
import { createWebhookTransport, type WebhookOptions } from './index.js';

const PRIVATE_KEY = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
const PUBLIC_KEY = decodePublicKey('whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=');

transportConformance('the webhook', () => httpHarness(createWebhookTransport));

describe('the webhook', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });
  const message: OutboundMessage = {
    id: 'msg_1',
    type: 'outcome.settled',
    body: Buffer.from('{"test": 1}'),
    attempt: 1,
    timestamp: Math.floor(Date.now() / 1000),
  };
  const untilEnd = new AbortController().signal;

  /** A transport, and a server that answers by `respond`; the requests as they came. */
  async function serving(respond: (request: IncomingMessage, response: ServerResponse) => void, options: Partial<WebhookOptions> = {}) {
    const requests: { headers: IncomingMessage['headers']; body: Buffer; method: string | undefined; path: string | undefined }[] = [];
    const connections: Socket[] = [];
    const server = createServer((request, response) => {
      void buffer(request).then((body) => {
        requests.push({ headers: request.headers, body, method: request.method, path: request.url });
        respond(request, response);
      });
    }).listen(0, '127.0.0.1');
    server.on('connection', (socket) => connections.push(socket));
    await once(server, 'listening');
    const transport = createWebhookTransport({ policy: LOOPBACK, now: Date.now, ...options });
    closers.push(async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
      await transport.close();
    });
    // A TCP server's address is an object.
    const { port } = server.address() as AddressInfo;
    const target: Target = { url: `http://127.0.0.1:${port}/hooks/countersign?a=1`, hmacSecrets: [SECRET] };
    return { transport, target, requests, connections };
  }
  const answering =
    (status: number, headers: Record<string, string> = {}) =>
    (_: IncomingMessage, response: ServerResponse) =>
      response.writeHead(status, headers).end();

  test('D1, I8: posts what the official library verifies, with a v1a signature for our public key', async () => {
    const { transport, target, requests } = await serving(answering(200), { signer: signerOfPrivateKey(PRIVATE_KEY) });
    expect(await transport.attempt(message, target, untilEnd)).toEqual({ kind: 'delivered', status: 200, disable: false });
    const [received] = requests;
    expect(received).toMatchObject({ method: 'POST', path: '/hooks/countersign?a=1', headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' } });
    if (!received) throw new Error('nothing came');
    const headers = Object.fromEntries(Object.entries(received.headers).map(([name, value]) => [name, String(value)]));
    expect(new Webhook(SECRET).verify(received.body, headers)).toEqual({ test: 1 });
    expect(verifyWebhook(received, { publicKeys: [PUBLIC_KEY] }, message.timestamp)).toMatchObject({ ok: true, scheme: 'v1a' });
  });

  test('nothing leaves unsigned', async () => {
    const { transport, target, requests } = await serving(answering(200));
    await expect(transport.attempt(message, { ...target, hmacSecrets: [] }, untilEnd)).rejects.toMatchObject({ code: 'unsignable' });
    expect(requests).toHaveLength(0);
  });

  test('messages to one origin share connections', async () => {
    const { transport, target, connections, requests } = await serving(answering(204));
    for (let count = 0; count < 5; count += 1) await transport.attempt(message, target, untilEnd);
    expect(requests).toHaveLength(5);
    // Two where a message went out before the answer to the one before was read to its end.
    expect(connections.length).toBeLessThanOrEqual(2);
  });

  test.each([
    [200, 'disable', { kind: 'delivered', status: 200, disable: true }],
    [200, 'abort-message', { kind: 'delivered', status: 200, disable: false }],
    [503, 'disable', { kind: 'gone', status: 503, disable: true }],
    [503, 'abort-message', { kind: 'gone', status: 503, disable: false }],
    [410, undefined, { kind: 'gone', status: 410, disable: true }],
  ])('%i with webhook-delivery: %s', async (status, wish, result) => {
    const { transport, target } = await serving(answering(status, wish === undefined ? {} : { 'webhook-delivery': wish }));
    expect(await transport.attempt(message, target, untilEnd)).toEqual(result);
  });

  test('an unknown webhook-delivery is passed over', async () => {
    const { transport, target } = await serving(answering(500, { 'webhook-delivery': 'party' }));
    expect(await transport.attempt(message, target, untilEnd)).toMatchObject({ kind: 'failed', status: 500 });
  });

  test('reads Retry-After as a date too', async () => {
    const now = Date.UTC(2026, 0, 1);
    const { transport, target } = await serving(answering(503, { 'retry-after': new Date(now + 42_000).toUTCString() }), { now: () => now });
    expect(await transport.attempt(message, target, untilEnd)).toMatchObject({ kind: 'failed', retryAfterSeconds: 42 });
  });

  test('an answer that stalls after a failing status still has its status', async () => {
    const { transport, target } = await serving((_, response) => response.writeHead(500).write('half of'), { attemptTimeoutMs: 200 });
    expect(await transport.attempt(message, target, untilEnd)).toMatchObject({ kind: 'failed', status: 500, answerPreview: 'half of' });
  });

  test('an answer that is not HTTP, and TLS to a server that speaks none, are named', async () => {
    const server = createTcpServer((socket) =>
      socket
        .resume()
        .on('error', () => {})
        .end('220 mail.example ESMTP\r\n'),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const transport = createWebhookTransport({ policy: LOOPBACK, now: Date.now });
    closers.push(async () => {
      await once(server.close(), 'close');
      await transport.close();
    });
    // A TCP server's address is an object.
    const { port } = server.address() as AddressInfo;
    const at = (scheme: string) => transport.attempt(message, { url: `${scheme}://127.0.0.1:${port}/`, hmacSecrets: [SECRET] }, untilEnd);
    expect(await at('http')).toMatchObject({ kind: 'failed', reason: 'protocol' });
    expect(await at('https')).toMatchObject({ kind: 'failed', reason: 'tls' });
  });

  test('I14: a name that leads to a denied address is blocked, with the reason', async () => {
    const { transport, target, connections } = await serving(answering(200), {
      policy: policyOf(''),
      resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
    });
    const { port } = new URL(target.url);
    const result = await transport.attempt(message, { ...target, url: `https://caller.example:${port}/` }, untilEnd);
    expect(result).toEqual({ kind: 'blocked', detail: 'address_not_public: 127.0.0.1 is not a public address (loopback)' });
    expect(connections).toHaveLength(0);
  });

  test('a name that does not resolve can be repeated', async () => {
    const { transport, target } = await serving(answering(200), {
      resolve: () => Promise.reject(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' })),
    });
    const result = await transport.attempt(message, { ...target, url: 'https://caller.example/' }, untilEnd);
    expect(result).toEqual({ kind: 'failed', reason: 'dns', detail: 'ENOTFOUND' });
  });
});

function policyOf(text: string): CallbackPolicy {
  const parsed = parseCallbackAllow(text);
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return { allow: parsed.allow, loopback: false };
}
