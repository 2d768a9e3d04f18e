import { CoreError } from '../errors.js';

declare const instantBrand: unique symbol;

/** A point in time: RFC 3339, UTC, exactly three decimals, `2026-02-03T04:05:06.789Z`. Sorts as text. Years 0000 to 9999. */
export type Instant = string & { readonly [instantBrand]: true };

/** The instant that text spells, exactly; undefined for any other form (offsets, other precision, leap seconds, dates that do not exist). */
export function parseInstant(text: string): Instant | undefined {
  return isInstant(text) ? text : undefined;
}

/** Whether text is an instant in our one form, and a date that exists. */
export function isInstant(text: string): text is Instant {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(text)) return false;
  const date = new Date(text);
  // Date rolls 30 February over; the round trip shows it.
  return !Number.isNaN(date.getTime()) && date.toISOString() === text;
}

/**
 * The instant of milliseconds since 1970-01-01T00:00:00Z; fractions of a millisecond are cut off.
 * @throws CoreError `invalid_argument` outside the years 0000 to 9999.
 */
export function formatInstant(epochMs: number): Instant {
  const whole = Math.floor(epochMs);
  if (!(whole >= EARLIEST_MS && whole <= LATEST_MS)) throw new CoreError('invalid_argument', 'time is outside the years 0000 to 9999');
  // toISOString writes exactly our form in this range (ECMA-262, Date Time String Format).
  return new Date(whole).toISOString() as Instant;
}

/** Milliseconds since 1970-01-01T00:00:00Z. */
export function epochMs(instant: Instant): number {
  return Date.parse(instant);
}

/** The instant `seconds` later (earlier, where negative; fractions count down to the millisecond). Throws as formatInstant does. */
export function addSeconds(instant: Instant, seconds: number): Instant {
  return formatInstant(epochMs(instant) + Math.round(seconds * 1000));
}

/** Negative where `a` is earlier, 0 where they are the same, positive where it is later. */
export function compareInstants(a: Instant, b: Instant): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const EARLIEST_MS = -62_167_219_200_000; // 0000-01-01T00:00:00.000Z
const LATEST_MS = 253_402_300_799_999; // 9999-12-31T23:59:59.999Z
