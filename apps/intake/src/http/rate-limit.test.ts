import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  // Longer than any test takes, so that no window ends in the middle of one.
  world = await createApiWorld({ rateLimit: { requests: 3, seconds: 3600 } });
});
afterAll(() => world.close());

test('I15: a caller that asks too much is told when it may go on, and nobody else is slowed', async () => {
  const [one, other] = [await world.newKey(), await world.newKey()];
  const read = (as: string) => world.call('GET', '/v1/action-requests', { as });
  for (const left of [2, 1, 0]) {
    const { status, headers } = await read(one.key);
    expect([status, headers['ratelimit-policy'], headers['ratelimit']?.split(';t=')[0]]).toEqual([200, '"key";q=3;w=3600', `"key";r=${left}`]);
  }
  const { status, json, headers } = await read(one.key);
  expect([status, json.code]).toEqual([429, 'rate_limited']);
  expect(Number(headers['retry-after'])).toBeGreaterThan(3000);
  expect(headers['ratelimit']).toMatch(/^"key";r=0;t=\d+$/);
  // A new secret is the same caller.
  const rotated = await world.call('POST', `/v1/api-keys/${one.id}/rotate`, { as: world.tokens.olivia, body: {} });
  expect((await read(rotated.json.key)).status).toBe(429);
  expect((await read(other.key)).status).toBe(200);
});

test('people are not limited', async () => {
  for (let times = 0; times < 5; times++) expect((await world.call('GET', '/v1/action-requests', { as: world.tokens.alice })).status).toBe(200);
});

test('who tries tokens out is limited by address', async () => {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: 'x.y.z',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  }).toString();
  const statuses: number[] = [];
  for (let times = 0; times < 4; times++) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(form.length) };
    statuses.push((await world.call('POST', '/v1/token', { raw: form, headers })).status);
  }
  expect(statuses).toEqual([401, 401, 401, 429]);
});
