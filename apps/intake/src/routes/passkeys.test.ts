import { SoftAuthenticator } from '@countersign/dev-env/soft-authenticator';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';
import { codeOf, enrol, type Seat, seat } from '../testing/passkey-seat.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const eventsOf = async (subject: string): Promise<string[]> => (await world.flow.requests.timeline('default', subject)).map(({ event }) => event);

/** As long after the sign-in as no enrolment is allowed any more. */
const STALE_SECONDS = 301;

describe('enrolling and removing passkeys', () => {
  test('C5: a person enrols several, names them, and removes one; each is in the ledger', async () => {
    const alice = await seat(world, 'alice');
    const [laptop, spare] = [await enrol(world, alice), await enrol(world, alice)];
    const renamed = await alice.call('PATCH', `/v1/passkeys/${spare.id}`, { name: 'Security key' });
    expect(renamed.json).toMatchObject({ id: spare.id, name: 'Security key', removed_at: null });
    expect((await alice.call('DELETE', `/v1/passkeys/${laptop.id}`)).status).toBe(204);
    expect((await alice.call('DELETE', `/v1/passkeys/${laptop.id}`)).status).toBe(404);
    const { data } = (await alice.call('GET', '/v1/passkeys')).json;
    expect(data).toMatchObject([
      { id: laptop.id, removed_at: expect.any(String), removed_by_other: false },
      { id: spare.id, removed_at: null },
    ]);
    expect(await eventsOf(laptop.id)).toEqual(['passkey.enrolled', 'passkey.removed']);
    expect(await eventsOf(spare.id)).toEqual(['passkey.enrolled']);
    const notices = (await alice.call('GET', '/v1/notices')).json.data.map(({ kind }: { kind: string }) => kind);
    expect(notices).toEqual(['passkey_enrolled', 'passkey_enrolled', 'passkey_removed']);
    expect((await (await seat(world, 'bob')).call('GET', '/v1/notices')).json.data).toEqual([]);
  });

  test('C5: after five minutes it takes a new proof, and so does a token; by it the session gets another cookie', async () => {
    const bob = await seat(world, 'bob');
    const { key, id } = await enrol(world, bob);
    world.ahead += STALE_SECONDS;
    for (const [method, path, body] of [
      ['POST', '/v1/passkeys/challenges', undefined],
      ['DELETE', `/v1/passkeys/${id}`, undefined],
      ['POST', '/v1/tokens', { name: 'laptop', scopes: ['read', 'decide'] }],
    ] as const) {
      expect(codeOf(await bob.call(method, path, body))).toEqual({ status: 403, code: 'step_up_required' });
    }
    const before = bob.cookie;
    const challenge = await bob.call('POST', '/v1/sessions/step-up/challenges');
    const proved = await bob.call('POST', '/v1/sessions/step-up', { response: key.assert(challenge.json) });
    expect(proved).toMatchObject({ status: 200, json: { auth_time: expect.any(String) } });
    expect(bob.cookie).not.toBe(before);
    expect((await world.call('GET', '/v1/me', { headers: { cookie: before } })).status).toBe(401);
    await enrol(world, bob);
    expect((await bob.call('POST', '/v1/tokens', { name: 'laptop', scopes: ['read', 'decide'] })).status).toBe(201);
    world.ahead -= STALE_SECONDS;
  });

  test('C5: an answer from another session, another purpose, or a second time enrols nothing', async () => {
    const [alice, again] = [await seat(world, 'alice'), await seat(world, 'alice')];
    const key = new SoftAuthenticator(world.url);
    const stolen = await alice.call('POST', '/v1/passkeys/challenges');
    expect(codeOf(await again.call('POST', '/v1/passkeys', { name: 'x', response: key.register(stolen.json) }))).toEqual({
      status: 403,
      code: 'passkey_refused',
    });
    expect(codeOf(await alice.call('POST', '/v1/passkeys', { name: 'x', response: key.register(stolen.json) }))).toEqual({
      status: 403,
      code: 'passkey_refused',
    });
    const session = await alice.call('POST', '/v1/sessions/step-up/challenges');
    expect(codeOf(await alice.call('POST', '/v1/passkeys', { name: 'x', response: key.register(session.json) }))).toEqual({
      status: 403,
      code: 'passkey_refused',
    });
    const good = await alice.call('POST', '/v1/passkeys/challenges');
    const response = key.register(good.json);
    expect((await alice.call('POST', '/v1/passkeys', { name: 'x', response })).status).toBe(201);
    expect(codeOf(await alice.call('POST', '/v1/passkeys', { name: 'x', response }))).toEqual({ status: 403, code: 'passkey_refused' });
  });

  test.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['another host', { rpId: 'evil.example' }],
    ['another challenge', { challenge: 'AAAA' }],
    ['no user verification', { verified: false }],
    ['no presence', { present: false }],
    ['a frame of another site', { crossOrigin: true }],
    ['a frame that is named', { crossOrigin: true, topOrigin: 'https://evil.example' }],
    ['an assertion', { type: 'webauthn.get' }],
  ])('C5: a key made with %s is not enrolled', async (_what, lies) => {
    const carol = await seat(world, 'carol');
    const options = await carol.call('POST', '/v1/passkeys/challenges');
    const refused = await carol.call('POST', '/v1/passkeys', { name: 'x', response: new SoftAuthenticator(world.url).register(options.json, lies) });
    expect(codeOf(refused)).toEqual({ status: 403, code: 'passkey_refused' });
  });

  test('C5: the same key is not enrolled twice, by nobody', async () => {
    const [alice, bob] = [await seat(world, 'alice'), await seat(world, 'bob')];
    const { key } = await enrol(world, alice);
    const options = await bob.call('POST', '/v1/passkeys/challenges');
    expect(codeOf(await bob.call('POST', '/v1/passkeys', { name: 'x', response: key.register(options.json) }))).toEqual({
      status: 403,
      code: 'passkey_refused',
    });
  });

  test('C4: a token, an API key and a page of another site enrol nothing', async () => {
    expect(codeOf(await world.call('POST', '/v1/passkeys/challenges', { as: world.tokens.alice }))).toEqual({ status: 403, code: 'forbidden' });
    expect((await world.call('POST', '/v1/passkeys/challenges', { as: world.key })).status).toBe(403);
    const alice = await seat(world, 'alice');
    const cross = await world.call('POST', '/v1/passkeys/challenges', { headers: { cookie: alice.cookie, origin: 'https://evil.example' } });
    expect(codeOf(cross)).toEqual({ status: 403, code: 'cross_site_request' });
  });

  test("C5: an administrator resets somebody's passkeys, with a reason, and is named in the ledger", async () => {
    const [dana, olivia, bob] = [await seat(world, 'dana'), await seat(world, 'olivia'), await seat(world, 'bob')];
    const key = await enrol(world, dana);
    const path = `/v1/people/${world.people.dana.id}/passkeys`;
    expect((await bob.call('POST', `${path}/reset`, { reason: 'I want to' })).status).toBe(403);
    expect((await bob.call('GET', path)).status).toBe(403);
    const reset = await olivia.call('POST', `${path}/reset`, { reason: 'Laptop lost on the train' });
    expect(reset).toMatchObject({ status: 200, json: { data: [{ id: key.id, removed_by_other: true }] } });
    expect((await dana.call('GET', '/v1/passkeys')).json.data).toMatchObject([{ id: key.id, removed_by_other: true }]);
    expect(await eventsOf(key.id)).toEqual(['passkey.enrolled', 'passkey.removed']);
    const challenge = await dana.call('POST', '/v1/sessions/step-up/challenges');
    const refused = await dana.call('POST', '/v1/sessions/step-up', { response: key.key.assert(challenge.json) });
    expect(codeOf(refused)).toEqual({ status: 403, code: 'passkey_refused' });
  });
});

describe('proving again in a session', () => {
  let alice: Seat;
  let key: SoftAuthenticator;
  beforeAll(async () => {
    alice = await seat(world, 'alice');
    ({ key } = await enrol(world, alice));
  });
  const challenge = async (): Promise<{ challenge: string }> => (await alice.call('POST', '/v1/sessions/step-up/challenges')).json;

  test('C4: an assertion over a decision proves no session, and the other way round', async () => {
    const request = await world.pending();
    const forDecision = await alice.call('POST', `/v1/action-requests/${request.id}/passkey-challenges`, { verdict: 'approve' });
    expect(codeOf(await alice.call('POST', '/v1/sessions/step-up', { response: key.assert(forDecision.json) }))).toEqual({
      status: 403,
      code: 'passkey_refused',
    });
    const forSession = await challenge();
    const refused = await alice.call('POST', `/v1/action-requests/${request.id}/passkey-assertions`, { response: key.assert(forSession) });
    expect(codeOf(refused)).toEqual({ status: 403, code: 'passkey_refused' });
  });

  test('C4: it counts once, and from this session alone', async () => {
    const other = await seat(world, 'alice');
    const asked = await challenge();
    expect(codeOf(await other.call('POST', '/v1/sessions/step-up', { response: key.assert(asked) }))).toEqual({ status: 403, code: 'passkey_refused' });
    const response = key.assert(await challenge());
    expect((await alice.call('POST', '/v1/sessions/step-up', { response })).status).toBe(200);
    expect(codeOf(await alice.call('POST', '/v1/sessions/step-up', { response }))).toEqual({ status: 403, code: 'passkey_refused' });
  });
});

test('C5: where only some makes of authenticator count, an unattested one is not enrolled, whatever it calls itself', async () => {
  const choosy = await createApiWorld({ passkeyMakes: ['00000000-0000-0000-0000-000000000000'] });
  try {
    const alice = await seat(choosy, 'alice');
    const options = await alice.call('POST', '/v1/passkeys/challenges');
    expect(options.json.attestation).toBe('direct');
    const refused = await alice.call('POST', '/v1/passkeys', { name: 'x', response: new SoftAuthenticator(choosy.url).register(options.json) });
    expect(refused.json).toMatchObject({ code: 'passkey_refused', detail: expect.stringContaining('make of authenticator') });
  } finally {
    await choosy.close();
  }
});
