import { type ApiWorld, createApiWorld, EXPORT, type Reply } from '@countersign/intake/testing';
import { GITHUB_CLAIMS, startWorkloadIssuer, type WorkloadIssuer } from '@countersign/dev-env/workload-issuer';
import { finishVoiding } from '@countersign/core/flow';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/*
 * Roads by which a caller could get more than it was given, or its owner an approval of what is theirs. Hostile workload tokens stand with
 * their route.
 */
let world: ApiWorld;
let github: WorkloadIssuer;
beforeAll(async () => {
  world = await createApiWorld({ trustedProxies: ['127.0.0.1'] });
  github = await startWorkloadIssuer({ audience: world.url });
  await world.trust(`
trust:
  - caller: shop
    owner: dana@example.com
    platform: github
    human: { unknown: keep }
    issuer: ${github.issuer}
    match: { repository_id: "${GITHUB_CLAIMS.repository_id}" }
    rights: { actors: [retrainer, "ci-*"], actions: ["data.*"], environments: [production], redeem: true }
`);
});
afterAll(async () => {
  await world.close();
  await github.close();
});

const RIGHTS = { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: ['*'], redeem: true };
const { action, resource, parameters, actor, environment } = EXPORT;
const ACTION = { action, resource, parameters, actor, environment };
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();
const admin = (path: string, body: object = {}) => world.call('POST', path, { as: world.tokens.olivia, body });
const newKey = async (rights: object = {}, more: object = {}): Promise<{ id: string; key: string }> =>
  (await admin('/v1/api-keys', { name: 'ci', owner: 'dana@example.com', rights: { ...RIGHTS, ...rights }, ...more })).json;
const submit = (as: string, members: object = {}, headers: Record<string, string> = {}) => world.submit(members, { as, headers });
const actorOf = (id: string) => ({ actor: { type: 'agent', id } });
const redeem = (as: string, grant: string) => world.call('POST', '/v1/grants/redeem', { as, body: { grant, action: ACTION } });
const grantOf = async (as: string, id: string): Promise<string> => (await world.call('GET', `/v1/action-requests/${id}`, { as })).json.outcome?.grant;
const setActive = (name: 'dana' | 'carol', active: boolean) =>
  world.sql(`UPDATE directory_people SET active = ${active} WHERE id = '${world.people[name].id}'`);

describe('an owner who left', () => {
  test('C5: whose key opens, reads, is given and redeems nothing, the same moment', async () => {
    const { key } = await newKey({}, { owner: 'carol@example.com' });
    const request = (await submit(key)).json;
    await world.decide(world.tokens.alice, request, 'approve');
    const grant = await grantOf(key, request.id);
    await setActive('carol', false);
    try {
      for (const reply of [
        await submit(key),
        await world.call('GET', `/v1/action-requests/${request.id}`, { as: key }),
        await redeem(key, grant),
        await world.call('POST', `/v1/action-requests/${request.id}/grant`, { as: key }),
      ])
        expect(codeOf(reply)).toBe('401 unauthenticated');
    } finally {
      await setActive('carol', true);
    }
    expect(codeOf(await redeem(key, grant))).toBe('200');
  });

  test('C5: a key that was looked up a moment ago opens nothing: the commit asks for its owner', async () => {
    const { key } = await newKey({}, { owner: 'carol@example.com' });
    // Twice, so that the second is remembered.
    for (let times = 0; times < 2; times++) expect((await submit(key)).status).toBe(201);
    await setActive('carol', false);
    try {
      expect(codeOf(await submit(key))).toBe('401 unauthenticated');
    } finally {
      await setActive('carol', true);
    }
  });

  test('C4: makes no key, and is given none', async () => {
    await setActive('carol', false);
    try {
      expect(codeOf(await admin('/v1/api-keys', { name: 'x', owner: 'carol@example.com', rights: RIGHTS }))).toBe('422 invalid_body');
    } finally {
      await setActive('carol', true);
    }
  });
});

describe('a revocation, in the middle of things', () => {
  test('A6: of submissions, presses and redemptions at once, none is left alive after it', async () => {
    for (let round = 0; round < 3; round++) {
      const { id, key } = await newKey();
      const approved = (await submit(key)).json;
      await world.decide(world.tokens.alice, approved, 'approve');
      const grant = await grantOf(key, approved.id);
      const waiting = (await submit(key)).json;
      await Promise.all([
        ...Array.from({ length: 4 }, () => submit(key)),
        world.decide(world.tokens.bob, waiting, 'approve'),
        redeem(key, grant),
        admin(`/v1/api-keys/${id}/revoke`, { reason: 'stolen' }),
        ...Array.from({ length: 4 }, () => submit(key)),
      ]);
      await finishVoiding({ flow: world.flow, callers: world.store.callers });
      expect(await world.store.callers.voidable('default', id, 100)).toEqual([]);
      // Whatever came before the revocation, after it the key is worth nothing.
      expect(codeOf(await submit(key))).toBe('401 unauthenticated');
      const list = (await world.call('GET', `/v1/action-requests?status=pending&limit=200`, { as: world.tokens.olivia })).json.data;
      expect(list.filter((request: { requester: { id: string } }) => request.requester.id === id)).toEqual([]);
    }
  });

  test('I2: every request that ended with its key ended once, and its ledger says so', async () => {
    const { id, key } = await newKey();
    const requests = (await Promise.all(Array.from({ length: 5 }, () => submit(key)))).map(({ json }) => json.id as string);
    await Promise.all([
      admin(`/v1/api-keys/${id}/revoke`),
      finishVoiding({ flow: world.flow, callers: world.store.callers }),
      ...requests.map((request) => world.decide(world.tokens.bob, { id: request, request_digest: 'sha256:' + '0'.repeat(64) }, 'approve')),
    ]);
    await finishVoiding({ flow: world.flow, callers: world.store.callers });
    for (const request of requests) {
      const leaves = await world.store.requests.timeline('default', request);
      expect(leaves.filter(({ event }) => event === 'outcome.settled')).toHaveLength(1);
      expect((await world.call('GET', `/v1/action-requests/${request}`, { as: world.tokens.olivia })).json.status).toBe('cancelled');
    }
  });
});

describe('rights', () => {
  test.each([
    ['a name that begins as the pattern, with what nobody sees', 'ci-\u200badmin'],
    ['one that turns its direction', 'ci-\u202enimda'],
    ['one with a soft hyphen', 'ci-ad\u00admin'],
    ['one in letters that are not their normal form', 'ci-\uff41dmin'],
    ['one in decomposed letters', 'ci-u\u0308ber'],
    ['one with a line in it', 'ci-1\nretrainer'],
    ['one in another case', 'CI-1'],
    ['one with a look-alike of its first letter', 'сi-1'],
    ['a pattern', 'c*'],
    ['everything', '*'],
    ['the agent in another case', 'Retrainer'],
    ['the agent with a space', 'retrainer '],
    ['the agent with a look-alike', 'retrаiner'],
  ])('C4: an actor named by %s is not one that the key may speak for', async (_what, id) => {
    const { key } = await newKey({ actors: ['retrainer', 'ci-*'] });
    const reply = await submit(key, actorOf(id));
    expect([403, 422]).toContain(reply.status);
    expect((await submit(key, actorOf('ci-7'))).status).toBe(201);
  });

  test('C4: a person who is named in another spelling is another one where the key lists persons', async () => {
    const { key } = await newKey({ on_behalf_of: ['dana@example.com'] });
    for (const id of ['dana+x@example.com', 'dana@example.com.evil.example', 'dаna@example.com', '*', 'dana@example.co'])
      expect(codeOf(await submit(key, { actor: { ...actor, on_behalf_of: { type: 'person', id } } }))).toBe('403 actor_not_allowed');
  });

  test('A4: an action outside its list is refused in any spelling, at evaluation too', async () => {
    const { key } = await newKey({ actions: ['data.*'] });
    for (const name of ['Data.export', 'data', 'iam.grant', 'data:export']) expect((await submit(key, { action: name })).status).toBe(403);
    const evaluated = await world.call('POST', '/v1/evaluations', { as: key, body: { ...ACTION, action: 'iam.grant' } });
    expect(codeOf(evaluated)).toBe('403 action_not_allowed');
  });

  test('A4: a key of one environment cannot name another, nor leave it out to be of none', async () => {
    const { key } = await newKey({ environments: ['staging'] });
    expect(codeOf(await submit(key, { environment: 'production' }))).toBe('422 environment_mismatch');
    const { json } = await submit(key, { environment: undefined, resource: { type: 'postgres_table', id: 'stage.customers' } });
    expect((await world.store.requests.state('default', json.id))?.request.resolved.environment).toBe('staging');
  });

  test('I14: a key without callback hosts sets none, not by an endpoint either', async () => {
    const endpoint = (await admin('/v1/endpoints', { url: 'https://hooks.example.com/x', events: ['outcome.settled'] })).json;
    const { key } = await newKey({ callback_hosts: [] });
    for (const callback of [{ url: 'https://hooks.example.com/x' }, { endpoint_id: endpoint.id }])
      expect(codeOf(await submit(key, { callback }))).toBe('422 callback_not_allowed');
  });

  test('I9: a key that may not redeem does not, and one that nobody named neither', async () => {
    const { key } = await newKey({ redeem: false });
    const request = (await submit(key)).json;
    await world.decide(world.tokens.alice, request, 'approve');
    const grant = await grantOf(key, request.id);
    expect((await redeem(key, grant)).status).toBe(401);
    expect(codeOf(await redeem((await newKey()).key, grant))).toBe('403 grant_audience_mismatch');
  });

  test('I9: a second caller of the same name does not stand in for the one that was named', async () => {
    const named = await newKey({}, { name: 'runner' });
    const request = (await submit((await newKey()).key, { grant_audience: named.id })).json;
    await world.decide(world.tokens.alice, request, 'approve');
    const impostor = await newKey({}, { name: named.id });
    const state = await world.store.requests.state('default', request.id);
    expect(state?.request.grant_audience).toBe(named.id);
    expect(impostor.id).not.toBe(named.id);
  });
});

describe('networks', () => {
  test('C5: a key with an allow-list works from there alone; what a client writes into X-Forwarded-For is not believed', async () => {
    const { key } = await newKey({}, { networks: ['203.0.113.0/24', '2001:db8::/32'] });
    const from = (forwarded: string) => submit(key, {}, forwarded === '' ? {} : { 'x-forwarded-for': forwarded });
    for (const forwarded of ['203.0.113.9', '10.0.0.1, 203.0.113.9', '2001:db8::7', '::ffff:203.0.113.9']) expect((await from(forwarded)).status).toBe(201);
    // The proxy adds the last one; what stands before it came from outside.
    for (const forwarded of ['', '203.0.113.9, 198.51.100.1', '198.51.100.1', '203.0.113.9, unknown', '203.0.114.1', 'fe80::1'])
      expect(codeOf(await from(forwarded))).toBe('401 unauthenticated');
  });

  test('C5: a key that was looked up a moment ago from there is asked again from elsewhere', async () => {
    const { key } = await newKey({}, { networks: ['203.0.113.0/24'] });
    expect((await submit(key, {}, { 'x-forwarded-for': '203.0.113.9' })).status).toBe(201);
    expect(codeOf(await submit(key, {}, { 'x-forwarded-for': '198.51.100.1' }))).toBe('401 unauthenticated');
  });
});

describe('a caller’s credential', () => {
  const callers = async (): Promise<string[]> => {
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await github.token(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    });
    const raw = form.toString();
    const exchanged = await world.call('POST', '/v1/token', {
      raw,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(raw.length) },
    });
    return [(await newKey()).key, exchanged.json.access_token, await github.token()];
  };

  test('C4: never decides, whoever owns it', async () => {
    const request = await world.pending();
    for (const as of await callers()) expect((await world.decide(as, request, 'approve')).status).toBe(403);
    // Not as a person's credential, either.
    for (const [as] of (await callers()).map((one) => [one.replace('cs_key_', 'cs_pat_').replace('cs_run_', 'cs_pat_')]))
      expect([401, 403]).toContain((await world.decide(as ?? '', request, 'approve')).status);
  });

  test('C4: makes no credential and changes no configuration', async () => {
    const [key] = await callers();
    for (const [method, path, body] of [
      ['POST', '/v1/api-keys', { name: 'x', owner: 'alice@example.com', rights: RIGHTS }],
      ['GET', '/v1/api-keys', undefined],
      ['POST', '/v1/keys/rotate', { purpose: 'outcome' }],
      ['POST', '/v1/endpoints', { url: 'https://hooks.example.com', events: ['outcome.settled'] }],
    ] as const)
      expect([method, path, (await world.call(method, path, { as: key ?? '', ...(body === undefined ? {} : { body }) })).status]).toEqual([method, path, 403]);
  });

  test('C4: owned by an approver, it takes that approver out of what it asks', async () => {
    const { key } = await newKey({}, { owner: 'alice@example.com' });
    const request = (await submit(key)).json;
    expect(codeOf(await world.decide(world.tokens.alice, request, 'approve'))).toBe('403 self_approval');
    expect((await world.decide(world.tokens.bob, request, 'approve')).status).toBe(201);
  });

  test('C4: given away after it asked, its owner of then still decides nothing', async () => {
    const { id, key } = await newKey({}, { owner: 'alice@example.com' });
    const request = (await submit(key)).json;
    await world.call('PATCH', `/v1/api-keys/${id}`, { as: world.tokens.olivia, body: { owner: 'dana@example.com' } });
    expect(codeOf(await world.decide(world.tokens.alice, request, 'approve'))).toBe('403 self_approval');
  });

  test('C4: the human of the run does not approve it by claiming to be another', async () => {
    await world.sql(
      `INSERT INTO identity_links (tenant, issuer, subject, person_id, how, linked_at) VALUES ('default', 'https://github.com', '501', '${world.people.alice.id}', 'directory', now()) ON CONFLICT DO NOTHING`,
    );
    // The display name may be anything; the account's id counts.
    const request = (await submit(await github.token({ actor_id: '501', actor: 'bob@example.com' }))).json;
    expect(codeOf(await world.decide(world.tokens.alice, request, 'approve'))).toBe('403 self_approval');
  });

  test('C5: what a request says of itself is never what a token said', async () => {
    const claims = { workflow: { run: '1', repository: 'acme/other', job: 'x' }, requester: { type: 'workload' }, claims: { repository_id: '74' } };
    for (const [name, value] of Object.entries(claims)) expect((await submit((await newKey()).key, { [name]: value })).status).toBe(422);
    const { json } = await submit((await newKey()).key, { context: claims });
    expect(json.requester).toMatchObject({ type: 'api_key', authenticated: { method: 'api_key' } });
    expect(json.requester.workflow).toBeUndefined();
  });

  test('C5: of another caller reads nothing', async () => {
    const request = (await submit((await newKey()).key)).json;
    for (const as of await callers()) expect([404]).toContain((await world.call('GET', `/v1/action-requests/${request.id}`, { as })).status);
  });
});

describe('a rotated key', () => {
  test('C5: works for the overlap by the database’s clock, whatever ours says', async () => {
    const { id, key } = await newKey();
    await admin(`/v1/api-keys/${id}/rotate`, { overlap_seconds: 3600 });
    expect((await world.call('GET', '/v1/action-requests', { as: key })).status).toBe(200);
    world.ahead = 3601;
    expect((await world.call('GET', '/v1/action-requests', { as: key })).status).toBe(401);
    world.ahead = 0;
    await world.sql(`UPDATE api_keys SET previous_until = now() - interval '1 second' WHERE id = '${id}'`);
    expect((await world.call('GET', '/v1/action-requests', { as: key })).status).toBe(401);
  });

  test('C5: rotated twice, its first secret is dead', async () => {
    const { id, key } = await newKey();
    for (let times = 0; times < 2; times++) await admin(`/v1/api-keys/${id}/rotate`, { overlap_seconds: 3600 });
    expect((await world.call('GET', '/v1/action-requests', { as: key })).status).toBe(401);
  });

  test('C5: revoked, both of its secrets are dead', async () => {
    const { id, key } = await newKey();
    const next = (await admin(`/v1/api-keys/${id}/rotate`, { overlap_seconds: 3600 })).json.key;
    await admin(`/v1/api-keys/${id}/revoke`);
    for (const as of [key, next]) expect((await world.call('GET', '/v1/action-requests', { as })).status).toBe(401);
  });
});
