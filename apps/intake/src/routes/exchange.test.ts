import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiWorld, Name } from '../testing/api-world.js';
import { ask, demandingWorld, eventsOf, type Opened, press, read, refusal } from '../testing/demands.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await demandingWorld({
    'counter.run': { counter: ['parameters.rows', 'parameters.limits.depth'] },
    'plain.run': {},
  });
});
afterAll(() => world.close());

const SECRET = 'sk_live_4eC39HqLyjWDarjtT1zdp7dc';
const at = ({ id }: Opened, path: string, as: string, body?: object) =>
  world.call('POST', `/v1/action-requests/${id}/${path}`, { as, ...(body === undefined ? {} : { body }) });
const question = (who: Name, request: Opened, text = 'Why 48211 rows?') => at(request, 'questions', world.tokens[who], { text });
const propose = (who: Name, request: Opened, parameters: object) => at(request, 'proposals', world.tokens[who], { parameters, reason: 'Enough for a test' });

describe('questions', () => {
  test('C6: an approver asks, the caller or a person behind the request answers, and both are in the record', async () => {
    const request = await ask(world, 'plain.run');
    const asked = await question('alice', request, `Why, and is ${SECRET} live?`);
    expect(asked).toMatchObject({ status: 201, json: { person: { email: 'alice@example.com' }, answer: null } });
    expect(asked.text).not.toContain('sk_live');
    const answered = await at(request, `questions/${asked.json.id}/answers`, world.key, { text: 'The model needs them' });
    expect(answered).toMatchObject({ status: 201, json: { answer: { text: 'The model needs them', by: 'pipeline' } } });
    const second = await question('bob', request);
    expect((await at(request, `questions/${second.json.id}/answers`, world.tokens.dana, { text: 'Dana says so' })).json.answer.by).toBe('Dana Diaz');
    expect((await read(world, request)).questions).toHaveLength(2);
    expect((await eventsOf(world, request)).filter((event) => event.startsWith('question.'))).toEqual([
      'question.asked',
      'question.answered',
      'question.asked',
      'question.answered',
    ]);
    const told = async (who: Name) =>
      (await world.call('GET', '/v1/notices', { as: world.tokens[who] })).json.data.filter(
        (notice: { action_request: string }) => notice.action_request === request.id,
      );
    expect((await told('dana')).map(({ kind }: { kind: string }) => kind)).toEqual(['question_asked', 'question_asked']);
    expect((await told('alice')).map(({ kind }: { kind: string }) => kind)).toEqual(['question_answered']);
  });

  test('C6: only who may decide asks, only who stands behind it answers, once, while it waits', async () => {
    const request = await ask(world, 'plain.run');
    expect((await question('carol', request)).status).toBe(404);
    expect(refusal(await question('dana', request))).toEqual([403, 'self_approval']);
    expect((await at(request, 'questions', world.key, { text: 'x' })).status).toBe(403);
    const { json } = await question('alice', request);
    const answer = (as: string) => at(request, `questions/${json.id}/answers`, as, { text: 'Because' });
    expect(refusal(await answer(world.tokens.bob))).toEqual([403, 'not_the_requester']);
    const { key: other } = await world.newKey({ owner: 'alice' });
    expect((await answer(other)).status).toBe(404);
    const both = await Promise.all([answer(world.key), answer(world.tokens.dana)]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
    const late = await question('bob', request);
    await press(world, 'alice', request);
    expect(refusal(await question('bob', request))).toEqual([409, 'already_settled']);
    expect(refusal(await at(request, `questions/${late.json.id}/answers`, world.key, { text: 'x' }))).toEqual([409, 'already_settled']);
  });

  test('D1: a registered endpoint that wants it is told of the question, with the next number', async () => {
    const made = await world.call('POST', '/v1/endpoints', {
      as: world.tokens.olivia,
      body: { url: 'https://hooks.example.com/countersign', events: ['question.asked', 'outcome.settled'] },
    });
    const request = await ask(world, 'plain.run', { callback: { endpoint_id: made.json.id } });
    await question('alice', request);
    await press(world, 'alice', request);
    const deliveries = await world.store.deliveries.list('default', request.id);
    expect(deliveries.map(({ event, sequence }) => [event, sequence])).toEqual([
      ['question.asked', 1],
      ['outcome.settled', 2],
    ]);
  });
});

describe('counter-proposals', () => {
  test('C6: accepting one opens another request with its own digests, by the ordinary road, and withdraws the old one', async () => {
    const request = await ask(world, 'counter.run', { parameters: { rows: 48211, limits: { depth: 3 }, format: 'csv' } });
    const made = await propose('alice', request, { 'parameters.rows': 100, 'limits.depth': 1 });
    expect(made).toMatchObject({ status: 201, json: { parameters: { 'parameters.rows': 100, 'limits.depth': 1 }, accepted_as: null } });
    expect((await read(world, request)).proposals).toHaveLength(1);
    // Nothing changed by itself.
    expect(await read(world, request)).toMatchObject({ status: 'pending', request_digest: request.request_digest, parameters: { rows: 48211 } });
    const replies = await Promise.all([1, 2, 3].map(() => at(request, `proposals/${made.json.id}/accept`, world.key)));
    const ids = new Set(replies.filter(({ status }) => status === 201).map(({ json }) => json.id));
    expect(ids.size).toBe(1);
    const [accepted] = replies.filter(({ status }) => status === 201);
    expect(accepted?.json).toMatchObject({ status: 'pending', parameters: { rows: 100, limits: { depth: 1 }, format: 'csv' } });
    expect(accepted?.json.action_digest).not.toBe(request.action_digest);
    expect(await read(world, request)).toMatchObject({ status: 'cancelled', proposals: [{ accepted_as: accepted?.json.id }] });
    // Who proposed it has not approved it.
    expect((await read(world, accepted?.json)).decisions).toEqual([]);
    expect(await eventsOf(world, request)).toEqual(expect.arrayContaining(['proposal.made', 'proposal.accepted']));
    expect((await at(request, `proposals/${made.json.id}/accept`, world.key)).json.id).toBe(accepted?.json.id);
  });

  test('C6: only listed paths, only by who may decide, only accepted by the caller that asked', async () => {
    const request = await ask(world, 'counter.run', { parameters: { rows: 48211, limits: 'none' } });
    for (const parameters of [{ 'parameters.format': 'json' }, { rows: 1, destination: 's3://evil' }, { 'parameters.__proto__': {} }, { 'limits.depth': 2 }])
      expect(refusal(await propose('alice', request, parameters))).toEqual([422, 'counter_not_allowed']);
    expect((await propose('alice', request, {})).status).toBe(422);
    expect(refusal(await propose('dana', request, { rows: 1 }))).toEqual([403, 'self_approval']);
    expect((await propose('carol', request, { rows: 1 })).status).toBe(404);
    expect(refusal(await propose('alice', await ask(world, 'plain.run'), { rows: 1 }))).toEqual([422, 'counter_not_allowed']);
    const made = await propose('alice', request, { rows: 1 });
    const accept = (as: string) => at(request, `proposals/${made.json.id}/accept`, as);
    expect((await accept(world.tokens.dana)).status).toBe(403);
    expect((await accept((await world.newKey({ owner: 'alice' })).key)).status).toBe(404);
    await press(world, 'alice', request);
    expect(refusal(await accept(world.key))).toEqual([409, 'already_settled']);
  });

  test('C6: a denied request’s counter-proposal may still be taken', async () => {
    const request = await ask(world, 'counter.run', { parameters: { rows: 48211 } });
    const made = await propose('bob', request, { rows: 10 });
    await press(world, 'bob', request, { verdict: 'deny', reason: 'Too many' });
    expect(await at(request, `proposals/${made.json.id}/accept`, world.key)).toMatchObject({
      status: 201,
      json: { status: 'pending', parameters: { rows: 10 } },
    });
    expect((await read(world, request)).status).toBe('denied');
  });

  test('C2: proposed secrets are masked for readers, and arrive whole in the new request', async () => {
    const request = await ask(world, 'counter.run', { parameters: { rows: 'x' } });
    const made = await propose('alice', request, { rows: SECRET });
    expect(made.text).not.toContain('sk_live');
    const accepted = await at(request, `proposals/${made.json.id}/accept`, world.key);
    expect(accepted.text).not.toContain('sk_live');
    const direct = await ask(world, 'counter.run', { parameters: { rows: SECRET } });
    expect(accepted.json.action_digest).toBe(direct.action_digest);
  });
});
