import type { JsonObject } from '@countersign/contracts';
import { answer, ask, decide, delegate, endDelegation, fireTimer, makeDigests } from '@countersign/core/flow';
import type { NoticeTask } from '@countersign/core/ports';
import { type ApprovalWorld, createApprovalWorld, type PersonName } from '@countersign/dev-env/approval-world';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createNoticeWorker } from './notice-worker.js';
import type { ChatMessage, Messenger } from '../message.js';
import { PlatformError } from '../errors.js';
import { type ChatWorld, createChatWorld } from '../world.js';

/** A chat platform of one workspace, where a place is a name and a person's own is `direct/<user>`. */
class Platform {
  said: { place: string; thread: string | null; message: ChatMessage; key: string }[] = [];
  /** What becomes of the next messages: the platform is away, takes it and loses its answer, or wants a pause. */
  fault: 'away' | 'lost' | 'pause' | null = null;
  readable = true;
  #post(place: string, thread: string | null, message: ChatMessage, key: string): JsonObject {
    if (this.fault === 'away') throw new PlatformError('unreachable', 'connection refused');
    if (this.fault === 'pause') throw new PlatformError('rate_limited', 'wait', { retryAfterSeconds: 30 });
    this.said.push({ place, thread, message, key });
    if (this.fault === 'lost') {
      this.fault = null;
      throw new PlatformError('unreachable', 'no answer');
    }
    return { place, number: this.said.length };
  }
  messenger(): Messenger {
    return {
      channel: (name) => (name === '#gone' ? Promise.reject(new PlatformError('gone', 'no such channel')) : Promise.resolve(name)),
      direct: ({ user }) => Promise.resolve(`direct/${user}`),
      say: async (place, message, key) => this.#post(place, null, message, key),
      reply: async ({ place, number }, message, key) => this.#post(String(place), String(number), message, key),
      ...(this.readable ? { find: (_where: object, key: string) => this.#find(key) } : {}),
    };
  }
  #find(key: string): Promise<JsonObject | null> {
    const index = this.said.findIndex((one) => one.key === key);
    return Promise.resolve(index < 0 ? null : { place: this.said[index]?.place ?? '', number: index + 1 });
  }
  /** Who was told directly what, sorted. */
  direct = (): string[] => this.said.flatMap(({ place, message }) => (place.startsWith('direct/') ? [`${place.slice(7)}: ${message.title}`] : [])).sort();
  threads = (): string[] => this.said.flatMap(({ thread, message }) => (thread === null ? [] : [message.title]));
}

let world: ApprovalWorld;
let chat: ChatWorld;
let platform = new Platform();
const warnings: string[] = [];
const NAMES: readonly PersonName[] = ['dana', 'alice', 'bob', 'carol', 'olivia'];
/** The rules of exports and of access, with reminders after ten and twenty minutes; the first with stand-ins, the second with a glass to break. */
const REMINDED = (text: string): string =>
  text
    .replace(
      '          distinct_humans: 2\n',
      '          distinct_humans: 2\n      timeout: { after: 4h, reminders: [10m] }\n    break_glass:\n      group: data-owners\n      review_by: security\n' +
        '      review_within: 1d\n      notify: [{ slack: "#incidents" }, { slack: "#gone" }, { person: olivia@example.com }, { teams: Elsewhere }]\n',
    )
    .replace('      timeout: 4h\n\n', '      timeout: { after: 4h, reminders: [10m, 20m] }\n      delegation: { within: anyone, max_duration: 7d }\n\n');

beforeAll(async () => {
  const accounts = Object.fromEntries(NAMES.map((name) => [name, [{ platform: 'slack' as const, workspace: 'T0', user: name }]]));
  world = await createApprovalWorld({ accounts });
  chat = createChatWorld({
    tenant: world.tenant,
    publicUrl: 'http://localhost:8080',
    notice: null,
    flow: world.flow,
    store: world.store,
    cooldownSeconds: 0,
    log: { debug: () => {}, info: () => {}, warn: (_fields, message) => void warnings.push(message), error: () => {} },
  });
  await world.store.cards.connect(world.tenant, 'slack');
  await world.policy(REMINDED);
});
afterAll(() => world.close());
afterEach(async () => {
  // What a test left is told to nobody.
  await world.hurry();
  for (const task of await world.store.notices.claim('slack', 1000, 60)) await world.store.notices.finish(task);
  for (const timer of await world.store.timers.due(1000)) await world.store.timers.drop(timer);
  platform = new Platform();
});

const ROLE = { action: 'iam.grant', resource: { type: 'role', id: 'admin' } };

/** A worker; `at`: the time of day by which it judges what is quiet. */
function worker(at?: string) {
  const { notices } = world.store;
  const claim: typeof notices.claim = async (...args) =>
    (await notices.claim(...args)).map((task): NoticeTask => ({ ...task, claimed_at: at ?? task.claimed_at }));
  return createNoticeWorker({ ...chat, store: { ...chat.store, notices: { ...notices, claim } } }, { platform: 'slack', messenger: platform.messenger() });
}

/** A request that was opened so many seconds ago, with a card in #approvals. */
async function opened(ago = 0, submission: Parameters<ApprovalWorld['open']>[0] = {}): Promise<string> {
  const { id } = await world.open(submission, ago);
  const card = await world.store.cards.posting({ tenant: world.tenant, platform: 'slack', request_id: id, place: '#approvals' });
  await world.store.cards.shown(card, { ref: { place: '#approvals', number: 0 }, version: 1, closed: false });
  return id;
}

async function fire(): Promise<void> {
  for (const timer of await world.store.timers.due(100)) await fireTimer({ ...world.flow, timers: world.store.timers }, timer);
}

test('C6: a reminder lands in the thread of the card, and goes to whoever is still needed: not to who decided, said "not me", or stands behind it', async () => {
  const plain = await opened(700);
  await world.store.snoozes.set({ tenant: world.tenant, request_id: plain, person_id: world.people.bob, until: null });
  await fire();
  await worker().run();
  expect(platform.threads()).toEqual(['Still waiting']);
  expect(platform.direct()).toEqual(['alice: Still waiting']);
  const [told] = platform.said.filter(({ place }) => place === 'direct/alice');
  expect(told?.message.lines[0]).toMatch(
    /^Still waiting for 1 of data-owners: data\.export on postgres_table prod\.customers\. The time is over at \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$/,
  );
  expect(told?.message.actions).toEqual([expect.objectContaining({ action: 'snooze', request_id: plain })]);
  expect(told?.message.links).toEqual([{ label: 'Open the request', url: `http://localhost:8080/requests/${plain}` }]);
});

test('C6: of two groups the one that is still needed is reminded, and nobody of it who decided', async () => {
  // Needs one of data-owners and one of security; bob is in both, and has filled the first place.
  const id = await opened(700, ROLE);
  expect(await world.decide('bob', id, 'approve')).toMatchObject({ kind: 'decided' });
  await fire();
  await worker().run();
  expect(platform.direct()).toEqual([expect.stringMatching(/^(alice|carol): Still waiting$/)]);
});

test('C6: when an earlier stage is met, those of the next one are told that it is their turn, and nobody else', async () => {
  await world.policy((text) =>
    REMINDED(text).replace(
      '        - all: [{ group: data-owners, quorum: 1 }, { group: security, quorum: 1 }]\n          distinct_humans: 2\n',
      '        - all: [{ group: data-owners, quorum: 1 }]\n        - all: [{ group: security, quorum: 1 }]\n',
    ),
  );
  const id = await opened(700, ROLE);
  await fire();
  await worker().run();
  expect(platform.direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
  platform.said = [];
  expect(await world.decide('alice', id, 'approve')).toMatchObject({ kind: 'decided' });
  await worker().run();
  expect(platform.direct()).toEqual(['bob: It is your turn', 'carol: It is your turn']);
  expect(platform.threads()).toEqual(['The next stage is asked']);
  expect(platform.said[0]?.message.lines[0]).toMatch(/^Waiting for 1 of security now, after others approved: iam\.grant on role admin\. The time is over at /);
  platform.said = [];
  expect(await world.decide('carol', id, 'approve')).toMatchObject({ kind: 'decided' });
  await worker().run();
  expect(platform.direct()).toEqual(['dana: A request was decided']);
  await world.policy(REMINDED);
});

test('C6: a broken glass is loud: in the channels that policy names, to those who review it, and at night; the rest of its channels fails alone', async () => {
  await world.policy((text) => REMINDED(text).replace('rules:', 'quiet_hours:\n  - { tz: UTC, from: "20:00", to: "07:00" }\nrules:'));
  const id = await opened(0, ROLE);
  const { request } = await world.state(id);
  const decider = { tenant: world.tenant, person_id: world.people.alice, via: 'web' as const, may_decide: true };
  const pressed = await decide(world.flow, {
    decider: { ...decider, authenticated: { issuer: 'test', method: 'session', at: world.flow.clock.now() } },
    ...{ request_id: id, verdict: 'approve', reason: 'the site is down', break_glass: true, request_digest: request.request_digest },
  });
  expect(pressed).toMatchObject({ kind: 'decided' });
  warnings.length = 0;
  await worker('2020-01-12T23:00:00.000Z').run();
  const glass = platform.said.filter(({ message }) => message.title === 'Somebody broke the glass');
  expect(glass.map(({ place, thread }) => `${place}${thread === null ? '' : ' (thread)'}`).sort()).toEqual([
    '#approvals (thread)',
    '#incidents',
    'direct/bob',
    'direct/carol',
    'direct/olivia',
  ]);
  expect(glass[0]?.message.lines[0]).toContain('Reason: the site is down.');
  const { reviews } = await world.state(id);
  expect(glass.map(({ message }) => message.actions)).toEqual(glass.map(() => [expect.objectContaining({ action: 'review', subject: reviews[0]?.id })]));
  expect(warnings).toEqual(['a notice has no place any more, and is not told there']);
  await world.policy(REMINDED);
});

test('C6: what was settled meanwhile reminds nobody; the outcome is told to whoever wanted it, and not into the thread', async () => {
  const id = await opened(700);
  await fire();
  await world.decide('alice', id, 'deny', 'not this quarter');
  await worker().run();
  expect(platform.threads()).toEqual([]);
  expect(platform.direct()).toEqual(['dana: A request was decided']);
  expect(platform.said[0]?.message.lines).toEqual(['data.export on postgres_table prod.customers: Denied by Alice Example: not this quarter']);
});

test('C6: nobody decided in time: the people behind it and those who were asked are told, and the thread', async () => {
  const id = await opened(14_401);
  await world.expire(id);
  await worker().run();
  expect(platform.threads()).toEqual(['Nobody decided in time']);
  expect(platform.direct()).toEqual(['alice: Nobody decided in time', 'bob: Nobody decided in time', 'dana: Nobody decided in time']);
});

test('C6: a question goes to whoever wants the action, with a button to answer; once answered it is not asked again', async () => {
  const id = await opened();
  const asked = await ask(world.flow, { tenant: world.tenant, person_id: world.people.alice }, id, 'Which *bucket* <!here>?');
  await worker().run();
  const direct = platform.said.filter(({ place }) => place === 'direct/dana');
  expect(direct.map(({ message }) => message.actions)).toEqual([
    [expect.objectContaining({ action: 'answer', subject: asked.kind === 'done' ? asked.question.id : '' })],
  ]);
  expect(direct[0]?.message.lines).toEqual(['Alice Example asks about data.export: Which *bucket* <!here>?']);
  expect(platform.direct()).toEqual(['dana: A question about a request']);
  expect(platform.threads()).toEqual(['A question about a request']);
});

test('C6: an answer goes to who asked, and to nobody who may not read the request any more', async () => {
  const [kept, left] = [await opened(), await opened()];
  for (const id of [kept, left]) {
    const asked = await ask(world.flow, { tenant: world.tenant, person_id: world.people.alice }, id, 'Which bucket?');
    const question = asked.kind === 'done' ? asked.question.id : '';
    await worker().run();
    platform.said = [];
    await answer(world.flow, { kind: 'person', tenant: world.tenant, person_id: world.people.dana }, id, question, 'The one in Frankfurt');
    if (id === left)
      await world.directory((now) => ({
        ...now,
        groups: now.groups.map((group) => ({ ...group, members: group.members.filter((one) => one !== world.people.alice) })),
      }));
    await worker().run();
    expect(platform.direct()).toEqual(id === left ? [] : ['alice: An answer to a question']);
  }
  await world.directory((now) => now);
});

test('the platform is down for an hour and comes back: what still matters is told once, by whichever worker', async () => {
  await opened(700);
  await fire();
  platform.fault = 'away';
  for (let hour = 0; hour < 3; hour++) {
    await world.hurry();
    await worker().run();
  }
  expect(platform.said).toEqual([]);
  platform.fault = null;
  await world.hurry();
  await Promise.all([worker().run(), worker().run()]);
  expect(platform.direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
  expect(platform.threads()).toEqual(['Still waiting']);
  await world.hurry();
  await worker().run();
  expect(platform.said).toHaveLength(3);
});

test.each([
  ['is found and not repeated', true, 3],
  ['comes once more where nobody may read what was said', false, 4],
])('a message whose answer was lost %s', async (_title, readable, messages) => {
  platform.readable = readable;
  await opened(700);
  await fire();
  platform.fault = 'lost';
  await worker().run();
  await world.hurry();
  await worker().run();
  await world.hurry();
  await worker().run();
  expect(platform.said).toHaveLength(messages);
  expect(new Set(platform.said.map(({ key }) => key)).size).toBe(3);
});

test('killed between a message and its record: the next worker finds it, and says the rest', async () => {
  await opened(700);
  await fire();
  const { notices } = world.store;
  let alive = 1;
  const dying = { ...notices, told: (...args: Parameters<typeof notices.told>) => (alive-- > 0 ? notices.told(...args) : Promise.reject(new Error('killed'))) };
  await createNoticeWorker({ ...chat, store: { ...chat.store, notices: dying } }, { platform: 'slack', messenger: platform.messenger() }).run();
  expect(platform.said).toHaveLength(2);
  await world.hurry();
  await worker().run();
  expect(platform.threads()).toEqual(['Still waiting']);
  expect(platform.direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
});

test('a platform that wants a pause gets it, and nothing is lost or repeated', async () => {
  await opened(700);
  await opened(700);
  await fire();
  platform.fault = 'pause';
  await worker().run();
  expect(await world.store.notices.claim('slack', 10, 60)).toEqual([]);
  platform.fault = null;
  await world.hurry();
  await worker().run();
  expect(platform.said).toHaveLength(6);
});

const QUIET =
  (hours: string) =>
  (text: string): string =>
    REMINDED(text).replace('rules:', `${hours}\nrules:`);

test('quiet hours hold direct messages until they end, for their groups alone; threads are told at once, and two reminders are one in the morning', async () => {
  await world.policy(QUIET('quiet_hours:\n  - { groups: [security], tz: Europe/Berlin, from: "20:00", to: "07:00" }'));
  const id = await opened(1300);
  await fire();
  const at = (time: string) => `2020-01-12T${time}:00.000Z`;
  // Bob is in security; it is 22:30 in Berlin. The request's time is over long after.
  await worker(at('21:30')).run();
  expect(platform.direct()).toEqual(['alice: Still waiting']);
  expect(platform.threads()).toEqual(['Still waiting']);
  await world.hurry();
  await worker(at('05:59')).run();
  expect(platform.direct()).toEqual(['alice: Still waiting']);
  await world.hurry();
  await worker(at('06:00')).run();
  expect(platform.direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
  expect(platform.threads()).toEqual(['Still waiting']);
  expect((await world.state(id)).request.status).toBe('pending');
  await world.policy(REMINDED);
});

test.each([
  ['an urgent rule', (text: string) => text.replace('      delegation: {', '      urgent: true\n      delegation: {'), '21:30'],
  ['a quiet time without an end', (text: string) => text.replace('from: "20:00", to: "07:00"', 'from: "00:00", to: "24:00"'), '21:30'],
])('%s breaks quiet hours', async (_title, change, time) => {
  await world.policy((text) => change(QUIET('quiet_hours:\n  - { tz: Europe/Berlin, from: "20:00", to: "07:00" }')(text)));
  await opened(700);
  await fire();
  await worker(`2020-01-12T${time}:00.000Z`).run();
  expect(platform.direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
  await world.policy(REMINDED);
});

test('a deadline before the end of the quiet time breaks it', async () => {
  // Quiet from half an hour ago on for twelve hours, by the clock of the database.
  const clock = (ago: number) => new Date(Date.now() - ago * 60_000).toISOString().slice(11, 16);
  await world.policy(QUIET(`quiet_hours:\n  - { tz: UTC, from: "${clock(30)}", to: "${clock(-690)}" }`));
  await opened(700);
  await fire();
  await worker().run();
  expect(platform.direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
  await world.policy(REMINDED);
});

test('who is away is not disturbed where a stand-in may decide, who is told why', async () => {
  const alice = await world.store.directory.person(world.tenant, world.people.alice);
  if (alice === null) throw new Error('there is no alice');
  const until = new Date(Date.now() + 86_400_000).toISOString();
  const deps = { ...world.store, ...world.flow };
  const named = await delegate(deps, { tenant: world.tenant, person: alice }, { delegate: 'carol@example.com', until });
  if (named.kind !== 'delegated') throw new Error(named.text);
  await worker().run();
  expect(platform.direct()).toEqual(['alice: Who stands in for whom', 'carol: Who stands in for whom']);
  platform.said = [];
  await opened(700);
  await fire();
  await worker().run();
  expect(platform.direct()).toEqual(['bob: Still waiting', 'carol: Still waiting']);
  expect(platform.said.find(({ place }) => place === 'direct/carol')?.message.lines[1]).toMatch(/^You stand in for Alice Example until /);
  platform.said = [];
  // A stand-in who wants no messages about it keeps nobody else from being told.
  const other = await opened(700);
  await world.store.snoozes.set({ tenant: world.tenant, request_id: other, person_id: world.people.carol, until: null });
  await fire();
  await worker().run();
  expect(platform.direct()).toEqual(['alice: Still waiting', 'bob: Still waiting']);
  platform.said = [];
  await endDelegation(deps, { tenant: world.tenant, person: alice, administers: false }, named.delegation.id);
  await worker().run();
  expect(platform.said.map(({ place, message }) => [place, message.lines])).toEqual([
    ['direct/carol', ['Carol Example no longer stands in for Alice Example: it was taken back.']],
  ]);
});

test('a snooze ends with one message of its own, and only then', async () => {
  const id = await opened(100);
  const snooze = (minutes: number) =>
    world.store.snoozes.set({
      tenant: world.tenant,
      request_id: id,
      person_id: world.people.bob,
      until: new Date(Date.now() + minutes * 60_000).toISOString(),
    });
  expect(await snooze(60)).toBe(true);
  expect(await world.store.timers.due(10)).toEqual([]);
  expect(await world.store.snoozes.of(world.tenant, id, world.people.bob)).toMatchObject({ person_id: world.people.bob });
  await snooze(-1);
  await fire();
  await fire();
  await worker().run();
  expect(platform.direct()).toEqual(['bob: Still waiting']);
  expect(platform.said.at(-1)?.message.lines[0]).toMatch(/^You asked to be told again: still waiting for 1 of data-owners/);
});

const DIGEST = (text: string): string =>
  REMINDED(text).replace(
    'rules:',
    'digest: { at: ["09:00", "16:30"], tz: Europe/Berlin, days: [mon, tue, wed, thu, fri], to: { groups: [security], channels: [{ slack: "#approvals" }] }, at_least: 2 }\nrules:',
  );
const digests = (now: string) => makeDigests({ ...world.store, ...world.flow, activePolicy: world.store.policies }, world.tenant, now);

test('C6: a digest of what waits comes once for a day and time, by however many processes; not before, not late, and to nobody for whom less waits', async () => {
  await world.policy(DIGEST);
  for (let count = 0; count < 12; count++) await opened(count, ROLE);
  // A Thursday; 09:00 in Berlin is 07:00 in summer.
  expect(await digests('2026-07-02T06:59:59.999Z')).toBe(0);
  // Bob and carol, and the channel.
  const made = await Promise.all(['2026-07-02T07:00:00.000Z', '2026-07-02T07:20:00.000Z', '2026-07-02T07:00:01.000Z'].map(digests));
  expect(made.reduce((sum, count) => sum + count, 0)).toBe(3);
  expect(await digests('2026-07-02T07:30:00.000Z')).toBe(0);
  expect(await digests('2026-07-04T07:00:00.000Z')).toBe(0);
  await Promise.all([worker().run(), worker().run()]);
  const to = (place: string) => platform.said.filter((one) => one.place === place).map(({ message }) => message);
  expect(to('direct/carol')).toHaveLength(1);
  expect(to('direct/bob')).toHaveLength(1);
  expect(to('#approvals')).toHaveLength(1);
  const [own] = to('direct/carol');
  const waiting = Number(/^(\d+) requests wait for you$/.exec(own?.title ?? '')?.[1]);
  expect(waiting).toBeGreaterThanOrEqual(12);
  expect(own?.lines).toHaveLength(11);
  expect(own?.lines[0]).toMatch(/^1\. .* asks to run .*\nsince \d{4}.* UTC, until \d{4}.* UTC$/s);
  expect(own?.lines.at(-1)).toBe(`And ${String(waiting - 10)} more in the inbox.`);
  expect(own?.links.at(-1)).toEqual({ label: 'Open the inbox', url: 'http://localhost:8080' });
  expect(own?.links[0]?.url).toMatch(/^http:\/\/localhost:8080\/requests\/ar_/);
  await world.policy(REMINDED);
});

test('C6: a digest for whom nothing waits any more when it is told says nothing', async () => {
  await world.policy((text) =>
    DIGEST(text)
      .replace('groups: [security]', 'groups: [nobody-yet]')
      .replace('at_least: 2', 'at_least: 1000')
      .replace('  security: {', '  nobody-yet: { description: None }\n  security: {'),
  );
  expect(await digests('2026-07-03T07:00:00.000Z')).toBe(1);
  await worker().run();
  expect(platform.said).toEqual([]);
  await world.policy(REMINDED);
});
