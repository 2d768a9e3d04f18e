import { tests as conformance } from '@bufbuild/cel-spec/testdata/conformance.js';
import type { CelInput } from '@bufbuild/cel';
import { describe, expect, test } from '@jest/globals';
import type { Bindings } from './bindings.js';
import { ConditionCompiler, conjunction } from './condition.js';
import { CelEngine } from './engine.js';
import type { TypeScope } from './types.js';

/**
 * The conformance tests of CEL (cel-spec, tests/simple), through this language's own compiler and engine. A case counts where the language takes its
 * expression; what it leaves out stands below, with why and how often, so that neither a case nor a construct gets lost silently.
 */
interface Case {
  readonly name: string;
  readonly expr: string;
  readonly expected: { readonly value: CelInput } | 'error';
  readonly variables: ReadonlyMap<string, CelInput>;
}

/** Why the language does not take a case. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'only checked': 'a case without evaluation says nothing of results',
  'names in containers': 'names have no containers: there is one set of roots',
  'another type': 'there are neither bytes, unsigned numbers, types as values, nor protobuf messages',
  'another function': 'functions that no policy needs, or whose results are of those types; the list stands below',
  'maps written out': 'maps come from requests, and are not written in conditions',
  'bytes and unsigned': 'there are neither bytes nor unsigned numbers',
  'another syntax': 'the syntax of protobuf messages and optional values',
  'another name': 'names of enums and types of protobuf',
  'a type error': 'the checker refuses what can never come out right, and what CEL compares by its type alone',
  'an unreadable literal': 'a literal that cannot be read is refused when the bundle loads, where CEL gives an error at run time',
};

interface Json {
  readonly [member: string]: unknown;
}
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** A cel.expr.Value as JSON (protobuf's mapping); undefined where the language has no such value. */
function read(value: Json): CelInput | undefined {
  const [[kind, content] = ['', undefined]] = Object.entries(value);
  switch (kind) {
    case 'int64Value':
      return BigInt(String(content));
    case 'boolValue':
    case 'stringValue':
      // Protobuf's JSON has them as they are.
      return content as boolean | string;
    case 'doubleValue':
      return Number(content);
    case 'nullValue':
      return null;
    case 'listValue': {
      const elements = listOf(isObject(content) ? content['values'] : undefined).map(read);
      return elements.includes(undefined) ? undefined : (elements as CelInput[]);
    }
    case 'mapValue': {
      const entries = listOf(isObject(content) ? content['entries'] : undefined).map(
        ({ key, value: member }) => [isObject(key) ? read(key) : undefined, isObject(member) ? read(member) : undefined] as const,
      );
      const members = new Map<string, CelInput>();
      for (const [key, member] of entries) {
        // Maps come from JSON, so their keys are text.
        if (typeof key !== 'string' || member === undefined) return undefined;
        members.set(key, member);
      }
      return members;
    }
    default:
      return undefined;
  }
}

/** A case that the language could take, or the reason why not. */
function caseOf(name: string, original: Json): Case | keyof typeof LEFT_OUT {
  const { expr, bindings, typedResult, value, evalError, anyEvalErrors } = original;
  const typed = isObject(typedResult) ? typedResult['result'] : undefined;
  if (original['checkOnly'] === true || (typedResult !== undefined && typed === undefined)) return 'only checked';
  // Neither occurs in the test data, and the language has neither.
  if (original['disableMacros'] === true || original['unknown'] !== undefined || original['anyUnknowns'] !== undefined) return 'not known';
  if (Object.keys(isObject(bindings) ? bindings : {}).some((variable) => variable.includes('.'))) return 'names in containers';
  const fails = evalError !== undefined || anyEvalErrors !== undefined;
  const result = read(isObject(typed) ? typed : isObject(value) ? value : { boolValue: true });
  if (!fails && result === undefined) return 'another type';
  const variables = new Map<string, CelInput>();
  for (const [variable, bound] of Object.entries(isObject(bindings) ? bindings : {})) {
    const of = isObject(bound) && isObject(bound['value']) ? read(bound['value']) : undefined;
    if (of === undefined) return 'another type';
    variables.set(variable, of);
  }
  return { name, expr: String(expr), expected: fails || result === undefined ? 'error' : { value: result }, variables };
}

const engine = new CelEngine();
const compiler = new ConditionCompiler([], engine);
const scope: TypeScope = { parameters: undefined, facts: { members: {} }, windows: { members: {} }, actions: 'no action' };

/** Variables of a case stand in `parameters`, where requests have theirs. */
function withVariables(expr: string, variables: ReadonlyMap<string, CelInput>): string {
  return expr.replaceAll(/("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?<![.\w])([A-Za-z_]\w*)(?!\w)/g, (whole, text: string | undefined, name: string | undefined) =>
    text === undefined && name !== undefined && variables.has(name) ? `parameters.${name}` : whole,
  );
}

/** A condition is true or false: another value is compared with the one that is expected, and an error with itself. */
function conditionsFor({ expr, expected, variables }: Case): { source: string; truth: string }[] {
  const source = `(${withVariables(expr, variables)}\n)`;
  if (expected === 'error') return [source, `${source} == ${source}`].map((each) => ({ source: each, truth: 'error' }));
  if (typeof expected.value === 'boolean') return [{ source, truth: String(expected.value) }];
  return [{ source: `${source} == parameters.expected_result`, truth: 'true' }];
}

function bindingsFor({ expected, variables }: Case): Bindings {
  const values: Record<string, CelInput> = Object.create(null);
  values['parameters'] = new Map([...variables, ...(expected === 'error' ? [] : [['expected_result', expected.value] as const])]);
  return { values, withheld: {} };
}

/** The names of functions that cases use and the language leaves out. */
const otherFunctions = new Set<string>();

function reasonFor(message: string): keyof typeof LEFT_OUT | undefined {
  const fn = /^the function "([^"]+)" is not known/.exec(message)?.[1];
  if (fn !== undefined) {
    otherFunctions.add(fn);
    return 'another function';
  }
  if (message.startsWith('maps and messages')) return 'maps written out';
  if (message.startsWith('bytes and unsigned')) return 'bytes and unsigned';
  if (message.startsWith('the condition is not CEL')) return 'another syntax';
  if (/^the name "[^"]+" is not known/.test(message)) return 'another name';
  if (/cannot read "|^a time zone is a literal/.test(message)) return 'an unreadable literal';
  if (/ do not go together in | cannot be compared with | is never equal to | is no yes or no$|is for whole numbers|has no negative/.test(message))
    return 'a type error';
  return undefined;
}

interface Outcome {
  readonly taken: number;
  readonly leftOut: Record<string, number>;
  readonly unexplained: string[];
  readonly deviations: string[];
}

function run(): Outcome & { byFile: Record<string, number>; total: number } {
  const outcome = {
    taken: 0,
    total: 0,
    leftOut: {} as Record<string, number>,
    unexplained: [] as string[],
    deviations: [] as string[],
    byFile: {} as Record<string, number>,
  };
  const leave = (reason: string): void => void (outcome.leftOut[reason] = (outcome.leftOut[reason] ?? 0) + 1);
  const one = (file: string, name: string, original: Json): void => {
    outcome.total++;
    const found = caseOf(name, original);
    if (typeof found !== 'object') return leave(found);
    const tried = conditionsFor(found).map(({ source, truth }) => ({ source, truth, compiled: compiler.compile(source, scope) }));
    const fits = tried.find(({ compiled }) => compiled.condition !== undefined);
    const condition = fits?.compiled.condition;
    if (fits === undefined || condition === undefined) {
      // The last try is the one that makes a yes or no of everything.
      const message = tried.at(-1)?.compiled.faults[0]?.message ?? '';
      const reason = reasonFor(message);
      if (reason === undefined) outcome.unexplained.push(`${name}: ${message}`);
      else leave(reason);
      return;
    }
    outcome.taken++;
    outcome.byFile[file] = (outcome.byFile[file] ?? 0) + 1;
    engine.refill();
    const truth = conjunction(condition.conjuncts, bindingsFor(found));
    if (truth !== fits.truth) outcome.deviations.push(`${name}: ${found.expr} is ${truth}`);
  };
  const visit = (suite: (typeof conformance.suites & object)[number], path: string): void => {
    const [, file = ''] = path.split('/');
    for (const inner of suite.suites ?? []) visit(inner, `${path}/${inner.name}`);
    for (const { original } of suite.tests ?? []) one(file, `${path}/${original.name ?? original.expr}`, original);
  };
  visit(conformance, '');
  return outcome;
}

describe('CEL conformance', () => {
  const outcome = run();

  test('every case is taken, or left out for a reason that is written down', () => {
    expect(outcome.unexplained).toEqual([]);
    expect(Object.keys(outcome.leftOut).filter((reason) => !Object.hasOwn(LEFT_OUT, reason))).toEqual([]);
    expect(outcome.taken + Object.values(outcome.leftOut).reduce((sum, count) => sum + count, 0)).toBe(outcome.total);
  });

  test('each case that is taken has CEL’s result, but that numbers stay finite', () => {
    // A comparison with NaN is false, and false lets things pass; so what leaves the finite numbers is an error here.
    expect(outcome.deviations).toEqual([
      '/comparisons/eq_literal/not_eq_double_nan: 0.0/0.0 == 0.0/0.0 is error',
      '/comparisons/ne_literal/not_ne_double_nan: 0.0/0.0 != 0.0/0.0 is error',
      '/comparisons/ne_literal/ne_double_nan: 0.0/0.0 != 0.0/0.0 is error',
      '/fp_math/fp_math/divide_zero: 15.75 / 0.0 is error',
      '/fp_math/fp_math/fp_overflow_positive: 2.0 * 8.988466e+307  is error',
      '/fp_math/fp_math/fp_overflow_negative: 2.0 * -8.988466e+307  is error',
    ]);
  });

  test('as many cases are taken as the language promises; who changes it changes these numbers on purpose', () => {
    expect(outcome.total).toBe(2344);
    expect(outcome.byFile).toEqual({
      basic: 25,
      comparisons: 100,
      conversions: 38,
      fields: 3,
      fp_math: 29,
      integer_math: 41,
      lists: 15,
      logic: 22,
      macros: 25,
      parse: 92,
      plumbing: 4,
      string: 45,
      string_ext: 3,
      timestamps: 57,
      type_deductions: 8,
    });
    expect(outcome.leftOut).toEqual({
      'another type': 464,
      'maps written out': 426,
      'another name': 21,
      'another function': 708,
      'another syntax': 61,
      'bytes and unsigned': 61,
      'a type error': 50,
      'names in containers': 8,
      'an unreadable literal': 13,
      'only checked': 25,
    });
    expect(Object.keys(outcome.leftOut).sort()).toEqual(Object.keys(LEFT_OUT).sort());
  });

  test('the functions that are left out are these', () => {
    // Of CEL itself: types, unsigned numbers, bytes; of its extensions: strings, math, encoders, optionals, two-variable macros; and reserved words.
    expect([...otherFunctions].sort()).toEqual(
      'NestedEnum abs all as bind bitAnd bitNot bitOr bitShiftLeft bitShiftRight bitXor block bool break bytes ceil charAt const continue dyn else encode exists existsOne f_unknown floor for format function getMilliseconds greatest hasValue if import indexOf isFinite isInf isNaN join lastIndexOf least let loop map namespace none of orValue package quote replace return round sign split substring transformList transformMap trim trunc type uint upperAscii value var void while'.split(
        ' ',
      ),
    );
  });
});
