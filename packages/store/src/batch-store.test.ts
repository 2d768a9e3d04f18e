import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { recordedBatches } from '@countersign/core/flow';
import type { BatchTask } from '@countersign/core/ports';
import { type ApprovalWorld, createApprovalWorld } from '@countersign/dev-env/approval-world';

let world: ApprovalWorld;
beforeEach(async () => {
  world = await createApprovalWorld();
});
afterEach(() => world.close());

const join = async (id: string, more: { at_least?: number; window_seconds?: number; place?: string } = {}) => {
  const { request } = await world.state(id);
  const alike = { action: request.view.action, rules: request.evaluation.rules, requester_id: request.requester.id };
  return world.store.batches.join({
    tenant: world.tenant,
    platform: 'slack',
    place: 'C1',
    request: { id, created_at: request.created_at, ...alike },
    at_least: 3,
    window_seconds: 600,
    ...more,
  });
};
const opened = async (count: number, ago = 0) => Promise.all(Array.from({ length: count }, async () => (await world.open({}, ago)).id));
const claim = () => world.store.batches.claim('slack', 10, 60);
const only = (tasks: readonly BatchTask[]): BatchTask => {
  const [task] = tasks;
  if (task === undefined || tasks.length > 1) throw new Error(`there are ${String(tasks.length)} messages`);
  return task;
};
const SHOWN = { ref: { channel: 'C1', ts: '1' }, digest: 'sha256:x', closed: false };

describe('a message that lists many', () => {
  test('is one, whoever races to join it, and lists each once', async () => {
    const ids = await opened(6);
    expect(await Promise.all([...ids, ...ids].map((id) => join(id)))).toEqual(Array.from({ length: 12 }, () => 'listed'));
    expect(only(await claim()).requests.toSorted()).toEqual(ids.toSorted());
  });

  test('begins with the least that policy says, within the time that it says', async () => {
    const [first = '', second = ''] = await opened(2);
    await opened(1, 700);
    expect([await join(first), await join(second)]).toEqual([null, null]);
    const [third = ''] = await opened(1);
    expect([await join(third), await join(first)]).toEqual(['listed', 'listed']);
    expect(only(await claim()).requests).toHaveLength(3);
  });

  test('counts nobody whose request is settled, of another action, or in another place', async () => {
    const [first = '', second = '', third = ''] = await opened(3);
    await world.cancel(second);
    await world.open({ action: 'iam.role.grant' });
    expect(await join(first)).toBeNull();
    expect(await join(third, { at_least: 2 })).toBe('listed');
    expect(await join(third, { place: 'C2' })).toBeNull();
  });

  test('holds fifty; the next goes into another one', async () => {
    const ids = await opened(55);
    for (const id of ids) expect(await join(id)).toBe('listed');
    const tasks = await claim();
    expect(tasks.map(({ requests }) => requests.length).toSorted((a, b) => a - b)).toEqual([5, 50]);
    expect(tasks.flatMap(({ requests }) => requests).toSorted()).toEqual(ids.toSorted());
  });

  test('is one writer’s at a time; what changes meanwhile makes it due again', async () => {
    const ids = await opened(3);
    for (const id of ids) await join(id);
    const task = only(await claim());
    expect(await claim()).toEqual([]);
    await world.store.batches.touch(world.tenant, 'slack', ids[0] ?? '');
    await world.store.batches.shown(task, { ...SHOWN, listed: task.requests });
    // What it lists waits in its place, as a card of its own would.
    expect((await world.store.digests.waitingAt(world.tenant, 'slack', 'C1')).toSorted()).toEqual(ids.toSorted());
    const again = only(await claim());
    expect([again.state, again.ref, again.unlisted]).toEqual(['posted', SHOWN.ref, []]);
    await world.store.batches.shown(again, { ...SHOWN, closed: true, listed: again.requests });
    expect(await claim()).toEqual([]);
  });

  test('that cannot be posted has its requests looked at again, which get cards of their own there for ten minutes', async () => {
    await world.store.cards.connect(world.tenant, 'slack');
    const ids = await opened(3);
    for (const task of await world.store.cards.claim('slack', 10, 60)) await world.store.cards.finish(task);
    for (const id of ids) await join(id);
    await world.store.batches.ended(only(await claim()), 'failed');
    expect((await world.store.cards.claim('slack', 10, 60)).map(({ request_id }) => request_id).toSorted()).toEqual(ids.toSorted());
    const [another = ''] = await opened(1);
    expect([await join(ids[0] ?? ''), await join(another)]).toEqual([null, null]);
  });
});

test('E1: the ledger says of each request once that it was put before people, where, and in which message', async () => {
  const ids = await opened(3);
  for (const id of ids) await join(id);
  const recorded = recordedBatches(world.store.batches, { ...world.flow, requests: world.store.requests });
  const posted = async () =>
    Promise.all(ids.map(async (id) => (await world.store.requests.timeline(world.tenant, id)).filter(({ event }) => event === 'card.posted').length));
  const task = only(await claim());
  await recorded.shown(task, { ...SHOWN, listed: ids.slice(0, 2) });
  expect(await posted()).toEqual([1, 1, 0]);
  await world.store.batches.touch(world.tenant, 'slack', ids[0] ?? '');
  await recorded.shown(only(await claim()), { ...SHOWN, listed: ids });
  expect(await posted()).toEqual([1, 1, 1]);
});
