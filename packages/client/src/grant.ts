import { fromBase64url, parseStrictJson, utf8 } from '@countersign/core/request';
import { GRANT_TYPE } from '@countersign/core/outcome';
import { ed25519Keys, verifyEd25519 } from './ed25519.js';
import { ClientError } from './errors.js';
import { actionDigestOf } from './frozen-action.js';
import type { Action, GrantClaims, JsonObject, Jwks } from './types.js';

export interface VerifyGrantOptions {
  /** The published keys, fetched or pinned before. */
  jwks: Jwks;
  /** Who issues: the service's PUBLIC_URL. */
  issuer: string;
  /** For whom: the service's PUBLIC_URL again, unless the request named another `grant_audience`. */
  audience: string;
  /** The action exactly as it will run. */
  action: Action;
  /** Seconds since 1970; the clock's unless told. */
  now?: number;
}

const MAX_GRANT_LENGTH = 8192;
/** The longest life of a grant, in seconds. */
const MAX_LIFE_SECONDS = 900;
/** How far the issuer's clock may be ahead of ours, in seconds. */
const SKEW_SECONDS = 60;

/**
 * Verifies a grant without asking the service: form, type, signature, issuer, audience, time, and that it is for exactly this action.
 * It does not say whether the grant was used or revoked: only `redeem` does.
 * @throws ClientError `invalid_grant`, `grant_expired`, `action_mismatch`; `invalid_action`, `invalid_options`
 */
export async function verifyGrant(jws: string, options: VerifyGrantOptions): Promise<GrantClaims> {
  const { kid, claims, signed, signature } = parse(jws);
  const key = (await ed25519Keys(options.jwks)).find((candidate) => candidate.kid === kid);
  if (key === undefined || !(await verifyEd25519(key.key, signature, utf8(signed)))) throw invalid('no published key signed it');
  if (claims.iss !== options.issuer) throw invalid('another issuer made it');
  if (claims.aud !== options.audience) throw invalid('it is for another audience');
  const now = options.now ?? Math.floor(Date.now() / 1000);
  if (claims.iat > now + SKEW_SECONDS) throw invalid('it was issued in the future');
  if (claims.exp <= now) throw new ClientError('grant_expired', 'The grant has expired.');
  if (claims.act_digest !== actionDigestOf(options.action)) throw new ClientError('action_mismatch', 'The grant is for another action.');
  return claims;
}

/** What a grant says, unverified: good for comparing and for people to read, never for trust. @throws ClientError `invalid_grant` */
export function readGrant(jws: string): GrantClaims {
  return parse(jws).claims;
}

interface ParsedGrant {
  kid: string;
  claims: GrantClaims;
  signed: string;
  signature: Uint8Array;
}

/** As narrow as the service itself: three parts, canonical base64url, strict JSON, exactly the members that are ours. */
function parse(jws: string): ParsedGrant {
  const parts = jws.length > MAX_GRANT_LENGTH ? [] : jws.split('.');
  const [header = '', payload = '', signature = ''] = parts;
  if (parts.length !== 3) throw invalid('it is no compact JWS');
  const { alg, typ, kid, ...others } = objectOf(header);
  if (alg !== 'EdDSA' || typ !== GRANT_TYPE || typeof kid !== 'string' || Object.keys(others).length > 0) throw invalid('its header is not ours');
  return { kid, claims: claimsOf(objectOf(payload)), signed: `${header}.${payload}`, signature: bytesOf(signature) };
}

const TEXT_CLAIMS = ['iss', 'aud', 'jti', 'tenant', 'action_request', 'act_digest', 'request_digest', 'policy_digest'] as const;
const TIME_CLAIMS = ['iat', 'exp'] as const;

function claimsOf(payload: JsonObject): GrantClaims {
  const sound =
    TEXT_CLAIMS.every((name) => typeof payload[name] === 'string') &&
    TIME_CLAIMS.every((name) => Number.isSafeInteger(payload[name])) &&
    Object.keys(payload).length === TEXT_CLAIMS.length + TIME_CLAIMS.length + (isBound(payload['cnf']) ? 1 : 0) &&
    Number(payload['exp']) > Number(payload['iat']) &&
    Number(payload['exp']) - Number(payload['iat']) <= MAX_LIFE_SECONDS;
  if (!sound) throw invalid('its claims are not ours');
  // Exactly these members, of these types, as just looked at.
  return payload as unknown as GrantClaims;
}

/** `{ "jkt" }`: redemption needs a proof of that key (RFC 9449). */
function isBound(cnf: unknown): boolean {
  return cnf !== null && typeof cnf === 'object' && Object.keys(cnf).length === 1 && 'jkt' in cnf && typeof cnf.jkt === 'string';
}

function objectOf(part: string): JsonObject {
  const read = parseStrictJson(bytesOf(part), { maxBytes: MAX_GRANT_LENGTH });
  if (!read.ok || read.value === null || typeof read.value !== 'object' || Array.isArray(read.value)) throw invalid('a part of it is no JSON object');
  return read.value;
}

function bytesOf(part: string): Uint8Array {
  try {
    return fromBase64url(part);
  } catch (cause) {
    throw invalid('a part of it is not base64url', cause);
  }
}

function invalid(why: string, cause?: unknown): ClientError {
  return new ClientError('invalid_grant', `This is not a grant to act on: ${why}.`, cause === undefined ? {} : { cause });
}
