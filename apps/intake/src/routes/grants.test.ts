import { createHash } from 'node:crypto';
import { freshGrantSchema, reportAnswerSchema } from '@countersign/contracts';
import { cardOf } from '@countersign/core/card';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { type ApiWorld, createApiWorld, EXPORT, type Reply } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld({ policy: (text) => text.replace(/^ {2}(grant_)?ttl: 5m.*$/m, '  ttl: 1m\n  use_within: 1h') });
});
afterAll(() => world.close());

const { action, resource, parameters, actor, environment } = EXPORT;
const ACTION = { action, resource, parameters, actor, environment };
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();
const redeem = (grant: string, as = world.key) => world.call('POST', '/v1/grants/redeem', { as, body: { grant, action: ACTION } });
const fresh = (id: string, as = world.key) => world.call('POST', `/v1/action-requests/${id}/grant`, { as });
const read = (id: string, as = world.key) => world.call('GET', `/v1/action-requests/${id}`, { as });
const report = (id: string, body: object, as = world.key) => world.call('POST', `/v1/action-requests/${id}/report`, { as, body });
const eventsOf = async (id: string) =>
  (await world.call('GET', `/v1/action-requests/${id}/events`, { as: world.key })).json.data as { event: string; detail: object }[]; // the timeline's schema

async function approved(members: object = {}): Promise<{ id: string; grant: string }> {
  const request = await world.pending(members);
  await world.decide(world.tokens.alice, request, 'approve');
  return { id: request.id, grant: (await read(request.id)).json.outcome.grant };
}

describe('a policy that denies since', () => {
  test('A4: what is denied now but for a glass to break does not run on an approval of the ordinary road', async () => {
    const own = await createApiWorld();
    try {
      const request = await own.pending({});
      await own.decide(own.tokens.alice, request, 'approve');
      const { grant } = (await own.call('GET', `/v1/action-requests/${request.id}`, { as: own.key })).json.outcome;
      // Nothing else is asked by it, or the glass would be no road either.
      const text = `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: halted, version: 1 }
defaults: { outcome: allow, undeclared: allow }
rules:
  - id: halt
    effect: deny
    actions: [${action}]
    break_glass: { group: security, review_within: 24h }
`;
      const stored = await own.call('POST', '/v1/policies', { as: own.tokens.olivia, body: { files: [{ path: 'p.yaml', text }] } });
      expect(codeOf(stored)).toBe('201');
      await own.call('POST', `/v1/policies/${stored.json.policy_digest}/activate`, { as: own.tokens.olivia, body: {} });
      expect((await own.call('GET', '/v1/policies/active', { as: own.key })).json.policy_digest).toBe(stored.json.policy_digest);
      const redeemed = await own.call('POST', '/v1/grants/redeem', { as: own.key, body: { grant, action: ACTION } });
      expect(codeOf(redeemed)).toBe('409 policy_changed');
      expect(codeOf(await own.call('POST', `/v1/action-requests/${request.id}/grant`, { as: own.key }))).toBe('409 policy_changed');
    } finally {
      await own.close();
    }
  });
});

describe('a fresh grant', () => {
  test('A4: is given while the approval lasts, lives shortly, and says so in the ledger', async () => {
    const { id, grant } = await approved();
    const { json: request } = await read(id);
    expect(request.requirement).toMatchObject({ grant_ttl_seconds: 60, use_within_seconds: 3600 });
    expect(Date.parse(request.use_until) - Date.parse(request.outcome.settled_at)).toBe(3_600_000);

    world.ahead = 600;
    try {
      expect(codeOf(await redeem(grant))).toBe('410 grant_expired');
      const reply = await fresh(id);
      expect(reply.status).toBe(201);
      expect(freshGrantSchema.parse(reply.json)).toEqual(reply.json);
      expect(reply.json.use_until).toBe(request.use_until);
      const { payload } = await jwtVerify(reply.json.grant, createLocalJWKSet(world.keyring.jwks()), {
        issuer: world.url,
        audience: world.url,
        typ: 'approval-grant+jwt',
        currentDate: new Date(Date.now() + 600_000),
      });
      expect(payload).toMatchObject({ jti: reply.json.id, act_digest: request.action_digest, request_digest: request.request_digest });
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
      // The request shows the newest one.
      expect((await read(id)).json.outcome.grant).toBe(reply.json.grant);
      expect((await eventsOf(id)).filter(({ event }) => event === 'grant.issued')).toHaveLength(2);
      expect(codeOf(await redeem(reply.json.grant))).toBe('200');
      expect(codeOf(await fresh(id))).toBe('409 grant_already_redeemed');
    } finally {
      world.ahead = 0;
    }
  });

  test('A4: never outlives the approval', async () => {
    const { id } = await approved();
    world.ahead = 3570;
    try {
      const { json } = await fresh(id);
      expect(Date.parse(json.expires_at)).toBeLessThanOrEqual(Date.parse(json.use_until));
      expect(Date.parse(json.expires_at)).toBeGreaterThan(Date.parse(json.use_until) - 1000);
      world.ahead = 3601;
      expect(codeOf(await fresh(id))).toBe('410 approval_over');
    } finally {
      world.ahead = 0;
    }
  });

  test('A4: the end of an approval is judged by the database, whatever our clock says', async () => {
    const { id } = await approved();
    await world.sql(`UPDATE action_requests SET use_until = now() - interval '1 second' WHERE id = '${id}'`);
    world.ahead = -50;
    try {
      expect(codeOf(await fresh(id))).toBe('410 approval_over');
    } finally {
      world.ahead = 0;
    }
  });

  test('I9: all grants of a request are spent by one redemption', async () => {
    const { id, grant } = await approved();
    const grants = [grant, ...(await Promise.all(Array.from({ length: 5 }, async () => (await fresh(id)).json.grant as string)))]; // freshGrantSchema
    expect(new Set(grants).size).toBe(6);
    const replies = await Promise.all(grants.map((each) => redeem(each)));
    expect(replies.map(codeOf).toSorted()).toEqual(['200', ...Array.from({ length: 5 }, () => '409 grant_already_redeemed')]);
  });

  test('D3: none is given of what was revoked, and those that were given are worth nothing', async () => {
    const { id, grant } = await approved();
    const { json } = await fresh(id);
    expect((await world.call('POST', `/v1/action-requests/${id}/revoke`, { as: world.tokens.alice })).status).toBe(200);
    expect(codeOf(await fresh(id))).toBe('410 grant_revoked');
    for (const each of [grant, json.grant]) expect(codeOf(await redeem(each))).toBe('410 grant_revoked');
  });

  test('A4: only the requesting caller gets one, and only of what was approved', async () => {
    const { id } = await approved();
    const other = await world.newKey({ name: 'other' });
    expect(codeOf(await fresh(id, other.key))).toBe('404 not_found');
    expect(codeOf(await fresh(id, world.tokens.dana))).toBe('403 forbidden');
    expect(codeOf(await fresh('ar_0192f0c1-7d3a-7c5e-8a11-2b6f0e9d4c55'))).toBe('404 not_found');
    const pending = await world.pending();
    expect(codeOf(await fresh(pending.id))).toBe('409 not_approved');
    await world.decide(world.tokens.alice, pending, 'deny');
    expect(codeOf(await fresh(pending.id))).toBe('409 not_approved');
  });

  test('A3, A4: what policy allowed at once has them too, for as long as the defaults say', async () => {
    const { json } = await world.submit({ action: 'docs.read', resource: { type: 'page', id: 'a' } });
    expect(json.status).toBe('approved');
    expect(Date.parse(json.use_until) - Date.parse(json.created_at)).toBe(3_600_000);
    expect((await fresh(json.id)).status).toBe(201);
  });
});

describe('of several reasons to refuse a grant the first is told', () => {
  const WRONG = { ...ACTION, parameters: { ...parameters, rows: 1 } };
  const wrongly = (grant: string, as = world.key) => world.call('POST', '/v1/grants/redeem', { as, body: { grant, action: WRONG } });

  test('I9: forged, foreign, expired, revoked, another action, redeemed', async () => {
    const stranger = await world.newKey({ name: 'stranger' });
    const revoked = await approved();
    await world.call('POST', `/v1/action-requests/${revoked.id}/revoke`, { as: world.key });
    const redeemed = await approved();
    await redeem(redeemed.grant);
    expect(codeOf(await wrongly(`${redeemed.grant}A`, stranger.key))).toBe('401 invalid_grant');
    expect(codeOf(await wrongly(revoked.grant, stranger.key))).toBe('403 grant_audience_mismatch');
    expect(codeOf(await wrongly(revoked.grant))).toBe('410 grant_revoked');
    expect(codeOf(await wrongly(redeemed.grant))).toBe('422 action_mismatch');
    expect(codeOf(await redeem(redeemed.grant))).toBe('409 grant_already_redeemed');
    world.ahead = 61;
    try {
      expect(codeOf(await wrongly(revoked.grant, stranger.key))).toBe('403 grant_audience_mismatch');
      for (const { grant } of [revoked, redeemed]) expect(codeOf(await wrongly(grant))).toBe('410 grant_expired');
    } finally {
      world.ahead = 0;
    }
  });
});

describe('a report', () => {
  const digest = `sha256:${createHash('sha256').update('result').digest('hex')}`;

  test('D2, A4: says once what came of the action: in answers, on the card, on the timeline and in the ledger', async () => {
    const { id, grant } = await approved();
    expect((await read(id)).json.report).toBeNull();
    expect(codeOf(await report(id, { result: 'succeeded' }))).toBe('409 not_redeemed');
    await redeem(grant);
    const body = { result: 'succeeded', result_digest: digest, detail: 'Wrote 48211 rows; the key was AKIAIOSFODNN7EXAMPLE' };
    const reply = await report(id, body);
    expect(reply.status).toBe(201);
    expect(reportAnswerSchema.parse(reply.json)).toEqual(reply.json);
    expect(reply.json).toMatchObject({ action_request: id, result: 'succeeded', result_digest: digest });
    expect(reply.json.detail).toContain('48211 rows');
    expect(reply.text).not.toContain('AKIAIOSFODNN7EXAMPLE');

    const { json } = await read(id, world.tokens.alice);
    const { action_request: _id, ...view } = reply.json;
    expect(json.report).toEqual(view);
    const state = await world.store.requests.state('default', id);
    if (state === null) throw new Error('it is there');
    expect(cardOf(state, { publicUrl: world.url, notice: null }).outcome?.text).toBe(`Approved by ${world.people.alice.name}. Ran: succeeded.`);
    const [event] = (await eventsOf(id)).slice(-1);
    expect(event).toMatchObject({ event: 'execution.reported', detail: { result: 'succeeded', result_digest: digest, detail: reply.json.detail } });
  });

  test('D2: the same report again answers the same; another one is refused', async () => {
    const { id, grant } = await approved();
    await redeem(grant);
    const body = { result: 'failed', detail: 'disk full' };
    const replies = await Promise.all(Array.from({ length: 8 }, () => report(id, body)));
    expect(new Set(replies.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(replies.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
    expect((await eventsOf(id)).filter(({ event }) => event === 'execution.reported')).toHaveLength(1);
    for (const other of [{ result: 'succeeded', detail: 'disk full' }, { result: 'failed' }, { ...body, result_digest: digest }]) {
      expect(codeOf(await report(id, other))).toBe('409 already_reported');
    }
  });

  test('A4: is of the caller that redeemed, and of nobody else', async () => {
    const executor = await world.newKey({ name: 'executor' });
    const { id, grant } = await approved({ grant_audience: executor.id });
    expect(codeOf(await report(id, { result: 'failed' }, executor.key))).toBe('409 not_redeemed');
    expect(codeOf(await redeem(grant, executor.key))).toBe('200');
    const stranger = await world.newKey({ name: 'stranger' });
    expect(codeOf(await report(id, { result: 'failed' }, stranger.key))).toBe('404 not_found');
    expect(codeOf(await report(id, { result: 'failed' }))).toBe('403 not_the_executor');
    expect(codeOf(await report(id, { result: 'failed' }, world.tokens.alice))).toBe('403 forbidden');
    expect(codeOf(await report(id, { result: 'failed' }, executor.key))).toBe('201');
  });

  test('D2: does not take what is no report', async () => {
    const { id, grant } = await approved();
    await redeem(grant);
    for (const body of [
      {},
      { result: 'ok' },
      { result: 'failed', detail: '' },
      { result: 'failed', detail: 'x'.repeat(2001) },
      { result: 'failed', result_digest: 'abc' },
      { result: 'failed', more: 1 },
    ]) {
      expect(codeOf(await report(id, body))).toBe('422 invalid_body');
    }
    expect(codeOf(await report(id, { result: 'failed', detail: 'x'.repeat(2000) }))).toBe('201');
  });
});
