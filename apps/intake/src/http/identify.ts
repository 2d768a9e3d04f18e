import type { IncomingMessage } from 'node:http';
import { authenticatePerson, type CallerProof, type CertificateHeader, certificateOf, isCallerBearer, readSessionCookie } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { trouble, type Trouble } from '../problems.js';
import { identifyCaller } from './identify-caller.js';
import type { Reader } from '../visibility.js';
import type { RecentCallers } from './recent-callers.js';

/** How a request says who it is from: a bearer wins over a cookie, and a bad bearer is not made good by one. */
export type Credential = CallerProof | { session: string } | { malformed: true } | null;

export function credentialOf(request: IncomingMessage, publicUrl: string, certificates: CertificateHeader | null = null): Credential {
  const { authorization, cookie } = request.headers;
  if (authorization !== undefined) {
    // RFC 6750, section 2.1: b64token.
    const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
    return bearer === undefined ? { malformed: true } : { bearer };
  }
  const session = readSessionCookie(publicUrl, cookie);
  // A browser may show a certificate to whoever asks: who is signed in is a person.
  if (session !== null) return { session };
  const certificate = certificateOf(request, certificates);
  return certificate === null ? null : { certificate };
}

/**
 * Who that is, by what the database says now; null where nobody was named.
 * @param recent API keys that need no second look; see RecentCallers
 * @param from the address that the request comes from, for keys with an allow-list of networks
 */
export async function identify(
  deps: Pick<IntakeDeps, 'credentials' | 'flow' | 'identities' | 'callers' | 'workloads' | 'log'>,
  credential: Credential,
  recent: RecentCallers | null = null,
  from: string | null = null,
): Promise<Reader | null | Trouble> {
  if (credential === null) return null;
  const bad = (detail: string): Trouble =>
    trouble('unauthenticated', detail, { headers: { 'WWW-Authenticate': 'Bearer realm="countersign", error="invalid_token"' } });
  if ('malformed' in credential) return bad('The Authorization header must be "Bearer" and a token.');
  const world = { credentials: deps.credentials, identities: deps.identities, clock: deps.flow.clock, issuer: deps.flow.publicUrl };
  if ('certificate' in credential || ('bearer' in credential && isCallerBearer(credential.bearer))) return identifyCaller(deps, credential, recent, from);
  const person = await authenticatePerson(credential, world);
  if (person === null) return bad('session' in credential ? 'The session is over. Sign in again.' : 'This token is not known, was revoked, or has expired.');
  return person.kind === 'inactive' ? trouble('account_inactive', 'Your account is not active in the directory. Ask an administrator.') : person;
}
