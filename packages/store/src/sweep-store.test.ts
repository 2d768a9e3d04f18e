import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ALICE, anOpening, aSettling, at, TENANT } from './testing/sample-records.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await storeFixture();
});
afterAll(() => fixture.close());

test('the backlog counts what is due, and names the next instant at which something will be', async () => {
  const { store } = fixture;
  const empty = await store.sweep.backlog();
  expect(empty).toMatchObject({ due_requests: 0, due_deliveries: 0, due_cards: {}, next_due_at: null });

  await store.cards.connect(TENANT, 'slack');
  const soon = at(60_000);
  await store.requests.open(anOpening({ expires_at: soon }));
  await store.requests.open(anOpening({ expires_at: at(3_600_000) }));
  expect(await store.sweep.backlog()).toEqual({
    due_requests: 0,
    due_timers: 0,
    due_deliveries: 0,
    unplaced_leaves: empty.unplaced_leaves + 2,
    due_cards: { slack: 2 },
    next_due_at: soon,
  });

  const over = at(-1_000);
  await store.requests.open(anOpening({ expires_at: over }));
  const settled = anOpening();
  await store.requests.open(settled);
  await store.requests.change(aSettling(settled.request.id, ALICE));
  expect(await store.sweep.backlog()).toMatchObject({ due_requests: 1, due_deliveries: 1, due_cards: { slack: 4 }, next_due_at: over });

  await store.deliveries.claim({ limit: 1, lease_seconds: 60 });
  await store.cards.claim('slack', 3, 60);
  expect(await store.sweep.backlog()).toMatchObject({ due_requests: 1, due_deliveries: 0, due_cards: { slack: 1 } });
});

test("the clock is the database's", async () => {
  const [row] = await fixture.sql<{ now: Date }>('SELECT clock_timestamp() AS now');
  const now = await fixture.store.sweep.now();
  expect(now).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
  expect(new Date(now).getTime()).toBeGreaterThanOrEqual(row?.now.getTime() ?? Number.NaN);
});

test('a million settled requests cost the sweeps nothing: every sweep reads indexes of live rows alone', async () => {
  // With sequential scans forbidden, a plan that still has one has no index that fits.
  const statements = [
    `SELECT count(*) FROM action_requests WHERE status = 'pending' AND expires_at <= now()`,
    `SELECT tenant, id FROM action_requests WHERE status = 'pending' AND expires_at <= now() ORDER BY expires_at LIMIT 10`,
    `SELECT request_id FROM timers WHERE due_at <= now() ORDER BY due_at LIMIT 10`,
    `SELECT id FROM deliveries WHERE state = 'pending' AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT 10`,
    `SELECT id FROM action_requests WHERE tenant = 'default' AND status = 'pending' ORDER BY created_at DESC, id DESC LIMIT 10`,
    `SELECT id FROM action_requests WHERE tenant = 'default' ORDER BY created_at DESC, id DESC LIMIT 10`,
  ];
  await fixture.sql('SET enable_seqscan = off');
  for (const statement of statements) {
    const plan = (await fixture.sql<{ 'QUERY PLAN': string }>(`EXPLAIN ${statement}`)).map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index( Only)? Scan/);
    expect(plan).not.toMatch(/Seq Scan|Sort/);
  }
});
