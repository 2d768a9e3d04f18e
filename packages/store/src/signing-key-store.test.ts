import { randomBytes } from 'node:crypto';
import type { StoredSigningKey } from '@countersign/core/ports';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { aLeaf, at, TENANT } from './testing/sample-records.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await storeFixture();
});
afterAll(() => fixture.close());

const aKey = (purpose: string): StoredSigningKey => ({
  kid: randomBytes(8).toString('hex'),
  purpose,
  algorithm: 'Ed25519',
  public_key: randomBytes(32),
  sealed_private_key: randomBytes(60),
  created_at: at(0),
  retired_at: null,
});
const rows = async (purpose: string): Promise<StoredSigningKey[]> => (await fixture.store.signingKeys.list()).filter((key) => key.purpose === purpose);

test('I4: a rotation retires one key, adds its successor and tells the ledger, or does nothing', async () => {
  const { signingKeys, requests } = fixture.store;
  const first = aKey('outcome');
  await signingKeys.insert(first);
  const successor = aKey('outcome');
  expect(await signingKeys.rotate({ retired: first.kid, successor, tenant: TENANT, leaf: aLeaf(successor.kid, 'key.rotated') })).toEqual({ changed: true });
  expect((await rows('outcome')).map(({ kid, retired_at }) => [kid, retired_at])).toEqual([
    [first.kid, successor.created_at],
    [successor.kid, null],
  ]);
  expect(await requests.timeline(TENANT, successor.kid)).toMatchObject([{ event: 'key.rotated', position: null }]);

  // The key that was retired already, one that is not there, and one of another purpose.
  for (const [retired, purpose] of [
    [first.kid, 'outcome'],
    ['nobody', 'outcome'],
    [successor.kid, 'checkpoint'],
  ] as const) {
    const late = aKey(purpose);
    expect(await signingKeys.rotate({ retired, successor: late, tenant: TENANT, leaf: aLeaf(late.kid, 'key.rotated') })).toEqual({ changed: false });
    expect(await requests.timeline(TENANT, late.kid)).toEqual([]);
  }
  expect(await rows('outcome')).toHaveLength(2);
});

test('I4: of twenty rotations of one key at once one happens', async () => {
  const { signingKeys } = fixture.store;
  const first = aKey('checkpoint');
  await signingKeys.insert(first);
  const tries = await Promise.all(
    Array.from({ length: 20 }, () => {
      const successor = aKey('checkpoint');
      return signingKeys.rotate({ retired: first.kid, successor, tenant: TENANT, leaf: aLeaf(successor.kid, 'key.rotated') });
    }),
  );
  expect(tries.filter(({ changed }) => changed)).toHaveLength(1);
  const found = await rows('checkpoint');
  expect(found).toHaveLength(2);
  expect(found.filter(({ retired_at }) => retired_at === null)).toHaveLength(1);
});
