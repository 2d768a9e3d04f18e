import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { utf8 } from './bytes.js';
import { canonicalJson } from './canonical-json.js';
import type { JsonValue } from './json-value.js';
import { parseStrictJson, type StrictJsonProblem } from './strict-json.js';

function problemOf(input: string | Uint8Array, limits = {}): StrictJsonProblem | undefined {
  const result = parseStrictJson(input, limits);
  return result.ok ? undefined : result.problem;
}
const codeOf = (input: string | Uint8Array, limits = {}): string | undefined => problemOf(input, limits)?.code;

/** Documents that every parser reads alike: what strict JSON must accept. */
const wellFormed = fc.string({ unit: 'binary' }).map((text) => text.replace(/[\0\p{Cs}]/gu, '.'));
const exactNumber = fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, min: -1e15, max: 1e15 })).map((number) => number + 0);
const goodKey = wellFormed.filter((key) => !['__proto__', 'constructor', 'prototype'].includes(key));
const document = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom<JsonValue>(null, true, false),
    exactNumber,
    wellFormed,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(goodKey, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

describe('strict JSON reads what every parser reads alike', () => {
  test('any such document gives the value that JSON.parse gives, from text and from bytes, compact and indented', () => {
    fc.assert(
      fc.property(document, fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const expected = { ok: true, value: JSON.parse(text) };
        expect(parseStrictJson(text)).toEqual(expected);
        expect(parseStrictJson(utf8(text))).toEqual(expected);
      }),
    );
  });

  test('the canonical text of a value that was accepted is accepted and gives the value again', () => {
    fc.assert(fc.property(document, (value) => expect(parseStrictJson(canonicalJson(value))).toEqual({ ok: true, value })));
  });

  test('a text that it accepts, JSON.parse accepts with the same value; never the other way alone', () => {
    const alphabet = fc.constantFrom(...'{}[]",:\\ \n0123456789.eE+-truefalsn\u00e9\u{1F600}ud', '\uD83D', '\0', '"a":', '\\u00', '\\uD8');
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('');
        const result = parseStrictJson(text);
        if (result.ok) expect(result.value).toEqual(JSON.parse(text, (_, value: unknown) => (value === 0 ? 0 : value)));
        else expect(result.problem.line).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    '0',
    '-0',
    '-0.0',
    '1',
    '-1',
    '0.1',
    '1.50',
    '1e3',
    '1E-7',
    '9007199254740991',
    '-9007199254740991',
    '5e-324',
    '0e999999999',
    '0.30000000000000004',
    '123456.789e3',
  ])('the number %s is exact and accepted', (text) => {
    const result = parseStrictJson(text);
    expect(result).toEqual({ ok: true, value: Number(text) + 0 });
    expect(result.ok && Object.is(result.value, -0)).toBe(false);
  });

  test('escapes are read, and a pair of escaped surrogates is one character', () => {
    expect(parseStrictJson(String.raw`"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00"`)).toEqual({ ok: true, value: '"\\/\b\f\n\r\té😀' });
  });

  test('64 levels are accepted, 65 are not, and a hundred thousand do not overflow the stack', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(codeOf(nested(64))).toBeUndefined();
    expect(codeOf(nested(65))).toBe('too_deep');
    expect(codeOf(nested(100_000))).toBe('too_deep');
    expect(codeOf('{"a":'.repeat(65) + '1' + '}'.repeat(65))).toBe('too_deep');
    expect(codeOf(nested(100_000), { maxDepth: 200_000 })).toBeUndefined();
  });
});

describe('strict JSON refuses what parsers read differently', () => {
  test.each<[string, string, string]>([
    ['duplicate_key', '{"a":1,"a":1}', '/a'],
    ['duplicate_key', String.raw`{"x":[{"a":1,"\u0061":2}]}`, '/x/0/a'],
    ['duplicate_key', '{"toString":1,"toString":2}', '/toString'],
    ['forbidden_key', '{"__proto__":{"admin":true}}', '/__proto__'],
    ['forbidden_key', String.raw`{"\u005f_proto__":1}`, '/__proto__'],
    ['forbidden_key', '{"a":{"constructor":1}}', '/a/constructor'],
    ['forbidden_key', '{"prototype":1}', '/prototype'],
    ['lone_surrogate', '["\uD83D"]', ''],
    ['lone_surrogate', '["a\uDE00"]', ''],
    ['lone_surrogate', String.raw`["\uD83D"]`, '/0'],
    ['lone_surrogate', String.raw`["\uDE00\uD83D"]`, '/0'],
    ['lone_surrogate', String.raw`{"\uD83Dx":1}`, ''],
    ['nul_character', String.raw`["a\u0000"]`, '/0'],
    ['nul_character', '["a\0"]', '/0'],
    ['nul_character', String.raw`{"\u0000":1}`, ''],
    ['imprecise_number', '9007199254740992', ''],
    ['imprecise_number', '-9007199254740993', ''],
    ['imprecise_number', '1e20', ''],
    ['imprecise_number', '100000000000000000000', ''],
    ['imprecise_number', '1e400', ''],
    ['imprecise_number', '-1e400', ''],
    ['imprecise_number', '1e-400', ''],
    ['imprecise_number', '0.1000000000000000055', ''],
    ['imprecise_number', '{"a":[1,0.10000000000000001]}', '/a/1'],
    ['imprecise_number', '1.00000000000000000001', ''],
    ['imprecise_number', '9007199254740991.5', ''],
    ['byte_order_mark', '\uFEFF{}', ''],
    ['trailing_text', '{} x', ''],
    ['trailing_text', '{}{}', ''],
    ['trailing_text', '1,', ''],
    ['syntax', '', ''],
    ['syntax', ' \n ', ''],
    ['syntax', '{', ''],
    ['syntax', '{"a"}', '/a'],
    ['syntax', '{"a":1,}', ''],
    ['syntax', '[1,]', '/1'],
    ['syntax', '[1 2]', '/1'],
    ['syntax', '[,1]', '/0'],
    ['syntax', "{'a':1}", ''],
    ['syntax', '{a:1}', ''],
    ['syntax', '01', ''],
    ['syntax', '-', ''],
    ['syntax', '1.', ''],
    ['syntax', '.5', ''],
    ['syntax', '+1', ''],
    ['syntax', '1e', ''],
    ['syntax', '0x10', ''],
    ['syntax', '--1', ''],
    ['syntax', 'NaN', ''],
    ['syntax', 'Infinity', ''],
    ['syntax', 'tru', ''],
    ['trailing_text', 'truex', ''],
    ['syntax', '"a', ''],
    ['syntax', '"a\nb"', ''],
    ['syntax', String.raw`"\x41"`, ''],
    ['syntax', String.raw`"\u00g0"`, ''],
    ['syntax', '"\\', ''],
    ['syntax', '[1] // c', ''],
    ['syntax', '\u00a01', ''],
    ['syntax', '[1}', '/1'],
    ['syntax', '{"a":1]', ''],
  ])('%s: %j', (code, text, pointer) => {
    const expected = text === '[1] // c' ? 'trailing_text' : code;
    expect(problemOf(text)).toMatchObject({ code: expected, pointer });
  });

  test('bytes that are not UTF-8 are refused with their place: overlong forms, surrogates, cut and stray bytes', () => {
    for (const bytes of [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0x80], [0xff], [0xf4, 0x90, 0x80, 0x80]]) {
      const input = new Uint8Array([...utf8('{"a":\n"'), ...bytes, ...utf8('"}')]);
      expect(problemOf(input)).toMatchObject({ code: 'invalid_utf8', line: 2, column: 2 });
    }
    expect(codeOf(utf8('"\u{FFFD}"'))).toBeUndefined();
    expect(codeOf(new Uint8Array([0xef, 0xbb, 0xbf, 0x31]))).toBe('byte_order_mark');
    expect(codeOf(new Uint8Array([0xff, 0xfe, 0x31, 0x00]))).toBe('invalid_utf8');
  });

  test('the size limit counts bytes of UTF-8, in text and in bytes', () => {
    const text = `"${'é'.repeat(10)}"`;
    expect(codeOf(text, { maxBytes: 22 })).toBeUndefined();
    expect(codeOf(text, { maxBytes: 21 })).toBe('too_large');
    expect(codeOf(utf8(text), { maxBytes: 21 })).toBe('too_large');
    expect(codeOf(`"${'a'.repeat(262_143)}"`)).toBe('too_large');
  });

  test('line and column point at the problem in code points', () => {
    expect(problemOf('{\r\n  "a": 1,\n  "😀": 1, "a": 2\n}')).toMatchObject({ code: 'duplicate_key', line: 3, column: 11, pointer: '/a' });
  });

  test('hostile texts of 200 kB run to their end', () => {
    for (const text of [
      '['.repeat(200_000),
      '{"a":'.repeat(40_000),
      '"\\u0041'.repeat(28_000),
      '1'.repeat(200_000),
      `0.${'0'.repeat(200_000)}1`,
      `1e${'9'.repeat(200_000)}`,
      ' '.repeat(200_000),
      '"\uD83D\uDE00'.repeat(60_000),
    ])
      expect(parseStrictJson(text).ok).toBe(false);
    const wide = `{${Array.from({ length: 20_000 }, (_, index) => `"k${index}":0`).join(',')}}`;
    expect(parseStrictJson(wide).ok).toBe(true);
  });

  test('nothing reaches Object.prototype', () => {
    parseStrictJson('{"__proto__":{"polluted":true}}');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
