import { evaluationAnswerSchema, redeemAnswerSchema } from '@countersign/contracts';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, EXPORT } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const { action, resource, parameters, actor, environment } = EXPORT;
const ACTION = { action, resource, parameters, actor, environment };
const redeem = (grant: string, as = world.key, run: object = ACTION) => world.call('POST', '/v1/grants/redeem', { as, body: { grant, action: run } });

async function approved(members: object = {}): Promise<{ id: string; grant: string }> {
  const request = await world.pending(members);
  await world.decide(world.tokens.alice, request, 'approve');
  const { json } = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
  return { id: request.id, grant: json.outcome.grant };
}

describe('redeeming a grant', () => {
  test('A4: runs the action that was approved, once', async () => {
    const { id, grant } = await approved();
    const reply = await redeem(grant);
    expect(reply.status).toBe(200);
    expect(redeemAnswerSchema.parse(reply.json)).toEqual(reply.json);
    expect(reply.json.action_request).toBe(id);
    expect(await redeem(grant)).toMatchObject({ status: 409, json: { code: 'grant_already_redeemed' } });
    const { json } = await world.call('GET', `/v1/action-requests/${id}`, { as: world.key });
    expect(json.redeemed_at).toBe(reply.json.redeemed_at);
    expect(json.outcome).not.toHaveProperty('grant');
    expect(await world.call('POST', `/v1/action-requests/${id}/revoke`, { as: world.key })).toMatchObject({ status: 409, json: { code: 'not_revocable' } });
  });

  test('I9: of fifty at once one wins', async () => {
    const { grant } = await approved();
    const replies = await Promise.all(Array.from({ length: 50 }, () => redeem(grant)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ status, json }) => status === 409 && json.code === 'grant_already_redeemed')).toHaveLength(49);
  });

  test('A4: another action than the approved one does not run', async () => {
    const { grant } = await approved();
    const mismatch = { status: 422, json: { code: 'action_mismatch' } };
    expect(await redeem(grant, world.key, { ...ACTION, parameters: { ...parameters, rows: 48212 } })).toMatchObject(mismatch);
    expect(await redeem(grant, world.key, { action, resource, parameters, actor })).toMatchObject(mismatch);
    expect(await redeem(grant, world.key, { ...ACTION, resource: { ...resource, id: 'prod.orders' } })).toMatchObject(mismatch);
    expect(await redeem(grant)).toMatchObject({ status: 200 });
  });

  test('A4: a forged, foreign or unreadable grant is none, for whoever brings it', async () => {
    const { grant } = await approved();
    const other = await world.newKey({ name: 'other' });
    const blind = await world.newKey({ rights: { redeem: false } });
    const [header = '', payload = '', signature = ''] = grant.split('.');
    const none = Buffer.from('{"alg":"none","typ":"approval-grant+jwt"}').toString('base64url');
    for (const bad of [
      'x',
      `${header}.${payload}`,
      `${none}.${payload}.`,
      // One signature of 256 ends in AA by itself.
      `${header}.${payload}.${signature.slice(0, -2)}${signature.endsWith('AA') ? 'BA' : 'AA'}`,
      `${header}.${payload}.${signature}=`,
      `${grant}.x`,
    ]) {
      expect(await redeem(bad)).toMatchObject({ status: 401, json: { code: 'invalid_grant' }, headers: { 'www-authenticate': expect.any(String) } });
    }
    expect(await redeem(grant, other.key)).toMatchObject({ status: 403, json: { code: 'grant_audience_mismatch' } });
    expect(await redeem(grant, blind.key)).toMatchObject({ status: 401, json: { code: 'invalid_grant' } });
    expect(await redeem(grant, world.tokens.alice)).toMatchObject({ status: 403, json: { code: 'forbidden' } });
    expect(await redeem(grant)).toMatchObject({ status: 200 });
  });

  test('A4: a grant is for the audience that the request named', async () => {
    const executor = await world.newKey({ name: 'executor' });
    const { grant } = await approved({ grant_audience: executor.id });
    expect(await redeem(grant)).toMatchObject({ status: 403, json: { code: 'grant_audience_mismatch' } });
    expect(await redeem(grant, executor.key)).toMatchObject({ status: 200 });
  });

  test('A4: an old grant is worth nothing, and is not shown any more', async () => {
    const { id, grant } = await approved();
    world.ahead = 301;
    try {
      expect(await redeem(grant)).toMatchObject({ status: 410, json: { code: 'grant_expired' } });
      expect((await world.call('GET', `/v1/action-requests/${id}`, { as: world.key })).json.outcome).not.toHaveProperty('grant');
    } finally {
      world.ahead = 0;
    }
  });
});

describe('evaluating', () => {
  test('B4: says what policy would say, and opens nothing', async () => {
    const { key } = await world.newKey({ name: 'tries' });
    const { status, json } = await world.call('POST', '/v1/evaluations', { as: key, body: ACTION });
    expect(status).toBe(200);
    expect(evaluationAnswerSchema.parse(json)).toEqual(json);
    expect(json).toMatchObject({ evaluation: { effect: 'require', rules: ['customer-data'] }, resolved: { labels: { data_class: 'pii' } } });
    expect((await world.call('GET', '/v1/action-requests', { as: key })).json.data).toEqual([]);
    expect(await world.call('POST', '/v1/evaluations', { as: world.tokens.alice, body: ACTION })).toMatchObject({ status: 403, json: { code: 'forbidden' } });
    const narrow = await world.newKey({ rights: { actions: [] } });
    expect(await world.call('POST', '/v1/evaluations', { as: narrow.key, body: ACTION })).toMatchObject({ status: 403, json: { code: 'action_not_allowed' } });
  });

  test('B2: everybody who signs in can read which policy is in force', async () => {
    const { json } = await world.call('POST', '/v1/evaluations', { as: world.key, body: ACTION });
    for (const as of [world.key, world.tokens.carol]) {
      expect((await world.call('GET', '/v1/policies/active', { as })).json).toEqual({
        policy_digest: json.evaluation.policy_digest,
        activated_at: expect.any(String),
        activated_by: 'test',
      });
    }
    expect(await world.call('GET', '/v1/policies/active')).toMatchObject({ status: 401 });
  });
});

describe('masking', () => {
  test('F3: gives the same data back, masked, whatever its shape', async () => {
    const data = { note: 'mail alice@example.com', password: 'correct-horse-battery', rows: [1, null, true, 'plain'] };
    const { status, json } = await world.call('POST', '/v1/mask', { as: world.key, body: data });
    expect(status).toBe(200);
    expect(json.rows).toEqual([1, null, true, 'plain']);
    expect(JSON.stringify(json)).not.toMatch(/correct-horse|alice@example\.com/);
    for (const body of [[], 'text', 5, true, null]) {
      const reply = await world.call('POST', '/v1/mask', { as: world.key, raw: JSON.stringify(body) });
      expect(reply).toMatchObject({ status: 200, text: JSON.stringify(body) });
    }
  });
});
