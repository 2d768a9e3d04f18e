import { createPublicKey } from 'node:crypto';
import { COSEALG, decodeCredentialPublicKey } from '@simplewebauthn/server/helpers';
import { fromBase64url } from '@countersign/core/request';

/** The algorithms that count: ES256, RS256 and Ed25519, which everybody can verify offline. */
export const ALGORITHMS: number[] = [COSEALG.ES256, COSEALG.EdDSA, COSEALG.RS256];

/** A COSE_Key (RFC 9052, section 7) as SubjectPublicKeyInfo DER; null for a key of another algorithm, or bytes that are none. */
export function spkiOf(cose: Uint8Array): Uint8Array | null {
  try {
    const jwk = jwkOf(decodeCredentialPublicKey(new Uint8Array(cose)));
    return jwk === null ? null : new Uint8Array(createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' }));
  } catch {
    return null;
  }
}

/** Labels of COSE_Key by IANA's registry; what -1 to -3 mean depends on the key's type. */
const [KTY, ALG, CRV, X, Y] = [1, 3, -1, -2, -3];
const [OKP, EC2, RSA] = [1, 2, 3];

function jwkOf(key: { get(label: number): unknown }): Record<string, string> | null {
  const text = (label: number): string => {
    const value = key.get(label);
    if (!(value instanceof Uint8Array)) throw new TypeError('a parameter of the key is missing');
    return Buffer.from(value).toString('base64url');
  };
  const algorithm = key.get(ALG);
  switch (key.get(KTY)) {
    case EC2:
      return algorithm === COSEALG.ES256 && key.get(CRV) === 1 ? { kty: 'EC', crv: 'P-256', x: text(X), y: text(Y) } : null;
    case OKP:
      return algorithm === COSEALG.EdDSA && key.get(CRV) === 6 ? { kty: 'OKP', crv: 'Ed25519', x: text(X) } : null;
    case RSA:
      // The modulus is -1, the exponent -2.
      return algorithm === COSEALG.RS256 ? { kty: 'RSA', n: text(CRV), e: text(X) } : null;
    default:
      return null;
  }
}

/** The challenge that a browser's client data names; null where it is none. */
export function challengeIn(clientDataJson: string): { challenge: string; crossOrigin: boolean } | null {
  try {
    const data: unknown = JSON.parse(Buffer.from(fromBase64url(clientDataJson)).toString('utf8'));
    if (data === null || typeof data !== 'object' || !('challenge' in data) || typeof data.challenge !== 'string') return null;
    const crossOrigin = ('crossOrigin' in data && data.crossOrigin !== false) || 'topOrigin' in data;
    return { challenge: data.challenge, crossOrigin };
  } catch {
    return null;
  }
}
