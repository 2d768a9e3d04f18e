import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileBundle } from '../../compile.js';
import type { CompiledBundle, PolicyInput } from '../../types.js';
import { analyze } from './analyze.js';

const NOW = '2026-01-01T12:00:00.000Z';

interface Written {
  id: string;
  effect: 'allow' | 'require' | 'deny';
  actions?: string[];
  when?: string;
  unless?: string;
  environments?: string[];
  exempts?: string[];
}

/** JSON is YAML. */
function bundleOf(rules: readonly Written[], more: object = {}): CompiledBundle {
  const document = {
    apiVersion: 'countersign.dev/v1',
    kind: 'PolicyBundle',
    metadata: { name: 'analysed', version: 1 },
    defaults: { outcome: 'deny', undeclared: 'allow', require: { stages: [{ all: [{ group: 'owners', quorum: 1 }] }] } },
    rules: rules.map(({ actions = ['db.query'], ...rule }) => ({ ...rule, actions, ...(rule.effect === 'allow' ? { trust: 'asserted' } : {}) })),
    ...more,
  };
  const compiled = compileBundle([{ path: 'policy.yaml', text: JSON.stringify(document) }]);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.bundle;
}
const rows = (condition: string): string => `has(parameters.rows) && parameters.rows ${condition}`;
const report = (rules: readonly Written[], more?: object) => analyze(bundleOf(rules, more), NOW);

describe('rules that never match', () => {
  test.each([
    ['two values', 'environment == "production" && environment == "staging"'],
    ['an empty span', `${rows('> 10')} && parameters.rows < 10`],
    ['a value and its opposite', 'actor.type == "agent" && actor.type != "agent"'],
    ['two prefixes', 'resource.id.startsWith("prod.") && resource.id.startsWith("test.")'],
    ['what is missing and compared', '!has(parameters.rows) && has(parameters.rows)'],
    ['a list without the value', 'actor.type in ["agent", "service"] && actor.type == "person"'],
    ['every alternative', '(environment == "a" || environment == "b") && environment == "c"'],
    ['an opaque part and its opposite', 'resource.id.matches("^x") && !resource.id.matches("^x")'],
  ])('B4: %s', (_name, when) => {
    expect(report([{ id: 'never', effect: 'deny', when }]).never.map(({ rule }) => rule)).toEqual(['never']);
  });

  test('B4: what is always exempt', () => {
    const rule: Written = { id: 'never', effect: 'require', when: 'environment == "production"', unless: 'environment != "staging"' };
    const trusting = { rules: [{ ...rule, actions: ['db.query'], trust: 'asserted' }] };
    expect(report([], trusting).never.map((each) => each.rule)).toEqual(['never']);
  });

  test('what may match is not told', () => {
    expect(report([{ id: 'may', effect: 'deny', when: `${rows('> 10')} && parameters.rows < 12 && resource.id.matches("x")` }]).never).toEqual([]);
  });
});

describe('rules that others cover', () => {
  test.each<[string, Written, Written, boolean]>([
    ['a part of a span', { id: 'a', effect: 'require', when: rows('> 100') }, { id: 'b', effect: 'deny', when: rows('> 10') }, true],
    ['not the whole of one', { id: 'a', effect: 'require', when: rows('> 10') }, { id: 'b', effect: 'deny', when: rows('> 100') }, false],
    [
      'one of many values',
      { id: 'a', effect: 'allow', when: 'actor.type == "agent"' },
      { id: 'b', effect: 'deny', when: 'actor.type in ["agent", "service"]' },
      true,
    ],
    [
      'a longer prefix',
      { id: 'a', effect: 'allow', when: 'resource.id.startsWith("prod.eu.")' },
      { id: 'b', effect: 'deny', when: 'resource.id.startsWith("prod.")' },
      true,
    ],
    ['a narrower action', { id: 'a', effect: 'allow', actions: ['db.read.*'] }, { id: 'b', effect: 'deny', actions: ['db.*'] }, true],
    ['a wider action', { id: 'a', effect: 'allow', actions: ['db.*'] }, { id: 'b', effect: 'deny', actions: ['db.read.*'] }, false],
    ['in one environment only', { id: 'a', effect: 'allow' }, { id: 'b', effect: 'deny', environments: ['production'] }, false],
    ['the same people asked', { id: 'a', effect: 'require', when: rows('> 100') }, { id: 'b', effect: 'require', when: rows('> 10') }, true],
    [
      'a rule with an exemption',
      { id: 'a', effect: 'require', when: rows('> 100') },
      { id: 'b', effect: 'deny', when: rows('> 10'), unless: 'windows.w' },
      false,
    ],
    ['a deny by a rule that asks', { id: 'a', effect: 'deny', when: rows('> 100') }, { id: 'b', effect: 'require', when: rows('> 10') }, false],
  ])('B4: %s', (_name, a, b, covered) => {
    const windows = { windows: { w: { from: '2026-01-01T00:00Z', to: '2026-02-01T00:00Z' } } };
    expect(report([a, b], windows).covered.some(({ rule, by }) => rule === 'a' && by === 'b')).toBe(covered);
  });

  test('of two that are alike one stays', () => {
    const same: Omit<Written, 'id'> = { effect: 'deny', when: rows('> 10') };
    expect(
      report([
        { id: 'a', ...same },
        { id: 'b', ...same },
      ]).covered,
    ).toHaveLength(1);
  });
});

describe('conflicts and gaps', () => {
  test('B4: an allow that another rule overrules, with a request that both match', () => {
    const [conflict] = report([
      { id: 'small', effect: 'allow', when: rows('< 100') },
      { id: 'people', effect: 'require', when: 'has(parameters.table) && parameters.table == "people"' },
    ]).conflicts;
    expect(conflict).toMatchObject({ rule: 'small', with: 'people', effect: 'require' });
    expect(conflict?.witness?.parameters).toMatchObject({ table: 'people' });
    expect(
      report([
        { id: 'small', effect: 'allow', when: rows('< 100') },
        { id: 'large', effect: 'deny', when: rows('>= 100') },
      ]).conflicts,
    ).toEqual([]);
  });

  test('B4: requests of which no rule speaks, each with what the default makes of it', () => {
    const catalogue = { catalogue: { actions: { 'db.query': { parameters: { statement: 'string', rows: 'int?' } }, 'db.drop': {} } } };
    const { gaps } = report(
      [
        { id: 'all', effect: 'deny', actions: ['db.drop'] },
        { id: 'agents', effect: 'require', environments: ['production'], when: 'actor.type == "agent"' },
      ],
      catalogue,
    );
    const told = gaps.map(({ action, environment, actor_type, effect }) => `${action} ${environment ?? '-'} ${actor_type} ${effect}`);
    expect(told).toEqual(['db.query - service deny', 'db.query - person deny', 'db.query production service deny', 'db.query production person deny']);
    expect(gaps[0]?.witness.parameters).toEqual({ statement: '' });
  });
});

describe('what is reported is proved', () => {
  const atom = fc.oneof(
    fc.tuple(fc.constantFrom('<', '<=', '>', '>=', '==', '!='), fc.integer({ min: 0, max: 4 })).map(([operator, value]) => `parameters.n ${operator} ${value}`),
    fc.constantFrom('"a"', '"ab"', '"b"').map((value) => `parameters.s == ${value}`),
    fc.constantFrom('"a"', '"ab"', '"b"').map((value) => `parameters.s.startsWith(${value})`),
    fc.constantFrom('parameters.b', '!parameters.b', 'has(parameters.o)', '!has(parameters.o)', 'parameters.s in ["a", "b"]', 'parameters.s.matches("a$")'),
  );
  const condition = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      atom,
      // An arbitrary of the same letrec: a text.
      fc.tuple(tie('tree'), fc.constantFrom('&&', '||'), tie('tree')).map(([a, operator, b]) => `(${String(a)} ${operator} ${String(b)})`),
      tie('tree').map((a) => `!(${String(a)})`),
    ),
  })).tree;
  const declared = { catalogue: { actions: { 'db.query': { parameters: { n: 'number', s: 'string', b: 'bool', o: 'any?' } } } } };
  const inputs: PolicyInput[] = [0, 1, 2, 3, 4].flatMap((n) =>
    ['a', 'ab', 'b', 'xa'].flatMap((s) =>
      [true, false].flatMap((b) =>
        [{}, { o: 1 }].map((more) => ({
          action: 'db.query',
          resource: { type: 't', id: 'r' },
          parameters: { n, s, b, ...more },
          actor: { type: 'agent', id: 'x' },
          now: NOW,
        })),
      ),
    ),
  );

  /** A bundle with one rule for each condition; null where one is always the same, which no bundle may have. */
  function bundleFor(conditions: readonly string[]): CompiledBundle | null {
    const document = {
      apiVersion: 'countersign.dev/v1',
      kind: 'PolicyBundle',
      metadata: { name: 'random', version: 1 },
      defaults: { outcome: 'deny', undeclared: 'allow' },
      ...declared,
      rules: conditions.map((when, index) => ({ id: `r${index}`, effect: 'deny', actions: ['db.query'], when })),
    };
    const compiled = compileBundle([{ path: 'policy.yaml', text: JSON.stringify(document) }]);
    return compiled.ok ? compiled.bundle : null;
  }

  /** Holds every report against what evaluating says. @returns how many covers were reported */
  function hold(bundle: CompiledBundle): number {
    const { never, covered } = analyze(bundle, NOW);
    for (const input of inputs) {
      const matched = new Set(bundle.evaluate(input).details.rules.flatMap(({ rule, result }) => (result === 'matched' ? [rule] : [])));
      for (const { rule } of never) expect([rule, matched.has(rule)]).toEqual([rule, false]);
      for (const { rule, by } of covered) if (matched.has(rule)) expect([rule, by, matched.has(by)]).toEqual([rule, by, true]);
    }
    return covered.length;
  }

  test('B4: of all pairs of comparisons and their opposites', () => {
    const strings = ['"a"', '"ab"', '"b"'];
    const atoms = [
      ...['<', '<=', '>', '>=', '==', '!='].flatMap((operator) => [1, 2].map((value) => `parameters.n ${operator} ${value}`)),
      ...strings.flatMap((value) => [`parameters.s == ${value}`, `parameters.s.startsWith(${value})`, `${value} == parameters.s`]),
      ...['2 > parameters.n', '2 <= parameters.n', 'parameters.b', 'has(parameters.o)', 'parameters.s in ["a", "b"]', 'parameters.s.matches("a$")'],
    ];
    const bundle = bundleFor(atoms.flatMap((each) => [each, `!(${each})`]));
    if (bundle === null) throw new Error('a comparison does not compile');
    expect(hold(bundle)).toBeGreaterThan(100);
  });

  test('B4: a rule told to be dead matches nothing, and where a covered rule matches its cover does too', () => {
    fc.assert(
      fc.property(fc.array(condition, { minLength: 2, maxLength: 5 }), (conditions) => {
        const bundle = bundleFor(conditions);
        fc.pre(bundle !== null);
        if (bundle !== null) hold(bundle);
      }),
      { numRuns: 60 },
    );
  });
});
