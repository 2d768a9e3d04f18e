import type { IncomingMessage } from 'node:http';
import { authenticateCaller, authenticatePerson, readSessionCookie } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { trouble, type Trouble } from '../problems.js';
import type { Reader } from '../visibility.js';
import type { RecentCallers } from './recent-callers.js';

/** How a request says who it is from: a bearer wins over a cookie, and a bad bearer is not made good by one. */
export type Credential = { bearer: string } | { session: string } | { malformed: true } | null;

export function credentialOf(request: IncomingMessage, publicUrl: string): Credential {
  const { authorization, cookie } = request.headers;
  if (authorization !== undefined) {
    // RFC 6750, section 2.1: b64token.
    const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
    return bearer === undefined ? { malformed: true } : { bearer };
  }
  const session = readSessionCookie(publicUrl, cookie);
  return session === null ? null : { session };
}

/**
 * Who that is, by what the database says now; null where nobody was named.
 * @param recent API keys that need no second look; see RecentCallers
 */
export async function identify(
  deps: Pick<IntakeDeps, 'credentials' | 'flow'>,
  credential: Credential,
  recent: RecentCallers | null = null,
): Promise<Reader | null | Trouble> {
  if (credential === null) return null;
  const bad = (detail: string): Trouble =>
    trouble('unauthenticated', detail, { headers: { 'WWW-Authenticate': 'Bearer realm="countersign", error="invalid_token"' } });
  if ('malformed' in credential) return bad('The Authorization header must be "Bearer" and a token.');
  const world = { credentials: deps.credentials, clock: deps.flow.clock, issuer: deps.flow.publicUrl };
  if ('bearer' in credential && credential.bearer.startsWith('cs_key_')) {
    const known = recent?.get(credential.bearer) ?? null;
    const caller =
      known === null ? await authenticateCaller(credential.bearer, world) : { ...known, authenticated: { ...known.authenticated, at: deps.flow.clock.now() } };
    if (known === null && caller !== null) recent?.add(credential.bearer, caller);
    return caller === null ? bad('This API key is not known, was revoked, or has expired.') : { kind: 'caller', tenant: caller.tenant, caller };
  }
  const person = await authenticatePerson(credential, world);
  if (person === null) return bad('session' in credential ? 'The session is over. Sign in again.' : 'This token is not known, was revoked, or has expired.');
  return person.kind === 'inactive' ? trouble('account_inactive', 'Your account is not active in the directory. Ask an administrator.') : person;
}
