import type { Signer } from '@countersign/core/ports';
import { base64, fromBase64 } from '@countersign/core/request';
import { ED25519_KEY_BYTES, signerOf } from './ed25519.js';
import { KeysError } from './errors.js';

/** `whpk_` and the base64 of the public key: how Standard Webhooks writes a key that verifies `v1a`. */
export function webhookPublicKey(publicKey: Uint8Array): string {
  if (publicKey.length !== ED25519_KEY_BYTES) throw new KeysError('invalid_key', `an Ed25519 public key has ${ED25519_KEY_BYTES} bytes`);
  return `whpk_${base64(publicKey)}`;
}

/** The public key of its `whpk_` form. @throws KeysError `invalid_key` */
export function parseWebhookPublicKey(text: string): Uint8Array {
  return decode('whpk_', text, ED25519_KEY_BYTES);
}

/** `whsk_` and the base64 of seed ‖ public key: how Standard Webhooks writes a key that signs `v1a`. */
export function webhookSigningKey(seed: Uint8Array): string {
  return `whsk_${base64(Buffer.concat([seed, signerOf(seed).publicKey]))}`;
}

/**
 * The signer of a `whsk_` form. A key whose halves disagree is refused: signatures that mix two keys would give the private one away.
 * @throws KeysError `invalid_key`; the message does not repeat the text.
 */
export function parseWebhookSigningKey(text: string): Signer {
  const bytes = decode('whsk_', text, 2 * ED25519_KEY_BYTES);
  const signer = signerOf(bytes.subarray(0, ED25519_KEY_BYTES));
  if (Buffer.compare(signer.publicKey, bytes.subarray(ED25519_KEY_BYTES)) !== 0) throw new KeysError('invalid_key', 'the two halves of the whsk_ key disagree');
  return signer;
}

function decode(prefix: string, text: string, length: number): Uint8Array {
  try {
    const bytes = text.startsWith(prefix) ? fromBase64(text.slice(prefix.length)) : new Uint8Array(0);
    if (bytes.length === length) return bytes;
  } catch (cause) {
    throw new KeysError('invalid_key', `this is not a ${prefix} key`, { cause });
  }
  throw new KeysError('invalid_key', `this is not a ${prefix} key`);
}
