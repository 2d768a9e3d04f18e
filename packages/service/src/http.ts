import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';

import { HostGuard } from './host-guard.js';
import type { Logger } from './logging.js';
import type { Metrics } from './metrics.js';
import { MountTable, type Mount } from './mounts.js';
import { internalProblem, sendProblem } from './problem.js';
import { createProbes, isProbe, type Probes } from './probes.js';
import { attachContext, RequestContext } from './request-context.js';
import type { Secret } from './secret.js';
import { ServiceError } from './service-error.js';

export interface HttpServiceOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** An origin; default: `http://localhost:<port>` with the port that was taken. */
  readonly publicUrl?: string;
  /** Loopback names with our port are ours too. */
  readonly quickstart: boolean;
  /** Dispatched by path before any parser; the more exact path wins, `/` comes last. */
  readonly mounts: readonly Mount[];
  readonly log: Logger;
  readonly metrics: Metrics;
  /** /readyz is 200 while all of these resolve. The queue is not among them: losing it costs latency only. */
  readonly readiness: Readonly<Record<string, () => Promise<void>>>;
  readonly metricsToken?: Secret;
  /** Speaks TLS itself; absent: plain HTTP, as behind a proxy. */
  readonly tls?: TlsOptions;
  /** How long requests in flight may take to end at the stop; 10 s by default. */
  readonly drainMs?: number;
}

/** Certificate and key in PEM, and whose client certificates are asked for (RFC 8705); absent: none are. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

export interface HttpService {
  readonly port: number;
  readonly publicUrl: string;
  /** The origins that pages of ours have, for same-origin checks. */
  readonly origins: readonly string[];
  /**
   * Stops accepting, closes idle connections at once, tells waiting handlers through their signal, and cuts what still runs after `drainMs`.
   * /readyz answers 503 from the first moment on.
   */
  close(): Promise<void>;
}

/** Nobody gets to hold a connection open without asking: headers within 10 s, the whole request within 30 s (against slowloris). */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
/** Longer than common proxies keep theirs (60 s), so that the proxy closes first and no request meets a closing socket. */
const KEEP_ALIVE_MS = 65_000;
const REQUEST_ID = /^[A-Za-z0-9._-]{8,128}$/u;
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * Opens the one port of a process and dispatches to its mounts.
 *
 * @throws ServiceError when the address cannot be used, with one clear line.
 */
export async function createHttpService(options: HttpServiceOptions): Promise<HttpService> {
  const { log, metrics } = options;
  const table = new MountTable(options.mounts);
  const seconds = metrics.histogram('http_request_seconds', 'Time to answer, by route and status', BUCKETS_SECONDS, ['method', 'route', 'status']);
  const active = new Map<ServerResponse, RequestContext>();
  // Both are known once the port is.
  let guard: HostGuard | undefined;
  let publicUrl = '';
  let closing: Promise<void> | undefined;
  const probes: Probes = createProbes({
    readiness: options.readiness,
    metrics,
    draining: () => closing !== undefined,
    ...(options.metricsToken === undefined ? {} : { metricsToken: options.metricsToken }),
  });

  const server = createServerFor(
    options.tls,
    { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: 16_384 },
    (request, response) => {
      const startedAt = performance.now();
      const path = pathOf(request);
      const mount = path === undefined ? undefined : table.find(path);
      const context = new RequestContext(requestIdOf(request), publicUrl, mount?.path ?? 'none');
      attachContext(request, context);
      active.set(response, context);
      response.once('close', () => {
        active.delete(response);
        // server.close() looked for idle connections once; one that carried a stream or a held answer becomes idle only now.
        if (closing !== undefined) setImmediate(() => server.closeIdleConnections());
        if (!response.writableFinished) context.abort('client_gone');
        const ms = performance.now() - startedAt;
        const status = response.writableFinished ? response.statusCode : 499;
        seconds.observe({ method: knownMethod(request.method), route: context.route, status }, ms / 1000);
        const level = isProbe(context.route) ? 'debug' : 'info';
        if (log.isLevelEnabled(level))
          log[level]({ request_id: context.id, method: request.method, route: context.route, status, ms: Math.round(ms * 10) / 10 }, 'request');
      });
      setHeaders(response, context);
      if (closing !== undefined) response.setHeader('connection', 'close');
      try {
        if (path === undefined) {
          sendProblem(response, { code: 'invalid_query', title: 'Bad request target', status: 400, detail: 'The request target must be a path.' });
        } else if (probes.answer(path, request, response, context, (host) => guard?.allows(host) === true)) {
          return;
        } else if (guard === undefined || !guard.allows(request.headers.host) || hostCount(request) > 1) {
          sendProblem(response, { code: 'misdirected_request', title: 'Misdirected request', status: 421, detail: `This service answers at ${publicUrl}.` });
        } else if (mount === undefined) {
          sendProblem(response, { code: 'not_found', title: 'Not found', status: 404, detail: 'There is nothing here.' });
        } else mount.handler(request, response);
      } catch (error) {
        log.error({ err: error, request_id: context.id }, 'A request failed');
        sendProblem(response, internalProblem(context.id));
      }
    },
  );
  server.maxHeadersCount = 100;
  server.on('clientError', answerClientError);

  const port = await listen(server, options.host, options.port);
  publicUrl = options.publicUrl ?? `${options.tls === undefined ? 'http' : 'https'}://localhost:${port}`;
  guard = new HostGuard(publicUrl, options.quickstart ? port : undefined);

  const close = async (): Promise<void> => {
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    // server.close() closes idle connections; those in flight close after their answer.
    for (const [response, context] of active) {
      if (!response.headersSent) response.setHeader('connection', 'close');
      context.abort('shutting_down');
    }
    const cut = setTimeout(() => server.closeAllConnections(), options.drainMs ?? 10_000);
    await ended;
    clearTimeout(cut);
  };
  return {
    port,
    publicUrl,
    origins: guard.origins,
    close: () => (closing ??= close()),
  };
}

/**
 * An HTTP server, over TLS 1.2 or better where there is a certificate. A client certificate is asked for and not demanded: people have none, and
 * whether one counts is the API's to say.
 */
function createServerFor(tls: TlsOptions | undefined, options: ServerOptions, handler: (request: IncomingMessage, response: ServerResponse) => void): Server {
  if (tls === undefined) return createServer(options, handler);
  const asked = tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: false };
  return createTlsServer({ ...options, cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2', ...asked }, handler);
}

/** The path without its query; undefined for absolute, authority and asterisk forms (RFC 9112 §3.2), which only proxies are sent. */
function pathOf(request: IncomingMessage): string | undefined {
  const target = request.url ?? '';
  if (!target.startsWith('/')) return undefined;
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** A second Host line is an attack on whoever reads the other one (RFC 9112 §3.2). */
function hostCount(request: IncomingMessage): number {
  return request.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
}

function setHeaders(response: ServerResponse, context: RequestContext): void {
  response.setHeader('x-request-id', context.id);
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  // For everything that is not a page; the console says its own.
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  if (context.publicUrl.startsWith('https:')) response.setHeader('strict-transport-security', 'max-age=31536000');
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Anything may stand in a request line; a label's values must stay few. */
function knownMethod(method: string | undefined): string {
  return method !== undefined && METHODS.has(method) ? method : 'other';
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};

/** What node cannot read as HTTP has no response object; it is answered by hand and ends. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, phrase] = CLIENT_ERRORS[error.code ?? ''] ?? [400, 'Bad Request'];
  socket.end(`HTTP/1.1 ${status} ${phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: Error & { code?: string }) => reject(listenError(error, host, port)));
    server.listen({ host, port, backlog: 511 }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
  const address = server.address();
  // A TCP server that listens has an AddressInfo.
  return typeof address === 'object' && address !== null ? address.port : port;
}

function listenError(error: Error & { code?: string }, host: string, port: number): ServiceError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new ServiceError('port_taken', `Port ${port} on ${host} is taken by another program. Stop it, or set PORT to a free one.`, error);
    case 'EACCES':
      return new ServiceError('port_forbidden', `This user may not listen on port ${port}. Set PORT to 1024 or more.`, error);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ServiceError('address_unknown', `HOST ${host} is not an address of this machine.`, error);
    default:
      return new ServiceError('listen_failed', `Listening on ${host}, port ${port}, failed: ${error.code ?? 'unknown'}.`, error);
  }
}
