import type { WeeklyWindowDocument, WindowDocument } from './bundle/schema.js';
import { instantMillis } from './bundle/schema-parts.js';

/** A span of time that conditions can ask for by name. */
export interface Window {
  /** Whether the instant, in milliseconds since 1970, lies in it; its end does not. */
  contains(millis: number): boolean;
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const DAY_MS = 86_400_000;

/**
 * A window in weekly hours goes by the clock on the wall of its time zone, so that summer time needs no thought: 08:00 is
 * 08:00. One whose `to` is not after its `from` goes over midnight and belongs to the day on which it opens.
 * A text says why it is none.
 */
export function compileWindow(document: WindowDocument): Window | string {
  if ('tz' in document) return document.from === document.to ? 'the window begins and ends at the same time' : weeklyWindow(document);
  const [from, to] = [instantMillis(document.from), instantMillis(document.to)];
  if (from >= to) return 'the window ends before it begins';
  return { contains: (millis) => millis >= from && millis < to };
}

function weeklyWindow({ tz, days, from, to, holidays }: WeeklyWindowDocument): Window {
  const wall = wallClock(tz);
  const opens = (dayMillis: number): boolean => {
    const day = new Date(dayMillis);
    const weekday = DAYS[day.getUTCDay()];
    return (days === undefined || (weekday !== undefined && days.includes(weekday))) && !(holidays ?? []).includes(day.toISOString().slice(0, 10));
  };
  const [start, end] = [minutesOf(from), minutesOf(to)];
  return {
    contains(millis) {
      const now = wall(millis);
      if (start < end) return now.minutes >= start && now.minutes < end && opens(now.day);
      return (now.minutes >= start && opens(now.day)) || (now.minutes < end && opens(now.day - DAY_MS));
    },
  };
}

/** The local date (as UTC midnight) and minutes since midnight of an instant. */
export function wallClock(tz: string): (millis: number) => { day: number; minutes: number } {
  const format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
    timeZone: tz,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (millis) => {
    const parts = new Map(format.formatToParts(millis).map(({ type, value }) => [type, Number(value)]));
    const part = (type: string): number => parts.get(type as Intl.DateTimeFormatPartTypes) ?? 0;
    return { day: Date.UTC(part('year'), part('month') - 1, part('day')), minutes: part('hour') * 60 + part('minute') };
  };
}

const minutesOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

export function isTimeZone(name: string): boolean {
  // Offsets such as +02:00 are zones to Intl, and know no summer time.
  if (/^[+-]/.test(name)) return false;
  try {
    // Throws a RangeError for a name that it does not know.
    new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    return true;
  } catch {
    return false;
  }
}
