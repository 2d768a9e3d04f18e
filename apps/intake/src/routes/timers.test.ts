import { expire, fireTimer } from '@countersign/core/flow';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ApiWorld } from '../testing/api-world.js';
import { age, ask, demandingWorld, eventsOf, type Opened, press, read, stage } from '../testing/demands.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await demandingWorld({
    'timed.run': {
      stages: [stage({ group: 'data-owners', quorum: 1, escalate: [{ after_seconds: 1200, to: 'security' }] })],
      timeout_seconds: 3600,
      reminders_seconds: [600, 900, 7200],
      on_timeout: 'deny',
    },
    'plain.run': { timeout_seconds: 60 },
  });
});
afterAll(() => world.close());

const deps = () => ({ ...world.flow, timers: world.store.timers });
/** Fires what is due of a request, in three processes at once. */
async function fireDue({ id }: Opened): Promise<number> {
  const due = (await world.store.timers.due(100)).filter(({ request_id }) => request_id === id);
  const fired = await Promise.all([...due, ...due, ...due].map((timer) => fireTimer(deps(), timer)));
  return fired.filter(Boolean).length;
}
const timersOf = async ({ id }: Opened) =>
  (await world.store.timers.due(1000)).filter(({ request_id }) => request_id === id).map(({ kind, number }) => `${kind} ${number}`);
const noticesOf = async (who: 'alice' | 'carol', { id }: Opened) =>
  (await world.call('GET', '/v1/notices', { as: world.tokens[who] })).json.data
    .filter((notice: { action_request: string }) => notice.action_request === id)
    .map(({ kind }: { kind: string }) => kind);

test('C6: reminders, escalation and the word before the end come when they are due, each once across processes', async () => {
  const request = await ask(world, 'timed.run');
  expect(await fireDue(request)).toBe(0);
  await age(world, request, 601);
  expect(await fireDue(request)).toBe(1);
  await age(world, request, 300);
  expect(await timersOf(request)).toEqual(['reminder 2']);
  expect(await fireDue(request)).toBe(1);
  await age(world, request, 300);
  expect(await timersOf(request)).toEqual(['escalation 1']);
  const before = (await world.store.requests.state('default', request.id))?.request.version ?? 0;
  expect(await fireDue(request)).toBe(1);
  // Posted cards show another version: they are brought up to date with who may decide now.
  expect((await world.store.requests.state('default', request.id))?.request.version).toBe(before + 1);
  await age(world, request, 2100);
  expect(await fireDue(request)).toBe(1);
  expect(await fireDue(request)).toBe(0);
  const events = (await eventsOf(world, request)).filter((event) => /reminder|escalated|deadline/.test(event));
  expect(events).toEqual(['reminder.sent', 'reminder.sent', 'request.escalated', 'deadline.warned']);
  // Who is told: the owners from the beginning, security from the escalation on.
  expect(await noticesOf('alice', request)).toEqual(['reminder', 'reminder', 'deadline']);
  expect((await noticesOf('carol', request)).toSorted()).toEqual(['deadline', 'escalated']);
  // Nothing of it approves.
  expect((await read(world, request)).status).toBe('pending');
});

test('C6: the end of the time denies where policy says so, with the reason, and never approves; elsewhere it expires', async () => {
  const [denied, expired] = [await ask(world, 'timed.run'), await ask(world, 'plain.run')];
  for (const request of [denied, expired]) {
    await age(world, request, 3601);
    await expire(world.flow, { tenant: 'default', request_id: request.id });
  }
  expect(await read(world, denied)).toMatchObject({
    status: 'denied',
    outcome: { status: 'denied', reason: expect.stringContaining('in time'), decisions: [] },
  });
  expect(await read(world, expired)).toMatchObject({ status: 'expired' });
});

test('C6: what is settled meanwhile tells nobody anything', async () => {
  const request = await ask(world, 'timed.run');
  await press(world, 'alice', request);
  await age(world, request, 1300);
  expect(await timersOf(request)).not.toEqual([]);
  expect(await fireDue(request)).toBe(0);
  expect(await timersOf(request)).toEqual([]);
  expect(await noticesOf('alice', request)).toEqual([]);
});

test('C6: a process whose clock runs ahead fires nothing early', async () => {
  const request = await ask(world, 'timed.run');
  world.ahead = 1300;
  try {
    const timer = { tenant: 'default', request_id: request.id, kind: 'reminder' as const, number: 1, due_at: new Date().toISOString(), detail: {} };
    expect(await fireTimer(deps(), timer)).toBe(false);
  } finally {
    world.ahead = 0;
  }
  expect(await eventsOf(world, request)).toEqual(['action_request.opened']);
});

test('C6: a notice is told once on each connected platform, and comes again where its teller went away', async () => {
  await world.store.cards.connect('default', 'slack');
  const request = await ask(world, 'timed.run');
  await age(world, request, 601);
  await fireDue(request);
  const { notices } = world.store;
  const [first, second] = await Promise.all([notices.claim('slack', 10, 60), notices.claim('slack', 10, 60)]);
  const claimed = [...first, ...second];
  expect(claimed.map(({ notice }) => notice.kind)).toEqual(['reminder']);
  expect(await notices.claim('teams', 10, 60)).toEqual([]);
  const [task] = claimed;
  if (task === undefined) throw new Error('nothing was claimed');
  expect(task.notice).toMatchObject({ request_id: request.id, groups: ['data-owners'], text: expect.stringContaining('1 of data-owners') });
  await notices.retry(task, 0);
  const [again] = await notices.claim('slack', 10, 60);
  expect(again).toMatchObject({ attempts: 2, notice: { id: task.notice.id } });
  if (again !== undefined) await notices.finish(again);
  expect(await notices.claim('slack', 10, 0)).toEqual([]);
});
