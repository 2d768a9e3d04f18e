import { idPrefixes, idSchema, type IdPrefix } from '@countersign/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CoreError } from '../errors.js';
import { idEpochMs, isId, newId } from './ids.js';
import { addSeconds, compareInstants, epochMs, formatInstant, parseInstant } from './instants.js';

const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe('ids are a prefix and a UUIDv7', () => {
  test('the example of RFC 9562, appendix A.6', () => {
    const bytes = new Uint8Array([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
    expect(newId('ar', 0x017f22e279b0, bytes)).toBe('ar_017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  test('every id is accepted by its kind alone and carries its time', () => {
    fc.assert(
      fc.property(fc.constantFrom(...(Object.keys(idPrefixes) as IdPrefix[])), time, random, (prefix, ms, bytes) => {
        const id = newId(prefix, ms, bytes);
        expect(idSchema(prefix).safeParse(id).success).toBe(true);
        for (const other of Object.keys(idPrefixes) as IdPrefix[]) expect(isId(other, id)).toBe(other === prefix);
        expect(idEpochMs(id)).toBe(ms);
        expect(isId(prefix, id.toUpperCase()) || isId(prefix, `${id} `)).toBe(false);
      }),
    );
  });

  test('ids sort by their time', () => {
    fc.assert(fc.property(time, time, random, random, (a, b, x, y) => fc.pre(a < b) === undefined && expect(newId('ar', a, x) < newId('ar', b, y)).toBe(true)));
  });

  test('the random bits all count, but for the version and the variant', () => {
    const ids = new Set<string>([newId('ar', 0, new Uint8Array(10))]);
    for (let bit = 0; bit < 80; bit++) {
      const bytes = new Uint8Array(10);
      bytes[Math.floor(bit / 8)] = 1 << (bit % 8);
      ids.add(newId('ar', 0, bytes));
    }
    expect(ids.size).toBe(1 + 74);
  });

  test('wrong random bytes and times are faults', () => {
    expect(() => newId('ar', 0, new Uint8Array(9))).toThrow(CoreError);
    expect(() => newId('ar', -1, new Uint8Array(10))).toThrow(CoreError);
    expect(() => newId('ar', NaN, new Uint8Array(10))).toThrow(CoreError);
  });
});

describe('instants have one form', () => {
  test("format and parse are each other's inverse, and text order is time order", () => {
    const ms = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 });
    fc.assert(
      fc.property(ms, ms, (a, b) => {
        const [first, second] = [formatInstant(a), formatInstant(b)];
        expect(parseInstant(first)).toBe(first);
        expect(epochMs(first)).toBe(a);
        expect(Math.sign(compareInstants(first, second))).toBe(Math.sign(a - b));
      }),
    );
  });

  test.each([
    '2026-02-03T04:05:06Z',
    '2026-02-03T04:05:06.7Z',
    '2026-02-03T04:05:06.7890Z',
    '2026-02-03T04:05:06.789+00:00',
    '2026-02-03t04:05:06.789z',
    '2026-02-30T00:00:00.000Z',
    '2026-13-01T00:00:00.000Z',
    '2026-01-01T24:00:00.000Z',
    '2026-06-30T23:59:60.000Z',
    ' 2026-02-03T04:05:06.789Z',
    '+002026-02-03T04:05:06.789Z',
    '',
  ])('%j is not an instant', (text) => expect(parseInstant(text)).toBeUndefined());

  test('seconds are added to the millisecond, and years past 9999 are a fault', () => {
    const start = formatInstant(0);
    expect(addSeconds(start, 1.5)).toBe('1970-01-01T00:00:01.500Z');
    expect(addSeconds(start, -0.001)).toBe('1969-12-31T23:59:59.999Z');
    expect(() => addSeconds(start, 1e12)).toThrow(CoreError);
    expect(() => formatInstant(NaN)).toThrow(CoreError);
  });
});
