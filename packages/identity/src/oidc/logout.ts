import type { IdentityStore, Sealer, SessionRecord } from '@countersign/core/ports';
import { fromUtf8 } from '@countersign/core/request';
import { errors, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { IdentityError } from '../errors.js';
import type { OidcProvider } from './provider.js';
import { hintContext } from './sign-in.js';

/** Asymmetric ones: a token that our own client secret could have signed says nothing of the provider. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** How old a logout token may be, in seconds, where the provider gave it a longer life. */
const LOGOUT_TOKEN_SECONDS = 300;

/**
 * Ends what the provider logged out (OpenID Connect Back-Channel Logout 1.0, section 2.6). Null where the token is not good: forged, another's, for
 * another audience, an ID token, with a nonce, or used before.
 * @returns how many sessions ended
 */
export async function backChannelLogout(
  world: { identities: Pick<IdentityStore, 'endSessionsAt' | 'firstUseOfLogoutToken'> },
  tenant: string,
  provider: OidcProvider,
  token: string,
): Promise<number | null> {
  const { keys } = await provider.discovered();
  const { issuer, clientId } = provider.config;
  let claims: Awaited<ReturnType<typeof jwtVerify>>['payload'];
  try {
    ({ payload: claims } = await jwtVerify(token, keys, {
      issuer,
      audience: clientId,
      typ: 'logout+jwt',
      algorithms: ALGORITHMS,
      clockTolerance: 30,
      maxTokenAge: LOGOUT_TOKEN_SECONDS,
      requiredClaims: ['iat', 'exp', 'jti', 'events'],
    }));
  } catch (cause) {
    if (cause instanceof errors.JWKSTimeout || (cause instanceof TypeError && cause.message === 'fetch failed'))
      throw new IdentityError('provider_unavailable', 'The keys of the identity provider cannot be reached.', { cause });
    return null;
  }
  const { events, nonce, sid, sub, jti, exp } = claims;
  if (nonce !== undefined || typeof jti !== 'string' || exp === undefined || (Array.isArray(claims.aud) && claims.aud.length > 1)) return null;
  if (typeof events !== 'object' || events === null || typeof (events as Record<string, unknown>)[EVENT] !== 'object') return null;
  const of = typeof sid === 'string' ? { sid } : typeof sub === 'string' ? { subject: sub } : null;
  if (of === null) return null;
  const keptUntil = new Date((exp + 60) * 1000).toISOString();
  if (!(await world.identities.firstUseOfLogoutToken(tenant, issuer, jti, keptUntil))) return null;
  return world.identities.endSessionsAt(tenant, issuer, of);
}

/**
 * Where the browser goes to end the provider's own session too (RP-Initiated Logout 1.0); null where the provider has no such address.
 * Our session is over whether or not the person goes there.
 */
export async function endSessionUrl(
  world: { sealer: Sealer },
  provider: OidcProvider,
  session: Pick<SessionRecord, 'tenant' | 'id' | 'sealed_hint'>,
  publicUrl: string,
): Promise<URL | null> {
  const { config } = await provider.discovered();
  if (config.serverMetadata().end_session_endpoint === undefined) return null;
  const hint = session.sealed_hint === null ? null : fromUtf8(await world.sealer.open(hintContext(session), session.sealed_hint));
  return client.buildEndSessionUrl(config, {
    post_logout_redirect_uri: `${publicUrl}/`,
    ...(hint === null ? { client_id: provider.config.clientId } : { id_token_hint: hint }),
  });
}
