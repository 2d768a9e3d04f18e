import { base64url } from '@countersign/core/request';
import type { Signer } from '@countersign/core/ports';
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { KeysError } from './errors.js';

/** The bytes of an Ed25519 public key, and of the seed that is its private key (RFC 8032). */
export const ED25519_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** The DER before the key in SubjectPublicKeyInfo and PKCS #8 (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A public key as RFC 8037 writes it in JSON. */
export interface Ed25519Jwk {
  kty: 'OKP';
  crv: 'Ed25519';
  x: string;
  kid: string;
  use: 'sig';
  alg: 'EdDSA';
}

/** A public key under its name. */
export interface PublicSigningKey {
  readonly kid: string;
  readonly publicKey: Uint8Array;
}

/** A new random seed, from the system's generator. */
export function generateSeed(): Uint8Array {
  const { privateKey } = generateKeyPairSync('ed25519');
  return new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-ED25519_KEY_BYTES));
}

/** Signs with the key of that seed. Ed25519 is deterministic: the same bytes get the same signature. */
export function signerOf(seed: Uint8Array): Signer {
  const privateKey = privateKeyOf(seed);
  const publicKey = rawPublicKey(createPublicKey(privateKey));
  return { kid: thumbprint(publicKey), publicKey, sign: async (bytes) => new Uint8Array(sign(null, bytes, privateKey)) };
}

/** Whether the signature is that key's over the message (RFC 8032). False, never a fault, for keys and signatures of other lengths. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== ED25519_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  return verify(null, message, createPublicKey({ key: Buffer.from(spkiDer(publicKey)), format: 'der', type: 'spki' }), signature);
}

/** The key's RFC 7638 thumbprint: base64url of SHA-256 over its required members in order (RFC 8037, appendix A.3). */
export function thumbprint(publicKey: Uint8Array): string {
  return base64url(
    createHash('sha256')
      .update(`{"crv":"Ed25519","kty":"OKP","x":"${base64url(checked(publicKey))}"}`)
      .digest(),
  );
}

/** The public key as JWK; `kid` is its thumbprint. */
export function publicJwk(publicKey: Uint8Array): Ed25519Jwk {
  return { kty: 'OKP', crv: 'Ed25519', x: base64url(checked(publicKey)), kid: thumbprint(publicKey), use: 'sig', alg: 'EdDSA' };
}

/** SubjectPublicKeyInfo in DER (RFC 8410), as openssl and most libraries read it. */
export function spkiDer(publicKey: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([SPKI_PREFIX, checked(publicKey)]));
}

/** SubjectPublicKeyInfo in PEM. */
export function spkiPem(publicKey: Uint8Array): string {
  return `-----BEGIN PUBLIC KEY-----\n${Buffer.from(spkiDer(publicKey)).toString('base64')}\n-----END PUBLIC KEY-----\n`;
}

/** @throws KeysError `invalid_key` */
function privateKeyOf(seed: Uint8Array): KeyObject {
  if (seed.length !== ED25519_KEY_BYTES) throw new KeysError('invalid_key', `an Ed25519 private key has ${ED25519_KEY_BYTES} bytes`);
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

function rawPublicKey(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-ED25519_KEY_BYTES));
}

function checked(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== ED25519_KEY_BYTES) throw new KeysError('invalid_key', `an Ed25519 public key has ${ED25519_KEY_BYTES} bytes`);
  return publicKey;
}
