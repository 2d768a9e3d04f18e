import { createHmac } from 'node:crypto';
import { applyClaims } from '@countersign/core/flow';
import type { IdentityStore, Person, SessionRecord, SignInAttempt } from '@countersign/core/ports';
import { addSeconds, base64url, epochMs, formatInstant, utf8 } from '@countersign/core/request';
import * as client from 'openid-client';
import { IdentityError } from '../errors.js';
import { hashOf } from '../secret-token.js';
import { isFresh, makeSession } from '../sessions.js';
import { type Claims, type ClaimsRefusal, identify, type Identified } from './claims.js';
import { type PersonRefusal, personOfSubject, type PersonWorld } from './person.js';
import type { Discovered, OidcProvider } from './provider.js';

/** Why nobody was signed in; the console has the words. */
export type SignInRefusal =
  | ClaimsRefusal
  | PersonRefusal
  /** The state is unknown, was used, is over, or belongs to another browser. */
  | 'state_unknown'
  /** The person or the provider said no. */
  | 'provider_refused'
  /** What came back does not prove anything: a wrong nonce, issuer, audience, signature, code. */
  | 'not_proved'
  /** A fresh proof was asked for, and did not come. */
  | 'not_fresh'
  /** A fresh proof was asked of one person, and came from another. */
  | 'other_person'
  | 'provider_unavailable';

export interface SignInWorld extends PersonWorld {
  identities: PersonWorld['identities'] & Pick<IdentityStore, 'startSignIn' | 'spendSignIn' | 'openSession'>;
}

/** How long a sign-in may take at the provider, in seconds. */
export const SIGN_IN_SECONDS = 600;

/** What is asked beyond who somebody is. */
export interface SignInWish {
  tenant: string;
  /** Where to go afterwards: a path of ours. */
  return_to: string;
  max_age: number | null;
  acr: string | null;
  link_hash: Uint8Array | null;
}

/** Where the browser goes, and what it must keep: `browser` goes into a cookie of the name `cookie`. */
export interface StartedSignIn {
  url: URL;
  state: string;
  browser: string;
}

/**
 * Begins the code flow (OpenID Connect Core, section 3.1) with PKCE (RFC 7636, S256). The nonce and the code verifier are computed from the
 * state and the browser's own value, so that the database holds nothing that completes a sign-in.
 */
export async function startSignIn(
  world: Pick<SignInWorld, 'identities' | 'clock' | 'entropy'>,
  provider: OidcProvider,
  wish: SignInWish,
): Promise<StartedSignIn> {
  const { config } = await provider.discovered();
  const [state, browser] = [base64url(world.entropy.bytes(32)), base64url(world.entropy.bytes(32))];
  await world.identities.startSignIn({
    ...wish,
    hash: hashOf(state),
    provider: provider.config.id,
    browser_hash: hashOf(browser),
    expires_at: addSeconds(world.clock.now(), SIGN_IN_SECONDS),
  });
  const { hd } = provider.config.pins;
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: provider.redirectUri,
    scope: ['openid', ...provider.config.scopes].join(' '),
    state,
    nonce: derived(browser, 'nonce', state),
    code_challenge: await client.calculatePKCECodeChallenge(derived(browser, 'verifier', state)),
    code_challenge_method: 'S256',
    ...(wish.max_age === null ? {} : { max_age: String(wish.max_age) }),
    ...(wish.acr === null ? {} : { acr_values: wish.acr }),
    // A hint that spares people the wrong account; what counts is the claim.
    ...(hd?.[0] === undefined || provider.config.preset !== 'google' ? {} : { hd: hd[0] }),
  });
  return { url, state, browser };
}

/** What came back from the provider, by the browser. */
export interface Callback {
  provider: OidcProvider;
  /** The query as it came, `?` included. */
  search: string;
  state: string | undefined;
  /** The cookie that the start gave to the browser. */
  browser: string | null;
}

/** What a callback proves, before it is known whom. `attempt` is spent by then. */
export type ProvedCallback = { kind: 'proved'; who: Identified; attempt: SignInAttempt; idToken: string } | { kind: 'refused'; code: SignInRefusal };

/**
 * Spends the state and redeems the code. openid-client compares state and nonce, `iss` of the response (RFC 9207), issuer, audience, times and the
 * signature of the ID token; what fails any of it proves nothing.
 */
export async function proveCallback(world: Pick<SignInWorld, 'identities' | 'clock'>, { provider, search, state, browser }: Callback): Promise<ProvedCallback> {
  const refused = (code: SignInRefusal): ProvedCallback => ({ kind: 'refused', code });
  if (state === undefined || browser === null) return refused('state_unknown');
  const attempt = await world.identities.spendSignIn(hashOf(state), hashOf(browser));
  if (attempt === null || attempt.provider !== provider.config.id) return refused('state_unknown');
  const query = new URLSearchParams(search);
  if (query.has('error')) return refused('provider_refused');
  const { config } = await provider.discovered();
  let claims: Claims;
  let idToken: string;
  try {
    const tokens = await client.authorizationCodeGrant(config, new URL(`${provider.redirectUri}${search}`), {
      pkceCodeVerifier: derived(browser, 'verifier', state),
      expectedState: state,
      expectedNonce: derived(browser, 'nonce', state),
      idTokenExpected: true,
      ...(attempt.max_age === null ? {} : { maxAge: attempt.max_age }),
    });
    const inToken = tokens.claims();
    if (inToken === undefined || tokens.id_token === undefined) return refused('not_proved');
    // A token for several audiences could be meant for another of them (Core, section 2: azp).
    if (Array.isArray(inToken.aud) && inToken.aud.length > 1) return refused('not_proved');
    idToken = tokens.id_token;
    claims = await withUserInfo(config, provider, inToken, tokens.access_token);
  } catch (error) {
    if (error instanceof IdentityError) throw error;
    if (attempt.max_age !== null && isStale(error)) return refused('not_fresh');
    if (isUnreachable(error)) throw new IdentityError('provider_unavailable', 'The identity provider did not answer.', { cause: error });
    return refused('not_proved');
  }
  const who = identify(provider.config, claims);
  if (typeof who === 'string') return refused(who);
  if (attempt.acr !== null && (who.acr === null || !attempt.acr.split(' ').includes(who.acr))) return refused('not_fresh');
  if (attempt.max_age !== null && !isFresh(authTimeOf(world, who), world.clock.now(), attempt.max_age + SKEW_SECONDS)) return refused('not_fresh');
  return { kind: 'proved', who, attempt, idToken };
}

/** How far the provider's clock may be from ours, in seconds. */
const SKEW_SECONDS = 30;

export type SignedIn =
  | { kind: 'signed_in'; person: Person; value: string; record: SessionRecord; return_to: string }
  | { kind: 'refused'; code: SignInRefusal };

/**
 * The person of a proved callback, in a new session; the one that the browser had ends with it.
 * @param before the session that the browser has now
 */
export async function finishSignIn(
  world: SignInWorld,
  provider: OidcProvider,
  { who, attempt, idToken }: Extract<ProvedCallback, { kind: 'proved' }>,
  browser: { before: { hash: Uint8Array; person_id: string } | null; user_agent: string | null },
): Promise<SignedIn> {
  const found = await personOfSubject(world, attempt.tenant, who, { jit: provider.config.jit });
  if (typeof found === 'string') return { kind: 'refused', code: found };
  const { person } = found;
  if (attempt.max_age !== null && browser.before !== null && browser.before.person_id !== person.id) return { kind: 'refused', code: 'other_person' };
  // The directory's own rule says whether this counts beside its other sources; unknown groups change nothing.
  if (provider.config.groupsClaim !== null || provider.config.jit)
    await applyClaims(world, attempt.tenant, person.id, who.issuer, { email: who.email ?? person.email, name: who.name ?? person.name, groups: who.groups });
  const { value, record } = makeSession(world, {
    tenant: attempt.tenant,
    person_id: person.id,
    issuer: who.issuer,
    method: 'oidc',
    subject: who.sub,
    provider_sid: who.sid,
    auth_time: authTimeOf(world, who),
    acr: who.acr,
    amr: who.amr,
    user_agent: browser.user_agent,
  });
  const sealed_hint = await world.sealer.seal(hintContext(record), utf8(idToken));
  await world.identities.openSession({ ...record, sealed_hint }, browser.before?.hash ?? null);
  return { kind: 'signed_in', person, value, record, return_to: attempt.return_to };
}

/** Where a session's ID token is sealed. */
export const hintContext = ({ tenant, id }: Pick<SessionRecord, 'tenant' | 'id'>) => ({ tenant, table: 'sessions', row: id, column: 'sealed_hint' });

/** A time that is still to come is now: the provider's clock goes ahead of ours. */
function authTimeOf(world: Pick<SignInWorld, 'clock'>, who: Identified): string | null {
  if (who.auth_time === null) return null;
  return formatInstant(Math.min(who.auth_time * 1000, epochMs(world.clock.now())));
}

/** Some providers put the address and the groups where only the access token reaches them (Okta, with the code flow). */
async function withUserInfo(config: Discovered['config'], provider: OidcProvider, inToken: client.IDToken, accessToken: string): Promise<Claims> {
  const { groupsClaim } = provider.config;
  const complete = inToken['email'] !== undefined && (groupsClaim === null || inToken[groupsClaim] !== undefined || inToken['_claim_names'] !== undefined);
  if (complete || config.serverMetadata().userinfo_endpoint === undefined) return inToken;
  // openid-client compares the subjects (Core, section 5.3.2). What the signed token says wins.
  const more = await client.fetchUserInfo(config, accessToken, inToken.sub);
  return { ...more, ...inToken };
}

function derived(browser: string, what: 'nonce' | 'verifier', state: string): string {
  return base64url(createHmac('sha256', browser).update(`countersign/sign-in/${what}\0${state}`).digest());
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The provider said an older time than was asked for, or none. */
function isStale(error: unknown): boolean {
  if (codeOf(error) === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED') return true;
  const cause = error instanceof Error ? error.cause : undefined;
  return [error, cause].some((one) => one instanceof Error && /auth_time|authentication time/i.test(one.message));
}

/** The network's faults are nobody's refusal. */
const isUnreachable = (error: unknown): boolean =>
  ['OAUTH_TIMEOUT', 'OAUTH_ABORT'].includes(codeOf(error)) ||
  (error instanceof TypeError && error.message === 'fetch failed') ||
  (error instanceof client.ClientError && error.cause instanceof TypeError && error.cause.message === 'fetch failed');
