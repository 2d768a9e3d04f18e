import { describe, expect, test } from '@jest/globals';
import type { SealContext } from '@countersign/core/ports';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import type { KeyWrapper } from './key-wrapper.js';
import { parseMasterKeyring } from './master-keyring.js';
import { EnvelopeSealer, sealedUnderKid } from './sealer.js';

const [one, two] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
const sealer = new EnvelopeSealer(parseMasterKeyring(`k1:${one}`));
const place: SealContext = { tenant: 'default', table: 'action_requests', row: 'ar_1', column: 'sealed_payload' };
const places: SealContext[] = (['tenant', 'table', 'row', 'column'] as const).map((member) => ({ ...place, [member]: 'other' }));
const secret = new TextEncoder().encode('{"card":"4111 1111 1111 1111"}');

describe('what is sealed', () => {
  test('opens in its place and shows nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (plaintext) => {
        expect(await sealer.open(place, await sealer.seal(place, plaintext))).toEqual(plaintext);
      }),
    );
    const sealed = await sealer.seal(place, secret);
    expect(Buffer.from(sealed).includes(Buffer.from(secret.subarray(0, 8)))).toBe(false);
    expect(await sealer.seal(place, secret)).not.toEqual(sealed);
  });

  test('does not open in another tenant, table, row or column, nor where two places could be mixed up', async () => {
    const sealed = await sealer.seal(place, secret);
    for (const other of [...places, { ...place, table: 'action_requests","ar_1', row: '' }])
      await expect(sealer.open(other, sealed)).rejects.toMatchObject({ code: 'not_opened' });
  });

  test('does not open with any bit flipped, or cut anywhere', async () => {
    const sealed = await sealer.seal(place, secret);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const flipped = sealed.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(sealer.open(place, flipped)).rejects.toMatchObject({ code: expect.stringMatching(/^(not_opened|unknown_master_key)$/) });
    }
    for (let length = 0; length < sealed.length; length += 1)
      await expect(sealer.open(place, sealed.slice(0, length))).rejects.toMatchObject({ name: 'KeysError' });
  });

  test('does not open with the ciphertext or the key of another secret', async () => {
    const [a, b] = [await sealer.seal(place, secret), await sealer.seal(place, secret)];
    const header = 1 + 1 + 2 + 2 + 60;
    await expect(sealer.open(place, Buffer.concat([a.slice(0, header), b.slice(header)]))).rejects.toMatchObject({ code: 'not_opened' });
  });

  test('a rotation re-wraps the data key, leaves the ciphertext alone, and needs the old key no longer', async () => {
    const sealed = await sealer.seal(place, secret);
    const both = new EnvelopeSealer(parseMasterKeyring(`k2:${two},k1:${one}`));
    const only = new EnvelopeSealer(parseMasterKeyring(`k2:${two}`));
    expect(await both.open(place, sealed)).toEqual(secret);
    await expect(only.open(place, sealed)).rejects.toMatchObject({ code: 'unknown_master_key' });
    const rewrapped = await both.rewrap(place, sealed);
    expect([sealedUnderKid(sealed), sealedUnderKid(rewrapped)]).toEqual(['k1', 'k2']);
    expect(rewrapped.slice(66)).toEqual(sealed.slice(66));
    expect(await only.open(place, rewrapped)).toEqual(secret);
    expect(await both.rewrap(place, rewrapped)).toEqual(rewrapped);
    for (const other of places) await expect(both.rewrap(other, sealed)).rejects.toMatchObject({ code: 'not_opened' });
  });

  test('a kid cannot be swapped for another, though both keys are there', async () => {
    const both = new EnvelopeSealer(parseMasterKeyring(`k2:${two},k1:${one}`));
    const swapped = await sealer.seal(place, secret);
    swapped[3] = '2'.charCodeAt(0);
    expect(sealedUnderKid(swapped)).toBe('k2');
    await expect(both.open(place, swapped)).rejects.toMatchObject({ code: 'not_opened' });
  });

  test('a KMS with wrapped keys of its own length plugs in', async () => {
    const keyring = parseMasterKeyring(`inner:${one}`);
    const kms: KeyWrapper = {
      activeKid: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd',
      wrap: async (dataKey, context) => Buffer.concat([Buffer.alloc(300), await keyring.wrap(dataKey, context)]),
      unwrap: (_, wrapped, context) => keyring.unwrap('inner', wrapped.subarray(300), context),
    };
    const remote = new EnvelopeSealer(kms);
    const sealed = await remote.seal(place, secret);
    expect(await remote.open(place, sealed)).toEqual(secret);
    expect(sealedUnderKid(sealed)).toBe(kms.activeKid);
  });
});

describe("what is sealed under a record's key", () => {
  const key = randomBytes(32);

  test('opens with that key in its place, and with nothing else (I13)', () => {
    const sealed = sealer.sealUnder(key, place, secret);
    expect(sealer.openUnder(key, place, sealed)).toEqual(secret);
    const notOpened = expect.objectContaining({ code: 'not_opened' });
    expect(() => sealer.openUnder(randomBytes(32), place, sealed)).toThrow(notOpened);
    for (const other of places) expect(() => sealer.openUnder(key, other, sealed)).toThrow(notOpened);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const flipped = sealed.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => sealer.openUnder(key, place, flipped)).toThrow(notOpened);
    }
    expect(() => sealer.sealUnder(randomBytes(16), place, secret)).toThrow(expect.objectContaining({ code: 'invalid_key' }));
  });

  test('is never taken for what the master key sealed, nor the other way round', async () => {
    await expect(sealer.open(place, sealer.sealUnder(key, place, secret))).rejects.toMatchObject({ code: 'not_opened' });
    const sealed = await sealer.seal(place, secret);
    expect(() => sealer.openUnder(key, place, sealed)).toThrow(expect.objectContaining({ code: 'not_opened' }));
  });
});
