import { describe, expect, test } from '@jest/globals';
import { abandoned, admit, CLOSED, ended, type Breaker } from './circuit-breaker.js';

/** Applies attempts that ended, `+` success and `-` failure, each `stepMs` after the one before. */
function after(breaker: Breaker, attempts: string, stepMs = 1000, startMs = 0): { breaker: Breaker; nowMs: number } {
  let nowMs = startMs;
  for (const each of attempts) {
    nowMs += stepMs;
    breaker = ended(breaker, each === '+', nowMs);
  }
  return { breaker, nowMs };
}

describe('opening', () => {
  test.each([
    ['four failures in a row', '----', 'closed'],
    ['five failures in a row', '-----', 'open'],
    ['five with a success between', '----+-', 'closed'],
    ['five of nine', '-+-+-+-+-', 'closed'],
    ['five of ten, the last a failure', '+-+-+-+-+-', 'open'],
    ['half of ten, but the receiver is back', '-+-+-+-+-+', 'closed'],
    ['four of ten', '+-+-+-+-++', 'closed'],
  ])('%s', (_, attempts, state) => expect(after(CLOSED, attempts).breaker.state).toBe(state));

  test('failures older than five minutes count no more', () => {
    expect(after(CLOSED, '+-+-+-+-+-', 60_000).breaker.state).toBe('closed');
    expect(after(CLOSED, '+-+-+-+-+-', 30_000).breaker.state).toBe('open');
  });

  test('the window stays small however many attempts it counts', () => {
    const { breaker } = after(CLOSED, '+'.repeat(5000), 100);
    expect(breaker.state === 'closed' && breaker.slots.length).toBeLessThanOrEqual(11);
  });
});

describe('probing', () => {
  const { breaker: open, nowMs } = after(CLOSED, '-----');

  test('one attempt goes after 30 s; the others wait for it', () => {
    expect(admit(open, nowMs + 29_999)).toEqual({ admitted: false, retryAtMs: nowMs + 30_000 });
    const probe = admit(open, nowMs + 30_000);
    if (!probe.admitted) throw new Error('the probe was not admitted');
    expect(admit(probe.breaker, nowMs + 30_001)).toMatchObject({ admitted: false });
  });

  test('success closes it; failure doubles the wait up to ten minutes', () => {
    let breaker = open;
    let time = nowMs;
    const waits: number[] = [];
    for (let probes = 0; probes < 7; probes += 1) {
      const wait = admit(breaker, time);
      if (wait.admitted) throw new Error('admitted at once');
      waits.push((wait.retryAtMs - time) / 1000);
      time = wait.retryAtMs;
      const probe = admit(breaker, time);
      if (!probe.admitted) throw new Error('the probe was not admitted');
      breaker = ended(probe.breaker, false, time);
      expect(ended(probe.breaker, true, time)).toEqual(CLOSED);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 600, 600]);
  });

  test('a probe that never ends does not keep it shut for ever, and an abandoned one is repeated at once', () => {
    const probe = admit(open, nowMs + 30_000);
    if (!probe.admitted) throw new Error('the probe was not admitted');
    expect(admit(probe.breaker, nowMs + 90_000).admitted).toBe(true);
    expect(admit(abandoned(probe.breaker, nowMs + 31_000), nowMs + 31_000).admitted).toBe(true);
  });

  test('late failures of attempts from before do not push the probe away', () => {
    expect(ended(open, false, nowMs + 20_000)).toEqual(open);
    expect(ended(open, true, nowMs + 20_000)).toEqual(CLOSED);
  });
});
