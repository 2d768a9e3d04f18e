import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { insertScimToken } from '@countersign/core/flow';
import { makeScimToken } from '@countersign/identity';
import { type ApiWorld, createApiWorld, type Reply } from '../testing/api-world.js';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

let world: ApiWorld;
let token: string;
beforeAll(async () => {
  world = await createApiWorld();
  token = await tokenFor('default');
});
afterAll(() => world.close());

async function tokenFor(tenant: string, life_seconds?: number): Promise<string> {
  const made = makeScimToken(world.flow, { tenant, name: 'Okta', created_by: 'test', life_seconds });
  await insertScimToken({ ...world.flow, scim: world.store.scim }, made.record);
  return made.token;
}

const scim = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}, as = token): Promise<Reply> =>
  world.call(method, `/scim/v2${path}`, {
    as,
    ...(body === undefined ? {} : { raw: JSON.stringify(body) }),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/scim+json' }), ...headers },
  });

let made = 0;
const name = (): string => `user${++made}@corp.example.com`;
const draft = (members: object = {}) => {
  const userName = name();
  return {
    schemas: [USER],
    userName,
    externalId: `ext-${userName}`,
    name: { givenName: 'Una', familyName: 'User' },
    emails: [{ type: 'work', value: userName, primary: true }],
    active: true,
    ...members,
  };
};
async function create(members: object = {}) {
  const reply = await scim('POST', '/Users', draft(members));
  expect({ status: reply.status, text: reply.status === 201 ? '' : reply.text }).toEqual({ status: 201, text: '' });
  return reply.json;
}
const patch = (id: string, ...Operations: object[]) => scim('PATCH', `/Users/${id}`, { schemas: [PATCH], Operations });
const createGroup = async (displayName: string, members: string[] = []) => {
  const reply = await scim('POST', '/Groups', { schemas: [GROUP], displayName, members: members.map((value) => ({ value })) });
  expect(reply.status).toBe(201);
  return reply.json;
};
const patchGroup = (id: string, ...Operations: object[]) => scim('PATCH', `/Groups/${id}`, { schemas: [PATCH], Operations });
const groupMembers = async (id: string): Promise<string[]> =>
  ((await scim('GET', `/Groups/${id}`)).json.members as { value: string }[]).map(({ value }) => value);
const entry = async (id: string) => (await world.store.directory.look('default', { people: [id] })).people.find((person) => person.id === id);

describe('every address of a user', () => {
  test('C4: whoever is named by another address of theirs stands behind the request, and a second entry with it is the same human', async () => {
    const [second, login] = [`second.${name()}`, `login.${name()}`];
    const user = await create({ userName: login });
    const owner = await create();
    await patch(owner.id, { op: 'add', path: 'emails', value: [{ type: 'other', value: second }] });
    const named = async (id: string) => {
      const { json } = await world.submit({ actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id } } });
      return (await world.store.requests.state('default', json.id))?.request.chain.find(({ role }) => role === 'on_behalf_of');
    };
    expect(await named(second)).toMatchObject({ person_id: owner.id });
    expect(await named(login)).toMatchObject({ person_id: user.id });
    const again = await create({ userName: second, emails: [{ type: 'work', value: second, primary: true }] });
    expect((await entry(again.id))?.human).toBe((await entry(owner.id))?.human);
  });
});

describe('whom SCIM answers', () => {
  test('C5: nobody without a live SCIM token, with an application/scim+json body that tells nothing', async () => {
    const [over] = [await tokenFor('default', -60)];
    const olivia = world.tokens.olivia;
    for (const as of ['', 'nonsense', world.key, olivia, over]) {
      const reply = await world.call('GET', '/scim/v2/Users', as === '' ? {} : { as });
      expect({ status: reply.status, type: reply.headers['content-type'], json: reply.json }).toEqual({
        status: 401,
        type: 'application/scim+json; charset=utf-8',
        json: { schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '401', detail: expect.any(String) },
      });
      expect(reply.headers['www-authenticate']).toMatch(/^Bearer /);
    }
    expect((await world.call('POST', '/scim/v2/nothing', {})).status).toBe(401);
  });

  test('C5: a SCIM token is good at /scim/v2 alone', async () => {
    for (const path of ['/v1/me', '/v1/people', '/v1/action-requests']) expect((await world.call('GET', path, { as: token })).status).toBe(401);
  });

  test("C5: tenant A's SCIM token sees and changes nothing of tenant B", async () => {
    await world.sql(`INSERT INTO tenants (id) VALUES ('other') ON CONFLICT DO NOTHING`);
    const other = await tokenFor('other');
    const user = await create();
    expect((await scim('GET', `/Users/${user.id}`, undefined, {}, other)).status).toBe(404);
    expect(
      (await scim('PATCH', `/Users/${user.id}`, { schemas: [PATCH], Operations: [{ op: 'replace', path: 'active', value: false }] }, {}, other)).status,
    ).toBe(404);
    expect((await scim('DELETE', `/Users/${user.id}`, undefined, {}, other)).status).toBe(404);
    expect((await scim('GET', '/Users?count=0', undefined, {}, other)).json.totalResults).toBe(0);
    expect((await scim('POST', '/Groups', { schemas: [GROUP], displayName: 'data-owners', members: [{ value: user.id }] }, {}, other)).status).toBe(400);
    expect(await entry(user.id)).toMatchObject({ active: true });
  });

  test('G3: the discovery documents, and what is no address', async () => {
    const config = await scim('GET', '/ServiceProviderConfig');
    expect(config.json).toMatchObject({ patch: { supported: true }, etag: { supported: true }, bulk: { supported: false } });
    expect((await scim('GET', '/ResourceTypes')).json).toMatchObject({ totalResults: 2, Resources: [{ id: 'User' }, { id: 'Group' }] });
    expect((await scim('GET', `/Schemas/${USER}`)).json).toMatchObject({ id: USER, name: 'User' });
    expect((await scim('GET', '/Schemas')).json.totalResults).toBe(3);
    expect(await scim('GET', '/Nothing')).toMatchObject({ status: 404, json: { status: '404' } });
    expect((await scim('PUT', '/Users', {})).status).toBe(405);
    expect(await scim('POST', '/Users', undefined, { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
  });
});

describe('users', () => {
  test('C5: are created, read, replaced and taken out, and are people of the directory', async () => {
    const body = draft({ displayName: 'Una U.', title: 'DBA', [ENTERPRISE]: { department: 'Data' }, nickName: 'U', password: 'ignored' });
    const created = await scim('POST', '/Users', body);
    expect(created.status).toBe(201);
    const { id } = created.json;
    expect(created.headers['location']).toBe(`${world.url}/scim/v2/Users/${id}`);
    expect(created.json).toMatchObject({
      userName: body.userName,
      displayName: 'Una U.',
      title: 'DBA',
      active: true,
      [ENTERPRISE]: { department: 'Data' },
      meta: { version: 'W/"1"' },
    });
    expect(created.json).not.toHaveProperty('password');
    expect(await entry(id)).toMatchObject({ email: body.userName, name: 'Una U.', active: true, source: 'scim', roles: [] });
    const replaced = await scim('PUT', `/Users/${id}`, { schemas: [USER], userName: body.userName, emails: [{ value: body.userName }] });
    expect(replaced.json).not.toHaveProperty('title');
    expect(replaced.json).toMatchObject({ active: true, meta: { version: 'W/"2"' } });
    expect((await scim('DELETE', `/Users/${id}`)).status).toBe(204);
    expect((await scim('GET', `/Users/${id}`)).status).toBe(404);
    expect((await scim('DELETE', `/Users/${id}`)).status).toBe(404);
    // A tombstone: who it was is remembered, and it is nobody's again.
    expect(await entry(id)).toMatchObject({ active: false, deleted_at: expect.any(String) });
  });

  test('C5: a userName is unique whatever its case, and so is an address', async () => {
    const user = await create();
    expect(await scim('POST', '/Users', draft({ userName: user.userName.toUpperCase(), emails: [{ value: name() }] }))).toMatchObject({
      status: 409,
      json: { scimType: 'uniqueness' },
    });
    expect(await scim('POST', '/Users', draft({ emails: [{ value: user.userName.toUpperCase() }] }))).toMatchObject({
      status: 409,
      json: { scimType: 'uniqueness' },
    });
    const other = await create();
    expect(await patch(other.id, { op: 'replace', path: 'userName', value: user.userName })).toMatchObject({ status: 409 });
    expect(await patch(other.id, { op: 'replace', path: 'emails[type eq "work"].value', value: user.userName })).toMatchObject({ status: 409 });
  });

  test("C5: what is sent of `active` in the clients' spellings counts, what is no truth value is refused, and what is absent activates nobody", async () => {
    const { id, userName } = await create();
    for (const value of ['False', false, 'false', ['False']]) {
      expect((await patch(id, { op: 'Replace', path: 'active', value: 'True' })).json.active).toBe(true);
      expect((await patch(id, { op: 'Replace', path: 'active', value })).json.active).toBe(false);
      expect(await entry(id)).toMatchObject({ active: false, inactive_by: ['scim'] });
    }
    for (const value of [null, 'yes', 1, {}, 'unknown', '']) {
      expect(await patch(id, { op: 'replace', path: 'active', value })).toMatchObject({ status: 400, json: { scimType: 'invalidValue' } });
    }
    expect(await patch(id, { op: 'remove', path: 'active' })).toMatchObject({ status: 400, json: { scimType: 'mutability' } });
    expect((await patch(id, { op: 'replace', value: { displayName: 'X' } })).json.active).toBe(false);
    expect((await scim('PUT', `/Users/${id}`, { schemas: [USER], userName, emails: [{ value: userName }] })).json.active).toBe(false);
    expect(await entry(id)).toMatchObject({ active: false });
  });

  test.each<[string, object[], object]>([
    [
      'Entra, as it sends by default',
      [{ op: 'Add', path: 'emails[type eq "other"].value', value: 'second@corp.example.com' }],
      { emails: [{ type: 'work' }, { type: 'other', value: 'second@corp.example.com' }] },
    ],
    ['Entra, a text as a list', [{ op: 'Add', path: 'displayName', value: [{ $ref: null, value: 'Bjfe' }] }], { displayName: 'Bjfe' }],
    [
      'Entra with its flag: dotted and URN keys',
      [{ op: 'replace', value: { 'name.givenName': 'Gi', [`${ENTERPRISE}:department`]: 'Ops', displayName: 'D' } }],
      { name: { givenName: 'Gi' }, displayName: 'D', [ENTERPRISE]: { department: 'Ops' } },
    ],
    [
      'a URN before a path',
      [
        { op: 'Add', path: `${ENTERPRISE}:department`, value: 'Data' },
        { op: 'replace', path: `${USER}:title`, value: 'T' },
      ],
      { [ENTERPRISE]: { department: 'Data' }, title: 'T' },
    ],
    ['Okta, without a path', [{ op: 'replace', value: { id: 'x', title: 'Boss', name: { familyName: 'Fa' } } }], { title: 'Boss', name: { familyName: 'Fa' } }],
    [
      'what is not kept',
      [
        { op: 'Add', path: `${ENTERPRISE}:manager`, value: '77' },
        { op: 'add', path: 'phoneNumbers[type eq "work"].value', value: '1' },
        { op: 'replace', path: 'roles[primary eq "True"].value', value: 'r' },
      ],
      { active: true },
    ],
    [
      'an address by its primary flag',
      [{ op: 'replace', path: 'emails[primary eq "True"].type', value: 'home' }],
      { emails: [{ type: 'home', primary: true }] },
    ],
    [
      'several operations at once',
      [
        { op: 'add', path: 'title', value: 'A' },
        { op: 'Remove', path: 'title' },
        { op: 'replace', path: 'userType', value: 'Employee' },
      ],
      { userType: 'Employee' },
    ],
  ])('G3: PATCH in the shape of %s', async (_client, operations, expected) => {
    const { id } = await create();
    const reply = await patch(id, ...operations);
    expect({ status: reply.status, json: reply.json }).toMatchObject({ status: 200, json: expected });
    // And it is read back so.
    expect((await scim('GET', `/Users/${id}`)).json).toMatchObject(expected);
  });

  test.each<[object, string]>([
    [{ op: 'replace', path: '__proto__.polluted', value: '1' }, 'invalidPath'],
    [{ op: 'replace', value: { constructor: { prototype: 1 } } }, 'invalidSyntax'],
    [{ op: 'replace', path: 'nothing', value: '1' }, 'invalidPath'],
    [{ op: 'replace', path: 'name.givenName.more', value: '1' }, 'invalidPath'],
    [{ op: 'replace', path: 'emails[type eq', value: '1' }, 'invalidPath'],
    [{ op: 'replace', path: 'emails[type eq].value', value: 'a@b.example' }, 'invalidFilter'],
    [{ op: 'replace', path: 'emails[value co "nobody"].value', value: 'a@b.example' }, 'noTarget'],
    [{ op: 'replace', path: 'emails', value: 'no address' }, 'invalidValue'],
    [{ op: 'replace', path: 'userName', value: '' }, 'invalidValue'],
    [{ op: 'remove', path: 'userName' }, 'mutability'],
    [{ op: 'replace', path: 'id', value: 'x' }, 'mutability'],
    [{ op: 'add', path: 'groups', value: [{ value: 'x' }] }, 'mutability'],
    [{ op: 'remove' }, 'noTarget'],
    [{ op: 'copy', path: 'title', value: 'x' }, 'invalidSyntax'],
  ])('G3: PATCH %j is refused whole, as %s', async (operation, scimType) => {
    const { id } = await create();
    expect(await patch(id, { op: 'replace', path: 'title', value: 'before' }, operation)).toMatchObject({ status: 400, json: { scimType } });
    expect((await scim('GET', `/Users/${id}`)).json).not.toHaveProperty('title');
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test('G3: are filtered by the grammar of RFC 7644, and what is none of it is refused', async () => {
    const user = await create({ title: 'Filtered Person', active: false });
    const found = async (filter: string) =>
      (await scim('GET', `/Users?filter=${encodeURIComponent(filter)}`)).json.Resources.map(({ id }: { id: string }) => id);
    for (const filter of [
      `userName eq "${user.userName.toUpperCase()}"`,
      `externalId eq "${user.externalId}"`,
      `id eq "${user.id}"`,
      `title sw "filtered" and active eq false`,
      `title co "ered P" and active eq "False"`,
      `emails[type eq "work" and value ew "example.com"] and title pr and title eq "Filtered Person"`,
      `not (title ne "filtered person") and (active eq true or active ne true) and title eq "filtered person"`,
      `${USER}:userName eq "${user.userName}"`,
      `emails.value eq "${user.userName}"`,
      `meta.created ge "2020-01-01T00:00:00Z" and title eq "FILTERED PERSON"`,
    ]) {
      expect({ filter, found: await found(filter) }).toEqual({ filter, found: [user.id] });
    }
    expect(await found(`externalId eq "${user.externalId.toUpperCase()}"`)).toEqual([]);
    for (const filter of [
      'userName eq',
      'userName eq "a" or 1 eq 1',
      'nothing eq "x"',
      'userName xx "a"',
      '(userName pr',
      'userName eq "a" and',
      '"a" eq "a"',
      '__proto__ pr',
      `${'('.repeat(50)}userName pr${')'.repeat(50)}`,
    ]) {
      expect({ filter, reply: (await scim('GET', `/Users?filter=${encodeURIComponent(filter)}`)).json }).toMatchObject({
        filter,
        reply: { status: '400', scimType: 'invalidFilter' },
      });
    }
  });

  test('G3: are paged from 1, and count=0 says how many there are', async () => {
    for (let index = 0; index < 3; index++) await create({ userType: 'Paged' });
    const page = async (query: string) => (await scim('GET', `/Users?filter=userType%20eq%20%22Paged%22&${query}`)).json;
    expect(await page('count=0')).toMatchObject({ totalResults: 3, itemsPerPage: 0, Resources: [] });
    expect(await page('startIndex=2&count=1')).toMatchObject({ totalResults: 3, startIndex: 2, itemsPerPage: 1 });
    expect(await page('startIndex=0&count=-1')).toMatchObject({ startIndex: 1, Resources: [] });
    expect(await page('startIndex=4')).toMatchObject({ totalResults: 3, Resources: [] });
    expect(await page('count=x')).toMatchObject({ status: '400' });
    const ids = new Set((await page('')).Resources.map(({ id }: { id: string }) => id));
    expect(ids.size).toBe(3);
  });

  test('G3: entity tags: a change is refused over another, a read that knows it gets nothing, and without one all goes on', async () => {
    const { id } = await create();
    const read = await scim('GET', `/Users/${id}`);
    const etag = read.headers['etag'] ?? '';
    expect(etag).toBe(read.json.meta.version);
    expect(await scim('GET', `/Users/${id}`, undefined, { 'if-none-match': etag })).toMatchObject({ status: 304, text: '' });
    const body = { schemas: [PATCH], Operations: [{ op: 'replace', path: 'title', value: 'x' }] };
    expect((await scim('PATCH', `/Users/${id}`, body, { 'if-match': etag })).status).toBe(200);
    expect((await scim('PATCH', `/Users/${id}`, body, { 'if-match': etag })).status).toBe(412);
    expect((await scim('DELETE', `/Users/${id}`, undefined, { 'if-match': '"other"' })).status).toBe(412);
    expect((await scim('PATCH', `/Users/${id}`, body)).status).toBe(200);
  });

  test('G3: attributes and excludedAttributes say what is answered', async () => {
    const { id } = await create();
    expect(Object.keys((await scim('GET', `/Users/${id}?attributes=userName,name.givenName`)).json).toSorted()).toEqual([
      'id',
      'meta',
      'name',
      'schemas',
      'userName',
    ]);
    expect((await scim('GET', `/Users/${id}?attributes=name.givenName`)).json.name).toEqual({ givenName: 'Una' });
    expect((await scim('GET', `/Users/${id}?excludedAttributes=emails,id`)).json).not.toHaveProperty('emails');
    expect((await scim('GET', `/Users/${id}?excludedAttributes=emails,id`)).json).toHaveProperty('id');
  });
});

describe('groups', () => {
  test('B3: members are a set, in every shape of PATCH, and count as groups of the directory', async () => {
    const [a, b, c] = [await create(), await create(), await create()];
    const group = await createGroup('dba', [a.id, a.id]);
    expect(group.members).toHaveLength(1);
    const steps: [object, string[]][] = [
      [{ op: 'Add', path: 'members', value: [{ value: b.id }, { value: a.id }] }, [a.id, b.id]],
      [{ op: 'Remove', path: 'members', value: [{ value: a.id }] }, [b.id]],
      [{ op: 'add', value: { members: [{ value: c.id }] } }, [b.id, c.id]],
      [{ op: 'remove', path: `members[value eq "${b.id}"]` }, [c.id]],
      [{ op: 'replace', path: 'members', value: [{ value: a.id }, { value: b.id }] }, [a.id, b.id]],
      [{ op: 'Remove', path: 'members', value: [] }, [a.id, b.id]],
      [{ op: 'remove', path: 'members' }, []],
      [{ op: 'add', path: 'members', value: { value: c.id } }, [c.id]],
    ];
    for (const [operation, members] of steps) {
      expect({ operation, status: (await patchGroup(group.id, operation)).status }).toEqual({ operation, status: 204 });
      expect({ operation, members: (await groupMembers(group.id)).toSorted() }).toEqual({ operation, members: members.toSorted() });
    }
    expect((await world.store.directory.person('default', c.id))?.groups).toEqual(['dba']);
    expect((await scim('GET', `/Users/${c.id}`)).json.groups).toMatchObject([{ value: group.id, display: 'dba' }]);
    expect((await patchGroup(group.id, { op: 'replace', value: { id: group.id, displayName: 'dba-2' } })).status).toBe(204);
    expect((await world.store.directory.person('default', c.id))?.groups).toEqual(['dba-2']);
    expect((await scim('GET', '/Groups?filter=displayName%20eq%20%22DBA-2%22&excludedAttributes=members')).json).toMatchObject({
      totalResults: 1,
      Resources: [{ id: group.id }],
    });
    expect((await scim('DELETE', `/Groups/${group.id}`)).status).toBe(204);
    expect((await world.store.directory.person('default', c.id))?.groups).toEqual([]);
  });

  test('B3: a stranger, a group in a group, a taken name and a reserved name are refused', async () => {
    const group = await createGroup('own');
    expect(await patchGroup(group.id, { op: 'add', path: 'members', value: [{ value: world.people.alice.id }] })).toMatchObject({
      status: 400,
      json: { scimType: 'invalidValue' },
    });
    expect(await patchGroup(group.id, { op: 'add', path: 'members', value: [{ value: group.id, type: 'Group' }] })).toMatchObject({ status: 400 });
    for (const displayName of ['OWN', 'data-owners', 'Data-Owners']) {
      expect(await scim('POST', '/Groups', { schemas: [GROUP], displayName })).toMatchObject({ status: 409, json: { scimType: 'uniqueness' } });
    }
    expect(await scim('POST', '/Groups', { schemas: [GROUP], displayName: 'role:administrator' })).toMatchObject({ status: 400 });
  });

  test('C5: what the file says of groups is neither seen nor changed here', async () => {
    const listed = (await scim('GET', '/Groups')).json.Resources.map(({ displayName }: { displayName: string }) => displayName);
    expect(listed).not.toContain('data-owners');
    const [file] = (await world.store.directory.look('default', { groups: ['data-owners'] })).groups;
    expect((await scim('GET', `/Groups/${file?.id}`)).status).toBe(404);
    expect((await patchGroup(file?.id ?? '', { op: 'replace', path: 'members', value: [] })).status).toBe(404);
    expect((await scim('DELETE', `/Groups/${file?.id}`)).status).toBe(404);
  });

  test('G2: one PATCH takes 10,000 members', async () => {
    await world.sql(`INSERT INTO directory_people (tenant, id, email, name, active, roles, source, sources, human, mailboxes)
        SELECT 'default', 'per_' || n, 'm' || n || '@bulk.example.com', 'M', true, '{}', 'scim', '{scim}', 'per_' || n, ARRAY['m' || n || '@bulk.example.com'] FROM generate_series(1, 10000) n;
      INSERT INTO scim_users (tenant, id, user_name, user_name_key, emails, active) SELECT 'default', 'per_' || n, 'm' || n, 'm' || n, '[]', true FROM generate_series(1, 10000) n`);
    const group = await createGroup('everybody');
    const value = Array.from({ length: 10_000 }, (_, index) => ({ value: `per_${index + 1}` }));
    expect((await patchGroup(group.id, { op: 'Add', path: 'members', value })).status).toBe(204);
    expect(await groupMembers(group.id)).toHaveLength(10_000);
    expect((await patchGroup(group.id, { op: 'Remove', path: 'members', value: value.slice(1) })).status).toBe(204);
    expect(await groupMembers(group.id)).toEqual(['per_1']);
  });
});
