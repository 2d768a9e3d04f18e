import { expect, test } from '@jest/globals';
import { MAX_ATTEMPTS, nextAttempt } from './retry-schedule.js';

const MIDDLE = 0.5; // No jitter.

test('sixteen attempts over about 76 hours, the first at once', () => {
  const delays = Array.from({ length: 20 }, (_, made) => nextAttempt(made, MIDDLE));
  expect(delays.slice(0, 16)).toEqual([0, 2, 5, 15, 30, 60, 120, 300, 600, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]);
  expect(delays.slice(16)).toEqual(['exhausted', 'exhausted', 'exhausted', 'exhausted']);
  expect(MAX_ATTEMPTS).toBe(16);
  const hours = delays.reduce<number>((sum, delay) => sum + (delay === 'exhausted' ? 0 : delay), 0) / 3600;
  expect(Math.round(hours)).toBe(76);
});

test('each delay moves by at most a fifth, either way', () => {
  for (let made = 1; made < MAX_ATTEMPTS; made += 1) {
    const middle = Number(nextAttempt(made, MIDDLE));
    expect(nextAttempt(made, 0)).toBeCloseTo(middle * 0.8, 6);
    expect(nextAttempt(made, 1 - Number.EPSILON)).toBeCloseTo(middle * 1.2, 6);
  }
  expect(nextAttempt(0, 0)).toBe(0);
});

test('Retry-After lengthens the wait, up to an hour, and never shortens it or adds an attempt', () => {
  expect(nextAttempt(1, MIDDLE, 120)).toBe(120);
  expect(nextAttempt(1, MIDDLE, 1_000_000)).toBe(3600);
  expect(nextAttempt(10, MIDDLE, 1)).toBe(7200);
  expect(nextAttempt(16, MIDDLE, 60)).toBe('exhausted');
});
