import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  aDecision,
  aGrant,
  ALICE,
  aLeaf,
  anOpening,
  anOutcome,
  aSettling,
  at,
  BOB,
  DANA,
  DIGEST,
  KEY_ID,
  POLICY,
  TENANT,
  aDelivery,
} from './testing/sample-records.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await storeFixture();
});
afterAll(() => fixture.close());

const requests = () => fixture.store.requests;
const count = async (table: string, where: string, value: string): Promise<number> =>
  (await fixture.sql<{ count: number }>(`SELECT count(*)::int AS count FROM ${table} WHERE ${where} = $1`, [value]))[0]?.count ?? -1;

async function opened(changes: Parameters<typeof anOpening>[0] = {}): Promise<string> {
  const commit = anOpening(changes);
  expect(await requests().open(commit)).toEqual({ kind: 'committed' });
  return commit.request.id;
}

async function approved(): Promise<string> {
  const id = await opened();
  expect(await requests().change(aSettling(id, ALICE))).toEqual({ kind: 'committed' });
  return id;
}

describe('opening', () => {
  test('a request comes back as it was given, to the order of its members', async () => {
    const commit = anOpening();
    await requests().open(commit);
    const state = await requests().state(TENANT, commit.request.id);
    expect(JSON.stringify(state?.request.view)).toBe(JSON.stringify(commit.request.view));
    const nothing = { decisions: [], outcomes: [], grant: null, report: null, questions: [], proposals: [], reviews: [] };
    expect(state).toEqual({ request: { ...commit.request, sealed_payload: expect.anything() }, ...nothing, read_at: expect.any(String) });
    expect(Buffer.from(state?.request.sealed_payload ?? [])).toEqual(commit.request.sealed_payload);
  });

  test('A3: a request that policy settles is opened with its outcome, grant and callback at once', async () => {
    const commit = anOpening({ status: 'approved', settled_at: at(0), requirement: null });
    const { id } = commit.request;
    const outcome = anOutcome(id, 1, 'approved');
    const grant = aGrant(id);
    await requests().open({ ...commit, cards: false, outcome, grant, deliveries: [aDelivery(id, 1)], leaves: [aLeaf(id), aLeaf(id, 'outcome.settled')] });
    const state = await requests().state(TENANT, id);
    expect(state?.outcomes).toEqual([outcome]);
    expect(state?.grant).toEqual({ ...grant, sealed_token: expect.anything() });
    expect(await count('deliveries', 'request_id', id)).toBe(1);
  });

  test('I1: of many at once with one key, one opens and the others get its answer', async () => {
    const commits = Array.from({ length: 20 }, () => anOpening({}, 'the-one-key'));
    const results = await Promise.all(commits.map((commit) => requests().open(commit)));
    const winners = results.flatMap((result, index) => (result.kind === 'committed' ? [index] : []));
    expect(winners).toHaveLength(1);
    const winner = commits[winners[0] ?? -1];
    for (const result of results.filter((candidate) => candidate.kind !== 'committed')) {
      expect(result).toMatchObject({ kind: 'replay', fingerprint: DIGEST, request_id: winner?.request.id });
    }
    expect(await count('idempotency_keys', 'key', 'the-one-key')).toBe(1);
    const written = await fixture.sql<{ count: number }>('SELECT count(*)::int AS count FROM action_requests WHERE id = ANY ($1)', [
      commits.map((commit) => commit.request.id),
    ]);
    expect(written).toEqual([{ count: 1 }]);
  });

  test('a replay is answered although policy has moved on meanwhile', async () => {
    const first = anOpening({}, 'replayed');
    await requests().open(first);
    const again = { ...anOpening({}, 'replayed'), active_policy: DIGEST };
    expect(await requests().open(again)).toMatchObject({ kind: 'replay', request_id: first.request.id });
  });

  test('the same commit twice is committed once and says so both times: an answer that got lost may be asked for again', async () => {
    const commit = anOpening();
    expect(await requests().open(commit)).toEqual({ kind: 'committed' });
    expect(await requests().open(commit)).toEqual({ kind: 'committed' });
    expect(await count('ledger_leaves', 'subject', commit.request.id)).toBe(1);
  });

  test('B2: under a policy that is not in force nothing is written', async () => {
    const commit = { ...anOpening(), active_policy: DIGEST };
    expect(await requests().open(commit)).toEqual({ kind: 'policy_changed' });
    for (const [table, column] of [
      ['action_requests', 'id'],
      ['idempotency_keys', 'request_id'],
      ['ledger_leaves', 'subject'],
    ] as const) {
      expect(await count(table, column, commit.request.id)).toBe(0);
    }
  });

  test('a key that is revoked, over or unknown opens nothing', async () => {
    for (const [id, revoked_at, expires_at] of [
      ['key_revoked', at(-1_000), null],
      ['key_over', null, at(-1_000)],
      ['key_unknown', null, null],
    ] as const) {
      if (id !== 'key_unknown') {
        await fixture.store.credentials.insertApiKey({
          id,
          tenant: TENANT,
          name: id,
          owner: DANA,
          hash: randomBytes(32),
          prefix: 'cs_',
          created_at: at(-2_000),
          expires_at,
          revoked_at,
          rights: { actors: [], actions: [], environments: [], callback_hosts: [], redeem: false },
          sealed_webhook_secret: randomBytes(8),
        });
      }
      const commit = anOpening();
      expect(await requests().open({ ...commit, idempotency: { ...commit.idempotency, key_id: id } })).toEqual({ kind: 'key_inactive' });
      expect(await count('action_requests', 'id', commit.request.id)).toBe(0);
    }
  });

  test('I4: a part that cannot be written takes everything with it', async () => {
    const commit = anOpening();
    const bad = { ...aDelivery(commit.request.id, 1), id: await firstDelivery() };
    await expect(requests().open({ ...commit, deliveries: [bad] })).rejects.toMatchObject({ name: 'StoreError', code: 'refused' });
    expect(await count('action_requests', 'id', commit.request.id)).toBe(0);
    expect(await count('ledger_leaves', 'subject', commit.request.id)).toBe(0);
    expect(await count('idempotency_keys', 'request_id', commit.request.id)).toBe(0);
  });

  async function firstDelivery(): Promise<string> {
    const id = await approved();
    return (await fixture.store.deliveries.list(TENANT, id))[0]?.id ?? '';
  }

  test('what opening needs comes in one read: policy, agent with its owner, people by id or e-mail in any case', async () => {
    const context = await requests().openingContext({ tenant: TENANT, agent_id: 'retrainer', refs: [BOB, 'aLICE@EXAMPLE.com', 'nobody@example.com'] });
    expect(context.active_policy).toBe(POLICY);
    expect(context.agent).toMatchObject({ id: 'retrainer', owner: 'dana@example.com', active: true });
    const people = new Map(context.people.map((person) => [person.id, person]));
    expect([...people.keys()].sort()).toEqual([ALICE, BOB, DANA]);
    expect(people.get(BOB)).toEqual({
      id: BOB,
      email: 'bob@example.com',
      name: 'Bob',
      active: true,
      groups: ['data-owners', 'role:administrator', 'security'],
      roles: ['administrator', 'auditor'],
    });
    expect((await requests().openingContext({ tenant: TENANT, agent_id: 'unknown', refs: [] })).agent).toBeNull();
  });

  test('I17: without a policy in force nothing can be planned', async () => {
    await expect(requests().openingContext({ tenant: 'other', agent_id: 'retrainer', refs: [] })).rejects.toMatchObject({ code: 'no_policy' });
  });
});

describe('changing', () => {
  test('I2, I4: of twenty presses that would settle at once, one does, with one outcome, one callback and its leaves', async () => {
    const id = await opened();
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => requests().change(aSettling(id, `per_${index}`))));
    expect(results.filter((result) => result.kind === 'committed')).toHaveLength(1);
    expect(results.filter((result) => result.kind === 'conflict')).toHaveLength(19);
    const state = await requests().state(TENANT, id);
    expect(state?.request).toMatchObject({ status: 'approved', version: 2 });
    expect([state?.decisions.length, state?.outcomes.length]).toEqual([1, 1]);
    expect(await count('deliveries', 'request_id', id)).toBe(1);
    expect(await count('ledger_leaves', 'subject', id)).toBe(3);
    expect(await count('grants', 'request_id', id)).toBe(1);
  });

  test('I9: of a hundred redemptions at once, one wins', async () => {
    const id = await approved();
    const results = await Promise.all(
      Array.from({ length: 100 }, () =>
        requests().change({
          tenant: TENANT,
          request_id: id,
          from: { version: 2, status: 'approved' },
          time: { before: at(60_000) },
          set: { redeemed_at: at(0) },
          cards: true,
          leaves: [aLeaf(id, 'grant.redeemed')],
        }),
      ),
    );
    expect(results.filter((result) => result.kind === 'committed')).toHaveLength(1);
    expect((await requests().state(TENANT, id))?.request.redeemed_at).not.toBeNull();
    expect(await fixture.sql(`SELECT id FROM ledger_leaves WHERE subject = $1 AND event = 'grant.redeemed'`, [id])).toHaveLength(1);
  });

  test('I2: a press and an expiry at once: the database judges the time, and one of them wins', async () => {
    const id = await opened({ expires_at: at(-1) });
    const expiry = { ...aSettling(id, ALICE), time: 'due' as const, set: { status: 'expired' as const, settled_at: at(0) } };
    expect(await requests().change(aSettling(id, BOB))).toEqual({ kind: 'time' });
    expect(await requests().change(expiry)).toEqual({ kind: 'committed' });
    const live = await opened();
    expect(await requests().change({ ...expiry, request_id: live })).toEqual({ kind: 'time' });
  });

  test('expiry is judged when the row is free, not when the statement began', async () => {
    const id = await opened({ expires_at: at(400) });
    await fixture.sql('BEGIN');
    await fixture.sql('SELECT 1 FROM action_requests WHERE id = $1 FOR UPDATE', [id]);
    const press = requests().change(aSettling(id, ALICE));
    await fixture.sql('SELECT pg_sleep_until((SELECT expires_at FROM action_requests WHERE id = $1))', [id]);
    // A change of the row, as a rival's would be, so that the condition is judged on the new row.
    await fixture.sql('UPDATE action_requests SET view_digest = view_digest WHERE id = $1', [id]);
    await fixture.sql('COMMIT');
    expect((await press).kind).not.toBe('committed');
    expect((await requests().state(TENANT, id))?.request.status).toBe('pending');
  });

  test('a grant that is over, a version that moved, and a policy that changed are told apart', async () => {
    const id = await approved();
    const base = { tenant: TENANT, request_id: id, set: {}, cards: false, leaves: [] };
    expect(await requests().change({ ...base, from: { version: 2, status: 'approved' }, time: { before: at(-1) } })).toEqual({ kind: 'time' });
    expect(await requests().change({ ...base, from: { version: 1, status: 'approved' }, time: 'any' })).toEqual({ kind: 'conflict' });
    expect(await requests().change({ ...base, from: { version: 2, status: 'pending' }, time: 'any' })).toEqual({ kind: 'conflict' });
    expect(await requests().change({ ...base, from: { version: 2, status: 'approved' }, time: 'any', active_policy: DIGEST })).toEqual({
      kind: 'policy_changed',
    });
    expect(await requests().change({ ...base, request_id: 'ar_unknown', from: { version: 1, status: 'pending' }, time: 'any' })).toEqual({ kind: 'conflict' });
    expect((await requests().state(TENANT, id))?.request.version).toBe(2);
  });

  test('I15: another tenant changes nothing and sees nothing', async () => {
    const id = await opened();
    expect(await requests().change({ ...aSettling(id, ALICE), tenant: 'other' })).toMatchObject({ kind: 'conflict' });
    expect(await requests().state('other', id)).toBeNull();
    expect(await requests().timeline('other', id)).toEqual([]);
    expect(await requests().list('other', { limit: 10, reader: { kind: 'all' } })).toEqual([]);
  });

  test('D3: a revocation takes the place of the approval that was not delivered yet', async () => {
    const id = await approved();
    const revocation = {
      tenant: TENANT,
      request_id: id,
      from: { version: 2, status: 'approved' as const },
      time: 'any' as const,
      set: { status: 'revoked' as const },
      outcome: anOutcome(id, 2, 'revoked'),
      deliveries: [aDelivery(id, 2)],
      supersede: true,
      cards: true,
      leaves: [aLeaf(id, 'outcome.revoked')],
    };
    expect(await requests().change(revocation)).toEqual({ kind: 'committed' });
    expect((await fixture.store.deliveries.list(TENANT, id)).map((delivery) => [delivery.sequence, delivery.state])).toEqual([
      [1, 'superseded'],
      [2, 'pending'],
    ]);
    expect((await requests().state(TENANT, id))?.outcomes.map((outcome) => outcome.status)).toEqual(['approved', 'revoked']);
  });
});

describe('reading', () => {
  test('deciding sees the request, its decisions, and the people as the directory has them now', async () => {
    const id = await opened();
    const commit = aSettling(id, ALICE);
    const { outcome: _outcome, grant: _grant, deliveries: _deliveries, ...press } = commit;
    await requests().change({ ...press, set: {} });
    const context = await requests().decidingContext({ tenant: TENANT, request_id: id, person_id: BOB });
    expect(context?.active_policy).toBe(POLICY);
    expect(context?.request).toMatchObject({ status: 'pending', version: 2 });
    expect(context?.decisions).toEqual([commit.decision]);
    expect(context?.people.map((person) => person.id).sort()).toEqual([ALICE, BOB, DANA]);
    expect(await requests().decidingContext({ tenant: TENANT, request_id: 'ar_unknown', person_id: BOB })).toBeNull();
  });

  test('I3: the database itself keeps one decision per person and request', async () => {
    const id = await opened();
    const { outcome: _o, grant: _g, deliveries: _d, ...press } = aSettling(id, ALICE);
    await requests().change({ ...press, set: {} });
    const second = { ...press, set: {}, from: { version: 2, status: 'pending' as const }, decision: aDecision(id, ALICE), leaves: [aLeaf(id)] };
    await expect(requests().change(second)).rejects.toMatchObject({ code: 'refused' });
  });

  test('the timeline has every leaf in order, and a leaf recorded twice is there once', async () => {
    const id = await opened();
    const refusal = { ...aLeaf(id, 'decision.refused'), at: at(10) };
    await requests().record(TENANT, [refusal]);
    await requests().record(TENANT, [refusal]);
    await requests().record(TENANT, []);
    const timeline = await requests().timeline(TENANT, id);
    expect(timeline.map((leaf) => [leaf.event, leaf.position])).toEqual([
      ['action_request.opened', null],
      ['decision.refused', null],
    ]);
    expect(Buffer.from(timeline[1]?.bytes ?? [])).toEqual(refusal.bytes);
  });

  test('expired requests are listed oldest first, live and settled ones are not', async () => {
    const later = await opened({ expires_at: at(-1_000) });
    const earlier = await opened({ expires_at: at(-2_000) });
    const live = await opened();
    const ids = (await requests().due(1_000)).map((entry) => entry.request_id);
    expect(ids.indexOf(earlier)).toBeGreaterThanOrEqual(0);
    expect(ids.indexOf(earlier)).toBeLessThan(ids.indexOf(later));
    expect(ids).not.toContain(live);
  });

  test('lists are newest first, filtered, paged without gaps or doubles, and show a reader what is theirs', async () => {
    const own = await storeFixture();
    try {
      const made: string[] = [];
      for (let index = 0; index < 7; index += 1) {
        // Two share an instant, so paging must go by id too.
        const commit = anOpening({ created_at: new Date(Date.UTC(2026, 0, 1, 0, 0, Math.floor(index / 2))).toISOString() });
        await own.store.requests.open(commit);
        made.push(commit.request.id);
      }
      const all = { limit: 50, reader: { kind: 'all' } } as const;
      const ids = async (filter: Parameters<typeof own.store.requests.list>[1]): Promise<string[]> =>
        (await own.store.requests.list(TENANT, filter)).map((state) => state.request.id);
      const newestFirst = await ids(all);
      expect([...newestFirst].sort()).toEqual([...made].sort());

      const paged: string[] = [];
      for (let before: { created_at: string; id: string } | undefined; ;) {
        const page = await own.store.requests.list(TENANT, { ...all, limit: 2, ...(before === undefined ? {} : { before }) });
        paged.push(...page.map((state) => state.request.id));
        const last = page.at(-1);
        if (last === undefined) break;
        before = { created_at: last.request.created_at, id: last.request.id };
      }
      expect(paged).toEqual(newestFirst);

      const one = made[0] ?? '';
      await own.store.requests.change(aSettling(one, ALICE));
      expect(await ids({ ...all, status: 'approved' })).toEqual([one]);
      expect(await ids({ ...all, status: 'pending' })).toHaveLength(6);
      expect(await ids({ ...all, decided_by: ALICE })).toEqual([one]);
      expect(await ids({ ...all, from: '2026-01-01T00:00:01.000Z', to: '2026-01-01T00:00:02.000Z' })).toHaveLength(2);
      expect(await ids({ ...all, action: 'data.export', actor: 'retrainer', resource: 'prod.customers' })).toHaveLength(7);
      expect(await ids({ ...all, action: 'iam.grant' })).toEqual([]);

      const reader = (person_id: string, groups: string[]) => ({ limit: 50, reader: { kind: 'person', person_id, groups } }) as const;
      expect(await ids({ limit: 50, reader: { kind: 'caller', key_id: KEY_ID } })).toHaveLength(7);
      expect(await ids({ limit: 50, reader: { kind: 'caller', key_id: 'key_other' } })).toEqual([]);
      expect(await ids(reader(DANA, []))).toHaveLength(7);
      expect(await ids(reader(BOB, ['data-owners']))).toHaveLength(7);
      expect(await ids(reader(BOB, ['security']))).toEqual([]);
      expect(await ids(reader(ALICE, []))).toEqual([one]);
      expect(await ids({ ...reader(ALICE, []), status: 'pending' })).toEqual([]);
    } finally {
      await own.close();
    }
  });
});
