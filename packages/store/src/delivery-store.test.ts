import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { AttemptOutcome, ClaimedDelivery } from '@countersign/core/ports';
import { aDelivery, ALICE, aLeaf, anOpening, anOutcome, aSettling, at, TENANT } from './testing/sample-records.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await storeFixture();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  // What an earlier test left due is not this test's business.
  await fixture.sql(`UPDATE deliveries SET state = 'dead' WHERE state = 'pending'`);
});

const deliveries = () => fixture.store.deliveries;

/** A settled request with a callback that is due. */
async function settled(): Promise<string> {
  const commit = anOpening();
  await fixture.store.requests.open(commit);
  await fixture.store.requests.change(aSettling(commit.request.id, ALICE));
  return commit.request.id;
}

async function claimOne(): Promise<ClaimedDelivery> {
  const [claimed] = await deliveries().claim({ limit: 1, lease_seconds: 60 });
  if (claimed === undefined) throw new Error('nothing was due');
  return claimed;
}

function outcome(delivery: ClaimedDelivery, next: AttemptOutcome['next'], result = 'delivered'): AttemptOutcome {
  return { finished_at: at(0), status: 200, result, detail: null, answer_preview: 'ok', next, leaf: aLeaf(delivery.request_id, 'delivery.attempted') };
}

const timeIsOver = (id: string) => fixture.sql(`UPDATE deliveries SET next_attempt_at = now() - interval '1 second' WHERE id = $1`, [id]);

describe('claiming', () => {
  test('I7: a claim makes the attempt, numbered from one, before anybody can send', async () => {
    const request = await settled();
    const claimed = await claimOne();
    expect(claimed).toMatchObject({
      tenant: TENANT,
      request_id: request,
      attempt: 1,
      sequence: 1,
      event: 'outcome.settled',
      target: { kind: 'url', url: 'https://caller.example.com/hook' },
    });
    // What the attempt and its leaf need comes with it, so that nothing is read between the claim and the wire.
    const [stored] = await fixture.sql(
      `SELECT r.sealed_payload, k.sealed_webhook_secret FROM action_requests r JOIN api_keys k ON k.tenant = r.tenant AND k.id = r.requester_id WHERE r.id = $1`,
      [request],
    );
    expect({ sealed_payload: claimed.sealed_payload, sealed_webhook_secret: claimed.sealed_webhook_secret }).toEqual(stored);
    expect((await deliveries().list(TENANT, request))[0]?.attempts).toEqual([
      { number: 1, at: claimed.attempted_at, finished_at: null, url: null, status: null, result: null, detail: null, duration_ms: null, answer_preview: null },
    ]);
    expect(await deliveries().claim({ limit: 10, lease_seconds: 60 })).toEqual([]);
  });

  test('many workers at once share the due deliveries: none is claimed twice, none is left', async () => {
    const requests = await Promise.all(Array.from({ length: 40 }, settled));
    const claims = await Promise.all(Array.from({ length: 8 }, () => deliveries().claim({ limit: 7, lease_seconds: 60 })));
    const rest = await deliveries().claim({ limit: 100, lease_seconds: 60 });
    const claimed = [...claims.flat(), ...rest].map((delivery) => delivery.request_id);
    expect(claimed.sort()).toEqual([...requests].sort());
  });

  test('a wake-up claims the one that it names', async () => {
    const [first, second] = [await settled(), await settled()];
    const id = (await deliveries().list(TENANT, second))[0]?.id ?? '';
    expect((await deliveries().claim({ limit: 10, lease_seconds: 60, id })).map((delivery) => delivery.request_id)).toEqual([second]);
    expect((await deliveries().claim({ limit: 10, lease_seconds: 60 })).map((delivery) => delivery.request_id)).toEqual([first]);
  });

  test('D1: of one request the lower sequence goes first, and the next only once that has ended', async () => {
    const request = await settled();
    await fixture.store.requests.change({
      tenant: TENANT,
      request_id: request,
      from: { version: 2, status: 'approved' },
      time: 'any',
      set: { status: 'revoked' },
      outcome: anOutcome(request, 2, 'revoked'),
      deliveries: [aDelivery(request, 2)],
      cards: false,
      leaves: [aLeaf(request)],
    });
    const first = await claimOne();
    expect(first.sequence).toBe(1);
    expect(await deliveries().claim({ limit: 10, lease_seconds: 60 })).toEqual([]);
    expect(await deliveries().finish(first, outcome(first, { kind: 'end', state: 'held' }, 'held'))).toBe(true);
    expect(await deliveries().claim({ limit: 10, lease_seconds: 60 })).toEqual([]);
    await fixture.sql(`UPDATE deliveries SET state = 'dead' WHERE id = $1`, [first.id]);
    expect((await claimOne()).sequence).toBe(2);
  });

  test("a dead worker's claim comes due again with the next number, and its late word does not count", async () => {
    const request = await settled();
    const dead = await claimOne();
    await timeIsOver(dead.id);
    const next = await claimOne();
    expect([next.attempt, next.fence]).toEqual([2, dead.fence + 1]);
    expect(await deliveries().finish(dead, outcome(dead, { kind: 'end', state: 'delivered' }))).toBe(false);
    expect(await deliveries().finish(next, outcome(next, { kind: 'end', state: 'delivered' }))).toBe(true);
    const [view] = await deliveries().list(TENANT, request);
    expect(view).toMatchObject({ state: 'delivered', next_attempt_at: null });
    expect(view?.attempts.map((attempt) => [attempt.number, attempt.result])).toEqual([
      [1, null],
      [2, 'delivered'],
    ]);
  });
});

describe('finishing', () => {
  test('a retry is due at its time, with attempt and leaf written together', async () => {
    const request = await settled();
    const claimed = await claimOne();
    const later = at(3_600_000);
    expect(await deliveries().finish(claimed, outcome(claimed, { kind: 'retry', at: later }, 'timeout'))).toBe(true);
    const [view] = await deliveries().list(TENANT, request);
    expect(view).toMatchObject({ state: 'pending', next_attempt_at: later });
    expect((await fixture.store.requests.timeline(TENANT, request)).map((leaf) => leaf.event)).toContain('delivery.attempted');
    expect(await deliveries().claim({ limit: 10, lease_seconds: 60 })).toEqual([]);
  });

  test('an attempt ends once', async () => {
    await settled();
    const claimed = await claimOne();
    const results = await Promise.all([1, 2, 3].map(() => deliveries().finish(claimed, outcome(claimed, { kind: 'retry', at: at(0) }))));
    expect(results.filter(Boolean)).toHaveLength(1);
  });

  test('what was superseded on the wire is not tried again, but a delivery that arrived is said', async () => {
    for (const [next, state] of [
      [{ kind: 'retry', at: at(0) }, 'superseded'],
      [{ kind: 'end', state: 'dead' }, 'superseded'],
      [{ kind: 'end', state: 'delivered' }, 'delivered'],
    ] as const) {
      const request = await settled();
      const claimed = await claimOne();
      await fixture.store.requests.change({
        tenant: TENANT,
        request_id: request,
        from: { version: 2, status: 'approved' },
        time: 'any',
        set: { status: 'revoked' },
        outcome: anOutcome(request, 2, 'revoked'),
        supersede: true,
        cards: false,
        leaves: [aLeaf(request)],
      });
      expect(await deliveries().finish(claimed, outcome(claimed, next))).toBe(true);
      expect((await deliveries().list(TENANT, request))[0]?.state).toBe(state);
    }
  });

  test('I7: a claim that is given back leaves no gap in the numbers', async () => {
    const request = await settled();
    const claimed = await claimOne();
    await deliveries().release([claimed]);
    await deliveries().release([claimed]);
    await deliveries().release([]);
    const again = await claimOne();
    expect([again.attempt, again.fence]).toEqual([1, claimed.fence + 1]);
    await deliveries().release([claimed]);
    expect((await deliveries().list(TENANT, request))[0]?.attempts).toHaveLength(1);
  });
});

test('a claim that is given back for later is due then', async () => {
  const request = await settled();
  const later = at(3_600_000);
  await deliveries().release([await claimOne()], later);
  expect((await deliveries().list(TENANT, request))[0]).toMatchObject({ state: 'pending', next_attempt_at: later, attempts: [] });
  expect(await deliveries().claim({ limit: 10, lease_seconds: 60 })).toEqual([]);
});

test('I15: another tenant sees no deliveries', async () => {
  const request = await settled();
  expect(await deliveries().list('other', request)).toEqual([]);
});

/** A settled request whose callback goes to an address of its own. */
async function settledAt(path: string): Promise<string> {
  const commit = anOpening();
  await fixture.store.requests.open(commit);
  const settling = aSettling(commit.request.id, ALICE);
  const target = { kind: 'url', url: `https://caller.example.com${path}` } as const;
  await fixture.store.requests.change({ ...settling, deliveries: [{ ...aDelivery(commit.request.id, 1), target }] });
  return commit.request.id;
}

const claims = async (query: { limit?: number; per_endpoint?: number; per_tenant?: number }) =>
  deliveries().claim({ limit: query.limit ?? 100, lease_seconds: 60, caps: { per_endpoint: query.per_endpoint ?? 100, per_tenant: query.per_tenant ?? 100 } });

describe('turns', () => {
  test('I15: a backlog of one endpoint keeps nobody waiting, however long it is', async () => {
    await Promise.all(Array.from({ length: 60 }, () => settledAt('/slow')));
    const late = await settledAt('/late');
    const first = await claims({ limit: 10, per_endpoint: 8 });
    expect(first).toHaveLength(9);
    expect(first.map((delivery) => delivery.request_id)).toContain(late);
    // All its places are taken: the next claim takes none of it, and what comes due for another at once.
    const later = await settledAt('/later');
    expect((await claims({ limit: 10, per_endpoint: 8 })).map((delivery) => delivery.request_id)).toEqual([later]);
    const [ended] = first.filter((delivery) => delivery.request_id !== late);
    if (ended === undefined) throw new Error('nothing was claimed');
    await deliveries().finish(ended, outcome(ended, { kind: 'end', state: 'delivered' }));
    expect(await claims({ limit: 10, per_endpoint: 8 })).toHaveLength(1);
  });

  test('I15: tenants take turns, and one has no more out than its cap', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => settledAt(`/noisy/${index}`)));
    await Promise.all([settledAt('/quiet/1'), settledAt('/quiet/2')]);
    await fixture.sql(`INSERT INTO tenants (id) VALUES ('quiet') ON CONFLICT DO NOTHING`);
    await fixture.sql(`UPDATE deliveries SET tenant = 'quiet' WHERE state = 'pending' AND endpoint_key LIKE '%/quiet/%'`);
    const first = await claims({ limit: 4, per_tenant: 6 });
    expect(first.map((delivery) => delivery.tenant).toSorted()).toEqual([TENANT, TENANT, 'quiet', 'quiet']);
    expect(await claims({ per_tenant: 6 })).toHaveLength(4);
    expect(await claims({ per_tenant: 6 })).toEqual([]);
  });

  test('of one endpoint the oldest goes first', async () => {
    const requests = [await settledAt('/order'), await settledAt('/order'), await settledAt('/order')];
    const got: string[] = [];
    for (const _ of requests) {
      const [claimed] = await claims({ per_endpoint: 1 });
      if (claimed === undefined) throw new Error('nothing was due');
      got.push(claimed.request_id);
      await deliveries().finish(claimed, outcome(claimed, { kind: 'end', state: 'delivered' }));
    }
    expect(got).toEqual(requests);
  });
});

describe('leases', () => {
  test('a lease that is renewed is not taken over; one that another worker took is not renewed', async () => {
    await settledAt('/lease');
    const claimed = await claimOne();
    await timeIsOver(claimed.id);
    expect(await deliveries().renew([claimed], 60)).toEqual([claimed.id]);
    expect(await claims({})).toEqual([]);
    await timeIsOver(claimed.id);
    const taken = await claimOne();
    expect(await deliveries().renew([claimed], 60)).toEqual([]);
    expect(await deliveries().renew([taken, claimed], 60)).toEqual([taken.id]);
    expect(await deliveries().finish(taken, outcome(taken, { kind: 'retry', at: at(0) }))).toBe(true);
    expect(await deliveries().renew([taken], 60)).toEqual([]);
  });
});

describe('endpoints that fail', () => {
  const failed = (claimed: ClaimedDelivery, next: AttemptOutcome['next'], more: Partial<AttemptOutcome>) =>
    deliveries().finish(claimed, { ...outcome(claimed, next, 'http_error'), ...more });
  const endpoint = async (path: string) =>
    (await fixture.store.endpoints.list(TENANT, { limit: 100 })).find((candidate) => candidate.url === `https://caller.example.com${path}`);
  const stateOf = async (request: string) => (await deliveries().list(TENANT, request)).map(({ state, reason }) => [state, reason]);

  test('a bare URL is an endpoint of its own from its first failure on, per key, origin and path, and well again after a success', async () => {
    await settledAt('/own?run=1');
    const claimed = await claimOne();
    await failed(claimed, { kind: 'retry', at: at(0) }, { receiver: 'down' });
    expect(await endpoint('/own')).toMatchObject({ kind: 'bare', state: 'enabled', api_key_id: claimed.api_key_id, failing_since: expect.any(String) });
    const again = await claimOne();
    await failed(again, { kind: 'end', state: 'delivered' }, { receiver: 'up' });
    expect(await endpoint('/own')).toMatchObject({ state: 'enabled', failing_since: null });
  });

  test('I5: 410 disables it with the attempt; what waits is held, and goes out in order when it is enabled', async () => {
    const first = await settledAt('/gone');
    const waiting = [await settledAt('/gone'), await settledAt('/gone')];
    const claimed = await claimOne();
    expect(claimed.request_id).toBe(first);
    await failed(claimed, { kind: 'end', state: 'aborted', reason: 'gone' }, { receiver: 'up', disable: 'gone' });
    expect(await claims({})).toEqual([]);
    const later = await settledAt('/gone');
    expect(await claims({})).toEqual([]);
    expect([await stateOf(first), ...(await Promise.all([...waiting, later].map(stateOf)))]).toEqual([
      [['aborted', 'gone']],
      [['held', 'endpoint_disabled']],
      [['held', 'endpoint_disabled']],
      [['held', 'endpoint_disabled']],
    ]);
    const disabled = await endpoint('/gone');
    expect(disabled).toMatchObject({ kind: 'bare', state: 'disabled', reason: 'gone' });
    expect(await fixture.store.endpoints.setState(TENANT, disabled?.id ?? '', 'enabled', null)).toMatchObject({
      deliveries: 3,
      endpoint: { state: 'enabled', reason: null },
    });
    const got: string[] = [];
    for (;;) {
      const [next] = await claims({ per_endpoint: 1 });
      if (next === undefined) break;
      expect(next.endpoint_since).toEqual(expect.any(String));
      got.push(next.request_id);
      await deliveries().finish(next, outcome(next, { kind: 'end', state: 'delivered' }));
    }
    expect(got).toEqual([...waiting, later]);
  });

  test('nothing delivered for 120 hours disables it; a minute less does not', async () => {
    await settledAt('/failing');
    await failed(await claimOne(), { kind: 'retry', at: at(0) }, { receiver: 'down' });
    const failingFor = (interval: string) => fixture.sql(`UPDATE endpoints SET failing_since = now() - $1::interval WHERE url LIKE '%/failing'`, [interval]);
    await failingFor('119 hours 59 minutes');
    await failed(await claimOne(), { kind: 'retry', at: at(0) }, { receiver: 'down' });
    expect(await endpoint('/failing')).toMatchObject({ state: 'enabled' });
    await failingFor('120 hours 1 second');
    await failed(await claimOne(), { kind: 'retry', at: at(0) }, { receiver: 'down' });
    expect(await endpoint('/failing')).toMatchObject({ state: 'disabled', reason: 'failing' });
  });

  test('I5: enabling while a claim holds its events leaves none behind', async () => {
    const requests = await Promise.all(Array.from({ length: 3 }, () => settledAt('/race')));
    const claimed = await claimOne();
    await failed(claimed, { kind: 'retry', at: at(0) }, { receiver: 'down', disable: 'receiver_asked' });
    const id = (await endpoint('/race'))?.id ?? '';
    // The claim has seen that the endpoint is disabled, and waits in the middle of holding its events.
    await fixture.sql('BEGIN');
    await fixture.sql('SELECT FROM deliveries WHERE request_id = $1 FOR UPDATE', [requests[2]]);
    const waiters = async () =>
      (
        await fixture.sql<{ count: number }>(`SELECT count(DISTINCT pid)::int AS count FROM pg_locks WHERE NOT granted
          AND pid IN (SELECT pid FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
      )[0]?.count ?? 0;
    const claiming = claims({});
    while ((await waiters()) < 1);
    const seen = { enabled: false };
    const enabling = fixture.store.endpoints.setState(TENANT, id, 'enabled', null).then(() => (seen.enabled = true));
    while (!seen.enabled && (await waiters()) < 2);
    await fixture.sql('COMMIT');
    await Promise.all([claiming, enabling]);
    const states = (await Promise.all(requests.map(stateOf))).flat().map(([state]) => state);
    expect(states).toEqual(requests.map(() => 'pending'));
  });
});

describe('redriving', () => {
  async function dead(): Promise<{ request: string; id: string }> {
    const request = await settled();
    const claimed = await claimOne();
    await deliveries().finish(claimed, outcome(claimed, { kind: 'end', state: 'dead', reason: 'attempts_exhausted' }, 'timeout'));
    return { request, id: claimed.id };
  }
  const newIds = (of: readonly string[]) => of.map((redrive_of) => ({ id: aDelivery('', 1).id, redrive_of }));

  test('makes a new delivery with the same bytes and webhook-id, and keeps the old one as it ended', async () => {
    const { request, id } = await dead();
    const [made] = await deliveries().redrive(TENANT, newIds([id]));
    const [old, fresh] = await deliveries().list(TENANT, request);
    expect(old).toMatchObject({ id, state: 'dead', reason: 'attempts_exhausted', ended_at: expect.any(String), attempts: [{ number: 1, result: 'timeout' }] });
    expect(fresh).toMatchObject({ id: made?.id, webhook_id: id, redrive_of: id, sequence: 1, state: 'pending', attempts: [] });
    const claimed = await claimOne();
    expect(claimed).toMatchObject({ id: made?.id, message_id: id, attempt: 1 });
    const [row] = await fixture.sql<{ same: boolean }>('SELECT (SELECT sealed_body FROM deliveries WHERE id = $1) = $2 AS same', [id, claimed.sealed_body]);
    expect(row?.same).toBe(true);
  });

  test('one at a time, whoever asks; what goes out already or was superseded by a revocation does not go again', async () => {
    const { id } = await dead();
    const made = await Promise.all([1, 2, 3, 4].map(() => deliveries().redrive(TENANT, newIds([id]))));
    expect(made.flat()).toHaveLength(1);
    expect(await deliveries().redrive(TENANT, newIds([made.flat()[0]?.id ?? '']))).toEqual([]);
    expect(await deliveries().redrive('other', newIds([id]))).toEqual([]);
    const again = await claimOne();
    await deliveries().finish(again, outcome(again, { kind: 'end', state: 'delivered' }));

    const revoked = await dead();
    await fixture.store.requests.change({
      tenant: TENANT,
      request_id: revoked.request,
      from: { version: 2, status: 'approved' },
      time: 'any',
      set: { status: 'revoked' },
      outcome: anOutcome(revoked.request, 2, 'revoked'),
      deliveries: [aDelivery(revoked.request, 2)],
      supersede: true,
      cards: false,
      leaves: [aLeaf(revoked.request)],
    });
    expect(await deliveries().redrive(TENANT, newIds([revoked.id]))).toEqual([]);
  });
});

describe('dead letters', () => {
  test('are listed with their reason, newest first, page by page', async () => {
    await fixture.sql(`UPDATE deliveries SET state = 'delivered' WHERE state = 'dead'`);
    const requests: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      requests.push(await settledAt('/dead'));
      const claimed = await claimOne();
      await deliveries().finish(claimed, {
        ...outcome(claimed, { kind: 'end', state: 'dead', reason: 'blocked_address' }, 'blocked_address'),
        url: 'https://caller.example.com/dead',
        duration_ms: 7,
      });
    }
    const page = await deliveries().search(TENANT, { state: 'dead', limit: 2 });
    expect(page.map((delivery) => delivery.action_request)).toEqual(requests.toReversed().slice(0, 2));
    expect(page[0]).toMatchObject({
      state: 'dead',
      reason: 'blocked_address',
      attempts: [{ url: 'https://caller.example.com/dead', duration_ms: 7, answer_preview: 'ok', result: 'blocked_address' }],
    });
    const last = page[1];
    if (last === undefined) throw new Error('a page of two has a second');
    const rest = await deliveries().search(TENANT, { state: 'dead', limit: 2, before: { created_at: last.created_at, id: last.id } });
    expect(rest.map((delivery) => delivery.action_request)).toEqual(requests.slice(0, 1));
    expect(await deliveries().search('other', { limit: 10 })).toEqual([]);
    expect(await deliveries().get('other', last.id)).toBeNull();
  });
});
