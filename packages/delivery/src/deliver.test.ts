import { afterEach, describe, expect, test } from '@jest/globals';
import type { AttemptOutcome, ClaimedDelivery, DeliveryRecord, DeliveryState, DeliveryStore } from '@countersign/core/ports';
import { addSeconds, formatInstant, type Instant } from '@countersign/core/request';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createDeliverer, type DelivererOptions } from './deliver.js';
import { RETRY_DELAYS_SECONDS } from './retry-schedule.js';
import { createWebhookTransport } from './webhook/index.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const START = formatInstant(Date.UTC(2026, 0, 1));
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

class ManualClock {
  #now: Instant = START;
  now(): Instant {
    return this.#now;
  }
  advance(seconds: number): void {
    this.#now = addSeconds(this.#now, seconds);
  }
}

/** The port's meaning in memory. */
class MemoryStore implements Pick<DeliveryStore, 'claim' | 'renew' | 'finish' | 'release'> {
  readonly rows: { record: DeliveryRecord; state: DeliveryState; dueAt: string; attempts: { number: number; end: AttemptOutcome | null }[]; fence: number }[] =
    [];
  readonly #clock: ManualClock;
  broken = false;
  /** Since when the endpoint of every row is in its state. */
  endpointSince: string | null = null;
  constructor(clock: ManualClock) {
    this.#clock = clock;
  }
  add(change: Partial<DeliveryRecord> & { url?: string } = {}): string {
    const { url = 'http://127.0.0.1:1/', ...rest } = change;
    const id = `msg_${this.rows.length + 1}`;
    const record: DeliveryRecord = {
      id,
      request_id: `ar_${id}`,
      api_key_id: 'key_1',
      target: { kind: 'url', url },
      sequence: 1,
      event: 'outcome.settled',
      created_at: this.#clock.now(),
      sealed_body: Buffer.from(`{"delivery":"${id}"}`),
      ...rest,
    };
    this.rows.push({ record, state: 'pending', dueAt: this.#clock.now(), attempts: [], fence: 0 });
    return id;
  }
  row(id: string) {
    const row = this.rows.find((each) => each.record.id === id);
    if (!row) throw new Error(`no ${id}`);
    return row;
  }
  claim({ limit, lease_seconds, id }: { limit: number; lease_seconds: number; id?: string }): Promise<ClaimedDelivery[]> {
    const now = this.#clock.now();
    const waits = (row: MemoryStore['rows'][number]) =>
      this.rows.some((other) => other.record.request_id === row.record.request_id && other.record.sequence < row.record.sequence && other.state === 'pending');
    const due = this.rows.filter((row) => row.state === 'pending' && row.dueAt <= now && (id === undefined || row.record.id === id) && !waits(row));
    due.sort((a, b) => a.dueAt.localeCompare(b.dueAt));
    return Promise.resolve(
      due.slice(0, limit).map((row) => {
        row.fence += 1;
        row.dueAt = addSeconds(now, lease_seconds);
        row.attempts.push({ number: row.attempts.length + 1, end: null });
        return {
          ...row.record,
          tenant: 'default',
          attempt: row.attempts.length,
          fence: row.fence,
          attempted_at: now,
          message_id: row.record.id,
          endpoint_since: this.endpointSince,
          sealed_payload: null,
          sealed_webhook_secret: null,
        };
      }),
    );
  }
  renew(deliveries: ClaimedDelivery[], leaseSeconds: number): Promise<string[]> {
    const held = deliveries.filter((delivery) => this.row(delivery.id).fence === delivery.fence && this.row(delivery.id).state === 'pending');
    for (const delivery of held) this.row(delivery.id).dueAt = addSeconds(this.#clock.now(), leaseSeconds);
    return Promise.resolve(held.map((delivery) => delivery.id));
  }
  finish(delivery: ClaimedDelivery, outcome: AttemptOutcome): Promise<boolean> {
    if (this.broken) return Promise.reject(new Error('the database is away'));
    const row = this.row(delivery.id);
    const attempt = row.attempts[delivery.attempt - 1];
    if (row.fence !== delivery.fence || !attempt) return Promise.resolve(false);
    attempt.end = outcome;
    if (outcome.next.kind === 'retry') row.dueAt = outcome.next.at;
    else row.state = outcome.next.state;
    return Promise.resolve(true);
  }
  release(deliveries: ClaimedDelivery[], dueAt: string = this.#clock.now()): Promise<void> {
    for (const delivery of deliveries) {
      const row = this.row(delivery.id);
      if (row.fence !== delivery.fence) continue;
      row.attempts.pop();
      row.dueAt = dueAt;
    }
    return Promise.resolve();
  }
  /** The words of the attempts that ended. */
  results(id: string): (string | undefined)[] {
    return this.row(id).attempts.map((attempt) => attempt.end?.result);
  }
}

interface Arrival {
  headers: IncomingHttpHeaders;
  body: string;
  response: ServerResponse;
}

async function receiver(respond: (arrival: Arrival) => void = ({ response }) => response.writeHead(204).end()) {
  const arrivals: Arrival[] = [];
  const events = new EventEmitter();
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const arrival = { headers: request.headers, body: body.toString(), response };
      arrivals.push(arrival);
      respond(arrival);
      events.emit('arrival');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
  });
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    arrivals,
    until: async (count: number) => {
      while (arrivals.length < count) await once(events, 'arrival');
    },
  };
}
const answering =
  (status: number, headers: Record<string, string> = {}) =>
  ({ response }: Arrival) =>
    void response.writeHead(status, headers).end();
const hanging = () => {};

function setUp(change: Partial<DelivererOptions> = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore(clock);
  const transport = createWebhookTransport({ policy: { allow: [], loopback: true }, now: () => Date.parse(clock.now()) });
  closers.push(() => transport.close());
  const errors: unknown[] = [];
  const options: DelivererOptions = {
    store,
    transport,
    open: (delivery) => Promise.resolve(delivery.sealed_body),
    targetOf: ({ target }) =>
      Promise.resolve(
        target.kind === 'url' ? { kind: 'target', target: { url: target.url, hmacSecrets: [SECRET] } } : { kind: 'unknown', detail: 'no such endpoint' },
      ),
    leafOf: (delivery, end) => ({
      id: `${delivery.id}-${delivery.attempt}`,
      event: 'delivery.attempted',
      at: end.finished_at,
      subject: delivery.request_id,
      bytes: Buffer.from(end.result),
      sealed_private: null,
    }),
    maskPreview: (text) => text.replaceAll(/\d/g, '#'),
    clock,
    random: () => 0.5,
    log: { info: () => {}, error: (fields) => void errors.push(fields['err']) },
    ...change,
  };
  return { clock, store, errors, options, deliverer: createDeliverer(options) };
}

describe('an attempt', () => {
  test('I7: is written down before its bytes leave, and ends delivered with its leaf', async () => {
    const { store, deliverer } = setUp();
    const seen: unknown[] = [];
    const { url, arrivals } = await receiver((arrival) => {
      seen.push(...store.row('msg_1').attempts.map(({ number, end }) => ({ number, ended: end !== null })));
      answering(200)(arrival);
    });
    const id = store.add({ url });
    expect(await deliverer.runDue(10)).toEqual(['delivered']);
    expect(seen).toEqual([{ number: 1, ended: false }]);
    expect(arrivals[0]).toMatchObject({ body: '{"delivery":"msg_1"}', headers: { 'webhook-id': 'msg_1', 'webhook-timestamp': '1767225600' } });
    expect(store.row(id)).toMatchObject({
      state: 'delivered',
      attempts: [{ end: { result: 'delivered', status: 200, leaf: { id: 'msg_1-1', event: 'delivery.attempted' } } }],
    });
    expect(await deliverer.runDue(10)).toEqual([]);
  });

  test('I5, I7: 16 of them, by the schedule, with the same id and bytes, numbered without gaps; then the delivery is dead', async () => {
    const { clock, store, deliverer } = setUp();
    const { url, arrivals } = await receiver(answering(500));
    const id = store.add({ url });
    const waits: number[] = [];
    for (let ends = ['retry']; ends[0] !== 'ended';) {
      const lastMs = Date.parse(clock.now());
      // Where the breaker holds an attempt back, the claim is given back unnumbered and comes again.
      do {
        clock.advance((Date.parse(store.row(id).dueAt) - Date.parse(clock.now())) / 1000);
        ends = await deliverer.runDue(1);
      } while (ends[0] === 'released');
      waits.push((Date.parse(clock.now()) - lastMs) / 1000);
    }
    expect(store.row(id).state).toBe('dead');
    expect(store.row(id).attempts.map((attempt) => attempt.number)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
    expect(new Set(arrivals.map(({ headers, body }) => `${String(headers['webhook-id'])} ${body}`))).toEqual(new Set(['msg_1 {"delivery":"msg_1"}']));
    expect(new Set(arrivals.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(16);
    waits.forEach((wait, index) => expect(wait).toBeGreaterThanOrEqual(RETRY_DELAYS_SECONDS[index] ?? Number.NaN));
  });

  test("Retry-After puts it off, and the receiver's words are kept masked", async () => {
    const { clock, store, deliverer } = setUp();
    const { url } = await receiver(({ response }) => response.writeHead(503, { 'retry-after': '600' }).end('call 555-0100'));
    const id = store.add({ url });
    expect(await deliverer.runDue(1)).toEqual(['retry']);
    expect(store.row(id).dueAt).toBe(addSeconds(clock.now(), 600));
    expect(store.row(id).attempts[0]?.end).toMatchObject({ result: 'http_error', status: 503, answer_preview: 'call ###-####' });
  });

  test('I5: gone ends aborted and disables the endpoint; blocked and unknown end dead; for a disabled one no attempt is made', async () => {
    const { store, deliverer } = setUp({
      targetOf: ({ target }) =>
        Promise.resolve(
          target.kind === 'url'
            ? { kind: 'target', target: { url: target.url, hmacSecrets: [SECRET] } }
            : target.endpoint_id === 'ep_off'
              ? { kind: 'held', detail: 'disabled' }
              : { kind: 'unknown', detail: 'no such endpoint' },
        ),
    });
    const { url, arrivals } = await receiver(answering(410));
    store.add({ url });
    store.add({ url: 'https://169.254.169.254/' });
    store.add({ target: { kind: 'endpoint', endpoint_id: 'ep_off' } });
    store.add({ target: { kind: 'endpoint', endpoint_id: 'ep_none' } });
    expect(await deliverer.runDue(10)).toEqual(['ended', 'ended', 'released', 'ended']);
    expect(store.rows.map((row) => [row.state, row.attempts[0]?.end?.result])).toEqual([
      ['aborted', 'gone'],
      ['dead', 'blocked_address'],
      ['pending', undefined],
      ['dead', 'unknown'],
    ]);
    expect(store.row('msg_1').attempts[0]?.end).toMatchObject({ disable: 'gone', receiver: 'up', next: { reason: 'gone' } });
    expect(store.row('msg_2').attempts[0]?.end).toMatchObject({ next: { reason: 'blocked_address' }, detail: expect.stringContaining('169.254.169.254') });
    expect(arrivals).toHaveLength(1);
  });

  test('I5: a fault on our side sends nothing and is repeated by the schedule', async () => {
    const { clock, store, deliverer, errors } = setUp({ open: () => Promise.reject(new Error('the key is away')) });
    const { url, arrivals } = await receiver();
    const id = store.add({ url });
    expect(await deliverer.runDue(1)).toEqual(['retry']);
    expect(store.row(id)).toMatchObject({ state: 'pending', dueAt: addSeconds(clock.now(), 2), attempts: [{ end: { result: 'internal_error' } }] });
    expect(errors).toHaveLength(1);
    expect(arrivals).toHaveLength(0);
  });

  test('I5: an end that cannot be written leaves the delivery to come due again', async () => {
    const { clock, store, deliverer } = setUp();
    const { url, arrivals } = await receiver();
    const id = store.add({ url });
    store.broken = true;
    expect(await deliverer.runDue(1)).toEqual(['unknown']);
    store.broken = false;
    expect(await deliverer.runDue(1)).toEqual([]);
    clock.advance(20);
    expect(await deliverer.runDue(1)).toEqual(['delivered']);
    expect(arrivals).toHaveLength(2);
    expect(store.results(id)).toEqual([undefined, 'delivered']);
  });

  test('deliverNow takes the one that is named, once', async () => {
    const { store, deliverer } = setUp();
    const { url, arrivals } = await receiver();
    store.add({ url });
    const id = store.add({ url });
    expect(await Promise.all([deliverer.deliverNow(id), deliverer.deliverNow(id)])).toEqual(['delivered', 'not_due']);
    expect(arrivals.map(({ headers }) => headers['webhook-id'])).toEqual([id]);
  });
});

describe('many workers', () => {
  test('a worker that was stopped and continued cannot end what another has taken over', async () => {
    const { clock, store, options, deliverer } = setUp();
    const { url, arrivals, until } = await receiver(({ response }) => void (arrivals.length > 1 && response.writeHead(200).end()));
    const id = store.add({ url });
    const stopped = deliverer.runDue(1);
    await until(1);
    clock.advance(20);
    expect(await createDeliverer(options).runDue(1)).toEqual(['delivered']);
    arrivals[0]?.response.writeHead(500).end();
    expect(await stopped).toEqual(['lost']);
    expect(store.row(id).state).toBe('delivered');
    expect(store.results(id)).toEqual([undefined, 'delivered']);
  });

  test('a worker that was stopped before it sent sends nothing once its lease is over', async () => {
    const clockOf: { clock?: ManualClock } = {};
    const { clock, store, deliverer } = setUp({
      open: (delivery) => {
        clockOf.clock?.advance(20);
        return Promise.resolve(delivery.sealed_body);
      },
    });
    clockOf.clock = clock;
    const { url, arrivals } = await receiver();
    store.add({ url });
    expect(await deliverer.runDue(1)).toEqual(['lost']);
    expect(arrivals).toHaveLength(0);
  });

  test('of two events of a request the earlier goes first', async () => {
    const { clock, store, deliverer } = setUp();
    let status = 500;
    const { url, arrivals } = await receiver((arrival) => answering(status)(arrival));
    store.add({ url, request_id: 'ar_1', sequence: 2 });
    store.add({ url, request_id: 'ar_1', sequence: 1 });
    expect(await deliverer.runDue(10)).toEqual(['retry']);
    expect(await deliverer.runDue(10)).toEqual([]);
    status = 200;
    clock.advance(2);
    expect([...(await deliverer.runDue(10)), ...(await deliverer.runDue(10))]).toEqual(['delivered', 'delivered']);
    expect(arrivals.map(({ headers }) => headers['webhook-id'])).toEqual(['msg_2', 'msg_2', 'msg_1']);
  });
});

describe('load', () => {
  test('I15: a receiver that hangs takes only its own places', async () => {
    const { store, deliverer } = setUp({ limits: { inFlight: 6, inFlightPerTarget: 2 } });
    const slow = await receiver(hanging);
    const fast = await receiver();
    for (let count = 0; count < 20; count += 1) store.add({ url: slow.url });
    const last = store.add({ url: fast.url });
    // Each round attempts what has a place and gives the rest back for a second, so that others' turn comes.
    const runs = [1, 2, 3, 4, 5, 6].map(() => deliverer.runDue(6));
    await Promise.any(runs.map(async (run) => expect(await run).toContain('delivered')));
    expect(store.row(last).state).toBe('delivered');
    await slow.until(2);
    await deliverer.stop(AbortSignal.abort());
    await Promise.all(runs);
    expect(slow.arrivals).toHaveLength(2);
  });

  test('a call waits for a free place and then claims', async () => {
    const { store, deliverer } = setUp({ limits: { inFlight: 1 } });
    const { url, arrivals, until } = await receiver(hanging);
    store.add({ url });
    store.add({ url });
    const first = deliverer.runDue(5);
    const second = deliverer.runDue(5);
    await until(1);
    expect(store.row('msg_2').attempts).toHaveLength(0);
    arrivals[0]?.response.writeHead(200).end();
    expect(await first).toEqual(['delivered']);
    await until(2);
    arrivals[1]?.response.writeHead(200).end();
    expect(await second).toEqual(['delivered']);
  });

  test('a receiver that is down is left alone, then probed; what waited keeps its attempt numbers', async () => {
    const { clock, store, deliverer } = setUp();
    let status = 500;
    const { url, arrivals } = await receiver((arrival) => answering(status)(arrival));
    for (let count = 0; count < 5; count += 1) store.add({ url });
    expect(await deliverer.runDue(5)).toEqual(['retry', 'retry', 'retry', 'retry', 'retry']);
    const late = store.add({ url });
    expect(await deliverer.runDue(5)).toEqual(['released']);
    expect(store.row(late)).toMatchObject({ attempts: [], dueAt: addSeconds(clock.now(), 30) });
    expect(arrivals).toHaveLength(5);
    status = 200;
    clock.advance(30);
    expect((await deliverer.runDue(6)).toSorted()).toEqual(['delivered', ...Array.from({ length: 5 }, () => 'released')]);
    clock.advance(60);
    expect(await deliverer.runDue(6)).toEqual(Array.from({ length: 5 }, () => 'delivered'));
    expect(store.results(late)).toEqual(['delivered']);
  });
});

describe('stopping', () => {
  test('waits for what is out, and claims nothing more', async () => {
    const { store, deliverer } = setUp();
    const { url, arrivals, until } = await receiver(hanging);
    const id = store.add({ url });
    const run = deliverer.runDue(1);
    await until(1);
    const stopped = deliverer.stop();
    store.add({ url });
    expect(await deliverer.runDue(1)).toEqual([]);
    arrivals[0]?.response.writeHead(200).end();
    await stopped;
    expect(await run).toEqual(['delivered']);
    expect(store.row(id).state).toBe('delivered');
    expect(store.row('msg_2').attempts).toHaveLength(0);
  });

  test('cuts off what is out when the time is over; it is due again at once', async () => {
    const { clock, store, deliverer } = setUp();
    const { url, until } = await receiver(hanging);
    const id = store.add({ url });
    const run = deliverer.runDue(1);
    await until(1);
    await deliverer.stop(AbortSignal.abort());
    expect(await run).toEqual(['retry']);
    expect(store.row(id)).toMatchObject({ state: 'pending', dueAt: clock.now(), attempts: [{ end: { result: 'cancelled' } }] });
  });
});
