import { describe, expect, test } from '@jest/globals';
import { compileCanonical, inputOf, type BundleFile, type PolicyInput } from './index.js';
import { progress } from './quorum.js';
import { HEAD, PEOPLE, DEFAULTS, file, compiled, messages, request, caller } from './testing/small-bundles.js';

describe('tiers: a lower one only tightens', () => {
  const bundleFile = (tier: string, body: string, defaults = DEFAULTS.replace('fallback', 'sec')): BundleFile =>
    file(body, defaults, `${tier}/policy.yaml`, `name: ${tier}, version: 1, tier: ${tier}`);
  const org = bundleFile(
    'org',
    `
groups: {sec: {}}
lets: {prod: 'environment == "production"'}
catalogue: {actions: {db.query: {reversibility: recoverable}}, resources: [{type: db, id: main, labels: {class: pii}, environment: production}]}
rules: [{id: org-ask, effect: require, actions: [db.query], when: 'has(resource.labels.class) && resource.labels.class == "pii"', require: {stages: [{all: [{group: sec}]}]}}]
`,
  );
  test('an allow rule, a default and a catalogue of a lower tier lift nothing', () => {
    const team = bundleFile(
      'team',
      `
catalogue: {actions: {other: {reversibility: reversible}}, resources: [{type: db, id: main, labels: {class: public, team: x}, environment: staging, reversibility: irreversible}]}
rules: [{id: team-allow, effect: allow, actions: ['*'], when: prod}]
`,
    );
    const bundle = compiled(team, org);
    expect(bundle.bundles.map(({ name }) => name)).toEqual(['org', 'team']);
    expect(bundle.evaluate(request())).toMatchObject({
      effect: 'require',
      rules: ['org-ask'],
      resolved: { labels: { class: 'pii', team: 'x' }, environment: 'production', reversibility: 'irreversible' },
    });
  });
  test('each tier speaks for itself, and the strictest holds', () => {
    const closed = bundleFile('team', "rules: [{id: ours, effect: allow, actions: ['ours.*']}]", 'outcome: deny, undeclared: allow');
    const bundle = compiled(org, closed);
    expect(bundle.evaluate(request({ action: 'ours.x' })).effect).toBe('allow');
    expect(bundle.evaluate(request({ action: 'theirs' })).effect).toBe('deny');
    expect(bundle.evaluate(request({ action: 'db.query', resource: { type: 'db', id: 'other' } })).effect).toBe('deny');
    expect(bundle.defaults.outcome).toBe('deny');
  });
  test('what a higher tier wants declared, a lower one does not declare', () => {
    const strict = bundleFile('org', 'catalogue: {resources: [{type: db, id: main}], actions: {db.query: {}}}', `outcome: allow, ${PEOPLE}`);
    const team = bundleFile('team', 'catalogue: {resources: [{type: db, id: other}], actions: {mine: {}}}');
    const bundle = compiled(strict, team);
    expect(bundle.evaluate(request()).effect).toBe('allow');
    expect(bundle.evaluate(request({ resource: { type: 'db', id: 'other' } })).effect).toBe('require');
  });
  test.each([
    ["rules: [{id: x, effect: allow, actions: ['*'], exempts: [org-ask]}]", 'is of a higher tier; a lower one only tightens'],
    ['groups: {sec: {}}\n', 'the group "sec" is declared by the bundle "org"'],
    ['catalogue: {actions: {db.query: {reversibility: reversible}}}', 'the action "db.query" is declared by the bundle "org"'],
    ["lets: {prod: 'true'}", 'the let "prod" is already one of a higher tier'],
    ["rules: [{id: org-ask, effect: deny, actions: ['*']}]", 'there are two rules with the id "org-ask"; the other is in the bundle org'],
  ])('%s in a team is refused', (body, message) => expect(messages(org, bundleFile('team', body))).toEqual([expect.stringContaining(message)]));
  test('a higher tier does not build on a lower one', () => {
    const lower = bundleFile('team', "groups: {team-x: {}}\nlets: {ours: 'true'}");
    const higher = (body: string): BundleFile => bundleFile('org', `groups: {sec: {}}\n${body}`);
    expect(messages(lower, higher('rules: [{id: r, effect: deny, actions: [x], when: ours}]'))).toEqual([
      expect.stringContaining('the name "ours" is not known'),
    ]);
    expect(messages(lower, higher('rules: [{id: r, effect: require, actions: [x], require: {stages: [{all: [{group: team-x}]}]}}]'))).toEqual([
      expect.stringContaining('the group "team-x" does not stand under groups'),
    ]);
    expect(
      messages(
        higher(''),
        bundleFile('team', 'groups: {own: {}}\nrules: [{id: r, effect: require, actions: [x], require: {stages: [{all: [{group: sec}]}]}}]'),
      ),
    ).toEqual([]);
  });
  test('a higher tier may exempt from a lower one', () => {
    const bundle = compiled(
      bundleFile('org', "rules: [{id: emergency, effect: allow, actions: ['*'], when: 'caller.id == \"ci\"', exempts: [team-never]}]"),
      bundleFile('team', "rules: [{id: team-never, effect: deny, actions: ['*']}]"),
    );
    expect(bundle.evaluate(request({ caller })).effect).toBe('allow');
    expect(bundle.evaluate(request()).effect).toBe('deny');
  });
  test('files without metadata belong to the bundle of their folder', () => {
    const more: BundleFile = { path: 'team/more/rules.yaml', text: `${HEAD}rules: [{id: more, effect: deny, actions: [more]}]\n` };
    const bundle = compiled(org, bundleFile('team', ''), more);
    expect(bundle.rules.find(({ id }) => id === 'more')?.bundle).toBe('team');
    expect(messages(org, bundleFile('team', ''), { ...more, path: 'elsewhere/rules.yaml' })).toEqual([
      expect.stringContaining('no bundle begins in its folder'),
    ]);
    expect(messages(org, file('', DEFAULTS, 'b/p.yaml', 'name: b, version: 1'))).toEqual(['metadata: of several bundles each says its tier']);
  });
  test('together they have one digest, whatever the order of files, and are rebuilt from one text', () => {
    const team = bundleFile('team', 'rules: [{id: t, effect: deny, actions: [t]}]');
    const [one, other] = [compiled(org, team), compiled(team, org)];
    expect(other.digest).toBe(one.digest);
    const again = compileCanonical(one.canonical);
    expect(again).toMatchObject({ ok: true, bundle: { digest: one.digest, canonical: one.canonical, name: 'org + team' } });
  });
});

describe('groups', () => {
  test('include others, also by way of others, and never themselves', () => {
    const bundle = compiled(file('groups: {fallback: {}, all: {includes: [eu, us]}, eu: {includes: [de]}, de: {}, us: {}, out: {}}'));
    expect(bundle.expandGroups(['de'])).toEqual(['all', 'de', 'eu']);
    expect(bundle.expandGroups(['out', 'x'])).toEqual(['out', 'x']);
    const asked = compiled(
      file(
        "groups: {fallback: {}, all: {includes: [eu]}, eu: {includes: [de]}, de: {}}\nrules: [{id: r, effect: require, actions: ['*'], require: {veto: [eu], stages: [{all: [{group: all}]}]}}]",
      ),
    ).evaluate(request()).requirement;
    expect(asked).toMatchObject({
      veto: ['de', 'eu'],
      stages: [
        {
          all: [
            {
              group: 'all',
              escalate: [
                { after_seconds: 0, to: 'de' },
                { after_seconds: 0, to: 'eu' },
              ],
            },
          ],
        },
      ],
    });
    expect(asked !== null && progress(asked, [{ person_id: 'p', groups: ['de'] }]).satisfied).toBe(true);
    expect(messages(file('groups: {fallback: {}, a: {includes: [b]}, b: {includes: [c]}, c: {includes: [a]}}'))).toEqual(
      expect.arrayContaining([expect.stringContaining('includes itself, by way of the groups that it includes')]),
    );
    expect(messages(file('groups: {fallback: {}, a: {includes: [a]}}'))).toHaveLength(1);
  });
  test('that are too small for what is asked of them are a problem', () => {
    const body = (members: number): string =>
      `groups: {fallback: {}, g: {min_members: ${members}}}\nrules: [{id: r, effect: require, actions: [x], require: {stages: [{all: [{group: g, quorum: 2}]}, {all: [{group: g}]}]}}]`;
    expect(messages(file(body(2)))).toEqual([expect.stringContaining('3 people of "g" are asked for, and the group is only sure to have 2')]);
    expect(messages(file(body(3)))).toEqual([]);
  });
});

test('tests stand in the bundle, and do not make it another one', () => {
  const body = 'rules: [{id: r, effect: deny, actions: [x]}]\n';
  const tested = compiled(
    file(`${body}tests: [{name: x is denied, request: {action: x}, expect: {outcome: deny, rules: [r]}}]\ncoverage: {min_rules: 100%, min_conditions: 90}`),
  );
  expect(tested.tests).toMatchObject([{ name: 'x is denied', expect: { outcome: 'deny' } }]);
  expect(tested.coverage).toEqual({ min_rules: '100%', min_conditions: 90 });
  expect(tested.digest).toBe(compiled(file(body)).digest);
  const [first] = tested.tests;
  expect(first && tested.evaluate(inputOf(first))).toMatchObject({ effect: 'deny', rules: ['r'] });
});

describe('D3: an evaluation can say what it went by', () => {
  const bundle = compiled(
    file(`
catalogue: {resources: [{type: db, id: main, labels: {tier: '1'}}]}
rules:
  - {id: big, effect: require, actions: [db.query], when: 'has(parameters.rows) && parameters.rows > 1000 && resource.labels.tier == "1"', unless: 'caller.id == "ci"'}
  - {id: dark, mode: shadow, effect: deny, actions: [db.query], when: 'has(parameters.secret)'}
  - {id: else, effect: deny, actions: [other]}
`),
  );
  const details = (parts: Partial<PolicyInput>) => bundle.evaluate(request(parts)).details;
  test('each condition with what it read, by its place, and never by its value', () => {
    const of = details({ caller, parameters: { rows: 5, secret: 'hunter2' } });
    expect(of).toMatchObject({
      other_rules: 1,
      beside: [{ effect: 'allow', decided: true }],
      rules: [
        {
          rule: 'big',
          result: 'not_matched',
          decided: false,
          conditions: [
            { role: 'when', condition: 'has(parameters.rows)', truth: 'true', reads: [{ path: 'has(parameters.rows)', pointer: '/parameters/rows' }] },
            { condition: 'parameters.rows > 1000', truth: 'false', reads: [{ path: 'parameters.rows', pointer: '/parameters/rows' }] },
            { truth: 'true', reads: [{ path: 'resource.labels.tier', known: '1' }] },
            { role: 'unless', truth: 'true', reads: [{ path: 'caller.id', known: 'ci' }] },
          ],
        },
        { rule: 'dark', mode: 'shadow', result: 'matched', decided: false, conditions: [{ otherwise: { truth: 'false', effect: 'allow' } }] },
      ],
    });
    expect(JSON.stringify(of)).not.toContain('hunter2');
  });
  test('a label that only the caller gives is not there for a condition that loosens', () => {
    const lax = compiled(
      file("rules: [{id: lax, effect: allow, actions: ['*'], when: 'resource.labels.tier == \"3\"'}]", `outcome: deny, undeclared: allow, ${PEOPLE}`),
    );
    const { details: of } = lax.evaluate(request({ resource: { type: 'db', id: 'x', labels: { tier: '3' } } }));
    expect(of.rules[0]).toMatchObject({
      result: 'indeterminate',
      reason: 'resource.labels.tier is missing',
      conditions: [{ truth: 'error', reads: [{ missing: true }] }],
    });
  });
  test('what would have changed the effect', () => {
    const flips = (parts: Partial<PolicyInput>) => details(parts).rules[0]?.conditions.map(({ truth, otherwise }) => [truth, otherwise?.effect]);
    // One condition alone is what keeps the rule from matching.
    expect(flips({ parameters: { rows: 5 }, caller: { ...caller, id: 'x' } })).toEqual([
      ['true', undefined],
      ['false', 'require'],
      ['true', undefined],
      ['false', undefined],
    ]);
    // Each of them is what made it match.
    expect(flips({ parameters: { rows: 5000 }, caller: { ...caller, id: 'x' } })).toEqual([
      ['true', 'allow'],
      ['true', 'allow'],
      ['true', 'allow'],
      ['false', 'allow'],
    ]);
  });
});
