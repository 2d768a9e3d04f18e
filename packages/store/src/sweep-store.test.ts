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
    due_notices: {},
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

test('what people were told, mailed, opened or snoozed goes after 90 days, of settled requests alone; younger, and what a pending request needs, stays', async () => {
  const { store, sql } = fixture;
  const [pending, settled] = [anOpening(), anOpening()];
  for (const opening of [pending, settled]) await store.requests.open(opening);
  const ids = [pending.request.id, settled.request.id];
  const rows = async () =>
    (
      await sql<{ row: string }>(`SELECT 'notice ' || id AS row FROM notices WHERE id LIKE 'nt_clean%' UNION ALL SELECT 'told ' || notice_id FROM told_notices
        UNION ALL SELECT 'task ' || notice_id FROM notice_tasks WHERE notice_id LIKE 'nt_clean%' UNION ALL SELECT 'digest ' || slot FROM digests
        UNION ALL SELECT 'opening ' || request_id FROM card_openings UNION ALL SELECT 'snooze ' || request_id FROM snoozes UNION ALL SELECT 'mail ' || coalesce(request_id, id::text) FROM mails ORDER BY 1`)
    ).map(({ row }) => row);
  for (const days of [91, 89]) {
    const ago = `now() - interval '${days} days'`;
    await sql(
      `INSERT INTO notices (tenant, id, kind, groups, people, channels, text, at, created_at) VALUES ('${TENANT}', 'nt_clean${days}', 'reminder', '{}', '{}', '[]', 't', ${ago}, ${ago})`,
    );
    await sql(`INSERT INTO notice_tasks (tenant, platform, notice_id) VALUES ('${TENANT}', 'slack', 'nt_clean${days}')`);
    await sql(`INSERT INTO told_notices (tenant, platform, notice_id, place, key, state) VALUES ('${TENANT}', 'slack', 'nt_clean${days}', 'p', 'k', 'told')`);
    await sql(
      `INSERT INTO mails (tenant, id, person_id, created_at, expires_at) VALUES ('${TENANT}', '00000000-0000-8000-8000-0000000000${days}', '${ALICE}', ${ago}, ${ago})`,
    );
    await sql(`INSERT INTO digests (tenant, slot, recipient, made_at) VALUES ('${TENANT}', '${days}', 'x', ${ago})`);
  }
  for (const id of ids) {
    await sql(
      `INSERT INTO card_openings (tenant, request_id, person_id, view_digest, opened_at) VALUES ('${TENANT}', '${id}', '${ALICE}', 'd', now() - interval '91 days')`,
    );
    await sql(
      `INSERT INTO mails (tenant, id, person_id, request_id, created_at, expires_at) VALUES ('${TENANT}', gen_random_uuid(), '${ALICE}', '${id}', now() - interval '91 days', now())`,
    );
    await sql(`INSERT INTO snoozes (tenant, request_id, person_id, set_at) VALUES ('${TENANT}', '${id}', '${ALICE}', now() - interval '91 days')`);
  }
  await store.requests.change(aSettling(settled.request.id, ALICE));
  await store.sweep.clean();
  expect(await rows()).toEqual([
    'digest 89',
    'mail 00000000-0000-8000-8000-000000000089',
    `mail ${pending.request.id}`,
    'notice nt_clean89',
    `opening ${pending.request.id}`,
    `snooze ${pending.request.id}`,
    'task nt_clean89',
    'told nt_clean89',
  ]);
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

test('a message that listed requests is forgotten after 90 days once it is closed, with what it listed', async () => {
  const { store, sql } = fixture;
  for (const [id, state, days] of [
    ['old', 'closed', 91],
    ['young', 'closed', 89],
    ['open', 'posted', 91],
  ] as const) {
    await sql(
      `INSERT INTO batches (tenant, id, platform, place, alike, state, first_at, created_at) VALUES ('${TENANT}', '${id}', 'slack', 'p', 'a', '${state}', now(), now() - interval '${String(days)} days')`,
    );
    await sql(`INSERT INTO batch_requests (tenant, platform, place, request_id, batch_id) VALUES ('${TENANT}', 'slack', 'p', 'ar_${id}', '${id}')`);
  }
  await store.sweep.clean();
  const left = await sql<{ id: string; request_id: string }>(
    `SELECT b.id, r.request_id FROM batches b FULL JOIN batch_requests r ON r.batch_id = b.id ORDER BY b.id`,
  );
  expect(left).toEqual([
    { id: 'open', request_id: 'ar_open' },
    { id: 'young', request_id: 'ar_young' },
  ]);
});
