import { describe, expect, test } from '@jest/globals';
import { compileBundle, compileCanonical, type CompiledBundle, type PolicyProblem } from './index.js';

const head = 'apiVersion: countersign.dev/v1\nkind: PolicyBundle\n';
const meta = 'metadata: {name: test, version: 1}\ndefaults: {outcome: deny, undeclared: deny}\n';
const whole = `${head}${meta}`;
/** In a bundle of `whole` and this, the first line of this. */
const LINE = 5;

function problemsOf(...texts: string[]): PolicyProblem[] {
  const result = compileBundle(texts.map((text, index) => ({ path: `${index}.yaml`, text })));
  return result.ok ? [] : result.problems;
}

function compiled(...texts: string[]): CompiledBundle {
  const result = compileBundle(texts.map((text, index) => ({ path: `${index}.yaml`, text })));
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return result.bundle;
}

const rule = (id: string, more = ''): string => `  - {id: ${id}, effect: deny, actions: [x]${more === '' ? '' : `, ${more}`}}\n`;

describe('a problem says where it is and what was meant', () => {
  test.each<[string, string, Partial<PolicyProblem>]>([
    [
      'an unknown member',
      `rules:\n  - id: a\n    effect: deny\n    actions: [x]\n    wehn: 'true'\n`,
      { line: LINE + 4, column: 5, message: 'rules[0].wehn: this member is not part of the language', hint: 'did you mean "when"?' },
    ],
    [
      'an unknown effect',
      `rules:\n  - id: a\n    effect: dney\n    actions: [x]\n`,
      { line: LINE + 2, column: 13, message: 'rules[0].effect: must be allow, require, deny', hint: 'did you mean "deny"?' },
    ],
    ['a missing member', 'rules:\n  - {id: a, effect: deny}\n', { line: LINE + 1, column: 5, message: 'rules[0].actions: this must be written' }],
    [
      'an unknown name in a condition',
      `rules:\n  - id: a\n    effect: deny\n    actions: [x]\n    when: true && enviroment == "x"\n`,
      { line: LINE + 4, column: 19, message: 'rules[0].when: the name "enviroment" is not known', hint: 'did you mean "environment"?' },
    ],
    [
      'an unknown name in quotes',
      `rules:\n  - id: a\n    effect: deny\n    actions: [x]\n    when: 'true && actr.id == "x"'\n`,
      { line: LINE + 4, column: 20, hint: 'did you mean "actor"?' },
    ],
    [
      'an unknown member of a root',
      `rules:\n${rule('a', 'when: \'resource.lables.x == "1"\'')}`,
      { message: 'rules[0].when: there is no "lables" here', hint: 'did you mean "labels"?' },
    ],
    [
      'an unknown function',
      `rules:\n${rule('a', 'when: \'action.startWith("x")\'')}`,
      { message: 'rules[0].when: the function "startWith" is not known', hint: 'did you mean "startsWith"?' },
    ],
    ['a comparison that never holds', `rules:\n${rule('a', "when: 'environment == 5'")}`, { message: 'rules[0].when: text is never equal to a number' }],
    ['a condition that is none', `rules:\n${rule('a', "when: 'actor.id'")}`, { message: 'rules[0].when: the condition is text, not a yes or no' }],
    [
      'half a condition',
      `rules:\n${rule('a', "when: 'action == '")}`,
      { message: expect.stringMatching(/^rules\[0\]\.when: the condition is not CEL at/) as unknown as string },
    ],
    [
      'a time zone that does not exist',
      `rules:\n${rule('a', 'when: \'now.getHours("Europe/Berlln") > 8\'')}`,
      { message: expect.stringMatching(/time zone/) as unknown as string },
    ],
    [
      'an instant that does not exist',
      `rules:\n${rule('a', 'when: \'now > timestamp("tomorrow")\'')}`,
      { message: 'rules[0].when: timestamp cannot read "tomorrow"' },
    ],
    [
      'a group that is not declared',
      `groups: {owners: {}}\nrules:\n  - {id: a, effect: require, actions: [x], require: {stages: [{all: [{group: ownrs, quorum: 1}]}]}}\n`,
      { message: expect.stringMatching(/the group "ownrs" does not stand under groups/) as unknown as string, hint: 'did you mean "owners"?' },
    ],
    [
      'an unknown member of one of two forms',
      'rules:\n  - id: a\n    effect: require\n    actions: [x]\n    require:\n      timeout: {aftr: 4h}\n      stages: [{all: [{group: g}]}]\n',
      { line: LINE + 5, column: 17, message: 'rules[0].require.timeout.aftr: this member is not part of the language', hint: 'did you mean "after"?' },
    ],
    [
      'a window that is neither of two forms',
      'windows: {w: {tz: Europe/Berlin, form: "08:00", to: "18:00"}}\n',
      { message: 'windows.w.form: this member is not part of the language', hint: 'did you mean "from"?' },
    ],
    [
      'a channel of two kinds',
      'rules:\n  - {id: a, effect: require, actions: [x], require: {channels: [{slack: "#a", teams: b}], stages: [{all: [{group: g}]}]}}\n',
      { message: expect.stringMatching(/a channel is one of slack/) as unknown as string },
    ],
    [
      'a kind of facts that does not exist',
      'catalogue: {actions: {x: {facts: {sqll: {from: parameters.s}}}}}\n',
      { message: 'catalogue.actions.x.facts.sqll: there is no kind of facts "sqll"', hint: 'did you mean "sql"?' },
    ],
    [
      'a member that means nothing here',
      `rules:\n${rule('a', 'expires: 2027-01-01')}`,
      { message: 'rules[0].expires: a rule with the effect deny does not expire' },
    ],
    ['a duplicate id', `rules:\n${rule('a')}${rule('a')}`, { line: LINE + 2, message: 'rules[1].id: there are two rules with the id "a"' }],
    [
      'a requirement without people',
      'rules:\n  - {id: a, effect: require, actions: [x]}\n',
      { line: LINE + 1, message: 'rules[0]: the rule "a" asks for people and names nobody' },
    ],
    ['people in a deny rule', `rules:\n${rule('a', 'require: {reason: both}')}`, { message: 'rules[0].require: a rule with the effect deny requires nobody' }],
    [
      'a quorum of none',
      'rules:\n  - {id: a, effect: require, actions: [x], require: {stages: [{all: [{group: g, quorum: 0}]}]}}\n',
      { message: 'rules[0].require.stages[0].all[0].quorum: must be at least 1' },
    ],
    [
      'a duration of no unit',
      'rules:\n  - {id: a, effect: require, actions: [x], require: {timeout: "30", stages: [{all: [{group: g, quorum: 1}]}]}}\n',
      { message: expect.stringMatching(/a duration is a whole number and s, m, h or d/) as unknown as string },
    ],
    ['a let that defines itself', 'lets: {a: b, b: a}\n', { line: LINE, message: expect.stringMatching(/^lets\.[ab]: /) as unknown as string }],
    ['a let that hides a name', `lets: {actor: 'true'}\n`, { message: 'lets.actor: "actor" is a name of the language' }],
    [
      'a loop that hides a name',
      `rules:\n${rule('a', "when: '[1].all(actor, actor == 1)'")}`,
      { message: 'rules[0].when: the variable "actor" hides another name' },
    ],
    [
      'a placeholder that names nothing',
      `rules:\n${rule('a', 'explain: "for {{secrets.x}}"')}`,
      { message: 'rules[0].explain: "{{secrets.x}}" names no value' },
    ],
    [
      'a path that is none',
      `rules:\n${rule('a', 'masks: ["parameters..x"]')}`,
      { message: expect.stringMatching(/a path is written like/) as unknown as string },
    ],
    [
      'a path both masked and shown',
      `rules:\n${rule('a', 'masks: [parameters.x], must_show: [parameters.x]')}`,
      { message: 'rules[0].must_show: "parameters.x" is to be masked and to be shown' },
    ],
    [
      'catalogue entries that contradict each other',
      'catalogue: {resources: [{type: t, id: "a*", labels: {k: "1"}}, {type: t, id: "*b", labels: {k: "2"}}]}\n',
      { message: expect.stringMatching(/can both match a resource, and give it a different label "k"/) as unknown as string },
    ],
    [
      'a catalogue entry twice',
      'catalogue: {resources: [{type: postgres_table, id: a.b}, {type: postgres_table, id: A.B}]}\n',
      { message: expect.stringMatching(/stands in the catalogue twice/) as unknown as string },
    ],
    [
      'a catalogue id that is none',
      'catalogue: {resources: [{type: postgres_table, id: "a b"}]}\n',
      { message: expect.stringMatching(/is no id of the type postgres_table/) as unknown as string },
    ],
    ['an empty version', 'owner: x\n', { message: 'owner: this member is not part of the language' }],
  ])('%s', (_, text, expected) => {
    expect(problemsOf(whole + text)).toContainEqual(expect.objectContaining({ file: '0.yaml', ...expected }));
  });

  test('what is not declared needs people, also when that is not written, so somebody must be named', () => {
    const bare = (defaults: string): PolicyProblem[] => problemsOf(`${head}metadata: {name: t, version: 1}\ndefaults: {${defaults}}\n`);
    expect(bare('outcome: allow')).toEqual([
      { file: '0.yaml', line: 4, column: 11, message: expect.stringMatching(/no one is named/), hint: expect.stringMatching(/undeclared: allow/) },
    ]);
    expect(bare('outcome: require, undeclared: allow')).toEqual([expect.objectContaining({ message: expect.stringMatching(/the default asks for people/) })]);
    expect(bare('outcome: allow, undeclared: allow, require: {reason: both}')).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/must name who decides/) }),
    ]);
    expect(bare('outcome: allow, undeclared: allow')).toEqual([]);
    expect(bare('undeclared: allow')).toEqual([expect.objectContaining({ message: 'defaults.outcome: this must be written: allow, require, deny' })]);
  });

  test('a catalogue of resources wants somebody too, for ids that cannot be looked up', () => {
    expect(
      problemsOf(`${head}metadata: {name: t, version: 1}\ndefaults: {outcome: allow, undeclared: allow}\ncatalogue: {resources: [{type: t, id: a}]}\n`),
    ).toEqual([expect.objectContaining({ message: expect.stringMatching(/cannot be looked up/) })]);
  });
});

describe('YAML that means different things to different readers is refused', () => {
  test.each<[string, string, RegExp, number]>([
    ['duplicate keys', `${head}kind: PolicyBundle\n${meta}`, /stands here twice/, 3],
    ['an anchor', `${whole}rules: &a []\n`, /anchors/, 5],
    ['an alias', `${whole}lets: &a {}\nrules: *a\n`, /aliases/, 6],
    ['a tag', `${whole}rules: !!set {}\n`, /tag/, 5],
    ['a tag of code', `${whole}rules: !!js/function "x"\n`, /tag/i, 5],
    ['a merge key', `${head}${meta}<<: {rules: []}\n`, /not part of the language/, 5],
    ['a byte order mark', `\uFEFF${whole}`, /byte order mark/, 1],
    ['a directive', `%YAML 1.1\n---\n${whole}`, /directives/, 1],
    ['two documents', `${whole}---\n${whole}`, /cannot|can be read/, 5],
    ['a tab as indentation', `${whole}rules:\n\t- {id: a}\n`, /can be read/, 6],
    ['a right-to-left override in a comment', `${whole}# \u202E effect: allow\n`, /U\+202E cannot be seen/, 5],
    ['a zero-width space in a name', `${whole}rules:\n${rule('a\u200B')}`, /U\+200B/, 6],
    ['a NUL', `${whole}# \0\n`, /U\+0000/, 5],
    ['a lone surrogate', `${whole}# \uD800\n`, /U\+D800/, 5],
    ['a line separator', `${whole}# a\u2028rules: []\n`, /U\+2028/, 5],
    ['a key __proto__', `${whole}groups: {__proto__: {}}\n`, /refused everywhere/, 5],
    [
      'a number that loses precision',
      `${head}metadata: {name: t, version: 9007199254740993}\ndefaults: {outcome: deny, undeclared: deny}\n`,
      /cannot be kept exactly/,
      3,
    ],
    ['infinity', `${head}metadata: {name: t, version: .inf}\ndefaults: {outcome: deny, undeclared: deny}\n`, /cannot be kept exactly/, 3],
    ['a map as a key', `${whole}? {a: b}\n: c\n`, /can be read|must be text/, 5],
  ])('%s', (_, text, message, line) => {
    expect(problemsOf(text)).toContainEqual(expect.objectContaining({ message: expect.stringMatching(message), line }));
  });

  test('yes, no and octal-looking text stay text', () => {
    expect(problemsOf(`${whole}rules:\n${rule('no')}`)).toEqual([]);
    expect(compiled(`${head}metadata: {name: yes, version: "010"}\n${meta.split('\n')[1] ?? ''}\n`)).toMatchObject({ name: 'yes', version: '010' });
  });
});

describe('hostile bundles end at once with a clear problem', () => {
  test.each<[string, string, RegExp]>([
    ['brackets', '['.repeat(100_000), /nested deeper/],
    ['braces', '{a: '.repeat(100_000), /nested deeper/],
    ['brackets in brackets behind strings', `a: [${'"]]]]", ['.repeat(50_000)}`, /nested deeper/],
    ['dashes', '- '.repeat(100_000), /nested deeper/],
    ['question marks', '? '.repeat(100_000), /nested deeper/],
    ['indentation', Array.from({ length: 1_900 }, (_, index) => `${' '.repeat(index)}a:`).join('\n'), /nested deeper/],
    [
      'a billion laughs',
      `a: &a [x,x]\n${Array.from({ length: 30 }, (_, index) => `b${index}: &b${index} [*${index === 0 ? 'a' : `b${index - 1}`},*a]`).join('\n')}`,
      /anchors/,
    ],
    ['keys', Array.from({ length: 60_000 }, (_, index) => `k${index}: 1`).join('\n'), /at most 1000 members at its top/],
    ['elements', `a: [${'1,'.repeat(400_000)}]`, /at most 480000 pieces/],
    ['an open string', `a: "${'x'.repeat(1_000_000)}`, /can be read/],
    ['digits', `a: ${'9'.repeat(1_000_000)}`, /cannot be kept exactly/],
    ['length', '#'.repeat(3_000_000), /at most 200 files and/],
    ['tabs', `${whole}rules:\n\t- id: a\n`, /can be read/],
    ['a byte order mark', `\uFEFF${whole}`, /byte order mark/],
    ['a key twice', `${whole}lets: {a: 'true', a: 'false'}\n`, /stands here twice/],
    ['an alias', `${whole}lets: {a: &x 'true', b: *x}\n`, /anchors|aliases/],
    ['prototype names', `${whole}lets: {__proto__: 'true'}\n`, /is refused everywhere/],
    ['prototype names in types', `${whole}catalogue: {actions: {x: {parameters: {constructor: string}}}}\n`, /is refused everywhere/],
    [
      'lets in a circle',
      `${whole}lets:\n${Array.from({ length: 500 }, (_, index) => `  l${index}: l${(index + 1) % 500}\n`).join('')}`,
      /is defined by itself/,
    ],
    [
      'groups in a circle',
      `${whole}groups:\n${Array.from({ length: 2_000 }, (_, index) => `  g${index}: {includes: [g${(index + 1) % 2_000}]}\n`).join('')}`,
      /includes itself/,
    ],
    [
      'exemptions in a circle, each of many',
      `${whole}rules:\n${Array.from({ length: 300 }, (_, index) => rule(`r${index}`, `exempts: [${Array.from({ length: 50 }, (__, step) => `r${(index + step + 1) % 300}`).join(', ')}]`)).join('')}`,
      /exempt from each other/,
    ],
    [
      'parameters',
      `${whole}catalogue:\n  actions:\n    x:\n      parameters:\n${Array.from({ length: 20_000 }, (_, index) => `        p${index}: string\n`).join('')}`,
      /at most 500 parameters/,
    ],
    ['types in types', `${whole}catalogue: {actions: {x: {parameters: ${'{a: '.repeat(30)}string${'}'.repeat(30)}}}}\n`, /nested deeper/],
    [
      'lists in types',
      `${whole}catalogue: {actions: {x: {parameters: {a: '${'list<'.repeat(40)}string${'>'.repeat(40)}'}}}}\n`,
      /at most 128 characters|a type is/,
    ],
    ['expressions that backtrack', `${whole}rules:\n${rule('a', `when: 'action.matches("(a{1,100}){1,100}$")'`)}`, /repeats too much|cannot be used/],
    [
      'ticket patterns that backtrack',
      `${whole}rules:\n  - {id: a, effect: require, actions: [x], require: {obligations: {ticket: {pattern: '(?=a)'}}, stages: [{all: [{group: g}]}]}}\n`,
      /no regular expression of RE2/,
    ],
    ['nothing', '', /is not a bundle/],
    ['only text', 'hello', /is not a bundle/],
    ['rules', `${whole}rules:\n${Array.from({ length: 2_001 }, (_, index) => rule(`r${index}`)).join('')}`, /at most 2000/],
    [
      'members that are not known',
      `${whole}rules:\n${Array.from({ length: 2_000 }, (_, index) => rule(`r${index}`, Array.from({ length: 20 }, (__, at) => `wehn${at}: 1`).join(', '))).join('')}`,
      /rules\[0\]\.wehn0: this member/,
    ],
    [
      'exemptions from rules that are not there',
      `${whole}rules:\n${Array.from({ length: 2_000 }, (_, index) => rule(`r${index}`, `exempts: [${Array.from({ length: 45 }, (__, step) => `q${(index + step) % 300}`).join(', ')}]`)).join('')}`,
      /there is no rule "q0"/,
    ],
    [
      'names that are not known, beside many that are',
      `${whole}lets:\n${Array.from({ length: 400 }, (_, index) => `  long_name_${index}: 'true'\n`).join('')}rules:\n${Array.from({ length: 2_000 }, (_, index) => rule(`r${index}`, `when: 'long_nxme_${index} || long_nyme_${index} || long_nzme_${index}'`)).join('')}`,
      /the name "long_nxme_0" is not known/,
    ],
    ['lets', `${whole}lets:\n${Array.from({ length: 30_000 }, (_, index) => `  l${index}: 'action == "x"'\n`).join('')}`, /at most 2000 lets/],
    ['stars', `${whole}rules:\n  - {id: a, effect: deny, actions: ["${'*a'.repeat(40)}"]}\n`, /at most 8 stars/],
  ])('%s', (_, text, message) => {
    expect(problemsOf(text)).toContainEqual(expect.objectContaining({ message: expect.stringMatching(message) }));
  });

  test('there are never more than 100 problems', () => {
    expect(problemsOf(`${whole}rules:\n${Array.from({ length: 500 }, (_, index) => rule(`r${index}`, `when: 'x${index}'`)).join('')}`)).toHaveLength(100);
    expect(problemsOf()).toEqual([expect.objectContaining({ message: 'there is no policy file' })]);
  });
});

describe('a bundle of several files', () => {
  const first = `${whole}rules:\n${rule('a')}`;
  const second = `${head}lets: {prod: 'environment == "production"'}\nrules:\n${rule('b', 'when: prod')}`;

  test('is one bundle, whatever the files are called and in whatever order the rules stand', () => {
    const bundle = compiled(first, second);
    expect(bundle.rules.map(({ id }) => id)).toEqual(['a', 'b']);
    const other = compiled(`${head}rules:\n${rule('b', 'when: prod')}${rule('a')}`, `# moved\n${head}lets: {prod: 'environment == "production"'}\n${meta}`);
    expect(other.digest).toBe(bundle.digest);
    expect(compiled(first, second.replace('"production"', '"prod"')).digest).not.toBe(bundle.digest);
  });

  test('says which file a problem is in, and names both where they clash', () => {
    expect(problemsOf(first, second.replace('when: prod', 'when: prd'))).toEqual([
      expect.objectContaining({ file: '1.yaml', line: 5, hint: 'did you mean "prod"?' }),
    ]);
    expect(problemsOf(first, `${head}defaults: {outcome: allow}\n`)).toEqual([
      { file: '1.yaml', line: 3, column: 1, message: 'defaults stands in two files of the bundle; it already stands in 0.yaml, line 4' },
    ]);
    expect(problemsOf(first, second, `${head}lets: {prod: 'true'}\n`)).toEqual([
      expect.objectContaining({ file: '2.yaml', line: 3, message: expect.stringMatching(/lets\.prod stands in two files.*1\.yaml, line 3/) }),
    ]);
    expect(problemsOf(first, `${head}rules:\n${rule('a')}`)).toEqual([
      expect.objectContaining({ file: '1.yaml', line: 4, message: expect.stringMatching(/two rules with the id "a"/) }),
    ]);
    expect(problemsOf(first, 'rules: []\n')).toEqual([
      expect.objectContaining({ file: '1.yaml', message: 'apiVersion must be countersign.dev/v1' }),
      expect.objectContaining({ message: 'kind must be PolicyBundle' }),
    ]);
  });
});

describe('canonical text', () => {
  test('rebuilds the same bundle, and nothing but canonical text does', () => {
    const bundle = compiled(`${whole}rules:\n${rule('a')}`);
    const again = compileCanonical(bundle.canonical);
    expect(again.ok && again.bundle.digest).toBe(bundle.digest);
    for (const text of [
      ` ${bundle.canonical}`,
      JSON.stringify(JSON.parse(bundle.canonical), null, 1),
      '{}',
      '[]',
      'x',
      '{"__proto__": {}}',
      '['.repeat(100_000),
    ])
      expect(compileCanonical(text).ok).toBe(false);
  });
});
