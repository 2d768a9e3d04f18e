import { type ApiWorld, createApiWorld, EXPORT, type Reply } from '@countersign/intake/testing';
import { createClient } from '@countersign/client';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { createHash, randomUUID } from 'node:crypto';

/** A grant that is bound to a key is worth nothing to whoever stole it without the key. */
let world: ApiWorld;
let mine: Key;
let theirs: Key;
beforeAll(async () => {
  world = await createApiWorld();
  [mine, theirs] = [await newKey(), await newKey()];
});
afterAll(() => world.close());

interface Key {
  jwk: JWK;
  secret: JWK;
  privateKey: CryptoKey;
  jkt: string;
}
async function newKey(): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  return { jwk, secret: await exportJWK(privateKey), privateKey, jkt: await calculateJwkThumbprint(jwk) };
}

const { action, resource, parameters, environment } = EXPORT;
const actor = { ...EXPORT.actor, on_behalf_of: { type: 'person' as const, id: 'dana@example.com' } };
const ACTION = { action, resource, parameters, actor, environment };
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();
const ath = (grant: string): string => createHash('sha256').update(grant).digest('base64url');

interface Change {
  key?: Key;
  header?: object;
  claims?: Record<string, unknown>;
}
async function proof(grant: string | null, { key = mine, header = {}, claims = {} }: Change = {}): Promise<string> {
  const usual = {
    jti: randomUUID(),
    htm: 'POST',
    htu: `${world.url}/v1/grants/redeem`,
    iat: Math.floor(Date.now() / 1000),
    ...(grant === null ? {} : { ath: ath(grant) }),
  };
  const payload = Object.fromEntries(Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined));
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk, ...header }).sign(key.privateKey);
}
async function approved(members: object = { grant_jkt: mine.jkt }, headers: Record<string, string> = {}): Promise<{ id: string; grant: string }> {
  const { json } = await world.submit(members, { headers });
  await world.decide(world.tokens.alice, json, 'approve');
  return { id: json.id, grant: (await world.call('GET', `/v1/action-requests/${json.id}`, { as: world.key })).json.outcome.grant };
}
const redeem = (grant: string, dpop?: string) =>
  world.call('POST', '/v1/grants/redeem', { as: world.key, body: { grant, action: ACTION }, headers: dpop === undefined ? {} : { dpop } });

describe('a grant that is bound to a key', () => {
  test('A4: says so, and is redeemed with a fresh proof, once', async () => {
    const { grant } = await approved();
    expect(JSON.parse(Buffer.from(grant.split('.')[1] ?? '', 'base64url').toString()).cnf).toEqual({ jkt: mine.jkt });
    expect(codeOf(await redeem(grant))).toBe('401 invalid_dpop_proof');
    expect((await redeem(grant, await proof(grant))).status).toBe(200);
    expect(codeOf(await redeem(grant, await proof(grant)))).toBe('409 grant_already_redeemed');
  });

  test('A4: is bound by the proof that came with the submission, too', async () => {
    const dpop = await proof(null, { claims: { htu: `${world.url}/v1/action-requests` } });
    const { grant } = await approved({}, { dpop });
    expect(codeOf(await redeem(grant, await proof(grant, { key: theirs })))).toBe('401 invalid_dpop_proof');
    expect((await redeem(grant, await proof(grant))).status).toBe(200);
    // That proof was spent, and one of another key is not one of the key that is named.
    expect(codeOf(await world.submit({}, { headers: { dpop } }))).toBe('401 invalid_dpop_proof');
    const other = await proof(null, { claims: { htu: `${world.url}/v1/action-requests` }, key: theirs });
    expect(codeOf(await world.submit({ grant_jkt: mine.jkt }, { headers: { dpop: other } }))).toBe('401 invalid_dpop_proof');
  });

  test('A4: stays bound when a fresh one is given', async () => {
    const { id } = await approved();
    const { grant } = (await world.call('POST', `/v1/action-requests/${id}/grant`, { as: world.key })).json;
    expect(codeOf(await redeem(grant))).toBe('401 invalid_dpop_proof');
    expect((await redeem(grant, await proof(grant))).status).toBe(200);
  });

  test('A4: the client redeems it', async () => {
    const { grant } = await approved();
    const client = createClient({ url: world.url, apiKey: world.key });
    await expect(client.redeem(grant, ACTION)).rejects.toMatchObject({ code: expect.anything() });
    expect((await client.redeem(grant, ACTION, { dpop: await proof(grant) })).action_digest).toMatch(/^sha256:/);
  });

  test.each<[string, (grant: string) => Promise<string>]>([
    ['by another key', (grant) => proof(grant, { key: theirs })],
    ['by another key under our public one', async (grant) => proof(grant, { key: { ...theirs, jwk: mine.jwk } })],
    ['with the private key in it', (grant) => proof(grant, { header: { jwk: mine.secret } })],
    ['without a key', (grant) => proof(grant, { header: { jwk: undefined } })],
    ['of another type', (grant) => proof(grant, { header: { typ: 'JWT' } })],
    ['for another method', (grant) => proof(grant, { claims: { htm: 'GET' } })],
    ['for another address', (grant) => proof(grant, { claims: { htu: `${world.url}/v1/action-requests` } })],
    ['for another host', (grant) => proof(grant, { claims: { htu: 'https://elsewhere.example.com/v1/grants/redeem' } })],
    ['for an address with somebody in it', (grant) => proof(grant, { claims: { htu: `http://a:b@${world.url.slice(7)}/v1/grants/redeem` } })],
    ['that is old', (grant) => proof(grant, { claims: { iat: Math.floor(Date.now() / 1000) - 300 } })],
    ['from the future', (grant) => proof(grant, { claims: { iat: Math.floor(Date.now() / 1000) + 300 } })],
    ['without a time', (grant) => proof(grant, { claims: { iat: undefined } })],
    ['without an id', (grant) => proof(grant, { claims: { jti: undefined } })],
    ['over no grant', () => proof(null)],
    ['over another grant', () => proof('x.y.z')],
    ['that is no token', async () => 'x.y.z'],
    [
      'without a signature',
      async (grant) => {
        const [, payload] = (await proof(grant)).split('.');
        return `${Buffer.from(JSON.stringify({ alg: 'none', typ: 'dpop+jwt', jwk: mine.jwk })).toString('base64url')}.${payload}.`;
      },
    ],
    [
      'by a shared secret',
      async (grant) => {
        const usual = { jti: randomUUID(), htm: 'POST', htu: `${world.url}/v1/grants/redeem`, ath: ath(grant) };
        const k = Buffer.alloc(32, 7);
        return new SignJWT(usual)
          .setIssuedAt()
          .setProtectedHeader({ alg: 'HS256', typ: 'dpop+jwt', jwk: { kty: 'oct', k: k.toString('base64url') } as JWK })
          .sign(k);
      },
    ],
  ])('I9: is not redeemed with a proof %s', async (_what, make) => {
    const { grant } = await approved();
    expect(codeOf(await redeem(grant, await make(grant)))).toBe('401 invalid_dpop_proof');
    expect((await redeem(grant, await proof(grant))).status).toBe(200);
  });

  test('I9: a proof that was seen on the wire does not do for another try, on whichever replica', async () => {
    const { grant } = await approved();
    const dpop = await proof(grant);
    const wrong = await world.call('POST', '/v1/grants/redeem', {
      as: world.key,
      body: { grant, action: { ...ACTION, action: 'data.other' } },
      headers: { dpop },
    });
    expect(codeOf(wrong)).toBe('422 action_mismatch');
    expect(codeOf(await redeem(grant, dpop))).toBe('401 invalid_dpop_proof');
    const again = await proof(grant);
    const replies = await Promise.all(Array.from({ length: 6 }, () => redeem(grant, again)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('a key that is no thumbprint is refused at the submission', async () => {
    expect(codeOf(await world.submit({ grant_jkt: 'short' }))).toBe('422 invalid_body');
  });
});
