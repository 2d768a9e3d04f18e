import { fireTimer } from '@countersign/core/flow';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiWorld } from '../testing/api-world.js';
import { age, ask, demandingWorld, eventsOf, join, type Opened, press, read, refusal, stage } from '../testing/demands.js';
import { enrol, type Seat, seat } from '../testing/passkey-seat.js';

const GLASS = { group: 'oncall', quorum: 1, review_by: 'security', review_within_seconds: 3600 };
const OWNERS = [stage({ group: 'data-owners', quorum: 2 })];

let world: ApiWorld;
beforeAll(async () => {
  world = await demandingWorld({
    'glass.run': { stages: OWNERS, break_glass: GLASS },
    'glass.two': { stages: OWNERS, break_glass: { ...GLASS, quorum: 2 } },
    'glass.only': { stages: OWNERS, break_glass: { ...GLASS, only: true, obligations: { tickets: [{ pattern: 'INC-[0-9]+' }] } } },
    'glass.stages': { stages: OWNERS, break_glass: { group: 'oncall', quorum: 1, review_within_seconds: 3600 } },
    'solo.run': { stages: OWNERS, solo: { after_seconds: 600 } },
  });
  for (const who of ['olivia', 'bob', 'dana'] as const) await join(world, who, 'oncall');
});
afterAll(() => world.close());

const FIRE = { break_glass: true, reason: 'The table is burning' };
const reviewsFor = async (who: 'alice' | 'bob' | 'carol' | 'olivia' | 'dana', request: Opened, state = 'open') =>
  (await world.call('GET', `/v1/reviews?state=${state}`, { as: world.tokens[who] })).json.data.filter(
    (review: { action_request: string }) => review.action_request === request.id,
  );
const finding = (who: 'alice' | 'bob' | 'carol' | 'olivia' | 'dana', id: string, body: object = { finding: 'justified', note: 'It burned' }) =>
  world.call('POST', `/v1/reviews/${id}`, { as: world.tokens[who], body });

describe('break-glass', () => {
  test('C6: one member lets it pass alone, with a reason, marked on decision, outcome and card, and a review opens', async () => {
    const request = await ask(world, 'glass.run');
    expect(refusal(await press(world, 'olivia', request))).toEqual([403, 'not_an_approver']);
    expect(refusal(await press(world, 'olivia', request, { break_glass: true }))).toEqual([422, 'reason_required']);
    expect(refusal(await press(world, 'alice', request, FIRE))).toEqual([403, 'not_break_glass']);
    expect(refusal(await press(world, 'olivia', request, { ...FIRE, verdict: 'deny' }))).toEqual([403, 'not_break_glass']);
    expect(await press(world, 'olivia', request, FIRE)).toMatchObject({ status: 201, json: { break_glass: true, reason: FIRE.reason } });
    const answer = await read(world, request);
    expect(answer).toMatchObject({
      status: 'approved',
      outcome: { break_glass: true, decisions: [{ break_glass: true, person: { email: 'olivia@example.com' } }], grant: expect.any(String) },
      reviews: [{ groups: ['security'], finding: null }],
    });
    expect(await eventsOf(world, request)).toContain('review.opened');
    const card = (await world.call('GET', `/v1/previews/web/${request.id}`, { as: world.tokens.alice })).json;
    expect(card.outcome.text).toContain('broke the glass');
    // Pressed again, it is over.
    expect(refusal(await press(world, 'olivia', request, FIRE))).toEqual([409, 'already_settled']);
    expect(refusal(await press(world, 'bob', request, FIRE))).toEqual([409, 'already_settled']);
  });

  test('C4: who stands behind the request breaks no glass for it', async () => {
    const request = await ask(world, 'glass.run');
    expect(refusal(await press(world, 'dana', request, FIRE))).toEqual([403, 'self_approval']);
    expect((await read(world, request)).status).toBe('pending');
  });

  test('C6: the review is written by a member of the group named for it, not by the breaker, not by the chain, and once', async () => {
    const request = await ask(world, 'glass.run');
    await press(world, 'bob', request, FIRE);
    const [review] = await reviewsFor('carol', request);
    await join(world, 'dana', 'security');
    // Bob broke it, though he is of security; dana is behind the request, though she is too; alice is neither.
    for (const who of ['bob', 'dana', 'alice'] as const) expect(refusal(await finding(who, review.id))).toEqual([403, 'not_a_reviewer']);
    expect((await finding('carol', review.id, { finding: 'fine', note: 'x' })).status).toBe(422);
    expect((await finding('carol', review.id, { finding: 'justified' })).status).toBe(422);
    const replies = await Promise.all([finding('carol', review.id), finding('carol', review.id)]);
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    expect(await reviewsFor('carol', request)).toEqual([]);
    expect(await reviewsFor('carol', request, 'all')).toMatchObject([{ finding: 'justified', note: 'It burned', reviewed_by: { email: 'carol@example.com' } }]);
    expect((await eventsOf(world, request)).filter((event) => event === 'review.completed')).toHaveLength(1);
    expect((await read(world, request)).reviews).toMatchObject([{ finding: 'justified' }]);
  });

  test('C6: where nobody is named for it, the groups of the stages review', async () => {
    const request = await ask(world, 'glass.stages');
    await press(world, 'olivia', request, FIRE);
    expect(await reviewsFor('carol', request)).toEqual([]);
    const [review] = await reviewsFor('alice', request);
    expect((await finding('alice', review.id, { finding: 'unjustified', note: 'There was time' })).json).toMatchObject({ finding: 'unjustified' });
  });

  test('C6: a quorum of two needs two people, and presses at once make one outcome with one review', async () => {
    const one = await ask(world, 'glass.two');
    await press(world, 'olivia', one, FIRE);
    expect((await read(world, one)).status).toBe('pending');
    expect(refusal(await press(world, 'olivia', one, FIRE))).toEqual([409, 'already_decided']);
    // Breaking the glass fills no place of the stages.
    await press(world, 'alice', one);
    expect((await read(world, one)).status).toBe('pending');
    await press(world, 'bob', one, FIRE);
    expect(await read(world, one)).toMatchObject({ status: 'approved', outcome: { break_glass: true } });
    const two = await ask(world, 'glass.run');
    await Promise.all([press(world, 'olivia', two, FIRE), press(world, 'bob', two, FIRE)]);
    expect((await read(world, two)).reviews).toHaveLength(1);
    expect((await read(world, two)).decisions).toHaveLength(1);
  });

  test('C6: where there is no other road, ordinary approvals are refused and denials are not; its own obligations count', async () => {
    const request = await ask(world, 'glass.only');
    expect(refusal(await press(world, 'alice', request))).toEqual([403, 'not_break_glass']);
    expect(refusal(await press(world, 'olivia', request, FIRE))).toEqual([422, 'ticket_required']);
    expect((await press(world, 'olivia', request, { ...FIRE, ticket: 'INC-9' })).status).toBe(201);
    const other = await ask(world, 'glass.only');
    expect((await press(world, 'alice', other, { verdict: 'deny' })).status).toBe(201);
    expect((await read(world, other)).status).toBe('denied');
  });

  test('C4: who broke the glass and came to own the agent since is not one of two', async () => {
    const request = await ask(world, 'glass.two');
    await press(world, 'bob', request, FIRE);
    await world.sql(`UPDATE directory_agents SET owner = '${world.people.bob.id}' WHERE id = 'retrainer'`);
    try {
      expect((await press(world, 'olivia', request, FIRE)).status).toBe(201);
      expect((await read(world, request)).status).toBe('pending');
    } finally {
      await world.sql(`UPDATE directory_agents SET owner = '${world.people.dana.id}' WHERE id = 'retrainer'`);
    }
  });

  test('C6: no emergency road where policy has none', async () => {
    const request = await ask(world, 'solo.run');
    expect(refusal(await press(world, 'olivia', request, FIRE))).toEqual([403, 'not_break_glass']);
  });

  test('C6: an overdue review is told once, to those who should write it, and one that was written is not', async () => {
    const [late, done] = [await ask(world, 'glass.run'), await ask(world, 'glass.run')];
    for (const request of [late, done]) await press(world, 'olivia', request, FIRE);
    await finding('carol', (await reviewsFor('carol', done))[0].id);
    for (const request of [late, done]) await age(world, request, 3601);
    const due = (await world.store.timers.due(100)).filter(({ kind }) => kind === 'review_overdue');
    expect(due.map(({ request_id }) => request_id).toSorted()).toEqual([late.id, done.id].toSorted());
    const deps = { ...world.flow, timers: world.store.timers };
    const fired = await Promise.all([...due, ...due, ...due].map((timer) => fireTimer(deps, timer)));
    expect(fired.filter(Boolean)).toHaveLength(1);
    expect((await eventsOf(world, late)).filter((event) => event === 'review.overdue')).toHaveLength(1);
    expect(await eventsOf(world, done)).not.toContain('review.overdue');
    const notices = (await world.call('GET', '/v1/notices', { as: world.tokens.carol })).json.data;
    expect(notices.filter((notice: { kind: string }) => notice.kind === 'review_overdue')).toMatchObject([{ action_request: late.id }]);
    expect(await reviewsFor('carol', late)).toHaveLength(1);
  });
});

describe('a team of one', () => {
  const asserted = async (at: Seat, request: Opened, key: { assert(options: object): object }): Promise<string> => {
    const { json } = await at.call('POST', `/v1/action-requests/${request.id}/passkey-challenges`, { verdict: 'approve' });
    const reply = await at.call('POST', `/v1/action-requests/${request.id}/passkey-assertions`, { response: key.assert(json) });
    if (reply.status !== 201) throw new Error(reply.text);
    return reply.json.passkey;
  };

  test('C4: who stands behind it approves alone only after the time, only by passkey, and it is marked everywhere', async () => {
    const { key: aliceKey } = await world.newKey({ owner: 'alice' });
    const request = await ask(world, 'solo.run', { actor: { type: 'pipeline', id: 'ci' } }, aliceKey);
    const at = await seat(world, 'alice');
    const { key } = await enrol(world, at);
    const decide = (passkey?: string, verdict = 'approve') =>
      at.call('POST', `/v1/action-requests/${request.id}/decisions`, {
        verdict,
        request_digest: request.request_digest,
        ...(passkey === undefined ? {} : { passkey }),
      });
    expect(refusal(await decide())).toEqual([409, 'too_early']);
    expect(refusal(await decide(undefined, 'deny'))).toEqual([403, 'self_approval']);
    await age(world, request, 601);
    expect(refusal(await decide())).toEqual([403, 'step_up_required']);
    expect(refusal(await press(world, 'alice', request))).toEqual([403, 'step_up_required']);
    const decided = await decide(await asserted(at, request, key));
    expect(decided).toMatchObject({ status: 201, json: { self_approved: true, passkey: { credential_id: key.credentialId } } });
    const answer = (await world.call('GET', `/v1/action-requests/${request.id}`, { as: aliceKey })).json;
    expect(answer).toMatchObject({ status: 'approved', outcome: { self_approved: true, decisions: [{ self_approved: true }] } });
    const events = (await world.call('GET', `/v1/action-requests/${request.id}/events`, { as: aliceKey })).json.data;
    expect(events.find(({ event }: { event: string }) => event === 'decision.recorded').detail).toMatchObject({ self_approved: true });
    const card = (await world.call('GET', `/v1/previews/web/${request.id}`, { as: world.tokens.bob })).json;
    expect(card.outcome.text).toContain('self-approved');
  });

  test('C4: off unless policy says so, and not for who is no approver: dana owns the agent, and stays out', async () => {
    const plain = await ask(world, 'glass.stages');
    await age(world, plain, 601);
    expect(refusal(await press(world, 'dana', plain))).toEqual([403, 'self_approval']);
    const solo = await ask(world, 'solo.run');
    await age(world, solo, 601);
    expect(refusal(await press(world, 'dana', solo))).toEqual([403, 'self_approval']);
  });
});
