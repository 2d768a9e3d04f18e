import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createPace, type PaceLimit, type PaceTimer } from '@countersign/chat';
import { type FakeBotFramework, startFakeBotFramework } from '@countersign/dev-env/teams';
import fc from 'fast-check';
import { createAuthentication } from './authentication.js';
import { ALL, createPacedCalls, MESSAGES, QUESTIONS } from './paced-calls.js';
import { createTeamsCalls, type TeamsReference } from './teams-calls.js';

const GROUP = '19:oncall@thread.v2';
let teams: FakeBotFramework;
beforeAll(async () => {
  jest.spyOn(console, 'error').mockImplementation(() => {});
  teams = await startFakeBotFramework({
    people: [{ key: 'alice', name: 'Alice', email: 'alice@example.com' }],
    conversations: [{ id: GROUP, type: 'groupChat', name: 'On call' }],
  });
});
afterAll(() => teams.close());

/** Time that moves when somebody waits for it: each wait ends at once, and is noted. */
function impatient(): PaceTimer & { waits: number[] } {
  let now = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    after(ms, wake) {
      waits.push(ms);
      now += ms;
      setImmediate(wake);
    },
  };
}

function callsOf(timer: PaceTimer, random = () => 0.5) {
  const config = {
    auth: 'on' as const,
    appType: 'SingleTenant' as const,
    appId: teams.appId,
    appPassword: teams.appPassword,
    tenantIds: [teams.tenantId],
    openIdMetadataUrl: teams.openIdMetadataUrl,
    linkMode: 'proof' as const,
    openPlaces: false,
  };
  return createPacedCalls(createTeamsCalls(createAuthentication(config, teams.credentialsFactory), teams.appId), { timer, random });
}
const reference = (): TeamsReference => ({
  bot: { id: `28:${teams.appId}`, name: 'Countersign' },
  serviceUrl: teams.serviceUrl,
  conversation: { id: GROUP, conversationType: 'groupChat', isGroup: true, name: '', tenantId: teams.tenantId },
});
const card = { type: 'AdaptiveCard', version: '1.5', body: [{ type: 'TextBlock', text: 'Hello' }] } as never; // the smallest card that there is
const asked = (operation: string) => teams.wire.traffic.filter(({ request }) => request.name === operation).length;

describe('what Teams allows', () => {
  test.each<[string, readonly PaceLimit[], [number, number][]]>([
    [
      'messages in a conversation',
      MESSAGES,
      [
        [1_000, 7],
        [2_000, 8],
        [30_000, 60],
        [3_600_000, 1_800],
      ],
    ],
    [
      'questions for members in a conversation',
      QUESTIONS,
      [
        [1_000, 14],
        [2_000, 16],
        [30_000, 120],
        [3_600_000, 3_600],
      ],
    ],
    ['everything in a tenant', [ALL], [[1_000, 30]]],
  ])('%s: never more in any window, however they come', async (_what, limits, windows) => {
    await fc.assert(
      fc.asyncProperty(fc.array(gap, { minLength: 1, maxLength: 150, size: 'max' }), async (gaps) => {
        const went = await timesOf(limits, gaps);
        for (const [ms, most] of windows)
          for (const at of went) expect(went.filter((other) => other >= at && other < at + ms).length).toBeLessThanOrEqual(most);
      }),
      { numRuns: 40 },
    );
  });

  test('the hour holds also where somebody asks as fast as the short windows let', async () => {
    const went = await timesOf(
      MESSAGES,
      Array.from({ length: 7_000 }, () => 600),
    );
    const times = [...went];
    for (let from = 0, to = 0; from < times.length; from += 1) {
      while (to < times.length && (times[to] ?? 0) < (times[from] ?? 0) + 3_600_000) to += 1;
      expect(to - from).toBeLessThanOrEqual(1_800);
    }
    expect(went.length).toBeGreaterThan(1_700);
  });
});

/** Mostly many at once, then less. */
const gap = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.nat({ max: 300 }) },
  { weight: 1, arbitrary: fc.nat({ max: 4_000 }) },
);

/** When the calls go through that come after these gaps, in milliseconds; those that are sent away do not count. */
async function timesOf(limits: readonly PaceLimit[], gaps: readonly number[]): Promise<number[]> {
  let now = 0;
  let alarms: { at: number; wake: () => void }[] = [];
  const pace = createPace({ now: () => now, after: (ms, wake) => void alarms.push({ at: now + ms, wake }) });
  const went: number[] = [];
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 6; turn += 1) await Promise.resolve();
  };
  const passTo = async (end: number): Promise<void> => {
    for (;;) {
      await settle();
      const next = alarms.reduce<(typeof alarms)[number] | null>((first, one) => (first === null || one.at < first.at ? one : first), null);
      if (next === null || next.at > end) break;
      now = next.at;
      alarms = alarms.filter((one) => one !== next);
      next.wake();
    }
    now = Math.max(now, end);
  };
  for (const gap of gaps) {
    await passTo(now + gap);
    void (async () => {
      for (const [at, limit] of limits.toReversed().entries()) await pace.turn(String(at), limit, 'card');
      went.push(now);
    })().catch(() => {});
  }
  await passTo(now + 10_000);
  return went.toSorted((a, b) => a - b);
}

describe('Teams’ answers', () => {
  test('after a 429 the conversation is left alone for as long as Teams asks, other conversations are not', async () => {
    const timer = impatient();
    const calls = callsOf(timer);
    teams.throttle('sendToConversation', 3);
    await expect(calls('notice').say(reference(), 'one')).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 3 });
    await calls('outcome').say(reference(), 'two');
    expect(timer.now()).toBeGreaterThanOrEqual(3_000);
    // Longer than a call waits here: its work goes back to where it came from, with the time to come again.
    teams.throttle('sendToConversation', 60);
    await expect(calls('card').say(reference(), 'three')).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 60 });
    const before = asked('sendToConversation');
    await expect(calls('card').say(reference(), 'four')).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 60 });
    expect(asked('sendToConversation')).toBe(before);
    const thread = { ...reference(), conversation: { ...reference().conversation, id: `${GROUP};messageid=1` } };
    await expect(calls('card').say(thread, 'five')).rejects.toMatchObject({ code: 'rate_limited' });
    expect((await calls('card').roster(reference(), 5)).length).toBeGreaterThan(0);
  });

  test.each([412, 502, 504])('an update that ends in %i is tried again, after times that are not the same for everybody', async (status) => {
    const [short, long] = [impatient(), impatient()];
    const id = await callsOf(impatient())('card').post(reference(), card, 'Hello');
    const answer = { status, body: JSON.stringify({ error: { code: 'ServiceError', message: 'Unknown' } }), headers: { 'content-type': 'application/json' } };
    for (const [timer, random] of [
      [short, 0],
      [long, 0.999],
    ] as const) {
      const before = asked('updateActivity');
      teams.wire.fail('updateActivity', { kind: 'answer', answer }, { times: 2 });
      await callsOf(timer, () => random)('outcome').update(reference(), id, card, 'Hello');
      expect(asked('updateActivity') - before).toBe(3);
    }
    expect(short.waits).toEqual([200, 400]);
    expect(long.waits.map(Math.round)).toEqual([600, 1_199]);
  });

  test('it is given up after three times, and a message is not sent twice by itself: it may stand there', async () => {
    const calls = callsOf(impatient());
    const id = await calls('card').post(reference(), card, 'Hello');
    let before = asked('updateActivity');
    teams.fail('updateActivity', 'server_error', { times: 9 });
    await expect(calls('outcome').update(reference(), id, card, 'Hello')).rejects.toMatchObject({ code: 'unreachable' });
    expect(asked('updateActivity') - before).toBe(3);
    teams.wire.heal();
    before = asked('sendToConversation');
    teams.fail('sendToConversation', 'server_error');
    await expect(calls('card').post(reference(), card, 'Hello')).rejects.toMatchObject({ code: 'unreachable' });
    expect(asked('sendToConversation') - before).toBe(1);
  });
});
