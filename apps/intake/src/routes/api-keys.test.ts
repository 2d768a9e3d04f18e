import { apiKeyListSchema, apiKeySchema, newApiKeySchema, rotatedApiKeySchema } from '@countersign/contracts';
import { finishVoiding } from '@countersign/core/flow';
import { openWebhookSecrets } from '@countersign/identity';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, EXPORT, type Reply } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const RIGHTS = { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: ['*'], redeem: true };
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();
const { action, resource, parameters, actor, environment } = EXPORT;
const ACTION = { action, resource, parameters, actor, environment };

const admin = (method: string, path: string, body?: object, as = world.tokens.olivia) =>
  world.call(method, path, { as, ...(body === undefined ? {} : { body }) });
const create = async (members: object = {}): Promise<{ id: string; key: string; webhook_secret: string }> => {
  const reply = await admin('POST', '/v1/api-keys', { name: 'ci', owner: 'dana@example.com', rights: RIGHTS, ...members });
  expect(reply.status).toBe(201);
  return reply.json;
};
const submit = (as: string, members: object = {}) => world.submit(members, { as });
const eventsOf = async (subject: string): Promise<string[]> => (await world.store.requests.timeline('default', subject)).map(({ event }) => event);

describe('a key', () => {
  test('is made, shown once with its webhook secret, and never again', async () => {
    const reply = await admin('POST', '/v1/api-keys', { name: 'ci', owner: 'DANA@example.com', rights: { actors: ['retrainer'], actions: ['data.*'] } });
    expect(newApiKeySchema.parse(reply.json)).toEqual(reply.json);
    expect(reply.headers['location']).toBe(`${world.url}/v1/api-keys/${reply.json.id}`);
    expect(reply.json).toMatchObject({
      kind: 'secret',
      status: 'active',
      owner: world.people.dana.id,
      rights: { environments: ['*'], callback_hosts: [], redeem: false },
    });
    expect(reply.json.key).toMatch(/^cs_key_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
    const read = await admin('GET', `/v1/api-keys/${reply.json.id}`);
    expect(apiKeySchema.parse(read.json)).toEqual(read.json);
    const list = await admin('GET', '/v1/api-keys');
    expect(apiKeyListSchema.parse(list.json)).toEqual(list.json);
    for (const { text } of [read, list]) {
      expect(text).toContain(reply.json.id);
      expect(text).not.toContain(reply.json.key.slice(16));
      expect(text).not.toContain('whsec_');
    }
    expect(world.log()).not.toContain(reply.json.key);
    expect(await eventsOf(reply.json.id)).toEqual(['api_key.created']);
  });

  test('C5: belongs to an active person of the directory, and its networks are networks', async () => {
    for (const [members, pointer] of [
      [{ owner: 'nobody@example.com' }, '/owner'],
      [{ networks: ['10.0.0.0/8', '10.0.0.0/33'] }, '/networks/1'],
      [{ networks: ['0x7f.1'] }, '/networks/0'],
      [{ expires_at: '2020-01-01T00:00:00.000Z' }, '/expires_at'],
      [{ rights: { ...RIGHTS, actors: ['re*er'] } }, '/rights/actors/0'],
    ] as const) {
      const reply = await admin('POST', '/v1/api-keys', { name: 'ci', owner: 'dana@example.com', rights: RIGHTS, ...members });
      expect(codeOf(reply)).toBe('422 invalid_body');
      expect(reply.json.errors).toEqual([expect.objectContaining({ pointer })]);
    }
  });

  test('C4: is an administrator’s to make, by a credential that administers, and no key makes keys', async () => {
    const body = { name: 'x', owner: 'dana@example.com', rights: RIGHTS };
    for (const as of [world.tokens.alice, await world.newToken('olivia', ['read', 'decide']), world.key])
      expect((await admin('POST', '/v1/api-keys', body, as)).status).toBe(403);
    expect((await world.call('POST', '/v1/api-keys', { body })).status).toBe(401);
    const { id } = await create();
    for (const [method, path, patch] of [
      ['PATCH', '', { name: 'mine' }],
      ['POST', '/rotate', {}],
      ['POST', '/revoke', {}],
    ] as const)
      expect((await admin(method, `/v1/api-keys/${id}${path}`, patch, world.tokens.dana)).status).toBe(403);
  });

  test('is seen by its owner and by who runs the service', async () => {
    const { id } = await create();
    expect((await admin('GET', `/v1/api-keys/${id}`, undefined, world.tokens.dana)).status).toBe(200);
    expect((await admin('GET', `/v1/api-keys/${id}`, undefined, world.tokens.alice)).status).toBe(404);
    const ids = (await admin('GET', '/v1/api-keys?limit=200', undefined, world.tokens.alice)).json.data.map((key: { owner: string }) => key.owner);
    expect(ids.every((owner: string) => owner === world.people.alice.id)).toBe(true);
  });

  test('lists by pages, newest first', async () => {
    for (let made = 0; made < 3; made++) await create({ owner: 'carol@example.com' });
    const owner = `owner=${world.people.carol.id}`;
    const first = await admin('GET', `/v1/api-keys?${owner}&limit=2`);
    const second = await admin('GET', `/v1/api-keys?${owner}&limit=2&cursor=${encodeURIComponent(first.json.next_cursor)}`);
    expect([first.json.data.length, second.json.data.length, second.json.next_cursor]).toEqual([2, 1, null]);
    expect(codeOf(await admin('GET', `/v1/api-keys?limit=2&cursor=${encodeURIComponent(first.json.next_cursor)}`))).toBe('400 invalid_query');
  });

  test('has its rights changed, and the ledger says so', async () => {
    const { id, key } = await create();
    expect((await submit(key)).status).toBe(201);
    const reply = await admin('PATCH', `/v1/api-keys/${id}`, { rights: { ...RIGHTS, actions: ['deploy'] }, name: 'deployer' });
    expect(reply.json).toMatchObject({ name: 'deployer', rights: { actions: ['deploy'] } });
    const { key: other } = (await admin('POST', `/v1/api-keys/${id}/rotate`, { overlap_seconds: 0 })).json;
    expect(codeOf(await submit(other))).toBe('403 action_not_allowed');
    expect(await eventsOf(id)).toEqual(['api_key.created', 'api_key.changed', 'api_key.rotated']);
  });

  test('notes when it was used', async () => {
    const { id, key } = await create();
    expect((await admin('GET', `/v1/api-keys/${id}`)).json.last_used_at).toBeNull();
    await submit(key);
    let used: string | null = null;
    // The note is written beside the answer; each read is a round trip.
    for (let looks = 0; looks < 500 && used === null; looks++) used = (await admin('GET', `/v1/api-keys/${id}`)).json.last_used_at;
    expect(used).not.toBeNull();
    await submit(key);
    expect((await admin('GET', `/v1/api-keys/${id}`)).json.last_used_at).toBe(used);
  });

  test('may not read where it was not given to', async () => {
    const { key } = await create({ rights: { ...RIGHTS, read: false } });
    const { json } = await submit(key);
    expect(json.status).toBe('pending');
    expect(codeOf(await world.call('GET', `/v1/action-requests/${json.id}`, { as: key }))).toBe('403 forbidden');
    expect(codeOf(await world.call('GET', '/v1/action-requests', { as: key }))).toBe('403 forbidden');
  });

  test('speaks for the persons alone that it was given', async () => {
    const { key } = await create({ rights: { ...RIGHTS, on_behalf_of: ['DANA@example.com'] } });
    expect((await submit(key)).status).toBe(201);
    const other = { actor: { ...EXPORT.actor, on_behalf_of: { type: 'person', id: 'bob@example.com' } } };
    expect(codeOf(await submit(key, other))).toBe('403 actor_not_allowed');
    expect((await submit(key, { actor: { type: 'agent', id: 'retrainer' } })).status).toBe(201);
  });
});

describe('rotation', () => {
  test('lets both secrets count for the overlap, then the new one alone; callbacks are signed with both meanwhile', async () => {
    const { id, key, webhook_secret } = await create();
    const reply = await admin('POST', `/v1/api-keys/${id}/rotate`, { overlap_seconds: 60, webhook_secret: true });
    expect(rotatedApiKeySchema.parse(reply.json)).toEqual(reply.json);
    expect(reply.json.webhook_secret).not.toBe(webhook_secret);
    const first = await submit(key);
    expect(first.status).toBe(201);
    // The same caller: what was asked under the old secret is read under the new one.
    expect((await world.call('GET', `/v1/action-requests/${first.json.id}`, { as: reply.json.key })).status).toBe(200);
    const record = await world.store.callers.get('default', id);
    expect(record === null ? [] : await openWebhookSecrets(world.flow.sealer, record)).toEqual([reply.json.webhook_secret, webhook_secret]);

    await world.sql(`UPDATE api_keys SET previous_until = now() - interval '1 second' WHERE id = '${id}'`);
    expect(codeOf(await world.call('GET', '/v1/action-requests', { as: key }))).toBe('401 unauthenticated');
    expect((await submit(reply.json.key)).status).toBe(201);
  });

  test('ends the old secret at once where there is no overlap', async () => {
    const { id, key } = await create();
    const { key: next } = (await admin('POST', `/v1/api-keys/${id}/rotate`, { overlap_seconds: 0 })).json;
    expect(codeOf(await world.call('GET', '/v1/action-requests', { as: key }))).toBe('401 unauthenticated');
    expect((await world.call('GET', '/v1/action-requests', { as: next })).status).toBe(200);
  });
});

describe('revocation', () => {
  test('A6: cancels what waits and takes back what was approved, with the reason, at once', async () => {
    const { id, key } = await create();
    const callback = { url: 'http://127.0.0.1:45679/hook' };
    const waiting = (await submit(key, { callback })).json;
    const approved = (await submit(key)).json;
    await world.decide(world.tokens.alice, approved, 'approve');
    const { grant } = (await world.call('GET', `/v1/action-requests/${approved.id}`, { as: key })).json.outcome;
    const reply = await admin('POST', `/v1/api-keys/${id}/revoke`, { reason: 'leaked in a log' });
    expect(reply.json).toMatchObject({ voided: 2, api_key: { status: 'revoked', revoked_reason: 'leaked in a log' } });
    const reading = world.tokens.olivia;
    for (const [request, status] of [
      [waiting, 'cancelled'],
      [approved, 'revoked'],
    ] as const) {
      const { json } = await world.call('GET', `/v1/action-requests/${request.id}`, { as: reading });
      expect(json).toMatchObject({ status, outcome: { status } });
      expect(json.outcome.reason).toContain('leaked in a log');
    }
    expect((await world.store.deliveries.list('default', waiting.id)).map(({ event, state }) => [event, state])).toEqual([['outcome.settled', 'pending']]);
    expect(codeOf(await world.decide(world.tokens.alice, waiting, 'approve'))).toBe('409 already_settled');
    // The executor is another key, named by nobody: what counts is that the grant is void.
    expect(codeOf(await world.call('POST', '/v1/grants/redeem', { as: key, body: { grant, action: ACTION } }))).toBe('401 unauthenticated');
    expect(codeOf(await submit(key))).toBe('401 unauthenticated');
    expect((await admin('POST', `/v1/api-keys/${id}/revoke`, {})).status).toBe(404);
    expect((await admin('POST', `/v1/api-keys/${id}/rotate`, {})).status).toBe(404);
    expect(await eventsOf(id)).toEqual(['api_key.created', 'api_key.revoked']);
  });

  test('I9: voids a grant for another executor, too', async () => {
    const executor = await create({ name: 'executor' });
    const { id, key } = await create();
    const request = (await submit(key, { grant_audience: executor.id })).json;
    await world.decide(world.tokens.alice, request, 'approve');
    const { grant } = (await world.call('GET', `/v1/action-requests/${request.id}`, { as: key })).json.outcome;
    // As if the process ended right after the revocation's commit: nothing was voided yet.
    await world.sql(`UPDATE api_keys SET revoked_at = now(), revoked_reason = 'stolen' WHERE id = '${id}'`);
    const reply = await world.call('POST', '/v1/grants/redeem', { as: executor.key, body: { grant, action: ACTION } });
    expect(codeOf(reply)).toBe('410 grant_revoked');
  });

  test('I2: nothing of a revoked key is approved, also where nothing has voided it yet; the sweep ends the rest', async () => {
    const { id, key } = await create();
    const [pressed, left] = [(await submit(key)).json, (await submit(key)).json];
    await world.sql(`UPDATE api_keys SET revoked_at = now(), revoked_reason = '' WHERE id = '${id}'`);
    expect(codeOf(await world.decide(world.tokens.alice, pressed, 'approve'))).toBe('409 already_settled');
    await finishVoiding({ flow: world.flow, callers: world.store.callers });
    expect((await world.call('GET', `/v1/action-requests/${left.id}`, { as: world.tokens.olivia })).json.status).toBe('cancelled');
    // It is asked for once more, until no statement can be under way that saw the key live.
    expect((await world.store.callers.unvoided()).map((key_) => key_.id)).toContain(id);
    await world.sql(`UPDATE api_keys SET revoked_at = now() - interval '2 minutes' WHERE id = '${id}'`);
    await finishVoiding({ flow: world.flow, callers: world.store.callers });
    expect((await world.store.callers.unvoided()).map((key_) => key_.id)).not.toContain(id);
  });
});
