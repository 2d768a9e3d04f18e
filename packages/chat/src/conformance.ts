/** What every platform guarantees, as a test suite: a platform's tests call it with a harness around its real SDK and a fake server. */
import { describe, expect, test } from '@jest/globals';
import { actionRows } from './conformance/actions.js';
import { cardRows } from './conformance/cards.js';
import { faultRows } from './conformance/faults.js';
import type { Feature, PlatformHarness, Row } from './conformance/harness.js';
import { hostileRows } from './conformance/hostile-text.js';
import { pressRows } from './conformance/presses.js';

export type {
  ActAnswer,
  Acting,
  AccountKind,
  ConformanceWorld,
  Feature,
  Forgery,
  PersonAct,
  PersonName,
  PersonPress,
  PlatformHarness,
  PressAnswer,
  ShownCard,
} from './conformance/harness.js';

const ROWS: readonly Row[] = [...cardRows, ...hostileRows, ...pressRows, ...actionRows, ...faultRows];

/**
 * Declares the suite for one platform. `without` names what cannot exist there, each with the reason: rows that need it are not
 * declared, and one test lists them.
 */
export function platformConformance(name: string, makeHarness: () => Promise<PlatformHarness>, without: Partial<Record<Feature, string>> = {}): void {
  const applies = (row: Row): boolean => row.needs === undefined || without[row.needs] === undefined;

  describe(`${name} keeps the promises of a platform`, () => {
    for (const row of ROWS.filter(applies)) {
      test(row.title, async () => {
        const harness = await makeHarness();
        try {
          await row.run(harness);
        } finally {
          await harness.close();
        }
      });
    }

    const left = ROWS.filter((row) => !applies(row));
    const list = Object.entries(without).map(([feature, why]) => `${feature}: ${why}`);
    test(`does not have: ${list.join('; ') || 'nothing is missing'}`, () => {
      // Each feature that is said to be missing leaves rows out, and has a reason; nothing else is left out.
      expect(new Set(left.map(({ needs }) => needs))).toEqual(new Set(Object.keys(without)));
      for (const [feature, why] of Object.entries(without)) expect({ feature, words: why.split(' ').length > 3 }).toEqual({ feature, words: true });
    });
  });
}
