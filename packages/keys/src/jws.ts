import type { JsonObject } from '@countersign/contracts';
import { GRANT_TYPE } from '@countersign/core/outcome';
import type { Signer } from '@countersign/core/ports';
import { base64url, canonicalJson, fromBase64url, parseStrictJson, utf8 } from '@countersign/core/request';
import { CoreError } from '@countersign/core/errors';
import { verifyEd25519, type PublicSigningKey } from './ed25519.js';

/** The longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 16_384;

export interface JwsHeader {
  alg: 'EdDSA';
  kid: string;
  typ: string;
}

export type JwsVerdict =
  | { readonly ok: true; readonly header: JwsHeader; readonly payload: JsonObject }
  /**
   * `malformed`: not three parts of canonical base64url with strict JSON objects inside. `wrong_header`: another type or algorithm, or a
   * member that we do not use (crit, jku, jwk, x5u, b64, …). `unknown_key`: a kid that is not among the keys. `bad_signature`: the rest.
   */
  | { readonly ok: false; readonly reason: 'malformed' | 'wrong_header' | 'unknown_key' | 'bad_signature' };

/** Signs a compact JWS (RFC 7515, section 7.1) with EdDSA (RFC 8037); alg and kid come from the signer. Header and payload are RFC 8785 canonical JSON. */
export async function signJws(header: { typ: string }, payload: JsonObject, signer: Pick<Signer, 'kid' | 'sign'>): Promise<string> {
  const protectedHeader: JwsHeader = { alg: 'EdDSA', kid: signer.kid, typ: header.typ };
  const signed = `${base64url(utf8(canonicalJson(protectedHeader)))}.${base64url(utf8(canonicalJson(payload)))}`;
  return `${signed}.${base64url(await signer.sign(utf8(signed)))}`;
}

/**
 * Verifies a compact JWS as narrowly as it can be done: exactly the header members alg (`EdDSA`), kid (one of the keys) and typ (the
 * expected one, to the letter), base64url without padding in its one canonical spelling, strict JSON without duplicate members.
 * Knows no clock and no claims: what the payload says is the caller's to judge.
 */
export function verifyJws(token: string, keys: Iterable<PublicSigningKey>, typ: string = GRANT_TYPE): JwsVerdict {
  const parsed = token.length > MAX_TOKEN_LENGTH ? null : parse(token);
  if (parsed === null) return { ok: false, reason: 'malformed' };
  const { header, payload, signed, signature } = parsed;
  const { alg, kid, typ: type, ...others } = header;
  if (alg !== 'EdDSA' || type !== typ || typeof kid !== 'string' || Object.keys(others).length > 0) return { ok: false, reason: 'wrong_header' };
  const key = [...keys].find((candidate) => candidate.kid === kid);
  if (key === undefined) return { ok: false, reason: 'unknown_key' };
  if (!verifyEd25519(key.publicKey, utf8(signed), signature)) return { ok: false, reason: 'bad_signature' };
  return { ok: true, header: { alg, kid, typ: type }, payload };
}

function parse(token: string): { header: JsonObject; payload: JsonObject; signed: string; signature: Uint8Array } | null {
  const parts = token.split('.');
  const [header, payload, signature] = parts.map(decode);
  const [headerObject, payloadObject] = [objectOf(header), objectOf(payload)];
  if (parts.length !== 3 || headerObject === null || payloadObject === null || signature === null || signature === undefined) return null;
  return { header: headerObject, payload: payloadObject, signed: token.slice(0, token.lastIndexOf('.')), signature };
}

function decode(part: string): Uint8Array | null {
  try {
    return fromBase64url(part);
  } catch (error) {
    if (error instanceof CoreError) return null;
    throw error;
  }
}

function objectOf(bytes: Uint8Array | null | undefined): JsonObject | null {
  if (bytes === null || bytes === undefined) return null;
  const result = parseStrictJson(bytes, { maxBytes: MAX_TOKEN_LENGTH });
  if (!result.ok || result.value === null || typeof result.value !== 'object' || Array.isArray(result.value)) return null;
  return result.value;
}
