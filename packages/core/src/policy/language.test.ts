import { describe, expect, test } from '@jest/globals';
import { type BundleFile, type Evaluation, type PolicyInput } from './index.js';
import { PEOPLE, file, compiled, messages, warnings, request, caller } from './testing/small-bundles.js';

describe('B3: what a requirement can demand', () => {
  test('compiles to the members of the contract', () => {
    const { requirement } = compiled(
      file(`
rules:
  - id: all
    effect: require
    actions: [db.query]
    require:
      stages:
        - {name: owner, all: [{group: dba, quorum: 2, escalate: [{after: 30m, to: leads}]}], veto: [legal]}
        - {name: second, all: [{group: security}]}
      deny_threshold: 2
      veto: [privacy]
      reason: deny
      timeout: {after: 4h, reminders: [2h, 1h], escalate: [{after: 3h, to: oncall}], on_timeout: deny}
      delegation: {within: same-group, max_duration: 14d}
      channels: [{slack: '#db'}, {direct: dba}]
      via: [web, slack]
      obligations: {passkey: {fresh: 5m}, ticket: {pattern: '^CHG-[0-9]{6}$', field: context.ticket}, acknowledge: [I read it], must_open: true, ttl: 10m, use_within: 1h, use: once}
      solo: {after: 1h}
      alike: {pin: [parameters.table], max_uses: 5, max_ttl: 8h}
      counter: [parameters.rows]
      bulk: true
    break_glass: {group: oncall, quorum: 2, obligations: {passkey: {fresh: 1m}}, review_by: leads, review_within: 24h, notify: [{slack: '#security'}]}
`),
    ).evaluate(request());
    expect(requirement).toEqual({
      stages: [
        {
          name: 'owner',
          all: [
            {
              group: 'dba',
              quorum: 2,
              escalate: [
                { after_seconds: 1800, to: 'leads' },
                { after_seconds: 10_800, to: 'oncall' },
              ],
            },
          ],
          distinct_humans: 2,
        },
        { name: 'second', all: [{ group: 'security', quorum: 1, escalate: [{ after_seconds: 10_800, to: 'oncall' }] }], distinct_humans: 1 },
      ],
      deny_threshold: 2,
      reason_required: { approve: false, deny: true },
      timeout_seconds: 14_400,
      grant_ttl_seconds: 600,
      use_within_seconds: 3600,
      veto: ['legal', 'privacy'],
      on_timeout: 'deny',
      reminders_seconds: [3600, 7200],
      obligations: {
        passkey: { fresh_seconds: 300 },
        tickets: [{ pattern: '^CHG-[0-9]{6}$', field: 'context.ticket' }],
        acknowledge: ['I read it'],
        must_open: true,
      },
      delegation: { within: 'same_group', max_seconds: 1_209_600 },
      via: ['slack', 'web'],
      channels: [{ slack: '#db' }, { direct: 'dba' }],
      break_glass: {
        group: 'oncall',
        quorum: 2,
        obligations: { passkey: { fresh_seconds: 60 } },
        review_by: 'leads',
        review_within_seconds: 86_400,
        notify: [{ slack: '#security' }],
      },
      solo: { after_seconds: 3600 },
      alike: { pin: ['parameters.table'], max_uses: 5, max_ttl_seconds: 28_800 },
      counter: ['parameters.rows'],
      bulk: true,
    });
  });

  test('a stage with a condition is left out only where it is certainly false', () => {
    const bundle = compiled(
      file(`
rules:
  - id: r
    effect: require
    actions: [db.query]
    require:
      stages:
        - {name: owner, all: [{group: dba}]}
        - {name: second, when: 'parameters.rows > 1000', all: [{group: security}], veto: [security]}
      channels: [{slack: '#all'}, {teams: big, when: 'parameters.rows > 1000'}]
`),
    );
    const of = (rows: unknown) => bundle.evaluate(request({ parameters: { rows: rows as number } })).requirement;
    expect(of(5)).toMatchObject({ stages: [{ name: 'owner' }], channels: [{ slack: '#all' }] });
    expect(of(5)).not.toHaveProperty('veto');
    for (const rows of [5000, 'many', null])
      expect(of(rows)).toMatchObject({ stages: [{ name: 'owner' }, { name: 'second' }], veto: ['security'], channels: [{}, { teams: 'big' }] });
    // The explanation says why each was asked, or left out.
    const explained = (rows: number) =>
      bundle.evaluate(request({ parameters: { rows } })).details.rules[0]?.conditions.map(({ role, of: name, truth, reads }) => [role, name, truth, reads[0]]);
    const read = { path: 'parameters.rows', pointer: '/parameters/rows' };
    for (const [rows, truth] of [
      [5, 'false'],
      [5000, 'true'],
    ] as const)
      expect(explained(rows)).toEqual([
        ['stage', 'second', truth, read],
        ['channel', 'teams big', truth, read],
      ]);
    expect(messages(file("rules: [{id: r, effect: require, actions: [x], require: {stages: [{when: 'true', all: [{group: g}]}]}}]"))).toEqual([
      expect.stringContaining('at least one stage has no `when`'),
    ]);
  });

  test('a rule that names nobody has the people of the defaults, and its own word on what it permits', () => {
    const bundle = compiled(
      file(
        'rules: [{id: r, effect: require, actions: [db.query], require: {via: [web], obligations: {must_open: true}}}]',
        'outcome: allow, undeclared: allow, via: [slack, web], require: {stages: [{all: [{group: g}]}], bulk: true, veto: [legal]}',
      ),
    );
    expect(bundle.evaluate(request()).requirement).toMatchObject({ via: ['web'], bulk: true, veto: ['legal'], obligations: { must_open: true } });
  });
});

describe('C6: breaking the glass', () => {
  const freeze = "- {id: freeze, effect: deny, actions: ['*'], break_glass: {group: oncall, quorum: 2, review_within: 1d}}";
  test('a deny rule that allows for it asks of that group alone, and knows no other road', () => {
    const bundle = compiled(file(`rules:\n  ${freeze}`));
    expect(bundle.evaluate(request())).toMatchObject({
      effect: 'require',
      rules: ['freeze'],
      requirement: {
        stages: [{ all: [{ group: 'oncall', quorum: 2 }] }],
        break_glass: { group: 'oncall', quorum: 2, only: true, review_within_seconds: 86_400 },
      },
    });
  });
  test('it denies where another rule denies, or asks for people without a glass to break', () => {
    const with_ = (rule: string): Evaluation => compiled(file(`rules:\n  ${freeze}\n  ${rule}`)).evaluate(request());
    expect(with_("- {id: never, effect: deny, actions: ['*']}")).toMatchObject({ effect: 'deny', rules: ['never'] });
    expect(with_("- {id: ask, effect: require, actions: ['*'], require: {stages: [{all: [{group: g}]}]}}")).toMatchObject({
      effect: 'deny',
      rules: ['freeze'],
    });
    const both =
      "- {id: ask, effect: require, actions: ['*'], require: {stages: [{all: [{group: g}]}]}, break_glass: {group: oncall, quorum: 1, review_within: 1h}}";
    expect(with_(both)).toMatchObject({ effect: 'require', requirement: { break_glass: { quorum: 2, only: true, review_within_seconds: 3600 } } });
    expect(with_(both.replace('oncall', 'others'))).toMatchObject({ effect: 'deny' });
  });
});

describe('windows go by the clock on the wall', () => {
  const bundle = compiled(
    file(`
windows:
  business: {tz: Europe/Berlin, days: [mon, tue, wed, thu, fri], from: '08:00', to: '18:00', holidays: ['2026-12-25']}
  night: {tz: Europe/Berlin, days: [fri], from: '22:00', to: '06:00'}
  freeze: {from: 2026-12-18, to: 2027-01-04T00:00Z}
rules:
  - {id: business, effect: deny, actions: [b], when: windows.business}
  - {id: night, effect: deny, actions: [n], when: windows.night}
  - {id: freeze, effect: deny, actions: [f], when: windows.freeze}
`),
  );
  const inside = (action: string, now: string): boolean => bundle.evaluate(request({ action, now: `${now}:00.000Z` })).effect === 'deny';
  test.each([
    // Winter: UTC+1. Summer: UTC+2, from 2026-03-29 01:00Z to 2026-10-25 01:00Z.
    ['b', '2026-11-23T06:59', false],
    ['b', '2026-11-23T07:00', true],
    ['b', '2026-11-23T16:59', true],
    ['b', '2026-11-23T17:00', false],
    ['b', '2026-07-06T06:00', true],
    ['b', '2026-07-06T05:59', false],
    ['b', '2026-03-27T06:30', false],
    ['b', '2026-03-30T06:30', true],
    ['b', '2026-11-21T12:00', false],
    ['b', '2026-12-25T12:00', false],
    ['n', '2026-11-20T21:00', true],
    ['n', '2026-11-21T04:59', true],
    ['n', '2026-11-21T05:00', false],
    ['n', '2026-11-21T22:00', false],
    ['n', '2026-11-20T04:00', false],
    ['f', '2026-12-17T23:59', false],
    ['f', '2026-12-18T00:00', true],
    ['f', '2027-01-04T00:00', false],
  ])('%s at %sZ: %s', (action, now, expected) => expect(inside(action, now)).toBe(expected));

  test.each([
    ["windows: {w: {tz: Europe/Berlln, from: '08:00', to: '18:00'}}", 'a time zone is an IANA name'],
    ["windows: {w: {tz: Europe/Berlin, from: '8', to: '18:00'}}", 'a time of day is written "08:00"'],
    ['windows: {w: {from: 2027-01-04, to: 2026-12-18}}', 'the window ends before it begins'],
    ['windows: {w: {from: 2026-02-30, to: 2026-12-18}}', 'there is no such day or time'],
    [
      "rules: [{id: r, effect: deny, actions: [x], when: 'windows.freze'}]\nwindows: {freeze: {from: 2026-12-18, to: 2027-01-04}}",
      'there is no window "freze"',
    ],
  ])('%s is no window', (body, message) => expect(messages(file(body))).toEqual([expect.stringContaining(message)]));
});

describe('B1: asserted facts only tighten', () => {
  const allow = (when: string, more = ''): BundleFile =>
    file(`rules: [{id: r, effect: allow, actions: [db.query], when: ${JSON.stringify(when)}${more}}]`, `outcome: deny, undeclared: allow, ${PEOPLE}`);

  test.each([
    'parameters.rows < 10',
    'has(parameters.x) || caller.id == "ci"',
    '!(has(parameters.x) && caller.id == "ci")',
    'reason == "x"',
    'resource.id == "main" && context.risk == "low"',
    // A credential for one actor fixes its id alone.
    'has(actor.on_behalf_of) && actor.on_behalf_of.id == "cto@example.com"',
    'actor.type == "person"',
  ])('a rule that allows on %s is refused, unless its author writes trust: asserted', (when) => {
    expect(messages(allow(when))).toEqual(['rules[0].when: the rule allows on nothing but what the caller says']);
    expect(warnings(allow(when, ', trust: asserted'))).toContain('rules[0].trust: the rule "r" believes what the caller says');
  });
  test.each([
    'caller.id == "ci" && has(parameters.x)',
    'resource.id == "main"',
    'has(resource.labels.tier) && parameters.x == 1',
    'now < timestamp("2030-01-01T00:00:00Z") && reason == "x"',
  ])('one that allows on %s is not', (when) => expect(messages(allow(when))).toEqual([]));
  test('an exemption from a rule that restricts is held to the same', () => {
    const unless = (more: string): BundleFile => file(`rules: [{id: r, effect: deny, actions: [db.query], ${more}}]`);
    expect(messages(unless("unless: 'parameters.rows < 10'"))).toEqual(['rules[0].unless: it exempts on nothing but what the caller says']);
    expect(messages(unless("unless: 'parameters.rows < 10', trust: asserted"))).toEqual([]);
    expect(messages(unless('unless: \'caller.id == "ci"\''))).toEqual([]);
  });
  test('a label that the caller adds loosens nothing, and tightens', () => {
    const bundle = compiled(
      file(
        `
catalogue: {resources: [{type: db, id: known, labels: {tier: '3'}}]}
rules:
  - {id: lax, effect: allow, actions: [db.query], when: 'resource.labels.tier == "3"'}
  - {id: strict, effect: deny, actions: [db.drop], when: 'has(resource.labels.tier) && resource.labels.tier == "3"'}
`,
        `outcome: deny, undeclared: allow, ${PEOPLE}`,
      ),
    );
    const effect = (id: string, action = 'db.query') => bundle.evaluate(request({ action, resource: { type: 'db', id, labels: { tier: '3' } } })).rules;
    expect(effect('known')).toEqual(['lax']);
    expect(effect('other')).toEqual([]);
    expect(effect('other', 'db.drop')).toEqual(['strict']);
  });
  test('the actor and the environment count where the credential or the catalogue fixes them', () => {
    const bundle = compiled(allow('actor.id == "a1"'));
    expect(bundle.evaluate(request())).toMatchObject({ effect: 'deny' });
    expect(bundle.evaluate(request()).trace[0]).toMatchObject({ result: 'indeterminate', reason: 'what it goes by is only what the caller says' });
    expect(bundle.evaluate(request({ verified: ['actor'] }))).toMatchObject({ effect: 'allow' });
    const scoped = compiled(
      file(
        "catalogue: {resources: [{type: db, id: dev, environment: staging}]}\nrules: [{id: r, effect: allow, actions: ['*'], environments: [staging]}]",
        `outcome: deny, undeclared: allow, ${PEOPLE}`,
      ),
    );
    expect(scoped.evaluate(request({ environment: 'staging' })).effect).toBe('deny');
    expect(scoped.evaluate(request({ environment: 'staging', verified: ['environment'] })).effect).toBe('allow');
    expect(scoped.evaluate(request({ resource: { type: 'db', id: 'dev' } })).effect).toBe('allow');
  });
  test('on whose behalf an actor acts loosens only beside what somebody vouches for', () => {
    const bundle = compiled(allow('actor.id == "a1" && has(actor.on_behalf_of) && actor.on_behalf_of.id == "cto"'));
    const asked = { actor: { type: 'agent', id: 'a1', on_behalf_of: { type: 'person', id: 'cto' } } };
    expect(bundle.evaluate(request(asked)).effect).toBe('deny');
    expect(bundle.evaluate(request({ ...asked, verified: ['actor'] })).effect).toBe('allow');
    const either = allow('actor.id == "a2" || (has(actor.on_behalf_of) && actor.on_behalf_of.id == "cto")');
    expect(messages(either)).toEqual(['rules[0].when: the rule allows on nothing but what the caller says']);
  });
  test('a caller that is not known is not there, which never allows', () => {
    expect(compiled(allow('caller.id != "evil"')).evaluate(request()).effect).toBe('deny');
    expect(compiled(allow('caller.claims.ref == "refs/heads/main"')).evaluate(request({ caller })).effect).toBe('allow');
    expect(compiled(allow('caller.claims.ref == "refs/heads/main"')).evaluate(request({ caller: { ...caller, claims: {} } })).effect).toBe('deny');
  });
});

describe('exemptions by name', () => {
  const rules = (exempting: string, more = ''): string => `
rules:
  - {id: ask, effect: require, actions: ['*']}
  - {id: never, effect: deny, actions: ['*'], when: 'has(parameters.drop)'}
  - ${exempting}
${more}`;
  const robot = "{id: robot, effect: allow, actions: ['*'], when: 'caller.id == \"ci\"', exempts: [ask]}";
  test('hold for certain, for what they name, and not on the caller’s word', () => {
    const bundle = compiled(file(rules(robot)));
    expect(bundle.evaluate(request({ caller }))).toMatchObject({ effect: 'allow', rules: ['robot'] });
    expect(bundle.evaluate(request({ caller, parameters: { drop: true } }))).toMatchObject({ effect: 'deny', rules: ['never'] });
    expect(bundle.evaluate(request({ caller: { ...caller, id: 'x' } }))).toMatchObject({ effect: 'require', rules: ['ask'] });
    expect(bundle.evaluate(request())).toMatchObject({ effect: 'require', rules: ['ask'] });
    expect(messages(file(rules(robot.replace('caller.id == \\"ci\\"', 'reason == \\"x\\"').replace('caller.id == "ci"', 'reason == "x"'))))).toEqual([
      'rules[2].when: the rule allows on nothing but what the caller says',
    ]);
  });
  test('a rule that asks differently takes the place of another', () => {
    const bundle = compiled(
      file(
        rules('{id: small, effect: require, actions: [db.query], exempts: [ask], when: \'caller.id == "ci"\', require: {stages: [{all: [{group: small}]}]}}'),
      ),
    );
    expect(bundle.evaluate(request({ caller })).requirement?.stages).toMatchObject([{ all: [{ group: 'small' }] }]);
    expect(bundle.evaluate(request({ caller })).trace[0]).toMatchObject({ rule: 'ask', result: 'not_matched', reason: 'exempted by the rule small' });
  });
  test.each([
    ["{id: x, effect: allow, actions: ['*'], exempts: [aks]}", 'there is no rule "aks"'],
    ["{id: x, effect: allow, actions: ['*'], exempts: [x]}", 'a rule does not exempt from itself'],
    ["{id: x, effect: deny, mode: shadow, actions: ['*'], exempts: [ask]}", 'a rule in the shadow exempts nobody'],
    ["{id: x, effect: require, actions: ['*'], exempts: [y]}\n  - {id: y, effect: require, actions: ['*'], exempts: [x]}", 'exempt from each other'],
  ])('%s is refused', (rule, message) => expect(messages(file(rules(rule)))).toEqual(expect.arrayContaining([expect.stringContaining(message)])));
});

describe('limits, ends and shadows', () => {
  const limited = (limit: string): string => `
rules:
  - {id: small, effect: allow, actions: ['*'], expires: 2027-03-01, limit: {count: 2, per: 1h, by: [caller.id, actor.id], ${limit}}}
  - {id: ask, effect: require, actions: [other], require: {stages: [{all: [{group: dba}]}]}}
`;
  test('an evaluation names the limits that count it, with a key that holds no value', () => {
    const bundle = compiled(file(limited('on_exceed: require, exceed_rule: ask'), `outcome: deny, undeclared: allow, ${PEOPLE}`));
    const [one, other] = [bundle.evaluate(request({ caller })), bundle.evaluate(request({ caller, actor: { type: 'agent', id: 'a2' } }))];
    expect(one).toMatchObject({
      effect: 'allow',
      limits: [{ rule: 'small', count: 2, per_seconds: 3600, on_exceed: 'require', key: expect.stringMatching(/^sha256:/) }],
    });
    expect(other.limits[0]?.key).not.toBe(one.limits[0]?.key);
    expect(bundle.evaluate(request({ caller, parameters: { x: 1 } })).limits).toEqual(one.limits);
    expect(bundle.evaluate(request({ caller, exceeded: ['small'] }))).toMatchObject({
      effect: 'require',
      rules: ['small'],
      limits: [],
      requirement: { stages: [{ all: [{ group: 'dba' }] }] },
      explanation: [{ text: 'The limit of the rule small is used up: 2 in an hour.' }],
    });
  });
  test('beyond it the rule asks or denies', () => {
    const over = (limit: string): Evaluation => compiled(file(limited(limit))).evaluate(request({ exceeded: ['small'] }));
    expect(over('on_exceed: deny')).toMatchObject({ effect: 'deny', rules: ['small'] });
    expect(over('on_exceed: require').requirement?.stages).toMatchObject([{ all: [{ group: 'fallback' }] }]);
    expect(messages(file(limited('on_exceed: require, exceed_rule: aks')))).toEqual([expect.stringContaining('there is no rule "aks"')]);
    expect(messages(file(limited('on_exceed: require, exceed_rule: small')))).toEqual([expect.stringContaining('asks for nobody')]);
  });
  test('a rule that has expired allows nothing, to the moment', () => {
    const bundle = compiled(file(limited('on_exceed: deny'), `outcome: deny, undeclared: allow, ${PEOPLE}`));
    expect(bundle.evaluate(request({ now: '2027-02-28T23:59:59.999Z' })).effect).toBe('allow');
    expect(bundle.evaluate(request({ now: '2027-03-01T00:00:00.000Z' })).effect).toBe('deny');
    expect(bundle.evaluate(request({ now: 'some day' })).effect).toBe('deny');
  });
  test('a rule in the shadow is reported beside, and decides nothing', () => {
    const bundle = compiled(
      file(
        "rules: [{id: dark, mode: shadow, effect: deny, actions: ['*']}, {id: ask, effect: require, actions: [x]}]",
        'outcome: allow, undeclared: allow, ' + PEOPLE,
      ),
    );
    expect(bundle.evaluate(request())).toMatchObject({ effect: 'allow', rules: [], shadow: { rules: ['dark'], effect: 'deny' } });
    expect(messages(file("rules: [{id: dark, mode: shadow, effect: allow, actions: ['*']}]"))).toEqual([
      expect.stringContaining('cannot be tried in the shadow'),
    ]);
  });
  test('a rule that allows for ever and without end is a warning', () => {
    expect(warnings(file("rules: [{id: r, effect: allow, actions: ['*']}]"))).toEqual(['rules[0]: the rule "r" allows without expires and limit']);
    expect(warnings(file(limited('on_exceed: deny')))).toEqual([]);
  });
});

describe('A7: what is known of actions and resources', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const bundle = compiled(
    file(`
catalogue:
  actions:
    tool.run: {reversibility: reversible, definition_digest: '${digest}'}
    deploy: {reversibility: recoverable, expected: {callers: [ci, 'deploy-*'], actors: [a1]}}
  resources:
    - {type: db, id: 'pay.*', data_classes: [pci], owner: team:pay, expected: {callers: [ci]}}
    - {type: db, id: pay.cards, data_classes: [pii]}
rules:
  - {id: pci, effect: deny, actions: [export], when: '"pci" in resource.data_classes && "pii" in resource.data_classes && has(resource.owner) && resource.owner == "team:pay"'}
  - {id: gone, effect: deny, actions: [chained], when: 'reversibility == "irreversible"'}
`),
  );
  test('a tool under another definition, or none, asks again', () => {
    const run = (parts: Partial<PolicyInput>): Evaluation => bundle.evaluate(request({ action: 'tool.run', ...parts }));
    expect(run({ context: { tool_definition_digest: digest } }).effect).toBe('allow');
    expect(run({ parameters: { tool_definition_digest: digest } }).effect).toBe('allow');
    for (const parts of [{}, { context: { tool_definition_digest: digest.replace('a', 'b') } }, { context: { tool_definition_digest: [digest] } }])
      expect(run(parts as Partial<PolicyInput>)).toMatchObject({
        effect: 'require',
        explanation: [{ text: 'The definition of the tool is not one that this policy knows.' }],
      });
    expect(bundle.evaluate(request({ action: 'TOOL.run' })).effect).toBe('require');
    expect(run({ context: { tool_definition_digest: 'x' }, parameters: { tool_definition_digest: digest } }).effect).toBe('require');
  });
  test('who is not expected needs people', () => {
    const by = (id: string, actor = 'a1'): string =>
      bundle.evaluate(request({ action: 'deploy', caller: { ...caller, id, name: '' }, actor: { type: 'agent', id: actor } })).effect;
    expect(bundle.evaluate(request({ action: 'Deploy', caller: { ...caller, id: 'other', name: '' } })).effect).toBe('require');
    expect([by('ci'), by('deploy-7'), by('other'), by('ci', 'a2')]).toEqual(['allow', 'allow', 'require', 'require']);
    expect(bundle.evaluate(request({ action: 'deploy' }))).toMatchObject({
      effect: 'require',
      explanation: [{ text: 'The catalogue does not expect this caller here.' }],
    });
  });
  test('data classes add up, and conditions see them and the owner', () => {
    const effect = (id: string): string => bundle.evaluate(request({ action: 'export', caller, resource: { type: 'db', id } })).effect;
    expect([effect('pay.cards'), effect('pay.x')]).toEqual(['deny', 'allow']);
  });
  test('a chain takes the highest class in it', () => {
    const input = request({ action: 'tool.run', context: { tool_definition_digest: digest } });
    expect(bundle.evaluate(input).resolved.reversibility).toBe('reversible');
    expect(bundle.evaluate({ ...input, chain: { reversibility: 'irreversible' } }).resolved.reversibility).toBe('irreversible');
    expect(bundle.evaluate({ ...input, chain: { reversibility: 'reversible' } }).resolved.reversibility).toBe('reversible');
  });
});
