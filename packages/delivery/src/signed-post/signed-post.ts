/** A signed HTTP POST through the guarded connector: what the webhook and CloudEvents have in common. */
import type { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import { DeliveryError } from '../errors.js';
import { guardedConnector, type GuardOptions } from '../guarded-connector.js';
import { signWebhook, type WebhookSigner } from '../standard-webhooks.js';
import { MAX_PREVIEW_BYTES, type AttemptResult, type OutboundMessage, type Target, type Transport } from '../transport.js';
import { failureOf } from './failure.js';
import { parseRetryAfter } from './retry-after.js';

export interface SignedPostOptions extends Omit<GuardOptions, 'connectTimeoutMs'> {
  /** Signs `v1a`; absent, `v1` stands alone. */
  signer?: WebhookSigner;
  /** Milliseconds since 1970; dates in Retry-After are measured from it. */
  now: () => number;
  /** 5 s when absent. */
  connectTimeoutMs?: number;
  /** From the look-up to the last byte that is read of the answer; 15 s when absent. */
  attemptTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const ATTEMPT_TIMEOUT_MS = 15_000;
/** How much of an answer is read at most. */
const MAX_ANSWER_BYTES = 16_384;
/** Connections per origin; undici keeps idle ones for the next message. */
const CONNECTIONS_PER_ORIGIN = 16;

/** How the bodies of a kind of transport are written. */
export interface PostForm {
  kind: Transport['kind'];
  contentType: string;
}

/** A transport that never follows a redirect, never uses a proxy of the environment and opens no socket that the policy denies. */
export function createSignedPost({ kind, contentType }: PostForm, options: SignedPostOptions): Transport {
  const { signer, now, attemptTimeoutMs = ATTEMPT_TIMEOUT_MS, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const dispatcher = new Agent({
    connect: guardedConnector({ ...options, connectTimeoutMs }),
    connections: CONNECTIONS_PER_ORIGIN,
    pipelining: 1,
    // The attempt's own deadline covers both.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    kind,
    close: () => dispatcher.close(),
    async attempt(message, target, signal) {
      const headers = await signWebhook(message, { hmacSecrets: target.hmacSecrets, ...(signer ? { signer } : {}) });
      const deadline = deadlineOf(signal, attemptTimeoutMs);
      let answer: Dispatcher.ResponseData;
      try {
        answer = await send(dispatcher, message, target, { ...headers, 'content-type': contentType }, deadline.signal);
      } catch (error) {
        deadline.clear();
        return unanswered(error, deadline);
      }
      return resultOf(answer, now(), deadline);
    },
  };
}

async function resultOf({ statusCode: status, headers, body }: Dispatcher.ResponseData, nowMs: number, deadline: Deadline): Promise<AttemptResult> {
  const wish = headers['webhook-delivery'];
  if (status >= 200 && status < 300) {
    // Delivered, whatever the body does: it is read to free the connection, and nobody waits for it.
    void body.dump({ limit: MAX_ANSWER_BYTES, signal: deadline.signal }).catch(ignoreBody).finally(deadline.clear);
    return { kind: 'delivered', status, disable: wish === 'disable' };
  }
  const answerPreview = await previewOf(body);
  deadline.clear();
  if (status === 410 || wish === 'disable' || wish === 'abort-message') {
    return { kind: 'gone', status, disable: wish !== 'abort-message' || status === 410, ...(answerPreview === '' ? {} : { answerPreview }) };
  }
  const retryAfterSeconds = parseRetryAfter(headers['retry-after'], nowMs);
  return {
    kind: 'failed',
    reason: status >= 300 && status < 400 ? 'redirect' : 'http_error',
    detail: `the receiver answered ${status}`,
    status,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(answerPreview === '' ? {} : { answerPreview }),
  };
}

function send(dispatcher: Dispatcher, message: OutboundMessage, target: Target, signed: Record<string, string>, signal: AbortSignal) {
  return request(target.url, {
    dispatcher,
    method: 'POST',
    headers: { ...othersThan(signed, target.headers ?? {}), 'user-agent': 'Countersign', ...signed },
    body: message.body,
    signal,
  });
}

/** The endpoint's own headers but for those that are ours, whatever their case: undici would send both. */
function othersThan(ours: Record<string, string>, wanted: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !(name.toLowerCase() in ours)));
}

function unanswered(error: unknown, deadline: Deadline): AttemptResult {
  if (error instanceof DeliveryError && error.code === 'address_blocked') return { kind: 'blocked', detail: error.message };
  if (deadline.ended === 'timeout') return { kind: 'failed', reason: 'timeout', detail: 'no answer in time' };
  if (deadline.ended === 'cancelled') return { kind: 'failed', reason: 'cancelled', detail: 'ended before an answer came' };
  return failureOf(error);
}

/** The first bytes of a refusing answer as text. At most MAX_ANSWER_BYTES are read; an answer that breaks off is as good as read. */
async function previewOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let read = 0;
  try {
    for await (const chunk of body) {
      // undici's body yields Buffers while no encoding is set.
      const bytes = chunk as Buffer;
      if (read < MAX_PREVIEW_BYTES) chunks.push(bytes);
      read += bytes.length;
      if (read >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    // What had come by then is enough.
  }
  return Buffer.concat(chunks).subarray(0, MAX_PREVIEW_BYTES).toString('utf8');
}

/** The status has spoken: what becomes of the body afterwards changes no result. */
function ignoreBody(): void {}

interface Deadline {
  signal: AbortSignal;
  /** What aborted it first. */
  ended: 'timeout' | 'cancelled' | null;
  clear: () => void;
}

/** The caller's signal and the attempt's time in one. (AbortSignal.any on a long-lived signal keeps what it made alive.) */
function deadlineOf(signal: AbortSignal, timeoutMs: number): Deadline {
  const controller = new AbortController();
  const end = (ended: 'timeout' | 'cancelled') => {
    deadline.ended ??= ended;
    controller.abort();
  };
  const cancel = () => end('cancelled');
  const timer = setTimeout(() => end('timeout'), timeoutMs);
  const deadline: Deadline = {
    signal: controller.signal,
    ended: null,
    clear: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
    },
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return deadline;
}
