import { loggedOutSchema, type SignInRefusalCode, signInOptionsSchema } from '@countersign/contracts';
import {
  backChannelLogout,
  endedSessionCookie,
  endSession,
  endSessionUrl,
  finishSignIn,
  hashOf,
  IdentityError,
  proveCallback,
  readCookie,
  readSessionCookie,
  sessionCookie,
  setCookie,
  SIGN_IN_SECONDS,
  signInCookieName,
  type SignInWorld,
  startSignIn,
} from '@countersign/identity';
import { z } from 'zod';
import type { IntakeDeps } from '../deps.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import { finishSlackProof } from './link-proof.js';
import { userAgentOf } from './sessions.js';

const startQuery = z.strictObject({
  provider: z.string().max(64).optional(),
  return_to: z.string().max(2048).optional(),
  max_age: z.coerce
    .number()
    .int()
    .min(0)
    .max(86_400)
    .optional()
    .meta({ description: 'Seconds since the person last proved who they are, at most; 0: prove it now' }),
  acr: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/)
    .optional()
    .meta({ description: 'The authentication context class that the provider has to reach' }),
});
/** Providers add members of their own: session_state, scope, hd. */
const callbackQuery = z.record(z.string(), z.string());

/** Signing in through the organisation's identity provider, and out. */
export function signInRoutes(deps: IntakeDeps): Route[] {
  const { credentials, identities, chatLinks, flow } = deps;
  const { publicUrl } = flow;
  const providers = deps.signIn?.providers ?? [];
  const tenant = deps.signIn?.tenant ?? '';
  const people = providers.filter(({ config }) => config.use === 'sign_in');
  const world: SignInWorld = { ...flow, identities, chatLinks, directory: deps.directory };

  /** Back to the console, which has the words; what the browser kept of the sign-in goes. */
  const refused = (code: SignInRefusalCode, state: string | undefined, page = '/sign-in'): Answer => ({
    status: 303,
    headers: { Location: `${page}?refused=${code}`, ...forgetting(state) },
  });
  const forgetting = (state: string | undefined, ...cookies: string[]): Record<string, readonly string[]> => {
    const name = state === undefined ? null : signInCookieName(state);
    const all = [...cookies, ...(name === null ? [] : [setCookie(publicUrl, name, '', 0)])];
    return all.length === 0 ? {} : { 'Set-Cookie': all };
  };

  return [
    route({
      method: 'get',
      path: '/v1/sign-in',
      name: 'signInOptions',
      tag: 'People',
      summary: 'The identity providers that people sign in by',
      who: 'open',
      answers: { 200: { description: 'Where each begins', schema: signInOptionsSchema } },
      async handle() {
        const data = people.map(({ config: { id, issuer } }) => ({ id, issuer, start: `${publicUrl}/v1/sign-in/start?provider=${encodeURIComponent(id)}` }));
        return { status: 200, json: { providers: data } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/sign-in/start',
      name: 'startSignIn',
      tag: 'People',
      summary: 'Go to the identity provider to sign in, or with max_age or acr to prove again who you are',
      who: 'open',
      query: startQuery,
      answers: { 303: { description: 'To the identity provider', headers: { Location: 'Its address', 'Set-Cookie': 'What ties the answer to this browser' } } },
      problems: ['invalid_query', 'not_found'],
      async handle({ query: { provider: wanted, return_to = '/', max_age, acr } }) {
        const provider = wanted === undefined ? people[0] : people.find(({ config }) => config.id === wanted);
        if (provider === undefined) return notFound('There is no such identity provider here.');
        if (!isOwnPath(return_to, publicUrl))
          return trouble('invalid_query', 'The path to return to must be one of this service.', {
            errors: [{ pointer: '/return_to', detail: 'must be a path of this service' }],
          });
        try {
          const started = await startSignIn(world, provider, { tenant, return_to, max_age: max_age ?? null, acr: acr ?? null, link_hash: null });
          return { status: 303, headers: { Location: started.url.href, 'Set-Cookie': startedCookie(publicUrl, started) } };
        } catch (error) {
          return unavailable(deps, error) ? refused('provider_unavailable', undefined) : rethrow(error);
        }
      },
    }),

    route({
      method: 'get',
      path: '/v1/sign-in/callback/:provider',
      name: 'finishSignIn',
      tag: 'People',
      summary: 'Where the identity provider sends the browser back to',
      who: 'open',
      parameters: { provider: 'As configured' },
      query: callbackQuery,
      answers: { 303: { description: 'Signed in, or not and why', headers: { Location: 'A page of this service', 'Set-Cookie': 'The session' } } },
      problems: ['not_found'],
      async handle({ params, query, header }) {
        const provider = providers.find(({ config }) => config.id === params['provider']);
        if (provider === undefined) return notFound('There is no such identity provider here.');
        const { state } = query;
        const isLink = provider.config.use === 'link';
        const page = isLink ? '/link' : '/sign-in';
        const name = state === undefined ? null : signInCookieName(state);
        const browser = name === null ? null : readCookie(publicUrl, name, header('cookie'));
        try {
          const proved = await proveCallback(world, { provider, search: `?${new URLSearchParams(query).toString()}`, state, browser });
          if (proved.kind === 'refused') return refused(proved.code, state, page);
          if (isLink) {
            const done = await finishSlackProof(deps, proved, readSessionCookie(publicUrl, header('cookie')));
            return done === 'proved' ? { status: 303, headers: { Location: '/link?proved=1', ...forgetting(state) } } : refused(done, state, page);
          }
          const signedIn = await finishSignIn(world, provider, proved, { before: await sessionOf(header('cookie')), user_agent: userAgentOf(header) });
          if (signedIn.kind === 'refused') return refused(signedIn.code, state);
          return { status: 303, headers: { Location: signedIn.return_to, ...forgetting(state, sessionCookie(publicUrl, signedIn.value)) } };
        } catch (error) {
          return unavailable(deps, error) ? refused('provider_unavailable', state, page) : rethrow(error);
        }
      },
    }),

    route({
      method: 'post',
      path: '/v1/sign-in/logout',
      name: 'logOut',
      tag: 'People',
      summary: 'End this session, and learn where the session at the identity provider is ended',
      who: 'person',
      answers: { 200: { description: 'Signed out here', schema: loggedOutSchema, headers: { 'Set-Cookie': 'Empty' } } },
      async handle({ header }) {
        const value = readSessionCookie(publicUrl, header('cookie'));
        const session = value === null ? null : await credentials.sessionByHash(hashOf(value));
        if (value !== null) await endSession({ credentials }, value);
        const provider = people.find(({ config }) => config.issuer === session?.issuer);
        const url = session === null || provider === undefined ? null : await endSessionUrl(flow, provider, session, publicUrl).catch(() => null);
        return { status: 200, json: { url: url?.href ?? null }, headers: { 'Set-Cookie': endedSessionCookie(publicUrl) } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/sign-in/logout/:provider',
      name: 'backChannelLogout',
      tag: 'People',
      summary: 'Where an identity provider says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0)',
      who: 'open',
      form: true,
      parameters: { provider: 'As configured' },
      body: z.strictObject({ logout_token: z.string().min(1).max(16_384) }).meta({ id: 'BackChannelLogout' }),
      answers: { 200: { description: 'The sessions are over' } },
      problems: ['not_found', 'invalid_body'],
      async handle({ params, body: { logout_token } }) {
        const provider = people.find(({ config }) => config.id === params['provider']);
        if (provider === undefined) return notFound('There is no such identity provider here.');
        const ended = await backChannelLogout({ identities }, tenant, provider, logout_token);
        // Section 2.8: 400 where the token does not count.
        return ended === null
          ? { status: 400, json: { error: 'invalid_request', error_description: 'The logout token does not count.' } }
          : { status: 200, json: null };
      },
    }),
  ];

  async function sessionOf(cookie: string | undefined): Promise<{ hash: Uint8Array; person_id: string } | null> {
    const value = readSessionCookie(publicUrl, cookie);
    const session = value === null ? null : await credentials.sessionByHash(hashOf(value));
    return session === null ? null : { hash: session.hash, person_id: session.person_id };
  }
}

/** The cookie of a sign-in under way. */
export function startedCookie(publicUrl: string, started: { state: string; browser: string }): string {
  return setCookie(publicUrl, signInCookieName(started.state) ?? '', started.browser, SIGN_IN_SECONDS);
}

/**
 * Whether a path leads to a page of ours and nowhere else: one slash, no backslash, nothing that a browser reads as a host, and no call of the
 * API (RFC 9700, section 4.11: open redirectors).
 */
export function isOwnPath(path: string, publicUrl: string): boolean {
  if (!/^\/(?![/\\])[\x21-\x7e]*$/.test(path) || path.includes('\\') || !URL.canParse(path, publicUrl)) return false;
  const url = new URL(path, publicUrl);
  return url.origin === new URL(publicUrl).origin && !url.pathname.startsWith('/v1') && !url.pathname.startsWith('//');
}

function unavailable({ log }: IntakeDeps, error: unknown): boolean {
  if (!(error instanceof IdentityError) || error.code !== 'provider_unavailable') return false;
  log.warn({ err: error }, 'The identity provider cannot be used');
  return true;
}

function rethrow(error: unknown): never {
  throw error;
}
