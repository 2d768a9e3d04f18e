import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { decide } from '@countersign/core/flow';
import { type ApprovalWorld, createApprovalWorld, type PersonName } from '@countersign/dev-env/approval-world';
import { type AccountFacts, type ChatWorld, commandDepsOf, createChatWorld, createStoredOnce, handleCommand, homeOf, readCommand } from '../index.js';

const WORKSPACE = 'T0';
const NAMES: readonly PersonName[] = ['dana', 'alice', 'bob', 'carol', 'olivia'];
const DAY_MS = 86_400_000;

let world: ApprovalWorld;
let chat: ChatWorld;
const faults: string[] = [];

beforeAll(async () => {
  const accounts = Object.fromEntries(NAMES.map((name) => [name, [{ platform: 'slack', workspace: WORKSPACE, user: `U0${name.toUpperCase()}` }]]));
  world = await createApprovalWorld({ accounts });
  await world.policy((text) =>
    text.replace('      timeout: 4h\n\n', '      timeout: 4h\n      bulk: true\n      delegation: { within: anyone, max_duration: 30d }\n\n'),
  );
  chat = chatOn(world.store);
});
afterAll(() => world.close());
beforeEach(async () => {
  for (const name of NAMES) await say(name, 'back');
  for (const { request } of await world.store.requests.list(world.tenant, { status: 'pending', limit: 100, reader: { kind: 'all' } }))
    await world.cancel(request.id);
});

function chatOn(store: ApprovalWorld['store']): ChatWorld {
  const silent = () => {};
  return createChatWorld({
    ...{ tenant: world.tenant, publicUrl: 'http://localhost:8080', notice: null, flow: world.flow, store, cooldownSeconds: 0 },
    log: { debug: silent, info: silent, warn: silent, error: (_fields, message) => void faults.push(message) },
  });
}

const factsOf = (name: string, change: Partial<AccountFacts> = {}): AccountFacts => ({
  ...{ workspace: WORKSPACE, user: `U0${name.toUpperCase()}`, active: true, bot: false, guest: false, external: false, email: null, timezone: 'Europe/Berlin' },
  ...change,
});
const say = async (name: string, text: string, change: Partial<AccountFacts> = {}, on: ChatWorld = chat): Promise<string> => {
  const deps = commandDepsOf(on, 'slack', 'proof', '/countersign ', (mark) =>
    Promise.resolve(mark === '<at>Bob Example</at>' ? { workspace: WORKSPACE, user: 'U0BOB' } : null),
  );
  return (await handleCommand(deps, readCommand(text) ?? { kind: 'help' }, () => Promise.resolve(factsOf(name, change)))).text;
};
const personOf = async (name: PersonName) => {
  const person = await world.store.directory.person(world.tenant, world.people[name]);
  if (person === null) throw new Error(`no ${name}`);
  return person;
};
const standIns = async (name: PersonName) =>
  (await world.store.delegations.list(world.tenant, world.people[name])).filter(
    ({ person_id, state }) => person_id === world.people[name] && state === 'in_force',
  );

describe('the words', () => {
  test.each([
    ['waiting', { kind: 'waiting' }],
    ['Decided', { kind: 'decided' }],
    ['back', { kind: 'back' }],
    ['away until Friday, bob stands in', { kind: 'away', words: 'until Friday, bob stands in', reason: null }],
    ['away until Friday, bob stands in because of a holiday', { kind: 'away', words: 'until Friday, bob stands in', reason: 'of a holiday' }],
    ['away for 3 days, reason: surgery', { kind: 'away', words: 'for 3 days', reason: 'surgery' }],
    ['away', { kind: 'unclear' }],
    ['away because I want to', { kind: 'unclear' }],
    ['who may decide ar_01890000-0000-7000-8000-000000000000?', { kind: 'who', request_id: 'ar_01890000-0000-7000-8000-000000000000' }],
    ['who are you', { kind: 'unclear' }],
  ])('%j', (text, command) => {
    expect(readCommand(text)).toMatchObject(command);
  });
});

describe('C6: away and back', () => {
  test.each([
    'until tomorrow, bob stands in',
    'until tomorrow 18:00, Bob Example stands in',
    'until tomorrow bob stands in for me',
    'for 2 days, bob@example.com stands in',
    'until tomorrow, <@U0BOB> stands in',
    'until tomorrow, <@U0BOB|bob> stands in',
    'until tomorrow, <at>Bob Example</at> stands in',
    'until tomorrow with bob',
    'bob stands in until tomorrow',
    'until tomorrow, “bob” covers',
  ])('away %s', async (words) => {
    const answer = await say('alice', `away ${words} because of a holiday`);
    expect(answer).toContain('Bob Example (bob@example.com) stands in for you');
    expect(answer).toMatch(/Europe\/Berlin \(\d{4}-\d{2}-\d{2}T[0-9:.]{12}Z\)/);
    const [delegation] = await standIns('alice');
    expect(delegation).toMatchObject({ delegate_id: world.people.bob, reason: 'of a holiday' });
    // What was said is what counts.
    expect(answer).toContain(delegation?.until ?? 'none');
    expect(Date.parse(delegation?.until ?? '') - Date.now()).toBeLessThanOrEqual(2 * DAY_MS + 3_600_000);
    expect(await say('alice', 'back')).toContain('Bob Example stands in for you no more');
    expect(await standIns('alice')).toEqual([]);
  });

  test.each([
    ['until tomorrow, alice stands in', 'Nobody stands in for themselves.'],
    ['until tomorrow, zoe stands in', 'knows nobody called zoe'],
    ['until tomorrow, zoe@example.com stands in', 'knows nobody by that address'],
    ['until tomorrow, <@U0MALLORY> stands in', 'belongs to nobody'],
    ['until yesterday, bob stands in', 'Until when was not understood'],
    ['some day, bob stands in', 'Until when was not understood'],
    ['for 200 days, bob stands in', '90 days at most'],
  ])('away %s is refused, and says why', async (words, why) => {
    const answer = await say('alice', `away ${words}`);
    expect(answer).toContain('Nothing was changed.');
    expect(answer).toContain(why);
    expect(await standIns('alice')).toEqual([]);
  });

  test('C6: a loop, a chain of stand-ins and a second absence are refused', async () => {
    expect(await say('alice', 'away until tomorrow, bob stands in')).toContain('stands in for you');
    expect(await say('bob', 'away until tomorrow, alice stands in')).toContain('Nothing was changed.');
    expect(await say('carol', 'away until tomorrow, alice stands in')).toContain('is away in that time');
    expect(await say('alice', 'away until tomorrow, carol stands in')).toContain('for part of that time already');
    expect((await standIns('alice')).length).toBe(1);
  });

  test('C4: the stand-in decides nothing that they stand behind', async () => {
    await say('alice', 'away until tomorrow, dana stands in');
    const { id } = await world.open();
    expect((await homeOf(chat, await personOf('dana'))).waiting).toEqual([]);
    expect(await world.decide('dana', id, 'approve')).toMatchObject({ kind: 'refused', code: 'self_approval' });
  });

  test('with nobody to stand in, what waits now is quiet until then, and back wakes it', async () => {
    const { id } = await world.open();
    const answer = await say('alice', 'away until tomorrow');
    expect(answer).toContain('about the 1 request that waits for you now');
    expect(answer).toContain('Nobody stands in for you');
    const snooze = await world.store.snoozes.of(world.tenant, id, world.people.alice);
    expect(answer).toContain(snooze?.until ?? 'none');
    expect(await standIns('alice')).toEqual([]);
    expect(await say('alice', 'back')).toContain('You hear again of 1 request');
    expect(await world.store.snoozes.of(world.tenant, id, world.people.alice)).toBeNull();
  });

  test.each<[string, Partial<AccountFacts>]>([
    ['a guest', { guest: true }],
    ['a bot', { bot: true }],
    ['an outsider', { external: true }],
    ['an account of nobody', { user: 'U0NOBODY' }],
  ])('C5: %s is away for nobody', async (_who, change) => {
    expect(await say('alice', 'away until tomorrow, bob stands in', change)).toContain('Nothing was changed.');
    expect(await standIns('alice')).toEqual([]);
  });

  test('a fault says what is known, and another road', async () => {
    const broken = chatOn({
      ...world.store,
      delegations: { ...world.store.delegations, create: () => Promise.reject(new Error('the database did not answer')) },
    });
    const answer = await say('alice', 'away until tomorrow, bob stands in', {}, broken);
    expect(answer).toContain('it is not known whether it was done');
    expect(answer).toContain('http://localhost:8080');
    expect(faults).toContain('a command failed');
  });
});

describe('what waits, what was decided, and who may', () => {
  test('what waits for me alone: by the stage that is open, not what I asked for or decided, soonest first', async () => {
    const late = await world.open({ timeout_seconds: 7_200 });
    const soon = await world.open({ timeout_seconds: 600 });
    const both = await world.open({ action: 'iam.grant', resource: { type: 'role', id: 'admin' }, parameters: {}, timeout_seconds: 3_600 });
    const home = await homeOf(chat, await personOf('alice'));
    expect(home.waiting.map(({ request_id }) => request_id)).toEqual([soon.id, both.id, late.id]);
    expect(home.waiting[0]).toMatchObject({
      request_digest: soon.request_digest,
      bulk: true,
      stead: null,
      demands: false,
      headline: expect.stringContaining('retrainer'),
    });
    expect(home.waiting[0]?.actions.map(({ action }) => action)).toEqual(expect.arrayContaining(['ask', 'snooze', 'delegate', 'not_me']));
    expect((await homeOf(chat, await personOf('carol'))).waiting.map(({ request_id }) => request_id)).toEqual([both.id]);
    expect((await homeOf(chat, await personOf('dana'))).waiting).toEqual([]);
    // By right of an office one sees it all, and is asked for nothing.
    expect((await homeOf(chat, await personOf('olivia'))).waiting).toEqual([]);
    await world.decide('alice', both.id, 'approve');
    expect((await homeOf(chat, await personOf('alice'))).waiting.map(({ request_id }) => request_id)).toEqual([soon.id, late.id]);
    expect(await say('alice', 'waiting')).toMatch(
      /^2 requests wait for you:\n• retrainer .*, until \d+ \w+ \d{4}, \d\d:\d\d Europe\/Berlin: http:\/\/localhost:8080\//,
    );
    expect(await say('olivia', 'waiting')).toBe('No request waits for you.');
    const decided = await say('alice', 'decided');
    expect(decided).toMatch(/^• You approved \(.*it is pending\): .*iam\.grant/);
  });

  test('a stand-in sees what waits for who is away, and for whom', async () => {
    const { id } = await world.open();
    expect((await homeOf(chat, await personOf('carol'))).waiting).toEqual([]);
    await say('alice', 'away until tomorrow, carol stands in');
    const home = await homeOf(chat, await personOf('carol'));
    expect(home).toMatchObject({
      waiting: [{ request_id: id, stead: 'Alice Example' }],
      standing_in: [{ name: 'Alice Example', state: 'in_force' }],
      away: [],
    });
    expect((await homeOf(chat, await personOf('alice'))).away).toMatchObject([{ name: 'Carol Example' }]);
    expect(await say('carol', 'waiting')).toContain('(for Alice Example)');
    await world.decide('bob', id, 'approve');
    expect((await homeOf(chat, await personOf('carol'))).waiting).toEqual([]);
  });

  test('long lists stay within what a platform shows, and text of others forges no line', async () => {
    for (let n = 0; n < 25; n += 1)
      await world.open({
        resource: { type: 'postgres_table', id: `prod.customers` },
        reason: `r${String(n)}`,
        actor: { type: 'service', id: `x\n• fake ${'😀'.repeat(60)}` },
      });
    const text = await say('alice', 'waiting');
    expect(text.length).toBeLessThan(3_000);
    expect(text).toMatch(/^25 requests wait for you:/);
    expect(text).toMatch(/and \d+ more: http:\/\/localhost:8080$/);
    expect(text.split('\n').filter((line) => line.startsWith('• fake'))).toEqual([]);
  });

  test('who may decide: names by group without those who stand behind it; nothing to those who may not see it', async () => {
    const { id } = await world.open({ action: 'iam.grant', resource: { type: 'role', id: 'admin' }, parameters: {} });
    const text = await say('alice', `who ${id}`);
    expect(text).toContain('• data-owners: Alice Example, Bob Example');
    expect(text).toContain('• security: Bob Example, Carol Example');
    expect(text).toContain('Still needed:');
    const plain = await world.open();
    expect(await say('carol', `who ${plain.id}`)).toContain('There is no such action request');
    expect(await say('alice', 'who ar_01890000-0000-7000-8000-000000000000')).toContain('There is no such action request');
  });

  test('open reviews and questions stand with whoever they wait for', async () => {
    await world.policy((text) =>
      text.replace('      timeout: 4h\n\n', '      timeout: 4h\n    break_glass: { group: security, review_by: data-owners, review_within: 1d }\n\n'),
    );
    const { id, request_digest } = await world.open();
    const authenticated = { issuer: 'test', method: 'session' as const, at: world.flow.clock.now() };
    const decider = { tenant: world.tenant, person_id: world.people.carol, via: 'web' as const, authenticated, may_decide: true };
    expect(await decide(world.flow, { decider, request_id: id, verdict: 'approve', break_glass: true, reason: 'Fire', request_digest })).toMatchObject({
      kind: 'decided',
    });
    expect((await homeOf(chat, await personOf('alice'))).reviews).toMatchObject([{ request_id: id }]);
    for (const name of ['carol', 'dana'] as const) expect((await homeOf(chat, await personOf(name))).reviews).toEqual([]);
  });
});

describe('C1: what is sent again', () => {
  test('is taken once by all processes, each platform for itself', async () => {
    const [one, other] = [createStoredOnce(chat, 'slack'), createStoredOnce(chatOn(world.store), 'slack')];
    const taken = await Promise.all([one('trigger-1'), other('trigger-1'), one('trigger-1'), other('trigger-1')]);
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(await one('trigger-2')).toBe(true);
    expect(await createStoredOnce(chat, 'teams')('trigger-1')).toBe(true);
  });
});
