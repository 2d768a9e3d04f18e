import type { BreakGlass, Channel, Obligations, Requirement, Via } from '@countersign/contracts';

/** Through which channels one may decide where nothing is said: all but `api`. */
export const DEFAULT_VIA: readonly Via[] = ['email', 'slack', 'teams', 'web'];

/** Cards and reminders that are too many help nobody; leaving some out loosens nothing. */
const MAX_CHANNELS = 20;
const MAX_REMINDERS = 10;
const MAX_NOTIFIED = 10;

/** The members of a requirement that may be absent. */
export type Terms = Pick<
  Requirement,
  | 'veto'
  | 'on_timeout'
  | 'reminders_seconds'
  | 'obligations'
  | 'delegation'
  | 'via'
  | 'channels'
  | 'break_glass'
  | 'solo'
  | 'alike'
  | 'counter'
  | 'bulk'
  | 'urgent'
  | 'batch'
>;

/** The stricter of two sets of terms. Independent of their order, and the same again where both are the same. */
export function mergeTerms(a: Terms, b: Terms): Terms {
  const emergency = mergeBreakGlass(a.break_glass, b.break_glass);
  const merged: { [member in keyof Terms]: Terms[member] | undefined } = {
    veto: unionOf(a.veto, b.veto),
    on_timeout: a.on_timeout ?? b.on_timeout,
    reminders_seconds: cut(ascending([...(a.reminders_seconds ?? []), ...(b.reminders_seconds ?? [])]), MAX_REMINDERS),
    obligations: mergeObligations(a.obligations, b.obligations),
    delegation: both(a.delegation, b.delegation, (x, y) => ({
      within: x.within === 'same_group' ? x.within : y.within,
      max_seconds: Math.min(x.max_seconds, y.max_seconds),
    })),
    via: emergency === 'none' ? [] : mergeVia(a.via, b.via),
    channels: cut(distinct([...(a.channels ?? []), ...(b.channels ?? [])]), MAX_CHANNELS),
    break_glass: emergency === 'none' ? undefined : emergency,
    solo: both(a.solo, b.solo, (x, y) => ({ after_seconds: Math.max(x.after_seconds, y.after_seconds) })),
    alike: both(a.alike, b.alike, (x, y) => ({
      pin: unionOf(x.pin, y.pin) ?? [],
      max_uses: Math.min(x.max_uses, y.max_uses),
      max_ttl_seconds: Math.min(x.max_ttl_seconds, y.max_ttl_seconds),
    })),
    counter: both(a.counter, b.counter, (x, y) => cut([...new Set(x.filter((path) => y.includes(path)))].sort(compare), x.length)),
    bulk: both(a.bulk, b.bulk, (x) => x),
    urgent: a.urgent ?? b.urgent,
    batch: both(a.batch, b.batch, (x, y) => ({
      at_least: Math.max(x.at_least, y.at_least),
      window_seconds: Math.min(x.window_seconds, y.window_seconds),
    })),
  };
  return withoutAbsent(merged);
}

/** What an approval must come with when both must be met. */
export function mergeObligations(a: Obligations | undefined, b: Obligations | undefined): Obligations | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const fresh = [a.passkey, b.passkey].flatMap((each) => (each === undefined ? [] : [each.fresh_seconds]));
  const merged: { [member in keyof Obligations]: Obligations[member] | undefined } = {
    passkey: fresh.length === 0 ? undefined : { fresh_seconds: Math.min(...fresh) },
    tickets: cut(distinct([...(a.tickets ?? []), ...(b.tickets ?? [])]), Number.POSITIVE_INFINITY),
    acknowledge: unionOf(a.acknowledge, b.acknowledge),
    must_open: a.must_open ?? b.must_open,
  };
  return withoutAbsent(merged);
}

/**
 * The emergency road that both have: same group, same reviewers. `none` where a rule knows no other road and the other
 * requirement does not have it: then there is none at all.
 */
function mergeBreakGlass(a: BreakGlass | undefined, b: BreakGlass | undefined): BreakGlass | undefined | 'none' {
  const only = a?.only ?? b?.only;
  if (a === undefined || b === undefined || a.group !== b.group || a.review_by !== b.review_by) return only === undefined ? undefined : 'none';
  const obligations = mergeObligations(a.obligations, b.obligations);
  const notify = cut(distinct([...(a.notify ?? []), ...(b.notify ?? [])]), MAX_NOTIFIED);
  return {
    group: a.group,
    quorum: Math.max(a.quorum, b.quorum),
    ...(obligations === undefined ? {} : { obligations }),
    ...(a.review_by === undefined ? {} : { review_by: a.review_by }),
    review_within_seconds: Math.min(a.review_within_seconds, b.review_within_seconds),
    ...(notify === undefined ? {} : { notify }),
    ...(only === undefined ? {} : { only }),
  };
}

function mergeVia(a: Via[] | undefined, b: Via[] | undefined): Via[] | undefined {
  if (a === undefined && b === undefined) return undefined;
  const [left, right] = [a ?? DEFAULT_VIA, b ?? DEFAULT_VIA];
  return left.filter((each) => right.includes(each)).sort(compare);
}

function both<T, R>(a: T | undefined, b: T | undefined, join: (a: T, b: T) => R): R | undefined {
  return a === undefined || b === undefined ? undefined : join(a, b);
}

function unionOf<T extends string>(a: readonly T[] | undefined, b: readonly T[] | undefined): T[] | undefined {
  return a === undefined && b === undefined ? undefined : [...new Set([...(a ?? []), ...(b ?? [])])].sort(compare);
}

/** One of each, sorted by its text. */
function distinct<T extends Channel | { pattern: string }>(all: readonly T[]): T[] {
  const byText = new Map(all.map((each) => [JSON.stringify(Object.entries(each).sort(([x], [y]) => compare(x, y))), each]));
  return [...byText].sort(([x], [y]) => compare(x, y)).map(([, each]) => each);
}

const ascending = (all: readonly number[]): number[] => [...new Set(all)].sort((x, y) => x - y);
const cut = <T>(all: T[], most: number): T[] | undefined => (all.length === 0 ? undefined : all.slice(0, most));
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function withoutAbsent<T extends object>(members: { [member in keyof T]: T[member] | undefined }): T {
  // Only members that are undefined are taken away; what is left is T's.
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}
