import { fromBase64url } from '@countersign/core/request';
import { ClientError } from './errors.js';
import type { Jwks } from './types.js';

/** The Ed25519 keys (RFC 8037) of a JWK Set; other kinds are passed over. @throws ClientError `invalid_options` for a malformed one, or none */
export async function ed25519Keys(jwks: Jwks): Promise<{ kid: string | undefined; key: CryptoKey }[]> {
  const keys = [];
  for (const { kty, crv, x, kid } of jwks.keys) {
    if (kty !== 'OKP' || crv !== 'Ed25519') continue;
    try {
      keys.push({ kid, key: await crypto.subtle.importKey('raw', bufferOf(fromBase64url(x ?? '')), { name: 'Ed25519' }, false, ['verify']) });
    } catch (cause) {
      throw new ClientError('invalid_options', 'A key of the JWK Set is no Ed25519 key.', { cause });
    }
  }
  if (keys.length === 0) throw new ClientError('invalid_options', 'The JWK Set holds no Ed25519 key.');
  return keys;
}

/** Whether the signature is the key's over the bytes (RFC 8032). */
export function verifyEd25519(key: CryptoKey, signature: Uint8Array, bytes: Uint8Array): Promise<boolean> {
  return crypto.subtle.verify({ name: 'Ed25519' }, key, bufferOf(signature), bufferOf(bytes));
}

/** WebCrypto takes no views of shared memory, and the types say so; a copy is none. */
export function bufferOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
