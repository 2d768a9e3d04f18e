import type { IncomingMessage } from 'node:http';
import type { JsonObject, JsonValue } from '@countersign/contracts';
import { parseStrictJson } from '@countersign/core/request';
import { authenticateScim } from '@countersign/identity';
import { bad, discovery, ERROR, LIST, ScimError } from '@countersign/identity/scim';
import { createExpressApp, type Mount, requestContext } from '@countersign/service';
import type { Request, Response } from 'express';
import { troubleOf } from '../problems.js';
import type { ScimDeps } from './deps.js';
import { groupRoutes } from './groups.js';
import { pageOf, type ScimAnswer, type ScimCall, type ScimRoute } from './route.js';
import { userRoutes } from './users.js';

/** A group of 10,000 members is one body. */
const BODY_LIMIT = 4 * 1024 * 1024;
const BASE = '/scim/v2';

/** SCIM 2.0 for directory clients (RFC 7644): a room of its own, since its errors, media type and paging are not those of the rest of the API. */
export function createScim(deps: ScimDeps): { mount(): Mount; routes: readonly ScimRoute[] } {
  const base = `${deps.flow.publicUrl}${BASE}`;
  const routes = [...discoveryRoutes(base), ...userRoutes(deps, base), ...groupRoutes(deps, base)];
  const app = createExpressApp(deps.log, (express) => {
    for (const path of new Set(routes.map((route) => route.path))) {
      const here = routes.filter((route) => route.path === path);
      express.all(`${BASE}${path}`, (request, response) => answer(deps, here, `${BASE}${path}`, request, response));
    }
    express.use((request, response) => answer(deps, [], `${BASE}/`, request, response));
  });
  return { routes, mount: () => ({ name: 'scim', paths: [BASE, `${BASE}/`], handler: (request, response) => void app(request, response) }) };
}

async function answer(deps: ScimDeps, here: readonly ScimRoute[], path: string, request: Request, response: Response): Promise<void> {
  requestContext(request).route = path.replace(/:(\w+)/g, '{$1}');
  try {
    write(await answerOf(deps, here, request), request, response);
  } catch (error) {
    write(errorAnswer(deps, error, request), request, response);
  }
}

/** Who asks comes first: whoever is nobody is told nothing else, not even what is not there. */
async function answerOf(deps: ScimDeps, here: readonly ScimRoute[], request: Request): Promise<ScimAnswer> {
  const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
  const token = bearer === undefined ? null : await authenticateScim(bearer, { scim: deps.scim, clock: deps.flow.clock });
  if (token === null) {
    const refused = errorOf(new ScimError(401, null, 'Send a SCIM token as "Authorization: Bearer …". It is not known, was revoked, or has expired.'));
    return { ...refused, headers: { 'WWW-Authenticate': 'Bearer realm="countersign-scim"' } };
  }
  void deps.scim.usedToken(token.tenant, token.id).catch(() => undefined);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = here.find((candidate) => candidate.method === method);
  if (here.length === 0) throw new ScimError(404, null, 'There is no such address.');
  if (route === undefined) throw new ScimError(405, null, `Allowed here: ${here.map((one) => one.method).join(', ')}.`);
  const query = new URLSearchParams(request.url.includes('?') ? request.url.slice(request.url.indexOf('?') + 1) : '');
  const id = request.params['id'];
  const call: ScimCall = {
    client: { tenant: token.tenant, token_id: token.id },
    id: typeof id === 'string' && !id.includes('\0') ? id : '',
    query: (name) => query.get(name) ?? undefined,
    page: pageOf(query),
    body: route.method === 'POST' || route.method === 'PUT' || route.method === 'PATCH' ? await bodyOf(request) : undefined,
    ifMatch: revisionOf(request.headers['if-match']),
    ifNoneMatch: request.headers['if-none-match'],
  };
  return route.handle(call);
}

function errorAnswer(deps: ScimDeps, error: unknown, request: Request): ScimAnswer {
  if (error instanceof ScimError) return errorOf(error);
  const { problem, detail } = troubleOf(error);
  deps.log.error({ err: error instanceof Error ? error : new Error(String(error)), request_id: requestContext(request).id, problem }, 'A SCIM request failed');
  return errorOf(new ScimError(problem === 'internal' ? 500 : 503, null, detail));
}

function errorOf({ status, scimType, message }: ScimError): ScimAnswer {
  return { status, json: { schemas: [ERROR], status: String(status), ...(scimType === null ? {} : { scimType }), detail: message } };
}

function write({ status, json, headers = {} }: ScimAnswer, request: Request, response: Response): void {
  response.statusCode = status;
  response.setHeader('Cache-Control', 'no-store');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (json === undefined) return void response.end();
  const bytes = Buffer.from(JSON.stringify(json));
  response.setHeader('Content-Type', 'application/scim+json; charset=utf-8');
  response.setHeader('Content-Length', bytes.length);
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/** The revision that If-Match names; null where it names none, or any. */
function revisionOf(header: string | undefined): number | null {
  if (header === undefined || header.trim() === '*') return null;
  const revision = /^(?:W\/)?"(\d{1,9})"$/.exec(header.trim())?.[1];
  // A tag that we never gave fits nothing.
  return revision === undefined ? -1 : Number(revision);
}

async function bodyOf(request: IncomingMessage): Promise<JsonValue> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/scim+json' && type !== 'application/json') throw new ScimError(415, null, 'The body must be application/scim+json.');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    // An HTTP body gives buffers.
    length += (chunk as Buffer).length;
    if (length > BODY_LIMIT) throw new ScimError(413, null, `A body has at most ${BODY_LIMIT} bytes.`);
    chunks.push(chunk as Buffer);
  }
  const read = parseStrictJson(Buffer.concat(chunks), { maxBytes: BODY_LIMIT });
  if (read.ok) return read.value;
  const { line, column, detail } = read.problem;
  throw bad('invalidSyntax', `${detail} (line ${line}, column ${column})`);
}

function discoveryRoutes(base: string): ScimRoute[] {
  const { config, resourceTypes, schemas } = discovery(base);
  const list = (resources: JsonObject[]): JsonObject => ({
    schemas: [LIST],
    totalResults: resources.length,
    startIndex: 1,
    itemsPerPage: resources.length,
    Resources: resources,
  });
  const one = (resources: readonly JsonObject[], id: string): JsonObject => {
    const found = resources.find((resource) => resource['id'] === id);
    if (found === undefined) throw new ScimError(404, null, 'There is no such resource.');
    return found;
  };
  const get = (path: string, json: (id: string) => JsonObject): ScimRoute => ({
    method: 'GET',
    path,
    handle: async ({ id, query }) => {
      // RFC 7644, section 4: filters are forbidden here.
      if (query('filter') !== undefined) throw new ScimError(403, null, 'These documents cannot be filtered.');
      return { status: 200, json: json(id) };
    },
  });
  return [
    get('/ServiceProviderConfig', () => config),
    get('/ResourceTypes', () => list(resourceTypes)),
    get('/ResourceTypes/:id', (id) => one(resourceTypes, id)),
    get('/Schemas', () => list(schemas)),
    get('/Schemas/:id', (id) => one(schemas, id)),
  ];
}
