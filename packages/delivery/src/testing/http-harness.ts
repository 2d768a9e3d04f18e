/** A real HTTP receiver with the behaviours of the conformance suite, around any transport that posts. Not exported from the package. */
import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { CallbackPolicy } from '../address-guard.js';
import type { ReceivedMessage, ReceiverBehaviour, TransportHarness } from '../conformance.js';
import type { SignedPostOptions } from '../signed-post/signed-post.js';
import type { Transport } from '../transport.js';

export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
export const LOOPBACK: CallbackPolicy = { allow: [], loopback: true };

export async function httpHarness(create: (options: SignedPostOptions) => Transport): Promise<TransportHarness> {
  const receiver = await startReceiver();
  const options: SignedPostOptions = { policy: LOOPBACK, now: Date.now };
  const transports = [create(options), create({ ...options, attemptTimeoutMs: 200 }), create({ ...options, policy: { allow: [], loopback: false } })] as const;
  const [transport, impatient, guarded] = transports;
  const target = { url: `http://127.0.0.1:${receiver.port}/hook`, hmacSecrets: [SECRET] };
  return {
    ...receiver,
    transport,
    impatient,
    guarded,
    target,
    denied: { ...target, url: `https://127.0.0.1:${receiver.port}/hook` },
    deaf: { ...target, url: `http://127.0.0.1:${await unusedPort()}/hook` },
    async close() {
      await receiver.close();
      for (const each of transports) await each.close();
    },
  };
}

async function startReceiver() {
  let behaviour: ReceiverBehaviour = { kind: 'accept' };
  const received: ReceivedMessage[] = [];
  let connections = 0;
  let strayed = 0;
  const arrivals = new EventEmitter();
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      if (request.url === '/elsewhere') strayed += 1;
      else received.push({ id: String(request.headers['webhook-id']), body });
      answer(behaviour, response);
      arrivals.emit('arrival');
    });
  }).listen(0, '127.0.0.1');
  server.on('connection', () => (connections += 1));
  await once(server, 'listening');
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    behave: (next: ReceiverBehaviour) => void (behaviour = next),
    received: () => received,
    connections: () => connections,
    strayed: () => strayed,
    arrival: async () => {
      if (received.length === 0) await once(arrivals, 'arrival');
    },
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

function answer(behaviour: ReceiverBehaviour, response: ServerResponse): void {
  switch (behaviour.kind) {
    case 'accept':
      response.writeHead(204).end();
      return;
    case 'accept_endlessly':
    case 'fail_endlessly':
      response.writeHead(behaviour.kind === 'accept_endlessly' ? 200 : 500);
      response.on('error', () => {});
      pour(response);
      return;
    case 'fail':
      response
        .writeHead(behaviour.status, behaviour.retryAfterSeconds === undefined ? {} : { 'retry-after': String(behaviour.retryAfterSeconds) })
        .end(behaviour.text);
      return;
    case 'redirect':
      response.writeHead(behaviour.status, { location: '/elsewhere' }).end();
      return;
    case 'hang':
      return;
    case 'drop':
      response.destroy();
      return;
    case 'gone':
      response.writeHead(410).end();
      return;
    default:
      behaviour satisfies never;
  }
}

/** Writes as long as somebody reads. */
function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write(Buffer.alloc(4096, 'x')));
  if (!response.destroyed) response.once('drain', () => pour(response));
}

/** A port where nobody listens: taken, and given back. */
async function unusedPort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}
