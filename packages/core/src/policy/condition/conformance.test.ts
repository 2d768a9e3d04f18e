import { isCelError, isCelList, plan, type CelResult } from '@bufbuild/cel';
import type { Value } from '@bufbuild/cel-spec/cel/expr/value_pb.js';
import { getConformanceSuite, type IncrementalTestSuite } from '@bufbuild/cel-spec/testdata/tests.js';
import { describe, expect, test } from '@jest/globals';
import { checkDialect } from './dialect.js';
import { CelEngine } from './engine.js';
import { isFault, parseCondition } from './syntax.js';

/** What this language does otherwise on purpose: a result that is no finite number is an error, since comparisons with it are false and let things pass. */
const OTHERWISE = new Set([
  '/comparisons/eq_literal/not_eq_double_nan',
  '/comparisons/ne_literal/not_ne_double_nan',
  '/comparisons/ne_literal/ne_double_nan',
  '/fp_math/fp_math/divide_zero',
  '/fp_math/fp_math/fp_overflow_positive',
  '/fp_math/fp_math/fp_overflow_negative',
]);

interface Case {
  name: string;
  source: string;
  /** Undefined: an error. */
  expected: Value | undefined;
}

/** The official cases that this language's dialect lets through: without bindings, messages, maps, types and bytes. */
function casesOf(suite: IncrementalTestSuite, path: string): Case[] {
  const own = suite.tests.flatMap(({ original, name }): Case[] => {
    if (Object.keys(original.bindings).length > 0 || original.container !== '') return [];
    const parsed = parseCondition(original.expr);
    if (isFault(parsed) || checkDialect(parsed.expr, parsed.sourceInfo, new Set()).length > 0) return [];
    const { case: kind, value } = original.resultMatcher;
    if (kind === 'evalError') return [{ name: `${path}/${name}`, source: original.expr, expected: undefined }];
    return kind === 'value' && plainOf(value) !== OPAQUE ? [{ name: `${path}/${name}`, source: original.expr, expected: value }] : [];
  });
  return [...own, ...suite.suites.flatMap((inner) => casesOf(inner, `${path}/${inner.name}`))];
}

const OPAQUE: unique symbol = Symbol('a value of a kind that this language does not have');

function plainOf({ kind }: Value): unknown {
  switch (kind.case) {
    case 'boolValue':
    case 'stringValue':
    case 'int64Value':
    case 'doubleValue':
      return kind.value;
    case 'nullValue':
      return null;
    case 'listValue': {
      const elements = kind.value.values.map(plainOf);
      return elements.includes(OPAQUE) ? OPAQUE : elements;
    }
    default:
      return OPAQUE;
  }
}

const plainResult = (result: CelResult): unknown => (isCelList(result) ? [...result].map((element) => plainResult(element as CelResult)) : result);

describe('the cases of the CEL specification that the dialect covers', () => {
  const engine = new CelEngine();
  const cases = casesOf(getConformanceSuite(), '');

  test('are many', () => expect(cases.length).toBeGreaterThan(300));

  test('come out as it says', () => {
    const wrong = cases.flatMap(({ name, source, expected }) => {
      const parsed = parseCondition(source);
      if (isFault(parsed)) return [name];
      engine.refill();
      const result = plan(engine.env, engine.metered(parsed.expr))({});
      const right =
        expected === undefined || OTHERWISE.has(name)
          ? isCelError(result)
          : !isCelError(result) && Object.is(JSON.stringify(plainResult(result), spell), JSON.stringify(plainOf(expected), spell));
      return right ? [] : [`${name}: ${source} → ${isCelError(result) ? 'error' : JSON.stringify(plainResult(result), spell)}`];
    });
    expect(wrong).toEqual([]);
  });
});

/** Ints are told from doubles. */
const spell = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}n` : typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
