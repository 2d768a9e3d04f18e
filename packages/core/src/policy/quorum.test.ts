import { expect, test } from '@jest/globals';
import type { Requirement, Stage } from '@countersign/contracts';
import fc from 'fast-check';
import { type CountedApproval, isApprover, mayDecide, progress } from './quorum.js';

const stage = (all: [string, number][], distinct?: number): Stage => ({
  name: 'stage',
  all: all.map(([group, quorum]) => ({ group, quorum })),
  distinct_humans: distinct ?? all.reduce((sum, [, quorum]) => sum + quorum, 0),
});
const requirement = (...stages: Stage[]): Requirement => ({
  stages,
  deny_threshold: 1,
  reason_required: { approve: false, deny: false },
  timeout_seconds: null,
  grant_ttl_seconds: 300,
  use_within_seconds: 300,
});
const by = (person_id: string, ...groups: string[]): CountedApproval => ({ person_id, groups });

const privilege = requirement(
  stage([
    ['data-owners', 1],
    ['security', 1],
  ]),
);

test('B3: both groups must agree, by two different people', () => {
  const alice = by('alice', 'data-owners');
  const bob = by('bob', 'data-owners', 'security');
  const carol = by('carol', 'security');
  expect(progress(privilege, [alice]).satisfied).toBe(false);
  expect(progress(privilege, [alice, carol]).satisfied).toBe(true);
  expect(progress(privilege, [bob]).satisfied).toBe(false);
  expect(progress(privilege, [alice, bob]).satisfied).toBe(true);
  expect(progress(privilege, [bob, carol]).satisfied).toBe(true);
});

test('I3: one person twice, or under two entries of the list, fills one place', () => {
  const two = requirement(stage([['ops', 2]]));
  expect(progress(two, [by('bob', 'ops'), by('bob', 'ops')]).satisfied).toBe(false);
  expect(progress(two, [by('bob', 'ops'), by('eve', 'ops')]).satisfied).toBe(true);
});

test('people outside the groups never count', () => {
  expect(progress(privilege, [by('mallory'), by('trent', 'admins'), by('alice', 'data-owners')]).satisfied).toBe(false);
});

test('distinct_humans above the quorums asks for more people of the same groups', () => {
  const three = requirement(stage([['ops', 1]], 3));
  expect(progress(three, [by('a', 'ops'), by('b', 'ops')]).satisfied).toBe(false);
  expect(progress(three, [by('a', 'ops'), by('b', 'ops'), by('c', 'other')]).satisfied).toBe(false);
  expect(progress(three, [by('a', 'ops'), by('b', 'ops'), by('c', 'ops')]).satisfied).toBe(true);
});

test('stages open one after the other', () => {
  const staged = requirement(stage([['owners', 1]]), stage([['security', 1]]));
  const before = progress(staged, []);
  expect(before.stages.map((entry) => entry.open)).toEqual([true, false]);
  expect(mayDecide(before, ['security'])).toBe(false);
  expect(isApprover(staged, ['security'])).toBe(true);
  const after = progress(staged, [by('alice', 'owners')]);
  expect(after.stages.map((entry) => entry.open)).toEqual([false, true]);
  expect(mayDecide(after, ['security'])).toBe(true);
  expect(mayDecide(progress(staged, [by('alice', 'owners'), by('carol', 'security')]), ['security'])).toBe(false);
});

/** Tries every assignment: what `progress` must agree with. */
function satisfiable(stages: Stage[], people: CountedApproval[]): boolean {
  const places = stages.flatMap((entry) => entry.all.flatMap(({ group, quorum }) => Array.from({ length: quorum }, () => group)));
  const fill = (index: number, free: CountedApproval[]): boolean => {
    const group = places[index];
    if (group === undefined) return true;
    return free.some(
      (person) =>
        person.groups.includes(group) &&
        fill(
          index + 1,
          free.filter((other) => other !== person),
        ),
    );
  };
  return fill(0, people);
}

const groups = ['a', 'b', 'c'];
const arbitraryStages = fc.array(
  fc.array(fc.tuple(fc.constantFrom(...groups), fc.integer({ min: 1, max: 2 })), { minLength: 1, maxLength: 2 }).map((all) => stage(all)),
  { minLength: 1, maxLength: 2 },
);
const arbitraryPeople = fc
  .array(fc.subarray(groups), { maxLength: 5 })
  .map((memberships) => memberships.map((membership, index) => by(`person-${index}`, ...membership)));

test('B3: satisfied exactly when some assignment of distinct humans to all places exists, in any order of presses', () => {
  fc.assert(
    fc.property(arbitraryStages, arbitraryPeople, fc.integer(), (stages, people, seed) => {
      const wanted = satisfiable(stages, people);
      const shuffled = [...people].sort(
        (left, right) =>
          ((seed * (left.person_id.length + Number(left.person_id.at(-1)) * 7)) % 13) -
          ((seed * (right.person_id.length + Number(right.person_id.at(-1)) * 7)) % 13),
      );
      expect(progress(requirement(...stages), people).satisfied).toBe(wanted);
      expect(progress(requirement(...stages), shuffled).satisfied).toBe(wanted);
    }),
  );
});

test('more approvals never make less progress', () => {
  fc.assert(
    fc.property(arbitraryStages, arbitraryPeople, (stages, people) => {
      const filled = (list: CountedApproval[]) => progress(requirement(...stages), list).stages.reduce((sum, entry) => sum + entry.distinct, 0);
      for (let count = 1; count <= people.length; count++) expect(filled(people.slice(0, count))).toBeGreaterThanOrEqual(filled(people.slice(0, count - 1)));
    }),
  );
});
