import { describe, expect, test } from '@jest/globals';
import { compileBundle, type CompiledBundle } from '../index.js';
import { runPolicyTests } from './run-tests.js';

const RULES = `
rules:
  - id: small
    effect: allow
    actions: [db.query]
    resource_types: [db]
    when: caller.type == "workload" && parameters.rows < 10
    limit: { count: 5, per: 1h, by: caller.id, on_exceed: require }
  - id: big
    effect: require
    actions: [db.query]
    when: parameters.rows >= 10
    unless: resource.labels.tier == "3"
    explain: "{{parameters.rows}} rows of {{resource.id}}"
    require: { stages: [{ name: a, all: [{ group: owners, quorum: 2 }, { group: security, quorum: 1 }] }, { name: b, all: [{ group: owners, quorum: 1 }] }] }
  - { id: never, effect: deny, mode: shadow, actions: [db.query], when: parameters.rows > 1000 }
`;

function compiled(tests: string, rules = RULES): CompiledBundle {
  const text = `
apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: t, version: 1 }
defaults: { outcome: deny, undeclared: allow, require: { stages: [{ all: [{ group: owners, quorum: 1 }] }] } }
catalogue:
  resources: [{ type: db, id: main, labels: { tier: "1" }, environment: production }, { type: db, id: other, labels: { tier: "3" } }]
  actions: { db.query: { parameters: { rows: int } } }
${rules}
${tests}`;
  const result = compileBundle([{ path: 'p.yaml', text }]);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return result.bundle;
}

const ALL = `
tests:
  - name: few rows pass
    request: { action: db.query, resource: { type: db, id: main }, parameters: { rows: 3 } }
    caller: { type: workload, id: ci }
    expect: { outcome: allow, rules: [small], shadow: [] }
  - name: a person's key does not
    request: { action: db.query, resource: { type: db, id: main }, parameters: { rows: 3 } }
    caller: { id: k }
    expect: { outcome: deny, rules: [] }
  - name: many rows ask
    request: { action: db.query, resource: { type: db, id: main }, parameters: { rows: 30 } }
    caller: { type: workload, id: ci }
    expect: { outcome: require, rules: [big], groups: { owners: 3, security: 1 }, explanation: 30 rows of main }
  - name: of the third tier they do not
    request: { action: db.query, resource: { type: db, id: other }, parameters: { rows: 30 } }
    expect: { outcome: deny, rules: [] }
  - name: a shadow is told
    request: { action: db.query, resource: { type: db, id: main }, parameters: { rows: 5000 } }
    expect: { outcome: require, shadow: [never] }
`;

describe('B4: the tests of a bundle', () => {
  test('are run against it, and say how much of it they saw', () => {
    const report = runPolicyTests(compiled(`${ALL}coverage: { min_rules: 100%, min_conditions: 100% }`));
    expect(report.results.map(({ name, failures }) => [name, failures])).toEqual(report.results.map(({ name }) => [name, []]));
    expect(report).toMatchObject({ passed: true, shortfalls: [], coverage: { rulesShare: 100, conditionsShare: 100 } });
    expect(report.coverage.conditions.map(({ rule, role, condition }) => `${rule} ${role} ${condition}`).sort()).toEqual([
      'big unless resource.labels.tier == "3"',
      'big when parameters.rows >= 10',
      'never when parameters.rows > 1000',
      'small when caller.type == "workload"',
      'small when parameters.rows < 10',
    ]);
  });

  test('fail for each thing that is otherwise, and say both', () => {
    const request = 'request: { action: db.query, resource: { type: db, id: main }, parameters: { rows: 30 } }';
    const failing = (expectation: string): readonly string[] =>
      runPolicyTests(compiled(`tests: [{ name: x, ${request}, expect: { ${expectation} } }]`)).results[0]?.failures ?? [];
    expect(failing('outcome: require, rules: [big], groups: { owners: 3, security: 1 }, explanation: of main, shadow: []')).toEqual([]);
    expect(failing('outcome: allow')).toEqual(['expected allow, and it is require']);
    expect(failing('outcome: require, rules: [small]')).toEqual(['expected the rules [small], and they are [big]']);
    expect(failing('outcome: require, rules: []')).toEqual(['expected the rules [], and they are [big]']);
    expect(failing('outcome: require, groups: { owners: 2, security: 1 }')).toEqual([
      'expected the groups [owners: 2, security: 1], and they are [owners: 3, security: 1]',
    ]);
    expect(failing('outcome: require, groups: { owners: 3 }')).toHaveLength(1);
    expect(failing('outcome: require, shadow: [never]')).toEqual(['expected the rules in shadow mode [never], and they are []']);
    expect(failing('outcome: require, explanation: of other')).toEqual(['expected an explanation with "of other", and it is "30 rows of main"']);
  });

  test('that name another environment than the catalogue fixes fail, as their caller would', () => {
    const [result] = runPolicyTests(
      compiled(
        'tests: [{ name: x, request: { action: db.query, resource: { type: db, id: main }, environment: staging, parameters: { rows: 30 } }, expect: { outcome: require } }]',
      ),
    ).results;
    expect(result?.failures).toEqual([expect.stringContaining('environment_mismatch')]);
  });

  test('fall short where a rule never matched or a condition came out one way', () => {
    const some = compiled(`
tests: [{ name: x, request: { action: db.query, resource: { type: db, id: main }, parameters: { rows: 30 } }, expect: { outcome: require } }]
coverage: { min_rules: 60%, min_conditions: 50 }`);
    const report = runPolicyTests(some);
    expect(report.results.every(({ passed }) => passed)).toBe(true);
    expect(report).toMatchObject({ passed: false, coverage: { rulesShare: 33, conditionsShare: 40 } });
    expect(report.shortfalls).toEqual([
      'the tests match 33 % of the rules, and 60 % are demanded: no test matches never, small',
      expect.stringMatching(
        /^the tests see 40 % of the conditions both ways, and 50 % are demanded: .*big: unless `resource.labels.tier == "3"` is never true/,
      ),
    ]);
    expect(runPolicyTests(some, undefined, { minRules: 10 }).shortfalls).toHaveLength(2);
    expect(runPolicyTests(compiled('', ''), undefined, { minRules: 100, minConditions: 100 })).toMatchObject({
      passed: true,
      coverage: { rulesShare: 100, conditionsShare: 100 },
    });
  });

  test('see nothing of a rule whose scope leaves them out', () => {
    const report = runPolicyTests(
      compiled('tests: [{ name: x, request: { action: db.query, parameters: { rows: 3 } }, caller: { type: workload, id: ci }, expect: { outcome: deny } }]'),
    );
    expect(report.coverage.conditions.filter(({ rule }) => rule === 'small').every(({ seenTrue, seenFalse }) => !seenTrue && !seenFalse)).toBe(true);
  });

  test('set the clock, the caller and used-up limits', () => {
    const bundle = compiled(
      `
tests:
  - { name: late, request: { action: a }, now: 2026-06-01, expect: { outcome: allow } }
  - { name: early, request: { action: a }, now: 2026-05-31T23:59:59.999Z, expect: { outcome: deny } }
  - { name: default, request: { action: b }, expect: { outcome: allow } }
  - { name: used up, request: { action: b }, exceeded: [b], expect: { outcome: require } }`,
      `
rules:
  - { id: a, effect: allow, actions: [a], when: 'now >= timestamp("2026-06-01T00:00:00Z")' }
  - { id: b, effect: allow, actions: [b], when: 'now == timestamp("2026-01-01T12:00:00Z")', limit: { count: 1, per: 1h, on_exceed: require } }`,
    );
    expect(runPolicyTests(bundle).results.flatMap(({ failures }) => failures)).toEqual([]);
  });
});
