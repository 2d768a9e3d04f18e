import { decisionViewSchema } from '@countersign/contracts';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, EXPORT } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const PRIVILEGE = { action: 'iam.grant', resource: { type: 'role', id: 'admin' } };
const status = async (id: string) => (await world.call('GET', `/v1/action-requests/${id}`, { as: world.key })).json.status;

describe('deciding', () => {
  test('C1: a data owner approves through the API, and the request is approved', async () => {
    const request = await world.pending();
    const reply = await world.decide(world.tokens.alice, request, 'approve', 'Checked with legal');
    expect(reply.status).toBe(201);
    expect(decisionViewSchema.parse(reply.json)).toEqual(reply.json);
    expect(reply.json).toMatchObject({
      person: { email: 'alice@example.com' },
      verdict: 'approve',
      reason: 'Checked with legal',
      via: 'api',
      authenticated: { issuer: world.url, method: 'personal_token' },
    });
    expect(await status(request.id)).toBe('approved');
  });

  test('C3: a denial needs one of data-owners too, and ends it', async () => {
    const request = await world.pending();
    expect((await world.decide(world.tokens.bob, request, 'deny', 'No')).status).toBe(201);
    const { json } = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
    expect(json).toMatchObject({ status: 'denied', outcome: { decisions: [{ verdict: 'deny', reason: 'No' }] } });
    expect(json.outcome).not.toHaveProperty('grant');
  });

  test('C3: a denial says whether asking again makes sense: the caller is told; an approval cannot', async () => {
    const hint = (who: string, request: { id: string; request_digest: string }, verdict: string, ask_again: string) =>
      world.call('POST', `/v1/action-requests/${request.id}/decisions`, {
        as: who,
        body: { verdict, request_digest: request.request_digest, reason: 'No', ask_again },
      });
    const request = await world.pending();
    expect(await hint(world.tokens.alice, request, 'approve', 'later')).toMatchObject({ status: 422, json: { errors: [{ pointer: '/ask_again' }] } });
    expect(await hint(world.tokens.alice, request, 'deny', 'tomorrow')).toMatchObject({ status: 422 });
    expect(await hint(world.tokens.alice, request, 'deny', 'changed')).toMatchObject({ status: 201, json: { ask_again: 'changed' } });
    const { json } = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
    expect(json).toMatchObject({ status: 'denied', outcome: { ask_again: 'changed', decisions: [{ ask_again: 'changed' }] } });
    expect((await world.decide(world.tokens.bob, await world.pending(), 'deny')).json).not.toHaveProperty('ask_again');
  });

  test('C4: an API key never decides, whoever owns it', async () => {
    const request = await world.pending();
    const { key } = await world.newKey({ owner: 'alice' });
    for (const as of [world.key, key]) {
      expect(await world.decide(as, request, 'approve')).toMatchObject({
        status: 403,
        json: { code: 'decider_not_allowed', type: `${world.url}/problems/decider_not_allowed` },
      });
    }
    expect(await status(request.id)).toBe('pending');
  });

  test('C4: nobody decides what runs on their behalf, what their agent or their key asked, nor an administrator by rank', async () => {
    const request = await world.pending();
    expect(await world.decide(world.tokens.dana, request, 'approve')).toMatchObject({ status: 403, json: { code: 'self_approval' } });
    expect(await world.decide(world.tokens.olivia, request, 'approve')).toMatchObject({ status: 403, json: { code: 'not_an_approver' } });

    const asked = (await world.submit({ actor: { type: 'pipeline', id: 'ci' } }, { as: (await world.newKey({ owner: 'alice' })).key })).json;
    expect(await world.decide(world.tokens.alice, asked, 'approve')).toMatchObject({ status: 403, json: { code: 'self_approval' } });

    const behalf = await world.pending({ actor: { type: 'agent', id: 'helper', on_behalf_of: { type: 'person', id: 'ALICE@Example.com' } } });
    expect(await world.decide(world.tokens.alice, behalf, 'approve')).toMatchObject({ status: 403, json: { code: 'self_approval' } });
    expect((await world.decide(world.tokens.bob, behalf, 'approve')).status).toBe(201);
  });

  test('C4: a personal token decides only with the scope for it', async () => {
    const request = await world.pending();
    expect(await world.decide(await world.newToken('alice', ['read']), request, 'approve')).toMatchObject({
      status: 403,
      json: { code: 'decider_not_allowed' },
    });
    expect(await world.decide(await world.newToken('alice', ['admin']), request, 'approve')).toMatchObject({
      status: 403,
      json: { code: 'decider_not_allowed' },
    });
    expect((await world.decide(await world.newToken('alice', ['decide']), request, 'approve')).status).toBe(201);
  });

  test('B3: two groups are two people: who is in both counts once', async () => {
    const request = await world.pending(PRIVILEGE);
    expect((await world.decide(world.tokens.bob, request, 'approve')).status).toBe(201);
    expect(await status(request.id)).toBe('pending');
    expect(await world.decide(world.tokens.bob, request, 'approve')).toMatchObject({ status: 409, json: { code: 'already_decided' } });
    expect(await status(request.id)).toBe('pending');
    expect((await world.decide(world.tokens.alice, request, 'approve')).status).toBe(201);
    expect(await status(request.id)).toBe('approved');
  });

  test('A4: a digest that is not the request’s decides nothing, and one is needed', async () => {
    const request = await world.pending();
    const other = await world.pending({ parameters: { rows: 1 } });
    expect(await world.decide(world.tokens.alice, { id: request.id, request_digest: other.request_digest }, 'approve')).toMatchObject({
      status: 422,
      json: { code: 'action_mismatch' },
    });
    const at = (body: object) => world.call('POST', `/v1/action-requests/${request.id}/decisions`, { as: world.tokens.alice, body });
    expect(await at({ verdict: 'approve', action_digest: other.action_digest })).toMatchObject({ status: 422, json: { code: 'action_mismatch' } });
    expect(await at({ verdict: 'approve' })).toMatchObject({ status: 422, json: { code: 'invalid_body', errors: [{ pointer: '/action_digest' }] } });
    expect(await at({ verdict: 'reject', action_digest: request.action_digest })).toMatchObject({
      status: 422,
      json: { code: 'invalid_body', errors: [{ pointer: '/verdict' }] },
    });
    expect(await status(request.id)).toBe('pending');
    expect((await at({ verdict: 'approve', action_digest: request.action_digest })).status).toBe(201);
  });

  test('I2: whoever comes after the end is told what happened', async () => {
    const request = await world.pending();
    await world.decide(world.tokens.alice, request, 'approve');
    expect(await world.decide(world.tokens.bob, request, 'deny')).toMatchObject({
      status: 409,
      json: { code: 'already_settled', detail: expect.stringContaining('Alice Adams') },
    });
    expect(
      await world.decide(world.tokens.alice, { id: 'ar_01970000-0000-7000-8000-000000000001', request_digest: request.request_digest }, 'approve'),
    ).toMatchObject({ status: 404 });
  });

  test('I2: of twenty presses at once by two people one of each counts, and the request is settled once', async () => {
    const request = await world.pending();
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        world.decide(index % 2 === 0 ? world.tokens.alice : world.tokens.bob, request, index % 2 === 0 ? 'approve' : 'deny'),
      ),
    );
    expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1);
    for (const reply of replies.filter((candidate) => candidate.status !== 201)) expect(reply).toMatchObject({ status: 409 });
    const { json } = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
    expect(json.decisions).toHaveLength(1);
    expect(json.outcome.sequence).toBe(1);
  });

  test('C5: a person who left decides nothing, with any credential', async () => {
    const gone = await createApiWorld();
    try {
      const request = await gone.pending();
      const { cookie } = await gone.signIn('alice');
      await gone.sql(`UPDATE directory_people SET active = false WHERE email = 'alice@example.com'`);
      expect(await gone.decide(gone.tokens.alice, request, 'approve')).toMatchObject({ status: 403, json: { code: 'account_inactive' } });
      const body = { verdict: 'approve', request_digest: request.request_digest };
      expect(await gone.call('POST', `/v1/action-requests/${request.id}/decisions`, { body, headers: { cookie, origin: gone.url } })).toMatchObject({
        status: 403,
        json: { code: 'account_inactive' },
      });
    } finally {
      await gone.close();
    }
  });
});

describe('the web', () => {
  test('C1: a session decides from our own page alone', async () => {
    const request = await world.pending();
    const { cookie } = await world.signIn('alice');
    const at = (headers: Record<string, string>) =>
      world.call('POST', `/v1/action-requests/${request.id}/decisions`, {
        body: { verdict: 'approve', request_digest: request.request_digest },
        headers: { cookie, ...headers },
      });
    const refused = { status: 403, json: { code: 'cross_site_request' } };
    expect(await at({})).toMatchObject(refused);
    expect(await at({ origin: 'https://evil.example.com' })).toMatchObject(refused);
    expect(await at({ origin: 'null' })).toMatchObject(refused);
    expect(await at({ 'sec-fetch-site': 'cross-site' })).toMatchObject(refused);
    expect(await at({ 'sec-fetch-site': 'same-site', origin: world.url })).toMatchObject(refused);
    expect(await status(request.id)).toBe('pending');
    expect(await at({ 'sec-fetch-site': 'same-origin', origin: world.url })).toMatchObject({
      status: 201,
      json: { via: 'web', authenticated: { method: 'session' } },
    });
  });

  test('C1: previews of a card come from the code of each platform, masked, for whoever may read the request', async () => {
    const { id } = await world.pending({ parameters: { ...EXPORT.parameters, api_key: 'sk_live_4eC39HqLyjWDarjtT1zdp7dc' } });
    const preview = (platform: string, as = world.tokens.alice) => world.call('GET', `/v1/previews/${platform}/${id}`, { as });
    const web = await preview('web');
    expect(web).toMatchObject({ status: 200, json: { request_id: id, open: true, waiting_for: '1 of data-owners', hidden: expect.any(String) } });
    expect(web.text).not.toContain('sk_live');
    expect((await preview('slack')).json).toEqual({ blocks: [web.json.headline] });
    expect((await preview('teams')).json).toMatchObject({ type: 'AdaptiveCard' });
    expect(await preview('mail')).toMatchObject({ status: 404 });
    expect(await preview('web', world.tokens.carol)).toMatchObject({ status: 404 });
  });
});
