import { type ProblemCode, problemSchema } from '@countersign/contracts';
import { z } from 'zod';
import { groupBy } from './http/group.js';
import type { Route } from './http/route.js';
import { template } from './http/router.js';
import { problemTable } from './problems.js';

/**
 * The API as OpenAPI 3.1, from the same routes and schemas that answer: what it says cannot differ from what happens.
 * JSON Schema 2020-12, which OpenAPI 3.1 uses as it is.
 */
export function openApiOf(routes: readonly Route[], publicUrl: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[template(route.path)] ??= {})[route.method] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Countersign',
      version: '1.0.0',
      description:
        'People approve what software wants to do. JSON is snake_case; errors are RFC 9457 problems with a stable `code`; unknown members of a body are errors.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: componentSchemas(routes),
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, `cs_key_…`: opens, reads and redeems; never decides' },
        personalToken: { type: 'http', scheme: 'bearer', description: 'A personal token, `cs_pat_…`' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: publicUrl.startsWith('https:') ? '__Host-cs' : 'cs',
          description: 'A session; requests that change something must be same-origin',
        },
      },
    },
  };
}

const securityOf: Record<Route['who'], object[]> = {
  open: [],
  caller: [{ apiKey: [] }],
  person: [{ personalToken: [] }, { session: [] }],
  either: [{ apiKey: [] }, { personalToken: [] }, { session: [] }],
};

function operationOf(route: Route): object {
  return {
    operationId: route.name,
    tags: [route.tag],
    summary: route.summary,
    security: securityOf[route.who],
    parameters: [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)],
    ...(route.body === null
      ? {}
      : {
          requestBody: {
            required: true,
            content: { [route.form === true ? 'application/x-www-form-urlencoded' : 'application/json']: { schema: reference(route.body) } },
          },
        }),
    responses: { ...answersOf(route), ...problemsOf(route) },
  };
}

function pathParameters(route: Route): object[] {
  return [...route.path.matchAll(/[:*](\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: route.parameters?.[name] ?? name,
    schema: { type: 'string' },
  }));
}

function queryParameters(route: Route): object[] {
  if (!(route.query instanceof z.ZodObject)) return [];
  return Object.entries(route.query.shape).map(([name, schema]) => ({ name, in: 'query', required: false, schema: inline(schema as z.ZodType) }));
}

function headerParameters(route: Route): object[] {
  if (route.idempotent === undefined) return [];
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: true,
      description: 'A new one for each action, the same one when you try again; kept for at least 7 days',
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]{1,255}$' },
    },
  ];
}

function answersOf(route: Route): Record<string, object> {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, { description, schema, type, headers }]) => [
      status,
      {
        description,
        ...(headers === undefined
          ? {}
          : { headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }])) }),
        ...(schema === undefined && type === undefined
          ? {}
          : { content: { [(type ?? 'application/json').split(';')[0] ?? '']: schema === undefined ? {} : { schema: reference(schema) } } }),
      },
    ]),
  );
}

/** Every problem that the route can answer with, by status. */
function problemsOf(route: Route): Record<string, object> {
  const codes = new Set<ProblemCode>([
    ...(route.problems ?? []),
    ...(route.caller_refusal === undefined ? [] : [route.caller_refusal.problem]),
    ...(route.who === 'open' ? [] : (['unauthenticated', 'account_inactive'] as const)),
    ...(route.who === 'caller' || route.who === 'person' ? (['forbidden'] as const) : []),
    ...(route.changes === true ? (['forbidden'] as const) : []),
    ...(route.method !== 'get' && route.who !== 'open' && route.who !== 'caller' ? (['cross_site_request'] as const) : []),
    ...(route.signs_in === true ? (['cross_site_request'] as const) : []),
    ...(/:id\b/.test(route.path) ? (['not_found'] as const) : []),
    ...(route.method === 'get' ? (['invalid_query'] as const) : []),
    ...(route.method === 'get' ? [] : (['invalid_body', 'invalid_json', 'body_too_large', 'unsupported_media_type'] as const)),
    'misdirected_request',
    'unavailable',
    'internal',
  ]);
  return Object.fromEntries(
    [...groupBy(codes, (code) => problemTable[code].status)].map(([status, here]) => [
      status,
      {
        description: here.map((code) => `\`${code}\`: ${problemTable[code].title}`).join('\n\n'),
        content: { 'application/problem+json': { schema: reference(problemSchema) } },
      },
    ]),
  );
}

const place = (id: string): string => `#/components/schemas/${id}`;

/** A schema that has a name is referred to; others are written out. */
function reference(schema: z.ZodType): object {
  const id = schema.meta()?.id;
  return typeof id === 'string' ? { $ref: place(id) } : inline(schema);
}

/** The schema written out, with references to named ones inside it. */
function inline(schema: z.ZodType): object {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return relink(json);
}

/** Every named schema that a route uses, and those that these use. */
function componentSchemas(routes: readonly Route[]): Record<string, object> {
  const used = routes
    .flatMap((route) => [route.body, ...Object.values(route.answers).map(({ schema }) => schema)])
    .filter((schema) => schema !== null && schema !== undefined);
  const found: Record<string, object> = {};
  for (const schema of [...used, problemSchema]) {
    const { $schema: _dialect, $defs = {}, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    for (const [id, definition] of Object.entries($defs)) found[nameOf(id)] ??= relink(definition);
    const id = schema.meta()?.id;
    if (typeof id === 'string') found[id] ??= relink(json);
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** References to `#/$defs/…` lead to the components, where each definition stands once. */
function relink(json: object): object {
  const text = JSON.stringify(json, (name, value: unknown) =>
    name === '$defs' ? undefined : name === '$ref' && typeof value === 'string' ? place(nameOf(value.replace('#/$defs/', ''))) : value,
  );
  // Text that was just made from plain JSON.
  return JSON.parse(text) as object;
}

/** zod numbers what recurs without a name, or refers to the root; of ours that is JSON itself (z.json) and nothing else. */
const nameOf = (id: string): string => (id === '#' || id.startsWith('__schema') ? 'JsonValue' : id);
