import { createPublicKey, verify } from 'node:crypto';
import { decodeEntryBundle, leafHash, noteVerifierKey, verifyCheckpoint } from '@countersign/core/ledger';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

describe('the ledger over HTTP', () => {
  test('E2: an empty or unknown ledger has no checkpoint', async () => {
    expect(await world.call('GET', '/ledger/default/checkpoint')).toMatchObject({ status: 404, json: { code: 'not_found' } });
    expect(await world.call('GET', '/ledger/nobody/checkpoint')).toMatchObject({ status: 404 });
    expect(await world.call('GET', '/ledger/..%2fdefault/checkpoint')).toMatchObject({ status: 404 });
  });

  test('E2: checkpoint and hash tiles are open, and entries hash to them', async () => {
    const request = await world.pending();
    await world.decide(world.tokens.alice, request, 'approve');
    const placed = await world.sequence();
    expect(placed).toBeGreaterThan(3);

    const checkpoint = await world.call('GET', '/ledger/default/checkpoint');
    expect(checkpoint).toMatchObject({ status: 200, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' } });
    const { publicKey } = world.keyring.signer('checkpoint');
    const verdict = await verifyCheckpoint(checkpoint.text, {
      origin: 'localhost/default',
      vkeys: noteVerifierKey('localhost/default', publicKey),
      verify: (key, message, signature) =>
        verify(null, message, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') }, format: 'jwk' }), signature),
    });
    if (!verdict.ok) throw new Error(verdict.reason);
    const { size } = verdict.checkpoint;
    expect(size).toBe(placed);

    // Whoever has no key yet finds it beside the log, for every key that ever signed.
    expect((await world.call('GET', '/ledger/default/vkey')).text).toBe(`${noteVerifierKey('localhost/default', publicKey)}\n`);
    expect(await world.call('GET', '/ledger/nobody/vkey')).toMatchObject({ status: 404 });

    const tile = await world.call('GET', `/ledger/default/tile/0/000.p/${size}`);
    expect(tile).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/octet-stream', 'cache-control': 'public, max-age=31536000, immutable' },
    });
    expect(tile.bytes).toHaveLength(size * 32);

    const bundle = await world.call('GET', `/ledger/default/tile/entries/000.p/${size}`, { as: world.tokens.olivia });
    expect(bundle).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/octet-stream', 'cache-control': 'private, max-age=31536000, immutable' },
    });
    decodeEntryBundle(bundle.bytes).forEach((entry, index) => expect(Buffer.from(leafHash(entry))).toEqual(tile.bytes.subarray(index * 32, index * 32 + 32)));
  });

  test('E1: entries are for auditors and administrators alone', async () => {
    const at = (as?: string) => world.call('GET', '/ledger/default/tile/entries/000.p/1', as === undefined ? {} : { as });
    expect(await at()).toMatchObject({ status: 401 });
    for (const as of [world.key, world.tokens.alice, world.tokens.dana]) expect(await at(as)).toMatchObject({ status: 403, json: { code: 'forbidden' } });
    await world.sql(`UPDATE directory_people SET roles = ARRAY['auditor'] WHERE email = 'carol@example.com'`);
    expect(await at(world.tokens.carol)).toMatchObject({ status: 200 });
  });

  test('E2: a tile beyond the signed size, or a path in another spelling, is not there', async () => {
    for (const path of [
      '0/000',
      '0/000.p/250',
      '0/001.p/1',
      '1/000.p/1',
      '0/0',
      '0/000.p/0',
      '0/000.p/256',
      '00/000',
      '64/000',
      '0/x000/000',
      '0/000.p/1/',
      '',
      '0/%30%30%30.p/1x',
    ]) {
      expect(await world.call('GET', `/ledger/default/tile/${path}`)).toMatchObject({ status: 404 });
    }
    expect(await world.call('GET', '/ledger/default/tile/0/000.p/1')).toMatchObject({ status: 200 });
    expect(await world.call('GET', '/ledger/other/tile/0/000.p/1')).toMatchObject({ status: 404 });
    expect(await world.call('GET', '/ledger/other/tile/entries/000.p/1', { as: world.tokens.olivia })).toMatchObject({ status: 404 });
  });
});
