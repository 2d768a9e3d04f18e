import type { CallerStore } from '@countersign/core/ports';
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { IdentityError } from '../errors.js';

/**
 * Reads a document over HTTPS for us. The app makes it: it opens connections only where the operator lets callbacks go, and to
 * `trusted`, hosts (with port) that the operator's own file names (I14). It never follows a redirect.
 */
export type FetchText = (url: string, options: { trusted: readonly string[]; signal: AbortSignal }) => Promise<{ status: number; text: string }>;

export interface IssuerKeysDeps {
  fetch: FetchText;
  callers: Pick<CallerStore, 'issuerKeys' | 'keepIssuerKeys'>;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Told of what did not work and was got over. */
  warn?: (text: string) => void;
}

/** Whose keys they are, and where they are if the rule says so. */
export interface KeySource {
  tenant: string;
  issuer: string;
  jwks: string | { keys: object[] } | null;
}

/** How long the last keys that worked do while their issuer cannot be reached: a day. */
const LAST_GOOD_MS = 24 * 3600 * 1000;
const TIMEOUT_MS = 5_000;
/** After a look for a key that was not there, how long none is looked for again. */
const COOLDOWN_MS = 30_000;
const CACHED_MS = 600_000;
const DISCOVERED_MS = 3_600_000;

type RemoteKeys = ReturnType<typeof createRemoteJWKSet>;

const discoverySchema = z.looseObject({ issuer: z.string(), jwks_uri: z.url().max(2048) });
const jwksSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).max(1000) });

/**
 * The public keys of issuers: cached, looked for anew when a key is not known (at most once in 30 s), and the last good ones from the
 * database while the issuer cannot be reached.
 */
export class IssuerKeys {
  readonly #sets = new Map<string, { set: RemoteKeys; since: number }>();

  constructor(private readonly deps: IssuerKeysDeps) {}

  /**
   * The key of a token's header, for jwtVerify.
   * @throws IdentityError `issuer_unavailable` where it cannot be told now whether there is such a key: nothing is known against the token;
   * jose's errors where there is none
   */
  keyOf(source: KeySource): JWTVerifyGetKey {
    if (source.jwks !== null && typeof source.jwks === 'object') return createLocalJWKSet({ keys: source.jwks.keys });
    return async (header, token) => {
      const key = JSON.stringify([source.tenant, source.issuer, source.jwks]);
      let cooling = false;
      try {
        const set = await this.#set(key, source);
        // A key that came out since the last look is not seen until the next one: not known is not forged.
        cooling = set.coolingDown;
        return await set(header, token);
      } catch (error) {
        if (error instanceof errors.JWKSNoMatchingKey && cooling)
          throw new IdentityError('issuer_unavailable', 'The key of this token is not known yet.', { cause: error });
        if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys || error instanceof errors.JOSENotSupported)
          throw error;
        return this.#fromLastGood(source, error)(header, token);
      }
    };
  }

  /** Discovered anew each hour; while that fails, what was found before does. */
  async #set(key: string, source: KeySource): Promise<RemoteKeys> {
    const known = this.#sets.get(key);
    if (known !== undefined && this.deps.now() - known.since < DISCOVERED_MS) return known.set;
    try {
      return await this.#open(key, source);
    } catch (error) {
      if (known === undefined) throw error;
      return known.set;
    }
  }

  async #open(key: string, source: KeySource): Promise<RemoteKeys> {
    const trusted = [source.issuer, ...(typeof source.jwks === 'string' ? [source.jwks] : [])].map((url) => new URL(url).host);
    const url = typeof source.jwks === 'string' ? source.jwks : await this.#discover(source, trusted);
    const set = createRemoteJWKSet(new URL(url), {
      timeoutDuration: TIMEOUT_MS,
      cooldownDuration: COOLDOWN_MS,
      cacheMaxAge: CACHED_MS,
      [customFetch]: async (address, { signal }) => {
        const { status, text } = await this.deps.fetch(address, { trusted, signal: signal ?? AbortSignal.timeout(TIMEOUT_MS) });
        if (status === 200) await this.#keep(source, text);
        return new Response(text, { status, headers: { 'content-type': 'application/json' } });
      },
    });
    this.#sets.set(key, { set, since: this.deps.now() });
    return set;
  }

  /** OpenID Connect Discovery 1.0, section 4: the document must name the very issuer. */
  async #discover({ issuer }: KeySource, trusted: readonly string[]): Promise<string> {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const { status, text } = await this.deps.fetch(url, { trusted, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const document = status === 200 ? discoverySchema.safeParse(jsonOf(text)).data : undefined;
    if (document === undefined || document.issuer !== issuer)
      throw new IdentityError('issuer_unavailable', `${url} is no discovery document of ${issuer} (${status}).`);
    return document.jwks_uri;
  }

  /** What was fetched and is a key set with keys in it. That it cannot be kept is no reason not to use it. */
  async #keep({ tenant, issuer }: KeySource, text: string): Promise<void> {
    const jwks = jwksSchema.safeParse(jsonOf(text)).data;
    if (jwks === undefined || jwks.keys.length === 0) return;
    await this.deps.callers.keepIssuerKeys(tenant, issuer, { keys: jwks.keys }).catch(() => this.deps.warn?.(`The keys of ${issuer} could not be kept.`));
  }

  #fromLastGood(source: KeySource, cause: unknown): JWTVerifyGetKey {
    return async (header, token) => {
      const kept = await this.deps.callers.issuerKeys(source.tenant, source.issuer);
      const why = cause instanceof Error ? cause.message : String(cause);
      if (kept === null || this.deps.now() - Date.parse(kept.fetched_at) > LAST_GOOD_MS)
        throw new IdentityError('issuer_unavailable', `The keys of ${source.issuer} cannot be read: ${why}`, { cause });
      this.deps.warn?.(`The keys of ${source.issuer} cannot be read (${why}); those of ${kept.fetched_at} are used.`);
      try {
        return await createLocalJWKSet({ keys: kept.jwks.keys })(header, token);
      } catch (error) {
        throw new IdentityError('issuer_unavailable', `The keys of ${source.issuer} cannot be read, and the last ones do not have this one.`, { cause: error });
      }
    };
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
