import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import { KeysError } from './errors.js';

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** What encryption adds. */
export const OVERHEAD_BYTES = IV_BYTES + TAG_BYTES;

/** AES-256-GCM (NIST SP 800-38D) with a random IV: IV (12 bytes) ‖ ciphertext ‖ tag (16 bytes). */
export function encrypt(key: KeyObject, plaintext: Uint8Array, aad: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(aad, 'utf8'));
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** @throws KeysError `not_opened` */
export function decrypt(key: KeyObject, sealed: Uint8Array, aad: string): Buffer {
  if (sealed.length < OVERHEAD_BYTES) throw new KeysError('not_opened', 'the sealed bytes are too short');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(aad, 'utf8'));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new KeysError('not_opened', 'the sealed bytes were altered or moved, or belong to another key', { cause });
  }
}
