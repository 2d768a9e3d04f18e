import type { Channel } from '@countersign/contracts';
import type { Report } from './bundle/read-bundle.js';
import type { BundleDocument, DigestDocument, QuietHoursDocument } from './bundle/schema.js';
import { channelOf } from './requirement.js';
import { compileWindow, wallClock } from './windows.js';

/** A time in which no direct message disturbs the members of these groups. */
export interface QuietHours {
  /** Null: everybody. */
  readonly groups: readonly string[] | null;
  /** When the quiet time ends that the instant lies in, both in milliseconds since 1970; null where it lies in none, or in one without an end. */
  endOf(millis: number): number | null;
}

/** Who is told at the times of a day what waits. */
export interface DigestPlan {
  readonly groups: readonly string[];
  readonly channels: readonly Channel[];
  readonly at_least: number;
  /** The latest time at which it was due by the instant, not more than an hour ago; null where there was none. */
  dueAt(millis: number): DigestSlot | null;
}

/** A day and time of the clock on the wall, with its zone: `2026-11-21T09:00 Europe/Berlin`. */
export type DigestSlot = string;

const MINUTE_MS = 60_000;
/** A quiet time that is longer has no end: whoever writes it wants no messages at all, and would never be told. */
const LONGEST_MINUTES = 7 * 24 * 60;
/** A digest that could not be made for so long is not made up for. */
const LATEST_MINUTES = 60;
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

/** Quiet hours and digests of all bundles together: each bundle adds its own. */
export function compileNotices(bundles: readonly { document: BundleDocument; report: Report }[]): { quiet: QuietHours[]; digests: DigestPlan[] } {
  const quiet: QuietHours[] = [];
  const digests: DigestPlan[] = [];
  for (const { document, report } of bundles) {
    document.quiet_hours?.forEach((written, index) => {
      const compiled = quietHours(written);
      if (typeof compiled === 'string') report(`/quiet_hours/${index}`, compiled);
      else quiet.push(compiled);
    });
    if (document.digest !== undefined) digests.push(digestPlan(document.digest));
  }
  return { quiet, digests };
}

function quietHours({ groups, ...hours }: QuietHoursDocument): QuietHours | string {
  const window = compileWindow(hours);
  if (typeof window === 'string') return window;
  return {
    groups: groups ?? null,
    endOf(millis) {
      if (!window.contains(millis)) return null;
      const first = Math.floor(millis / MINUTE_MS) + 1;
      for (let minute = first; minute < first + LONGEST_MINUTES; minute++) if (!window.contains(minute * MINUTE_MS)) return minute * MINUTE_MS;
      return null;
    },
  };
}

function digestPlan({ tz, at, days, to, at_least }: DigestDocument): DigestPlan {
  const wall = wallClock(tz);
  return {
    groups: to.groups ?? [],
    channels: (to.channels ?? []).map(channelOf),
    at_least: at_least ?? 1,
    dueAt(millis) {
      for (let ago = 0; ago < LATEST_MINUTES; ago++) {
        const { day, minutes } = wall(millis - ago * MINUTE_MS);
        const time = `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
        const date = new Date(day);
        const weekday = DAYS[date.getUTCDay()];
        if (!at.includes(time) || (days !== undefined && weekday !== undefined && !days.includes(weekday))) continue;
        return `${date.toISOString().slice(0, 10)}T${time} ${tz}`;
      }
      return null;
    },
  };
}
