import type { JsonValue, ProblemCode } from '@countersign/contracts';
import type { AuthenticatedPerson } from '@countersign/identity';
import type { z } from 'zod';
import type { Trouble } from '../problems.js';
import { trouble } from '../problems.js';
import type { Reader } from '../visibility.js';
import { fit } from './fit.js';

/** Who may call: nobody in particular, an API key, a person, or either of both. */
export type Who = 'open' | 'caller' | 'person' | 'either';

/** What a handler answers. */
export type Answer =
  | { status: number; json: object | null; headers?: Record<string, string | readonly string[]> }
  | { status: number; bytes: Uint8Array; type: string; headers?: Record<string, string | readonly string[]> }
  | { status: number; headers?: Record<string, string | readonly string[]> }
  | { stream: (out: EventSink) => Promise<void> }
  | Trouble;

/** An open event stream (WHATWG server-sent events); `send` waits for a slow reader. */
export interface EventSink {
  send(event: string, data: JsonValue): Promise<void>;
  /** Ends with the client's connection or the service. */
  signal: AbortSignal;
}

interface ReaderOf {
  open: null;
  caller: Extract<Reader, { kind: 'caller' }>;
  person: AuthenticatedPerson;
  either: Reader;
}

/** What a handler gets; body and query fit their schemas. */
export interface Call<W extends Who, Body, Query> {
  reader: ReaderOf[W];
  /** Who asks, found again from the same credential: for what lasts longer than a moment. Null once it is no good any more. */
  again: () => Promise<Reader | null>;
  params: Readonly<Record<string, string>>;
  body: Body;
  query: Query;
  header: (name: string) => string | undefined;
  /** The address that the request comes from; null where a trusted proxy does not say. */
  from: string | null;
  /** Aborted when the client goes away or the service stops. */
  signal: AbortSignal;
}

/** What a route says of itself: the router, 405 answers and the OpenAPI document all come from it. */
export interface RouteFacts {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** As Express writes it: `/v1/action-requests/:id`. */
  path: string;
  /** Unique; OpenAPI's operationId. */
  name: string;
  tag:
    | 'Action requests'
    | 'Decisions'
    | 'Grants'
    | 'Policy'
    | 'Masking'
    | 'People'
    | 'Ledger'
    | 'Endpoints'
    | 'Deliveries'
    | 'API keys'
    | 'Directory'
    | 'Control'
    | 'Service';
  summary: string;
  who: Who;
  /** What the path's parameters are, for readers. */
  parameters?: Record<string, string>;
  /** `key`: an Idempotency-Key is required. */
  idempotent?: 'key';
  answers: Record<number, { description: string; schema?: z.ZodType; type?: string; headers?: Record<string, string> }>;
  /** Problems besides those that every route of its kind can have. */
  problems?: ProblemCode[];
  /** The problem that an API key gets where only people may call. */
  caller_refusal?: { problem: ProblemCode; detail: string };
  /** The commit itself asks whether the API key is live still, so that a look-up of a moment ago will do. */
  commit_judges_key?: boolean;
  /** Instead of the service's own limit. */
  body_limit_bytes?: number;
  /** Whether the change needs a scope: a personal token that only reads changes nothing. */
  changes?: boolean;
  /** The body comes as a form (application/x-www-form-urlencoded), each name once. */
  form?: boolean;
  /** A POST that no session authenticates, and yet must not come from another site: it sets a cookie. */
  signs_in?: boolean;
}

interface RouteSpec<W extends Who, Body, Query> extends RouteFacts {
  who: W;
  body?: z.ZodType<Body>;
  query?: z.ZodType<Query>;
  handle: (call: Call<W, Body, Query>) => Promise<Answer>;
}

/** What the router knows of a request before the schemas had a look. */
export type RawCall = Omit<Call<Who, unknown, unknown>, 'reader' | 'body' | 'query'> & {
  reader: Reader | null;
  /** The parsed body; undefined when there is none. */
  body: JsonValue | undefined;
  query: Record<string, string>;
};

export interface Route extends RouteFacts {
  body: z.ZodType | null;
  query: z.ZodType | null;
  run: (raw: RawCall) => Promise<Answer>;
}

/** Makes a route: holds who asks, the query and the body against what it says, in that order, then runs it. */
export function route<W extends Who, Body = undefined, Query = undefined>(spec: RouteSpec<W, Body, Query>): Route {
  return {
    ...spec,
    body: spec.body ?? null,
    query: spec.query ?? null,
    async run(raw) {
      const reader = readerFor(spec, raw.reader);
      if (reader !== null && 'problem' in reader) return reader;
      const query = spec.query === undefined ? noQuery(raw.query) : fit(spec.query, raw.query, 'invalid_query');
      if ('problem' in query) return query;
      const body = spec.body === undefined ? noBody(raw.body) : fit(spec.body, raw.body, 'invalid_body');
      if ('problem' in body) return body;
      return spec.handle({
        ...raw,
        // readerFor let through what `who` says; without a schema, Body and Query are undefined.
        reader: reader as ReaderOf[W],
        body: body.value as Body,
        query: query.value as Query,
      });
    },
  };
}

function readerFor(spec: RouteFacts, reader: Reader | null): Reader | null | Trouble {
  if (spec.who === 'open') return null;
  if (reader === null) return trouble('unauthenticated', 'Send an API key or a personal token as "Authorization: Bearer …", or sign in.');
  if (spec.who === 'person' && reader.kind === 'caller') {
    const { problem, detail } = spec.caller_refusal ?? { problem: 'forbidden' as const, detail: 'This is for people, not for API keys.' };
    return trouble(problem, detail);
  }
  if (spec.who === 'caller' && reader.kind === 'person') return trouble('forbidden', 'This is for API keys, not for people.');
  if (spec.method === 'get' && reader.kind === 'caller' && reader.caller.rights.read === false) return trouble('forbidden', 'This API key may not read.');
  if (spec.changes === true && reader.kind === 'person' && reader.scopes.every((scope) => scope === 'read')) {
    return trouble('forbidden', 'This personal token may only read.');
  }
  return reader;
}

function noQuery(query: Record<string, string>): { value: undefined } | Trouble {
  const [name] = Object.keys(query);
  if (name === undefined) return { value: undefined };
  return trouble('invalid_query', 'This address takes no query.', { errors: [{ pointer: `/${name.slice(0, 64)}`, detail: 'is not known here' }] });
}

/** No body, or an empty object: some clients send one always. */
function noBody(body: JsonValue | undefined): { value: undefined } | Trouble {
  if (body === undefined) return { value: undefined };
  const isEmpty = body !== null && typeof body === 'object' && !Array.isArray(body) && Object.keys(body).length === 0;
  return isEmpty ? { value: undefined } : trouble('invalid_body', 'This address takes no body.', { errors: [{ pointer: '', detail: 'must be absent or {}' }] });
}
