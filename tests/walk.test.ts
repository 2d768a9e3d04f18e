import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { needs } from '@countersign/dev-env/needs';
import { execFile } from 'node:child_process';
import { type JsonWebKey, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { actionOf, EXPORT, type Reply } from './support/api.js';
import { type CallbackReceiver, startCallbackReceiver, verifiedByOfficialPackage, verifiedByPublishedKey } from './support/callback-receiver.js';
import { readLog, verifyByCommand } from './support/ledger-check.js';
import { type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/*
 * The whole story, through `npm start`'s own process, with nothing but Node: what a newcomer sees, asks, approves and gets.
 * The server logs at its most talkative, so that the last tests can look for what must not be in a log.
 */
jest.setTimeout(60_000);

let server: RunningServer;
let receiver: CallbackReceiver;
let key: string;
let secret: string;
let jwks: { keys: JsonWebKey[] };
const tokens: Record<'dana' | 'alice' | 'bob' | 'carol' | 'olivia', string> = { dana: '', alice: '', bob: '', carol: '', olivia: '' };

/** What may show up nowhere: planted in reasons and parameters of the first request. */
const PLANTED = {
  card: '4111 1111 1111 1111',
  address: 'quentin.planted@customers.example.org',
  password: 'hunter2-Planted-9f3c',
  github: `ghp_${'Pl4nt3d'.repeat(6).slice(0, 36)}`,
};

beforeAll(async () => {
  receiver = await startCallbackReceiver();
  server = await startServer({ command: 'npm start', env: { LOG_LEVEL: 'debug' }, withinMs: 120_000 });
  const file = server.quickstart();
  key = file.api_key;
  secret = file.webhook_secret;
  for (const name of ['dana', 'alice', 'bob', 'carol', 'olivia'] as const) tokens[name] = server.token(name);
  jwks = (await server.call('GET', '/.well-known/jwks.json')).json;
}, 150_000);
afterAll(async () => {
  await receiver?.close();
  // Throws unless Ctrl-C ends all of it cleanly.
  await server?.stop();
}, 60_000);

/** The example export with a callback to us and these members instead. */
const submission = (members: object = {}) => ({ ...EXPORT, callback: { url: `${receiver.url}/hook` }, ...members });
const submit = (members: object = {}) => server.submit(key, submission(members));
async function pending(members: object = {}): Promise<any> {
  const reply = await submit(members);
  expect(reply).toMatchObject({ status: 201, json: { status: 'pending' } });
  return reply.json;
}
const redeem = (grant: string, action: object, as = key) => server.call('POST', '/v1/grants/redeem', { as, body: { grant, action } });
const iam = () => ({ action: 'iam.grant_role', resource: { type: 'iam_role', id: `admin-${randomUUID()}` } });
const codeOf = (reply: Reply) => `${reply.status} ${reply.json?.code}`;
/** The one callback of a request, verified in both schemes. */
async function callback(id: string, count = 1, withinMs?: number): Promise<any> {
  const attempt = (await receiver.of(id, count, withinMs))[count - 1];
  if (attempt === undefined) throw new Error('no callback');
  expect(verifiedByPublishedKey(attempt, jwks.keys)).toBe(true);
  return verifiedByOfficialPackage(attempt, secret);
}

describe('what a newcomer finds', () => {
  test('G2: the banner says where to click, and where the keys lie', () => {
    expect(server.url).toBe(`http://localhost:${server.port}`);
    expect(server.output()).toContain(server.quickstart().people['alice@example.com']?.sign_in_url);
    expect(server.output()).toContain(path.join(server.home, 'quickstart.json'));
    expect(server.output()).toContain('no boundary against software that runs as the same user');
  });

  test('G2: quickstart.json is for its owner alone and holds what the page promises', () => {
    expect(statSync(path.join(server.home, 'quickstart.json')).mode & 0o777).toBe(0o600);
    const { people, ...rest } = server.quickstart();
    expect(rest).toEqual({ url: server.url, api_key: expect.stringMatching(/^cs_key_/), webhook_secret: expect.stringMatching(/^whsec_/) });
    expect(Object.keys(people).toSorted()).toEqual(['alice', 'bob', 'carol', 'dana', 'olivia'].map((name) => `${name}@example.com`));
    for (const person of Object.values(people)) {
      expect(person).toEqual({
        token: expect.stringMatching(/^cs_pat_/),
        sign_in_url: expect.stringMatching(new RegExp(`^${server.url}/sign-in#[\\w-]{20,}$`)),
      });
    }
  });

  test('G2: pages, probes and the description answer', async () => {
    const page = await server.call('GET', '/');
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('<html') });
    expect((await server.call('GET', '/healthz')).status).toBe(200);
    expect(await server.call('GET', '/readyz')).toMatchObject({ status: 200, json: { status: 'ready', checks: { postgresql: 'ok' } } });
    expect((await server.call('GET', '/openapi.json')).json.paths['/v1/action-requests'].post).toBeDefined();
    expect((await server.call('GET', '/metrics')).text).toContain('http_request_seconds');
  });

  const curl = needs('curl', 'the curl that the banner prints');
  (curl === undefined ? test.skip : test)('A1: the printed curl works as it stands, and its request waits for the data owner', async () => {
    const command = /^curl -sS [\s\S]*?\}'$/m.exec(server.output())?.[0] ?? '';
    expect(command).toContain('cs_key_');
    const { stdout } = await promisify(execFile)('sh', ['-c', command]);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({
      status: 'pending',
      action: 'data.export',
      evaluation: { effect: 'require', rules: ['customer-data'], explanation: 'Customer tables need the data owner' },
      requirement: { stages: [{ all: [{ group: 'data-owners', quorum: 1 }] }] },
      outcome: null,
      decisions: [],
    });
    expect((await server.call('GET', `/v1/action-requests/${answer.id}`, { as: tokens.alice })).json.status).toBe('pending');
  });
});

describe('one request from the call to the signed outcome', () => {
  let request: any;
  let outcome: any;

  test('B1, B2: policy gates the table by its catalogue, though the caller names no label, and the request says by which version', async () => {
    const reply = await submit({
      reason: `Refund of ${PLANTED.card}, asked by ${PLANTED.address}`,
      parameters: { ...EXPORT.parameters, password: PLANTED.password, notes: `use ${PLANTED.github}` },
    });
    expect(reply.status).toBe(201);
    request = reply.json;
    expect(reply.headers['location']).toBe(`${server.url}/v1/action-requests/${request.id}`);
    expect(request).toMatchObject({ status: 'pending', evaluation: { effect: 'require', rules: ['customer-data'] }, outcome: null });
    expect(request.url).toBe(`${server.url}/requests/${request.id}`);
    const active = await server.call('GET', '/v1/policies/active', { as: key });
    expect(request.evaluation.policy_digest).toBe(active.json.policy_digest);
  });

  test('F1: what was planted is masked in every answer, and the digest is over what was asked', async () => {
    expect(request.masked.length).toBeGreaterThanOrEqual(4);
    for (const path of ['', '/events', '/explanation']) {
      const { text } = await server.call('GET', `/v1/action-requests/${request.id}${path}`, { as: tokens.alice });
      for (const value of Object.values(PLANTED)) expect(text).not.toContain(value);
    }
    for (const platform of ['web', 'slack', 'teams']) {
      const card = await server.call('GET', `/v1/previews/${platform}/${request.id}`, { as: tokens.alice });
      expect(card).toMatchObject({ status: 200, text: expect.stringContaining('s3://ml-retraining/customers.csv') });
      for (const value of Object.values(PLANTED)) expect(card.text).not.toContain(value);
    }
  });

  test('C4: neither the person behind the agent, nor the API key, nor an administrator by rank decides', async () => {
    const refused = await server.decide(tokens.dana, request, 'approve');
    expect(codeOf(refused)).toBe('403 self_approval');
    expect(refused.json).toMatchObject({ type: expect.stringMatching(/\/problems\/self_approval$/), detail: expect.stringContaining('behalf') });
    expect(refused.headers['content-type']).toContain('application/problem+json');
    expect(codeOf(await server.decide(key, request, 'approve'))).toBe('403 decider_not_allowed');
    expect(codeOf(await server.decide(tokens.olivia, request, 'approve'))).toBe('403 not_an_approver');
    expect(codeOf(await server.decide(tokens.carol, request, 'deny'))).toBe('403 not_an_approver');
    expect((await server.call('GET', `/v1/action-requests/${request.id}`, { as: key })).json).toMatchObject({ status: 'pending', decisions: [] });
  });

  test('A4: whoever names another digest has looked at something else', async () => {
    expect(codeOf(await server.decide(tokens.alice, { id: request.id, request_digest: `sha256:${'0'.repeat(64)}` }, 'approve'))).toBe('422 action_mismatch');
  });

  test('A2, C1: Alice signs in by her link and approves on the web; a caller who waits hears of it at once', async () => {
    const waiting = server.settled(key, request.id);
    const link = new URL(server.quickstart().people['alice@example.com']?.sign_in_url ?? '');
    const signIn = () => server.call('POST', '/v1/sessions', { body: { token: link.hash.slice(1) }, headers: { origin: server.url } });
    const session = await signIn();
    expect(session).toMatchObject({ status: 201, json: { person: { email: 'alice@example.com' } } });
    expect(session.headers['set-cookie']).toMatch(/HttpOnly/i);
    // A link is spent once.
    expect(codeOf(await signIn())).toBe('401 unauthenticated');
    const cookie = session.headers['set-cookie']?.split(';')[0] ?? '';
    const approved = await server.call('POST', `/v1/action-requests/${request.id}/decisions`, {
      body: { verdict: 'approve', request_digest: request.request_digest, reason: 'Agreed for churn v7' },
      headers: { cookie, origin: server.url },
    });
    expect(approved).toMatchObject({ status: 201, json: { verdict: 'approve', via: 'web', person: { email: 'alice@example.com' } } });
    expect((await waiting).json).toMatchObject({ status: 'approved', outcome: { sequence: 1, status: 'approved' } });
  });

  test('D1, D2: the callback arrives signed in both schemes, and says who, when, on which policy, why', async () => {
    const body = await callback(request.id);
    expect(body.type).toBe('outcome.settled');
    outcome = body.data;
    expect(outcome).toMatchObject({
      action_request: request.id,
      sequence: 1,
      status: 'approved',
      action_digest: request.action_digest,
      request_digest: request.request_digest,
      policy_digest: request.evaluation.policy_digest,
      decisions: [{ person: { email: 'alice@example.com', name: 'Alice Adams' }, verdict: 'approve', reason: 'Agreed for churn v7', via: 'web' }],
    });
    const [attempt] = await receiver.of(request.id);
    expect(attempt?.headers['webhook-id']).toMatch(/^msg_/);
    expect(() => verifiedByOfficialPackage({ ...attempt!, body: `${attempt!.body} ` }, secret)).toThrow(); // `!`: of() gave one
    expect(verifiedByPublishedKey({ ...attempt!, body: `${attempt!.body} ` }, jwks.keys)).toBe(false);
  });

  test('D2, I8: the grant verifies with the published key, in code that is not ours', async () => {
    const { payload, protectedHeader } = await jwtVerify(outcome.grant, createLocalJWKSet(jwks as JSONWebKeySet), { issuer: server.url, audience: server.url });
    expect(protectedHeader.alg).toBe('EdDSA');
    expect(payload).toMatchObject({ action_request: request.id, act_digest: request.action_digest, request_digest: request.request_digest });
  });

  test('A4: the grant runs exactly what was approved, once', async () => {
    const action = actionOf({
      ...EXPORT,
      parameters: { ...EXPORT.parameters, password: PLANTED.password, notes: `use ${PLANTED.github}` } as typeof EXPORT.parameters,
    });
    const [head = '', payload = '', signature = ''] = outcome.grant.split('.');
    expect(codeOf(await redeem(`${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`, action))).toBe('401 invalid_grant');
    expect(codeOf(await redeem(outcome.grant, action, tokens.alice))).toMatch(/^40[13] /);
    const changed = await redeem(outcome.grant, { ...action, parameters: { ...EXPORT.parameters, rows: 48212 } });
    expect(codeOf(changed)).toBe('422 action_mismatch');
    const answers = await Promise.all([redeem(outcome.grant, action), redeem(outcome.grant, action)]);
    expect(answers.map(codeOf).toSorted()).toEqual(['200 undefined', '409 grant_already_redeemed']);
    expect(codeOf(await redeem(outcome.grant, action))).toBe('409 grant_already_redeemed');
    const read = await server.call('GET', `/v1/action-requests/${request.id}`, { as: key });
    expect(read.json.redeemed_at).not.toBeNull();
    expect(read.json.outcome).not.toHaveProperty('grant');
    expect(codeOf(await server.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: tokens.alice }))).toBe('409 not_revocable');
  });

  test('C3: a decision comes once, and a settled request takes no more', async () => {
    expect(codeOf(await server.decide(tokens.bob, request, 'deny'))).toBe('409 already_settled');
    expect(codeOf(await server.decide(tokens.alice, request, 'deny'))).toBe('409 already_settled');
  });
});

describe('other endings', () => {
  test('C3, D2: a denial carries its reason and no grant', async () => {
    const request = await pending();
    expect((await server.decide(tokens.bob, request, 'deny', 'Not for this model')).status).toBe(201);
    const { data } = await callback(request.id);
    expect(data).toMatchObject({
      status: 'denied',
      decisions: [{ person: { email: 'bob@example.com' }, verdict: 'deny', reason: 'Not for this model', via: 'api' }],
    });
    expect(data).not.toHaveProperty('grant');
  });

  test('B3: a privilege needs two different people of two groups; Bob, who is in both, fills one place', async () => {
    const request = await pending(iam());
    expect(request.requirement.stages[0]).toMatchObject({ all: [{ group: 'data-owners' }, { group: 'security' }], distinct_humans: 2 });
    expect((await server.decide(tokens.bob, request, 'approve')).status).toBe(201);
    expect(codeOf(await server.decide(tokens.bob, request, 'approve'))).toBe('409 already_decided');
    expect((await server.call('GET', `/v1/action-requests/${request.id}`, { as: key })).json).toMatchObject({ status: 'pending', outcome: null });
    expect((await server.decide(tokens.alice, request, 'approve')).status).toBe(201);
    const { data } = await callback(request.id);
    expect(data.status).toBe('approved');
    expect(data.decisions.map((decision: any) => decision.person.email)).toEqual(['bob@example.com', 'alice@example.com']);
  });

  test('B3: the other way round: in two groups or in one, each person fills one place', async () => {
    const request = await pending(iam());
    expect((await server.decide(tokens.carol, request, 'approve')).status).toBe(201);
    expect((await server.call('GET', `/v1/action-requests/${request.id}`, { as: key })).json.status).toBe('pending');
    expect(codeOf(await server.decide(tokens.dana, request, 'approve'))).toBe('403 self_approval');
    expect((await server.decide(tokens.bob, request, 'approve')).status).toBe(201);
    expect((await callback(request.id)).data).toMatchObject({
      status: 'approved',
      decisions: [{ person: { email: 'carol@example.com' } }, { person: { email: 'bob@example.com' } }],
    });
  });

  test.each([['production'], [undefined]])('B1: backup.delete is denied at once where the environment is %s', async (environment) => {
    const { environment: _production, ...rest } = submission({ action: 'backup.delete', resource: { type: 'backup', id: 'nightly-7' } });
    const reply = await server.submit(key, environment === undefined ? rest : { ...rest, environment });
    expect(reply).toMatchObject({
      status: 201,
      json: { status: 'denied', evaluation: { effect: 'deny', rules: ['no-backup-deletion'] }, outcome: { status: 'denied', sequence: 1 } },
    });
    expect(reply.json.outcome).not.toHaveProperty('grant');
    expect((await callback(reply.json.id)).data).toMatchObject({ status: 'denied', decisions: [] });
    expect(codeOf(await server.decide(tokens.alice, reply.json, 'approve'))).toMatch(/^40[39] /);
  });

  test('A3: what policy does not gate passes at once, with a grant in the answer and the same record', async () => {
    const body = submission({ action: 'model.promote', resource: { type: 'model', id: 'churn-v7' } });
    const reply = await server.submit(key, body);
    expect(reply).toMatchObject({
      status: 201,
      json: { status: 'approved', evaluation: { effect: 'allow' }, requirement: null, outcome: { status: 'approved', grant: expect.any(String) } },
    });
    expect((await callback(reply.json.id)).data).toMatchObject({ status: 'approved', grant: reply.json.outcome.grant });
    expect((await redeem(reply.json.outcome.grant, actionOf(body))).status).toBe(200);
    const events = await until(async () => {
      const { data } = (await server.call('GET', `/v1/action-requests/${reply.json.id}/events`, { as: key })).json;
      return data.every((event: any) => event.ledger_index !== null) && data;
    }, 'the timeline in the ledger');
    expect(events.map((event: any) => event.event)).toEqual(
      expect.arrayContaining(['action_request.opened', 'outcome.settled', 'grant.issued', 'grant.redeemed', 'delivery.attempted']),
    );
  });

  test('D3: the requester takes a pending request back; nobody else does', async () => {
    const request = await pending();
    const cancel = (as: string) => server.call('POST', `/v1/action-requests/${request.id}/cancel`, { as });
    expect(codeOf(await cancel(tokens.alice))).toBe('403 not_the_requester');
    expect(await cancel(key)).toMatchObject({ status: 200, json: { status: 'cancelled' } });
    expect((await callback(request.id)).data.status).toBe('cancelled');
    expect(codeOf(await server.decide(tokens.alice, request, 'approve'))).toBe('409 already_settled');
    expect(codeOf(await cancel(key))).toBe('409 already_settled');
  });

  test('D3: an unused approval is revoked, the caller is told in order, and the grant is dead', async () => {
    const request = await pending();
    await server.decide(tokens.alice, request, 'approve');
    const { data: approved } = await callback(request.id);
    expect(codeOf(await server.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: tokens.carol }))).toBe('404 not_found');
    const revoked = await server.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: tokens.bob });
    expect(revoked).toMatchObject({ status: 200, json: { status: 'revoked', outcome: { sequence: 2, status: 'revoked' } } });
    const told = await callback(request.id, 2);
    expect(told).toMatchObject({ type: 'outcome.revoked', data: { sequence: 2, status: 'revoked' } });
    expect(told.data).not.toHaveProperty('grant');
    expect(codeOf(await redeem(approved.grant, actionOf(EXPORT)))).toBe('410 grant_revoked');
  });

  test('D3: a revocation does not wait behind an approval that could not be delivered; it supersedes it, visibly', async () => {
    receiver.answerWith(503);
    const request = await pending();
    await server.decide(tokens.alice, request, 'approve');
    await receiver.of(request.id);
    const deliveries = async () => (await server.call('GET', `/v1/deliveries?action_request=${request.id}`, { as: key })).json.data;
    // The first attempt's end has to be on record, else it is still on the wire.
    await until(async () => (await deliveries())[0]?.attempts[0]?.result, 'the first attempt on record');
    receiver.answerWith(204);
    expect((await server.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: key })).status).toBe(200);
    const states = await until(async () => {
      const now = (await deliveries()).map((delivery: any) => `${delivery.sequence} ${delivery.state}`);
      return now.includes('2 delivered') && now;
    }, 'the delivery of the revocation');
    expect(states.toSorted()).toEqual(['1 superseded', '2 delivered']);
    const last = receiver.attempts.filter(({ json }) => json.data.action_request === request.id).at(-1);
    expect(last?.json.data).toMatchObject({ sequence: 2, status: 'revoked' });
  });

  test('A5, D1: nobody in time means expired, never approved, and the caller hears of it within 10 s', async () => {
    const request = await pending({ timeout_seconds: 1 });
    expect(Date.parse(request.expires_at) - Date.parse(request.created_at)).toBe(1000);
    const { data } = await callback(request.id, 1, 11_000);
    expect(data).toMatchObject({ status: 'expired', decisions: [] });
    expect(data).not.toHaveProperty('grant');
    expect(codeOf(await server.decide(tokens.alice, request, 'approve'))).toBe('409 already_settled');
  });

  test('D1: an outcome that the receiver refuses at first comes again, under the same id', async () => {
    receiver.answerWith(500);
    const request = await pending();
    await server.decide(tokens.alice, request, 'deny');
    const [first] = await receiver.of(request.id);
    receiver.answerWith(204);
    const [, second] = await receiver.of(request.id, 2);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.body).toBe(first?.body);
    expect(() => verifiedByOfficialPackage(second!, secret)).not.toThrow(); // `!`: of() gave two
  });
});

describe('asking again', () => {
  test('A1: the same key gives the same answer, another body a refusal, and no key none', async () => {
    const idempotency = { key: `walk-${randomUUID()}` };
    const first = await server.submit(key, submission(), idempotency);
    expect(first.status).toBe(201);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    const second = await server.submit(key, submission(), idempotency);
    expect(second).toMatchObject({ status: 201, headers: { 'idempotent-replayed': 'true' }, json: first.json });
    expect(codeOf(await server.submit(key, submission({ reason: 'another' }), idempotency))).toBe('422 idempotency_key_reused');
    expect(codeOf(await server.call('POST', '/v1/action-requests', { as: key, body: submission() }))).toBe('400 idempotency_key_missing');
  });

  test('A1: ten at once with one key open one request', async () => {
    const idempotency = { key: `walk-${randomUUID()}` };
    const replies = await Promise.all(Array.from({ length: 10 }, () => server.submit(key, submission(), idempotency)));
    const codes = new Set(replies.map((reply) => (reply.status === 201 ? '201' : codeOf(reply))));
    codes.delete('409 idempotency_in_progress');
    expect([...codes]).toEqual(['201']);
    expect(new Set(replies.flatMap((reply) => (reply.status === 201 ? [reply.json.id] : []))).size).toBe(1);
    const { id } = (await server.submit(key, submission(), idempotency)).json;
    expect(replies.find((reply) => reply.status === 201)?.json.id).toBe(id);
  });

  test('D2: a replay carries the grant only while it is live', async () => {
    const idempotency = { key: `walk-${randomUUID()}` };
    const body = submission({ action: 'model.promote', resource: { type: 'model', id: 'churn-v8' } });
    const { grant } = (await server.submit(key, body, idempotency)).json.outcome;
    expect((await server.submit(key, body, idempotency)).json.outcome.grant).toBe(grant);
    expect((await redeem(grant, actionOf(body))).status).toBe(200);
    const after = await server.submit(key, body, idempotency);
    expect(after.status).toBe(201);
    expect(after.json.outcome).not.toHaveProperty('grant');
  });

  test('B4: evaluations say what policy would do, and open nothing', async () => {
    const { reason: _reason, ...action } = EXPORT;
    const before = (await server.call('GET', '/v1/action-requests?limit=1', { as: key })).json.data[0].id;
    expect((await server.call('POST', '/v1/evaluations', { as: key, body: action })).json.evaluation).toMatchObject({
      effect: 'require',
      rules: ['customer-data'],
    });
    expect((await server.call('GET', '/v1/action-requests?limit=1', { as: key })).json.data[0].id).toBe(before);
  });
});

describe('who sees what', () => {
  test('E3: lists are newest first, in pages that neither repeat nor leave out', async () => {
    const action = `walk.page.${randomUUID().slice(0, 8)}`;
    const made: string[] = [];
    for (let count = 0; count < 5; count++) made.unshift((await submit({ action, resource: { type: 'thing', id: 'x' } })).json.id);
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Reply = await server.call('GET', `/v1/action-requests?action=${action}&limit=2${cursor === null ? '' : `&cursor=${cursor}`}`, { as: key });
      expect(page.status).toBe(200);
      found.push(...page.json.data.map((request: any) => request.id));
      cursor = page.json.next_cursor;
    } while (cursor !== null);
    expect(found).toEqual(made);
    const list = await server.call('GET', `/v1/action-requests?action=${action}&limit=2`, { as: key });
    expect(list.text).not.toContain('"grant"');
    const other = await server.call('GET', `/v1/action-requests?limit=2&cursor=${list.json.next_cursor}`, { as: key });
    expect(codeOf(other)).toBe('400 invalid_query');
  });

  test('E3: a query says who approved what', async () => {
    const { data } = (await server.call('GET', '/v1/action-requests?decided_by=alice@example.com&status=approved&action=data.export', { as: tokens.olivia }))
      .json;
    expect(data.length).toBeGreaterThan(0);
    for (const request of data) expect(request.decisions.map((decision: any) => decision.person.email)).toContain('alice@example.com');
  });

  test('E3: whoever neither asked, may decide nor audits is told that there is nothing', async () => {
    const { id } = await pending();
    const statuses = Object.fromEntries(
      await Promise.all(
        (['dana', 'alice', 'bob', 'carol', 'olivia'] as const).map(async (name) => [
          name,
          (await server.call('GET', `/v1/action-requests/${id}`, { as: tokens[name] })).status,
        ]),
      ),
    );
    expect(statuses).toEqual({ dana: 200, alice: 200, bob: 200, carol: 404, olivia: 200 });
    for (const path of ['/events', '/explanation'])
      expect(codeOf(await server.call('GET', `/v1/action-requests/${id}${path}`, { as: tokens.carol }))).toBe('404 not_found');
    expect(codeOf(await server.call('GET', `/v1/previews/web/${id}`, { as: tokens.carol }))).toBe('404 not_found');
    expect(codeOf(await server.decide(tokens.carol, { id, request_digest: `sha256:${'0'.repeat(64)}` }, 'approve'))).toMatch(/^40[34] /);
    const listed = (await server.call('GET', '/v1/action-requests?limit=200', { as: tokens.carol })).json.data;
    expect(listed.map((request: any) => request.id)).not.toContain(id);
    expect(codeOf(await server.call('GET', `/v1/action-requests/${id}`))).toBe('401 unauthenticated');
    expect(codeOf(await server.call('GET', `/v1/action-requests/${id}`, { as: `${key.slice(0, -6)}AAAAAA` }))).toBe('401 unauthenticated');
    expect(codeOf(await server.call('GET', `/v1/action-requests/ar_${randomUUID()}`, { as: key }))).toBe('404 not_found');
  });
});

describe('the record', () => {
  test('E1, I10: every event gets its own place, without gaps, and the log verifies with code that is not ours', async () => {
    const first = await readLog(server, tokens.olivia);
    expect(first).toMatchObject({ origin: `localhost:${server.port}/ledger/default`, verified: true });
    const { id } = (await submit({ action: 'walk.ledger', resource: { type: 'thing', id: 'x' } })).json;
    await receiver.of(id);
    const own: number[] = await until(async () => {
      const { data } = (await server.call('GET', `/v1/action-requests/${id}/events`, { as: key })).json;
      const positions = data.map((event: any) => event.ledger_index);
      return positions.length >= 4 && !positions.includes(null) && positions;
    }, 'the places of the new events');
    const second = await until(async () => {
      const log = await readLog(server, tokens.olivia);
      return log.size > Math.max(...own) && log;
    }, 'a checkpoint over the new events');
    expect(second.verified).toBe(true);
    expect(second.size).toBeGreaterThanOrEqual(first.size + own.length);
    // Append-only: what stood there stands there still.
    expect(second.entries.slice(0, first.size)).toEqual(first.entries);

    const positions: number[] = [];
    let cursor: string | null = null;
    do {
      const page: Reply = await server.call('GET', `/v1/action-requests?limit=200${cursor === null ? '' : `&cursor=${cursor}`}`, { as: tokens.olivia });
      for (const request of page.json.data) {
        const { data } = (await server.call('GET', `/v1/action-requests/${request.id}/events`, { as: tokens.olivia })).json;
        positions.push(...data.flatMap((event: any) => (event.ledger_index === null ? [] : [event.ledger_index])));
      }
      cursor = page.json.next_cursor;
    } while (cursor !== null);
    expect(new Set(positions).size).toBe(positions.length);
    const placed = new Set(positions);
    // What is not a request's is what the first start put in force, each once.
    const others = second.entries.flatMap((entry, index) => (placed.has(index) ? [] : [JSON.parse(entry.toString('latin1')).event]));
    expect(others.toSorted((a, b) => a.localeCompare(b))).toEqual([
      ...['agent.changed', 'api_key.created', 'directory.loaded', 'group.changed', 'group.changed'],
      ...Array.from({ length: 5 }, () => 'person.changed'),
      'policy.activated',
    ]);
  });

  test('E2: `countersign ledger verify` finds the whole of it as it was logged, every row against its leaf', async () => {
    expect(await verifyByCommand(server.home)).toMatchObject({ findings: [] });
  });

  test('E1: hash tiles and the checkpoint are open, entries are for auditors and administrators', async () => {
    const { size } = await readLog(server, tokens.olivia);
    const width = size < 256 ? `.p/${size}` : '';
    expect(await server.call('GET', `/ledger/default/tile/0/000${width}`)).toMatchObject({ status: 200 });
    expect((await server.call('GET', `/ledger/default/tile/entries/000${width}`)).status).toBe(401);
    expect((await server.call('GET', `/ledger/default/tile/entries/000${width}`, { as: tokens.alice })).status).toBe(403);
    expect((await server.call('GET', `/ledger/default/tile/entries/000${width}`, { as: key })).status).toBe(403);
  });
});

describe('secrets', () => {
  /** What the server said without its banner, which shows the key and a link on purpose. */
  const log = (): string => server.output().replace(/\nCountersign is ready at [\s\S]*?what was asked and decided stays\.\n/, '');

  test('F1: no key, token, sign-in link or planted value is in the log, however talkative', async () => {
    const marker = randomUUID();
    await server.call('GET', '/v1/me', { as: key, headers: { 'x-request-id': marker } });
    await until(() => log().includes(marker), 'the log of the last request');
    expect(log()).toContain('"level":"debug"');
    for (const value of secrets()) expect({ value, found: log().includes(value) }).toEqual({ value, found: false });
  });

  test('F1: a body that cannot be read leaves nothing of itself in the log either', async () => {
    const marker = randomUUID();
    const raw = `{"action":"x","password":"${PLANTED.password}","card":"${PLANTED.card}`;
    const reply = await server.call('POST', '/v1/action-requests', { as: key, raw, headers: { 'idempotency-key': randomUUID(), 'x-request-id': marker } });
    expect(codeOf(reply)).toBe('400 invalid_json');
    expect(reply.text).not.toContain(PLANTED.password);
    await until(() => log().includes(marker), 'the log of the request');
    for (const value of Object.values(PLANTED)) expect(log()).not.toContain(value);
  });

  test('E4, F1: nothing of what was planted lies in the database files in clear text, nor in the log of PostgreSQL', () => {
    const found: string[] = [];
    for (const file of readdirSync(path.join(server.home, 'postgres'), { recursive: true, encoding: 'utf8' })) {
      const whole = path.join(server.home, 'postgres', file);
      const stats = statSync(whole, { throwIfNoEntry: false });
      if (stats?.isFile() !== true) continue;
      const bytes = readFileSync(whole);
      for (const value of [key, ...Object.values(tokens), ...Object.values(PLANTED)]) if (bytes.includes(value)) found.push(`${value} in ${file}`);
    }
    expect(found).toEqual([]);
  });

  function secrets(): string[] {
    const { people, webhook_secret } = server.quickstart();
    return [
      key,
      webhook_secret,
      ...Object.values(people).flatMap(({ token, sign_in_url }) => [token, sign_in_url.split('#')[1] ?? '']),
      ...Object.values(PLANTED),
    ];
  }
});
