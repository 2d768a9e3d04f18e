import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileBundle, compileCanonical, mergeRequirements, onlyTightens } from './index.js';

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
  return result.ok ? [] : result.problems.map(({ line, message }) => `${String(line)}: ${message}`);
};

describe('quiet hours', () => {
  const NIGHT =
    'quiet_hours: [{ tz: Europe/Berlin, from: "20:00", to: "07:00", days: [mon, tue, wed, thu, fri] }, { tz: Europe/Berlin, from: "00:00", to: "24:00", days: [sat, sun] }]';
  test.each([
    ['before they begin there are none', '2026-07-01T17:59:59Z', []],
    ['over midnight, to the morning', '2026-07-01T18:00:00Z', ['2026-07-02T05:00:00.000Z']],
    ['to the last second', '2026-07-02T04:59:59Z', ['2026-07-02T05:00:00.000Z']],
    ['and not at their end', '2026-07-02T05:00:00Z', []],
    ['in winter an hour later by UTC', '2026-01-07T19:00:00Z', ['2026-01-08T06:00:00.000Z']],
    ['a night longer by the hour that winter gives, which a weekend ends in', '2026-10-24T00:30:00Z', ['2026-10-24T05:00:00.000Z', '2026-10-25T23:00:00.000Z']],
  ])('%s', (_what, instant, ends) => {
    const { quiet } = bundleOf(NIGHT);
    const found = quiet.flatMap((hours) => hours.endOf(Date.parse(instant)) ?? []);
    expect(found.map((end) => new Date(end).toISOString())).toEqual(ends);
  });

  test('what has no end holds nobody back', () => {
    expect(bundleOf('quiet_hours: [{ tz: UTC, from: "00:00", to: "24:00" }]').quiet[0]?.endOf(Date.parse('2026-07-01'))).toBeNull();
  });

  test('an end lies after the instant, and outside', () => {
    const { quiet } = bundleOf(NIGHT);
    fc.assert(
      fc.property(fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2027-01-01') }), (now) => {
        for (const hours of quiet) {
          const end = hours.endOf(now);
          if (end === null) continue;
          expect(end).toBeGreaterThan(now);
          expect(hours.endOf(end)).toBeNull();
          expect(hours.endOf(end - 1)).toBe(end);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('digests', () => {
  const DIGEST = 'digest: { tz: Europe/Berlin, at: ["09:00", "16:30"], days: [mon, tue, wed, thu, fri], to: { groups: [security] } }';
  test.each([
    ['not before', '2026-07-02T06:59:59Z', null],
    ['at the time', '2026-07-02T07:00:00Z', '2026-07-02T09:00 Europe/Berlin'],
    ['by the clock on the wall, in winter too', '2026-01-07T08:00:00Z', '2026-01-07T09:00 Europe/Berlin'],
    ['made up for within the hour', '2026-07-02T07:59:59Z', '2026-07-02T09:00 Europe/Berlin'],
    ['and not after it', '2026-07-02T08:00:00Z', null],
    ['again in the afternoon', '2026-07-02T14:45:00Z', '2026-07-02T16:30 Europe/Berlin'],
    ['on no other day', '2026-07-04T07:00:00Z', null],
  ])('%s', (_what, instant, slot) => {
    expect(bundleOf(DIGEST).digests.map((plan) => plan.dueAt(Date.parse(instant)))).toEqual([slot]);
  });
});

test('what cannot be meant is refused with its line', () => {
  expect(problemsOf('quiet_hours:\n  - { tz: UTC, from: "07:00", to: "07:00" }')).toEqual([
    expect.stringMatching(/^6: .*the window begins and ends at the same time$/),
  ]);
  expect(problemsOf('quiet_hours:\n  - { tz: Mars/Olympus, from: "07:00", to: "08:00" }')).toEqual([expect.stringContaining('6: ')]);
  expect(problemsOf('digest: { tz: UTC, at: ["24:00"], to: { groups: [a] } }')).toEqual([expect.stringContaining('next day')]);
  expect(problemsOf('digest: { tz: UTC, at: ["09:00"], to: {} }')).toEqual([expect.stringContaining('a digest goes to groups')]);
  expect(problemsOf('digest: { tz: UTC, at: ["09:00"], to: { channels: [{ on_call: nights }] } }')).toEqual([expect.stringContaining('"nights"')]);
  const groups = 'groups: { security: { description: x } }\n';
  expect(problemsOf(`${groups}quiet_hours: [{ groups: [securty], tz: UTC, from: "07:00", to: "08:00" }]`)).toEqual([expect.stringContaining('"securty"')]);
  expect(problemsOf(`${groups}digest: { tz: UTC, at: ["09:00"], to: { groups: [securty] } }`)).toEqual([expect.stringContaining('"securty"')]);
});

test('when people are told decides nothing: it is part of the digest, and changes of it loosen nothing', () => {
  const quiet = bundleOf('quiet_hours: [{ tz: UTC, from: "20:00", to: "07:00" }]\ndigest: { tz: UTC, at: ["09:00"], to: { groups: [a] } }');
  const none = bundleOf('');
  expect(quiet.digest).not.toBe(none.digest);
  expect(onlyTightens(quiet.canonical, none.canonical)).toEqual([]);
  expect(compileCanonical(quiet.canonical)).toMatchObject({ ok: true, bundle: { digest: quiet.digest } });
});

test('an urgent rule is urgent with whatever else matches', () => {
  const rule = (id: string, more: string) => `  - { id: ${id}, effect: require, actions: [x], require: { stages: [{ all: [{ group: a }] }]${more} } }\n`;
  const { rules } = bundleOf(`rules:\n${rule('plain', '')}${rule('loud', ', urgent: true')}`);
  const of = (id: string) => {
    const requirement = rules.find((one) => one.id === id)?.requirement;
    if (requirement == null) throw new Error(`no requirement of ${id}`);
    return requirement;
  };
  expect(of('plain')).not.toHaveProperty('urgent');
  expect(mergeRequirements(of('plain'), of('loud')).urgent).toBe(true);
  expect(mergeRequirements(of('loud'), of('plain'))).toEqual(mergeRequirements(of('plain'), of('loud')));
});
