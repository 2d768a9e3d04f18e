import { MAX_RETRY_AFTER_SECONDS } from '../transport.js';

/**
 * Reads Retry-After (RFC 9110, section 10.2.3): seconds or an HTTP date. Whole seconds from now, cut to an hour, 0 for a date that is
 * past; undefined for anything else.
 * @param nowMs milliseconds since 1970.
 */
export function parseRetryAfter(value: string | string[] | undefined, nowMs: number): number | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text), MAX_RETRY_AFTER_SECONDS);
  const at = parseHttpDate(text);
  return at === undefined ? undefined : Math.min(Math.max(0, Math.ceil((at - nowMs) / 1000)), MAX_RETRY_AFTER_SECONDS);
}

/** RFC 9110, section 5.6.7: the preferred form and the two obsolete ones, which a recipient must read. */
function parseHttpDate(text: string): number | undefined {
  const preferredOrRfc850 = /^[A-Z][a-z]{2,8}, \d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/;
  const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;
  const at = preferredOrRfc850.test(text) ? Date.parse(text) : asctime.test(text) ? Date.parse(`${text} GMT`) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
