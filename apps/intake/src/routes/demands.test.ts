import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';
import { age, ask, demandingWorld, eventsOf, join, openAll, press, read, refusal, stage } from '../testing/demands.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await demandingWorld({
    'veto.run': { stages: [stage({ group: 'data-owners', quorum: 2 })], veto: ['security'], deny_threshold: 2 },
    'escalating.run': { stages: [stage({ group: 'data-owners', quorum: 1, escalate: [{ after_seconds: 900, to: 'oncall' }] })] },
    'ordered.run': {
      stages: [
        { ...stage({ group: 'data-owners', quorum: 1 }), name: 'first' },
        { ...stage({ group: 'security', quorum: 1, escalate: [{ after_seconds: 60, to: 'oncall' }] }), name: 'second' },
      ],
    },
    'chat.run': { via: ['slack'] },
    'ticket.run': { obligations: { tickets: [{ pattern: 'CHG-[0-9]{6}' }] } },
    'field.run': { obligations: { tickets: [{ pattern: 'INC-[0-9]+', field: 'context.ticket' }] } },
    'words.run': { obligations: { acknowledge: ['I have read the runbook.', 'Nobody is on the table.'] } },
    'open.run': { obligations: { must_open: true } },
    'careful.run': {
      obligations: { tickets: [{ pattern: 'X' }], acknowledge: ['Yes'], must_open: true, passkey: { fresh_seconds: 60 } },
      reason_required: { approve: true, deny: true },
    },
    'alike.run': { alike: { pin: ['parameters.format'], max_uses: 5, max_ttl_seconds: 3600 } },
    'bulk.run': { bulk: true },
  });
  await join(world, 'olivia', 'oncall');
});
afterAll(() => world.close());

const status = async (request: { id: string; request_digest: string; action_digest: string }) => (await read(world, request)).status;

describe('veto', () => {
  test('B3: one denial of a veto group denies, whatever the threshold, at any stage; it fills no place', async () => {
    const request = await ask(world, 'veto.run');
    expect((await press(world, 'alice', request)).status).toBe(201);
    expect(refusal(await press(world, 'carol', request))).toEqual([403, 'not_an_approver']);
    expect((await press(world, 'carol', request, { verdict: 'deny', reason: 'No' })).status).toBe(201);
    expect(await status(request)).toBe('denied');
  });

  test('B3: a denial by others counts towards the threshold', async () => {
    const request = await ask(world, 'veto.run');
    expect((await press(world, 'alice', request, { verdict: 'deny' })).status).toBe(201);
    expect(await status(request)).toBe('pending');
  });

  test('I2: of approvals that would settle it and a veto at the same moment one wins, and the record says which', async () => {
    for (let round = 0; round < 5; round++) {
      const request = await ask(world, 'veto.run');
      await press(world, 'alice', request);
      await Promise.all([press(world, 'bob', request), press(world, 'carol', request, { verdict: 'deny' })]);
      const { status: settled, outcome, decisions } = await read(world, request);
      expect(['approved', 'denied']).toContain(settled);
      // Who came second was refused: a settled request takes no decision.
      expect(decisions).toHaveLength(2);
      expect(outcome).toMatchObject({ status: settled, sequence: 1 });
      expect(decisions.at(-1).verdict).toBe(settled === 'approved' ? 'approve' : 'deny');
    }
  });
});

describe('escalation', () => {
  test('B3: before its time it is too early, by the database’s clock, whatever ours says', async () => {
    const request = await ask(world, 'escalating.run');
    const early = await press(world, 'olivia', request);
    expect(refusal(early)).toEqual([409, 'too_early']);
    world.ahead = 1000;
    try {
      expect(refusal(await press(world, 'olivia', request))).toEqual([409, 'too_early']);
    } finally {
      world.ahead = 0;
    }
    expect(await status(request)).toBe('pending');
  });

  test('B3: after its time the members of the further group fill the place, and the card says so', async () => {
    const request = await ask(world, 'escalating.run');
    const card = async () => (await world.call('GET', `/v1/previews/web/${request.id}`, { as: world.tokens.alice })).json;
    expect((await card()).waiting_for).toBe('1 of data-owners');
    await age(world, request, 901);
    expect((await card()).waiting_for).toBe('1 of data-owners (or oncall)');
    expect((await press(world, 'olivia', request)).status).toBe(201);
    expect(await status(request)).toBe('approved');
  });

  test('B3: who was asked first may still decide after it, and a stage that is not open takes nobody by escalation', async () => {
    const request = await ask(world, 'ordered.run');
    await age(world, request, 61);
    expect(refusal(await press(world, 'olivia', request))).toEqual([403, 'not_an_approver']);
    expect((await press(world, 'alice', request)).status).toBe(201);
    expect((await press(world, 'olivia', request)).status).toBe(201);
    expect(await status(request)).toBe('approved');
  });
});

describe('through which channel', () => {
  test('C4: the API decides only where policy names it: a token of an approver is refused with the way to go', async () => {
    const request = await ask(world, 'chat.run');
    const reply = await press(world, 'alice', request);
    expect(refusal(reply)).toEqual([403, 'via_not_allowed']);
    expect(reply.json.detail).toContain('in Slack');
    expect(await status(request)).toBe('pending');
  });

  test('C4: where policy says nothing, people decide everywhere but through the API', async () => {
    const quiet = await createApiWorld({ demands: { 'silent.run': { bulk: true } }, policy: (text) => text.replace(/^ *via:.*\n/m, '') });
    try {
      const request = await ask(quiet, 'silent.run');
      expect(refusal(await press(quiet, 'alice', request))).toEqual([403, 'via_not_allowed']);
      expect(refusal(await press(quiet, 'alice', request, { verdict: 'deny' }))).toEqual([403, 'via_not_allowed']);
      const { cookie } = await quiet.signIn('alice');
      const body = { verdict: 'approve', request_digest: request.request_digest };
      const web = await quiet.call('POST', `/v1/action-requests/${request.id}/decisions`, {
        body,
        headers: { cookie, origin: quiet.url, 'sec-fetch-site': 'same-origin' },
      });
      expect(web).toMatchObject({ status: 201, json: { via: 'web' } });
    } finally {
      await quiet.close();
    }
  });
});

describe('obligations', () => {
  test('B5: a ticket matches the whole pattern, and stands on the decision', async () => {
    const request = await ask(world, 'ticket.run');
    for (const ticket of [undefined, '', 'CHG-12345', 'CHG-1234567', 'xCHG-123456', 'CHG-123456\n', 'chg-123456']) {
      const reply = await press(world, 'alice', request, ticket === undefined ? {} : { ticket });
      expect(reply.status).toBe(422);
    }
    const decided = await press(world, 'alice', request, { ticket: 'CHG-123456' });
    expect(decided).toMatchObject({ status: 201, json: { ticket: 'CHG-123456' } });
    expect((await read(world, request)).decisions).toMatchObject([{ ticket: 'CHG-123456' }]);
  });

  test('B5: a ticket of the request is the request’s: what an approver enters does not stand in for it', async () => {
    const bare = await ask(world, 'field.run');
    expect(refusal(await press(world, 'alice', bare, { ticket: 'INC-7' }))).toEqual([422, 'ticket_required']);
    const wrong = await ask(world, 'field.run', { context: { ticket: ['INC-7'] } });
    expect(refusal(await press(world, 'alice', wrong))).toEqual([422, 'ticket_required']);
    const named = await ask(world, 'field.run', { context: { ticket: 'INC-7' } });
    expect((await press(world, 'alice', named)).status).toBe(201);
  });

  test('B5: acknowledgements are confirmed word for word, all of them', async () => {
    const request = await ask(world, 'words.run');
    const both = ['I have read the runbook.', 'Nobody is on the table.'];
    for (const acknowledged of [[], [both[0]], [both[0], 'nobody is on the table.'], [both.join(' ')]])
      expect(refusal(await press(world, 'alice', request, { acknowledged }))).toEqual([422, 'acknowledgement_required']);
    expect((await press(world, 'alice', request, { acknowledged: both })).json).toMatchObject({ acknowledged: both });
  });

  test('B5: everything must have been opened, by the approver, as a ledger entry; once is enough', async () => {
    const request = await ask(world, 'open.run');
    expect(refusal(await press(world, 'alice', request))).toEqual([409, 'must_open']);
    // Somebody else's opening is not one's own; another view is not this request's; who may not see it opens nothing.
    expect((await openAll(world, 'bob', request)).status).toBe(200);
    expect(refusal(await press(world, 'alice', request))).toEqual([409, 'must_open']);
    expect(refusal(await openAll(world, 'alice', request, request.request_digest))).toEqual([422, 'action_mismatch']);
    expect((await openAll(world, 'carol', request)).status).toBe(404);
    expect(
      (await world.call('POST', `/v1/action-requests/${request.id}/opened`, { as: world.key, body: { view_digest: request.request_digest } })).status,
    ).toBe(403);
    expect((await Promise.all([openAll(world, 'alice', request), openAll(world, 'alice', request)])).map((reply) => reply.status)).toEqual([200, 200]);
    expect((await eventsOf(world, request)).filter((event) => event === 'card.opened')).toHaveLength(2);
    expect((await press(world, 'alice', request)).status).toBe(201);
  });

  test('B5: a denial needs a reason where policy says, and nothing else', async () => {
    const request = await ask(world, 'careful.run');
    expect(refusal(await press(world, 'alice', request, { verdict: 'deny' }))).toEqual([422, 'reason_required']);
    expect((await press(world, 'alice', request, { verdict: 'deny', reason: 'Not today' })).status).toBe(201);
  });

  test('C4: a passkey handle that nobody made is no passkey', async () => {
    const request = await ask(world, 'careful.run');
    await openAll(world, 'alice', request);
    const all = { reason: 'Yes', ticket: 'X', acknowledged: ['Yes'] };
    expect(refusal(await press(world, 'alice', request, all))).toEqual([403, 'step_up_required']);
    expect(refusal(await press(world, 'alice', request, { ...all, passkey: 'made-up' }))).toEqual([403, 'step_up_required']);
    expect(await status(request)).toBe('pending');
  });
});

describe('patterns and bulk', () => {
  test('B6: a pattern is approved within policy’s terms only, and never with another request’s', async () => {
    const request = await ask(world, 'alike.run');
    const terms = { pin: ['parameters.format', 'parameters.rows'], uses: 5, ttl_seconds: 3600 };
    for (const wrong of [{ pin: ['parameters.rows'] }, { uses: 6 }, { ttl_seconds: 3601 }])
      expect(refusal(await press(world, 'alice', request, { alike: { ...terms, ...wrong } }))).toEqual([422, 'alike_not_allowed']);
    expect((await press(world, 'alice', request, { alike: terms })).status).toBe(201);
    const plain = await ask(world, 'bulk.run');
    expect(refusal(await press(world, 'alice', plain, { alike: terms }))).toEqual([422, 'alike_not_allowed']);
  });

  test('C6: several at once are judged each alone, by id and digest, and only where policy says so', async () => {
    const [one, two, three] = [await ask(world, 'bulk.run'), await ask(world, 'bulk.run'), await ask(world, 'alike.run', { parameters: { format: 'json' } })];
    const decisions = [
      { action_request: one.id, request_digest: one.request_digest, verdict: 'approve' },
      { action_request: two.id, request_digest: one.request_digest, verdict: 'approve' },
      { action_request: three.id, request_digest: three.request_digest, verdict: 'approve' },
    ];
    const reply = await world.call('POST', '/v1/decisions', { as: world.tokens.alice, body: { decisions } });
    expect(reply).toMatchObject({
      status: 200,
      json: {
        data: [
          { action_request: one.id, decision: { verdict: 'approve' } },
          { action_request: two.id, refused: { code: 'action_mismatch' } },
          { action_request: three.id, refused: { code: 'bulk_not_allowed' } },
        ],
      },
    });
    expect([await status(one), await status(two), await status(three)]).toEqual(['approved', 'pending', 'pending']);
    const twice = await world.call('POST', '/v1/decisions', { as: world.tokens.bob, body: { decisions: [decisions[1], decisions[1]] } });
    expect(twice.status).toBe(422);
    expect((await world.call('POST', '/v1/decisions', { as: world.key, body: { decisions } })).json.code).toBe('decider_not_allowed');
  });
});
