/**
 * Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): signs and verifies both of its schemes over
 * `id.timestamp.body`: `v1`, HMAC-SHA256 with a shared `whsec_` secret, and `v1a`, Ed25519.
 * The body is the stored bytes; nothing here parses or re-writes it.
 */
import { createHmac, createPrivateKey, createPublicKey, sign, timingSafeEqual, verify } from 'node:crypto';
import { DeliveryError } from './errors.js';

/** What is signed. `timestamp` is the attempt's, in whole seconds since 1970. */
export interface SignedContent {
  id: string;
  timestamp: number;
  body: Uint8Array;
}

/** The structural part of core's Signer that signing needs: Ed25519 over the bytes, a 64-byte signature. */
export interface WebhookSigner {
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** With what a message is signed: every secret in force (the new one first, old ones while they overlap) and our key. */
export interface WebhookKeys {
  hmacSecrets: readonly string[];
  signer?: WebhookSigner;
}

export interface WebhookHeaders {
  'webhook-id': string;
  'webhook-timestamp': string;
  'webhook-signature': string;
}

/** The newest secret and at most ten that it replaces. */
const MAX_HMAC_SECRETS = 11;
/** How far a receiver lets the time stamp be from its own clock, either way, in seconds. */
const TIMESTAMP_TOLERANCE_SECONDS = 300;

/**
 * The three headers of one attempt: a `v1` signature for each secret, then a `v1a` signature where a signer is given.
 * @throws DeliveryError `unsignable` for an id with a dot or a space, a time stamp that is not a whole positive second, or when
 * neither a secret nor a signer is given: nothing leaves unsigned; `invalid_secret` for a malformed secret.
 */
export async function signWebhook(content: SignedContent, keys: WebhookKeys): Promise<WebhookHeaders> {
  if (keys.hmacSecrets.length > MAX_HMAC_SECRETS) throw new DeliveryError('invalid_secret', `more than ${MAX_HMAC_SECRETS} secrets at once`);
  const bytes = signedBytes(content);
  const signatures = keys.hmacSecrets.map((secret) => `v1,${hmac(secret, bytes).toString('base64')}`);
  if (keys.signer) signatures.push(`v1a,${Buffer.from(await keys.signer.sign(bytes)).toString('base64')}`);
  if (signatures.length === 0) throw new DeliveryError('unsignable', 'neither a secret nor a key to sign with');
  return { 'webhook-id': content.id, 'webhook-timestamp': String(content.timestamp), 'webhook-signature': signatures.join(' ') };
}

/** What a receiver trusts: secrets for `v1`, Ed25519 public keys (32 bytes each) for `v1a`. */
export interface TrustedKeys {
  hmacSecrets?: readonly string[];
  publicKeys?: readonly Uint8Array[];
}

export type WebhookVerification =
  | { ok: true; id: string; timestamp: number; scheme: 'v1' | 'v1a' }
  | { ok: false; reason: 'missing_header' | 'malformed_timestamp' | 'timestamp_too_old' | 'timestamp_too_new' | 'no_matching_signature' };

/**
 * Checks a received message: one signature that a trusted key made is enough; unknown schemes are passed over.
 * @param now seconds since 1970.
 * @throws DeliveryError `invalid_secret` or `invalid_key` when a trusted key itself is malformed.
 */
export function verifyWebhook(
  message: { headers: Readonly<Record<string, string | string[] | undefined>>; body: Uint8Array },
  trusted: TrustedKeys,
  now: number,
): WebhookVerification {
  const id = single(message.headers['webhook-id']);
  const time = single(message.headers['webhook-timestamp']);
  const signatures = single(message.headers['webhook-signature']);
  if (!id || !time || !signatures) return { ok: false, reason: 'missing_header' };
  if (!/^[1-9]\d{0,11}$/.test(time)) return { ok: false, reason: 'malformed_timestamp' };
  const timestamp = Number(time);
  if (timestamp < now - TIMESTAMP_TOLERANCE_SECONDS) return { ok: false, reason: 'timestamp_too_old' };
  if (timestamp > now + TIMESTAMP_TOLERANCE_SECONDS) return { ok: false, reason: 'timestamp_too_new' };

  const bytes = Buffer.concat([Buffer.from(`${id}.${time}.`), message.body]);
  const expected = (trusted.hmacSecrets ?? []).map((secret) => hmac(secret, bytes));
  const publicKeys = (trusted.publicKeys ?? []).map(ed25519PublicKey);
  for (const entry of signatures.split(' ')) {
    const comma = entry.indexOf(',');
    const scheme = entry.slice(0, comma);
    const signature = Buffer.from(entry.slice(comma + 1), 'base64');
    if (scheme === 'v1' && expected.some((mac) => mac.length === signature.length && timingSafeEqual(mac, signature))) {
      return { ok: true, id, timestamp, scheme };
    }
    if (scheme === 'v1a' && publicKeys.some((key) => verify(null, bytes, key, signature))) return { ok: true, id, timestamp, scheme };
  }
  return { ok: false, reason: 'no_matching_signature' };
}

/** Writes a secret of 24 to 64 random bytes as `whsec_…`; ours have 32. */
export function encodeHmacSecret(bytes: Uint8Array): string {
  const secret = `whsec_${Buffer.from(bytes).toString('base64')}`;
  decodeHmacSecret(secret);
  return secret;
}

/** Writes an Ed25519 public key as `whpk_…`, as receivers' libraries take it. */
export function encodePublicKey(bytes: Uint8Array): string {
  if (bytes.length !== 32) throw new DeliveryError('invalid_key', 'an Ed25519 public key has 32 bytes');
  return `whpk_${Buffer.from(bytes).toString('base64')}`;
}

/** The 32 bytes of a `whpk_…` key. */
export function decodePublicKey(text: string): Uint8Array {
  const bytes = decodePrefixed('whpk_', text);
  if (bytes?.length !== 32) throw new DeliveryError('invalid_key', 'a whpk_ key is base64 of 32 bytes');
  return bytes;
}

/**
 * A signer over a `whsk_…` key: seed and public key, 32 bytes each. A key whose public half is not the seed's is refused:
 * signing with a foreign public key would give the seed away.
 */
export function signerOfPrivateKey(text: string): WebhookSigner & { publicKey: Uint8Array } {
  const bytes = decodePrefixed('whsk_', text);
  if (bytes?.length !== 64) throw new DeliveryError('invalid_key', 'a whsk_ key is base64 of 64 bytes');
  // RFC 8410, section 7: a PKCS #8 Ed25519 private key is this prefix and the seed.
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), bytes.subarray(0, 32)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = bytes.subarray(32);
  const derived = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  if (!timingSafeEqual(derived, publicKey)) throw new DeliveryError('invalid_key', 'the halves of the whsk_ key disagree');
  return { publicKey, sign: (content) => Promise.resolve(sign(null, content, key)) };
}

function signedBytes({ id, timestamp, body }: SignedContent): Uint8Array {
  // A dot in the id would let one signature stand for two messages.
  if (!/^[\x21-\x2d\x2f-\x7e]{1,256}$/.test(id)) throw new DeliveryError('unsignable', 'the message id is not visible ASCII without dots');
  if (!Number.isInteger(timestamp) || timestamp <= 0) throw new DeliveryError('unsignable', 'the time stamp is not a whole positive second');
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
}

function hmac(secret: string, bytes: Uint8Array): Buffer {
  return createHmac('sha256', decodeHmacSecret(secret)).update(bytes).digest();
}

function decodeHmacSecret(secret: string): Buffer {
  const bytes = decodePrefixed('whsec_', secret);
  if (!bytes || bytes.length < 24 || bytes.length > 64) throw new DeliveryError('invalid_secret', 'a whsec_ secret is base64 of 24 to 64 bytes');
  return bytes;
}

function decodePrefixed(prefix: string, text: string): Buffer | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const bytes = Buffer.from(text.slice(prefix.length), 'base64');
  // Buffer.from passes over what is not base64; the round trip shows it.
  return bytes.toString('base64') === text.slice(prefix.length) ? bytes : undefined;
}

function ed25519PublicKey(bytes: Uint8Array) {
  if (bytes.length !== 32) throw new DeliveryError('invalid_key', 'an Ed25519 public key has 32 bytes');
  // RFC 8410, section 4: an Ed25519 SubjectPublicKeyInfo is this prefix and the key.
  return createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes]), format: 'der', type: 'spki' });
}

/** A header that came twice counts as missing: nobody can say which one was signed. */
function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
