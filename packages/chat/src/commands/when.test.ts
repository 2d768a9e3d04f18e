import { describe, expect, test } from '@jest/globals';
import { parseInstant, type Instant } from '@countersign/core/request';
import { instantWords, readUntil, wallInstant } from './when.js';

/** A Saturday, 13:00 in Berlin. */
const NOW = parseInstant('2026-11-21T12:00:00.000Z') as Instant; // it is one
const read = (words: string, zone = 'UTC', now = NOW): string | null => readUntil(words, now, zone);

describe('C6: until when somebody is away', () => {
  test.each([
    ['Friday', '2026-11-28T00:00:00.000Z'],
    ['until Friday', '2026-11-28T00:00:00.000Z'],
    ['fri', '2026-11-28T00:00:00.000Z'],
    ['Saturday', '2026-11-29T00:00:00.000Z'],
    ['tomorrow', '2026-11-23T00:00:00.000Z'],
    ['today', '2026-11-22T00:00:00.000Z'],
    ['tomorrow 9:00', '2026-11-22T09:00:00.000Z'],
    ['tomorrow at 5pm', '2026-11-22T17:00:00.000Z'],
    ['Friday, 14:30', '2026-11-27T14:30:00.000Z'],
    ['Monday 12 am', '2026-11-23T00:00:00.000Z'],
    ['Monday noon', '2026-11-23T12:00:00.000Z'],
    ['17:00', '2026-11-21T17:00:00.000Z'],
    ['end of week', '2026-11-28T00:00:00.000Z'],
    ['2026-12-01', '2026-12-02T00:00:00.000Z'],
    ['2026-12-01 08:15', '2026-12-01T08:15:00.000Z'],
    ['2026-12-01T08:15:00+01:00', '2026-12-01T07:15:00.000Z'],
    ['1 December', '2026-12-02T00:00:00.000Z'],
    ['December 1st', '2026-12-02T00:00:00.000Z'],
    ['3 jan', '2027-01-04T00:00:00.000Z'],
    ['3. 1.', '2027-01-04T00:00:00.000Z'],
    ['24.12.2026', '2026-12-25T00:00:00.000Z'],
    ['for 3 days', '2026-11-24T12:00:00.000Z'],
    ['3 days', '2026-11-24T12:00:00.000Z'],
    ['for a week', '2026-11-28T12:00:00.000Z'],
    ['4h', '2026-11-21T16:00:00.000Z'],
    ['for 90 min', '2026-11-21T13:30:00.000Z'],
  ])('%j ends %s', (words, instant) => {
    expect(read(words)).toBe(instant);
  });

  test.each([
    '',
    'ever',
    'soon',
    'fr1day',
    '11:00',
    'yesterday',
    '2026-11-20',
    '2026-02-30',
    '31 November',
    '12/01/2026',
    'Friday 25:00',
    'Friday 13pm',
    'for 0 days',
    '-3 days',
    '99999 days',
    'for days',
    'm',
  ])('%j is not understood, or over', (words) => {
    expect(read(words)).toBeNull();
  });

  test('a day ends by the clock on the person’s own wall, also where the clock changes', () => {
    expect(read('Friday', 'Europe/Berlin')).toBe('2026-11-27T23:00:00.000Z');
    expect(read('Friday 9:00', 'America/New_York')).toBe('2026-11-27T14:00:00.000Z');
    // It is Sunday already on Kiritimati.
    expect(read('today', 'Pacific/Kiritimati')).toBe('2026-11-22T10:00:00.000Z');
    const autumn = parseInstant('2026-10-24T12:00:00.000Z') as Instant; // it is one
    expect(read('tomorrow', 'Europe/Berlin', autumn)).toBe('2026-10-25T23:00:00.000Z');
    expect(wallInstant(autumn, 'Europe/Berlin', 1, 9 * 60)).toBe('2026-10-25T08:00:00.000Z');
    expect(read('Friday', 'Mars/Olympus')).toBe('2026-11-28T00:00:00.000Z');
  });

  test('what was understood is said with the instant', () => {
    expect(instantWords('2026-11-27T23:00:00.000Z', 'Europe/Berlin')).toBe('Friday 27 November 2026, 24:00, Europe/Berlin (2026-11-27T23:00:00.000Z)');
    expect(instantWords('2026-11-27T23:05:00.000Z', 'nowhere')).toBe('Friday 27 November 2026, 23:05, UTC (2026-11-27T23:05:00.000Z)');
  });
});
