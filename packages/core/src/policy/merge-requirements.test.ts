import type { Obligations, Requirement, Stage, Via } from '@countersign/contracts';
import { requirementSchema } from '@countersign/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mergeRequirements } from './index.js';
import { DEFAULT_VIA } from './merge-terms.js';
import { progress, type CountedApproval } from './quorum.js';

const GROUPS = ['g', 'h', 'i'] as const;
const group = fc.constantFrom(...GROUPS);
const escalate = fc.uniqueArray(fc.record({ after_seconds: fc.constantFrom(0, 60, 120), to: fc.constantFrom('x', 'y') }), {
  minLength: 1,
  maxLength: 2,
  selector: ({ to }) => to,
});
const place = fc.record({ group, quorum: fc.integer({ min: 1, max: 2 }), escalate }, { requiredKeys: ['group', 'quorum'] });
const stage: fc.Arbitrary<Omit<Stage, 'name'> & { name: string | null }> = fc
  .record({
    name: fc.option(fc.constantFrom('a', 'b')),
    all: fc.uniqueArray(place, { minLength: 1, maxLength: 2, selector: (each) => each.group }),
    extra: fc.constantFrom(0, 0, 1),
  })
  .map(({ name, all, extra }) => ({
    name,
    all: [...all].sort((a, b) => (a.group < b.group ? -1 : 1)),
    distinct_humans: all.reduce<number>((sum, { quorum }) => sum + quorum, extra),
  }));
const stages = fc.array(stage, { minLength: 1, maxLength: 2 }).map((list) =>
  list.map((each, index): Stage => ({
    ...each,
    name: each.name === null || list.findIndex(({ name }) => name === each.name) < index ? `stage ${index + 1}` : each.name,
  })),
);
const obligations: fc.Arbitrary<Obligations> = fc.record(
  {
    passkey: fc.record({ fresh_seconds: fc.integer({ min: 1, max: 600 }) }),
    tickets: fc.uniqueArray(fc.constantFrom<{ pattern: string; field?: string }>({ pattern: '^A' }, { pattern: '^B', field: 'context.t' }), {
      minLength: 1,
      selector: ({ pattern }) => pattern,
    }),
    acknowledge: fc.uniqueArray(fc.constantFrom('one', 'two', 'three'), { minLength: 1 }).map((all) => all.sort()),
    must_open: fc.constant(true as const),
  },
  { requiredKeys: [] },
);
const breakGlass = fc.record(
  {
    group: fc.constantFrom('oncall', 'leads'),
    quorum: fc.integer({ min: 1, max: 3 }),
    obligations,
    review_by: fc.constant('audit'),
    review_within_seconds: fc.integer({ min: 60, max: 9999 }),
    only: fc.constant(true as const),
  },
  { requiredKeys: ['group', 'quorum', 'review_within_seconds'] },
);
const sortedOf = <T extends string>(...values: T[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 }).map((all) => all.sort());
const requirement: fc.Arbitrary<Requirement> = fc.record(
  {
    stages,
    deny_threshold: fc.integer({ min: 1, max: 5 }),
    reason_required: fc.record({ approve: fc.boolean(), deny: fc.boolean() }),
    timeout_seconds: fc.option(fc.integer({ min: 1, max: 9999 })),
    grant_ttl_seconds: fc.integer({ min: 1, max: 900 }),
    use_within_seconds: fc.integer({ min: 1, max: 86_400 }),
    veto: sortedOf('v', 'w'),
    on_timeout: fc.constant('deny' as const),
    reminders_seconds: fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 4 }).map((all) => all.sort((a, b) => a - b)),
    obligations,
    delegation: fc.record({ within: fc.constantFrom('same_group' as const, 'anyone' as const), max_seconds: fc.integer({ min: 60, max: 9999 }) }),
    via: sortedOf<Via>('slack', 'teams', 'web', 'api', 'email'),
    channels: fc.uniqueArray(fc.constantFrom({ slack: '#a' }, { teams: 'b' }, { email: 'c' }, { direct: 'd' }), {
      minLength: 1,
      selector: (each) => JSON.stringify(each),
    }),
    break_glass: breakGlass,
    solo: fc.record({ after_seconds: fc.integer({ min: 1, max: 99 }) }),
    alike: fc.record({
      pin: sortedOf('parameters.a', 'parameters.b'),
      max_uses: fc.integer({ min: 1, max: 9 }),
      max_ttl_seconds: fc.integer({ min: 60, max: 999 }),
    }),
    counter: sortedOf('parameters.a', 'parameters.b'),
    bulk: fc.constant(true as const),
  },
  { requiredKeys: ['stages', 'deny_threshold', 'reason_required', 'timeout_seconds', 'grant_ttl_seconds', 'use_within_seconds'] },
);

/** Up to twelve people in any groups. */
const approvals: fc.Arbitrary<CountedApproval[]> = fc
  .array(fc.subarray([...GROUPS, 'x', 'y'], { minLength: 1 }), { maxLength: 12 })
  .map((list) => list.map((groups, index) => ({ person_id: `p${index}`, groups })));

describe('I3: whatever satisfies the sum of two requirements satisfies each', () => {
  test('their stages, by whoever approves, at any time', () => {
    let satisfied = 0;
    fc.assert(
      fc.property(requirement, requirement, approvals, fc.constantFrom(0, 60, 300), (a, b, people, elapsed) => {
        const sum = mergeRequirements(a, b);
        if (!progress(sum, people, elapsed).satisfied) return;
        satisfied++;
        expect(progress(a, people, elapsed).satisfied).toBe(true);
        expect(progress(b, people, elapsed).satisfied).toBe(true);
      }),
      { numRuns: 3000 },
    );
    // Else the test would say nothing.
    expect(satisfied).toBeGreaterThan(50);
  });

  test('what an approval comes with, who may deny, how long it lives', () => {
    fc.assert(
      fc.property(requirement, requirement, (a, b) => {
        const sum = mergeRequirements(a, b);
        for (const part of [a, b]) {
          for (const veto of part.veto ?? []) expect(sum.veto).toContain(veto);
          for (const at of part.reminders_seconds ?? []) expect(sum.reminders_seconds).toContain(at);
          for (const channel of part.channels ?? []) expect(sum.channels).toContainEqual(channel);
          if (part.on_timeout !== undefined) expect(sum.on_timeout).toBe('deny');
          expectDemanded(sum.obligations, part.obligations);
          expect(sum.deny_threshold).toBeLessThanOrEqual(part.deny_threshold);
          expect(sum.grant_ttl_seconds).toBeLessThanOrEqual(part.grant_ttl_seconds);
          expect(sum.use_within_seconds).toBeLessThanOrEqual(part.use_within_seconds);
          if (part.timeout_seconds !== null) expect(sum.timeout_seconds ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(part.timeout_seconds);
        }
      }),
    );
  });

  test('what makes deciding easier only where both have it, and no more of it than either', () => {
    fc.assert(
      fc.property(requirement, requirement, (a, b) => {
        const sum = mergeRequirements(a, b);
        for (const part of [a, b]) {
          const allowed = part.via ?? DEFAULT_VIA;
          for (const via of sum.via ?? DEFAULT_VIA) expect(allowed).toContain(via);
          if (sum.bulk !== undefined) expect(part.bulk).toBe(true);
          if (sum.solo !== undefined) expect(sum.solo.after_seconds).toBeGreaterThanOrEqual(part.solo?.after_seconds ?? Number.POSITIVE_INFINITY);
          for (const path of sum.counter ?? []) expect(part.counter).toContain(path);
          if (sum.delegation !== undefined) {
            expect(sum.delegation.max_seconds).toBeLessThanOrEqual(part.delegation?.max_seconds ?? 0);
            if (part.delegation?.within === 'same_group') expect(sum.delegation.within).toBe('same_group');
          }
          if (sum.alike !== undefined) {
            for (const pin of part.alike?.pin ?? []) expect(sum.alike.pin).toContain(pin);
            expect(sum.alike.max_uses).toBeLessThanOrEqual(part.alike?.max_uses ?? 0);
            expect(sum.alike.max_ttl_seconds).toBeLessThanOrEqual(part.alike?.max_ttl_seconds ?? 0);
          }
          if (sum.break_glass !== undefined) {
            expect(part.break_glass?.group).toBe(sum.break_glass.group);
            expect(sum.break_glass.quorum).toBeGreaterThanOrEqual(part.break_glass?.quorum ?? Number.POSITIVE_INFINITY);
            expect(sum.break_glass.review_within_seconds).toBeLessThanOrEqual(part.break_glass?.review_within_seconds ?? 0);
            expectDemanded(sum.break_glass.obligations, part.break_glass?.obligations);
          }
          // Where one knows no other road than an emergency that the other does not have, nobody can decide at all.
          if (part.break_glass?.only === true && sum.break_glass === undefined) expect(sum.via).toEqual([]);
          if (part.break_glass?.only === true && sum.break_glass !== undefined) expect(sum.break_glass.only).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('the order has no meaning, the same twice is the same, and the contract holds', () => {
    fc.assert(
      fc.property(requirement, requirement, (a, b) => {
        const sum = mergeRequirements(a, b);
        expect(mergeRequirements(b, a)).toEqual(sum);
        expect(normal(mergeRequirements(a, a))).toEqual(normal(a));
        expect(normal(mergeRequirements(sum, sum))).toEqual(normal(sum));
        expect(requirementSchema.safeParse(sum).error).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});

function expectDemanded(sum: Obligations | undefined, part: Obligations | undefined): void {
  if (part?.passkey !== undefined) expect(sum?.passkey?.fresh_seconds).toBeLessThanOrEqual(part.passkey.fresh_seconds);
  for (const ticket of part?.tickets ?? []) expect(sum?.tickets).toContainEqual(ticket);
  for (const text of part?.acknowledge ?? []) expect(sum?.acknowledge).toContain(text);
  if (part?.must_open !== undefined) expect(sum?.must_open).toBe(true);
}

/** Lists whose order means nothing, sorted. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, normal(member)]));
}
