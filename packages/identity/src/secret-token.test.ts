import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseApiKey } from './api-keys.js';
import { parsePersonalToken } from './personal-tokens.js';
import { hashOf, makeToken, parseToken, sameHash } from './secret-token.js';

const entropy = { bytes: (length: number): Uint8Array => randomBytes(length) };

describe('tokens', () => {
  test('have the form that secret scanners look for', () => {
    expect(makeToken('key', entropy).text).toMatch(/^cs_key_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
    expect(makeToken('pat', entropy).text).toMatch(/^cs_pat_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
  });

  test('read back as what was made, and what may be shown holds nothing secret', () => {
    for (let round = 0; round < 200; round++) {
      const made = makeToken('key', entropy);
      expect(parseToken('key', made.text)).toEqual(made);
      expect(made.prefix).toHaveLength('cs_key_'.length + 8);
      expect(sameHash(made.hash, hashOf(made.text))).toBe(true);
    }
  });

  test('with any one letter changed are refused before a look-up', () => {
    const { text } = makeToken('key', entropy);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'0aZ_-'), (index, letter) => {
        const changed = text.slice(0, index) + letter + text.slice(index + 1);
        return changed === text || parseApiKey(changed) === null;
      }),
    );
  });

  test('C4: an API key is never read as a personal token, nor the other way', () => {
    expect(parsePersonalToken(makeToken('key', entropy).text)).toBeNull();
    expect(parseApiKey(makeToken('pat', entropy).text)).toBeNull();
    const relabelled = makeToken('key', entropy).text.replace('cs_key_', 'cs_pat_');
    expect(parsePersonalToken(relabelled)).toBeNull();
  });

  test('draw their letters evenly: no letter of base62 is missing or favoured', () => {
    const counts = new Map<string, number>();
    for (let round = 0; round < 2000; round++) {
      for (const letter of makeToken('key', entropy).text.split('_')[3] ?? '') counts.set(letter, (counts.get(letter) ?? 0) + 1);
    }
    // 64,000 letters over 62: 1,032 each; a modulo without rejection would give the first 8 letters 25 % more.
    expect(counts.size).toBe(62);
    expect(Math.max(...counts.values())).toBeLessThan(1032 * 1.2);
  });
});
