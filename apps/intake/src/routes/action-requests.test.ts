import { randomUUID } from 'node:crypto';
import { actionRequestListSchema, actionRequestSchema, submissionSchema } from '@countersign/contracts';
import { actionDigest, digestOf } from '@countersign/core/request';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { explanationSchema, timelineSchema } from '../schemas.js';
import { type ApiWorld, createApiWorld, EXPORT } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const FREE = { action: 'report.read', resource: { type: 'report', id: 'weekly' } };

describe('submitting', () => {
  test('A1: an action that policy gates answers 201 pending, and says what people must do', async () => {
    const { status, headers, json } = await world.submit();
    expect(status).toBe(201);
    expect(actionRequestSchema.parse(json)).toEqual(json);
    expect(json).toMatchObject({
      status: 'pending',
      outcome: null,
      decisions: [],
      evaluation: { effect: 'require', rules: ['customer-data'] },
      requirement: { stages: [{ all: [{ group: 'data-owners', quorum: 1 }] }] },
      action_digest: actionDigest(EXPORT),
      url: `${world.url}/requests/${json.id}`,
      requester: { type: 'api_key', authenticated: { issuer: world.url, method: 'api_key' } },
    });
    expect(headers['location']).toBe(`${world.url}/v1/action-requests/${json.id}`);
    expect(headers['idempotent-replayed']).toBeUndefined();
    expect(headers['cache-control']).toBe('no-store');
  });

  test('B1: a caller that leaves the label out is gated all the same, by the catalogue', async () => {
    const { json } = await world.submit({ resource: { type: 'postgres_table', id: 'PROD.Customers' } });
    expect(json.evaluation.effect).toBe('require');
  });

  test('A3: what policy does not gate is approved in the same answer, with outcome and grant', async () => {
    const { status, json } = await world.submit(FREE);
    expect(status).toBe(201);
    expect(json).toMatchObject({ status: 'approved', requirement: null, outcome: { status: 'approved', sequence: 1, decisions: [] } });
    expect(json.outcome.grant).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  test('B1: what policy denies is denied in the same answer, without a grant', async () => {
    const { status, json } = await world.submit({ action: 'backup.delete', resource: { type: 'backup', id: 'b1' } });
    expect(status).toBe(201);
    expect(json).toMatchObject({ status: 'denied', outcome: { status: 'denied', reason: expect.any(String) } });
    expect(json.outcome).not.toHaveProperty('grant');
  });

  test('F1: a secret is masked in the answer, and the digest is over what was submitted', async () => {
    const parameters = { format: 'csv', password: 'hunter2-and-more' };
    const { json, text } = await world.submit({ parameters });
    expect(text).not.toContain('hunter2');
    expect(json.masked).toMatchObject([{ pointer: '/parameters/password' }]);
    expect(json.action_digest).toBe(actionDigest({ ...EXPORT, parameters }));
  });

  test('A4: what was submitted is what is digested: no schema changes a value on its way', () => {
    const body = {
      ...EXPORT,
      context: { own: { deep: [1, null, 'é'] }, links: [{ title: 't', url: 'https://example.com/ä?q=1' }] },
      parameters: { b: 1, a: { z: 0.1, y: [] } },
      timeout_seconds: 5,
    };
    expect(digestOf(submissionSchema.parse(body))).toBe(digestOf(body));
  });

  test('what does not fit is named by JSON pointer, with what was probably meant', async () => {
    const { status, json, headers } = await world.submit({
      resorce: {},
      parameters: null,
      timeout_seconds: 0,
      callback: { uri: 'https://example.com' },
      context: { links: [{ titel: 'x', url: 'https://example.com' }] },
    });
    expect(status).toBe(422);
    expect(headers['content-type']).toContain('application/problem+json');
    expect(json).toMatchObject({ code: 'invalid_body', type: `${world.url}/problems/invalid_body`, status: 422 });
    const detail = Object.fromEntries(json.errors.map((error: { pointer: string; detail: string }) => [error.pointer, error.detail]));
    expect(detail).toMatchObject({
      '/resorce': 'is not known here; did you mean "resource"?',
      '/parameters': 'expected object, received null',
      '/timeout_seconds': expect.any(String),
      '/callback/url': 'is missing',
      '/context/links/0/title': 'is missing',
      '/context/links/0/titel': 'is not known here; did you mean "title"?',
    });
  });

  test.each([
    ['a duplicate key', '{"action":"a","action":"b"}'],
    ['a lone surrogate', '{"action":"\\ud800"}'],
    ['a number that loses precision', '{"rows":9007199254740993}'],
    ['nesting beyond 64', '['.repeat(70) + ']'.repeat(70)],
    ['text behind the value', '{} {}'],
    ['no JSON', '{'],
    ['a NUL', '{"action":"a\\u0000"}'],
  ])('a body with %s is refused before anything reads it', async (_what, raw) => {
    const { status, json } = await world.call('POST', '/v1/action-requests', { as: world.key, raw, headers: { 'idempotency-key': randomUUID() } });
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: 'invalid_json', errors: [{ pointer: expect.any(String) }] });
  });

  test('bodies are application/json, at most 256 KiB, and there', async () => {
    const at = (options: object) => world.call('POST', '/v1/action-requests', { as: world.key, ...options });
    expect(await at({ raw: '{}', headers: { 'content-type': 'text/plain' } })).toMatchObject({ status: 415, json: { code: 'unsupported_media_type' } });
    expect(await at({ raw: '{}', headers: { 'content-encoding': 'gzip' } })).toMatchObject({ status: 415 });
    expect(await at({ raw: JSON.stringify({ ...EXPORT, reason: 'x'.repeat(262_144) }) })).toMatchObject({ status: 413, json: { code: 'body_too_large' } });
    expect(await at({})).toMatchObject({ status: 422, json: { errors: [{ pointer: '', detail: 'is missing' }] } });
    expect(await at({ body: [] })).toMatchObject({ status: 422, json: { errors: [{ pointer: '' }] } });
  });

  test('an API key names only what it may', async () => {
    const { key } = await world.newKey({
      rights: { actors: ['retrainer'], actions: ['data.*', 'report.read'], environments: ['production'], callback_hosts: ['hooks.example.com'] },
    });
    const as = { as: key };
    expect(await world.submit({}, as)).toMatchObject({ status: 201 });
    expect(await world.submit({ actor: { type: 'agent', id: 'other' } }, as)).toMatchObject({
      status: 403,
      json: { code: 'actor_not_allowed', errors: [{ pointer: '/actor/id' }] },
    });
    expect(await world.submit({ action: 'iam.grant' }, as)).toMatchObject({ status: 403, json: { code: 'action_not_allowed' } });
    expect(await world.submit({ environment: 'staging' }, as)).toMatchObject({ status: 422, json: { code: 'environment_mismatch' } });
    expect(await world.submit({ callback: { url: 'https://elsewhere.example.com/' } }, as)).toMatchObject({
      status: 422,
      json: { code: 'callback_not_allowed' },
    });
    expect(await world.submit({ callback: { url: 'https://hooks.example.com/x' } }, as)).toMatchObject({ status: 201 });
  });

  test('I14: a callback to a denied address is refused at submit', async () => {
    for (const url of ['http://169.254.169.254/latest', 'https://10.0.0.1/', 'ftp://example.com/', 'https://user:pass@example.com/', 'https://0x7f.1/']) {
      expect(await world.submit({ callback: { url } })).toMatchObject({
        status: 422,
        json: { code: 'callback_not_allowed', errors: [{ pointer: '/callback/url' }] },
      });
    }
    expect(await world.submit({ callback: { endpoint_id: 'ep_01970000-0000-7000-8000-000000000001' } })).toMatchObject({
      status: 422,
      json: { code: 'endpoint_unknown' },
    });
  });
});

describe('Idempotency-Key', () => {
  test('I1: the same key and body is the same request, however often', async () => {
    const key = randomUUID();
    const first = await world.submit({}, { key });
    const again = await world.submit({}, { key });
    expect(again.status).toBe(201);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.headers['location']).toBe(first.headers['location']);
    expect(again.json).toEqual(first.json);
  });

  test('a key that is revoked opens nothing from then on, and gets no earlier answer, also a moment after it was good', async () => {
    const caller = await world.newKey();
    const key = randomUUID();
    expect((await world.submit({}, { key, as: caller.key })).status).toBe(201);
    await world.sql(`UPDATE api_keys SET revoked_at = now() WHERE id = '${caller.id}'`);
    for (const again of [key, randomUUID()]) {
      expect(await world.submit({}, { key: again, as: caller.key })).toMatchObject({ status: 401, json: { code: 'unauthenticated' } });
    }
  });

  test('I1: the same body in another order of members is the same body', async () => {
    const key = randomUUID();
    const first = await world.submit({}, { key });
    const again = await world.call('POST', '/v1/action-requests', {
      as: world.key,
      raw: JSON.stringify(Object.fromEntries(Object.entries(EXPORT).reverse())),
      headers: { 'idempotency-key': key },
    });
    expect(again.json.id).toBe(first.json.id);
  });

  test('a replay carries the grant only while it is live', async () => {
    const key = randomUUID();
    const first = await world.submit(FREE, { key });
    expect((await world.submit(FREE, { key })).json).toEqual(first.json);
    const { action, resource } = FREE;
    const { parameters, actor, environment } = EXPORT;
    const spent = await world.call('POST', '/v1/grants/redeem', {
      as: world.key,
      body: { grant: first.json.outcome.grant, action: { action, resource, parameters, actor, environment } },
    });
    expect(spent.status).toBe(200);
    const { json } = await world.submit(FREE, { key });
    expect(json.id).toBe(first.json.id);
    expect(json.outcome).not.toHaveProperty('grant');
  });

  test('missing, unfit, or with another body is refused', async () => {
    expect(await world.call('POST', '/v1/action-requests', { as: world.key, body: EXPORT })).toMatchObject({
      status: 400,
      json: { code: 'idempotency_key_missing' },
    });
    for (const key of ['a b', 'é', '', 'x'.repeat(256)]) {
      expect(await world.submit({}, { headers: { 'idempotency-key': Buffer.from(key).toString('latin1') } })).toMatchObject({ status: 400 });
    }
    const key = randomUUID();
    await world.submit({}, { key });
    expect(await world.submit({ reason: 'another' }, { key })).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } });
  });

  test('of one API key says nothing to another', async () => {
    const key = randomUUID();
    const other = await world.newKey();
    const first = await world.submit({}, { key });
    const second = await world.submit({}, { key, as: other.key });
    expect(second.status).toBe(201);
    expect(second.json.id).not.toBe(first.json.id);
  });

  test('I1: sent twenty times at once opens one request; whoever comes too early is told to come again', async () => {
    const key = randomUUID();
    const replies = await Promise.all(Array.from({ length: 20 }, () => world.submit({}, { key })));
    const opened = replies.filter(({ status }) => status === 201);
    expect(new Set(opened.map(({ json }) => json.id)).size).toBe(1);
    for (const reply of replies.filter(({ status }) => status !== 201)) {
      expect(reply).toMatchObject({ status: 409, json: { code: 'idempotency_in_progress' }, headers: { 'retry-after': '1' } });
    }
    expect((await world.submit({}, { key })).json.id).toBe(opened[0]?.json.id);
  });
});

describe('reading', () => {
  test('C2: is for who asked, who may decide, who stands behind it, auditors and administrators; others get 404', async () => {
    const { id } = await world.pending();
    const other = await world.newKey();
    const read = async (as: string) => (await world.call('GET', `/v1/action-requests/${id}`, { as })).status;
    expect(await read(world.key)).toBe(200);
    expect(await read(world.tokens.alice)).toBe(200); // a data owner
    expect(await read(world.tokens.dana)).toBe(200); // on whose behalf it runs
    expect(await read(world.tokens.olivia)).toBe(200); // an administrator
    expect(await read(world.tokens.carol)).toBe(404); // of another group
    expect(await read(other.key)).toBe(404);
    for (const part of ['events', 'explanation']) {
      expect(await world.call('GET', `/v1/action-requests/${id}/${part}`, { as: world.tokens.carol })).toMatchObject({
        status: 404,
        json: { code: 'not_found' },
      });
      expect(await world.call('GET', `/v1/action-requests/${id}/${part}`, { as: other.key })).toMatchObject({ status: 404 });
    }
    expect(await world.call('GET', '/v1/action-requests/ar_none', { as: world.key })).toMatchObject({ status: 404 });
    expect(await world.call('GET', `/v1/action-requests/${id}`)).toMatchObject({
      status: 401,
      json: { code: 'unauthenticated' },
      headers: { 'www-authenticate': expect.stringContaining('Bearer') },
    });
  });

  test('D2: shows the grant to the requesting caller alone, until it is redeemed', async () => {
    const request = await world.pending();
    await world.decide(world.tokens.alice, request, 'approve');
    const read = (as: string) => world.call('GET', `/v1/action-requests/${request.id}`, { as });
    expect((await read(world.key)).json.outcome.grant).toEqual(expect.any(String));
    for (const as of [world.tokens.alice, world.tokens.dana, world.tokens.olivia]) expect((await read(as)).json.outcome).not.toHaveProperty('grant');
    expect((await world.call('GET', '/v1/action-requests', { as: world.key })).text).not.toContain('"grant":');
  });

  test('A2: with wait answers at once when it is decided, without being asked again', async () => {
    const slow = await createApiWorld({ lookMs: 60_000 });
    try {
      const request = await slow.pending();
      const held = slow.call('GET', `/v1/action-requests/${request.id}?wait=60`, { as: slow.key });
      while (slow.waiters.size === 0) await new Promise((resolve) => setImmediate(resolve));
      await slow.decide(slow.tokens.alice, request, 'approve');
      expect((await held).json).toMatchObject({ status: 'approved', outcome: { grant: expect.any(String) } });
      // Settled already: no wait at all.
      expect((await slow.call('GET', `/v1/action-requests/${request.id}?wait=60`, { as: slow.key })).json.status).toBe('approved');
      expect(slow.waiters.size).toBe(0);

      // A stop of the service ends what is held, with the request as it stands.
      const open = await slow.pending();
      const cut = slow.call('GET', `/v1/action-requests/${open.id}?wait=60`, { as: slow.key });
      while (slow.waiters.size === 0) await new Promise((resolve) => setImmediate(resolve));
      await slow.stop();
      expect((await cut).json.status).toBe('pending');
    } finally {
      await slow.close();
    }
  });

  test('A2: with wait sees a decision that another process took, by looking now and then', async () => {
    const request = await world.pending();
    const held = world.call('GET', `/v1/action-requests/${request.id}?wait=30`, { as: world.key });
    while (world.waiters.size === 0) await new Promise((resolve) => setImmediate(resolve));
    // Through the store itself, which tells no waiter of this process.
    const { decide } = await import('@countersign/core/flow');
    const at = world.flow.clock.now();
    const decider = {
      tenant: 'default',
      person_id: world.people.alice.id,
      via: 'slack' as const,
      authenticated: { issuer: 'slack', method: 'slack' as const, at },
      may_decide: true,
    };
    await decide(
      { ...world.flow, requests: world.store.requests },
      { decider, request_id: request.id, verdict: 'deny', request_digest: request.request_digest },
    );
    expect((await held).json).toMatchObject({ status: 'denied', decisions: [{ via: 'slack' }] });
  });

  test('wait is 0 to 60 seconds, and nothing else is a query here', async () => {
    const { id } = await world.pending();
    for (const query of ['wait=61', 'wait=-1', 'wait=x', 'wait=1.5', 'wiat=1', 'wait=1&wait=2']) {
      expect(await world.call('GET', `/v1/action-requests/${id}?${query}`, { as: world.key })).toMatchObject({ status: 400, json: { code: 'invalid_query' } });
    }
    expect((await world.call('GET', `/v1/action-requests/${id}?wiat=1`, { as: world.key })).json.errors).toEqual([
      { pointer: '/wiat', detail: 'is not known here; did you mean "wait"?' },
    ]);
  });

  test('E3: the timeline names what happened, in order', async () => {
    const request = await world.pending();
    await world.decide(world.tokens.carol, request, 'approve');
    await world.decide(world.tokens.bob, request, 'deny', 'Not this quarter');
    const { status, json } = await world.call('GET', `/v1/action-requests/${request.id}/events`, { as: world.key });
    expect(status).toBe(200);
    expect(timelineSchema.parse(json)).toEqual(json);
    expect(json.data.map(({ event }: { event: string }) => event)).toEqual([
      'action_request.opened',
      'decision.refused',
      'decision.recorded',
      'outcome.settled',
    ]);
    expect(json.data[1].detail).toMatchObject({ code: 'not_an_approver', person: { email: 'carol@example.com' } });
    expect(json.data[2].detail).toMatchObject({ verdict: 'deny', reason: 'Not this quarter', via: 'api' });
  });

  test('D3: the explanation says which rule, which labels won, and who is still needed', async () => {
    const { id } = await world.pending();
    const { json } = await world.call('GET', `/v1/action-requests/${id}/explanation`, { as: world.tokens.alice });
    expect(explanationSchema.parse(json)).toEqual(json);
    expect(json).toMatchObject({
      action_request: id,
      evaluation: { rules: ['customer-data'] },
      resolved: { labels: { data_class: 'pii' }, environment: 'production' },
      waiting_for: '1 of data-owners',
    });
  });
});

describe('lists', () => {
  test('page through everything once, newest first, and only what the reader may see', async () => {
    const { key, id } = await world.newKey({ name: 'lists' });
    const opened: string[] = [];
    for (let index = 0; index < 5; index++) opened.unshift((await world.submit({ parameters: { index } }, { as: key })).json.id);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { status, json } = await world.call('GET', `/v1/action-requests?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`, { as: key });
      expect(status).toBe(200);
      expect(actionRequestListSchema.parse(json)).toEqual(json);
      expect(json.data.every((request: { requester: { id: string } }) => request.requester.id === id)).toBe(true);
      seen.push(...json.data.map((request: { id: string }) => request.id));
      cursor = json.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(opened);
  });

  test('filter by status, action, actor, resource, decider and time', async () => {
    const { key } = await world.newKey({ name: 'filters' });
    const decided = (await world.submit({}, { as: key })).json;
    await world.decide(world.tokens.alice, decided, 'approve');
    await world.submit({ action: 'iam.grant', resource: { type: 'role', id: 'admin' }, actor: { type: 'pipeline', id: 'deploy' } }, { as: key });
    const count = async (query: string, as = key) => (await world.call('GET', `/v1/action-requests?${query}`, { as })).json.data.length;
    expect(await count('status=approved')).toBe(1);
    expect(await count('action=iam.grant')).toBe(1);
    expect(await count('actor=deploy')).toBe(1);
    expect(await count('resource=prod.customers')).toBe(1);
    expect(await count('decided_by=alice@example.com')).toBe(1);
    expect(await count(`decided_by=${world.people.alice.id}`)).toBe(1);
    expect(await count('decided_by=bob@example.com')).toBe(0);
    expect(await count('decided_by=nobody@example.com')).toBe(0);
    expect(await count('to=2020-01-01T00:00:00Z')).toBe(0);
    expect(await count('from=2020-01-01T00:00:00%2B02:00')).toBe(2);
  });

  test('of a person hold what they asked for, may decide or decided', async () => {
    const { id } = await world.pending();
    const ids = async (as: string) => (await world.call('GET', '/v1/action-requests?limit=200', { as })).json.data.map((request: { id: string }) => request.id);
    expect(await ids(world.tokens.alice)).toContain(id);
    expect(await ids(world.tokens.dana)).toContain(id);
    expect(await ids(world.tokens.olivia)).toContain(id);
    expect(await ids(world.tokens.carol)).not.toContain(id);
  });

  test('refuse a cursor that was changed, or belongs to another query or reader', async () => {
    const { json } = await world.call('GET', '/v1/action-requests?limit=1', { as: world.key });
    const cursor: string = json.next_cursor;
    const refused = { status: 400, json: { code: 'invalid_query', errors: [{ pointer: '/cursor' }] } };
    expect(await world.call('GET', `/v1/action-requests?cursor=${cursor}&limit=2`, { as: world.key })).toMatchObject({ status: 200 });
    expect(await world.call('GET', `/v1/action-requests?cursor=${cursor.slice(0, -1)}&limit=1`, { as: world.key })).toMatchObject(refused);
    expect(await world.call('GET', `/v1/action-requests?cursor=${cursor}&status=pending`, { as: world.key })).toMatchObject(refused);
    expect(await world.call('GET', `/v1/action-requests?cursor=${cursor}`, { as: world.tokens.olivia })).toMatchObject(refused);
    for (const query of ['limit=0', 'limit=201', 'status=rejected', 'from=yesterday', 'sort=asc']) {
      expect(await world.call('GET', `/v1/action-requests?${query}`, { as: world.key })).toMatchObject({ status: 400, json: { code: 'invalid_query' } });
    }
  });
});

describe('taking back', () => {
  test('the requester cancels what is pending, once', async () => {
    const { id } = await world.pending();
    const cancel = (as: string) => world.call('POST', `/v1/action-requests/${id}/cancel`, { as });
    expect(await cancel((await world.newKey()).key)).toMatchObject({ status: 404 });
    expect(await cancel(world.tokens.alice)).toMatchObject({ status: 403, json: { code: 'not_the_requester' } });
    expect(await cancel(await world.newToken('dana', ['read']))).toMatchObject({ status: 403, json: { code: 'forbidden' } });
    expect(await cancel(world.key)).toMatchObject({ status: 200, json: { status: 'cancelled', outcome: { status: 'cancelled' } } });
    expect(await cancel(world.key)).toMatchObject({ status: 409, json: { code: 'already_settled' } });
  });

  test('D3: an unused approval is revoked, and its grant is worth nothing after', async () => {
    const request = await world.pending();
    const revoke = (as: string) => world.call('POST', `/v1/action-requests/${request.id}/revoke`, { as, body: {} });
    expect(await revoke(world.key)).toMatchObject({ status: 409, json: { code: 'not_revocable' } });
    await world.decide(world.tokens.alice, request, 'approve');
    const { grant } = (await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key })).json.outcome;
    expect(await revoke(world.tokens.carol)).toMatchObject({ status: 404 });
    expect(await revoke(world.tokens.bob)).toMatchObject({ status: 200, json: { status: 'revoked', outcome: { status: 'revoked', sequence: 2 } } });
    const { action, resource, parameters, actor, environment } = EXPORT;
    expect(
      await world.call('POST', '/v1/grants/redeem', { as: world.key, body: { grant, action: { action, resource, parameters, actor, environment } } }),
    ).toMatchObject({ status: 410, json: { code: 'grant_revoked' } });
  });
});
