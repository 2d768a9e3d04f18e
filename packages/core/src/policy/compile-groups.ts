import { childPointer } from '../request/index.js';
import type { Report } from './bundle/read-bundle.js';
import type { BreakGlassDocument, BundleDocument, RequireDocument } from './bundle/schema.js';
import type { RevealDocument } from './bundle/schema-reveal.js';
import type { ShiftDocument } from './bundle/schema-schedule.js';
import { channelsOf } from './compile-schedules.js';
import { compareText } from './merge-requirements.js';
import { didYouMean } from './nearest-name.js';
import { onDutyOf } from './schedules.js';
import type { GroupInfo } from './types.js';

/** The groups that the bundles name, and which groups are parts of which. */
export interface Groups {
  /** Every group that a bundle names, sorted. */
  readonly names: string[];
  readonly declared: readonly GroupInfo[];
  /** The groups that somebody of these groups is in, by what the bundles include. Sorted. */
  expand(groups: readonly string[]): string[];
  /** The groups whose members are members of this one too. */
  partsOf(group: string): readonly string[];
}

export interface GroupsOfBundle {
  readonly name: string;
  readonly document: BundleDocument;
  readonly report: Report;
  /** Whether the groups of the other bundle are this one's too: those of its own tier and of higher ones are. */
  sees(other: GroupsOfBundle): boolean;
}

export function compileGroups(bundles: readonly GroupsOfBundle[]): Groups {
  const names = new Set<string>();
  const declared = new Map<string, GroupInfo>();
  const owner = new Map<string, string>();
  for (const { name, document, report } of bundles) {
    for (const [group, { description, source, min_members, includes }] of Object.entries(document.groups ?? {})) {
      const other = owner.get(group);
      if (other !== undefined) {
        report(childPointer('/groups', group), `the group "${group}" is declared by the bundle "${other}", and one bundle alone declares a group`, {
          atKey: true,
        });
        continue;
      }
      owner.set(group, name);
      names.add(group);
      declared.set(group, {
        name: group,
        ...(description === undefined ? {} : { description }),
        ...(source === undefined ? {} : { source }),
        ...(min_members === undefined ? {} : { min_members }),
        includes: includes ?? [],
      });
    }
  }
  for (const bundle of bundles) {
    const known = new Set(bundles.filter((other) => bundle.sees(other)).flatMap(({ document }) => Object.keys(document.groups ?? {})));
    // A bundle that declares none may name any: they stand in the directory.
    const closed = bundle.document.groups !== undefined;
    const visit = (group: string, pointer: string): void => {
      names.add(group);
      if (closed && !known.has(group))
        bundle.report(
          pointer,
          `the group "${group}" does not stand under groups`,
          didYouMean(group, () => known),
        );
    };
    // What a group includes may stand in the directory alone: so one line of a bundle says who a role is.
    for (const { includes } of Object.values(bundle.document.groups ?? {})) for (const part of includes ?? []) names.add(part);
    visitGroups(bundle.document, visit);
    visitQuorums(bundle, declared);
  }
  refuseCycles(bundles, declared);
  const including = [...declared.values()].filter(({ includes }) => includes.length > 0);
  return {
    names: [...names].sort(compareText),
    declared: [...declared.values()].sort((a, b) => compareText(a.name, b.name)),
    expand(groups) {
      const all = new Set(groups);
      // Each pass may bring in another level; there are no cycles.
      for (let before = -1; before !== all.size;) {
        before = all.size;
        for (const { name, includes } of including) if (includes.some((part) => all.has(part))) all.add(name);
      }
      return [...all].sort(compareText);
    },
    partsOf(group) {
      const all = new Set<string>();
      const todo = [...(declared.get(group)?.includes ?? [])];
      for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
        if (all.has(part)) continue;
        all.add(part);
        todo.push(...(declared.get(part)?.includes ?? []));
      }
      return [...all].sort(compareText);
    },
  };
}

type Visit = (group: string, pointer: string) => void;

function visitGroups(document: BundleDocument, visit: Visit): void {
  for (const [{ email, direct }, pointer] of channelsOf(document)) {
    if (email !== undefined) visit(email, `${pointer}/email`);
    if (direct !== undefined) visit(direct, `${pointer}/direct`);
  }
  visitSchedules(document.schedules, visit);
  document.quiet_hours?.forEach(({ groups = [] }, index) => groups.forEach((group, nth) => visit(group, `/quiet_hours/${index}/groups/${nth}`)));
  document.digest?.to.groups?.forEach((group, index) => visit(group, `/digest/to/groups/${index}`));
  visitRequire(document.defaults.require, '/defaults/require', visit);
  visitReveal(document.defaults.reveal, '/defaults/reveal', visit);
  (document.rules ?? []).forEach((rule, index) => {
    visitReveal(rule.reveal, `/rules/${index}/reveal`, visit);
    visitRequire(rule.require, `/rules/${index}/require`, visit);
    visitBreakGlass(rule.break_glass, `/rules/${index}/break_glass`, visit);
  });
}

function visitRequire(require: RequireDocument | undefined, pointer: string, visit: Visit): void {
  require?.stages?.forEach(({ all, veto }, stage) => {
    all.forEach(({ group, escalate }, index) => {
      visit(group, `${pointer}/stages/${stage}/all/${index}/group`);
      escalate?.forEach(({ to }, step) => visit(to, `${pointer}/stages/${stage}/all/${index}/escalate/${step}/to`));
    });
    veto?.forEach((group, index) => visit(group, `${pointer}/stages/${stage}/veto/${index}`));
  });
  require?.veto?.forEach((group, index) => visit(group, `${pointer}/veto/${index}`));
  if (typeof require?.timeout === 'object') require.timeout.escalate?.forEach(({ to }, index) => visit(to, `${pointer}/timeout/escalate/${index}/to`));
}

function visitReveal(written: RevealDocument | undefined, pointer: string, visit: Visit): void {
  for (const { groups } of Array.isArray(written) ? written : written === undefined ? [] : [written]) for (const group of groups) visit(group, pointer);
}

function visitSchedules(schedules: BundleDocument['schedules'], visit: Visit): void {
  for (const [name, schedule] of Object.entries(schedules ?? {})) {
    if (!('rotation' in schedule)) continue;
    const pointer = childPointer('/schedules', name);
    schedule.rotation.forEach((shift, index) => visitShift(shift, `${pointer}/rotation/${index}`, visit));
    schedule.overrides?.forEach(({ on_call }, index) => visitShift(on_call, `${pointer}/overrides/${index}/on_call`, visit));
  }
}

function visitShift(shift: ShiftDocument, pointer: string, visit: Visit): void {
  for (const each of onDutyOf(shift)) if ('group' in each) visit(each.group, pointer);
}

function visitBreakGlass(breakGlass: BreakGlassDocument | undefined, pointer: string, visit: Visit): void {
  if (breakGlass === undefined) return;
  visit(breakGlass.group, `${pointer}/group`);
  if (breakGlass.review_by !== undefined) visit(breakGlass.review_by, `${pointer}/review_by`);
}

/** A group that has fewer members than a requirement wants of it makes a requirement that nobody can meet. */
function visitQuorums({ document, report }: GroupsOfBundle, declared: ReadonlyMap<string, GroupInfo>): void {
  const check = (group: string, wanted: number, pointer: string): void => {
    const members = declared.get(group)?.min_members;
    if (members !== undefined && wanted > members)
      report(pointer, `${wanted} people of "${group}" are asked for, and the group is only sure to have ${members} (min_members)`);
  };
  const requires: [RequireDocument | undefined, string][] = [
    [document.defaults.require, '/defaults/require'],
    ...(document.rules ?? []).map(({ require }, index): [RequireDocument | undefined, string] => [require, `/rules/${index}/require`]),
  ];
  for (const [require, pointer] of requires) {
    const wanted = new Map<string, number>();
    require?.stages?.forEach(({ all }, stage) => {
      all.forEach(({ group, quorum = 1 }, index) => {
        // Every place of a requirement wants another human.
        wanted.set(group, (wanted.get(group) ?? 0) + quorum);
        check(group, wanted.get(group) ?? quorum, `${pointer}/stages/${stage}/all/${index}`);
      });
    });
  }
  (document.rules ?? []).forEach(({ break_glass }, index) => {
    if (break_glass !== undefined) check(break_glass.group, break_glass.quorum ?? 1, `/rules/${index}/break_glass`);
  });
}

function refuseCycles(bundles: readonly GroupsOfBundle[], declared: ReadonlyMap<string, GroupInfo>): void {
  const state = new Map<string, 'open' | 'done'>();
  const cyclic = new Set<string>();
  const visit = (start: string): void => {
    // Without recursion: a chain may be as long as there are groups.
    const path: { group: string; next: number }[] = [{ group: start, next: 0 }];
    state.set(start, 'open');
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const part = declared.get(top.group)?.includes[top.next++];
      if (part === undefined) {
        state.set(top.group, 'done');
        path.pop();
      } else if (state.get(part) === 'open') cyclic.add(top.group);
      else if (state.get(part) === undefined && declared.has(part)) {
        state.set(part, 'open');
        path.push({ group: part, next: 0 });
      }
    }
  };
  for (const group of declared.keys()) if (!state.has(group)) visit(group);
  for (const { document, report } of bundles)
    for (const group of Object.keys(document.groups ?? {}))
      if (cyclic.has(group))
        report(`${childPointer('/groups', group)}/includes`, `the group "${group}" includes itself, by way of the groups that it includes`);
}
