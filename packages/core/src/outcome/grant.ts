import type { Action, GrantClaims } from '@countersign/contracts';
import type { Signer } from '../ports.js';
import { base64url, utf8 } from '../request/bytes.js';
import { canonicalJson } from '../request/canonical-json.js';

/** The grant's media type (RFC 8725 section 3.11: explicit typing), checked exactly. */
export const GRANT_TYPE = 'approval-grant+jwt';

/** How long a grant lives when policy says nothing, in seconds. */
export const DEFAULT_GRANT_TTL_SECONDS = 300;

/** The members of an action that its digest covers, and nothing else. */
export function actionOf(submission: Action): Action {
  const { action, resource, parameters, actor, environment } = submission;
  return {
    action,
    resource,
    ...(parameters === undefined ? {} : { parameters }),
    actor,
    ...(environment === undefined ? {} : { environment }),
  };
}

/**
 * Signs a grant: a compact JWS (RFC 7515) with exactly the header members alg, kid and typ, `EdDSA` (RFC 8037), strict
 * base64url without padding. Header and payload are RFC 8785 canonical JSON.
 */
export async function signGrant(claims: GrantClaims, signer: Signer): Promise<string> {
  const header = { alg: 'EdDSA', kid: signer.kid, typ: GRANT_TYPE };
  const signed = `${base64url(utf8(canonicalJson(header)))}.${base64url(utf8(canonicalJson(claims)))}`;
  return `${signed}.${base64url(await signer.sign(utf8(signed)))}`;
}
