import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateSeed, signerOf } from '@countersign/keys';
import { type ApiWorld, createApiWorld, EXPORT, type Reply } from '../testing/api-world.js';
import { grantVectors } from '../testing/grant-vectors.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const { action, resource, parameters, actor, environment } = EXPORT;
const ACTION = { action, resource, parameters: { ...parameters, note: 'é', columns: ['a', 'b'] }, actor, environment };

const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();
const redeemRaw = (grant: string, run: string, as = world.key): Promise<Reply> =>
  world.call('POST', '/v1/grants/redeem', { as, raw: `{"grant":${JSON.stringify(grant)},"action":${run}}` });

async function approved(members: object = {}): Promise<{ id: string; grant: string }> {
  const request = await world.pending({ parameters: ACTION.parameters, ...members });
  await world.decide(world.tokens.alice, request, 'approve');
  const { json } = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
  return { id: request.id, grant: json.outcome.grant };
}

describe('hostile grants', () => {
  test('I9, A4: each of the vectors is refused by its own name, and the good grant works after all of them', async () => {
    const { grant } = await approved();
    const other = await approved({ parameters: { ...ACTION.parameters, rows: 1 } });
    const waiting = await world.pending();
    const vectors = await grantVectors({
      grant,
      signer: world.keyring.signer('outcome'),
      checkpointSigner: world.keyring.signer('checkpoint'),
      stranger: signerOf(generateSeed()),
      otherGrant: other.grant,
      pendingId: waiting.id,
      action: ACTION,
    });
    expect(vectors.length).toBeGreaterThanOrEqual(300);
    expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
    const text = JSON.stringify(ACTION);
    // A vector that is the good grant and the good action would prove nothing.
    expect(vectors.filter((vector) => vector.grant === grant && (vector.action ?? text) === text)).toEqual([]);
    const answers = await Promise.all(
      vectors.map(async ({ name, grant: token, action: run, refused }) => ({ name, refused, got: codeOf(await redeemRaw(token, run ?? text)) })),
    );
    expect(answers.filter(({ refused, got }) => refused !== got)).toEqual([]);
    expect(codeOf(await redeemRaw(grant, text))).toBe('200');
    expect(codeOf(await redeemRaw(grant, text))).toBe('409 grant_already_redeemed');
    expect(codeOf(await redeemRaw(other.grant, JSON.stringify({ ...ACTION, parameters: { ...ACTION.parameters, rows: 1 } })))).toBe('200');
  });

  test('I9: it is for one tenant, one audience and callers that may redeem', async () => {
    const { grant } = await approved();
    const text = JSON.stringify(ACTION);
    await world.sql(`INSERT INTO tenants (id) VALUES ('other') ON CONFLICT DO NOTHING`);
    const foreign = await world.newKey({ name: 'foreign' });
    await world.sql(`UPDATE api_keys SET tenant = 'other' WHERE id = '${foreign.id}'`);
    await world.sql(
      `INSERT INTO directory_people SELECT (jsonb_populate_record(p, '{"tenant": "other"}')).* FROM directory_people p WHERE id = '${world.people.dana.id}'`,
    );
    const neighbour = await world.newKey({ name: 'neighbour' });
    const blind = await world.newKey({ rights: { redeem: false } });
    expect(codeOf(await redeemRaw(grant, text, foreign.key))).toBe('403 grant_tenant_mismatch');
    expect(codeOf(await redeemRaw(grant, text, neighbour.key))).toBe('403 grant_audience_mismatch');
    expect(codeOf(await redeemRaw(grant, text, blind.key))).toBe('401 invalid_grant');
    expect(codeOf(await redeemRaw(grant, text, world.tokens.alice))).toBe('403 forbidden');
    expect(codeOf(await redeemRaw(grant, text, 'cs_key_none'))).toBe('401 unauthenticated');
    expect(codeOf(await redeemRaw(grant, text))).toBe('200');
  });

  test('I9: a clock that is wrong makes nothing valid', async () => {
    const { grant } = await approved();
    const text = JSON.stringify(ACTION);
    for (const [ahead, refused] of [
      [300, '410 grant_expired'],
      [86_400, '410 grant_expired'],
      [-120, '401 invalid_grant'],
      [-86_400, '401 invalid_grant'],
    ] as const) {
      world.ahead = ahead;
      expect({ ahead, got: codeOf(await redeemRaw(grant, text)) }).toEqual({ ahead, got: refused });
    }
    // Half a minute between two machines is no forgery.
    world.ahead = -30;
    try {
      expect(codeOf(await redeemRaw(grant, text))).toBe('200');
    } finally {
      world.ahead = 0;
    }
  });

  test('I9: a grant whose time is over by the database is over, whatever our clock says', async () => {
    world.ahead = -290;
    const request = await approved();
    world.ahead = -330;
    try {
      // 300 s from then are over for the database in ten seconds only: time is moved there, by making the grant older.
      const [, body = ''] = request.grant.split('.');
      const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { iat: number; exp: number };
      expect(claims.exp - claims.iat).toBe(300);
      const signer = world.keyring.signer('outcome');
      const header = request.grant.split('.')[0] ?? '';
      const older = Buffer.from(JSON.stringify({ ...claims, iat: claims.iat - 20, exp: claims.exp - 20 })).toString('base64url');
      const signed = `${header}.${older}`;
      const token = `${signed}.${Buffer.from(await signer.sign(Buffer.from(signed))).toString('base64url')}`;
      expect(codeOf(await redeemRaw(token, JSON.stringify(ACTION)))).toBe('410 grant_expired');
    } finally {
      world.ahead = 0;
    }
  });

  test('A4: the same action in other words is the same action', async () => {
    const text = JSON.stringify(ACTION);
    for (const same of [
      JSON.stringify(Object.fromEntries(Object.entries(ACTION).toReversed())),
      JSON.stringify(ACTION, null, 2),
      text.replace('"rows":48211', '"rows":48211.0'),
      text.replace('"rows":48211', '"rows":4.8211e4'),
      text.replace('"é"', '"\\u00e9"'),
    ]) {
      expect(same).not.toBe(text);
      expect(codeOf(await redeemRaw((await approved()).grant, same))).toBe('200');
    }
  });

  test('I9: of a thousand at once one wins, also with two different grants of one request', async () => {
    const { id, grant } = await approved();
    const fresh = (await world.call('POST', `/v1/action-requests/${id}/grant`, { as: world.key })).json.grant;
    expect(fresh).not.toBe(grant);
    const text = JSON.stringify(ACTION);
    const replies = await Promise.all(Array.from({ length: 1000 }, (_, at) => redeemRaw(at % 2 === 0 ? grant : fresh, text)));
    const counts = new Map<string, number>();
    for (const reply of replies) counts.set(codeOf(reply), (counts.get(codeOf(reply)) ?? 0) + 1);
    expect(Object.fromEntries(counts)).toEqual({ '200': 1, '409 grant_already_redeemed': 999 });
  }, 60_000);
});
