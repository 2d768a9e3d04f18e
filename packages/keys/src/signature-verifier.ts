import type { SigningPurpose } from '@countersign/core/ports';
import { verifyEd25519 } from './ed25519.js';
import type { Keyring } from './keyring.js';

/**
 * Whether a key of the purpose, retired ones included, signed exactly these bytes. A signature by a key that another process has just made
 * is looked at once more with the keys as they are by then.
 */
export function signatureVerifier(keyring: Keyring, purpose: SigningPurpose): (bytes: Uint8Array, signature: Uint8Array) => Promise<boolean> {
  return async (bytes, signature) => {
    const signed = (): boolean => keyring.publicKeys(purpose).some(({ publicKey }) => verifyEd25519(publicKey, bytes, signature));
    if (signed()) return true;
    await keyring.refreshForUnknownKey();
    return signed();
  };
}
