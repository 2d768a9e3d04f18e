import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { evaluationAnswerSchema } from '@countersign/contracts';
import { digestOf } from '@countersign/core/request';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;

/** One rule per construct, each for an action of its own, so that a dry run shows that construct alone. */
const POLICY = `
apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: {name: constructs, version: 1}
defaults:
  outcome: allow
  undeclared: allow
  via: [slack, web, api]
  require: {stages: [{all: [{group: data-owners}]}]}
groups:
  data-owners: {min_members: 2}
  security: {}
  everyone: {includes: [data-owners, security]}
catalogue:
  actions:
    typed: {parameters: {env: string, rows: int?}}
    pinned: {definition_digest: '${DIGEST}'}
    reserved: {expected: {callers: [nobody]}}
    statement: {parameters: {statement: string}, facts: {sql: {from: parameters.statement, dialect: postgresql}}}
  resources:
    - {type: db, id: 'pay.*', labels: {tier: '1'}, data_classes: [pci], owner: team:pay, environment: production}
windows:
  always: {from: 2000-01-01, to: 2100-01-01}
  never: {from: 2000-01-01, to: 2000-01-02}
lets: {large: 'has(parameters.rows) && parameters.rows > 1000'}
rules:
  - {id: effect-deny, effect: deny, actions: [deny], explain: 'No {{parameters.what}} for {{actor.id}}'}
  - {id: missing, effect: deny, actions: [missing], when: 'parameters.env != "prod"'}
  - {id: missing-ask, effect: require, actions: [missing-ask], when: 'parameters.env != "prod"'}
  - {id: typed, effect: deny, actions: [typed], when: 'has(parameters.rows) && parameters.rows > 1000'}
  - {id: number, effect: deny, actions: [number], when: 'parameters.rows > 1000'}
  - {id: members, effect: deny, actions: [members], when: 'has(parameters.constructor) || has(parameters.x)'}
  - {id: unless, effect: deny, actions: [unless], unless: 'resource.labels.tier == "1"'}
  - {id: ask-all, effect: require, actions: [exempted]}
  - {id: exempting, effect: allow, actions: [exempted], when: 'caller.name == "pipeline"', exempts: [ask-all], expires: 2100-01-01, limit: {count: 9, per: 1h, on_exceed: deny}}
  - {id: expired, effect: allow, actions: [expired], exempts: [ask-expired], expires: 2001-01-01}
  - {id: ask-expired, effect: require, actions: [expired]}
  - {id: in-window, effect: deny, actions: [window], when: windows.always}
  - {id: out-window, effect: deny, actions: [window-out], when: windows.never}
  - {id: let, effect: deny, actions: [let], when: large}
  - {id: classes, effect: deny, actions: [classes], when: '"pci" in resource.data_classes && has(resource.owner) && resource.owner == "team:pay"'}
  - {id: chain, effect: deny, actions: [class], when: 'reversibility == "irreversible"'}
  - {id: writes, effect: deny, actions: [statement], when: facts.sql.writes}
  - {id: regex, effect: deny, actions: [regex], when: 'parameters.text.matches("^(a+)+$")'}
  - {id: dark, mode: shadow, effect: deny, actions: [shadow]}
  - id: stages
    effect: require
    actions: [stages]
    require:
      stages:
        - {name: owner, all: [{group: everyone, quorum: 1}, {group: security, quorum: 1}]}
        - {name: second, when: large, all: [{group: security, quorum: 2}], veto: [security]}
      deny_threshold: 2
      timeout: {after: 2h, reminders: [1h], escalate: [{after: 90m, to: security}], on_timeout: deny}
      reason: both
      via: [web]
      obligations: {passkey: {fresh: 5m}, ticket: {pattern: '^CHG-'}, acknowledge: [read], must_open: true, ttl: 1m, use_within: 1h}
      delegation: {within: anyone, max_duration: 7d}
      channels: [{slack: '#ops', when: large}, {direct: security}]
      solo: {after: 1h}
      alike: {max_uses: 3, max_ttl: 1h}
      counter: [parameters.rows]
      bulk: true
  - {id: freeze, effect: deny, actions: [frozen], break_glass: {group: security, quorum: 2, review_within: 24h}}
`;

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld({ policy: () => POLICY });
});
afterAll(() => world.close());

const body = (action: string, members: object = {}): object => ({
  action,
  resource: { type: 'db', id: 'main' },
  actor: { type: 'agent', id: 'retrainer' },
  ...members,
});
const evaluate = async (action: string, members: object = {}) =>
  (await world.call('POST', '/v1/evaluations', { as: world.key, body: body(action, members) })).json;
const effect = async (action: string, members: object = {}): Promise<string> => (await evaluate(action, members)).evaluation.effect;

describe('B1: each construct of the language decides over HTTP', () => {
  const pay = { resource: { type: 'db', id: 'pay.cards' } };
  test.each<[string, string, object, string]>([
    ['what no rule speaks of passes, as the default says', 'anything', {}, 'allow'],
    ['a deny rule', 'deny', {}, 'deny'],
    ['a name in other letters is no way round it', 'DENY', {}, 'deny'],
    ['a declared parameter', 'typed', { parameters: { env: 'x', rows: 5000 } }, 'deny'],
    ['a declared parameter below', 'typed', { parameters: { env: 'x', rows: 5 } }, 'allow'],
    ['an exemption on what the catalogue says', 'unless', pay, 'allow'],
    ['and not on what the caller says', 'unless', { resource: { type: 'db', id: 'main', labels: { tier: '1' } } }, 'deny'],
    ['a rule that exempts by name', 'exempted', {}, 'allow'],
    ['and no more once it has expired', 'expired', {}, 'require'],
    ['a window', 'window', {}, 'deny'],
    ['outside a window', 'window-out', {}, 'allow'],
    ['a let', 'let', { parameters: { rows: 5000 } }, 'deny'],
    ['a let that is false', 'let', { parameters: { rows: 5 } }, 'allow'],
    ['data classes and owner', 'classes', pay, 'deny'],
    ['data classes of others', 'classes', {}, 'allow'],
    ['the class of what is not declared', 'class', {}, 'deny'],
    ['a tool of a known definition', 'pinned', { context: { tool_definition_digest: DIGEST } }, 'allow'],
    ['a tool of another definition', 'pinned', { context: { tool_definition_digest: DIGEST.replace('a', 'b') } }, 'require'],
    ['a tool of no definition', 'pinned', {}, 'require'],
    ['a caller that is not expected', 'reserved', {}, 'require'],
    ['facts that our parsers compute', 'statement', { parameters: { statement: 'DELETE FROM t' } }, 'deny'],
    ['facts that are harmless', 'statement', { parameters: { statement: 'SELECT 1' } }, 'allow'],
    ['facts that cannot be told', 'statement', { parameters: { statement: 'SELEC 1 ((' } }, 'deny'],
    ['a rule in the shadow', 'shadow', {}, 'allow'],
    ['a deny rule whose glass may be broken', 'frozen', {}, 'require'],
  ])('%s', async (_, action, members, expected) => {
    expect(await effect(action, members)).toBe(expected);
  });

  test('a requirement carries all that the rule demands', async () => {
    const { requirement } = await evaluate('stages', { parameters: { rows: 5 } });
    expect(requirement).toEqual({
      stages: [
        {
          name: 'owner',
          all: [
            {
              group: 'everyone',
              quorum: 1,
              escalate: [
                { after_seconds: 0, to: 'data-owners' },
                { after_seconds: 0, to: 'security' },
              ],
            },
            { group: 'security', quorum: 1 },
          ],
          distinct_humans: 2,
        },
      ],
      deny_threshold: 2,
      reason_required: { approve: true, deny: true },
      timeout_seconds: 7200,
      grant_ttl_seconds: 60,
      use_within_seconds: 3600,
      on_timeout: 'deny',
      reminders_seconds: [3600],
      obligations: { passkey: { fresh_seconds: 300 }, tickets: [{ pattern: '^CHG-' }], acknowledge: ['read'], must_open: true },
      delegation: { within: 'anyone', max_seconds: 604_800 },
      via: ['web'],
      channels: [{ direct: 'security' }],
      solo: { after_seconds: 3600 },
      alike: { pin: [], max_uses: 3, max_ttl_seconds: 3600 },
      counter: ['parameters.rows'],
      bulk: true,
    });
    for (const rows of [5000, 'many', [5]]) {
      const more = (await evaluate('stages', { parameters: { rows } })).requirement;
      expect(more).toMatchObject({ stages: [{ name: 'owner' }, { name: 'second' }], veto: ['security'] });
    }
    expect((await evaluate('frozen')).requirement).toMatchObject({
      break_glass: { group: 'security', quorum: 2, only: true, review_within_seconds: 86_400 },
      via: ['api', 'slack', 'web'],
    });
  });
});

describe('A5: a hostile request never loosens', () => {
  test.each([undefined, {}, { env: null }, { env: 5 }, { env: ['prod'] }, { env: { prod: 1 } }])(
    'a value that is missing or of another type: %j',
    async (parameters) => {
      const members = parameters === undefined ? {} : { parameters };
      // A comparison of different types is no error in CEL, and is not equal: it denies too.
      expect(await effect('missing', members)).toBe('deny');
      expect(await effect('missing-ask', members)).toBe('require');
      expect(await effect('typed', members)).toBe('deny');
    },
  );
  test.each(['NaN', 'Infinity', '-1', '1e999', '0x10', '', ' ', null, [], {}, true, [2000]])('a number that is none: %j', async (rows) => {
    expect(await effect('number', { parameters: { rows } })).toBe('deny');
    expect(await effect('typed', { parameters: { env: 'prod', rows } })).toBe('deny');
  });
  test('a number that JSON cannot carry, or that loses precision, is refused', async () => {
    for (const number of ['1e999', '9007199254740993', 'NaN', '-Infinity']) {
      const raw = JSON.stringify(body('number', { parameters: { rows: 0 } })).replace('"rows":0', `"rows":${number}`);
      expect((await world.call('POST', '/v1/evaluations', { as: world.key, raw, headers: { 'content-type': 'application/json' } })).status).toBe(400);
    }
  });
  test.each(['__proto__', 'constructor', 'prototype'])('the key %s is refused or is data', async (key) => {
    const raw = JSON.stringify(body('members', { parameters: { KEY: { x: 1 } } })).replace('KEY', key);
    const reply = await world.call('POST', '/v1/evaluations', { as: world.key, raw, headers: { 'content-type': 'application/json' } });
    // Where it is let in, it is a member like any other.
    if (reply.status === 200) expect(reply.json.evaluation.effect).toBe(key === 'constructor' ? 'deny' : 'allow');
    else expect(reply.status).toBe(400);
  });
  test('text that makes engines hang is matched in linear time', async () => {
    expect(await effect('regex', { parameters: { text: `${'a'.repeat(20_000)}!` } })).toBe('allow');
    expect(await effect('regex', { parameters: { text: 'a'.repeat(20_000) } })).toBe('deny');
  });
  test('what is larger than conditions may read restricts', async () => {
    expect(await effect('members', { parameters: { list: new Array<number>(1001).fill(1) } })).toBe('deny');
  });
  test('a catalogued resource under another type or spelling keeps its rules', async () => {
    expect(await effect('anything', { resource: { type: 'database', id: 'pay.cards' } })).toBe('require');
  });
});

describe('D3: a dry run says what policy went by', () => {
  test('in the structure of the contract, with what would have changed it', async () => {
    const answer = await evaluate('let', { parameters: { rows: 5000 } });
    expect(evaluationAnswerSchema.parse(answer)).toEqual(answer);
    expect(answer.explanation).toMatchObject({
      effect: 'deny',
      policy: [{ name: 'constructs', version: 1 }],
      rules: [
        {
          rule: 'let',
          result: 'matched',
          decided: true,
          conditions: [
            {
              role: 'when',
              condition: 'large',
              truth: 'true',
              values: [{ path: 'parameters.rows', value: '5000' }],
              otherwise: { truth: 'false', effect: 'allow' },
            },
          ],
        },
      ],
    });
    const shadow = (await evaluate('shadow')).explanation;
    expect(shadow).toMatchObject({ effect: 'allow', shadow: { rules: ['dark'], effect: 'deny' }, rules: [{ rule: 'dark', mode: 'shadow', decided: false }] });
  });
  test('F1: and no value that masks hide', async () => {
    const secret = 'AKIAIOSFODNN7EXAMPLE';
    const answer = await evaluate('missing', { parameters: { env: secret } });
    expect(JSON.stringify(answer)).not.toContain(secret);
    expect(answer.explanation.rules[0].conditions[0].values[0]).toMatchObject({ path: 'parameters.env', masked: true });
  });
  test('what cannot be seen in a value is made visible, and a long one is cut between characters', async () => {
    const valueOf = async (env: string): Promise<string> =>
      (await evaluate('missing', { parameters: { env } })).explanation.rules[0].conditions[0].values[0].value;
    expect(await valueOf('a\u202Eb')).toBe('a⟦U+202E RLO⟧b');
    expect(await valueOf(`${'x'.repeat(199)}😀😀`)).toBe(`${'x'.repeat(199)}…`);
  });
  test('an opened request is explained again as it was, and the ledger holds the digest', async () => {
    const { json } = await world.submit({ action: 'stages', parameters: { rows: 5000 } });
    const { json: explained } = await world.call('GET', `/v1/action-requests/${json.id}/explanation`, { as: world.key });
    expect(explained.explanation).toMatchObject({ effect: 'require', at: json.created_at, rules: [{ rule: 'stages', result: 'matched', decided: true }] });
    const { rules, ...rest } = explained.explanation;
    const outline = { ...rest, rules: rules.map((rule: object) => Object.fromEntries(Object.entries(rule).filter(([member]) => member !== 'conditions'))) };
    expect(explained.explanation_digest).toBe(digestOf(outline));
    await world.sequence();
    const { json: receipt } = await world.call('GET', `/v1/action-requests/${json.id}/receipt`, { as: world.key });
    const opened = receipt.entries.find(({ event }: { event: string }) => event === 'action_request.opened');
    expect(opened.details.explanation_digest).toBe(explained.explanation_digest);
  });
});

describe('B1: bundles of several tiers', () => {
  const head = (name: string, outcome = 'allow'): string => `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: {name: ${name}, version: 1, tier: ${name}}
defaults: {outcome: ${outcome}, undeclared: allow, via: [web, api], require: {stages: [{all: [{group: security}]}]}}
`;
  let tiers: ApiWorld;
  beforeAll(async () => {
    tiers = await createApiWorld({
      policy: () => [
        {
          path: 'team.yaml',
          text: `${head('team')}
catalogue: {resources: [{type: db, id: pay, labels: {class: public, region: eu}}]}
rules:
  - {id: team-allows, effect: allow, actions: ['*'], when: 'caller.name == "pipeline"'}
  - {id: team-denies, effect: deny, actions: [drop]}
`,
        },
        {
          path: 'org.yaml',
          text: `${head('org')}
catalogue: {resources: [{type: db, id: pay, labels: {class: pii}}]}
rules: [{id: org-asks, effect: require, actions: ['*'], when: 'has(resource.labels.class) && resource.labels.class == "pii"'}]
`,
        },
      ],
    });
  });
  afterAll(() => tiers.close());

  test('a lower tier tightens, and loosens nothing', async () => {
    const of = async (action: string, id: string) =>
      (await tiers.call('POST', '/v1/evaluations', { as: tiers.key, body: body(action, { resource: { type: 'db', id } }) })).json;
    expect(await of('read', 'pay')).toMatchObject({
      evaluation: { effect: 'require', rules: ['org-asks'] },
      resolved: { labels: { class: 'pii', region: 'eu' } },
      explanation: {
        policy: [
          { name: 'org', tier: 'org' },
          { name: 'team', tier: 'team' },
        ],
      },
    });
    expect((await of('read', 'other')).evaluation).toMatchObject({ effect: 'allow', rules: ['team-allows'] });
    expect((await of('drop', 'pay')).evaluation).toMatchObject({ effect: 'deny', rules: ['team-denies'] });
  });
});
