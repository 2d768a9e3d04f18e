import { fromBase64, parseStrictJson, utf8 } from '@countersign/core/request';
import { readOutcome } from './answers.js';
import { bufferOf, ed25519Keys, verifyEd25519 } from './ed25519.js';
import { ClientError } from './errors.js';
import type { JsonObject, Jwks, Outcome } from './types.js';

/** Fetch's `Headers`, or a plain object as Node, Express and Fastify have it. */
export type MessageHeaders = { get(name: string): string | null } | { readonly [name: string]: string | string[] | undefined };

/** What to trust: the secret (`v1`), the published keys (`v1a`), or both; one signature that verifies is enough. */
export interface VerifyOptions {
  /** `whsec_…`; several while one replaces the other. */
  secret?: string | readonly string[];
  jwks?: Jwks;
  /** How far the time stamp may be from now, either way. 300 unless told. */
  toleranceSeconds?: number;
  /** Seconds since 1970; the clock's unless told. */
  now?: number;
}

export interface VerifiedMessage {
  /** `webhook-id`: the same event may come twice, so remember it. */
  id: string;
  /** When this attempt was signed, in seconds since 1970. */
  timestamp: number;
  scheme: 'v1' | 'v1a';
  body: JsonObject;
}

export interface OutcomeMessage {
  id: string;
  timestamp: number;
  type: 'outcome.settled' | 'outcome.revoked';
  data: Outcome;
}

/**
 * Verifies a callback (Standard Webhooks) and reads its outcome. Pass the raw bytes: a body that was parsed and written again verifies nothing.
 * @throws ClientError `invalid_signature`, `stale_message`, `malformed_message`, `invalid_options`
 */
export async function verifyOutcome(rawBody: Uint8Array | string, headers: MessageHeaders, options: VerifyOptions): Promise<OutcomeMessage> {
  return outcomeOf(await verifyMessage(rawBody, headers, options));
}

/** Verifies a message of any event type. Throws as verifyOutcome does. */
export async function verifyMessage(rawBody: Uint8Array | string, headers: MessageHeaders, options: VerifyOptions): Promise<VerifiedMessage> {
  const [id, time, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headerOf(headers, name));
  if (!id || !time || !signatures)
    throw new ClientError('malformed_message', 'A webhook-id, webhook-timestamp or webhook-signature header is missing or came twice.');
  if (!/^[1-9]\d{0,11}$/.test(time)) throw new ClientError('malformed_message', 'The webhook-timestamp is no number of seconds.');
  const timestamp = Number(time);
  const body = typeof rawBody === 'string' ? encode(rawBody) : rawBody;
  const scheme = await matching(concat(encode(`${id}.${time}.`), body), signatures, options);
  if (scheme === undefined) throw new ClientError('invalid_signature', 'No signature on the message is of a key that is trusted.');
  const tolerance = options.toleranceSeconds ?? 300;
  if (!(Math.abs((options.now ?? Date.now() / 1000) - timestamp) <= tolerance)) {
    throw new ClientError('stale_message', `The message was signed more than ${tolerance} s from now: it may be a replay.`);
  }
  const read = parseStrictJson(body, { maxBytes: 16 * 1024 * 1024, maxDepth: 128 });
  if (!read.ok || read.value === null || typeof read.value !== 'object' || Array.isArray(read.value))
    throw new ClientError('malformed_message', 'The message is no JSON object.');
  return { id, timestamp, scheme, body: read.value };
}

/** What to answer to the delivery; the body, if any, is for people who debug. */
export interface ReceiverAnswer {
  status: 204 | 400 | 401 | 500;
  detail?: string;
}

export interface ReceiverOptions extends Omit<VerifyOptions, 'now'> {
  /** Called for each verified outcome, at least once, in order per request. What it throws is answered with 500, so that the delivery comes again. */
  onOutcome(outcome: Outcome, message: OutcomeMessage): void | Promise<void>;
  /** Called with what was refused or went wrong. */
  onError?(error: unknown): void;
}

/** A receiver for any framework: give it the raw body and the headers, answer what it says. */
export function outcomeReceiver(options: ReceiverOptions): (rawBody: Uint8Array | string, headers: MessageHeaders) => Promise<ReceiverAnswer> {
  const { onOutcome, onError, ...verify } = options;
  return async (rawBody, headers) => {
    try {
      const message = await verifyMessage(rawBody, headers, verify);
      // An endpoint may be sent other events too: taken, and not an outcome.
      const { type } = message.body;
      if (typeof type === 'string' && !type.startsWith('outcome.')) return { status: 204 };
      const outcome = outcomeOf(message);
      await onOutcome(outcome.data, outcome);
      return { status: 204 };
    } catch (error) {
      onError?.(error);
      if (!(error instanceof ClientError)) return { status: 500 };
      switch (error.code) {
        case 'invalid_signature':
        case 'stale_message':
          return { status: 401, detail: error.message };
        case 'malformed_message':
          return { status: 400, detail: error.message };
        default:
          return { status: 500 };
      }
    }
  };
}

function outcomeOf({ id, timestamp, body }: VerifiedMessage): OutcomeMessage {
  const { type, data } = body;
  if ((type !== 'outcome.settled' && type !== 'outcome.revoked') || data === undefined)
    throw new ClientError('malformed_message', 'The message is no outcome.');
  try {
    return { id, timestamp, type, data: readOutcome(data) };
  } catch (cause) {
    throw new ClientError('malformed_message', 'The message holds no outcome that can be read.', { cause });
  }
}

/** The scheme of the first signature that a trusted key made. WebCrypto compares HMACs in constant time. */
async function matching(bytes: Uint8Array, signatures: string, { secret, jwks }: VerifyOptions): Promise<'v1' | 'v1a' | undefined> {
  if (secret === undefined && jwks === undefined) throw new ClientError('invalid_options', 'Name a secret or a JWK Set to verify with.');
  const secrets = secret === undefined ? [] : typeof secret === 'string' ? [secret] : secret;
  const macs = await Promise.all(secrets.map(hmacKey));
  const keys = jwks === undefined ? [] : await ed25519Keys(jwks);
  for (const entry of signatures.split(' ')) {
    const comma = entry.indexOf(',');
    const signature = signatureOf(entry.slice(comma + 1));
    if (signature === undefined) continue;
    const scheme = entry.slice(0, comma);
    if (scheme === 'v1') for (const key of macs) if (await crypto.subtle.verify('HMAC', key, bufferOf(signature), bufferOf(bytes))) return 'v1';
    if (scheme === 'v1a') for (const { key } of keys) if (await verifyEd25519(key, signature, bytes)) return 'v1a';
  }
  return undefined;
}

async function hmacKey(secret: string): Promise<CryptoKey> {
  try {
    if (!secret.startsWith('whsec_')) throw new Error('no prefix');
    const bytes = fromBase64(secret.slice('whsec_'.length));
    // An empty or short key would make every signature guessable (Standard Webhooks: 24 to 64 bytes).
    if (bytes.length < 24 || bytes.length > 64) throw new Error('length');
    return await crypto.subtle.importKey('raw', bufferOf(bytes), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  } catch {
    throw new ClientError('invalid_options', 'A secret is whsec_ and the base64 of 24 to 64 bytes.');
  }
}

function signatureOf(text: string): Uint8Array | undefined {
  try {
    return fromBase64(text);
  } catch {
    return undefined;
  }
}

/** A header that came twice counts as missing: nobody can say which one was signed. */
function headerOf(headers: MessageHeaders, name: string): string | undefined {
  // Fetch's Headers has a method; a plain object could hold a header of that name, but never a function.
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined;
  const found = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  const [, value] = found[0] ?? [];
  return found.length === 1 && typeof value === 'string' ? value : undefined;
}

function encode(text: string): Uint8Array {
  try {
    return utf8(text);
  } catch (cause) {
    throw new ClientError('malformed_message', 'The message is no UTF-8.', { cause });
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
