import { describe, expect, test } from '@jest/globals';
import { compileBundle, type CompiledBundle, type PolicyInput } from './index.js';

function compiled(body: string, defaults = 'outcome: allow, undeclared: allow, require: {stages: [{all: [{group: fallback, quorum: 1}]}]}'): CompiledBundle {
  const result = compileBundle([
    { path: 'p.yaml', text: `apiVersion: countersign.dev/v1\nkind: PolicyBundle\nmetadata: {name: t, version: 1}\ndefaults: {${defaults}}\n${body}` },
  ]);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return result.bundle;
}

const request = (parts: Partial<PolicyInput> = {}): PolicyInput => ({
  action: 'db.query',
  resource: { type: 'db', id: 'main' },
  actor: { type: 'agent', id: 'a1' },
  now: '2026-11-21T12:00:00.000Z',
  ...parts,
});

describe('the most restrictive effect wins and requirements add up', () => {
  const bundle = compiled(`
rules:
  - {id: reads, effect: allow, actions: ['db.*']}
  - {id: owners, effect: require, actions: [db.query], require: {timeout: 2h, deny_threshold: 2, stages: [{all: [{group: owners, quorum: 1}]}]}}
  - {id: big, effect: require, actions: [db.query], when: has(parameters.rows) && parameters.rows > 1000, require: {reason: approve, timeout: 30m, grant_ttl: 60s, stages: [{all: [{group: owners, quorum: 2}, {group: security, quorum: 1}]}, {name: board, all: [{group: board, quorum: 1}], distinct_humans: 2}]}}
  - {id: never, effect: deny, actions: [db.drop]}
`);

  test('allow alone allows, and says which rule it was', () => {
    expect(bundle.evaluate(request({ action: 'db.read' }))).toMatchObject({ effect: 'allow', rules: ['reads'], requirement: null });
  });
  test('deny stands above all', () => {
    expect(bundle.evaluate(request({ action: 'db.drop' }))).toMatchObject({
      effect: 'deny',
      rules: ['never'],
      requirement: null,
      explanation: [{ text: 'The rule never denies this.' }],
    });
  });
  test('two requirements are met together', () => {
    const evaluation = bundle.evaluate(request({ parameters: { rows: 5000 } }));
    expect(evaluation).toMatchObject({ effect: 'require', rules: ['big', 'owners'] });
    expect(evaluation.requirement).toEqual({
      stages: [
        {
          name: 'stage 1',
          all: [
            { group: 'owners', quorum: 2 },
            { group: 'security', quorum: 1 },
          ],
          distinct_humans: 3,
        },
        { name: 'board', all: [{ group: 'board', quorum: 1 }], distinct_humans: 2 },
      ],
      deny_threshold: 1,
      reason_required: { approve: true, deny: false },
      timeout_seconds: 1800,
      grant_ttl_seconds: 60,
      use_within_seconds: 60,
    });
  });
  test('a rule that names nobody takes the people of the defaults', () => {
    const evaluation = compiled("rules: [{id: ask, effect: require, actions: ['*'], require: {reason: deny}}]").evaluate(request());
    expect(evaluation.requirement).toMatchObject({ stages: [{ all: [{ group: 'fallback', quorum: 1 }] }], reason_required: { approve: false, deny: true } });
  });
});

describe('what no rule speaks of', () => {
  const catalogue =
    'catalogue: {actions: {db.query: {reversibility: reversible}, db.write: {}}, resources: [{type: db, id: main, reversibility: recoverable}]}\n';
  const people = 'require: {stages: [{all: [{group: fallback, quorum: 1}]}]}';

  test.each(['allow', 'require', 'deny'] as const)('falls under the default %s', (outcome) => {
    expect(compiled(catalogue, `outcome: ${outcome}, ${people}`).evaluate(request())).toMatchObject({
      effect: outcome,
      rules: [],
      resolved: { reversibility: 'recoverable' },
    });
  });
  test('needs people where it is not declared, unless the bundle says otherwise', () => {
    const bundle = compiled(`${catalogue}rules: [{id: all, effect: allow, actions: ['*']}]\n`, `outcome: allow, ${people}`);
    expect(bundle.evaluate(request())).toMatchObject({ effect: 'allow' });
    for (const parts of [{ action: 'db.qurey' }, { resource: { type: 'db', id: 'other' } }, { resource: { type: 'cache', id: 'x' } }]) {
      expect(bundle.evaluate(request(parts))).toMatchObject({ effect: 'require', rules: [], requirement: { stages: [{ all: [{ group: 'fallback' }] }] } });
    }
    expect(compiled(catalogue, `outcome: allow, undeclared: deny, ${people}`).evaluate(request({ action: 'x' })).effect).toBe('deny');
    expect(compiled(catalogue, `outcome: deny, undeclared: allow, ${people}`).evaluate(request({ action: 'x' })).effect).toBe('deny');
  });
  test('counts as irreversible', () => {
    const bundle = compiled(catalogue);
    expect(bundle.evaluate(request({ action: 'x' })).resolved.reversibility).toBe('irreversible');
    expect(bundle.evaluate(request({ action: 'db.write' })).resolved.reversibility).toBe('irreversible');
  });
});

describe('the catalogue wins over the caller', () => {
  const bundle = compiled(`
catalogue:
  resources:
    - {type: postgres_table, id: prod.*, labels: {tier: '1', data_class: internal}, environment: production}
    - {type: postgres_table, id: prod.customers, labels: {data_class: pii}}
rules:
  - {id: pii, effect: deny, actions: ['*'], environments: [production], when: resource.labels.data_class == "pii", explain: '{{resource.id}} in {{environment}} is {{resource.labels.data_class}}, {{ parameters.rows[0]["a b"] }} for {{actor.on_behalf_of.id}}'}
`);
  const evaluate = (id: string, labels?: Record<string, string>, environment?: string) =>
    bundle.evaluate(request({ resource: { type: 'postgres_table', id, labels }, environment, parameters: { rows: [{ 'a b': 'secret' }] } }));

  test('labels can be added and not changed', () => {
    expect(evaluate('PROD.orders', { team: 'x', tier: '9' }).resolved).toEqual({
      labels: { team: 'x', tier: '1', data_class: 'internal' },
      environment: 'production',
      reversibility: 'irreversible',
    });
  });
  test('a resource that is written out refines its pattern', () => {
    expect(evaluate('prod.customers', { data_class: 'public' })).toMatchObject({ effect: 'deny', resolved: { labels: { tier: '1', data_class: 'pii' } } });
  });
  test('another environment than the catalogue fixes is a conflict, and the catalogue is what policy goes by', () => {
    expect(evaluate('prod.customers', {}, 'staging')).toMatchObject({
      effect: 'deny',
      resolved: { environment: 'production' },
      environmentConflict: { given: 'staging', catalogue: 'production' },
    });
    expect(evaluate('prod.customers', {}, 'production')).not.toHaveProperty('environmentConflict');
    expect(evaluate('prod.customers')).not.toHaveProperty('environmentConflict');
  });
  test('F1: an explanation holds pointers to what the caller said, and as text only what the bundle says', () => {
    expect(evaluate('prod.customers').explanation).toEqual([
      { value: '/resource/id' },
      { text: ' in ' },
      { text: 'production' },
      { text: ' is ' },
      { text: 'pii' },
      { text: ', ' },
      { value: '/parameters/rows/0/a b' },
      { text: ' for ' },
      { text: '(not given)' },
    ]);
    expect(JSON.stringify(evaluate('prod.customers', { data_class: 'secret' }).explanation)).not.toContain('secret');
  });
});

describe('the trace', () => {
  const bundle = compiled(`
lets: {prod: 'environment == "production"', agent: 'actor.type == "agent"', both: prod && agent}
rules:
  - {id: b, effect: deny, actions: [db.query], when: 'prod && parameters.rows > 1000 && parameters.l.exists(x, x == 1)', unless: 'has(parameters.ticket)', trust: asserted}
  - {id: a, effect: require, actions: [db.*], when: both}
  - {id: c, effect: deny, actions: [other]}
  - {id: d, effect: allow, actions: [db.query], environments: [staging], resource_types: [db]}
  - {id: e, effect: deny, actions: [db.query], resource_types: [cache]}
`);
  test('shows every rule, and each conjunct with its truth', () => {
    expect(bundle.evaluate(request({ environment: 'production', parameters: { rows: 5, ticket: 'T-1' } })).trace).toEqual([
      { rule: 'a', effect: 'require', result: 'matched', conjuncts: [{ condition: 'both', truth: 'true' }] },
      {
        rule: 'b',
        effect: 'deny',
        result: 'not_matched',
        conjuncts: [
          { condition: 'prod', truth: 'true' },
          { condition: 'parameters.rows > 1000', truth: 'false' },
          { condition: 'parameters.l.exists(x, x == 1)', truth: 'error' },
        ],
        unless: { condition: 'has(parameters.ticket)', truth: 'true' },
      },
      { rule: 'c', effect: 'deny', result: 'not_matched', reason: 'another action', conjuncts: [] },
      { rule: 'd', effect: 'allow', result: 'not_matched', reason: 'another environment', conjuncts: [] },
      { rule: 'e', effect: 'deny', result: 'not_matched', reason: 'another resource type', conjuncts: [] },
    ]);
  });
});

describe('masks and what must be shown', () => {
  test('are those of every rule that counted, not only of those that decided', () => {
    const bundle = compiled(`
rules:
  - {id: a, effect: deny, actions: ['*'], masks: [parameters.b, 'parameters.a[*].c'], must_show: [parameters.rows]}
  - {id: b, effect: require, actions: ['*'], when: parameters.x == 1, masks: ['context.**']}
  - {id: c, effect: deny, actions: [other], masks: [reason]}
`);
    expect(bundle.evaluate(request())).toMatchObject({
      effect: 'deny',
      maskPaths: ['context.**', 'parameters.a[*].c', 'parameters.b'],
      mustShow: ['parameters.rows'],
    });
    expect(bundle).toMatchObject({ masks: ['context.**', 'parameters.a[*].c', 'parameters.b', 'reason'], mustShow: ['parameters.rows'] });
  });
});

test('patterns of actions match whole names, wherever their stars stand', () => {
  const bundle = compiled("rules:\n  - {id: a, effect: deny, actions: ['iam.*', '*.delete', 'a*b*c', exact]}\n");
  const effect = (action: string): string => bundle.evaluate(request({ action })).effect;
  for (const action of ['iam.', 'iam.role.grant', 'x.delete', '.delete', 'abc', 'aXbYc', 'a.b.b.c', 'exact', 'EXACT'])
    expect([action, effect(action)]).toEqual([action, 'deny']);
  for (const action of ['iam', 'xiam.role', 'delete', 'x.deleted', 'ac', 'acb', 'exactly', 'inexact'])
    expect([action, effect(action)]).toEqual([action, 'allow']);
});

test('rules that allow match names exactly as they are written', () => {
  const bundle = compiled(
    "rules:\n  - {id: a, effect: allow, actions: ['read.*'], environments: [staging], resource_types: [db]}\n",
    'outcome: deny, undeclared: allow',
  );
  expect(bundle.evaluate(request({ action: 'read.x', environment: 'staging', verified: ['environment'] })).effect).toBe('allow');
  for (const parts of [
    { action: 'Read.x', environment: 'staging' },
    { action: 'read.x', environment: 'Staging' },
    { action: 'read.x', environment: 'staging', resource: { type: 'DB', id: 'main' } },
  ]) {
    expect(bundle.evaluate(request(parts)).effect).toBe('deny');
  }
});

describe('how an approval may be used', () => {
  const stages = 'stages: [{all: [{group: owners, quorum: 1}]}]';
  const rule = (id: string, terms: string): string => `  - {id: ${id}, effect: require, actions: [${id}], require: {${terms}}}\n`;
  const lives = (bundle: CompiledBundle, action: string): [ttl: number | undefined, useWithin: number | undefined] => {
    const { requirement } = bundle.evaluate(request({ action }));
    return [requirement?.grant_ttl_seconds, requirement?.use_within_seconds];
  };

  test('A4: for as long as its grant lives, unless policy says otherwise', () => {
    const bundle = compiled(
      `rules:\n${rule('plain', stages)}${rule('short', `ttl: 2s, ${stages}`)}${rule('old', `grant_ttl: 30s, ${stages}`)}${rule('long', `ttl: 1m, use_within: 2d, ${stages}`)}`,
    );
    expect(lives(bundle, 'plain')).toEqual([300, 300]);
    expect(lives(bundle, 'short')).toEqual([2, 2]);
    expect(lives(bundle, 'old')).toEqual([30, 30]);
    expect(lives(bundle, 'long')).toEqual([60, 172_800]);
    expect(bundle.defaults).toMatchObject({ grant_ttl_seconds: 300, use_within_seconds: 300 });
  });

  test('A4: the defaults hold where a rule says nothing, and for what is allowed at once', () => {
    const bundle = compiled(
      `rules:\n${rule('plain', stages)}${rule('own', `use_within: 10m, ${stages}`)}`,
      'outcome: allow, undeclared: allow, ttl: 1m, use_within: 1h',
    );
    expect(lives(bundle, 'plain')).toEqual([60, 3600]);
    expect(lives(bundle, 'own')).toEqual([60, 600]);
    expect(bundle.defaults).toMatchObject({ grant_ttl_seconds: 60, use_within_seconds: 3600 });
  });

  test('A4: of several requirements the shorter lives hold', () => {
    const both = (id: string, terms: string): string => rule(id, terms).replace(`actions: [${id}]`, 'actions: [both]');
    const bundle = compiled(`rules:\n${both('a', `ttl: 2m, use_within: 1h, ${stages}`)}${both('b', `ttl: 10m, use_within: 30m, ${stages}`)}`);
    expect(lives(bundle, 'both')).toEqual([120, 1800]);
  });

  test('A4: a rule that names nobody has the people of the defaults and its own time', () => {
    const bundle = compiled(`rules:\n${rule('own', 'use_within: 1h')}`);
    expect(lives(bundle, 'own')).toEqual([300, 3600]);
    const stricter = compiled(`rules:\n${rule('own', 'use_within: 1h')}`, `outcome: allow, undeclared: allow, require: {use_within: 20m, ${stages}}`);
    expect(lives(stricter, 'own')).toEqual([300, 1200]);
  });

  test('A4: a grant never lives for more than 15 minutes, and one life has one name', () => {
    const problems = (defaults: string): string[] => {
      const result = compileBundle([
        {
          path: 'p.yaml',
          text: `apiVersion: countersign.dev/v1\nkind: PolicyBundle\nmetadata: {name: t, version: 1}\ndefaults: {outcome: allow, undeclared: allow, ${defaults}}\n`,
        },
      ]);
      return result.ok ? [] : result.problems.map(({ message }) => message);
    };
    expect(problems('ttl: 15m')).toEqual([]);
    expect(problems('ttl: 16m')).toEqual([expect.stringContaining('at most 900 seconds')]);
    expect(problems('use_within: 31d')).toEqual([expect.stringContaining('at most 2592000 seconds')]);
    expect(problems('ttl: 5m, grant_ttl: 5m')).toEqual([expect.stringContaining('write ttl alone')]);
  });
});
