import type { RotationDocument, ScheduleDocument, ShiftDocument } from './bundle/schema-schedule.js';
import { instantMillis } from './bundle/schema-parts.js';
import { parseDuration } from './bundle/durations.js';
import { wallClock } from './windows.js';

/** Somebody on call: a person of the directory by address, or whoever is in the group. */
export type OnDuty = { person: string } | { group: string };

/** A schedule of a bundle. What another service keeps is asked there. */
export type Schedule = { kind: 'rotation'; at(millis: number): OnDuty[] } | { kind: 'pagerduty'; id: string } | { kind: 'opsgenie'; name: string };

const DAY_SECONDS = 86_400;

/** A schedule as it is asked; a text says why it is none. */
export function compileSchedule(document: ScheduleDocument): Schedule | string {
  if ('pagerduty' in document) return { kind: 'pagerduty', id: document.pagerduty };
  if ('opsgenie' in document) return { kind: 'opsgenie', name: document.opsgenie };
  for (const { from, to } of document.overrides ?? []) if (instantMillis(from) >= instantMillis(to)) return `the override from ${from} ends before it begins`;
  return { kind: 'rotation', at: rotationOf(document) };
}

/** Who is on call by a rotation at the instant, in milliseconds since 1970; nobody before it starts. */
export function onCall(document: RotationDocument, millis: number): OnDuty[] {
  return rotationOf(document)(millis);
}

/**
 * Shifts of whole days change at the same time of the zone's day, also where summer time begins between them; shorter ones, and those of
 * other lengths, are counted in seconds.
 */
function rotationOf({ tz = 'UTC', start, shift, handover, rotation, overrides = [] }: RotationDocument): (millis: number) => OnDuty[] {
  const seconds = shift === undefined ? (handover === 'daily' ? DAY_SECONDS : 7 * DAY_SECONDS) : (parseDuration(shift) ?? DAY_SECONDS);
  const begin = instantMillis(start);
  const wall = wallClock(tz);
  const local = (millis: number): number => {
    const { day, minutes } = wall(millis);
    return day + minutes * 60_000;
  };
  const since = seconds % DAY_SECONDS === 0 ? (millis: number) => local(millis) - local(begin) : (millis: number) => millis - begin;
  return (millis) => {
    const instead = overrides.findLast(({ from, to }) => instantMillis(from) <= millis && millis < instantMillis(to));
    if (instead !== undefined) return onDutyOf(instead.on_call);
    if (millis < begin) return [];
    const number = Math.floor(since(millis) / (seconds * 1000));
    return onDutyOf(rotation[Math.max(0, number) % rotation.length] ?? []);
  };
}

/** Everybody whom a shift names. */
export function onDutyOf(written: ShiftDocument): OnDuty[] {
  return (Array.isArray(written) ? written : [written]).map((each) => (typeof each === 'string' ? { person: each } : { group: each.group }));
}
