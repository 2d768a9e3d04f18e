import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cursorOf, readCursor } from './cursor.js';

const place = { created_at: '2026-11-21T12:00:00.000Z', id: 'ar_01970000-0000-7000-8000-000000000001' };
const scope = { tenant: 'default', reader: 'key_1', status: 'pending' };

describe('a cursor', () => {
  test('reads back for the query and reader that it was made for, and for no other', () => {
    const cursor = cursorOf(place, scope);
    expect(readCursor(cursor, scope)).toEqual(place);
    expect(readCursor(cursor, { ...scope, reader: 'key_2' })).toBeNull();
    expect(readCursor(cursor, { ...scope, status: 'denied' })).toBeNull();
  });

  test('that was changed anywhere is refused', () => {
    const cursor = cursorOf(place, scope);
    fc.assert(
      fc.property(fc.nat(cursor.length - 1), fc.constantFrom(...'Aa0_-=+ '), (index, letter) => {
        const changed = cursor.slice(0, index) + letter + cursor.slice(index + 1);
        return changed === cursor || readCursor(changed, scope) === null;
      }),
    );
    for (const text of ['', 'x', `${cursor}=`, ` ${cursor}`, Buffer.from('a b c').toString('base64url')]) expect(readCursor(text, scope)).toBeNull();
  });
});
