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
