import type { Authenticated } from '@countersign/contracts';
import type { Caller, Clock, CredentialStore, Person } from '@countersign/core/ports';
import { isKeyLive, parseApiKey } from './api-keys.js';
import { isTokenLive, parsePersonalToken, type TokenScope } from './personal-tokens.js';
import { hashOf, sameHash } from './secret-token.js';

/** What telling who somebody is needs. */
export interface AuthenticationWorld {
  credentials: Pick<CredentialStore, 'apiKeyByHash' | 'personByTokenHash' | 'personBySessionHash'>;
  clock: Clock;
  /** Who vouches for keys and tokens: the service's public address. */
  issuer: string;
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
}

export type PersonAuthentication =
  | AuthenticatedPerson
  /** The credential is good, its person is not active any more. */
  | { kind: 'inactive' }
  | null;

/**
 * The caller of an API key; null for anything that is not a live key: malformed, unknown, revoked, expired. A caller can
 * open, read and redeem; nothing that comes out of here can decide.
 */
export async function authenticateCaller(bearer: string, world: AuthenticationWorld): Promise<Caller | null> {
  const token = parseApiKey(bearer);
  if (token === null) return null;
  const key = await world.credentials.apiKeyByHash(token.hash);
  const now = world.clock.now();
  if (key === null || !sameHash(key.hash, token.hash) || !isKeyLive(key, now)) return null;
  return {
    tenant: key.tenant,
    key_id: key.id,
    name: key.name,
    owner: key.owner,
    rights: key.rights,
    authenticated: { issuer: world.issuer, method: 'api_key', at: now },
  };
}

/** The person of a personal token or of a session cookie's value. The person's row is read at each call, never kept. */
export async function authenticatePerson(credential: { bearer: string } | { session: string }, world: AuthenticationWorld): Promise<PersonAuthentication> {
  const proved = 'bearer' in credential ? await byToken(credential.bearer, world) : await bySession(credential.session, world);
  if (proved === null) return null;
  const { person, ...rest } = proved;
  if (person === null || !person.active) return { kind: 'inactive' };
  return { kind: 'person', ...rest, person, may_decide: rest.scopes.includes('decide') };
}

type Proved = Pick<AuthenticatedPerson, 'tenant' | 'method' | 'scopes' | 'authenticated'> & { person: Person | null };

async function byToken(bearer: string, world: AuthenticationWorld): Promise<Proved | null> {
  const token = parsePersonalToken(bearer);
  if (token === null) return null;
  const found = await world.credentials.personByTokenHash(token.hash);
  const now = world.clock.now();
  if (found === null || !sameHash(found.token.hash, token.hash) || !isTokenLive(found.token, now)) return null;
  const { tenant, scopes } = found.token;
  return { tenant, person: found.person, scopes, method: 'personal_token', authenticated: { issuer: world.issuer, method: 'personal_token', at: now } };
}

async function bySession(value: string, world: AuthenticationWorld): Promise<Proved | null> {
  const hash = hashOf(value);
  const found = await world.credentials.personBySessionHash(hash);
  if (found === null || !sameHash(found.session.hash, hash) || found.session.expires_at <= world.clock.now()) return null;
  const { tenant, issuer, created_at } = found.session;
  return {
    tenant,
    person: found.person,
    method: 'session',
    // What a session may do is what its person's roles allow.
    scopes: ['read', 'decide', 'admin'],
    authenticated: { issuer, method: 'session', at: created_at },
  };
}
