import { parseStrictJson } from '@countersign/core/request';
import { ClientError } from './errors.js';
import type { JsonValue, Problem } from './types.js';

/** With what calls are made. */
export interface Wire {
  /** Without a slash at its end. */
  url: string;
  apiKey: string;
  fetch: typeof fetch;
  /** Waits; rejects when the signal is aborted. */
  pause(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

export interface Call {
  method: 'GET' | 'POST';
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** For how long a call that fails for a while is tried again, in ms. */
  patienceMs?: number;
  /** How long one try may take, in ms. */
  timeoutMs?: number;
}

const PATIENCE_MS = 60_000;
const TRY_MS = 30_000;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * One call, tried again while the service is away, busy or restarting: every call of the protocol may be repeated, since each either
 * happened or did not, and says which. Waits as Retry-After says, else longer each time, with jitter.
 * @returns the parsed body of a 2xx answer
 * @throws ClientError `refused`, `unreachable`, `unexpected_answer`, `aborted`
 */
export async function call(wire: Wire, spec: Call): Promise<JsonValue> {
  const deadline = performance.now() + (spec.patienceMs ?? PATIENCE_MS);
  for (let failures = 0; ; failures++) {
    const attempt = await tryOnce(wire, spec);
    if ('value' in attempt) return attempt.value;
    if (!attempt.again) throw attempt.error;
    // Between half and the whole of it, so that many callers do not come back in step.
    const backoff = Math.min(10_000, 250 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);
    const delay = Math.max(backoff, attempt.retryAfterMs);
    if (performance.now() + delay > deadline) throw attempt.error;
    await wire.pause(delay, spec.signal);
  }
}

type Attempt = { value: JsonValue } | { error: ClientError; again: boolean; retryAfterMs: number };

async function tryOnce(wire: Wire, spec: Call): Promise<Attempt> {
  // A function, since a signal changes behind the compiler's back.
  const stopped = (): boolean => spec.signal?.aborted === true;
  if (stopped()) throw aborted(spec.signal);
  const timeout = AbortSignal.timeout(spec.timeoutMs ?? TRY_MS);
  let response: Response;
  let bytes: Uint8Array;
  try {
    response = await wire.fetch(`${wire.url}${spec.path}`, {
      method: spec.method,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${wire.apiKey}`,
        ...(spec.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...spec.headers,
      },
      // The key goes where the caller said, and nowhere that an answer says.
      redirect: 'manual',
      signal: spec.signal === undefined ? timeout : AbortSignal.any([spec.signal, timeout]),
      ...(spec.body === undefined ? {} : { body: JSON.stringify(spec.body) }),
    });
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    if (stopped()) throw aborted(spec.signal);
    return { error: new ClientError('unreachable', `${wire.url} does not answer: ${reasonOf(cause)}`, { cause }), again: true, retryAfterMs: 0 };
  }
  const { status } = response;
  const read = parseStrictJson(bytes, { maxBytes: MAX_ANSWER_BYTES, maxDepth: 128 });
  if (status >= 200 && status < 300) {
    if (read.ok) return { value: read.value };
    return {
      error: new ClientError('unexpected_answer', `${wire.url} answered ${status} without the JSON that was due: ${read.problem.detail}.`, { status }),
      again: false,
      retryAfterMs: 0,
    };
  }
  const problem = read.ok ? problemOf(read.value) : undefined;
  const again =
    status === 429 ||
    status === 502 ||
    status === 503 ||
    status === 504 ||
    (status === 500 && spec.method === 'GET') ||
    problem?.code === 'idempotency_in_progress';
  const error =
    problem === undefined
      ? new ClientError(
          again ? 'unreachable' : 'unexpected_answer',
          `${wire.url} answered ${status} to ${spec.method} ${spec.path} and no problem that says why.`,
          { status },
        )
      : new ClientError(
          again ? 'unreachable' : 'refused',
          `${problem.code}: ${problem.detail}${(problem.errors ?? []).map(({ pointer, detail }) => ` ${pointer}: ${detail}.`).join('')}`,
          { status, problem },
        );
  return { error, again, retryAfterMs: retryAfterMs(response.headers.get('retry-after')) };
}

/** Waits by the clock of the runtime. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(aborted(signal));
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    };
    const stop = (): void => {
      end();
      reject(aborted(signal));
    };
    const timer = setTimeout(() => {
      end();
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop);
  });
}

function aborted(signal: AbortSignal | undefined): ClientError {
  return new ClientError('aborted', 'The wait was ended by its signal.', { cause: signal?.reason });
}

/** Seconds or an HTTP date (RFC 9110, section 10.2.3), at most a minute. */
function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(60_000, Math.max(0, ms)) : 0;
}

function problemOf(value: JsonValue): Problem | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const { type, code, title, status, detail, errors } = value;
  if (typeof code !== 'string') return undefined;
  return {
    type: typeof type === 'string' ? type : 'about:blank',
    code,
    title: typeof title === 'string' ? title : code,
    status: typeof status === 'number' ? status : 0,
    detail: typeof detail === 'string' ? detail : code,
    ...(Array.isArray(errors) ? { errors: errors.flatMap(fieldOf) } : {}),
  };
}

function fieldOf(entry: JsonValue): { pointer: string; detail: string }[] {
  if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) return [];
  const { pointer, detail } = entry;
  return typeof pointer === 'string' && typeof detail === 'string' ? [{ pointer, detail }] : [];
}

/** fetch hides why it failed in a cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? `${error.message} (${error.cause.message})` : error.message;
}
