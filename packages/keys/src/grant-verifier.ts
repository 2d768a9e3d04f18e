import { grantClaimsSchema, type GrantClaims } from '@countersign/contracts';
import { base64url, canonicalJson, utf8 } from '@countersign/core/request';
import { verifyJws, type JwsVerdict } from './jws.js';
import type { Keyring, PublishedKey } from './keyring.js';

/**
 * How long after a key was retired grants may still have been signed with it, in seconds: processes learn of a rotation when they next
 * look, which they do every 30 s. What is younger was signed by somebody who should not have the key any more.
 */
const SIGNS_ON_SECONDS = 120;

/**
 * Checks grants against the installation's own keys: form, type, signature and the shape of the claims; null for what is forged or malformed.
 * There is one spelling of a grant, the canonical one that we write: the same claims in another order or with other white space are none,
 * whoever signed them. Time, audience and whether it was redeemed are the flow's to judge.
 *
 * A kid that is not known may be of a key that another process has just made, so the keyring looks again. A retired key's grants count
 * while their lives, 900 s at most, were begun before it was retired, and shortly after: so a key that was stolen and rotated away is
 * worth nothing a quarter of an hour later.
 */
export function grantVerifier(keyring: Keyring): (token: string) => Promise<GrantClaims | null> {
  return async (token) => {
    let keys = keyring.publicKeys('outcome');
    let verdict = verifyJws(token, keys);
    if (!verdict.ok && verdict.reason === 'unknown_key') {
      await keyring.refreshForUnknownKey();
      keys = keyring.publicKeys('outcome');
      verdict = verifyJws(token, keys);
    }
    if (!verdict.ok || !isCanonical(token, verdict)) return null;
    const claims = grantClaimsSchema.safeParse(verdict.payload).data;
    return claims === undefined || isAfterRetirement(claims, verdict.header.kid, keys) ? null : claims;
  };
}

function isCanonical(token: string, { header, payload }: Extract<JwsVerdict, { ok: true }>): boolean {
  return token.startsWith(`${[header, payload].map((part) => base64url(utf8(canonicalJson(part)))).join('.')}.`);
}

function isAfterRetirement(claims: GrantClaims, kid: string, keys: readonly PublishedKey[]): boolean {
  const retired = keys.find((key) => key.kid === kid)?.retired_at ?? null;
  return retired !== null && claims.iat * 1000 > Date.parse(retired) + SIGNS_ON_SECONDS * 1000;
}
