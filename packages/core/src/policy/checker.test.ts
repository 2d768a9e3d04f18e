import { describe, expect, test } from '@jest/globals';
import { file, compiled, problems, messages, warnings, request } from './testing/small-bundles.js';

describe('the checker', () => {
  const declared = `catalogue:
  actions:
    db.query: {parameters: {statement: string, rows: int?, tables: list<string>, opts: {dry_run: bool, 'limit?': int}, at: timestamp?, ttl: duration?, by: map<int>?}}
    db.write: {parameters: {statement: string, force: bool}}
`;
  const when = (condition: string, actions = '[db.query]'): string[] =>
    messages(file(`${declared}rules: [{id: r, effect: deny, actions: ${actions}, when: ${JSON.stringify(condition)}}]`));
  test.each([
    ['parameters.statment == "x"', 'the action db.query declares no parameter "statment"'],
    ['parameters.statement > 5', 'text cannot be compared with a number'],
    ['parameters.tables == "x"', 'a list is never equal to text'],
    ['5 in parameters.tables', 'a number is never in a list of texts'],
    ['parameters.tables.exists(t, t == 5)', 'text is never equal to a number'],
    ['parameters.opts.dryrun', 'there is no "dryrun" here'],
    ['parameters.rows > 10', 'parameters.rows may be absent'],
    ['!has(parameters.rows) && parameters.rows > 10', 'parameters.rows may be absent'],
    ['has(parameters.rows) || parameters.rows > 10', 'parameters.rows may be absent'],
    ['parameters.opts.limit > 10', 'parameters.opts.limit may be absent'],
    ['parameters.statement + 1 == "x"', 'do not go together'],
    ['has(parameters.rows) && parameters.rows + 1.0 > 5.0', 'a whole number and a fraction do not go together'],
    ['parameters.opts', 'the condition is a map, not a yes or no'],
    ['size(parameters.opts.dry_run) > 1', 'a yes or no has no size'],
    ['facts.sql', 'declares no facts "sql"'],
    ['facts == 1', '"facts" is read member by member'],
  ])('%s: %s', (condition, message) => expect(when(condition)).toEqual([expect.stringContaining(message)]));

  test.each([
    'has(parameters.rows) && parameters.rows > 10',
    'parameters.rows > 10 && has(parameters.rows)',
    '!has(parameters.rows) || parameters.rows > 10',
    'has(parameters.rows) ? parameters.rows > 10 : true',
    '!(!has(parameters.rows) || parameters.rows < 10)',
    '"rows" in parameters && parameters.rows > 10',
    'has(parameters.rows) && (parameters.rows > 10 || parameters.rows % 2 == 1)',
    '"x" in parameters.tables && parameters.tables.all(t, t.startsWith("a"))',
    'parameters.opts.dry_run && has(parameters.opts.limit) && parameters.opts.limit > 3',
    'has(parameters.at) && parameters.at < now && now - parameters.at > duration("1h")',
    'has(parameters.ttl) && parameters.ttl > duration("1h")',
    'has(parameters.by) && parameters.by.exists(k, k == "x") && "y" in parameters.by && parameters.by.y > 3',
  ])('%s passes', (condition) => expect(when(condition)).toEqual([]));

  test('takes for sure of several actions only what all of them declare', () => {
    expect(when('parameters.statement == "x"', '[db.query, db.write]')).toEqual([]);
    expect(when('parameters.force', '[db.query, db.write]')).toEqual([expect.stringContaining('parameters.force may be absent')]);
    expect(when('has(parameters.force) && parameters.force', '[db.query, db.write]')).toEqual([]);
    expect(when('parameters.forse', '[db.query, db.write]')).toEqual([expect.stringContaining('none of the actions db.query, db.write declares')]);
    expect(when('parameters.anything == 1', '[db.query, "db.*"]')).toEqual([]);
  });
  test('warns of what may be absent where nothing is declared', () => {
    const of = (condition: string): string[] => warnings(file(`rules: [{id: r, effect: deny, actions: [x], when: ${JSON.stringify(condition)}}]`));
    expect(of('parameters.rows > 10')).toEqual(['rules[0].when: parameters.rows may be absent; the condition then cannot be computed']);
    expect(of('has(parameters.rows) && parameters.rows > 10')).toEqual([]);
    expect(of('resource.labels["a b"] == "x"')).toHaveLength(1);
    expect(of('"a b" in resource.labels && resource.labels["a b"] == "x"')).toEqual([]);
  });
  test('sees through lets, and points to where they are named', () => {
    const body = `${declared}lets: {many: 'parameters.rows > 10'}\nrules:\n  - id: r\n    effect: deny\n    actions: [db.query]\n    when: true && many\n`;
    expect(problems(file(body))).toEqual([expect.objectContaining({ message: expect.stringContaining('parameters.rows may be absent'), column: 19 })]);
  });
  test('bounds what a condition can cost', () => {
    const loop = 'parameters.a.all(x, parameters.b.all(y, x.matches("^([a-z]{1,20}[0-9]){1,6}$") && y.matches("^([a-z]{1,20}[0-9]){1,6}$")))';
    expect(messages(file(`rules: [{id: r, effect: deny, actions: [x], when: ${JSON.stringify(loop)}}]`))).toEqual([
      expect.stringMatching(/can take \d+ times as long as it may/),
    ]);
    const [info] = compiled(file("rules: [{id: r, effect: deny, actions: [x], when: 'has(parameters.l) && parameters.l.all(x, x == 1)'}]")).rules;
    expect(info?.cost).toBeGreaterThan(10_000);
  });
  test('values of declared types reach conditions as such', () => {
    const bundle = compiled(
      file(
        `${declared}rules: [{id: r, effect: deny, actions: [db.query], when: 'has(parameters.at) && parameters.at < now && has(parameters.ttl) && parameters.ttl > duration("30m")'}]`,
      ),
    );
    const effect = (at: string, ttl: string): string =>
      bundle.evaluate(request({ parameters: { statement: '', tables: [], opts: { dry_run: true }, at, ttl } })).effect;
    expect([effect('2026-11-21T11:00:00Z', '1h'), effect('2026-11-21T11:00:00Z', '10m'), effect('2026-11-21T14:00:00+01:00', '1h')]).toEqual([
      'deny',
      'allow',
      'allow',
    ]);
    for (const [at, ttl] of [
      ['yesterday', '1h'],
      ['2026-11-21T11:00:00Z', 'long'],
    ] as const)
      expect(effect(at, ttl)).toBe('deny');
  });
});
