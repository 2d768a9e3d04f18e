import { parseStrictJson } from '@countersign/core/request';
import { createExpressApp, crossSiteProblem, DEFAULT_BODY_LIMIT, readJsonBody, requestContext, sendProblem, type StrictParser } from '@countersign/service';
import type { JsonValue } from '@countersign/contracts';
import type { Express, Request, Response } from 'express';
import { addressOf, type CertificateHeader } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { notFound, trouble, type Trouble, troubleOf, writable } from '../problems.js';
import type { Reader } from '../visibility.js';
import { groupBy } from './group.js';
import { type Credential, credentialOf, identify } from './identify.js';
import { type RateLimiter, rateLimiter } from './rate-limit.js';
import { RecentCallers } from './recent-callers.js';
import type { Answer, RawCall, Route } from './route.js';
import { streamTo } from './stream.js';

/**
 * The routes as an Express application. Each request goes the same way: the path, who asks, whether a browser was made to
 * ask by another site, the body, and then the route, which holds query and body against its schemas.
 */
export function createRouter(deps: IntakeDeps, routes: readonly Route[]): Express {
  const recent = new RecentCallers();
  const limiter = deps.rateLimit === undefined ? null : rateLimiter(deps.rateLimit);
  return createExpressApp(deps.log, (app) => {
    for (const [path, here] of groupBy(routes, (route) => route.path)) {
      const allow = here.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])).join(', ');
      app.all(path, async (request, response) => {
        requestContext(request).route = template(path);
        const method = request.method === 'HEAD' ? 'get' : request.method.toLowerCase();
        const route = here.find((candidate) => candidate.method === method);
        const answer =
          route === undefined
            ? trouble('method_not_allowed', `Allowed here: ${allow}.`, { headers: { Allow: allow } })
            : await answerOf(deps, route, request, { recent, limiter, setHeader: (name, value) => response.setHeader(name, value) });
        await write(answer, request, response);
      });
    }
    app.use(async (request, response) => write(notFound('There is no such address.'), request, response));
  });
}

/** `/v1/action-requests/:id` as OpenAPI and logs write it. */
export function template(path: string): string {
  return path.replace(/[:*](\w+)/g, '{$1}');
}

/** What the router keeps between requests, and a way to what is written of this one whatever comes of it. */
interface Kept {
  recent: RecentCallers;
  limiter: RateLimiter | null;
  setHeader: (name: string, value: string) => void;
}

/** The answer to a request; what is thrown becomes a problem, and faults are logged. */
async function answerOf(deps: IntakeDeps, route: Route, request: Request, kept: Kept): Promise<Answer> {
  try {
    return await answerFor(deps, route, request, kept);
  } catch (error) {
    const fault = troubleOf(error);
    const { id } = requestContext(request);
    deps.log.error({ err: error instanceof Error ? error : new Error(String(error)), request_id: id, problem: fault.problem }, 'A request failed');
    return fault;
  }
}

async function answerFor(deps: IntakeDeps, route: Route, request: Request, { recent, limiter, setHeader }: Kept): Promise<Answer> {
  const credential = route.who === 'open' ? null : credentialOf(request, deps.flow.publicUrl, certificateHeader(deps));
  const from = addressOf(request.socket.remoteAddress, request.headers, deps.trustedProxies ?? []);
  const reader = await identify(deps, credential, route.commit_judges_key === true ? recent : null, from);
  if (reader !== null && 'problem' in reader) return reader;
  if ((credential !== null && isAmbient(credential, request)) || route.signs_in === true) {
    const refused = crossSite(request, route, deps.origins());
    if (refused !== null) return refused;
  }
  const params = paramsOf(request);
  if (Object.values(params).some((value) => value.includes('\0'))) return notFound();
  // Whoever asks is known, and nothing was read of the body yet.
  if (limiter !== null && (reader !== null || route.form === true)) {
    const { headers, exceeded } = await limiter.take(reader, from);
    for (const [name, value] of Object.entries(headers)) setHeader(name, value);
    if (exceeded !== null) return exceeded;
  }
  const query = queryOf(request);
  if ('problem' in query) return query;
  const body = await bodyOf(deps, route, reader, request);
  if ('problem' in body) return body;
  const raw: RawCall = {
    reader,
    again: async () => {
      const now = await identify(deps, credential, null, from);
      return now === null || 'problem' in now ? null : now;
    },
    params,
    query: query.values,
    body: body.value,
    header: (name) => {
      const value = request.headers[name];
      return typeof value === 'string' ? value : undefined;
    },
    from,
    signal: requestContext(request).signal,
  };
  return route.run(raw);
}

/** What a browser sends without being asked: a cookie, and a client certificate. */
function isAmbient(credential: NonNullable<Credential>, request: Request): boolean {
  return 'session' in credential || ('certificate' in credential && (request.headers['sec-fetch-site'] !== undefined || request.headers.origin !== undefined));
}

function certificateHeader({ clientCertHeader: name, trustedProxies = [] }: IntakeDeps): CertificateHeader | null {
  return name === undefined ? null : { name, trustedProxies };
}

/**
 * A request that a cookie authenticates must come from a page of ours. Where signing in is the request itself there is no
 * cookie yet, and programs sign in too: only a browser that says that it comes from elsewhere is refused.
 */
function crossSite(request: Request, route: Route, origins: readonly string[]): Trouble | null {
  const { origin } = request.headers;
  if (route.signs_in === true && origin === undefined && request.headers['sec-fetch-site'] === undefined) return null;
  const problem = crossSiteProblem(request, origins);
  return problem === undefined ? null : trouble('cross_site_request', problem.detail);
}

/** The query's members; one that comes twice means different things to different readers, and is refused. */
function queryOf(request: Request): { values: Record<string, string> } | Trouble {
  const at = request.url.indexOf('?');
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1))) {
    if (name in values)
      return trouble('invalid_query', 'A name stands twice in the query.', { errors: [{ pointer: `/${name.slice(0, 64)}`, detail: 'stands twice' }] });
    // PostgreSQL's text cannot hold it, so nothing that we keep has it.
    if (value.includes('\0'))
      return trouble('invalid_query', 'The query holds U+0000.', { errors: [{ pointer: `/${name.slice(0, 64)}`, detail: 'must not contain U+0000' }] });
    values[name] = value;
  }
  return { values: { ...values } };
}

/** Reads a body only where one is expected, or was sent; of whoever may not call, none is read. */
async function bodyOf(deps: IntakeDeps, route: Route, reader: Reader | null, request: Request): Promise<{ value: JsonValue | undefined } | Trouble> {
  const sent = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (route.method === 'get' || !sent || (route.who !== 'open' && reader === null)) return { value: undefined };
  const limit = Math.max(route.body_limit_bytes ?? 0, deps.bodyLimitBytes ?? DEFAULT_BODY_LIMIT);
  const read =
    route.form === true
      ? await readJsonBody(request, parseForm, limit, 'application/x-www-form-urlencoded')
      : await readJsonBody(request, (bytes) => parseStrictJson(bytes, { maxBytes: limit }), limit);
  // parseStrictJson gives JSON values alone.
  if (read.ok) return { value: read.value as JsonValue };
  const { code, detail, errors, headers } = read.problem;
  // The service's own codes are a part of ours.
  return trouble(code as Trouble['problem'], detail, {
    ...(errors === undefined ? {} : { errors: [...errors] }),
    ...(headers === undefined ? {} : { headers: { ...headers } }),
  });
}

/** A form as an object of texts. A name that stands twice means different things to different readers (RFC 6749, section 3.2: never more than once). */
const parseForm: StrictParser = (bytes) => {
  const members: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(Buffer.from(bytes).toString('utf8'))) {
    if (name in members || value.includes('\0'))
      return { ok: false, problem: { pointer: '', line: 1, column: 1, detail: 'A name stands twice in the form, or a value holds U+0000.' } };
    members[name] = value;
  }
  return { ok: true, value: { ...members } };
};

/** Express gives a wildcard as a list of parts. */
function paramsOf(request: Request): Record<string, string> {
  return Object.fromEntries(Object.entries(request.params).map(([name, value]) => [name, Array.isArray(value) ? value.join('/') : value]));
}

async function write(answer: Answer, request: Request, response: Response): Promise<void> {
  if ('problem' in answer) return sendProblem(response, writable(answer));
  if ('stream' in answer) return streamTo(answer.stream, request, response);
  // What an answer says is for one reader at one time; whoever serves something else says so.
  response.setHeader('Cache-Control', 'no-store');
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  response.statusCode = answer.status;
  const [type, bytes] =
    'bytes' in answer
      ? [answer.type, answer.bytes]
      : 'json' in answer
        ? ['application/json; charset=utf-8', Buffer.from(JSON.stringify(answer.json))]
        : [null, null];
  if (type === null) return void response.end();
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', bytes.length);
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
