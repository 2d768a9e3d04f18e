import { describe, expect, test } from '@jest/globals';
import { createPace, PlatformError, type PaceTimer, type Urgency } from './index.js';

/** Time that moves when the test says so. */
function handMade(): PaceTimer & { pass(ms: number): Promise<void> } {
  let now = 0;
  let alarms: { at: number; wake: () => void }[] = [];
  return {
    now: () => now,
    after: (ms, wake) => void alarms.push({ at: now + ms, wake }),
    async pass(ms) {
      const end = now + ms;
      for (;;) {
        // What was let through goes on before time does.
        await new Promise(setImmediate);
        const next = alarms.toSorted((one, other) => one.at - other.at)[0];
        if (next === undefined || next.at > end) break;
        now = next.at;
        alarms = alarms.filter((one) => one !== next);
        next.wake();
      }
      now = end;
      await new Promise(setImmediate);
    },
  };
}

const PER_SECOND = { everyMs: 1_000, burst: 1 };

/** Calls on one lane, with a record of when each went through or was sent away. */
function lane(limit = PER_SECOND) {
  const timer = handMade();
  const pace = createPace(timer);
  const went: [string, number][] = [];
  const sent: [string, number | null][] = [];
  return {
    timer,
    pace,
    went,
    sent,
    call(name: string, urgency: Urgency = 'card', key = 'C1') {
      void pace.turn(key, limit, urgency).then(
        () => went.push([name, timer.now()]),
        (error: unknown) => {
          if (!(error instanceof PlatformError)) throw error;
          sent.push([name, error.retryAfterSeconds]);
        },
      );
    },
  };
}

describe('pacing', () => {
  test('one call a second goes through, in order', async () => {
    const { call, timer, went, sent } = lane();
    for (const name of ['a', 'b', 'c']) call(name);
    await timer.pass(5_000);
    expect([went, sent]).toEqual([
      [
        ['a', 0],
        ['b', 1_000],
        ['c', 2_000],
      ],
      [],
    ]);
    call('d');
    await timer.pass(0);
    expect(went.at(-1)).toEqual(['d', 5_000]);
  });

  test('as many as the limit allows go at once', async () => {
    const { call, timer, went } = lane({ everyMs: 1_000, burst: 3 });
    for (const name of ['a', 'b', 'c', 'd']) call(name);
    await timer.pass(1_000);
    expect(went.map(([, at]) => at)).toEqual([0, 0, 0, 1_000]);
  });

  test('outcomes go before new cards, which go before notices', async () => {
    const { call, timer, went } = lane();
    call('first', 'notice');
    call('notice', 'notice');
    call('card', 'card');
    call('outcome', 'outcome');
    await timer.pass(10_000);
    expect(went.map(([name]) => name)).toEqual(['first', 'outcome', 'card', 'notice']);
    call('first again');
    call('outcome again', 'outcome');
    call('answer', 'answer');
    await timer.pass(10_000);
    expect(went.map(([name]) => name).slice(4)).toEqual(['first again', 'answer', 'outcome again']);
  });

  test('who would wait too long is sent away with a time of its own, so that they do not come back at once', async () => {
    const { call, timer, went, sent } = lane();
    for (let nth = 0; nth < 10; nth++) call(`card ${String(nth)}`);
    await timer.pass(60_000);
    expect(went).toHaveLength(6);
    expect(sent.map(([, seconds]) => seconds)).toEqual([6, 7, 8, 9]);
  });

  test('somebody overtaken beyond patience is sent away, not forgotten', async () => {
    const { call, timer, went, sent } = lane();
    call('first');
    call('notice', 'notice');
    for (let nth = 0; nth < 4; nth++) call(`outcome ${String(nth)}`, 'outcome');
    await timer.pass(20_000);
    expect(went.map(([name]) => name)).toEqual(['first', 'outcome 0', 'outcome 1', 'outcome 2', 'outcome 3']);
    expect(sent.map(([name]) => name)).toEqual(['notice']);
  });

  test('a pause that the platform asks for holds everybody on the lane, and nobody else; after it they come one by one', async () => {
    const { call, pace, timer, went, sent } = lane({ everyMs: 500, burst: 10 });
    pace.pause('C1', { everyMs: 500, burst: 10 }, 3);
    for (const name of ['a', 'b', 'c']) call(name);
    call('elsewhere', 'card', 'C2');
    await timer.pass(10_000);
    expect(went).toEqual([
      ['elsewhere', 0],
      ['a', 3_000],
      ['b', 3_500],
      ['c', 4_000],
    ]);
    pace.pause('C1', { everyMs: 500, burst: 10 }, 30);
    call('late');
    await timer.pass(0);
    expect(sent).toEqual([['late', 30]]);
  });

  test('who waits already when the pause begins is sent away where it is too long', async () => {
    const { call, pace, timer, went, sent } = lane();
    call('a');
    call('b');
    await timer.pass(0);
    pace.pause('C1', PER_SECOND, 30);
    await timer.pass(0);
    expect([went, sent]).toEqual([[['a', 0]], [['b', 30]]]);
  });
});
