import { expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { fromUtf8, utf8 } from '../request/bytes.js';
import { makeLeaf, openLeaf, verifyLeaf, type LeafParts } from './leaf.js';

const parts: LeafParts = {
  id: '0192f0c1-7d3a-7c5e-8a11-2b6f0e9d4c55',
  event: 'decision.recorded',
  at: '2026-11-21T12:00:00.000Z',
  tenant: 'default',
  subject: 'ar_0192f0c1-0000-7000-8000-000000000001',
  facts: { verdict: 'approve', via: 'slack', policy_digest: `sha256:${'ab'.repeat(32)}` },
  details: { person: { email: 'alice@example.com' }, action_digest: `sha256:${'cd'.repeat(32)}` },
  recordKey: new Uint8Array(32).fill(9),
};
const malformed = expect.objectContaining({ code: 'ledger_malformed' });

test('E1: a leaf is these bytes, and an HMAC from elsewhere gives its commitment', () => {
  const commitment = createHmac('sha256', parts.recordKey)
    .update(`{"action_digest":"sha256:${'cd'.repeat(32)}","person":{"email":"alice@example.com"}}`)
    .digest('hex');
  expect(fromUtf8(makeLeaf(parts))).toBe(
    `{"at":"2026-11-21T12:00:00.000Z","commitment":"hmac-sha256:${commitment}","event":"decision.recorded",` +
      `"facts":{"policy_digest":"sha256:${'ab'.repeat(32)}","verdict":"approve","via":"slack"},` +
      `"id":"${parts.id}","subject":"${parts.subject}","tenant":"default","v":1}`,
  );
});

test('E4, I13: the details are not in the leaf; they are proven while the key exists, and nothing else is', () => {
  const bytes = makeLeaf(parts);
  expect(fromUtf8(bytes)).not.toMatch(/alice|cdcd/);
  const leaf = openLeaf(bytes);
  expect(verifyLeaf(leaf, parts.details, parts.recordKey)).toBe(true);
  expect(verifyLeaf(leaf, { action_digest: parts.details['action_digest'] ?? null, person: { email: 'alice@example.com' } }, parts.recordKey)).toBe(true);
  expect(verifyLeaf(leaf, { ...parts.details, more: 1 }, parts.recordKey)).toBe(false);
  expect(verifyLeaf(leaf, parts.details, new Uint8Array(32))).toBe(false);
  expect(verifyLeaf(leaf, parts.details, new Uint8Array(0))).toBe(false);
});

test('I13: two records with the same details have different commitments', () => {
  const other = makeLeaf({ ...parts, recordKey: new Uint8Array(32).fill(8) });
  expect(openLeaf(other).commitment).not.toBe(openLeaf(makeLeaf(parts)).commitment);
});

test('neither digest, nor parameters, can be made a fact', () => {
  for (const facts of [{ action_digest: 'x' }, { deep: [{ request_digest: 'x' }] }, { parameters: {} }]) {
    expect(() => makeLeaf({ ...parts, facts })).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  }
});

test('a leaf that no bundle can carry, and a key of another length, are refused', () => {
  expect(() => makeLeaf({ ...parts, facts: { long: 'x'.repeat(65_536) } })).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  expect(() => makeLeaf({ ...parts, recordKey: new Uint8Array(16) })).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
});

test('only the bytes that a leaf is written with are read', () => {
  const text = fromUtf8(makeLeaf(parts));
  expect(openLeaf(utf8(text))).toMatchObject({ v: 1, id: parts.id, event: parts.event, facts: parts.facts });
  const others = [
    `${text}\n`,
    ` ${text}`,
    `\ufeff${text}`,
    text.replace('"v":1', '"v":2'),
    text.replace('"v":1', '"v":1,"w":1'),
    text.replace('"tenant":"default",', ''),
    text.replace('"tenant":', '"tenant":"x","tenant":'),
    text.replace('"via":"slack"', '"via":"sl\\u0061ck"'),
    text.replace('hmac-sha256:', 'hmac-sha512:'),
    '[]',
    '',
  ];
  for (const other of others) expect(() => openLeaf(utf8(other))).toThrow(malformed);
  expect(() => openLeaf(Uint8Array.of(0xc3, 0x28))).toThrow(malformed);
});
