import { callbackSchema, cloudEventSchema } from '@countersign/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';
import { type Arrival, deliveryWorker, startReceiver } from '../testing/delivery-worker.js';

let world: ApiWorld;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
let worker: ReturnType<typeof deliveryWorker>;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.sql(`UPDATE deliveries SET state = 'dead' WHERE state IN ('pending', 'held')`);
  receiver = await startReceiver();
  worker = deliveryWorker(world);
});
afterEach(async () => {
  await worker.close();
  await receiver.close();
});

const admin = () => world.tokens.olivia;
const register = (members: object = {}) => world.call('POST', '/v1/endpoints', { as: admin(), body: { url: `${receiver.url}/hook`, ...members } });
const onEndpoint = (id: string, what: string, method = 'POST') => world.call(method, `/v1/endpoints/${id}${what}`, { as: admin() });

/** Whether a `v1` signature of the message was made with the secret: by Node's HMAC, none of our code. */
function signedWith(secret: string, { headers, bytes }: Arrival): boolean {
  const mac = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
    .update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`)
    .update(bytes)
    .digest('base64');
  return (headers['webhook-signature'] ?? '').split(' ').includes(`v1,${mac}`);
}

describe('registering', () => {
  test('an endpoint gets the outcome of a request that names it, with its own secret and headers; the secret is shown once', async () => {
    const made = await register({ description: 'CI', headers: { 'X-Team': 'retraining', Authorization: 'Bearer r3ceiver' } });
    expect(made).toMatchObject({
      status: 201,
      json: {
        kind: 'registered',
        state: 'enabled',
        events: ['outcome.settled', 'outcome.revoked'],
        format: 'standard',
        header_names: ['X-Team', 'Authorization'],
      },
    });
    const { id, secret } = made.json;
    expect(made.headers['location']).toBe(`${world.url}/v1/endpoints/${id}`);
    const request = await world.pending({ callback: { endpoint_id: id } });
    await world.decide(world.tokens.alice, request, 'approve');
    await worker.drain();
    const [arrival] = receiver.arrivals;
    if (arrival === undefined) throw new Error('nothing came');
    expect(receiver.arrivals).toHaveLength(1);
    expect(callbackSchema.parse(arrival.json)).toMatchObject({
      type: 'outcome.settled',
      data: { action_request: request.id, sequence: 1, status: 'approved', grant: expect.any(String) },
    });
    expect(arrival.headers).toMatchObject({
      'x-team': 'retraining',
      authorization: 'Bearer r3ceiver',
      'content-type': 'application/json',
      'user-agent': 'Countersign',
    });
    expect(signedWith(secret, arrival)).toBe(true);
    const read = await onEndpoint(id, '', 'GET');
    expect(read.json).toEqual(expect.objectContaining({ id, description: 'CI', failing_since: null }));
    expect(read.text).not.toContain(secret);
    expect(read.text).not.toContain('r3ceiver');
    expect(world.log()).not.toContain(secret);
  });

  test.each([
    ['a line end in a value', { 'X-A': 'a\r\nHost: evil' }],
    ['a line end in a name', { 'X-A\r\nHost': 'evil' }],
    ['Host', { Host: 'evil.example' }],
    ['a signature of its own', { 'Webhook-Signature': 'v1,x' }],
    ['a hop-by-hop header', { connection: 'close' }],
    ['a length', { 'content-length': '0' }],
    ['a proxy header', { 'proxy-authorization': 'x' }],
    ['the same header twice', { 'X-A': '1', 'x-a': '2' }],
    ['a NUL', { 'X-A': 'a\u0001b' }],
    ['a value that is not ASCII', { 'X-A': 'grün' }],
  ])('a custom header that would smuggle is refused: %s', async (_, headers) => {
    expect(await register({ headers })).toMatchObject({ status: 422, json: { code: 'invalid_body' } });
  });

  test('I14: an endpoint goes where callbacks may go, when it is made and when it is changed', async () => {
    expect(await register({ url: 'https://169.254.169.254/latest' })).toMatchObject({
      status: 422,
      json: { code: 'callback_not_allowed', errors: [{ pointer: '/url' }] },
    });
    const { id } = (await register()).json;
    const patched = await world.call('PATCH', `/v1/endpoints/${id}`, { as: admin(), body: { url: 'http://10.0.0.1/' } });
    expect(patched).toMatchObject({ status: 422, json: { code: 'callback_not_allowed' } });
  });

  test('administrators with a credential that administers make and change them; others are refused', async () => {
    const readOnly = await world.newToken('olivia', ['read', 'decide']);
    const { id } = (await register()).json;
    for (const as of [world.tokens.alice, readOnly, world.key]) {
      expect((await world.call('POST', '/v1/endpoints', { as, body: { url: `${receiver.url}/` } })).status).toBe(403);
      for (const what of ['/enable', '/disable', '/rotate-secret', '/test'])
        expect((await world.call('POST', `/v1/endpoints/${id}${what}`, { as })).status).toBe(403);
      expect((await world.call('DELETE', `/v1/endpoints/${id}`, { as })).status).toBe(403);
      expect((await world.call('PATCH', `/v1/endpoints/${id}`, { as, body: { description: null } })).status).toBe(403);
    }
    expect((await world.call('GET', '/v1/endpoints', { as: world.tokens.alice })).status).toBe(403);
  });

  test('a key sees and names the endpoints whose host it may name; what is unknown or deleted is 422 endpoint_unknown', async () => {
    const { id } = (await register()).json;
    const local = (await world.newKey({ rights: { callback_hosts: ['127.0.0.1'] } })).key;
    const elsewhere = (await world.newKey({ rights: { callback_hosts: ['caller.example.com'] } })).key;
    const ids = async (as: string) => (await world.call('GET', '/v1/endpoints', { as })).json.data.map((endpoint: { id: string }) => endpoint.id);
    expect(await ids(local)).toContain(id);
    expect(await ids(elsewhere)).not.toContain(id);
    expect((await world.call('GET', `/v1/endpoints/${id}`, { as: elsewhere })).status).toBe(404);
    const named = (endpoint_id: string, as: string) => world.submit({ callback: { endpoint_id } }, { as });
    expect(await named(id, local)).toMatchObject({ status: 201 });
    expect(await named(id, elsewhere)).toMatchObject({ status: 422, json: { code: 'callback_not_allowed', errors: [{ pointer: '/callback/endpoint_id' }] } });
    const unknown = { status: 422, json: { code: 'endpoint_unknown', errors: [{ pointer: '/callback/endpoint_id' }] } };
    expect(await named('ep_01900000-0000-7000-8000-000000000001', local)).toMatchObject(unknown);
    expect((await onEndpoint(id, '', 'DELETE')).status).toBe(204);
    expect((await onEndpoint(id, '', 'DELETE')).status).toBe(404);
    expect(await named(id, local)).toMatchObject(unknown);
  });

  test('lists go page by page, by kind and state', async () => {
    const made = [(await register()).json.id, (await register()).json.id, (await register()).json.id];
    await onEndpoint(made[1], '/disable');
    const first = await world.call('GET', '/v1/endpoints?limit=2&kind=registered', { as: admin() });
    expect(first.json.data.map(({ id }: { id: string }) => id)).toEqual([made[2], made[1]]);
    const second = await world.call('GET', `/v1/endpoints?limit=2&kind=registered&cursor=${first.json.next_cursor}`, { as: admin() });
    expect(second.json.data[0].id).toBe(made[0]);
    expect((await world.call('GET', `/v1/endpoints?limit=2&cursor=${first.json.next_cursor}`, { as: admin() })).status).toBe(400);
    const disabled = await world.call('GET', '/v1/endpoints?state=disabled', { as: admin() });
    expect(disabled.json.data).toMatchObject([{ id: made[1], reason: 'administrator' }]);
  });
});

describe('events', () => {
  test('D1: an endpoint hears what it asks for, in order, each number once', async () => {
    const { id } = (await register({ events: ['action_request.opened', 'decision.recorded', 'outcome.settled', 'outcome.revoked'] })).json;
    const request = await world.pending({ callback: { endpoint_id: id } });
    await world.decide(world.tokens.alice, request, 'approve', 'looks right');
    await worker.drain();
    expect((await world.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: world.key })).status).toBe(200);
    await worker.drain();
    expect(receiver.arrivals.map(({ json }) => [json.type, json.data.sequence])).toEqual([
      ['action_request.opened', 1],
      ['decision.recorded', 2],
      ['outcome.settled', 3],
      ['outcome.revoked', 4],
    ]);
    for (const { json } of receiver.arrivals) expect(() => callbackSchema.parse(json)).not.toThrow();
    expect(receiver.arrivals[1]?.json.data).toMatchObject({ decision: { verdict: 'approve', reason: 'looks right' }, waiting_for: null });
    const read = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
    expect(read.json.outcome.sequence).toBe(4);
  });

  test('the filter holds: an endpoint that asks for decisions alone gets no outcome', async () => {
    const { id } = (await register({ events: ['decision.recorded'] })).json;
    const request = await world.pending({ callback: { endpoint_id: id } });
    await world.decide(world.tokens.alice, request, 'deny', 'no');
    await worker.drain();
    expect(receiver.arrivals.map(({ json }) => json.type)).toEqual(['decision.recorded']);
  });

  test('a request that policy settles at once tells of both, in order', async () => {
    const { id } = (await register({ events: ['action_request.opened', 'outcome.settled'] })).json;
    const reply = await world.submit({ action: 'report.read', resource: { type: 'report', id: 'r1' }, callback: { endpoint_id: id } });
    expect(reply.json).toMatchObject({ status: 'approved', outcome: { sequence: 2 } });
    await worker.drain();
    expect(receiver.arrivals.map(({ json }) => [json.type, json.data.sequence])).toEqual([
      ['action_request.opened', 1],
      ['outcome.settled', 2],
    ]);
  });

  test('D3: a revocation goes at once and supersedes the approval that did not arrive', async () => {
    const { id } = (await register()).json;
    const request = await world.pending({ callback: { endpoint_id: id } });
    await world.decide(world.tokens.alice, request, 'approve');
    receiver.answerWith(503);
    await worker.deliverer.runDue(10);
    receiver.answerWith(204);
    await world.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: world.key });
    await worker.drain();
    expect(receiver.arrivals.map(({ json }) => json.type)).toEqual(['outcome.settled', 'outcome.revoked']);
    const { json } = await world.call('GET', `/v1/deliveries?action_request=${request.id}`, { as: world.key });
    expect(json.data.map(({ state, reason }: { state: string; reason: string }) => [state, reason])).toEqual([
      ['superseded', 'revoked'],
      ['delivered', null],
    ]);
  });

  test('a reason of 2,000 characters is shortened for the callback alone, which stays under the aim', async () => {
    const { id } = (await register()).json;
    const request = await world.pending({ callback: { endpoint_id: id } });
    const reason = '😀'.repeat(1000);
    await world.decide(world.tokens.alice, request, 'approve', reason);
    await worker.drain();
    const [arrival] = receiver.arrivals;
    expect(arrival?.bytes.length).toBeLessThanOrEqual(3500);
    expect(arrival?.json.data.decisions[0].reason).toBe(`${'😀'.repeat(80)}…`);
    const read = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
    expect(read.json.decisions[0].reason).toBe(reason);
  });

  test('D1: an endpoint of the format cloudevents gets CloudEvents with the same data, signed alike', async () => {
    const { id, secret } = (await register({ format: 'cloudevents' })).json;
    const request = await world.pending({ callback: { endpoint_id: id } });
    await world.decide(world.tokens.alice, request, 'approve');
    // What is written stays as it is written, whatever the endpoint wants by now.
    await world.call('PATCH', `/v1/endpoints/${id}`, { as: admin(), body: { format: 'standard' } });
    await worker.drain();
    const [arrival] = receiver.arrivals;
    if (arrival === undefined) throw new Error('nothing came');
    expect(arrival.headers['content-type']).toMatch(/^application\/cloudevents\+json/);
    expect(cloudEventSchema.parse(arrival.json)).toMatchObject({
      id: arrival.headers['webhook-id'],
      source: world.url,
      type: 'outcome.settled',
      subject: request.id,
      data: { action_request: request.id, status: 'approved', grant: expect.any(String) },
    });
    expect(signedWith(secret, arrival)).toBe(true);
  });
});

describe('secrets', () => {
  test('after a rotation old and new sign for 24 hours, at most ten old ones; then the new one alone', async () => {
    const { id, secret } = (await register()).json;
    const secrets: string[] = [secret];
    for (let count = 0; count < 11; count += 1) secrets.push((await onEndpoint(id, '/rotate-secret')).json.secret);
    const send = async () => {
      expect((await onEndpoint(id, '/test')).status).toBe(202);
      await worker.drain();
      const arrival = receiver.arrivals.at(-1);
      if (arrival === undefined) throw new Error('nothing came');
      return secrets.map((each) => signedWith(each, arrival));
    };
    // The newest and the ten before it; the very first is out.
    expect(await send()).toEqual([false, ...Array.from({ length: 11 }, () => true)]);
    await world.sql(`UPDATE endpoint_secrets SET retires_at = retires_at - interval '24 hours' WHERE endpoint_id = '${id}' AND retires_at IS NOT NULL`);
    expect(await send()).toEqual([...Array.from({ length: 11 }, () => false), true]);
  });
});

describe('test events', () => {
  test('are sent once, and what came of them is read at the delivery', async () => {
    const { id } = (await register()).json;
    const sent = await onEndpoint(id, '/test');
    await worker.drain();
    expect(callbackSchema.parse(receiver.arrivals[0]?.json)).toMatchObject({ type: 'endpoint.tested', data: { endpoint: id } });
    const read = await world.call('GET', `/v1/deliveries/${sent.json.delivery}`, { as: admin() });
    expect(read.json).toMatchObject({
      event: 'endpoint.tested',
      action_request: null,
      endpoint_id: id,
      state: 'delivered',
      attempts: [{ status: 204, url: `${receiver.url}/hook` }],
    });
    receiver.answerWith(500, {}, 'broken');
    const failed = await onEndpoint(id, '/test');
    await worker.drain();
    const after = await world.call('GET', `/v1/deliveries/${failed.json.delivery}`, { as: admin() });
    expect(after.json).toMatchObject({ state: 'dead', reason: 'test_failed', attempts: [{ number: 1, status: 500, answer_preview: 'broken' }] });
    await onEndpoint(id, '/disable');
    expect(await onEndpoint(id, '/test')).toMatchObject({ status: 409, json: { code: 'endpoint_disabled' } });
  });
});

describe('disabling', () => {
  test('I5: what happens for a disabled endpoint is held, and goes out in order when it is enabled', async () => {
    const { id } = (await register({ events: ['action_request.opened', 'outcome.settled'] })).json;
    const before = await world.pending({ callback: { endpoint_id: id } });
    expect(await onEndpoint(id, '/disable')).toMatchObject({ status: 200, json: { deliveries: 1, endpoint: { state: 'disabled', reason: 'administrator' } } });
    await world.decide(world.tokens.alice, before, 'approve');
    const after = await world.pending({ callback: { endpoint_id: id } });
    await worker.drain();
    expect(receiver.arrivals).toEqual([]);
    const held = await world.call('GET', `/v1/deliveries?state=held&endpoint=${id}`, { as: admin() });
    expect(held.json.data.map(({ action_request, reason, next_attempt_at }: Record<string, unknown>) => [action_request, reason, next_attempt_at])).toEqual([
      [after.id, 'endpoint_disabled', null],
      [before.id, 'endpoint_disabled', null],
      [before.id, 'endpoint_disabled', null],
    ]);
    expect(await onEndpoint(id, '/enable')).toMatchObject({ status: 200, json: { deliveries: 3, endpoint: { state: 'enabled', reason: null } } });
    for (;;) if ((await worker.deliverer.runDue(1)).length === 0) break;
    expect(receiver.arrivals.map(({ json }) => [json.data.action_request, json.data.sequence])).toEqual([
      [before.id, 1],
      [before.id, 2],
      [after.id, 1],
    ]);
  });

  test.each([
    [410, {}, 'aborted', 'gone'],
    [200, { 'webhook-delivery': 'disable' }, 'delivered', 'receiver_asked'],
    [500, { 'webhook-delivery': 'disable' }, 'aborted', 'receiver_asked'],
  ])('a receiver that answers %i %j ends the event and is disabled', async (status, headers, state, reason) => {
    const { id } = (await register()).json;
    receiver.answerWith(status, headers);
    const request = await world.pending({ callback: { endpoint_id: id } });
    await world.decide(world.tokens.alice, request, 'approve');
    await worker.drain();
    expect((await onEndpoint(id, '', 'GET')).json).toMatchObject({ state: 'disabled', reason });
    const { json } = await world.call('GET', `/v1/deliveries?action_request=${request.id}`, { as: world.key });
    expect(json.data).toMatchObject([{ state }]);
  });

  test('abort-message ends the event and leaves the endpoint enabled', async () => {
    const { id } = (await register()).json;
    receiver.answerWith(500, { 'webhook-delivery': 'abort-message' }, 'not this one');
    const request = await world.pending({ callback: { endpoint_id: id } });
    await world.decide(world.tokens.alice, request, 'approve');
    await worker.drain();
    expect((await onEndpoint(id, '', 'GET')).json).toMatchObject({ state: 'enabled', reason: null });
    const { json } = await world.call('GET', `/v1/deliveries?action_request=${request.id}`, { as: world.key });
    expect(json.data).toMatchObject([{ state: 'aborted', reason: 'receiver_aborted', attempts: [{ answer_preview: 'not this one' }] }]);
  });

  test('a bare URL is disabled by 410 too, and an administrator finds and enables it', async () => {
    receiver.answerWith(410);
    const callback = { url: `${receiver.url}/bare?run=1` };
    const request = await world.pending({ callback });
    await world.decide(world.tokens.alice, request, 'approve');
    await worker.drain();
    const next = await world.pending({ callback: { url: `${receiver.url}/bare?run=2` } });
    await world.decide(world.tokens.alice, next, 'approve');
    receiver.answerWith(204);
    await worker.drain();
    expect(receiver.arrivals).toHaveLength(1);
    const listed = await world.call('GET', '/v1/endpoints?kind=bare&state=disabled', { as: admin() });
    const bare = listed.json.data.find(({ url }: { url: string }) => url === `${receiver.url}/bare`);
    expect(bare).toMatchObject({ kind: 'bare', reason: 'gone' });
    expect(await onEndpoint(bare.id, '/enable')).toMatchObject({ json: { deliveries: 1 } });
    await worker.drain();
    expect(receiver.arrivals.at(-1)).toMatchObject({ path: '/bare?run=2', json: { data: { action_request: next.id } } });
    // It cannot be named by its id: its key is somebody's.
    expect(await world.submit({ callback: { endpoint_id: bare.id } })).toMatchObject({ status: 422, json: { code: 'endpoint_unknown' } });
  });

  test('deleting an endpoint aborts what waits, visibly', async () => {
    const { id } = (await register()).json;
    await onEndpoint(id, '/disable');
    const request = await world.pending({ callback: { endpoint_id: id } });
    await world.decide(world.tokens.alice, request, 'approve');
    await worker.drain();
    await onEndpoint(id, '', 'DELETE');
    const { json } = await world.call('GET', `/v1/deliveries?action_request=${request.id}`, { as: world.key });
    expect(json.data).toMatchObject([{ state: 'aborted', reason: 'endpoint_deleted' }]);
    // Requests that are still open and name it settle all the same.
    const late = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
    expect(late.json.status).toBe('approved');
  });
});
