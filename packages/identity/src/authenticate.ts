import type { Authenticated } from '@countersign/contracts';
import type { Clock, CredentialStore, IdentityStore, Person } from '@countersign/core/ports';
import { isTokenLive, parsePersonalToken, type TokenScope } from './personal-tokens.js';
import { hashOf, sameHash } from './secret-token.js';
import { isSessionLive, TOUCH_SECONDS } from './sessions.js';

/** What telling who somebody is needs. */
export interface AuthenticationWorld {
  credentials: Pick<CredentialStore, 'personByTokenHash' | 'personBySessionHash'>;
  clock: Clock;
  /** Who vouches for keys and tokens: the service's public address. */
  issuer: string;
  /** Where use is noted; absent: it is not. */
  identities?: Pick<IdentityStore, 'touchSession' | 'touchToken'>;
}

/** A person by a credential of their own, with the directory's row as it is now. */
export interface AuthenticatedPerson {
  kind: 'person';
  tenant: string;
  person: Person;
  method: 'personal_token' | 'session';
  scopes: TokenScope[];
  /** Whether this credential may decide at all; whether the person may is the flow's question. */
  may_decide: boolean;
  authenticated: Authenticated;
  /** The session, where it is one: what a fresh proof is asked of. Null for a token, which proves nothing anew. */
  session: PersonSession | null;
}

export interface PersonSession {
  id: string;
  /** Who vouched: the identity provider's issuer, or this service. */
  issuer: string;
  method: string;
  /** When the person last proved who they are; null where nobody said. */
  auth_time: string | null;
  acr: string | null;
}

export type PersonAuthentication =
  | AuthenticatedPerson
  /** The credential is good, its person is not active any more. */
  | { kind: 'inactive' }
  | null;

/** The person of a personal token or of a session cookie's value. The person's row is read at each call, never kept. */
export async function authenticatePerson(credential: { bearer: string } | { session: string }, world: AuthenticationWorld): Promise<PersonAuthentication> {
  const proved = 'bearer' in credential ? await byToken(credential.bearer, world) : await bySession(credential.session, world);
  if (proved === null) return null;
  const { person, proved_for_it, ...rest } = proved;
  if (person === null || !person.active) return { kind: 'inactive' };
  return { kind: 'person', ...rest, person, may_decide: proved_for_it && rest.scopes.includes('decide') };
}

type Proved = Pick<AuthenticatedPerson, 'tenant' | 'method' | 'scopes' | 'authenticated' | 'session'> & {
  person: Person | null;
  /** The person proved who they are for this credential: a session, or a token that was made with a fresh proof. No other one decides. */
  proved_for_it: boolean;
};

async function byToken(bearer: string, world: AuthenticationWorld): Promise<Proved | null> {
  const token = parsePersonalToken(bearer);
  if (token === null) return null;
  const found = await world.credentials.personByTokenHash(token.hash);
  const now = world.clock.now();
  if (found === null || !sameHash(found.token.hash, token.hash) || !isTokenLive(found.token, now)) return null;
  const { tenant, scopes, last_used_at, stepped_up_at } = found.token;
  if (world.identities !== undefined && isOld(last_used_at, now)) await world.identities.touchToken(token.hash, now);
  return {
    tenant,
    person: found.person,
    scopes,
    session: null,
    proved_for_it: stepped_up_at !== null,
    method: 'personal_token',
    authenticated: { issuer: world.issuer, method: 'personal_token', at: now },
  };
}

async function bySession(value: string, world: AuthenticationWorld): Promise<Proved | null> {
  const hash = hashOf(value);
  const found = await world.credentials.personBySessionHash(hash);
  const now = world.clock.now();
  if (found === null || !sameHash(found.session.hash, hash) || !isSessionLive(found.session, now)) return null;
  const { tenant, id, issuer, method, auth_time, acr, created_at, last_used_at } = found.session;
  if (world.identities !== undefined && isOld(last_used_at, now)) await world.identities.touchSession(hash, now);
  return {
    tenant,
    person: found.person,
    proved_for_it: true,
    method: 'session',
    // What a session may do is what its person's roles allow.
    scopes: ['read', 'decide', 'admin'],
    authenticated: { issuer, method: 'session', at: auth_time ?? created_at },
    session: { id, issuer, method, auth_time, acr },
  };
}

/** Use is noted once a minute: a write at each call would cost more than it tells. */
const isOld = (at: string | null, now: string): boolean => at === null || Date.parse(now) - Date.parse(at) > TOUCH_SECONDS * 1000;
