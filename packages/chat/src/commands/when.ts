import { epochMs, formatInstant, type Instant } from '@countersign/core/request';

/**
 * When an absence or a pause ends, from the words of a person: `Friday`, `tomorrow 14:00`, `for 3 days`, `2026-12-01`, `1 December`, `end of week`,
 * or an instant with its offset. A day without a time ends with that day, by the clock on the person's wall. Null where it is not understood, or over.
 *
 * @param zone an IANA name; one that is not known counts as UTC
 */
export function readUntil(words: string, now: Instant, zone: string): Instant | null {
  const text = words
    .trim()
    .toLowerCase()
    .replaceAll(/[\s,]+/gu, ' ')
    .replace(/^until /, '')
    .replace(/[.!]$/, '');
  const exact = exactInstant(words.trim());
  const at = exact ?? spanFrom(text, now) ?? dayAndTime(text, now, zone);
  return at !== null && at > now ? at : null;
}

/** An instant by the clock of a zone, such as `Friday 27 November 2026, 24:00, Europe/Berlin (2026-11-27T23:00:00.000Z)`. Midnight ends a day. */
export function instantWords(at: string, zone: string): string {
  const wall = wallMs(Date.parse(at), zone);
  const midnight = wall % DAY_MS === 0;
  const day = new Date(midnight ? wall - 1 : wall);
  const [weekday, month] = [WEEKDAYS[day.getUTCDay()] ?? '', MONTHS[day.getUTCMonth()] ?? ''];
  const clock = midnight ? '24:00' : day.toISOString().slice(11, 16);
  return `${capital(weekday)} ${String(day.getUTCDate())} ${capital(month)} ${String(day.getUTCFullYear())}, ${clock}, ${knownZone(zone)} (${at})`;
}

/** The same in short, such as `27 Nov 2026, 14:05 Europe/Berlin`. */
export function shortWords(at: string, zone: string): string {
  const day = new Date(wallMs(Date.parse(at), zone));
  const month = capital((MONTHS[day.getUTCMonth()] ?? '').slice(0, 3));
  return `${String(day.getUTCDate())} ${month} ${String(day.getUTCFullYear())}, ${day.toISOString().slice(11, 16)} ${knownZone(zone)}`;
}

const capital = (word: string): string => `${word.charAt(0).toUpperCase()}${word.slice(1)}`;

/** The instant at which the clock on a zone's wall says so, days counted from today there. Where the clock jumps over it, just after. */
export function wallInstant(now: Instant, zone: string, days: number, minutes: number): Instant {
  const today = Math.floor(wallMs(epochMs(now), zone) / DAY_MS) * DAY_MS;
  return fromWall(today + days * DAY_MS + minutes * 60_000, zone);
}

const DAY_MS = 86_400_000;
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december'];
const UNITS: Readonly<Record<string, number>> = { minute: 60, hour: 3_600, day: 86_400, week: 7 * 86_400 };
const SHORT_UNITS: Readonly<Record<string, string>> = { m: 'minute', min: 'minute', mins: 'minute', h: 'hour', hr: 'hour', hrs: 'hour', d: 'day', w: 'week' };

/** RFC 3339 with an offset; without one it is a day and a time. */
function exactInstant(text: string): Instant | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/i.test(text)) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : formatInstant(ms);
}

function spanFrom(text: string, now: Instant): Instant | null {
  const [, amount = '', written = ''] = /^(?:for |in )?(\d{1,4}|a|an|one|two|three) ?([a-z]+)$/.exec(text) ?? [];
  const unit = SHORT_UNITS[written] ?? written.replace(/s$/, '');
  const seconds = UNITS[unit];
  if (seconds === undefined) return null;
  const count = { a: 1, an: 1, one: 1, two: 2, three: 3 }[amount] ?? Number(amount);
  return formatInstant(epochMs(now) + count * seconds * 1_000);
}

function dayAndTime(text: string, now: Instant, zone: string): Instant | null {
  const [, day = '', hours, minutes, half] = /^(.*?)(?:(?:^| )(?:at )?(\d{1,2})(?::(\d{2})| ?(?=[ap]m$))? ?([ap]m)?)?$/.exec(withColon(text)) ?? [];
  const timed = hours !== undefined && (minutes !== undefined || half !== undefined);
  const clock = timed ? clockMinutes(Number(hours), Number(minutes ?? 0), half) : null;
  if (timed && clock === null) return null;
  const wall = wallMs(epochMs(now), zone);
  const today = Math.floor(wall / DAY_MS) * DAY_MS;
  if (text === '') return null;
  const found = dayOf(timed ? day.trim() : text, today);
  if (found === null) return null;
  // A day without a time ends with it.
  return fromWall(found + (clock === null ? DAY_MS : clock * 60_000), zone);
}

/** `noon` and `midnight` are times like others. */
const withColon = (text: string): string => text.replace(/\bnoon$/, '12:00').replace(/\bmidnight$/, '24:00');

function clockMinutes(hours: number, minutes: number, half: string | undefined): number | null {
  if (minutes > 59) return null;
  if (half === undefined) return hours < 24 || (hours === 24 && minutes === 0) ? hours * 60 + minutes : null;
  if (hours < 1 || hours > 12) return null;
  return ((hours % 12) + (half === 'pm' ? 12 : 0)) * 60 + minutes;
}

/** The local midnight, as if it were UTC, with which the day begins. A weekday is the next one, never today. */
function dayOf(text: string, today: number): number | null {
  const weekday = new Date(today).getUTCDay();
  if (text === '' || text === 'today' || text === 'end of day' || text === 'eod' || text === 'tonight') return today;
  if (text === 'tomorrow') return today + DAY_MS;
  if (text === 'end of week' || text === 'end of the week' || text === 'eow') return today + ((5 - weekday + 7) % 7) * DAY_MS;
  const named = text.length < 3 ? -1 : WEEKDAYS.findIndex((name) => name.startsWith(text));
  if (named !== -1) return today + ((named - weekday + 6) % 7) * DAY_MS + DAY_MS;
  const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text);
  if (iso !== null) return dateOf(Number(iso[1]), Number(iso[2]), Number(iso[3]));
  const german = /^(\d{1,2})\. ?(\d{1,2})\.?(?: ?(\d{4}))?$/.exec(text);
  if (german !== null) return dated(today, Number(german[1]), Number(german[2]), german[3]);
  const written =
    /^(\d{1,2})(?:st|nd|rd|th)?\.? (?:of )?([a-z]{3,9})\.?(?: (\d{4}))?$/.exec(text) ??
    reordered(/^([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?(?: (\d{4}))?$/.exec(text));
  if (written === null) return null;
  const month = MONTHS.findIndex((name) => name.startsWith(written[2] ?? '-'));
  return month === -1 ? null : dated(today, Number(written[1]), month + 1, written[3]);
}

const reordered = (found: RegExpExecArray | null): (string | undefined)[] | null => (found === null ? null : [found[0], found[2], found[1], found[3]]);

/** Without a year: the next such date. */
function dated(today: number, day: number, month: number, year: string | undefined): number | null {
  if (year !== undefined) return dateOf(Number(year), month, day);
  const now = new Date(today).getUTCFullYear();
  const soon = dateOf(now, month, day);
  return soon !== null && soon < today ? dateOf(now + 1, month, day) : soon;
}

function dateOf(year: number, month: number, day: number): number | null {
  const ms = Date.UTC(year, month - 1, day);
  // Date.UTC rolls 31 November over.
  return new Date(ms).getUTCMonth() === month - 1 && new Date(ms).getUTCDate() === day ? ms : null;
}

/** What the clock on the wall says, in milliseconds as if it were UTC. */
function wallMs(ms: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
    timeZone: knownZone(zone),
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(ms);
  const part = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.find((found) => found.type === type)?.value ?? 0);
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')) + (((ms % 1_000) + 1_000) % 1_000);
}

/** Asked twice, because the offset may be another on the other side of a change of the clock. */
function fromWall(wall: number, zone: string): Instant {
  const guess = wall - (wallMs(wall, zone) - wall);
  return formatInstant(wall - (wallMs(guess, zone) - guess));
}

function knownZone(zone: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    // A RangeError: no such zone.
    return 'UTC';
  }
}
