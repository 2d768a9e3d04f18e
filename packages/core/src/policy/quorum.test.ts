import { expect, test } from '@jest/globals';
import type { Requirement, Stage } from '@countersign/contracts';
import fc from 'fast-check';
import { type CountedApproval, isApprover, isNamed, lastEscalation, maySince, mayDecide, mayVeto, namedGroups, progress, reviewGroups } from './quorum.js';

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

const GROUPS = ['a', 'b', 'c', 'd'];
const place = fc.record({
  group: fc.constantFrom(...GROUPS),
  quorum: fc.integer({ min: 1, max: 2 }),
  escalate: fc.option(
    fc.array(fc.record({ after_seconds: fc.integer({ min: 1, max: 100 }), to: fc.constantFrom(...GROUPS) }), { minLength: 1, maxLength: 2 }),
    { nil: undefined },
  ),
});
const anyRequirement = fc
  .array(
    fc.uniqueArray(place, { selector: ({ group }) => group, minLength: 1, maxLength: 3 }).map((all): Stage => ({
      name: 'stage',
      all: all.map(({ group, quorum, escalate }) => ({ group, quorum, ...(escalate === undefined ? {} : { escalate }) })),
      distinct_humans: all.reduce((sum, { quorum }) => sum + quorum, 0),
    })),
    { minLength: 1, maxLength: 3 },
  )
  .map((stages) => requirement(...stages));
const anyApprovals = fc.array(fc.record({ person_id: fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5', 'p6'), groups: fc.subarray(GROUPS) }), { maxLength: 8 });
const elapsed = fc.integer({ min: 0, max: 120 });

test('escalation never takes away: what is met before its time is met after it, and who may decide before may still', () => {
  fc.assert(
    fc.property(anyRequirement, anyApprovals, elapsed, elapsed, fc.subarray(GROUPS), (needed, approvals, one, two, groups) => {
      const [early, late] = [progress(needed, approvals, Math.min(one, two)), progress(needed, approvals, Math.max(one, two))];
      const met = (at: typeof early): number => [...at.stages, { satisfied: false }].findIndex(({ satisfied }) => !satisfied);
      const filled = (at: typeof early): number => at.stages.reduce((sum, { distinct }) => sum + distinct, 0);
      expect(met(late)).toBeGreaterThanOrEqual(met(early));
      expect(filled(late)).toBeGreaterThanOrEqual(filled(early));
      const open = early.stages.findIndex((each) => each.open);
      if (open !== -1 && late.stages[open]?.open === true && mayDecide(early, groups)) expect(mayDecide(late, groups)).toBe(true);
    }),
  );
});

test('before the first escalation it is as if there were none', () => {
  fc.assert(
    fc.property(anyRequirement, anyApprovals, elapsed, (needed, approvals, seconds) => {
      fc.pre(lastEscalation(needed, seconds) === 0);
      const plain = { ...needed, stages: needed.stages.map((each) => ({ ...each, all: each.all.map(({ group, quorum }) => ({ group, quorum })) })) };
      const [with_, without] = [progress(needed, approvals, seconds), progress(plain, approvals, seconds)];
      expect(with_.stages.map(({ satisfied, open, distinct }) => ({ satisfied, open, distinct }))).toEqual(
        without.stages.map(({ satisfied, open, distinct }) => ({ satisfied, open, distinct })),
      );
    }),
  );
});

test('however it escalates, one human fills one place, and the order of presses changes nothing', () => {
  fc.assert(
    fc.property(anyRequirement, anyApprovals, elapsed, (needed, approvals, seconds) => {
      const now = progress(needed, approvals, seconds);
      const people = new Set(approvals.map(({ person_id }) => person_id)).size;
      expect(now.stages.reduce((sum, { distinct }) => sum + distinct, 0)).toBeLessThanOrEqual(people);
      const unique = approvals.filter(({ person_id }, index) => approvals.findIndex((other) => other.person_id === person_id) === index);
      expect(progress(needed, unique.toReversed(), seconds).satisfied).toBe(progress(needed, unique, seconds).satisfied);
    }),
  );
});

test('who may decide since when agrees with who may decide, at every instant', () => {
  fc.assert(
    fc.property(anyRequirement, anyApprovals, elapsed, fc.subarray(GROUPS), (needed, approvals, seconds, groups) => {
      const now = progress(needed, approvals, seconds);
      const since = maySince(now, groups);
      expect(mayDecide(now, groups)).toBe(since !== null && since <= seconds);
      if (since !== null) expect(isApprover(needed, groups)).toBe(true);
      if (isApprover(needed, groups)) expect(isNamed(needed, groups)).toBe(true);
    }),
  );
});

test('veto groups, the breakers of the glass and their reviewers are named, and fill no place by it', () => {
  const needed: Requirement = { ...privilege, veto: ['legal'], break_glass: { group: 'oncall', quorum: 1, review_by: 'audit', review_within_seconds: 60 } };
  expect(namedGroups(needed).toSorted()).toEqual(['audit', 'data-owners', 'legal', 'oncall', 'security']);
  expect(mayVeto(needed, ['legal'])).toBe(true);
  expect(mayVeto(needed, ['security'])).toBe(false);
  for (const group of ['legal', 'oncall', 'audit']) {
    expect(isApprover(needed, [group])).toBe(false);
    expect(progress(needed, [by('eve', group), by('mallory', group)], 1e9).stages[0]?.distinct).toBe(0);
  }
  expect(reviewGroups(needed)).toEqual(['audit']);
  expect(reviewGroups({ ...needed, break_glass: { group: 'oncall', quorum: 1, review_within_seconds: 60 } })).toEqual(['data-owners', 'security']);
});
