import type { PasskeyEvidence, Verdict } from '@countersign/contracts';
import { sha256 } from '@noble/hashes/sha2.js';
import { CoreError } from '../errors.js';
import { base64url, fromBase64url, fromUtf8, utf8 } from '../request/bytes.js';
import { decisionChallenge } from '../request/decision-challenge.js';

/**
 * Checks a signature over `data` by a key in SubjectPublicKeyInfo DER, as WebAuthn makes them (level 3, section 6.5.5): ECDSA with SHA-256
 * over P-256 in DER, RSASSA-PKCS1-v1_5 with SHA-256, or Ed25519, as the key says. False for any other key. Core has no such code of its own.
 */
export type SpkiVerify = (spki: Uint8Array, data: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>;

export type EvidenceVerdict =
  | { readonly ok: true; /** Where the browser says that it was pressed. */ readonly origin: string }
  | { readonly ok: false; readonly reason: EvidenceFault };

/**
 * `malformed`: not what a browser gives. `other_challenge`: it was made over another request, view, verdict or nonce. `other_origin`: the
 * page was another's, or the key another site's. `cross_origin`: the page stood in a frame of another site. `not_verified`: nobody touched
 * the authenticator, or it did not check who it was. `bad_signature`: the key did not sign it.
 */
export type EvidenceFault = 'malformed' | 'other_challenge' | 'other_origin' | 'cross_origin' | 'not_verified' | 'bad_signature';

/**
 * Whether a passkey's evidence is an assertion over exactly this decision (WebAuthn level 3, section 7.2). Needs nothing but its arguments,
 * so that it can be checked offline, for ever.
 *
 * Whose key it is, is not in the evidence: the ledger's `passkey.enrolled` says so.
 * @param expected the address that the page must have had; where absent, any whose host the key was made for
 */
export async function checkPasskeyEvidence(
  evidence: PasskeyEvidence,
  decided: { request_digest: string; view_digest: string; verdict: Verdict },
  verify: SpkiVerify,
  expected: { origin?: string } = {},
): Promise<EvidenceVerdict> {
  const no = (reason: EvidenceFault): EvidenceVerdict => ({ ok: false, reason });
  const read = readEvidence(evidence, decided);
  if (read === null) return no('malformed');
  const { client, clientData, authenticatorData, signature, spki, challenge } = read;
  if (client.type !== 'webauthn.get') return no('malformed');
  if (client.challenge !== challenge) return no('other_challenge');
  const host = hostOf(client.origin);
  if (host === null || (expected.origin !== undefined && client.origin !== expected.origin)) return no('other_origin');
  // Section 6.1: 32 bytes hash of the relying party's id, one of flags, four of the counter.
  if (!same(authenticatorData.slice(0, 32), sha256(utf8(host)))) return no('other_origin');
  if (client.crossOrigin === true || client.topOrigin !== undefined) return no('cross_origin');
  const flags = authenticatorData[32] ?? 0;
  if ((flags & USER_PRESENT) === 0 || (flags & USER_VERIFIED) === 0) return no('not_verified');
  const signed = Uint8Array.of(...authenticatorData, ...sha256(clientData));
  return (await verify(spki, signed, signature)) ? { ok: true, origin: client.origin } : no('bad_signature');
}

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
/** Hash, flags and counter; extensions may follow. */
const LEAST_AUTHENTICATOR_DATA = 37;

interface ReadEvidence {
  client: { type: unknown; challenge: unknown; origin: string; crossOrigin: unknown; topOrigin: unknown };
  clientData: Uint8Array;
  authenticatorData: Uint8Array;
  signature: Uint8Array;
  spki: Uint8Array;
  /** As it must be. */
  challenge: string;
}

function readEvidence(evidence: PasskeyEvidence, decided: { request_digest: string; view_digest: string; verdict: Verdict }): ReadEvidence | null {
  try {
    const clientData = fromBase64url(evidence.client_data_json);
    const authenticatorData = fromBase64url(evidence.authenticator_data);
    const client: unknown = JSON.parse(fromUtf8(clientData));
    if (client === null || typeof client !== 'object' || authenticatorData.length < LEAST_AUTHENTICATOR_DATA) return null;
    const { type, challenge, origin, crossOrigin, topOrigin } = client as Record<string, unknown>; // each is judged below
    if (typeof origin !== 'string') return null;
    return {
      client: { type, challenge, origin, crossOrigin, topOrigin },
      clientData,
      authenticatorData,
      signature: fromBase64url(evidence.signature),
      spki: fromBase64url(evidence.public_key),
      challenge: base64url(decisionChallenge({ ...decided, nonce: fromBase64url(evidence.nonce) })),
    };
  } catch (error) {
    if (error instanceof CoreError || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The host of an origin; null where the text is more, or less, than an origin. */
function hostOf(origin: string): string | null {
  try {
    const url = new URL(origin);
    return url.origin === origin ? url.hostname : null;
  } catch {
    return null;
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, index) => byte === b[index]);
