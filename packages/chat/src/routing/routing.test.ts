import { describe, expect, test } from '@jest/globals';
import type { Channel, Requirement } from '@countersign/contracts';
import { linkOf } from '@countersign/core/decision';
import type { ActionRequestRecord, ChainLink, PlatformName, ReachablePerson } from '@countersign/core/ports';
import fc from 'fast-check';
import { namedBy, type Routes, routesOf, type RoutingFacts } from './routing.js';

const NOW = Date.parse('2026-02-01T12:00:00.000Z');
const PLATFORMS: readonly PlatformName[] = ['slack', 'teams', 'email'];

function person(name: string, more: { groups?: string[]; lent?: string[]; active?: boolean; on?: ('slack' | 'teams')[] } = {}): ReachablePerson {
  return {
    person: {
      id: `per_${name}`,
      email: `${name}@example.com`,
      name,
      active: more.active ?? true,
      groups: more.groups ?? [],
      roles: [],
      ...(more.lent === undefined ? {} : { lent: more.lent }),
    },
    accounts: (more.on ?? ['slack']).map((platform) => ({ platform, workspace: 'W', user: `${platform}-${name}` })),
  };
}

interface Case {
  channels?: Channel[];
  requirement?: Partial<Requirement>;
  behind?: string[];
  platform?: PlatformName;
  platforms?: readonly PlatformName[];
  people?: readonly ReachablePerson[];
  onCall?: RoutingFacts['onCall'];
  /** Seconds since it was opened. */
  age?: number;
  parts?: Readonly<Record<string, string[]>>;
}

function requestOf({ channels, requirement, behind = [], age = 0 }: Case): ActionRequestRecord {
  const chain = behind.map((name): ChainLink => ({ role: 'on_behalf_of', person_id: `per_${name}`, ref: `${name}@example.com`, name }));
  // The members that routing reads.
  return {
    tenant: 'default',
    id: 'ar_1',
    created_at: new Date(NOW - age * 1000).toISOString(),
    chain,
    requirement: {
      stages: [{ name: 'stage 1', all: [{ group: 'dba', quorum: 1, escalate: [{ after_seconds: 600, to: 'managers' }] }], distinct_humans: 1 }],
      ...(channels === undefined ? {} : { channels }),
      ...requirement,
    },
  } as unknown as ActionRequestRecord;
}

function routesFor(how: Case): Routes {
  const { platform = 'slack', platforms = ['slack'], people = [], onCall = new Map(), parts = {} } = how;
  const facts = { partsOf: (group: string) => parts[group] ?? [], onCall, now: NOW };
  const request = requestOf(how);
  const named = namedBy(request.requirement?.channels ?? [], request, facts);
  const found = people.filter(
    ({ person: one }) => [...one.groups, ...(one.lent ?? [])].some((group) => named.groups.includes(group)) || named.people.includes(one.email),
  );
  return routesOf(request, { ...facts, platform, platforms, people: found });
}

const shown = ({ routes }: Routes): string[] =>
  routes.flatMap(({ destinations }) => destinations.map((each) => (each.kind === 'channel' ? each.name : each.account.user))).toSorted();

const ALICE = person('alice', { groups: ['dba'] });
const BOB = person('bob', { groups: ['dba'], on: ['slack', 'teams'] });
const MARY = person('mary', { groups: ['managers'] });

describe('where a card goes', () => {
  test('nothing is named: the standing places alone', () => {
    expect(routesFor({ people: [ALICE] })).toEqual({ routes: [], standing: true, problems: [], sound: [] });
  });

  test('a channel of this platform, and nothing standing; on the other one nothing at all', () => {
    const how: Case = { channels: [{ slack: '#prod' }], platforms: ['slack', 'teams'] };
    expect([shown(routesFor(how)), routesFor(how).standing]).toEqual([['#prod'], false]);
    const teams = routesFor({ ...how, platform: 'teams' });
    expect([shown(teams), teams.standing]).toEqual([[], false]);
  });

  test('a channel of a platform that is not connected: every platform’s standing places', () => {
    const routes = routesFor({ channels: [{ teams: 'Ops' }], platforms: ['slack'] });
    expect([shown(routes), routes.standing, routes.problems]).toEqual([
      [],
      true,
      [{ target: 'teams Ops', text: 'policy sends to Teams, which is not connected', lasting: true }],
    ]);
  });

  test('direct: each member who is asked, on each platform where they have an account, and never who stands behind the request', () => {
    const how: Case = {
      channels: [{ direct: 'dba' }],
      people: [ALICE, BOB, MARY, person('dora', { groups: ['dba'] })],
      platforms: ['slack', 'teams'],
      behind: ['dora'],
    };
    expect(shown(routesFor(how))).toEqual(['slack-alice', 'slack-bob']);
    expect(shown(routesFor({ ...how, platform: 'teams' }))).toEqual(['teams-bob']);
    expect(routesFor({ ...how, platform: 'teams' }).standing).toBe(false);
  });

  test('direct: who may decide in the group’s place by now gets it too', () => {
    const how: Case = { channels: [{ direct: 'dba' }], people: [ALICE, MARY] };
    expect(shown(routesFor({ ...how, age: 599 }))).toEqual(['slack-alice']);
    expect(shown(routesFor({ ...how, age: 600 }))).toEqual(['slack-alice', 'slack-mary']);
  });

  test('direct: a group’s parts are its members, and of who is no approver none', () => {
    const nina = person('nina', { groups: ['dba-emea'] });
    const requirement = { stages: [{ name: 's', all: [{ group: 'dba', quorum: 1, escalate: [{ after_seconds: 0, to: 'dba-emea' }] }], distinct_humans: 1 }] };
    expect(shown(routesFor({ channels: [{ direct: 'dba' }], people: [nina], parts: { dba: ['dba-emea'] }, requirement }))).toEqual(['slack-nina']);
    expect(routesFor({ channels: [{ direct: 'managers' }], people: [MARY] })).toMatchObject({
      standing: true,
      problems: [{ target: 'direct managers', lasting: false }],
    });
  });

  test('direct: an absent member’s stand-in gets it where policy lets anybody be one, and not otherwise', () => {
    const how: Case = { channels: [{ direct: 'dba' }], people: [person('sam', { lent: ['dba'] })] };
    expect(routesFor(how).standing).toBe(true);
    expect(shown(routesFor({ ...how, requirement: { delegation: { within: 'same_group', max_seconds: 60 } } }))).toEqual([]);
    expect(shown(routesFor({ ...how, requirement: { delegation: { within: 'anyone', max_seconds: 60 } } }))).toEqual(['slack-sam']);
  });

  test('a person, also one who may not decide; nobody by that address, or without an account, is a problem that stays', () => {
    const how: Case = { channels: [{ person: 'Chief@example.com' }] };
    expect(shown(routesFor({ ...how, channels: [{ person: 'chief@example.com' }], people: [person('chief')] }))).toEqual(['slack-chief']);
    expect(routesFor(how).problems).toMatchObject([{ lasting: true }]);
    expect(routesFor({ channels: [{ person: 'chief@example.com' }], people: [person('chief', { on: [] })] })).toMatchObject({
      standing: true,
      problems: [{ text: expect.stringContaining('no chat account'), lasting: true }],
    });
    expect(routesFor({ channels: [{ person: 'chief@example.com' }], people: [person('chief')], behind: ['chief'] })).toMatchObject({
      routes: [],
      standing: true,
      problems: [{ lasting: false }],
    });
  });

  test('who is on call, by address or group; where that is not known the standing places, and it is said why', () => {
    const channels: Channel[] = [{ on_call: 'night' }];
    const night = (duty: readonly ({ person: string } | { group: string })[] | { failed: string }) => new Map([['night', duty]]);
    expect(shown(routesFor({ channels, onCall: night([{ person: 'alice@example.com' }, { group: 'managers' }]), people: [ALICE, MARY] }))).toEqual([
      'slack-alice',
      'slack-mary',
    ]);
    const unknown = routesFor({ channels, onCall: night({ failed: 'PagerDuty answers 500' }), people: [ALICE] });
    expect(unknown).toMatchObject({
      routes: [],
      standing: true,
      problems: [{ target: 'on_call night', text: expect.stringContaining('PagerDuty answers 500') }],
    });
    expect(routesFor({ channels, onCall: night([]), people: [ALICE] }).standing).toBe(true);
    expect(routesFor({ channels, people: [ALICE] }).problems[0]?.text).toContain('no schedule night');
  });

  test('by e-mail: the group’s asked members, and by private message who has no chat account', () => {
    const ann = person('ann', { groups: ['dba'], on: [] });
    const platforms: readonly PlatformName[] = ['slack', 'email'];
    expect(shown(routesFor({ channels: [{ email: 'dba' }], people: [ALICE, ann], platforms, platform: 'email' }))).toEqual([
      'alice@example.com',
      'ann@example.com',
    ]);
    expect(shown(routesFor({ channels: [{ direct: 'dba' }], people: [ALICE, ann], platforms, platform: 'email' }))).toEqual(['ann@example.com']);
    expect(routesFor({ channels: [{ email: 'dba' }], people: [ALICE] })).toMatchObject({ standing: true, problems: [{ target: 'email dba' }] });
  });
});

describe('whatever policy, directory and platforms say', () => {
  const NAMES = ['ann', 'ben', 'cat', 'dan', 'eve'] as const;
  const GROUPS = ['dba', 'managers', 'others'] as const;
  const people = fc.tuple(
    ...NAMES.map((name) =>
      fc
        .record({
          groups: fc.uniqueArray(fc.constantFrom(...GROUPS)),
          lent: fc.uniqueArray(fc.constantFrom(...GROUPS)),
          active: fc.boolean(),
          on: fc.uniqueArray(fc.constantFrom('slack' as const, 'teams' as const)),
        })
        .map((more) => person(name, more)),
    ),
  );
  const duty = fc.oneof(
    fc.record({ failed: fc.constant('no answer') }),
    fc.array(
      fc.oneof(
        fc.constantFrom(...NAMES).map((name) => ({ person: `${name}@example.com` })),
        fc.constantFrom(...GROUPS).map((group) => ({ group })),
      ),
      {
        maxLength: 3,
      },
    ),
  );
  const channel: fc.Arbitrary<Channel> = fc.oneof(
    fc.constantFrom('#a', '#b').map((slack) => ({ slack })),
    fc.constantFrom('A', 'B').map((teams) => ({ teams })),
    fc.constantFrom(...GROUPS).map((direct) => ({ direct })),
    fc.constantFrom(...GROUPS).map((email) => ({ email })),
    fc.constantFrom(...NAMES, 'zoe').map((name) => ({ person: `${name}@example.com` })),
    fc.constantFrom('one', 'two', 'three').map((on_call) => ({ on_call })),
  );
  const world = fc.record({
    channels: fc.array(channel, { maxLength: 6 }),
    behind: fc.uniqueArray(fc.constantFrom(...NAMES)),
    platforms: fc.uniqueArray(fc.constantFrom(...PLATFORMS), { minLength: 1 }),
    people,
    onCall: fc.record({ one: duty, two: duty }).map((all) => new Map(Object.entries(all))),
    age: fc.constantFrom(0, 599, 600, 5_000),
    requirement: fc.constantFrom<Partial<Requirement>>({}, { veto: ['others'] }, { delegation: { within: 'anyone', max_seconds: 60 } }),
  });

  test('a request that waits is shown somewhere: each connected platform has a place for it, or another one has', () => {
    fc.assert(
      fc.property(world, (how) => {
        const all = how.platforms.map((platform) => routesFor({ ...how, platform }));
        for (const routes of all) expect(routes.standing).toBe(all[0]?.standing);
        expect(all.some((routes) => routes.standing || shown(routes).length > 0)).toBe(true);
        // Every channel that policy names tells somebody, or the standing places get it.
        if (all[0]?.standing === false) expect(all[0].sound).toHaveLength(how.channels.length);
      }),
      { numRuns: 2_000 },
    );
  });

  test('nobody who stands behind it, or is not active, gets it in private', () => {
    fc.assert(
      fc.property(world, fc.constantFrom(...PLATFORMS), (how, platform) => {
        fc.pre(how.platforms.includes(platform));
        const { chain } = requestOf(how);
        for (const { destinations } of routesFor({ ...how, platform }).routes) {
          for (const each of destinations) {
            if (each.kind === 'channel') continue;
            const one = how.people.find(({ person: { id } }) => id === each.person_id);
            expect(one?.person.active).toBe(true);
            expect(one === undefined ? null : linkOf(chain, one.person)).toBeNull();
            const own = platform === 'email' ? [one?.person.email] : one?.accounts.filter((account) => account.platform === platform).map(({ user }) => user);
            expect(own).toContain(each.account.user);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('it is the same each time, and in whatever order the directory tells', () => {
    fc.assert(
      fc.property(world, fc.constantFrom(...PLATFORMS), (how, platform) => {
        const once = routesFor({ ...how, platform });
        expect(routesFor({ ...how, platform })).toEqual(once);
        expect(shown(routesFor({ ...how, platform, people: how.people.toReversed() }))).toEqual(shown(once));
      }),
      { numRuns: 500 },
    );
  });
});
