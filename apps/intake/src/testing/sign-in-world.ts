import { freePort } from '@countersign/dev-env/free-port';
import { CookieBrowser, type IdentityProvider, startIdentityProvider } from '@countersign/dev-env/identity-provider';
import { OidcProvider, type OidcProviderConfig } from '@countersign/identity';
import pg from 'pg';
import { type ApiWorld, createApiWorld, type Name } from './api-world.js';

/** The API with a real identity provider beside it, and browsers that go between the two. */
export interface SignInWorld {
  api: ApiWorld & { count(sql: string): Promise<number>; row(sql: string): Promise<Record<string, unknown>> };
  idp: IdentityProvider;
  /** Where a sign-in ended: a path of the API's, with its query. */
  signIn(browser: CookieBrowser, account: string, query?: string): Promise<string>;
  /** A browser that is signed in as an example person, by the provider. */
  signedIn(name: Name): Promise<CookieBrowser>;
  /** The address that the provider sends the browser back to, not opened yet. */
  callbackOf(browser: CookieBrowser, account: string, query?: string): Promise<string>;
  /** A call with a browser's cookies, as our own page makes it. */
  as(browser: CookieBrowser, method: string, path: string, body?: unknown): ReturnType<ApiWorld['call']>;
  me(browser: CookieBrowser): Promise<string | null>;
  close(): Promise<void>;
}

export async function createSignInWorld(
  config: Partial<OidcProviderConfig> = {},
  more: { extraClaims?: string[]; link?: Partial<OidcProviderConfig>; linkCooldownSeconds?: number } = {},
): Promise<SignInWorld> {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const base: OidcProviderConfig = {
    ...{ id: 'sso', issuer, clientId: 'countersign', clientSecret: 'countersign-secret-countersign-secret', preset: 'generic', pins: {} },
    ...{ scopes: ['email', 'profile'], groupsClaim: null, jit: false, use: 'sign_in' },
  };
  const api = await createApiWorld({
    signIn: (url) => ({
      tenant: 'default',
      linkCooldownSeconds: more.linkCooldownSeconds ?? 0,
      providers: [
        new OidcProvider({ ...base, ...config }, url),
        ...(more.link === undefined ? [] : [new OidcProvider({ ...base, id: 'slack', preset: 'slack', use: 'link', ...more.link }, url)]),
      ],
    }),
  });
  const idp = await startIdentityProvider({
    port,
    client: { publicUrl: api.url, ids: ['sso', 'slack', 'second'] },
    ...(more.extraClaims === undefined ? {} : { extraClaims: more.extraClaims }),
  });
  for (const name of ['dana', 'alice', 'bob', 'carol', 'olivia'] as const) {
    idp.accounts.set(name, { email: `${name}@example.com`, email_verified: true, name });
  }
  const isOurs = (url: string): boolean => url.startsWith(`${api.url}/`) && !url.startsWith(`${api.url}/v1/`);
  const signIn: SignInWorld['signIn'] = async (browser, account, query = '') =>
    (await browser.follow(`${api.url}/v1/sign-in/start${query}`, account, isOurs)).slice(api.url.length);
  const rows = async (text: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: api.databaseUrl });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  };
  const row = async (text: string): Promise<Record<string, unknown>> => (await rows(text))[0] ?? {};
  return {
    api: Object.assign(api, { row, count: async (text: string) => Number((await row(text))['count']) }),
    idp,
    signIn,
    async signedIn(name) {
      const browser = new CookieBrowser();
      const end = await signIn(browser, name);
      if (end !== '/') throw new Error(`${name} was led to ${end}`);
      return browser;
    },
    callbackOf: (browser, account, query = '') =>
      browser.follow(`${api.url}/v1/sign-in/start${query}`, account, (url) => url.startsWith(`${api.url}/v1/sign-in/callback/`)),
    as: (browser, method, path, body) =>
      api.call(method, path, { headers: { cookie: browser.cookies(api.url), origin: api.url }, ...(body === undefined ? {} : { body }) }),
    async me(browser) {
      const reply = await api.call('GET', '/v1/me', { headers: { cookie: browser.cookies(api.url) } });
      return reply.status === 200 ? reply.json.person.email : null;
    },
    async close() {
      await idp.close();
      await api.close();
    },
  };
}
