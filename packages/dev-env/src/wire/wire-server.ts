import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * The ground that the fake chat platforms stand on: an HTTP server on loopback that keeps a record of all traffic and
 * fails on demand in the ways in which networks fail.
 */
export async function startWireServer(options: WireServerOptions): Promise<WireServer> {
  const traffic: Exchange[] = [];
  const orders: Order[] = [];
  const held = new Set<() => void>();
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const look of [...watchers]) look();
  };

  const server = createServer((request, response) => {
    // A fault of the fake itself must not look like one of the platform's: it is a 500 that says so.
    serve(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(`the fake server failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    });
  });

  server.on('upgrade', (request, socket) => {
    if (options.upgrade === undefined) socket.destroy();
    else options.upgrade(request, socket);
  });

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? '/', 'http://localhost');
    const body = await readBody(message);
    const head = { method: message.method ?? 'GET', path: url.pathname, query: url.searchParams, headers: message.headers, body };
    const request: WireRequest = { name: options.nameOf(head.method, head.path), ...head };
    const exchange: Exchange = { request, fault: null, answer: null };
    traffic.push(exchange);

    const fault = takeFault(orders, request);
    exchange.fault = fault?.kind ?? null;
    if (fault?.kind === 'reset') {
      message.socket.destroy();
    } else if (fault?.kind === 'hang') {
      await released(held, message, changed);
      message.socket.destroy();
    } else {
      const answer = fault?.kind === 'answer' ? fault.answer : await options.handle(request);
      if (fault?.kind === 'hold_answer') await released(held, message, changed);
      if (fault?.kind === 'lose_answer') {
        message.socket.destroy();
      } else {
        exchange.answer = answer;
        response.writeHead(answer.status, answer.headers ?? {});
        response.end(answer.body);
      }
    }
    changed();
  }

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  const stop = async () => {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    for (const release of [...held]) release();
    server.closeAllConnections();
    await closed;
  };

  await listen(0);
  // A TCP server that listens has an AddressInfo; only pipes have a string and only closed servers null.
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${String(port)}`,
    traffic,
    changed,
    fail: (name, fault, when = {}) => {
      orders.push({ name, fault, left: when.times ?? 1, skip: when.skip ?? 0 });
    },
    heal: () => {
      orders.length = 0;
      for (const release of [...held]) release();
    },
    refuse: stop,
    accept: async () => {
      if (!server.listening) await listen(port);
    },
    close: stop,
    until: (probe, what, withinMs = 30_000) =>
      new Promise((resolve, reject) => {
        const look = () => {
          try {
            const found = probe();
            if (found === undefined || found === null || found === false) return;
            end();
            resolve(found);
          } catch (error) {
            end();
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        };
        const deadline = setTimeout(() => {
          end();
          reject(
            new Error(
              `waited in vain for ${what}; traffic: ${traffic.map((one) => `${one.request.name} ${String(one.answer?.status ?? one.fault)}`).join(', ')}`,
            ),
          );
        }, withinMs);
        const end = () => {
          clearTimeout(deadline);
          watchers.delete(look);
        };
        watchers.add(look);
        look();
      }),
  };
}

export interface WireServerOptions {
  /** The name of the operation that a request calls, for the record and for faults. */
  nameOf(method: string, path: string): string;
  handle(request: WireRequest): Promise<WireAnswer> | WireAnswer;
  /** Takes a connection over, for a WebSocket; without it such a request is refused. */
  upgrade?(request: IncomingMessage, socket: Duplex): void;
}

export interface WireRequest {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One request and what became of it: its answer, or null where the caller got none. */
export interface Exchange {
  readonly request: WireRequest;
  fault: Fault['kind'] | null;
  answer: WireAnswer | null;
}

/**
 * `reset`: the connection dies and nothing was done. `hang`: nothing is done and nothing is said until `heal`.
 * `lose_answer`: it is done, and the connection dies before the answer. `hold_answer`: it is done, and the answer comes
 * at `heal`. `answer`: nothing is done and this is said.
 */
export type Fault =
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'lose_answer' }
  | { readonly kind: 'hold_answer' }
  | { readonly kind: 'answer'; readonly answer: WireAnswer };

export interface WireServer {
  /** Without a trailing slash. */
  readonly url: string;
  /** All requests in the order in which they came. */
  readonly traffic: readonly Exchange[];
  /** Tells those who wait in `until` that something changed. */
  changed(): void;
  /** Lets the next `times` (1) calls of the operation fail, after `skip` (0) that pass. */
  fail(name: string | RegExp, fault: Fault, when?: { readonly times?: number; readonly skip?: number }): void;
  /** Forgets all faults; what hangs ends, what is held is answered. */
  heal(): void;
  /** Refuses connections from now on, as a host that is down does; open ones die. */
  refuse(): Promise<void>;
  /** Listens again on the same port. */
  accept(): Promise<void>;
  close(): Promise<void>;
  /** The first value of the probe that is not undefined, null or false; looks again after each change. Throws after `withinMs` (30,000). */
  until<T>(probe: () => T | undefined | null | false, what: string, withinMs?: number): Promise<T>;
}

interface Order {
  readonly name: string | RegExp;
  readonly fault: Fault;
  left: number;
  skip: number;
}

function takeFault(orders: Order[], request: WireRequest): Fault | undefined {
  const order = orders.find((one) => one.left > 0 && (typeof one.name === 'string' ? one.name === request.name : one.name.test(request.name)));
  if (order === undefined) return undefined;
  if (order.skip > 0) {
    order.skip -= 1;
    return undefined;
  }
  order.left -= 1;
  return order.fault;
}

function released(held: Set<() => void>, message: IncomingMessage, changed: () => void): Promise<void> {
  return new Promise((resolve) => {
    const release = () => {
      held.delete(release);
      resolve();
    };
    held.add(release);
    message.socket.once('close', release);
    changed();
  });
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // The chunks of an IncomingMessage without an encoding are Buffers.
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): WireAnswer {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers }, body: JSON.stringify(body) };
}
