import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { aLeaf, ALICE, anOpening, aSettling, TENANT } from './testing/sample-records.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

let fixture: StoreFixture;
let early: string;
beforeAll(async () => {
  fixture = await storeFixture();
  const commit = anOpening();
  await fixture.store.requests.open(commit);
  early = commit.request.id;
  await fixture.store.cards.connect(TENANT, 'slack');
});
afterAll(() => fixture.close());

const cards = () => fixture.store.cards;

async function opened(): Promise<string> {
  const commit = anOpening();
  await fixture.store.requests.open(commit);
  return commit.request.id;
}

describe('card tasks', () => {
  test('a platform that connects finds the open requests, and from then on each commit makes a task for it', async () => {
    expect((await cards().claim('slack', 10, 60)).map((task) => task.request_id)).toEqual([early]);
    const later = await opened();
    const [task] = await cards().claim('slack', 10, 60);
    expect(task).toMatchObject({ tenant: TENANT, platform: 'slack', request_id: later, attempts: 1 });
    expect(await cards().claim('teams', 10, 60)).toEqual([]);
    expect(await cards().claim('slack', 10, 60)).toEqual([]);
  });

  test('C6: nothing is routed to a platform that nobody has worked on for a quarter of an hour, until somebody does', async () => {
    const platforms = () => fixture.store.routing.platforms(TENANT);
    expect(await platforms()).toEqual(['slack']);
    await fixture.sql(`UPDATE chat_platforms SET connected_at = now() - interval '16 minutes'`);
    expect(await platforms()).toEqual([]);
    await cards().attended(TENANT, 'slack');
    expect(await platforms()).toEqual(['slack']);
    await fixture.sql(`UPDATE chat_platforms SET connected_at = now() - interval '16 minutes'`);
    await cards().connect(TENANT, 'slack');
    expect(await platforms()).toEqual(['slack']);
    for (const task of await cards().claim('slack', 100, 60)) await cards().finish(task);
  });

  test('many workers at once: no task is claimed twice', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, opened));
    const claims = await Promise.all(Array.from({ length: 6 }, () => cards().claim('slack', 5, 60)));
    const claimed = [...claims.flat(), ...(await cards().claim('slack', 100, 60))].map((task) => task.request_id);
    expect(claimed.sort()).toEqual([...made].sort());
  });

  test('C1: a reason that comes while a card is being worked on is not lost, and waits for the worker', async () => {
    const id = await opened();
    const [task] = await cards().claim('slack', 10, 60);
    if (task === undefined) throw new Error('no task');
    await fixture.store.requests.change(aSettling(id, ALICE));
    expect(await cards().claim('slack', 10, 60)).toEqual([]);
    await cards().finish(task);
    const [next] = await cards().claim('slack', 10, 60);
    expect(next?.request_id).toBe(id);
    expect(next?.revision).toBeGreaterThan(task.revision);
    // A late word of the first worker does not end the newer task, nor does it after that one ended and another came.
    await cards().finish(task);
    await cards().retry(task, 0);
    expect(await cards().claim('slack', 10, 60)).toEqual([]);
    if (next !== undefined) await cards().finish(next);
    expect(await fixture.sql('SELECT 1 FROM card_tasks WHERE request_id = $1', [id])).toEqual([]);
    await fixture.store.requests.change({
      tenant: TENANT,
      request_id: id,
      from: { version: 2, status: 'approved' },
      time: 'any',
      set: {},
      cards: true,
      leaves: [aLeaf(id)],
    });
    if (next !== undefined) await cards().finish(next);
    expect((await cards().claim('slack', 10, 60)).map((claimed) => claimed.request_id)).toEqual([id]);
  });

  test('C1: nor is one lost whose commit is under way while the worker ends: nobody waits for its lease', async () => {
    const id = await opened();
    const [task] = await cards().claim('slack', 10, 60);
    if (task === undefined) throw new Error('no task');
    await fixture.sql('BEGIN');
    await fixture.sql(
      `INSERT INTO card_tasks (tenant, platform, request_id) VALUES ($1, 'slack', $2) ON CONFLICT (tenant, platform, request_id) DO UPDATE SET revision = excluded.revision, due_at = now()`,
      [TENANT, id],
    );
    const finishing = cards().finish(task);
    while ((await fixture.sql('SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))')).length === 0);
    await fixture.sql('COMMIT');
    await finishing;
    expect((await cards().claim('slack', 10, 60)).map((claimed) => claimed.request_id)).toEqual([id]);
  });

  test("a task that is given back is due after its delay; a dead worker's after its lease", async () => {
    const id = await opened();
    const [task] = await cards().claim('slack', 10, 60);
    if (task === undefined) throw new Error('no task');
    await cards().retry(task, 3_600);
    expect(await cards().claim('slack', 10, 60)).toEqual([]);
    await fixture.sql(`UPDATE card_tasks SET due_at = now() WHERE request_id = $1`, [id]);
    expect((await cards().claim('slack', 10, 60))[0]).toMatchObject({ request_id: id, attempts: 2 });
    await fixture.sql(`UPDATE card_tasks SET leased_until = now() WHERE request_id = $1`, [id]);
    expect((await cards().claim('slack', 10, 60))[0]).toMatchObject({ request_id: id, attempts: 3 });
  });
});

describe('posted cards', () => {
  test('one card per request and place, whoever races', async () => {
    const id = await opened();
    const posted = await Promise.all(Array.from({ length: 8 }, () => cards().posting({ tenant: TENANT, platform: 'slack', request_id: id, place: 'C1' })));
    expect(new Set(posted.map((card) => card.id)).size).toBe(1);
    expect(posted[0]).toEqual({
      id: posted[0]?.id,
      tenant: TENANT,
      platform: 'slack',
      request_id: id,
      place: 'C1',
      state: 'posting',
      ref: null,
      shown_version: 0,
    });
  });

  test("a press finds its card by the platform's reference, and an update that was overtaken does not open it again", async () => {
    const id = await opened();
    const card = await cards().posting({ tenant: TENANT, platform: 'slack', request_id: id, place: 'C2' });
    await cards().shown(card, { ref: { channel: 'C2', ts: '1.2' }, version: 2, closed: false });
    expect(await cards().postedByRef('slack', { ts: '1.2', channel: 'C2' })).toMatchObject({ id: card.id, state: 'posted', shown_version: 2 });
    expect(await cards().postedByRef('teams', { ts: '1.2', channel: 'C2' })).toBeNull();
    expect(await cards().postedByRef('slack', { ts: '1.2', channel: 'C3' })).toBeNull();
    await cards().shown(card, { ref: { channel: 'C2', ts: '1.2' }, version: 3, closed: true });
    await cards().shown(card, { ref: { channel: 'C2', ts: '1.2' }, version: 2, closed: false });
    expect((await cards().posted(TENANT, 'slack', id))[0]).toMatchObject({ state: 'closed', shown_version: 3 });
  });

  test('a reference that fits two cards names neither', async () => {
    const id = await opened();
    for (const place of ['P1', 'P2'])
      await cards().shown(await cards().posting({ tenant: TENANT, platform: 'slack', request_id: id, place }), {
        ref: { shared: 1, place },
        version: 1,
        closed: false,
      });
    expect(await cards().postedByRef('slack', { shared: 1 })).toBeNull();
    expect(await cards().postedByRef('slack', { shared: 1, place: 'P1' })).toMatchObject({ place: 'P1' });
  });
});

test('a place is remembered once, with its newest reference; its id, what it is called and that it was addressed stay', async () => {
  const place = {
    tenant: TENANT,
    id: 'pl_00000000-0000-7000-8000-000000000001',
    platform: 'teams' as const,
    place: '19:x',
    kind: 'group' as const,
    reference: { serviceUrl: 'a' },
    user: null,
    name: 'On call',
    addressed: true,
  };
  await cards().rememberPlace(place);
  const other = { id: 'pl_00000000-0000-7000-8000-000000000002', reference: { serviceUrl: 'b' }, name: null, addressed: false };
  await cards().rememberPlace({ ...place, ...other });
  expect(await cards().places(TENANT, 'teams')).toEqual([{ ...place, reference: { serviceUrl: 'b' }, allowed: false }]);
  expect(await cards().places('other', 'teams')).toEqual([]);
});
