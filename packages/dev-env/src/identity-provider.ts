import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Provider as ProviderType } from 'oidc-provider';
import { freePort } from './free-port.js';

/** What a provider's directory says of an account. */
export type AccountClaims = Record<string, unknown> & { email?: string; email_verified?: boolean };

export interface IdentityProviderOptions {
  /** The service's public address: redirects go to `/v1/sign-in/callback/<id>` there. */
  client: { publicUrl: string; ids: readonly string[] };
  /** Claims besides the usual ones that go into the ID token. */
  extraClaims?: readonly string[];
  port?: number;
}

/** The real oidc-provider on loopback, with accounts that a test writes and a login page without a password. */
export interface IdentityProvider {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Another application's client of the same provider. */
  other: { clientId: string; clientSecret: string; redirectUri: string };
  accounts: Map<string, AccountClaims>;
  /** What the provider says it reached, where an acr was asked. */
  acr: string | null;
  /** Makes it lie: the claims of the next ID tokens, signed by its own key. */
  alter: ((claims: Record<string, unknown>) => Record<string, unknown>) | null;
  /** Signs anything with the provider's key, or with one that it does not publish. */
  sign(claims: Record<string, unknown>, header?: { typ?: string; alg?: string }, key?: 'own' | 'foreign'): Promise<string>;
  /** Altered tokens are signed by a key that it does not publish. */
  foreignKey: boolean;
  /** How often it asked a person for an account. */
  interactions(): number;
  close(): Promise<void>;
}

export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const { Provider } = await quietly(() => import('oidc-provider'));
  const port = options.port ?? (await freePort());
  const issuer = `http://localhost:${port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const foreign = await generateKeyPair('RS256');
  const [kid, jwk] = ['idp-1', await exportJWK(privateKey)];
  const { publicUrl, ids } = options.client;
  const [clientId, clientSecret] = ['countersign', 'countersign-secret-countersign-secret'];
  const other = { clientId: 'other-app', clientSecret: 'other-secret-other-secret-other', redirectUri: 'http://localhost:1/callback' };
  const accounts = new Map<string, AccountClaims>();
  let interactions = 0;
  const state: Pick<IdentityProvider, 'acr' | 'alter' | 'foreignKey'> = { acr: null, alter: null, foreignKey: false };
  const extra = ['sid', 'auth_time', 'acr', 'amr', ...(options.extraClaims ?? [])];

  const provider: ProviderType = await quietly(
    () =>
      new Provider(issuer, {
        clients: [
          {
            client_id: clientId,
            client_secret: clientSecret,
            redirect_uris: ids.map((id) => `${publicUrl}/v1/sign-in/callback/${id}`),
            post_logout_redirect_uris: [`${publicUrl}/`],
            backchannel_logout_uri: `${publicUrl}/v1/sign-in/logout/${ids[0] ?? 'sso'}`,
            backchannel_logout_session_required: true,
          },
          { client_id: other.clientId, client_secret: other.clientSecret, redirect_uris: [other.redirectUri], application_type: 'native' },
        ],
        jwks: { keys: [{ ...jwk, kid, use: 'sig', alg: 'RS256' }] },
        claims: { openid: ['sub', ...extra], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
        conformIdTokenClaims: false,
        acrValues: ['urn:example:mfa'],
        cookies: { keys: ['test'] },
        pkce: { required: () => true },
        features: {
          devInteractions: { enabled: false },
          backchannelLogout: { enabled: true },
          rpInitiatedLogout: { enabled: true },
        },
        interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
        // Its guard against internal addresses would not let it call us on loopback.
        fetch: (url, { dispatcher: _guard, ...init }: RequestInit & { dispatcher?: unknown } = {}) => fetch(url, init),
        findAccount: (_context, id) => (accounts.has(id) ? { accountId: id, claims: () => ({ sub: id, ...accounts.get(id) }) } : undefined),
        ttl: { Interaction: 600, Session: 3600, Grant: 3600, AccessToken: 600, IdToken: 600 },
      }),
  );
  const handler = provider.callback();

  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const details = await provider.interactionDetails(request, response);
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(
        `<!doctype html><title>Sign in</title><h1>Identity provider</h1><form method="post"><label>Account <input name="account"></label> <button>Continue</button></form>`,
      );
      return;
    }
    interactions += 1;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
    const account = form.get('account') ?? '';
    if (account === '') return provider.interactionFinished(request, response, { error: 'access_denied' }, { mergeWithLastSubmission: false });
    const grant = new provider.Grant({ accountId: account, clientId: String(details.params['client_id']) });
    grant.addOIDCScope(String(details.params['scope']));
    const grantId = await grant.save();
    const login = { accountId: account, ...(state.acr === null ? {} : { acr: state.acr }) };
    await provider.interactionFinished(request, response, { login, consent: { grantId } }, { mergeWithLastSubmission: false });
  }

  const sign: IdentityProvider['sign'] = (claims, header = {}, key = 'own') =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, ...header }).sign(key === 'own' ? privateKey : foreign.privateKey);

  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (path.startsWith('/interaction/')) {
      interact(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
      return;
    }
    if (path === '/token' && state.alter !== null) altered(response, state.alter);
    void handler(request, response);
  });

  /** Holds the answer back, and puts another ID token into it. */
  function altered(response: ServerResponse, alter: NonNullable<IdentityProvider['alter']>): void {
    const end = response.end.bind(response);
    response.end = ((body?: unknown) => {
      const answer = JSON.parse(String(body)) as { id_token?: string };
      if (answer.id_token === undefined) return end(body as string);
      const claims = JSON.parse(Buffer.from(answer.id_token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Record<string, unknown>;
      void sign(alter(claims), {}, state.foreignKey ? 'foreign' : 'own').then((id_token) => {
        const text = JSON.stringify({ ...answer, id_token });
        response.setHeader('content-length', Buffer.byteLength(text));
        end(text);
      });
      return response;
      // The one overload that koa calls.
    }) as typeof response.end;
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return Object.assign(state, {
    issuer,
    clientId,
    clientSecret,
    other,
    accounts,
    sign,
    interactions: () => interactions,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

/** It warns of its own in-memory store and of Node 20, which is what tests want: what it prints while `work` runs is dropped. */
async function quietly<T>(work: () => T | Promise<T>): Promise<T> {
  const printer: { warn: typeof globalThis.console.warn } = globalThis.console;
  const { warn } = printer;
  printer.warn = () => {};
  try {
    return await work();
  } finally {
    printer.warn = warn;
  }
}

/** What came back, without following it. */
export interface BrowserReply {
  status: number;
  location: string | null;
  text: string;
}

/** A browser's cookies, by host and port, over plain HTTP; redirects are followed by hand. */
export class CookieBrowser {
  readonly #jars = new Map<string, Map<string, string>>();

  /** The Cookie header for an address. */
  cookies(url: string): string {
    return [...(this.#jars.get(new URL(url).host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** As a neighbour that can write cookies would. */
  set(url: string, name: string, value: string): void {
    this.#jar(url).set(name, value);
  }

  get(url: string, name: string): string | undefined {
    return this.#jar(url).get(name);
  }

  clear(url: string): void {
    this.#jars.delete(new URL(url).host);
  }

  async go(url: string, form?: Record<string, string>): Promise<BrowserReply> {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: this.cookies(url) },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const [name = '', ...value] = pair.split('=');
      const over = attributes.some((attribute) => /^\s*max-age=0\s*$/i.test(attribute) || /^\s*expires=Thu, 01 Jan 1970/i.test(attribute));
      if (over) this.#jar(url).delete(name.trim());
      else this.#jar(url).set(name.trim(), value.join('='));
    }
    const location = response.headers.get('location');
    return { status: response.status, location: location === null ? null : new URL(location, url).href, text: await response.text() };
  }

  /** Follows redirects until `stop` says so, filling the provider's login page with the account; the address where it ended. */
  async follow(url: string, account: string, stop: (url: string) => boolean): Promise<string> {
    let next = url;
    for (let steps = 0; steps < 20; steps++) {
      if (stop(next)) return next;
      let reply = await this.go(next);
      if (reply.location === null && next.includes('/interaction/')) reply = await this.go(next, { account });
      if (reply.location === null) throw new Error(`${next} answered ${reply.status}: ${reply.text.slice(0, 500)}`);
      next = reply.location;
    }
    throw new Error(`too many redirects, the last to ${next}`);
  }

  #jar(url: string): Map<string, string> {
    const { host } = new URL(url);
    const jar = this.#jars.get(host) ?? new Map<string, string>();
    this.#jars.set(host, jar);
    return jar;
  }
}
