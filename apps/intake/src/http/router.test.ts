import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { problemSchema } from '@countersign/contracts';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

describe('the API', () => {
  test('G3: answers what it does not know as RFC 9457 problems', async () => {
    for (const path of ['/v1', '/v1/', '/v1/nothing', '/v1/action-requests/', '/V1/me', '/ledger/', '/v1/action-requests/%zz', '/v1/me/']) {
      const { status, json, headers } = await world.call('GET', path, { as: world.key });
      expect({ path, status }).toEqual({ path, status: 404 });
      expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(problemSchema.parse(json).type).toBe(`${world.url}/problems/not_found`);
    }
  });

  test('answers a method that an address does not have with 405 and those that it has', async () => {
    expect(await world.call('PUT', '/v1/action-requests', { as: world.key, body: {} })).toMatchObject({
      status: 405,
      headers: { allow: 'POST, GET, HEAD' },
      json: { code: 'method_not_allowed' },
    });
    expect(await world.call('DELETE', '/v1/me')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect(await world.call('OPTIONS', '/v1/me', { headers: { origin: 'https://evil.example.com', 'access-control-request-method': 'GET' } })).toMatchObject({
      status: 405,
    });
  });

  test('answers HEAD like GET, without the body', async () => {
    const get = await world.call('GET', '/v1/me', { as: world.key });
    const head = await world.call('HEAD', '/v1/me', { as: world.key });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
  });

  test('has no CORS: no answer names an origin', async () => {
    const { headers } = await world.call('GET', '/v1/me', { as: world.key, headers: { origin: 'https://evil.example.com' } });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('publishes the keys that grants verify with', async () => {
    const { status, headers, json } = await world.call('GET', '/.well-known/jwks.json');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/jwk-set+json');
    expect(json.keys).toMatchObject([{ kty: 'OKP', crv: 'Ed25519', kid: world.keyring.signer('outcome').kid }]);
  });

  test('reads no body of whoever may not call, and takes none where none belongs', async () => {
    const { id } = await world.pending();
    expect(await world.call('POST', '/v1/action-requests', { raw: 'not json' })).toMatchObject({ status: 401 });
    expect(await world.call('POST', `/v1/action-requests/${id}/cancel`, { as: world.key, body: { reason: 'x' } })).toMatchObject({
      status: 422,
      json: { code: 'invalid_body' },
    });
    expect(await world.call('POST', `/v1/action-requests/${id}/cancel?x=1`, { as: world.key })).toMatchObject({
      status: 400,
      json: { code: 'invalid_query', errors: [{ pointer: '/x' }] },
    });
    expect(await world.call('POST', `/v1/action-requests/${id}/cancel`, { as: world.key, body: {} })).toMatchObject({ status: 200 });
  });

  test('A5: with the database gone answers 503, approves nothing, and goes on once it is back', async () => {
    const gone = await createApiWorld();
    try {
      const request = await gone.pending();
      const database = '(SELECT current_database())';
      await gone.sql(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database()); END $$`);
      await gone.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${database} AND pid <> pg_backend_pid()`);
      const key = 'while-gone';
      for (const reply of [
        await gone.decide(gone.tokens.alice, request, 'approve'),
        await gone.submit({}, { key }),
        await gone.call('GET', '/ledger/default/checkpoint'),
      ]) {
        expect(reply).toMatchObject({ status: 503, json: { code: 'unavailable' }, headers: { 'retry-after': '2' } });
      }
      await gone.sql(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT -1', current_database()); END $$`);
      expect((await gone.call('GET', `/v1/action-requests/${request.id}`, { as: gone.key })).json.status).toBe('pending');
      expect((await gone.submit({}, { key })).status).toBe(201);
      expect((await gone.decide(gone.tokens.alice, request, 'approve')).status).toBe(201);
    } finally {
      await gone.close();
    }
  });
});
