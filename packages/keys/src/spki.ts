import { createPublicKey, type KeyObject, verify } from 'node:crypto';

/**
 * Checks a signature as passkeys make them (WebAuthn level 3, section 6.5.5): the key, in SubjectPublicKeyInfo DER, says by which
 * algorithm. ECDSA over P-256 with SHA-256 in DER, RSASSA-PKCS1-v1_5 with SHA-256 and at least 2048 bits, or Ed25519; false for any other
 * key, and for bytes that are none.
 */
export function verifySpki(spki: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  const key = keyOf(spki);
  if (key === null) return false;
  switch (key.asymmetricKeyType) {
    case 'ec':
      return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' && verify('sha256', data, { key, dsaEncoding: 'der' }, signature);
    case 'rsa':
      return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 && verify('sha256', data, key, signature);
    case 'ed25519':
      return verify(null, data, key, signature);
    default:
      return false;
  }
}

function keyOf(spki: Uint8Array): KeyObject | null {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}
