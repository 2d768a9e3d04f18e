import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RotationDocument } from './bundle/schema-schedule.js';
import { compileBundle, mergeRequirements, onCall } from './index.js';

const HEAD = `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: main, version: 1 }
defaults: { outcome: deny, undeclared: deny }
`;
const compile = (text: string) => compileBundle([{ path: 'policy.yaml', text: HEAD + text }]);
const bundleOf = (text: string) => {
  const result = compile(text);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.bundle;
};
const problemsOf = (text: string) => {
  const result = compile(text);
  return result.ok ? [] : result.problems.map(({ line, message, hint }) => `${String(line)}: ${message}${hint === undefined ? '' : ` (${hint})`}`);
};
const at = (written: Partial<RotationDocument>, instant: string) =>
  onCall({ start: '2026-01-05T08:00Z', handover: 'weekly', rotation: ['a@x.io', 'b@x.io', 'c@x.io'], ...written }, Date.parse(instant)).map((each) =>
    'person' in each ? each.person : each.group,
  );

describe('a rotation', () => {
  test.each([
    ['before it starts nobody', {}, '2026-01-05T07:59:59Z', []],
    ['the first from its start', {}, '2026-01-05T08:00:00Z', ['a@x.io']],
    ['until the handover', {}, '2026-01-12T07:59:59Z', ['a@x.io']],
    ['then the second', {}, '2026-01-12T08:00:00Z', ['b@x.io']],
    ['and from the first again', {}, '2026-01-26T08:00:00Z', ['a@x.io']],
    // 09:00 in Berlin is 08:00Z in winter and 07:00Z in summer, which begins on 2026-03-29.
    ['in winter at nine by the zone’s clock', { tz: 'Europe/Berlin' }, '2026-03-23T07:59:00Z', ['b@x.io']],
    ['in summer at nine by the zone’s clock, not before', { tz: 'Europe/Berlin' }, '2026-03-30T06:59:00Z', ['c@x.io']],
    ['in summer at nine by the zone’s clock', { tz: 'Europe/Berlin' }, '2026-03-30T07:00:00Z', ['a@x.io']],
    ['shifts of hours go by elapsed time', { handover: undefined, shift: '12h' }, '2026-01-05T20:00:00Z', ['b@x.io']],
    ['daily', { handover: 'daily' }, '2026-01-07T08:00:00Z', ['c@x.io']],
    ['several and groups of one shift', { rotation: [['a@x.io', { group: 'dba' }]] }, '2026-02-01T00:00:00Z', ['a@x.io', 'dba']],
    [
      'an override, of several the last',
      {
        overrides: [
          { from: '2026-01-06', to: '2026-01-08', on_call: 'x@x.io' },
          { from: '2026-01-07', to: '2026-01-08', on_call: 'y@x.io' },
        ],
      },
      '2026-01-07T12:00:00Z',
      ['y@x.io'],
    ],
    ['an override from its first moment', { overrides: [{ from: '2026-01-06', to: '2026-01-08', on_call: 'x@x.io' }] }, '2026-01-06T00:00:00Z', ['x@x.io']],
    ['after an override the rotation again', { overrides: [{ from: '2026-01-06', to: '2026-01-08', on_call: 'x@x.io' }] }, '2026-01-08T00:00:00Z', ['a@x.io']],
  ] satisfies [string, Partial<Record<keyof RotationDocument, unknown>>, string, string[]][])('%s', (_what, written, instant, expected) => {
    // The rows leave a member out by naming it undefined.
    expect(at(written as Partial<RotationDocument>, instant)).toEqual(expected);
  });

  test('somebody is always on call from its start on, and each entry gets its turn', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 400 * 86_400 }),
        fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu'),
        (size, after, tz) => {
          const rotation = Array.from({ length: size }, (_, index) => `p${String(index)}@x.io`);
          const [now] = at({ tz, rotation }, new Date(Date.parse('2026-01-05T08:00Z') + after * 1000).toISOString());
          expect(rotation).toContain(now);
          const later = new Date(Date.parse('2026-01-05T08:00Z') + (after + size * 7 * 86_400 + 7_200) * 1000).toISOString();
          const earlier = new Date(Date.parse('2026-01-05T08:00Z') + (after + size * 7 * 86_400 - 7_200) * 1000).toISOString();
          // A whole round later it is the same one again, give or take the hour that summer time moves.
          expect([...at({ tz, rotation }, later), ...at({ tz, rotation }, earlier)]).toContain(now);
        },
      ),
    );
  });
});

describe('schedules in a bundle', () => {
  const SCHEDULES = `schedules:
  database:
    tz: Europe/Berlin
    start: 2026-01-05T09:00:00+01:00
    handover: weekly
    rotation: [alice@example.com, [bob@example.com, { group: dba }]]
  network: { pagerduty: PABC123 }
  apps: { opsgenie: apps_schedule }
`;
  const rule = (channels: string) => `rules:
  - id: r
    effect: require
    actions: [x]
    require:
      stages: [{ all: [{ group: dba }] }]
      channels: ${channels}
`;

  test('are read by name, with everybody and every group whom they name', () => {
    const bundle = bundleOf(SCHEDULES + rule('[{ on_call: database }, { person: carol@example.com }]'));
    expect([...bundle.schedules.keys()].toSorted()).toEqual(['apps', 'database', 'network']);
    expect([bundle.schedules.get('network'), bundle.schedules.get('apps')]).toEqual([
      { kind: 'pagerduty', id: 'PABC123' },
      { kind: 'opsgenie', name: 'apps_schedule' },
    ]);
    expect(bundle.people).toEqual(['alice@example.com', 'bob@example.com', 'carol@example.com']);
    expect(bundle.groups).toEqual(['dba']);
    expect(bundle.rules[0]?.requirement?.channels).toEqual([{ on_call: 'database' }, { person: 'carol@example.com' }]);
  });

  test('who names one that is not there is told so, with what was probably meant', () => {
    expect(problemsOf(SCHEDULES + rule('[{ on_call: databse }]'))).toEqual([
      '19: rules[0].require.channels[0].on_call: the schedule "databse" does not stand under schedules (did you mean "database"?)',
    ]);
  });

  test('a group of a shift must be declared where groups are', () => {
    expect(problemsOf(`groups: { dbas: {} }\n${SCHEDULES}`)).toEqual([
      '11: schedules.database.rotation[1]: the group "dba" does not stand under groups (did you mean "dbas"?)',
    ]);
  });

  test.each([
    ['no length', '{ start: 2026-01-05, rotation: [a@x.io] }', 'write how long a shift is'],
    ['two lengths', '{ start: 2026-01-05, rotation: [a@x.io], shift: 12h, handover: weekly }', 'write how long a shift is'],
    ['nobody', '{ start: 2026-01-05, rotation: [], handover: weekly }', 'at least 1'],
    ['no address', '{ start: 2026-01-05, rotation: [alice], handover: weekly }', 'address'],
    ['no zone', '{ start: 2026-01-05, tz: Berlin, rotation: [a@x.io], handover: weekly }', 'IANA'],
    [
      'an override that ends first',
      '{ start: 2026-01-05, rotation: [a@x.io], handover: weekly, overrides: [{ from: 2026-02-02, to: 2026-02-01, on_call: a@x.io }] }',
      'ends before',
    ],
  ])('one with %s is refused', (_what, written, words) => {
    expect(problemsOf(`schedules:\n  s: ${written}\n`).join()).toContain(words);
  });

  test('a lower tier may name those of a higher one, not the other way round', () => {
    const org = (text: string) => ({ path: 'org/p.yaml', text: HEAD.replace('name: main', 'name: org, tier: org') + text });
    const team = (text: string) => ({ path: 'team/p.yaml', text: HEAD.replace('name: main', 'name: team, tier: team') + text });
    expect(compileBundle([org(SCHEDULES), team(rule('[{ on_call: database }]'))]).ok).toBe(true);
    const wrong = compileBundle([org(rule('[{ on_call: database }]')), team(SCHEDULES)]);
    expect(wrong.ok ? '' : wrong.problems.map(({ message }) => message).join()).toContain('does not stand under schedules');
  });

  test('break-glass may tell whoever is on call', () => {
    const bundle = bundleOf(`${SCHEDULES}${rule('[{ slack: "#a" }]')}    break_glass: { group: sre, review_within: 1d, notify: [{ on_call: network }] }\n`);
    expect(bundle.rules[0]?.requirement?.break_glass?.notify).toEqual([{ on_call: 'network' }]);
  });
});

describe('batching', () => {
  const withBatch = (defaults: string, rule: string) =>
    compileBundle([
      {
        path: 'p.yaml',
        text: `${HEAD.replace('undeclared: deny', `undeclared: deny${defaults}`)}rules: [{ id: r, effect: require, actions: [x], require: { stages: [{ all: [{ group: dba }] }]${rule} } }]\n`,
      },
    ]);

  test('a rule says from how many on, and the defaults where it does not', () => {
    const batchOf = (defaults: string, rule: string) => {
      const result = withBatch(defaults, rule);
      return result.ok ? result.bundle.rules[0]?.requirement?.batch : result;
    };
    expect(batchOf('', '')).toBeUndefined();
    expect(batchOf('', ', batch: { at_least: 5, within: 2m }')).toEqual({ at_least: 5, window_seconds: 120 });
    expect(batchOf(', batch: { at_least: 9, within: 1h }', '')).toEqual({ at_least: 9, window_seconds: 3600 });
    expect(batchOf(', batch: { at_least: 9, within: 1h }', ', batch: { at_least: 5, within: 2m }')).toEqual({ at_least: 5, window_seconds: 120 });
  });

  test('of two requirements both must have it, and then the rarer holds', () => {
    const terms = { deny_threshold: 1, reason_required: { approve: false, deny: false }, timeout_seconds: null, grant_ttl_seconds: 60, use_within_seconds: 60 };
    const requirement = (batch?: { at_least: number; window_seconds: number }) => ({
      stages: [{ name: 'stage 1', all: [{ group: 'g', quorum: 1 }], distinct_humans: 1 }],
      ...terms,
      ...(batch === undefined ? {} : { batch }),
    });
    expect(mergeRequirements(requirement({ at_least: 3, window_seconds: 60 }), requirement()).batch).toBeUndefined();
    expect(mergeRequirements(requirement({ at_least: 3, window_seconds: 60 }), requirement({ at_least: 5, window_seconds: 90 })).batch).toEqual({
      at_least: 5,
      window_seconds: 60,
    });
  });
});
