import { compileBundle, onlyTightens } from '../index.js';
import { describe, expect, test } from '@jest/globals';

const BASE = `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: base, version: 1, owner: group:owners }
defaults:
  outcome: allow
  undeclared: allow
  require: { stages: [{ all: [{ group: owners, quorum: 1 }] }] }
windows:
  night: { tz: Europe/Berlin, from: "22:00", to: "06:00" }
lets:
  big: has(parameters.rows) && parameters.rows > 1000
rules:
  - id: exports
    effect: require
    actions: [data.export]
    when: big
    require: { stages: [{ all: [{ group: owners, quorum: 1 }] }] }
  - id: no-wipe
    effect: deny
    actions: [disk.wipe]
`;
const canonical = (...texts: string[]): string => {
  const compiled = compileBundle(texts.map((text, index) => ({ path: `${index}.yaml`, text })));
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.bundle.canonical;
};
const reasons = (text: string): string[] => onlyTightens(canonical(BASE), canonical(text));
const rule = (lines: string): string => `${BASE}  - id: added\n${lines}`;

describe('B4: what a text alone shows to tighten', () => {
  test.each([
    ['nothing at all', BASE],
    ['another version and description', BASE.replace('version: 1', 'version: 2, description: Clearer')],
    ['a rule that denies', rule('    effect: deny\n    actions: [thing.delete]\n')],
    [
      'a rule that asks for people, with a let of its own',
      rule('    effect: require\n    actions: [thing.read]\n    when: huge\n').replace(
        'lets:\n',
        'lets:\n  huge: has(parameters.rows) && parameters.rows > 100000\n',
      ),
    ],
    ['comments and order', BASE.replace('rules:', '# Why\nrules:')],
  ])('B4: %s tightens', (_what, text) => {
    expect(reasons(text)).toEqual([]);
  });

  test.each([
    ['a rule that was removed', BASE.replace(/ {2}- id: no-wipe\n.*\n.*\n/, ''), 'The rule no-wipe was removed.'],
    ['a rule that was changed at all', BASE.replace('actions: [disk.wipe]', 'actions: [disk.wipe, disk.format]'), 'The rule no-wipe was changed.'],
    ['a condition by its let', BASE.replace('> 1000', '> 5000'), 'lets: big was changed or removed.'],
    ['a window', BASE.replace('"22:00"', '"23:00"'), 'windows: night was changed or removed.'],
    ['a default', BASE.replace('undeclared: allow', 'undeclared: require'), 'defaults differs.'],
    ['the owner', BASE.replace('group:owners', 'group:others'), 'metadata differs in more than its version.'],
    ['the catalogue', BASE.replace('windows:', 'catalogue: { resources: [{ type: t, id: x, labels: { a: b } }] }\nwindows:'), 'catalogue differs.'],
    ['a group that lets others into it', `${BASE}groups:\n  owners: { includes: [everybody] }\n`, 'groups: owners is new and includes others.'],
    ['who lifts freezes', `${BASE}groups:\n  owners: {}\n  freeze_lifters: { includes: [everybody] }\n`, 'groups: freeze_lifters is new and includes others.'],
    [
      'a rule that shows masked values',
      rule('    effect: deny\n    actions: [thing.read]\n    reveal: { groups: [owners], classes: [secret] }\n'),
      'The rule added is new and has reveal.',
    ],
    ['a rule that allows', rule('    effect: allow\n    actions: [thing.read]\n'), 'The rule added is new and allows.'],
    [
      'a rule that exempts from another',
      rule('    effect: require\n    actions: [data.export]\n    exempts: [exports]\n'),
      'The rule added is new and has exempts.',
    ],
  ])('B4: %s may loosen', (_what, text, reason) => {
    expect(reasons(text)).toEqual([reason]);
  });

  test.each(['deny', 'require'])(
    'B4: a rule that asks for people takes the place of the default, so it may loosen where that is %s; one that denies may not',
    (outcome) => {
      const strict = BASE.replace('outcome: allow', `outcome: ${outcome}`);
      const more = (effect: string): string => `${strict}  - id: added\n    effect: ${effect}\n    actions: [thing.read]\n`;
      expect(onlyTightens(canonical(strict), canonical(more('require')))).toEqual([
        expect.stringContaining('The rule added is new and asks where the default'),
      ]);
      expect(onlyTightens(canonical(strict), canonical(more('deny')))).toEqual([]);
    },
  );
});
