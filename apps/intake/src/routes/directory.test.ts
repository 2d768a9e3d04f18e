import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { applyClaims, createFromClaims } from '@countersign/core/flow';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';

jest.setTimeout(60_000);

describe('the directory over the API', () => {
  let world: ApiWorld;
  beforeAll(async () => {
    world = await createApiWorld();
  });
  afterAll(() => world.close());
  const as = () => ({ as: world.tokens.olivia });
  const claims = (email: string, groups: string[] | null = null) => ({ email, name: `Name of ${email}`, groups });
  const directory = () => ({ ...world.flow, directory: world.store.directory });
  const newPerson = async (email: string, groups: string[] | null = null): Promise<string> => {
    const made = await createFromClaims(directory(), 'default', 'https://id.example.com', claims(email, groups));
    expect(made.kind).toBe('created');
    return made.person_id;
  };

  test('C5: administrators and auditors see everybody, and who says so; others themselves', async () => {
    const { status, json } = await world.call('GET', '/v1/people', as());
    expect(status).toBe(200);
    expect(json.data.find(({ email }: { email: string }) => email === 'alice@example.com')).toMatchObject({
      ...{ source: 'file', sources: ['file'], inactive_by: [], groups: ['data-owners'], roles: [], same_human: [] },
    });
    expect((await world.call('GET', `/v1/people/${world.people.alice.id}`, { as: world.tokens.alice })).json).toMatchObject({ email: 'alice@example.com' });
    expect((await world.call('GET', `/v1/people/${world.people.bob.id}`, { as: world.tokens.alice })).status).toBe(404);
    expect((await world.call('GET', '/v1/groups', as())).json.data).toMatchObject([
      { name: 'data-owners', size: 2 },
      { name: 'security', size: 2 },
    ]);
    expect((await world.call('GET', '/v1/groups/DATA-OWNERS', as())).json.members).toHaveLength(2);
    expect((await world.call('GET', '/v1/agents', as())).json.data).toMatchObject([{ id: 'retrainer', owner: world.people.dana.id, source: 'file' }]);
  });

  test('C4: roles that the file says are changed in the file; its people can be deactivated here, and that the file cannot take back', async () => {
    const { alice } = world.people;
    expect(await world.call('PATCH', `/v1/people/${alice.id}`, { ...as(), body: { roles: ['auditor'] } })).toMatchObject({
      status: 409,
      json: { code: 'directory_owned' },
    });
    const session = await world.signIn('alice');
    const own = { headers: { cookie: session.cookie, origin: world.url, 'sec-fetch-site': 'same-origin' } };
    expect((await world.call('GET', '/v1/me', own)).status).toBe(200);
    expect((await world.call('PATCH', `/v1/people/${alice.id}`, { ...as(), body: { active: false } })).json).toMatchObject({
      active: false,
      inactive_by: ['api'],
    });
    // At once, and for good: what she had does not come back with her.
    expect((await world.call('GET', '/v1/me', own)).status).toBe(401);
    expect((await world.call('GET', '/v1/me', { as: world.tokens.alice })).status).toBe(401);
    expect((await world.call('PATCH', `/v1/people/${alice.id}`, { ...as(), body: { active: true } })).json).toMatchObject({ active: true, inactive_by: [] });
    expect((await world.call('GET', '/v1/me', { as: world.tokens.alice })).status).toBe(401);
  });

  test('C4: who alone administers stays an administrator', async () => {
    const { olivia } = world.people;
    expect(await world.call('PATCH', `/v1/people/${olivia.id}`, { ...as(), body: { active: false } })).toMatchObject({
      status: 409,
      json: { code: 'last_administrator' },
    });
  });

  test('C4: an agent has somebody who answers for it, and those of the file are changed there', async () => {
    const agent = (members: object) => world.call('POST', '/v1/agents', { ...as(), body: { id: 'bot', ...members } });
    expect(await agent({})).toMatchObject({ status: 422, json: { errors: [{ pointer: '/owner' }] } });
    expect(await agent({ owner_group: 'nobody' })).toMatchObject({ status: 422 });
    expect((await agent({ owner_group: 'SECURITY', actions: ['data.*'] })).json).toMatchObject({ id: 'bot', owner_group: 'security', source: 'api' });
    expect(await agent({ owner: world.people.dana.id })).toMatchObject({ status: 422, json: { errors: [{ pointer: '/id' }] } });
    const request = await world.pending({ actor: { type: 'agent', id: 'bot' } });
    expect(await world.decide(world.tokens.bob, request, 'approve')).toMatchObject({ status: 403, json: { code: 'self_approval' } });
    expect((await world.call('PATCH', '/v1/agents/bot', { ...as(), body: { active: false } })).json).toMatchObject({ active: false, owner_group: 'security' });
    expect(await world.submit({ actor: { type: 'agent', id: 'Bot' } })).toMatchObject({ status: 403, json: { code: 'actor_not_allowed' } });
    expect(await world.call('PATCH', '/v1/agents/retrainer', { ...as(), body: { owner: world.people.alice.id } })).toMatchObject({
      status: 409,
      json: { code: 'directory_owned' },
    });
  });

  test('C5: sign-in claims set the groups that sign-ins made, and no other; unknown groups change nothing', async () => {
    const id = await newPerson('jit@example.com', ['data-owners', 'oncall', 'role:administrator']);
    const groups = async () => (await world.store.directory.person('default', id))?.groups;
    expect(await groups()).toEqual(['oncall']);
    await applyClaims(directory(), 'default', id, 'https://id.example.com', claims('jit@example.com', null));
    expect(await groups()).toEqual(['oncall']);
    await applyClaims(directory(), 'default', id, 'https://id.example.com', claims('jit2@example.com', ['other']));
    expect(await world.store.directory.person('default', id)).toMatchObject({ groups: ['other'], email: 'jit2@example.com' });
    // An address that somebody has stays theirs, and whom the file names keeps what it says.
    await applyClaims(directory(), 'default', id, 'https://id.example.com', claims('bob@example.com', []));
    expect(await world.store.directory.person('default', id)).toMatchObject({ email: 'jit2@example.com', groups: [] });
    await applyClaims(directory(), 'default', world.people.carol.id, 'https://id.example.com', claims('evil@example.com', ['data-owners', 'x']));
    expect(await world.store.directory.person('default', world.people.carol.id)).toMatchObject({ email: 'carol@example.com', groups: ['security', 'x'] });
    expect(await createFromClaims(directory(), 'default', 'https://id.example.com', claims('BOB@example.com'))).toEqual({
      kind: 'taken',
      person_id: world.people.bob.id,
    });
  });

  test('E1: every change is an entry of the ledger, without a name in the open', async () => {
    await newPerson('ledgered@example.com');
    await world.sequence();
    const reply = await world.call('GET', '/ledger/default/tile/entries/000', as());
    const partial = reply.status === 200 ? reply : await world.call('GET', `/ledger/default/tile/entries/000.p/${await world.sequence()}`, as());
    expect(partial.text).not.toContain('ledgered@example.com');
    const leaves = await world.store.directory.look('default', { all: true });
    expect(leaves.people.every(({ revision }) => revision > 0)).toBe(true);
  });
});

describe('four eyes on the configuration', () => {
  let world: ApiWorld;
  let second: string;
  beforeAll(async () => {
    world = await createApiWorld();
    const made = await createFromClaims({ ...world.flow, directory: world.store.directory }, 'default', 'https://id.example.com', {
      ...{ email: 'second@example.com', name: 'Second', groups: null },
    });
    second = made.person_id;
  });
  afterAll(() => world.close());
  const as = () => ({ as: world.tokens.olivia });
  const promote = () => world.call('PATCH', `/v1/people/${second}`, { ...as(), body: { roles: ['administrator'] } });
  /** What a proposed change waits for, and the end that it comes to. */
  const decided = async (change: { action_request: string; id: string }, verdict: 'approve' | 'deny' = 'approve') => {
    const state = await world.store.requests.state('default', change.action_request);
    const request = { id: change.action_request, request_digest: state?.request.request_digest ?? '' };
    expect(await world.decide(world.tokens.olivia, request, verdict)).toMatchObject({ status: 403, json: { code: 'self_approval' } });
    const { decide } = await import('@countersign/core/flow');
    const answer = await decide(world.flow, {
      decider: {
        tenant: 'default',
        person_id: second,
        via: 'web',
        authenticated: { issuer: 'test', method: 'session', at: world.flow.clock.now() },
        may_decide: true,
      },
      request_id: request.id,
      request_digest: request.request_digest,
      verdict,
    });
    expect(answer).toMatchObject({ kind: 'decided' });
    await world.settleChanges();
    return (await world.call('GET', `/v1/config-changes/${change.id}`, as())).json;
  };

  test('C4: one administrator changes things alone; from the second on, each change waits for another', async () => {
    // Alone: at once.
    const alone = await world.call('POST', '/v1/endpoints', { ...as(), body: { url: `${world.url}/hook` } });
    expect(alone.status).toBe(201);
    expect((await promote()).json).toMatchObject({ roles: ['administrator'] });

    const patched = await world.call('PATCH', `/v1/endpoints/${alone.json.id}`, {
      ...as(),
      body: { url: `${world.url}/evil`, headers: { Authorization: 'secret-value' } },
    });
    expect(patched).toMatchObject({ status: 202, json: { pending: true, change: { kind: 'endpoint.change', state: 'proposed' } } });
    expect(patched.text).not.toContain('secret-value');
    expect((await world.call('GET', `/v1/endpoints/${alone.json.id}`, as())).json.url).toBe(`${world.url}/hook`);
    expect(await decided(patched.json.change, 'deny')).toMatchObject({ state: 'denied' });
    expect((await world.call('GET', `/v1/endpoints/${alone.json.id}`, as())).json.url).toBe(`${world.url}/hook`);
    const again = await world.call('PATCH', `/v1/endpoints/${alone.json.id}`, { ...as(), body: { url: `${world.url}/other` } });
    expect(await decided(again.json.change)).toMatchObject({ state: 'applied' });
    expect((await world.call('GET', `/v1/endpoints/${alone.json.id}`, as())).json.url).toBe(`${world.url}/other`);

    const created = await world.call('POST', '/v1/endpoints', { ...as(), body: { url: `${world.url}/second` } });
    expect(created).toMatchObject({ status: 202, json: { secret: expect.stringMatching(/^whsec_/) } });
    expect(await decided(created.json.change)).toMatchObject({ state: 'applied' });
    const listed = (await world.call('GET', '/v1/endpoints', as())).json.data;
    expect(listed.map(({ url }: { url: string }) => url)).toContain(`${world.url}/second`);

    const rotated = await world.call('POST', `/v1/endpoints/${alone.json.id}/rotate-secret`, as());
    expect(rotated).toMatchObject({ status: 202 });
    expect(await decided(rotated.json.change)).toMatchObject({ state: 'applied' });
    const removed = await world.call('DELETE', `/v1/endpoints/${alone.json.id}`, as());
    expect(await decided(removed.json.change)).toMatchObject({ state: 'applied' });
    expect((await world.call('GET', `/v1/endpoints/${alone.json.id}`, as())).status).toBe(404);
  });

  test('C4: people, agents and SCIM tokens too; a SCIM token counts once it is approved, and ends at once', async () => {
    const made = await world.call('POST', '/v1/scim-tokens', { ...as(), body: { name: 'Okta' } });
    expect(made).toMatchObject({ status: 202, json: { token: expect.stringMatching(/^cs_scim_/) } });
    const users = () => world.call('GET', '/scim/v2/Users', { as: made.json.token });
    expect((await users()).status).toBe(401);
    expect(await decided(made.json.change)).toMatchObject({ state: 'applied' });
    expect((await users()).status).toBe(200);
    const [listed] = (await world.call('GET', '/v1/scim-tokens', as())).json.data;
    expect(listed).toMatchObject({ name: 'Okta', prefix: made.json.token.slice(0, 16) });
    expect((await world.call('DELETE', `/v1/scim-tokens/${listed.id}`, as())).status).toBe(204);
    expect((await users()).status).toBe(401);

    const agent = await world.call('POST', '/v1/agents', { ...as(), body: { id: 'bot', owner: world.people.dana.id } });
    expect(agent.status).toBe(202);
    expect(await decided(agent.json.change)).toMatchObject({ state: 'applied' });
    expect((await world.call('GET', '/v1/agents', as())).json.data.map(({ id }: { id: string }) => id)).toContain('bot');
  });

  test('C4: API keys and chat accounts that administrators name too', async () => {
    const rights = { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: [], redeem: true };
    const made = await world.call('POST', '/v1/api-keys', { ...as(), body: { name: 'ci', owner: world.people.dana.id, rights } });
    expect(made).toMatchObject({ status: 202, json: { key: expect.stringMatching(/^cs_key_/), change: { kind: 'api_key.create' } } });
    const me = (key: string) => world.call('GET', '/v1/me', { as: key });
    expect((await me(made.json.key)).status).toBe(401);
    expect(await decided(made.json.change)).toMatchObject({ state: 'applied' });
    const known = (await me(made.json.key)).json;
    expect(known).toMatchObject({ type: 'api_key', name: 'ci' });
    const rotated = await world.call('POST', `/v1/api-keys/${known.id}/rotate`, { ...as(), body: { overlap_seconds: 0, webhook_secret: false } });
    expect(rotated.status).toBe(202);
    expect((await me(rotated.json.key)).status).toBe(401);
    expect(await decided(rotated.json.change)).toMatchObject({ state: 'applied' });
    expect((await me(rotated.json.key)).status).toBe(200);

    const account = { platform: 'slack', workspace: 'T7', user: 'U7' } as const;
    const named = await world.call('POST', '/v1/links', { ...as(), body: { person: world.people.carol.id, ...account } });
    expect(named.status).toBe(202);
    expect(await world.store.directory.personByAccount({ tenant: 'default', ...account })).toBeNull();
    expect(await decided(named.json.change)).toMatchObject({ state: 'applied' });
    expect(await world.store.directory.personByAccount({ tenant: 'default', ...account })).toMatchObject({ id: world.people.carol.id });
  });

  test('C4: nobody gets rid of the second administrator alone, and anybody else is deactivated at once', async () => {
    expect(await world.call('PATCH', `/v1/people/${second}`, { ...as(), body: { active: false } })).toMatchObject({ status: 202 });
    expect(await world.call('PATCH', `/v1/people/${second}`, { ...as(), body: { roles: [] } })).toMatchObject({ status: 202 });
    expect(await world.call('PATCH', `/v1/people/${world.people.bob.id}`, { ...as(), body: { active: false } })).toMatchObject({ status: 200 });
    expect(await world.call('PATCH', `/v1/people/${world.people.bob.id}`, { ...as(), body: { active: true } })).toMatchObject({ status: 202 });
  });
});
