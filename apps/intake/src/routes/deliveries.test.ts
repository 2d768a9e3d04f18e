import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';
import { deliveryWorker, startReceiver } from '../testing/delivery-worker.js';

let world: ApiWorld;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
const workers: ReturnType<typeof deliveryWorker>[] = [];
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.sql(`UPDATE deliveries SET state = 'delivered' WHERE state <> 'delivered'`);
  receiver = await startReceiver();
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
  await receiver.close();
});

function startWorker(options: Parameters<typeof deliveryWorker>[1] = {}) {
  const worker = deliveryWorker(world, options);
  workers.push(worker);
  return worker;
}
const admin = () => world.tokens.olivia;
const get = (path: string, as = admin()) => world.call('GET', path, { as });

async function settled(path = '/hook', as = world.key): Promise<string> {
  const reply = await world.submit({ callback: { url: `${receiver.url}${path}` } }, { as });
  if (reply.json?.status !== 'pending') throw new Error(reply.text);
  await world.decide(world.tokens.alice, reply.json, 'approve');
  return reply.json.id;
}

/** A request whose callback ran out of attempts. */
async function dead(path = '/hook'): Promise<{ request: string; delivery: string }> {
  const request = await settled(path);
  receiver.answerWith(500, {}, 'card 4111 1111 1111 1111 was refused');
  // As if fifteen had failed before.
  await world.sql(`UPDATE deliveries SET attempts = 15 WHERE request_id = '${request}'`);
  await startWorker().drain();
  receiver.answerWith(204);
  const { json } = await get(`/v1/deliveries?action_request=${request}`);
  return { request, delivery: json.data[0].id };
}

describe('dead letters', () => {
  test('I5: are listed with their reason and each attempt: time, address, status, duration, the masked answer', async () => {
    const { request, delivery } = await dead();
    const listed = await get('/v1/deliveries?state=dead');
    expect(listed.json.data).toMatchObject([
      {
        id: delivery,
        webhook_id: delivery,
        action_request: request,
        state: 'dead',
        reason: 'attempts_exhausted',
        next_attempt_at: null,
        attempts: [{ number: 16, url: `${receiver.url}/hook`, status: 500, result: 'http_error', duration_ms: expect.any(Number) }],
      },
    ]);
    const [attempt] = listed.json.data[0].attempts;
    expect(attempt.answer_preview).toContain('was refused');
    expect(attempt.answer_preview).not.toContain('4111');
  });

  test('a blocked address is dead with that reason, and an attempt that failed says when the next one is', async () => {
    const blocked = await world.submit({ callback: { url: 'https://caller.invalid.example/hook' } });
    await world.decide(world.tokens.alice, blocked.json, 'approve');
    await world.sql(`UPDATE deliveries SET target = '{"kind":"url","url":"https://169.254.169.254/"}' WHERE request_id = '${blocked.json.id}'`);
    const failing = await settled('/failing');
    receiver.answerWith(503, { 'retry-after': '120' });
    await startWorker().deliverer.runDue(10);
    const { json } = await get(`/v1/deliveries?action_request=${blocked.json.id}`);
    expect(json.data).toMatchObject([
      { state: 'dead', reason: 'blocked_address', attempts: [{ result: 'blocked_address', detail: expect.stringContaining('169.254.169.254') }] },
    ]);
    const waiting = (await get(`/v1/deliveries?action_request=${failing}`)).json.data[0];
    expect(Date.parse(waiting.next_attempt_at) - Date.parse(waiting.attempts[0].finished_at)).toBeGreaterThanOrEqual(120_000);
  });
});

describe('redriving', () => {
  test('one: a new record with the same bytes and webhook-id, the old one kept; neither a caller nor an approver can', async () => {
    const { request, delivery } = await dead();
    for (const as of [world.key, world.tokens.alice]) expect((await world.call('POST', `/v1/deliveries/${delivery}/redrive`, { as })).status).toBe(403);
    const made = await world.call('POST', `/v1/deliveries/${delivery}/redrive`, { as: admin() });
    expect(made).toMatchObject({ status: 201, json: { redrive_of: delivery, webhook_id: delivery, state: 'pending', attempts: [] } });
    expect(await world.call('POST', `/v1/deliveries/${delivery}/redrive`, { as: admin() })).toMatchObject({ status: 409, json: { code: 'not_redrivable' } });
    await startWorker().drain();
    const [first, second] = receiver.arrivals;
    expect(second?.bytes.equals(first?.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(second?.headers['webhook-id']).toBe(delivery);
    const { json } = await get(`/v1/deliveries?action_request=${request}`);
    expect(json.data).toMatchObject([
      { id: delivery, state: 'dead', attempts: [{ number: 16 }] },
      { id: made.json.id, state: 'delivered', redrive_of: delivery, attempts: [{ number: 1 }] },
    ]);
    expect((await world.call('POST', '/v1/deliveries/msg_01900000-0000-7000-8000-000000000001/redrive', { as: admin() })).status).toBe(404);
  });

  test('a filtered set: what fits and may go again, and nothing else', async () => {
    const from = new Date(Date.now() - 60_000).toISOString();
    const both = [await dead('/a'), await dead('/b')];
    const answer = await world.call('POST', '/v1/deliveries/redrive', { as: admin(), body: { from } });
    expect(answer).toMatchObject({ status: 200, json: { more: false } });
    expect(answer.json.data.map(({ redrive_of }: { redrive_of: string }) => redrive_of)).toEqual(both.map(({ delivery }) => delivery));
    expect((await world.call('POST', '/v1/deliveries/redrive', { as: admin(), body: { from } })).json.data).toEqual([]);
    await startWorker().drain();
    expect(
      receiver.arrivals
        .slice(-2)
        .map(({ headers }) => headers['webhook-id'] ?? '')
        .toSorted((a, b) => a.localeCompare(b)),
    ).toEqual(both.map(({ delivery }) => delivery).toSorted((a, b) => a.localeCompare(b)));
    expect(await world.call('POST', '/v1/deliveries/redrive', { as: admin(), body: {} })).toMatchObject({ status: 422, json: { code: 'invalid_body' } });
  });
});

describe('who sees deliveries', () => {
  test('a caller its own, an approver those of a request they may see, who runs the service all', async () => {
    const own = await settled();
    const other = await world.newKey();
    const foreign = await settled('/foreign', other.key);
    const ids = async (path: string, as: string) => (await get(path, as)).json.data.map(({ action_request }: { action_request: string }) => action_request);
    expect(await ids('/v1/deliveries', other.key)).toEqual([foreign]);
    expect(await ids('/v1/deliveries?limit=2', admin())).toEqual([foreign, own]);
    expect((await get(`/v1/deliveries?action_request=${own}`, other.key)).status).toBe(404);
    expect((await get('/v1/deliveries', world.tokens.alice)).status).toBe(403);
    expect(await ids(`/v1/deliveries?action_request=${own}`, world.tokens.alice)).toEqual([own]);
    expect((await get(`/v1/deliveries?action_request=${own}`, world.tokens.carol)).status).toBe(404);
    const { id } = (await get(`/v1/deliveries?action_request=${own}`)).json.data[0];
    expect((await get(`/v1/deliveries/${id}`, world.tokens.alice)).status).toBe(200);
    expect((await get(`/v1/deliveries/${id}`, world.tokens.carol)).status).toBe(404);
    expect((await get(`/v1/deliveries/${id}`, other.key)).status).toBe(404);
  });

  test('lists go page by page', async () => {
    const requests = [await settled(), await settled(), await settled()];
    const first = await get('/v1/deliveries?state=pending&limit=2');
    const second = await get(`/v1/deliveries?state=pending&limit=2&cursor=${first.json.next_cursor}`);
    const seen = [...first.json.data, ...second.json.data].map(({ action_request }: { action_request: string }) => action_request);
    expect(seen).toEqual(requests.toReversed());
    expect(second.json.next_cursor).toBeNull();
  });
});

describe('many workers', () => {
  test('I7: a worker that was stopped and continued ends nothing that another has taken over', async () => {
    const request = await settled();
    // The first worker's clock is the world's; stopped, it renews nothing: its lease is short and its beat far away.
    const stopped = startWorker({ limits: { leaseSeconds: 3600 } });
    receiver.answerBy(() => {});
    const run = stopped.deliverer.runDue(1);
    await receiver.until(1);
    await world.sql(
      `UPDATE deliveries SET next_attempt_at = now() - interval '1 second', leased_until = now() - interval '1 second' WHERE request_id = '${request}'`,
    );
    receiver.answerWith(204);
    expect(await startWorker().deliverer.runDue(1)).toEqual(['delivered']);
    // Continued: its receiver answers that it failed, which no longer counts.
    receiver.arrivals[0]?.response.writeHead(500).end();
    expect(await run).toEqual(['lost']);
    const { json } = await get(`/v1/deliveries?action_request=${request}`);
    expect(json.data).toMatchObject([
      {
        state: 'delivered',
        attempts: [
          { number: 1, result: null },
          { number: 2, result: 'delivered' },
        ],
      },
    ]);
    expect(new Set(receiver.arrivals.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  test('a lease is renewed while its attempt lasts, so that nobody attempts it beside; who has lost it breaks off', async () => {
    const request = await settled();
    const renewals = new EventEmitter();
    const { store } = world;
    const renewing = {
      ...store.deliveries,
      async renew(...query: Parameters<typeof store.deliveries.renew>) {
        const held = await store.deliveries.renew(...query);
        renewals.emit('renewed', held.length);
        return held;
      },
    };
    const slow = startWorker({ store: renewing, limits: { leaseSeconds: 3 } });
    receiver.answerBy(() => {});
    const run = slow.deliverer.runDue(1);
    await receiver.until(1);
    const leasedUntil = async () => Date.parse((await get(`/v1/deliveries?action_request=${request}`)).json.data[0].next_attempt_at);
    const before = await leasedUntil();
    expect(await once(renewals, 'renewed')).toEqual([1]);
    expect(await leasedUntil()).toBeGreaterThan(before);
    expect(await startWorker().deliverer.runDue(1)).toEqual([]);
    await world.sql(`UPDATE deliveries SET fence = fence + 1 WHERE request_id = '${request}'`);
    expect(await run).toEqual(['lost']);
    const response = receiver.arrivals[0]?.response;
    if (response !== undefined && !response.destroyed) await once(response, 'close');
    expect(response?.writableEnded).toBe(false);
  });

  test("I5: a dead worker's deliveries are taken over within its lease, which is 10 seconds", async () => {
    const request = await settled();
    const [claimed] = await world.store.deliveries.claim({ limit: 1, lease_seconds: 10 });
    expect(claimed?.request_id).toBe(request);
    // Its process died: nobody renews. What the next sweep waits for is the end of that lease.
    const { next_due_at } = await world.store.sweep.backlog();
    expect(Date.parse(next_due_at ?? '') - Date.parse(claimed?.attempted_at ?? '')).toBeLessThanOrEqual(10_000);
    await world.sql(`UPDATE deliveries SET next_attempt_at = now(), leased_until = now() WHERE request_id = '${request}'`);
    expect(await startWorker().deliverer.runDue(1)).toEqual(['delivered']);
  });

  test('I15: receivers that hang keep no other waiting', async () => {
    for (let count = 0; count < 12; count += 1) await settled('/hang');
    const fast = await settled('/fast');
    receiver.answerBy(({ path, response }) => void (path === '/fast' && response.writeHead(204).end()));
    const worker = startWorker({ limits: { inFlight: 20, inFlightPerTarget: 4 } });
    const running = [worker.deliverer.runDue(20), worker.deliverer.runDue(20)];
    await receiver.until(5);
    const seen: string[] = receiver.arrivals.map(({ path, json }) => (path === '/fast' ? json.data.action_request : path));
    expect(seen.filter((each) => each === '/hang')).toHaveLength(4);
    expect(seen).toContain(fast);
    await worker.deliverer.stop(AbortSignal.abort());
    await Promise.all(running);
  });

  test('D1: a bare URL is signed with the secret of the key that named it', async () => {
    const { key } = await world.newKey();
    await settled('/signed', key);
    await startWorker().drain();
    const [arrival] = receiver.arrivals;
    if (arrival === undefined) throw new Error('nothing came');
    const { headers, bytes } = arrival;
    const wrong = createHmac('sha256', Buffer.alloc(32)).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`).update(bytes).digest('base64');
    expect(headers['webhook-signature']).not.toContain(wrong);
    expect(headers['webhook-signature']).toMatch(/^v1,\S{44} v1a,\S{88}$/);
  });
});
