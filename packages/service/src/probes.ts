import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { isLoopbackAddress, isLoopbackHost } from './loopback.js';
import type { Metrics } from './metrics.js';
import { internalProblem, sendProblem } from './problem.js';
import type { RequestContext } from './request-context.js';
import type { Secret } from './secret.js';

export interface ProbeOptions {
  readonly readiness: Readonly<Record<string, () => Promise<void>>>;
  readonly metrics: Metrics;
  readonly draining: () => boolean;
  readonly metricsToken?: Secret;
}

export interface Probes {
  /** Answers /healthz, /readyz and /metrics; false for every other path. */
  answer(path: string, request: IncomingMessage, response: ServerResponse, context: RequestContext, ourHost: (host: string | undefined) => boolean): boolean;
}

export function isProbe(path: string): boolean {
  return path === '/healthz' || path === '/readyz' || path === '/metrics';
}

/** A check that hangs is a check that failed. */
const CHECK_MS = 3_000;

/** Liveness says that the process answers; readiness, that what it needs does. Neither asks for a Host, because probes come by address. */
export function createProbes(options: ProbeOptions): Probes {
  return {
    answer(path, request, response, context, ourHost) {
      if (!isProbe(path)) return false;
      context.route = path;
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        sendProblem(response, { code: 'method_not_allowed', title: 'Method not allowed', status: 405, detail: 'Use GET.', headers: { allow: 'GET, HEAD' } });
      } else if (path === '/healthz') sendJson(response, 200, { status: 'ok' });
      else if (path === '/readyz') void sendReadiness(options, response);
      else if (mayReadMetrics(request, options.metricsToken, ourHost)) void sendMetrics(options.metrics, response, context);
      else
        sendProblem(response, {
          code: 'unauthenticated',
          title: 'Not authenticated',
          status: 401,
          detail: 'Metrics need the bearer METRICS_TOKEN, or a reader on this machine.',
          headers: { 'www-authenticate': 'Bearer' },
        });
      return true;
    },
  };
}

async function sendReadiness({ readiness, draining }: ProbeOptions, response: ServerResponse): Promise<void> {
  const checks = await Promise.all(Object.entries(readiness).map(async ([name, check]) => [name, await passes(check)] as const));
  const ready = !draining() && checks.every(([, passed]) => passed);
  // Which part fails is worth knowing, why it does is for the log.
  sendJson(response, ready ? 200 : 503, {
    status: draining() ? 'stopping' : ready ? 'ready' : 'not_ready',
    checks: Object.fromEntries(checks.map(([name, passed]) => [name, passed ? 'ok' : 'failed'])),
  });
}

async function passes(check: () => Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      check().then(() => true),
      new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), CHECK_MS);
      }),
    ]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

async function sendMetrics(metrics: Metrics, response: ServerResponse, context: RequestContext): Promise<void> {
  try {
    const { contentType, text } = await metrics.render();
    response.setHeader('content-type', contentType);
    response.setHeader('cache-control', 'no-store');
    response.end(text);
  } catch {
    sendProblem(response, internalProblem(context.id));
  }
}

/** Open for loopback peers, but not through a proxy on this machine, nor for a page that points its own name here. */
function mayReadMetrics(request: IncomingMessage, token: Secret | undefined, ourHost: (host: string | undefined) => boolean): boolean {
  const [, bearer] = /^Bearer ([\x21-\x7e]+)$/iu.exec(request.headers.authorization ?? '') ?? [];
  if (token !== undefined && bearer !== undefined && sameText(bearer, token.reveal())) return true;
  const { host } = request.headers;
  const forwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => request.headers[name] !== undefined);
  return !forwarded && isLoopbackAddress(request.socket.remoteAddress) && (ourHost(host) || isLoopbackHost((host ?? '').replace(/:\d+$/u, '')));
}

/** Compares in a time that does not tell where two texts differ. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  response.end(response.req.method === 'HEAD' ? undefined : JSON.stringify(value));
}
