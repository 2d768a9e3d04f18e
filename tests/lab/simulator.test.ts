import { describe, expect, jest, test } from '@jest/globals';
import type { Condition } from './memory-store.js';
import { simulate } from './simulator.js';

/*
 * The flows of core under a seeded scheduler. `COUNTERSIGN_SIMULATIONS=5000` runs that many seeds, `COUNTERSIGN_SEED=17` begins at that
 * one: a seed that a failure names repeats its run to the letter.
 */
const FIRST = Number(process.env['COUNTERSIGN_SEED'] ?? 1);
const RUNS = Number(process.env['COUNTERSIGN_SIMULATIONS'] ?? 300);

jest.setTimeout(60_000 + RUNS * 200);

test(`I1–I4, I9, I17: hold in ${RUNS} runs of concurrent actors, crashes, lost answers and changing policy`, async () => {
  const counts: Record<string, number> = {};
  for (let seed = FIRST; seed < FIRST + RUNS; seed++) {
    const run = await simulate(seed);
    expect({ seed, violations: run.violations }).toEqual({ seed, violations: [] });
    for (const [name, count] of Object.entries(run.counts)) counts[name] = (counts[name] ?? 0) + count;
  }
  if (RUNS >= 300) {
    // The runs are about something: every end, and every kind of fault.
    for (const name of ['approved', 'denied', 'expired', 'cancelled', 'revoked', 'redeemed_grants', 'lost_before', 'lost_answer', 'tried_twice', 'crashed']) {
      expect({ name, some: (counts[name] ?? 0) > 5 }).toEqual({ name, some: true });
    }
  }
  if (process.env['COUNTERSIGN_SIMULATIONS'] !== undefined) process.stderr.write(`${RUNS} seeds from ${FIRST}: ${JSON.stringify(counts)}\n`);
});

test('a seed repeats its run to the letter', async () => {
  expect(await simulate(4)).toEqual(await simulate(4));
});

describe('what the simulator is for: it finds a store that forgets', () => {
  test.each<[Condition, RegExp]>([
    ['version', /^I[239]/],
    ['time', /^I[29]/],
    ['policy', /^I3/],
    ['idempotency', /^I1/],
    ['leaves', /^I4/],
  ])('the %s', async (forgets, rule) => {
    const found: string[] = [];
    for (let seed = 1; seed <= 400 && found.length === 0; seed++) found.push(...(await simulate(seed, { forgets })).violations);
    expect(found.join('\n')).toMatch(rule);
  });
});
