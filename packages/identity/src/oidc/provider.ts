import * as client from 'openid-client';
import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import { IdentityError } from '../errors.js';

/** How a provider names people, and what it must say of them. */
export type Preset = 'generic' | 'entra' | 'google' | 'okta' | 'slack';

/** An identity provider as the operator configured it. */
export interface OidcProviderConfig {
  /** Stands in the redirect address: one address each, so that one provider's answer cannot be taken for another's (RFC 9700, section 4.4). */
  id: string;
  issuer: string;
  clientId: string;
  clientSecret: string | null;
  preset: Preset;
  /** Claims that the ID token must carry, each with one of these values: a hosted domain, a tenant. */
  pins: Readonly<Record<string, readonly string[]>>;
  /** Besides `openid`. */
  scopes: readonly string[];
  groupsClaim: string | null;
  /** Whether somebody whom the directory does not know is added to it, without role or group. */
  jit: boolean;
  /** `sign_in`, or `link`: it proves a chat account and signs nobody in. */
  use: 'sign_in' | 'link';
}

/** How long what discovery said is used, in milliseconds. */
const DISCOVERY_LIFE_MS = 3_600_000;
/** How long the provider may take for one answer, in seconds. */
const PATIENCE_SECONDS = 10;

/** What a provider's metadata make possible. */
export interface Discovered {
  config: client.Configuration;
  /** Its public keys, by the `jwks_uri` that it publishes. */
  keys: JWTVerifyGetKey;
}

/** A configured provider, discovered when first needed, and again each hour. */
export class OidcProvider {
  readonly config: OidcProviderConfig;
  readonly #publicUrl: string;
  #found: { at: number; discovered: Promise<Discovered> } | null = null;

  constructor(config: OidcProviderConfig, publicUrl: string) {
    this.config = config;
    this.#publicUrl = publicUrl;
  }

  get redirectUri(): string {
    return `${this.#publicUrl}/v1/sign-in/callback/${this.config.id}`;
  }

  /** @throws IdentityError `provider_unavailable` where it cannot be reached, or what it says of itself cannot be used. */
  async discovered(): Promise<Discovered> {
    if (this.#found === null || Date.now() - this.#found.at > DISCOVERY_LIFE_MS) {
      const discovered = this.#discover();
      const entry = { at: Date.now(), discovered };
      this.#found = entry;
      // The next one asks again.
      discovered.catch(() => {
        if (this.#found === entry) this.#found = null;
      });
    }
    return this.#found.discovered;
  }

  async #discover(): Promise<Discovered> {
    const { issuer, clientId, clientSecret } = this.config;
    const insecure = issuer.startsWith('http:') ? [client.allowInsecureRequests] : [];
    try {
      const found = await client.discovery(new URL(issuer), clientId, undefined, client.None(), { execute: insecure, timeout: PATIENCE_SECONDS });
      const server = found.serverMetadata();
      if (server.issuer !== issuer) throw new Error(`it calls itself ${server.issuer}`);
      if (server.jwks_uri === undefined) throw new Error('it publishes no keys');
      const config = new client.Configuration(server, clientId, undefined, authenticationOf(clientSecret, server.token_endpoint_auth_methods_supported));
      config.timeout = PATIENCE_SECONDS;
      for (const extend of insecure) extend(config);
      // TLS says who answered; the signature says it too, to whoever holds the token later.
      client.enableNonRepudiationChecks(config);
      return { config, keys: createRemoteJWKSet(new URL(server.jwks_uri), { timeoutDuration: PATIENCE_SECONDS * 1000 }) };
    } catch (cause) {
      throw new IdentityError(
        'provider_unavailable',
        `The identity provider ${issuer} cannot be used: ${cause instanceof Error ? cause.message : 'no answer'}`,
        {
          cause,
        },
      );
    }
  }
}

/** RFC 6749, section 2.3.1: Basic, unless the provider's metadata leave it out. */
function authenticationOf(secret: string | null, supported: readonly string[] | undefined): client.ClientAuth {
  if (secret === null) return client.None();
  return supported === undefined || supported.includes('client_secret_basic') ? client.ClientSecretBasic(secret) : client.ClientSecretPost(secret);
}

/** What an issuer's address tells of its kind. */
export function presetOf(issuer: string): Preset {
  const { hostname } = new URL(issuer);
  if (hostname === 'login.microsoftonline.com' || hostname === 'login.microsoftonline.us' || hostname === 'login.partner.microsoftonline.cn') return 'entra';
  if (hostname === 'accounts.google.com') return 'google';
  if (hostname === 'slack.com') return 'slack';
  return /\.(okta|oktapreview|okta-emea|okta-gov)\.com$/.test(hostname) ? 'okta' : 'generic';
}
