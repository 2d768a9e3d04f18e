import type { CallerStore, Clock } from '@countersign/core/ports';
import { formatInstant } from '@countersign/core/request';
import { calculateJwkThumbprint, decodeProtectedHeader, errors, importJWK, type JWK, jwtVerify } from 'jose';
import { createHash } from 'node:crypto';
import { hashOf } from './secret-token.js';

export interface ProofWorld {
  callers: Pick<CallerStore, 'spend'>;
  clock: Clock;
  /** Without a slash at its end. */
  publicUrl: string;
}

/** What a proof must be for. */
export interface ProofTarget {
  tenant: string;
  method: string;
  path: string;
  /** The token that it goes with (`ath`); null: none, at a submission. */
  grant: string | null;
  /** The thumbprint of the key; null: whichever key it is. */
  jkt: string | null;
}

const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'PS256'];
/** How far a proof's clock may be from ours, in seconds, either way. */
const WINDOW_SECONDS = 60;
const MAX_CHARACTERS = 8_192;

/**
 * Checks a DPoP proof (RFC 9449, section 4.3): type, algorithm, a public key in its header, its signature, method and address, age, the hash
 * of the token that it goes with; then spends its `jti`, so that it counts once on whichever replica.
 * @returns the key's thumbprint, or a sentence that says what is wrong
 */
export async function checkProof(world: ProofWorld, text: string, target: ProofTarget): Promise<{ jkt: string } | { problem: string }> {
  const problem = (words: string) => ({ problem: `The DPoP proof does not fit: ${words}.` });
  if (text.length > MAX_CHARACTERS) return problem('it is too long');
  try {
    const { typ, alg = '', jwk, ...rest } = decodeProtectedHeader(text);
    if (typ !== 'dpop+jwt' || !ALGORITHMS.includes(alg)) return problem('it is no proof of a key pair');
    if (jwk === undefined || isPrivate(jwk)) return problem('its header must hold the public key alone');
    if ('crit' in rest || 'b64' in rest || 'jku' in rest || 'x5u' in rest) return problem('its header says too much');
    const { payload } = await jwtVerify(text, await importJWK(jwk, alg), {
      typ: 'dpop+jwt',
      algorithms: [alg],
      requiredClaims: ['jti', 'htm', 'htu', 'iat'],
      currentDate: new Date(world.clock.now()),
      clockTolerance: WINDOW_SECONDS,
    });
    const { jti, htm, htu, iat = 0, ath } = payload;
    if (typeof jti !== 'string' || jti.length < 8 || jti.length > 256) return problem('"jti" must be 8 to 256 characters');
    if (htm !== target.method) return problem('"htm" is another method');
    if (!isAddress(htu, `${world.publicUrl}${target.path}`)) return problem('"htu" is another address');
    if (Math.abs(Date.parse(world.clock.now()) / 1000 - iat) > WINDOW_SECONDS) return problem(`"iat" is more than ${WINDOW_SECONDS} s from now`);
    if (target.grant !== null && ath !== createHash('sha256').update(target.grant, 'ascii').digest('base64url'))
      return problem('"ath" is not the hash of this grant');
    const jkt = await calculateJwkThumbprint(jwk, 'sha256');
    if (target.jkt !== null && jkt !== target.jkt) return problem('it is by another key than the one that was named');
    const over = formatInstant((iat + 2 * WINDOW_SECONDS) * 1000);
    if (!(await world.callers.spend(target.tenant, hashOf(JSON.stringify(['countersign/dpop', jkt, jti])), over))) return problem('it was used already');
    return { jkt };
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof SyntaxError || error instanceof DOMException)
      return problem('it cannot be verified');
    throw error;
  }
}

/** RFC 9449, section 4.3: without query and fragment, after normalisation (RFC 3986, section 6.2). */
function isAddress(given: unknown, wanted: string): boolean {
  if (typeof given !== 'string' || !URL.canParse(given)) return false;
  const [one, two] = [new URL(given), new URL(wanted)];
  return one.origin === two.origin && one.pathname === two.pathname && one.username === '' && one.password === '';
}

const isPrivate = (jwk: JWK): boolean => 'd' in jwk || 'k' in jwk || jwk.kty === 'oct';
