import { sha256Hex } from '@countersign/core/request';
import { objectOf, readList, readRedemption, readRequest, unexpected } from './answers.js';
import { ClientError, isRefusal } from './errors.js';
import { freezeAction } from './frozen-action.js';
import { guard, type GuardOptions, type GuardResult, runApproved, type RunOptions } from './guard.js';
import { type Call, call, pause, type Wire } from './http.js';
import type { Action, ActionRequest, ActionRequestList, JsonValue, Jwks, RedeemAnswer, Report, SubmissionExtras } from './types.js';

export interface ClientOptions {
  /** Where the service answers, its PUBLIC_URL. */
  url: string;
  /** `cs_key_…` */
  apiKey: string;
  /** The runtime's own unless given. */
  fetch?: typeof fetch;
  /** Pinned keys: grants that none of them signed do not run, also when whoever answers lies in everything else. */
  jwks?: Jwks;
  /** Who issues grants, where the service is reached by another address than its PUBLIC_URL. Looked at with `jwks` alone. */
  issuer?: string;
  /** How waits between tries are made; a timer unless given. */
  pause?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export interface SubmitOptions extends SubmissionExtras {
  /** Your own name of this very attempt: who asks again under the same name joins the request that is there. Any text. */
  key?: string;
  /** The Idempotency-Key as it is sent, instead of one derived from `key`: 1 to 255 visible ASCII characters. */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

export interface WaitOptions {
  /** How long to wait; without end unless told. */
  timeoutSeconds?: number;
  signal?: AbortSignal;
  /** Called each time that the service says that people have not decided yet. */
  onPending?(request: ActionRequest): void;
}

/** How a withdrawn request stands. */
export type Withdrawal = { kind: 'cancelled' | 'revoked'; request: ActionRequest } | { kind: 'too_late'; request: ActionRequest };

/** A caller's side of the service. Every method throws ClientError. */
export interface Client {
  /** Asks. The answer may be settled already, where policy decides alone. The answer's digest was compared with the action's. */
  submit(action: Action, options?: SubmitOptions): Promise<ActionRequest>;
  /** The request once it is settled, or as it stands when the time is over. Survives restarts of the service. */
  wait(id: string, options?: WaitOptions): Promise<ActionRequest>;
  get(id: string, options?: { signal?: AbortSignal }): Promise<ActionRequest>;
  /** Newest first. The query's members are those of `GET /v1/action-requests`. */
  list(query?: Record<string, string | number>, options?: { signal?: AbortSignal }): Promise<ActionRequestList>;
  cancel(id: string): Promise<ActionRequest>;
  revoke(id: string): Promise<ActionRequest>;
  /** Cancels what is pending, revokes what is approved and unused. */
  withdraw(id: string): Promise<Withdrawal>;
  /** A fresh grant, while the approval lasts and nothing was redeemed. */
  grant(id: string): Promise<string>;
  /** Spends a grant with the action exactly as it will run; `dpop` is the proof that a grant bound to a key needs. The answer's digest was compared with the action's. */
  redeem(grant: string, action: Action, options?: { dpop?: string }): Promise<RedeemAnswer>;
  /** Tells what came of the run. */
  report(id: string, report: Report): Promise<void>;
  /** Asks, waits, redeems and runs `run` with a frozen copy of the action, once; reports. What `run` throws is thrown on. */
  guard<A extends Action, T>(action: A, run: (action: Readonly<A>) => T | Promise<T>, options?: GuardOptions): Promise<GuardResult<T>>;
  /** The second half of guard, for those who were told by callback: redeems the approval of this action and runs it. */
  runApproved<A extends Action, T>(id: string, action: A, run: (action: Readonly<A>) => T | Promise<T>, options?: RunOptions): Promise<GuardResult<T>>;
  /** The published keys. Fetch them once and pin them. */
  jwks(): Promise<Jwks>;
}

/** What one held GET waits for, in seconds: under the 60 s after which proxies give up. */
const HOLD_SECONDS = 50;

/** @throws ClientError `invalid_options` */
export function createClient(options: ClientOptions): Client {
  const wire = wireOf(options);
  const ask = (spec: Call) => call(wire, spec);
  const path = (id: string, rest = ''): string => `/v1/action-requests/${encodeURIComponent(id)}${rest}`;
  const post = (where: string, body?: unknown): Promise<JsonValue> => ask({ method: 'POST', path: where, ...(body === undefined ? {} : { body }) });

  const client: Client = {
    async submit(action, { key, idempotencyKey, signal, ...extras } = {}) {
      const frozen = freezeAction(action);
      const present = Object.fromEntries(Object.entries(extras).filter(([name, value]) => EXTRAS.has(name) && value !== undefined));
      const request = readRequest(
        await ask({
          method: 'POST',
          path: '/v1/action-requests',
          body: { ...frozen.action, ...present },
          headers: { 'idempotency-key': idempotencyKey ?? (key === undefined ? crypto.randomUUID() : idempotencyKeyOf(key)) },
          signal,
        }),
      );
      if (request.action_digest !== frozen.digest) throw new ClientError('digest_mismatch', 'The answer is about another action than the one that was sent.');
      return request;
    },

    async wait(id, { timeoutSeconds, signal, onPending } = {}) {
      const until = timeoutSeconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutSeconds * 1000;
      for (;;) {
        const asked = performance.now();
        const left = Math.max(0, until - asked);
        const hold = Math.min(HOLD_SECONDS, Math.floor(left / 1000));
        const request = sameRequest(
          id,
          readRequest(await ask({ method: 'GET', path: path(id, `?wait=${hold}`), signal, timeoutMs: (hold + 15) * 1000, patienceMs: Math.max(left, 5000) })),
        );
        if (request.status !== 'pending' || performance.now() >= until) return request;
        onPending?.(request);
        // Somebody between us who does not hold the answer must not make us ask without pause.
        const early = 1000 - (performance.now() - asked);
        if (early > 0) await wire.pause(Math.min(early * (1 + Math.random() / 4), Math.max(0, until - performance.now())), signal);
      }
    },

    get: async (id, { signal } = {}) => sameRequest(id, readRequest(await ask({ method: 'GET', path: path(id), signal }))),
    async list(query = {}, { signal } = {}) {
      const search = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
      return readList(await ask({ method: 'GET', path: `/v1/action-requests?${search.toString()}`, signal }));
    },
    cancel: async (id) => sameRequest(id, readRequest(await post(path(id, '/cancel')))),
    revoke: async (id) => sameRequest(id, readRequest(await post(path(id, '/revoke')))),

    async withdraw(id) {
      try {
        return { kind: 'cancelled', request: await client.cancel(id) };
      } catch (error) {
        if (!isRefusal(error, 'already_settled', 'expired')) throw error;
      }
      const request = await client.get(id);
      if (request.status === 'cancelled') return { kind: 'cancelled', request };
      if (request.status !== 'approved' || request.redeemed_at !== null) return { kind: 'too_late', request };
      try {
        return { kind: 'revoked', request: await client.revoke(id) };
      } catch (error) {
        if (!isRefusal(error, 'not_revocable')) throw error;
        return { kind: 'too_late', request: await client.get(id) };
      }
    },

    async grant(id) {
      const { grant } = objectOf(await post(path(id, '/grant')), 'a grant');
      if (typeof grant !== 'string') throw unexpected('a grant');
      return grant;
    },

    async redeem(grant, action, { dpop } = {}) {
      const frozen = freezeAction(action);
      const answer = readRedemption(
        await ask({ method: 'POST', path: '/v1/grants/redeem', body: { grant, action: frozen.action }, ...(dpop === undefined ? {} : { headers: { dpop } }) }),
      );
      if (answer.action_digest !== frozen.digest) throw new ClientError('digest_mismatch', 'The redemption is of another action than the one at hand.');
      return answer;
    },

    async report(id, { result, result_digest, detail }) {
      await post(path(id, '/report'), { result, ...(result_digest === undefined ? {} : { result_digest }), ...(detail === undefined ? {} : { detail }) });
    },

    guard: (action, run, more = {}) => guard(client, trust, action, run, more),
    runApproved: (id, action, run, more = {}) => runApproved(client, trust, id, freezeAction(action), run, more),

    async jwks() {
      const { keys } = objectOf(await ask({ method: 'GET', path: '/.well-known/jwks.json' }), 'a JWK Set');
      if (!Array.isArray(keys) || !keys.every((key) => key !== null && typeof key === 'object' && !Array.isArray(key))) throw unexpected('a JWK Set');
      // Objects, as just looked at; each member is looked at where a key is used.
      return { keys: keys as Jwks['keys'] };
    },
  };
  const trust = options.jwks === undefined ? undefined : { jwks: options.jwks, issuer: options.issuer ?? wire.url };
  return client;
}

const EXTRAS = new Set<string>([
  'reason',
  'context',
  'purpose',
  'callback',
  'grant_audience',
  'grant_jkt',
  'timeout_seconds',
] satisfies (keyof SubmissionExtras)[]);

/** Any text becomes a key that a header can carry. */
function idempotencyKeyOf(key: string): string {
  return `guard-${sha256Hex(`countersign idempotency key\n${key}`)}`;
}

function sameRequest(id: string, request: ActionRequest): ActionRequest {
  if (request.id !== id) throw new ClientError('digest_mismatch', 'The answer is about another request than the one that was asked for.');
  return request;
}

function wireOf(options: ClientOptions): Wire {
  let url: URL;
  try {
    url = new URL(options.url);
  } catch (cause) {
    throw new ClientError('invalid_options', 'url is no URL.', { cause });
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new ClientError('invalid_options', 'url is no http or https URL.');
  if (!/^[\x21-\x7e]+$/.test(options.apiKey)) throw new ClientError('invalid_options', 'apiKey is empty or holds a character that no key has.');
  return {
    url: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    apiKey: options.apiKey,
    // Bound to nothing: some runtimes refuse a fetch that is called as a method of another object.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    pause: options.pause ?? pause,
  };
}
