import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { trouble, type Trouble } from '../problems.js';
import type { Reader } from '../visibility.js';

/** So many requests in so many seconds, for each API key. */
export interface RateLimit {
  requests: number;
  seconds: number;
}

export interface RateLimiter {
  /**
   * Counts a request.
   * @param from the address, by which those are counted who are nobody yet
   * @returns the headers of its answer, and the problem where it was one too many
   */
  take(reader: Reader | null, from: string | null): Promise<{ headers: Record<string, string>; exceeded: Trouble | null }>;
}

/**
 * Limits callers by their key, all of its secrets and tokens together, and those who present a token to be exchanged by their address. People are
 * not limited. Counted in this process: behind a balancer each process allows so much. Headers as draft-ietf-httpapi-ratelimit-headers has them.
 */
export function rateLimiter({ requests, seconds }: RateLimit): RateLimiter {
  const limiter = new RateLimiterMemory({ points: requests, duration: seconds });
  const policy = `"key";q=${requests};w=${seconds}`;
  return {
    async take(reader, from) {
      if (reader !== null && reader.kind !== 'caller') return { headers: {}, exceeded: null };
      const who = reader === null ? `address ${from ?? 'unknown'}` : `key ${reader.caller.tenant} ${reader.caller.key_id}`;
      const { left, exceeded } = await limiter.consume(who).then(
        (result) => ({ left: result, exceeded: false }),
        (refusal: unknown) => {
          if (refusal instanceof RateLimiterRes) return { left: refusal, exceeded: true };
          throw refusal;
        },
      );
      const wait = Math.max(1, Math.ceil(left.msBeforeNext / 1000));
      const headers = { 'RateLimit-Policy': policy, RateLimit: `"key";r=${Math.max(0, left.remainingPoints)};t=${wait}` };
      if (!exceeded) return { headers, exceeded: null };
      const detail = `This API key may make ${requests} requests in ${seconds} s. Try again in ${wait} s.`;
      return { headers, exceeded: trouble('rate_limited', detail, { headers: { 'Retry-After': String(wait) } }) };
    },
  };
}
