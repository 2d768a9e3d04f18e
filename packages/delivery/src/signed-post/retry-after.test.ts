import { expect, test } from '@jest/globals';
import { parseRetryAfter } from './retry-after.js';

const now = Date.UTC(1994, 10, 6, 8, 49, 0);

test.each([
  ['120', 120],
  [' 7 ', 7],
  ['0', 0],
  ['999999999999', 3600],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 37],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 37],
  ['Sun Nov  6 08:49:37 1994', 37],
  ['Sun, 06 Nov 1994 08:48:00 GMT', 0],
  ['Mon, 07 Nov 1994 08:49:37 GMT', 3600],
])('%j is %i seconds', (value, seconds) => expect(parseRetryAfter(value, now)).toBe(seconds));

test.each([undefined, '', '-1', '1.5', '1e3', 'soon', '1994-11-06T08:49:37Z', 'Sun, 06 Nov 1994 08:49:37 +0100', 'Sun, 99 Nov 1994 08:49:37 GMT'])(
  '%j is none',
  (value) => expect(parseRetryAfter(value, now)).toBeUndefined(),
);

test('one that came twice is none', () => expect(parseRetryAfter(['1', '2'], now)).toBeUndefined());
