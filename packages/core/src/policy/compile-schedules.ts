import { childPointer } from '../request/index.js';
import type { Report } from './bundle/read-bundle.js';
import type { BundleDocument, ChannelDocument } from './bundle/schema.js';
import { compareText } from './merge-requirements.js';
import { didYouMean } from './nearest-name.js';
import { compileSchedule, onDutyOf, type Schedule } from './schedules.js';

export interface SchedulesOfBundle {
  readonly name: string;
  readonly document: BundleDocument;
  readonly report: Report;
  /** 0 for the highest tier that is there; a bundle sees the schedules of its own tier and of higher ones. */
  readonly tier: number;
}

/** Schedules by name, and every person whom the bundles name by address, sorted. */
export interface Schedules {
  readonly all: ReadonlyMap<string, Schedule>;
  readonly people: string[];
}

export function compileSchedules(bundles: readonly SchedulesOfBundle[]): Schedules {
  const all = new Map<string, Schedule>();
  const tierOf = new Map<string, number>();
  const people = new Set<string>();
  for (const { document, name, tier, report } of bundles) {
    for (const [schedule, written] of Object.entries(document.schedules ?? {})) {
      const pointer = childPointer('/schedules', schedule);
      if (all.has(schedule)) {
        report(pointer, `the schedule "${schedule}" stands in two bundles; ${name} is one`, { atKey: true });
        continue;
      }
      const compiled = compileSchedule(written);
      if (typeof compiled === 'string') {
        report(pointer, compiled);
        continue;
      }
      all.set(schedule, compiled);
      tierOf.set(schedule, tier);
      if ('rotation' in written)
        for (const shift of [...written.rotation, ...(written.overrides ?? []).map(({ on_call }) => on_call)])
          for (const each of onDutyOf(shift)) if ('person' in each) people.add(each.person);
    }
  }
  for (const { document, tier, report } of bundles) {
    for (const [{ person, on_call }, pointer] of channelsOf(document)) {
      if (person !== undefined) people.add(person);
      if (on_call === undefined || (tierOf.get(on_call) ?? Number.POSITIVE_INFINITY) <= tier) continue;
      report(
        `${pointer}/on_call`,
        `the schedule "${on_call}" does not stand under schedules`,
        didYouMean(on_call, () => [...tierOf].flatMap(([schedule, own]) => (own <= tier ? [schedule] : []))),
      );
    }
  }
  return { all, people: [...people].sort(compareText) };
}

type WrittenChannel = Omit<ChannelDocument, 'when'>;

/** Every channel of a bundle, with its place. */
export function channelsOf(document: BundleDocument): [WrittenChannel, string][] {
  const at = (channels: readonly WrittenChannel[] | undefined, pointer: string): [WrittenChannel, string][] =>
    (channels ?? []).map((channel, index) => [channel, `${pointer}/${index}`]);
  const { defaults, digest, rules = [] } = document;
  return [
    ...at(digest?.to.channels, '/digest/to/channels'),
    ...at(defaults.channels, '/defaults/channels'),
    ...at(defaults.require?.channels, '/defaults/require/channels'),
    ...rules.flatMap(({ require, break_glass }, index) => [
      ...at(require?.channels, `/rules/${index}/require/channels`),
      ...at(break_glass?.notify, `/rules/${index}/break_glass/notify`),
    ]),
  ];
}
