import { grantClaimsSchema, type GrantClaims } from '@countersign/contracts';
import { verifyJws } from './jws.js';
import type { Keyring } from './keyring.js';

/**
 * Checks grants against the installation's own keys: form, type, signature and the shape of the claims; null for what is forged or malformed.
 * Time, audience and whether it was redeemed are the flow's to judge. A kid that is not known may be of a key that another process has just
 * made, so the keyring is asked to look again, which it does at most once in 5 seconds.
 */
export function grantVerifier(keyring: Keyring): (token: string) => Promise<GrantClaims | null> {
  return async (token) => {
    let verdict = verifyJws(token, keyring.publicKeys('outcome'));
    if (!verdict.ok && verdict.reason === 'unknown_key') {
      await keyring.refreshIfStale();
      verdict = verifyJws(token, keyring.publicKeys('outcome'));
    }
    if (!verdict.ok) return null;
    return grantClaimsSchema.safeParse(verdict.payload).data ?? null;
  };
}
