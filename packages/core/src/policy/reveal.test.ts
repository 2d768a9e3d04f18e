import { describe, expect, test } from '@jest/globals';
import { compileBundle } from './compile.js';
import { revealRight, type RevealLayer } from './reveal.js';
import type { PolicyInput } from './types.js';

const bundle = (defaults: string, rules: string): string => `
apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: test, version: 1 }
defaults:
  outcome: require
  undeclared: allow
  require: { stages: [{ all: [{ group: owners, quorum: 1 }] }] }
${defaults}
rules:
${rules}
`;
const INPUT: PolicyInput = {
  action: 'data.export',
  resource: { type: 'table', id: 'people' },
  parameters: { rows: 5 },
  actor: { type: 'agent', id: 'a' },
  now: '2026-11-21T12:00:00.000Z',
};

function layersOf(defaults: string, rules: string): RevealLayer[] {
  const compiled = compileBundle([{ path: 'policy.yaml', text: bundle(defaults, rules) }]);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.bundle.evaluate(INPUT).reveal;
}
const rule = (id: string, reveal: string, more = ''): string =>
  `  - { id: ${id}, effect: require, actions: [data.export], ${more}${reveal === '' ? '' : `reveal: ${reveal}`} }\n`;
const may = (layers: RevealLayer[], groups: string[], ...classes: string[]) => revealRight(layers, groups, classes);

describe('F2: who may see a masked value', () => {
  test('F2: where nothing is said, nobody', () => {
    expect(may(layersOf('', rule('plain', '')), ['owners'], 'email')).toBeNull();
    expect(may(layersOf('  reveal: []', rule('plain', '')), ['owners'], 'email')).toBeNull();
  });

  test('F2: by default who the defaults name; a rule that matches says otherwise', () => {
    const defaults = '  reveal: { groups: [owners], fresh: 5m }';
    expect(may(layersOf(defaults, rule('plain', '')), ['owners'], 'email')).toEqual({ fresh_seconds: 300 });
    const narrowed = layersOf(defaults, rule('own', '{ groups: [security], classes: [email] }'));
    expect(may(narrowed, ['owners'], 'email')).toBeNull();
    expect(may(narrowed, ['security'], 'email')).toEqual({ fresh_seconds: null });
    expect(may(layersOf(defaults, rule('nobody', '[]')), ['owners'], 'email')).toBeNull();
  });

  test('F2: a secret is shown only where it is named', () => {
    const layers = layersOf('  reveal: { groups: [owners] }', rule('plain', ''));
    expect(may(layers, ['owners'], 'email')).not.toBeNull();
    expect(may(layers, ['owners'], 'secret')).toBeNull();
    expect(may(layers, ['owners'], 'email', 'secret')).toBeNull();
    expect(
      may(layersOf('  reveal: [{ groups: [owners] }, { groups: [owners], classes: [secret], fresh: 1m }]', rule('plain', '')), ['owners'], 'email', 'secret'),
    ).toEqual({
      fresh_seconds: 60,
    });
  });

  test('F2: of several rules that match, each must agree', () => {
    const two = layersOf('', rule('one', '{ groups: [owners, security], fresh: 10m }') + rule('two', '{ groups: [security], fresh: 2m }'));
    expect(may(two, ['owners'], 'email')).toBeNull();
    expect(may(two, ['security'], 'email')).toEqual({ fresh_seconds: 120 });
  });

  test('F2: a rule that cannot be checked gives no right, and narrows', () => {
    const broken = rule('broken', '{ groups: [owners] }', 'when: parameters.missing == 1, ');
    expect(may(layersOf('', broken), ['owners'], 'email')).toBeNull();
    expect(may(layersOf('  reveal: { groups: [security] }', broken), ['security'], 'email')).toBeNull();
  });

  test('F2: classes that do not exist, and groups that are not declared, are told when the policy is loaded', () => {
    for (const reveal of ['{ groups: [owners], classes: [emails] }', '{ groups: [] }', '{ groups: [owners], fresh: soon }', '{ classes: [email] }']) {
      expect(compileBundle([{ path: 'p.yaml', text: bundle('', rule('r', reveal)) }]).ok).toBe(false);
    }
    const declared = bundle('', rule('r', '{ groups: [strangers] }')).replace('rules:', 'groups: { owners: {} }\nrules:');
    expect(compileBundle([{ path: 'p.yaml', text: declared }])).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining('strangers') }] });
  });

  test('F2: no group, no class and no layer give no right', () => {
    const layers: RevealLayer[] = [[{ groups: ['owners'], classes: null, fresh_seconds: null }]];
    expect(revealRight(layers, [], ['email'])).toBeNull();
    expect(revealRight(layers, ['owners'], [])).toBeNull();
    expect(revealRight([], ['owners'], ['email'])).toBeNull();
  });
});
