import type { Requirement, Stage } from '@countersign/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileBundle, mergeRequirements, type CompiledBundle, type PolicyInput } from './index.js';

interface Rule {
  id: string;
  effect: 'allow' | 'require' | 'deny';
  actions: readonly string[];
  environments?: readonly string[];
  when?: string;
  unless?: string;
  trust?: 'asserted';
  require?: {
    stages: readonly { name?: string | undefined; all: readonly { group: string; quorum: number }[] }[];
    deny_threshold?: number | undefined;
    timeout?: string | undefined;
    reason?: 'approve' | 'deny' | 'both' | undefined;
  };
}

const RANK = { allow: 0, require: 1, deny: 2 };

function compiled(rules: readonly Rule[], outcome: string): CompiledBundle {
  const document = {
    apiVersion: 'countersign.dev/v1',
    kind: 'PolicyBundle',
    metadata: { name: 'p', version: 1 },
    defaults: { outcome, undeclared: 'allow', require: { stages: [{ all: [{ group: 'fallback', quorum: 1 }] }] } },
    catalogue: { resources: [{ type: 'db', id: 'main', labels: { tier: '1' } }] },
    rules,
  };
  // JSON is YAML 1.2.
  const result = compileBundle([{ path: 'p.yaml', text: JSON.stringify(document) }]);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.bundle;
}

const condition = fc.constantFrom(
  'true',
  'false',
  'environment == "production"',
  'parameters.rows > 10',
  'has(parameters.rows)',
  'parameters.x.y == 1',
  'resource.labels.tier == "1"',
  'resource.labels.team != "a"',
  'actor.type == "agent" && parameters.rows < 5',
  '1 / 0 > 1',
  'int(parameters.text) == 1',
  '!(parameters.rows > 10)',
);
const failing = fc.constantFrom(
  'parameters.nowhere == 1',
  '1 / 0 == 1',
  'context.a.b',
  'parameters.text > 5',
  'timestamp(parameters.text) < now',
  'int(parameters.text) == 1',
);
const stage = fc.record(
  {
    name: fc.constantFrom('a', 'b', 'c'),
    all: fc.uniqueArray(fc.record({ group: fc.constantFrom('g', 'h', 'i'), quorum: fc.integer({ min: 1, max: 3 }) }), {
      minLength: 1,
      maxLength: 3,
      selector: ({ group }) => group,
    }),
  },
  { requiredKeys: ['all'] },
);
/** A name that stands twice stays where it stands first. */
function withDistinctNames<T extends { name?: string }>(stages: readonly T[]): T[] {
  return stages.map((each, index) => {
    if (each.name === undefined || stages.findIndex(({ name }) => name === each.name) === index) return each;
    const { name: _, ...rest } = each;
    // Only the optional name is taken away.
    return rest as T;
  });
}
const require = fc.record(
  {
    stages: fc.array(stage, { minLength: 1, maxLength: 3 }).map(withDistinctNames),
    deny_threshold: fc.integer({ min: 1, max: 4 }),
    timeout: fc.constantFrom('30m', '4h'),
    reason: fc.constantFrom('approve' as const, 'deny' as const, 'both' as const),
  },
  { requiredKeys: ['stages'] },
);
const anyRule: fc.Arbitrary<Omit<Rule, 'id'>> = fc
  .record({
    effect: fc.constantFrom('allow' as const, 'require' as const, 'deny' as const),
    actions: fc.array(fc.constantFrom('db.query', 'db.*', '*', 'x'), { minLength: 1, maxLength: 2 }),
    environments: fc.option(fc.constant(['production'])),
    when: fc.option(condition),
    unless: fc.option(condition),
    require,
  })
  .map(({ effect, actions, environments, when, unless, require: people }): Omit<Rule, 'id'> => ({
    effect,
    actions,
    ...(environments === null ? {} : { environments }),
    ...(when === null ? {} : { when }),
    ...(unless === null ? {} : { unless }),
    // Conditions here read what callers say; that this cannot loosen unless it is written is shown elsewhere.
    ...(effect === 'allow' || unless !== null ? { trust: 'asserted' as const } : {}),
    ...(effect === 'require' ? { require: people } : {}),
  }));
const someRules = fc.array(anyRule, { maxLength: 6 }).map((rules) => rules.map((rule, index): Rule => ({ ...rule, id: `r${index}` })));
const outcome = fc.constantFrom('allow', 'require', 'deny');
const input: fc.Arbitrary<PolicyInput> = fc
  .record({
    action: fc.constantFrom('db.query', 'db.read', 'DB.Query', 'x', 'y'),
    resource: fc.constantFrom({ type: 'db', id: 'main' }, { type: 'db', id: 'other', labels: { team: 'a' } }),
    environment: fc.constantFrom(undefined, 'production', 'staging'),
    parameters: fc.constantFrom(undefined, {}, { rows: 3 }, { rows: 100, text: 'abc' }, { rows: 'many', x: { y: 1 } }),
  })
  .map((parts) => ({ actor: { type: 'agent', id: 'a' }, now: '2026-11-21T12:00:00.000Z', ...parts }));

/** Whether whoever satisfies `strict` has satisfied `lax`: its stages, in order, each inside one of `strict`'s. */
function covers(strict: Requirement, lax: Requirement): boolean {
  const inside = (inner: Stage, outer: Stage): boolean =>
    outer.distinct_humans >= inner.distinct_humans &&
    inner.all.every(({ group, quorum }) => outer.all.some((part) => part.group === group && part.quorum >= quorum));
  let at = 0;
  const stages = lax.stages.every((inner) => {
    while (at < strict.stages.length) {
      const outer = strict.stages[at++];
      if (outer !== undefined && inside(inner, outer)) return true;
    }
    return false;
  });
  const timeout = lax.timeout_seconds === null || (strict.timeout_seconds !== null && strict.timeout_seconds <= lax.timeout_seconds);
  const reasons = (strict.reason_required.approve || !lax.reason_required.approve) && (strict.reason_required.deny || !lax.reason_required.deny);
  const lives = strict.grant_ttl_seconds <= lax.grant_ttl_seconds && strict.use_within_seconds <= lax.use_within_seconds;
  return stages && timeout && reasons && lives && strict.deny_threshold <= lax.deny_threshold;
}

describe('whatever the bundle and the request', () => {
  test('the order of rules has no meaning', () => {
    fc.assert(
      fc.property(
        someRules.chain((rules) => fc.tuple(fc.constant(rules), fc.shuffledSubarray(rules, { minLength: rules.length }))),
        outcome,
        input,
        ([rules, shuffled], otherwise, request) => {
          const [one, other] = [compiled(rules, otherwise), compiled(shuffled, otherwise)];
          expect(other.digest).toBe(one.digest);
          expect({ ...other.evaluate(request) }).toEqual({ ...one.evaluate(request) });
        },
      ),
    );
  });

  test('one more deny or require rule loosens nothing', () => {
    fc.assert(
      fc.property(
        someRules,
        anyRule.filter(({ effect }) => effect !== 'allow'),
        outcome,
        input,
        (rules, added, otherwise, request) => {
          const before = compiled(rules, otherwise).evaluate(request);
          const after = compiled([...rules, { ...added, id: 'added' }], otherwise).evaluate(request);
          // Where no rule matched, the default spoke; a rule that now does takes its place, and may be milder than a default of deny.
          const spoken = before.trace.some(({ result }) => result === 'matched');
          const lawful = !spoken ? Math.min(RANK[before.effect], RANK[added.effect]) : RANK[before.effect];
          expect(RANK[after.effect]).toBeGreaterThanOrEqual(lawful);
          for (const id of before.rules) {
            const alone = compiled(
              rules.filter((rule) => rule.id === id),
              'allow',
            ).evaluate(request).requirement;
            if (after.requirement !== null && alone !== null) expect(covers(after.requirement, alone)).toBe(true);
          }
        },
      ),
    );
  });

  test('a rule that cannot be computed loosens nothing, whatever its effect', () => {
    fc.assert(
      fc.property(someRules, anyRule, failing, outcome, input, (rules, added, broken, otherwise, request) => {
        const before = compiled(rules, otherwise).evaluate(request);
        const { unless: _, environments: __, trust: ___, ...rest } = added;
        const trust = added.effect === 'allow' ? { trust: 'asserted' as const } : {};
        const after = compiled([...rules, { ...rest, ...trust, actions: ['*'], when: broken, id: 'broken' }], otherwise).evaluate(request);
        expect(RANK[after.effect]).toBeGreaterThanOrEqual(RANK[before.effect]);
        if (added.effect !== 'allow') expect(RANK[after.effect]).toBeGreaterThanOrEqual(RANK[added.effect]);
      }),
    );
  });

  test('the same rule twice is the same policy', () => {
    fc.assert(
      fc.property(someRules, outcome, input, (rules, otherwise, request) => {
        const once = compiled(rules, otherwise).evaluate(request);
        const twice = compiled([...rules, ...rules.map((rule) => ({ ...rule, id: `${rule.id}-again` }))], otherwise).evaluate(request);
        expect([twice.effect, twice.requirement]).toEqual([once.effect, once.requirement]);
      }),
    );
  });

  test('nothing is allowed but by a rule or by the default that says so', () => {
    fc.assert(
      fc.property(someRules, outcome, input, (rules, otherwise, request) => {
        const { effect, rules: deciding, requirement, trace } = compiled(rules, otherwise).evaluate(request);
        if (effect === 'allow') expect(deciding.length > 0 || otherwise === 'allow').toBe(true);
        expect(requirement !== null).toBe(effect === 'require');
        for (const id of deciding) expect(trace.find(({ rule }) => rule === id)?.result).not.toBe('not_matched');
        if (effect === 'allow') for (const { result, effect: own } of trace) expect(own === 'allow' || result === 'not_matched').toBe(true);
      }),
    );
  });
});

describe('asserted facts', () => {
  /** Conditions on what callers say, on what others vouch for, and on both. */
  const part = fc.constantFrom(
    'parameters.rows > 10',
    'has(parameters.text)',
    'context.ok == true',
    'reason == "x"',
    'caller.id == "ci"',
    'actor.id == "a"',
    'environment == "production"',
    'resource.labels.tier == "1"',
    'resource.id == "main"',
    'resource.declared',
  );
  const joined = fc
    .tuple(part, part, part, fc.constantFrom('A && B', 'A || B', '!A', '!(A && B)', 'A && (B || C)', 'A ? B : C', '!(A || !B) && C', 'A == B'))
    .map(([a, b, c, form]) => form.replaceAll('A', `(${a})`).replaceAll('B', `(${b})`).replaceAll('C', `(${c})`));
  const claims = fc.record(
    {
      parameters: fc.constantFrom({}, { rows: 3 }, { rows: 100, text: 'abc' }, { rows: 'many' }),
      context: fc.constantFrom({}, { ok: true }, { ok: 1 }),
      reason: fc.constantFrom('x', 'y'),
      environment: fc.constantFrom('production', 'staging'),
      labels: fc.constantFrom({}, { tier: '1' }, { tier: '2' }),
    },
    { requiredKeys: ['labels'] },
  );

  test('B1: alone never make a rule allow: with nothing vouched for, a rule that reads them does not match', () => {
    let allowed = 0;
    fc.assert(
      fc.property(joined, claims, (when, { labels, ...said }) => {
        const document = {
          apiVersion: 'countersign.dev/v1',
          kind: 'PolicyBundle',
          metadata: { name: 'p', version: 1 },
          defaults: { outcome: 'deny', undeclared: 'allow' },
          rules: [{ id: 'r', effect: 'allow', actions: ['*'], when }],
        };
        const result = compileBundle([{ path: 'p.yaml', text: JSON.stringify(document) }]);
        if (!result.ok) return;
        const { parameters, context, ...rest } = said;
        const { effect } = result.bundle.evaluate({
          action: 'x',
          resource: { type: 'db', id: 'main', labels },
          actor: { type: 'agent', id: 'a' },
          now: '2026-11-21T12:00:00.000Z',
          ...rest,
          ...(parameters === undefined ? {} : { parameters }),
          ...(context === undefined ? {} : { context }),
        });
        if (effect !== 'allow') return;
        allowed++;
        // What allowed it without the catalogue, a credential or a clock can only have been what names the action.
        expect(when).toMatch(/resource\.(id|declared)/);
      }),
      { numRuns: 400 },
    );
    expect(allowed).toBeGreaterThan(0);
  });
});

const requirement: fc.Arbitrary<Requirement> = require
  .map(({ stages }) => stages)
  .chain((stages) =>
    fc.record({
      stages: fc.constant(
        stages.map(({ name, all }, index) => ({
          name: name ?? `stage ${index + 1}`,
          all: [...all].sort((a, b) => (a.group < b.group ? -1 : 1)),
          distinct_humans: all.reduce((sum, { quorum }) => sum + quorum, 0),
        })),
      ),
      deny_threshold: fc.integer({ min: 1, max: 5 }),
      reason_required: fc.record({ approve: fc.boolean(), deny: fc.boolean() }),
      timeout_seconds: fc.option(fc.integer({ min: 1, max: 9999 })),
      grant_ttl_seconds: fc.integer({ min: 1, max: 900 }),
      use_within_seconds: fc.integer({ min: 1, max: 86_400 }),
    }),
  );

describe('the stricter of two requirements', () => {
  test('I3: covers both, whichever comes first, and adds nothing to itself', () => {
    fc.assert(
      fc.property(requirement, requirement, (a, b) => {
        const merged = mergeRequirements(a, b);
        expect(covers(merged, a)).toBe(true);
        expect(covers(merged, b)).toBe(true);
        expect(mergeRequirements(b, a)).toEqual(merged);
        expect(mergeRequirements(a, a)).toEqual(a);
        expect(mergeRequirements(merged, merged)).toEqual(merged);
      }),
      { numRuns: 500 },
    );
  });

  test('joins stages by name, so a stage put before others asks nobody twice', () => {
    const terms = {
      deny_threshold: 1,
      reason_required: { approve: false, deny: false },
      timeout_seconds: null,
      grant_ttl_seconds: 300,
      use_within_seconds: 300,
    };
    const named = (name: string): Stage => ({ name, all: [{ group: name, quorum: 1 }], distinct_humans: 1 });
    const merged = mergeRequirements({ ...terms, stages: [named('owner')] }, { ...terms, stages: [named('legal'), named('owner')] });
    expect(merged.stages).toEqual([named('legal'), named('owner')]);
    const parallel = mergeRequirements({ ...terms, stages: [named('owner')] }, { ...terms, stages: [named('security')] });
    expect(parallel.stages).toEqual([
      {
        name: 'owner + security',
        all: [
          { group: 'owner', quorum: 1 },
          { group: 'security', quorum: 1 },
        ],
        distinct_humans: 2,
      },
    ]);
  });
});
