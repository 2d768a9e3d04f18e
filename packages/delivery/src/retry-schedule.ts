import { MAX_RETRY_AFTER_SECONDS } from './transport.js';

const MINUTE = 60;
const HOUR = 3600;

/** Seconds before each attempt, counted from the end of the one before: 16 attempts over about 76 hours. */
export const RETRY_DELAYS_SECONDS: readonly number[] = [
  0,
  2,
  5,
  15,
  30,
  1 * MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
export const MAX_ATTEMPTS = RETRY_DELAYS_SECONDS.length;
/** Each delay is moved by up to a fifth either way, so that what failed together does not come back together. */
const JITTER = 0.2;

/**
 * How long to wait for the next attempt, in seconds (with fractions), or `exhausted` when there is none.
 * A receiver's Retry-After lengthens the wait, never shortens it, and counts up to an hour.
 * @param attemptsMade how many have ended; 0 for a new delivery, which goes at once.
 * @param random evenly spread in [0, 1).
 */
export function nextAttempt(attemptsMade: number, random: number, retryAfterSeconds = 0): number | 'exhausted' {
  const delay = RETRY_DELAYS_SECONDS[attemptsMade];
  if (delay === undefined) return 'exhausted';
  const jittered = delay * (1 + JITTER * (2 * random - 1));
  return Math.max(jittered, Math.min(retryAfterSeconds, MAX_RETRY_AFTER_SECONDS));
}
