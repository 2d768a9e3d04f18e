import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type AttackRig, CHANNELS, createAttackRig } from './rig.js';

/* Every road by which somebody may come to decide what is their own (C4), or be somebody else (C5), that leads through the directory. */
jest.setTimeout(60_000);

let rig: AttackRig;
beforeAll(async () => {
  rig = await createAttackRig();
});
afterAll(() => rig.close());

/** Ann and Ben approve; Olga administers; the agent is Dan's, and the API key is Dana's, whom no test lets press. */
const people = (more: string = '', groups: string = '', agents: string = 'agents: [{ id: agent, owner: dan@example.com }]') => `people:
  - { email: ann@example.com, name: Ann, groups: [approvers, pairs] }
  - { email: ben@example.com, name: Ben, groups: [approvers, pairs] }
  - { email: dan@example.com, name: Dan, groups: [approvers, pairs] }
  - { email: olga@example.com, name: Olga, roles: [administrator], groups: [] }
  - { email: carl@example.com, name: Carl, roles: [auditor] }
  - { email: dana@example.com, name: Dana }
${more}
${groups}
${agents}
`;

afterEach(async () => {
  // Whoever SCIM made in a test is no source of conflicts for the next one's file.
  for (const { id } of (await rig.scim('GET', '/Users?count=1000')).json.Resources) await rig.scim('DELETE', `/Users/${id}`);
});

describe.each(CHANNELS)('by %s', (channel) => {
  const refused = async (email: string, request: { id: string; request_digest: string }, words: RegExp, code = 'self_approval') => {
    const answer = await rig.press(channel, email, request);
    expect(answer).toEqual({ code, text: expect.stringMatching(words) });
    expect(await rig.status(request)).toBe('pending');
    expect(await rig.press(channel, 'ben@example.com', request)).toMatchObject({ code: 'decided' });
    expect(await rig.status(request)).toBe('approved');
  };

  test('C4: the owner of the agent', async () => {
    await rig.directory(people());
    await refused('dan@example.com', await rig.ask(), /you own the agent/);
  });

  test('C4: the owner of the API key', async () => {
    await rig.directory(people());
    await refused('ann@example.com', await rig.ask({}, await rig.keyOf('ann@example.com')), /you own the API key/);
  });

  test('C4: the person who acts, and the one on whose behalf an agent acts', async () => {
    await rig.directory(people());
    await refused('ann@example.com', await rig.ask({ actor: { type: 'person', id: 'ann@example.com' } }), /you are the one who acts/);
    const behalf = { actor: { type: 'agent', id: 'agent', on_behalf_of: { type: 'person', id: 'ann@example.com' } } };
    await refused('ann@example.com', await rig.ask(behalf), /on your behalf/);
  });

  test('C4: who started the run that asks, by address or by id', async () => {
    await rig.directory(people());
    await refused('ann@example.com', await rig.askByRunOf('Ann@Example.com'), /you started the run/);
    await refused('ann@example.com', await rig.askByRunOf(await rig.id('ann@example.com')), /you started the run/);
  });

  test.each([
    ['in another case', 'ANN@Example.COM'],
    ['in full-width letters', 'ａｎｎ@example.com'],
    ['with a plus-tag', 'ann+ci@example.com'],
    ['with dots', 'a.n.n@example.com'],
    ['with white space around', ' ann@example.com '],
    ['as the id of the person', ''],
  ])('C4: the same address %s', async (_how, spelling) => {
    await rig.directory(people());
    const id = spelling === '' ? (await rig.id('ann@example.com')).toUpperCase() : spelling;
    const request = await rig.ask({ actor: { type: 'agent', id: 'agent', on_behalf_of: { type: 'person', id } } });
    await refused('ann@example.com', request, /on your behalf/);
  });

  test('C4: an alias that the directory names', async () => {
    await rig.directory(people('  - { email: eva@example.com, name: Eva, aliases: [eva.long@other.example], groups: [approvers] }'));
    const request = await rig.ask({ actor: { type: 'agent', id: 'agent', on_behalf_of: { type: 'person', id: 'Eva.Long@other.example' } } });
    await refused('eva@example.com', request, /on your behalf/);
  });

  test('C4: a second entry of the same human, said to be so', async () => {
    await rig.directory(people('  - { email: ann.admin@example.com, name: Ann (admin), groups: [approvers], same_human_as: [ann@example.com] }'));
    const request = await rig.ask({ actor: { type: 'agent', id: 'agent', on_behalf_of: { type: 'person', id: 'ann@example.com' } } });
    await refused('ann.admin@example.com', request, /on your behalf/);
    const other = await rig.ask({ actor: { type: 'agent', id: 'agent', on_behalf_of: { type: 'person', id: 'ann.admin@example.com' } } });
    await refused('ann@example.com', other, /on your behalf/);
  });

  test('C4: a second entry of the same mailbox, though nobody says so', async () => {
    await rig.directory(people('  - { email: ann+admin@example.com, name: Ann (admin), groups: [approvers] }'));
    await refused('ann+admin@example.com', await rig.ask({}, await rig.keyOf('ann@example.com')), /you own the API key/);
  });

  test('C4: one human with two entries counts once', async () => {
    await rig.directory(people('  - { email: ann.admin@example.com, name: Ann (admin), groups: [pairs], same_human_as: [ann@example.com] }'));
    const request = await rig.ask({ action: 'pair.act' });
    expect(await rig.press(channel, 'ann@example.com', request)).toMatchObject({ code: 'decided' });
    expect(await rig.press(channel, 'ann.admin@example.com', request)).toMatchObject({ code: 'already_decided' });
    expect(await rig.status(request)).toBe('pending');
    expect(await rig.press(channel, 'ben@example.com', request)).toMatchObject({ code: 'decided' });
    expect(await rig.status(request)).toBe('approved');
  });

  test('C4: two entries that become one human between two approvals count once', async () => {
    const two = '  - { email: twin@example.com, name: Twin, groups: [pairs] }';
    await rig.directory(people(two));
    const request = await rig.ask({ action: 'pair.act' });
    expect(await rig.press(channel, 'ann@example.com', request)).toMatchObject({ code: 'decided' });
    await rig.directory(people(two.replace('groups:', 'same_human_as: [ann@example.com], groups:')));
    expect(await rig.press(channel, 'twin@example.com', request)).toMatchObject({ code: 'already_decided' });
    expect(await rig.status(request)).toBe('pending');
  });

  test('C4: a member of the group that owns the agent, and one who joined it or left it since', async () => {
    const owned = (groups: string) => people('', groups, 'agents: [{ id: agent, owner_group: ml }]');
    await rig.directory(owned('groups: [{ name: ml, members: [ann@example.com] }]'));
    await refused('ann@example.com', await rig.ask(), /of the group that owns the agent/);
    const before = await rig.ask();
    await rig.directory(owned('groups: [{ name: ml, members: [dan@example.com] }]'));
    // Ann left it: she asked no less for that. Dan came to it.
    expect(await rig.press(channel, 'ann@example.com', before)).toMatchObject({ code: 'self_approval' });
    await refused('dan@example.com', before, /of the group that owns the agent/);
  });

  test('C4: where policy lets the owner group decide, its members do; who asked before that policy is still held to it', async () => {
    await rig.directory(people('', 'groups: [{ name: ml, members: [ann@example.com] }]', 'agents: [{ id: agent, owner_group: ml }]'));
    const before = await rig.ask();
    await rig.policy((text) => text.replace('defaults:', 'defaults:\n  chain: { owner_groups: false }'));
    try {
      expect(await rig.press(channel, 'ann@example.com', before)).toMatchObject({ code: 'self_approval' });
      expect(await rig.press(channel, 'ann@example.com', await rig.ask())).toMatchObject({ code: 'decided' });
    } finally {
      await rig.policy((text) => text);
    }
  });

  test('C4: a group in the group that owns the agent', async () => {
    await rig.directory(
      people('', 'groups: [{ name: inner, members: [ann@example.com] }, { name: ml, groups: [inner] }]', 'agents: [{ id: agent, owner_group: ml }]'),
    );
    await refused('ann@example.com', await rig.ask(), /of the group that owns the agent/);
  });

  test('C4: the owner of the agent is another between request and press: neither decides', async () => {
    await rig.directory(people());
    const request = await rig.ask();
    await rig.directory(people('', '', 'agents: [{ id: agent, owner: ann@example.com }]'));
    expect(await rig.press(channel, 'dan@example.com', request)).toMatchObject({ code: 'self_approval' });
    await refused('ann@example.com', request, /you own the agent/);
  });

  test('C4: who approved and came to own the agent before the last approval counts no more', async () => {
    await rig.directory(people());
    const request = await rig.ask({ action: 'pair.act' });
    expect(await rig.press(channel, 'ann@example.com', request)).toMatchObject({ code: 'decided' });
    await rig.directory(people('  - { email: eva@example.com, name: Eva, groups: [pairs] }', '', 'agents: [{ id: agent, owner: ann@example.com }]'));
    expect(await rig.press(channel, 'ben@example.com', request)).toMatchObject({ code: 'decided' });
    expect(await rig.status(request)).toBe('pending');
    expect(await rig.press(channel, 'eva@example.com', request)).toMatchObject({ code: 'decided' });
    expect(await rig.status(request)).toBe('approved');
  });

  test("C4: an agent's id in another spelling has the same owner", async () => {
    await rig.directory(people());
    for (const id of ['AGENT', 'ａｇｅｎｔ']) await refused('dan@example.com', await rig.ask({ actor: { type: 'agent', id } }), /you own the agent/);
  });

  test('C4: the owner of the agent who left the directory and came back under another entry', async () => {
    await rig.directory(people());
    const request = await rig.ask();
    await rig.directory(
      people('  - { email: dan@other.example, name: Dan, aliases: [dan.second@example.com], same_human_as: [dan@example.com], groups: [approvers] }'),
    );
    await refused('dan@other.example', request, /you own the agent/);
  });

  test('C4: an administrator does not decide by rank, and an auditor does not either', async () => {
    await rig.directory(people());
    const request = await rig.ask();
    expect(await rig.press(channel, 'carl@example.com', request)).toMatchObject({ code: 'not_an_approver' });
    await refused('olga@example.com', request, /not an approver/, 'not_an_approver');
  });

  test('C5: who was taken out of the group between request and press', async () => {
    await rig.directory(people('  - { email: eva@example.com, name: Eva, groups: [approvers] }'));
    const request = await rig.ask();
    await rig.directory(people('  - { email: eva@example.com, name: Eva }'));
    await refused('eva@example.com', request, /not an approver/, 'not_an_approver');
  });

  test('C5: who was deactivated by SCIM between request and press, and its tokens do not come back with it', async () => {
    await rig.directory(people());
    const id = await rig.scimUser('sam@example.com');
    const group = await rig.scim('POST', '/Groups', {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'],
      displayName: `helpers-${channel}`,
      members: [{ value: id }],
    });
    expect(group.status).toBe(201);
    const request = await rig.ask();
    const set = (active: boolean) => rig.scim('PATCH', `/Users/${id}`, { Operations: [{ op: 'Replace', path: 'active', value: active ? 'True' : 'False' }] });
    expect(await rig.press(channel, 'sam@example.com', request)).toMatchObject({ code: 'not_an_approver' });
    expect((await set(false)).status).toBe(200);
    // Revoked with the deactivation, a token is no token any more; a chat account is nobody's who is active.
    expect((await rig.press(channel, 'sam@example.com', request)).code).toBe(channel === 'api' ? 'unauthenticated' : 'account_inactive');
    expect((await set(true)).status).toBe(200);
    expect((await rig.press(channel, 'sam@example.com', request)).code).toBe(channel === 'api' ? 'unauthenticated' : 'not_an_approver');
  });

  test('C4: a SCIM client that gives somebody the address of another, and the other a new one, frees neither', async () => {
    await rig.directory(people());
    const sam = await rig.scimUser('sam@example.com');
    const tom = await rig.scimUser('tom@example.com');
    const name = `swap-${channel}`;
    await rig.scim('POST', '/Groups', {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'],
      displayName: name,
      members: [{ value: sam }, { value: tom }],
    });
    const request = await rig.ask({ actor: { type: 'agent', id: 'agent', on_behalf_of: { type: 'person', id: 'sam@example.com' } } });
    const rename = (id: string, to: string) =>
      rig.scim('PATCH', `/Users/${id}`, { Operations: [{ op: 'replace', value: { userName: to, [`emails[primary eq "True"].value`]: to } }] });
    expect((await rename(sam, 'sam2@example.com')).status).toBe(200);
    expect((await rename(tom, 'sam@example.com')).status).toBe(200);
    const person = await rig.api.store.directory.person('default', sam);
    expect(person).toMatchObject({ email: 'sam2@example.com' });
    const { linkOf } = await import('@countersign/core/decision');
    const state = await rig.api.store.requests.state('default', request.id);
    const chain = state?.request.chain ?? [];
    for (const id of [sam, tom]) {
      const now = await rig.api.store.directory.person('default', id);
      expect(now === null ? null : linkOf(chain, now)?.role).toBe('on_behalf_of');
    }
    // And a request that names the address that Sam had names Sam too.
    const later = await rig.ask({ actor: { type: 'agent', id: 'agent', on_behalf_of: { type: 'person', id: 'sam@example.com' } } });
    const laterChain = (await rig.api.store.requests.state('default', later.id))?.request.chain ?? [];
    const before = await rig.api.store.directory.person('default', sam);
    expect(before === null ? null : linkOf(laterChain, before)?.role).toBe('on_behalf_of');
  });
});

describe('the directory', () => {
  test('C5: a userName that is used again is a new person, with nothing of the one before', async () => {
    await rig.directory(people());
    const first = await rig.scimUser('re@example.com');
    expect((await rig.scim('DELETE', `/Users/${first}`)).status).toBe(204);
    const reply = await rig.scim('POST', '/Users', {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
      userName: 'RE@example.com',
      emails: [{ value: 're@example.com' }],
    });
    expect(reply.status).toBe(201);
    expect(reply.json.id).not.toBe(first);
    const links = await rig.api.store.chatLinks.links('default', reply.json.id);
    expect(links).toEqual([]);
    // But what the one before asked for is not for the new one to approve: they may be one human.
    const state = await rig.api.store.directory.person('default', reply.json.id);
    expect(state?.entries).toContain(first);
  });

  test('C5: a change of the address moves no chat account', async () => {
    await rig.directory(people());
    const sam = await rig.scimUser('sam@example.com');
    const before = await rig.api.store.chatLinks.links('default', sam);
    await rig.scim('PATCH', `/Users/${sam}`, { Operations: [{ op: 'replace', path: 'emails[primary eq true].value', value: 'other@example.com' }] });
    const uma = await rig.scimUser('uma@example.com');
    await rig.scim('PATCH', `/Users/${uma}`, { Operations: [{ op: 'replace', path: 'emails[primary eq true].value', value: 'sam@example.com' }] });
    expect(await rig.api.store.chatLinks.links('default', sam)).toEqual(before);
  });

  test('C5: two entries that claim one chat account, also one that was linked by proof, are refused with the place', async () => {
    await rig.directory(people());
    const account = { platform: 'slack', workspace: 'T9', user: 'UPROOF' } as const;
    await rig.api.store.directory.link('default', account, await rig.id('ann@example.com'), 'proof');
    const loaded = await rig.directory(people('  - { email: zoe@example.com, name: Zoe, accounts: { slack: { team: T9, user: UPROOF } } }'));
    expect(loaded).toMatchObject({ kind: 'conflict', problems: [{ path: 'people[6].accounts.slack', message: expect.stringMatching(/is linked to per_/) }] });
    // Nothing of it is in force.
    expect(await rig.api.store.directory.people('default', ['zoe@example.com'])).toEqual([]);
  });

  test('C5: a file that gives an address of a SCIM user to another id is refused; without an id it speaks of that user', async () => {
    await rig.directory(people());
    const sam = await rig.scimUser('sam@example.com');
    const other = 'per_01970000-0000-7000-8000-0000000000ff';
    expect(await rig.directory(people(`  - { id: ${other}, email: SAM@example.com, name: Sam }`))).toMatchObject({
      kind: 'conflict',
      problems: expect.arrayContaining([expect.objectContaining({ path: 'people[6].email' })]),
    });
    expect(await rig.directory(people('  - { email: sam@example.com, name: Sam F., roles: [operator] }'))).toMatchObject({ kind: 'loaded' });
    expect(await rig.api.store.directory.person('default', sam)).toMatchObject({ name: 'Sam F.', roles: ['operator'], active: true });
    // The file owns name and address, SCIM still deactivates, and the file cannot take that back.
    await rig.scim('PATCH', `/Users/${sam}`, { Operations: [{ op: 'replace', value: { displayName: 'Sammy', active: false } }] });
    expect(await rig.api.store.directory.person('default', sam)).toMatchObject({ name: 'Sam F.', active: false });
    await rig.directory(people('  - { email: sam@example.com, name: Sam G. }'));
    expect(await rig.api.store.directory.person('default', sam)).toMatchObject({ name: 'Sam G.', active: false });
    // Out of the file, the entry is SCIM's alone again: without the role.
    await rig.directory(people());
    await rig.scim('PATCH', `/Users/${sam}`, { Operations: [{ op: 'replace', path: 'active', value: true }] });
    expect(await rig.api.store.directory.person('default', sam)).toMatchObject({ name: 'Sammy', active: true, roles: [] });
  });

  test('C5: SCIM gives nobody a role, and no group of the file', async () => {
    await rig.directory(people());
    const sam = await rig.scimUser('sam@example.com', { roles: [{ value: 'administrator' }], groups: [{ value: 'approvers' }] });
    expect(await rig.api.store.directory.person('default', sam)).toMatchObject({ roles: [], groups: [] });
    expect(
      (await rig.scim('POST', '/Groups', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName: 'Approvers', members: [{ value: sam }] }))
        .status,
    ).toBe(409);
  });

  test('C4: an agent that is not active, or asks beyond what it may, opens nothing; one of high risk says so on the card', async () => {
    const submit = (members: object = {}) => rig.api.submit({ actor: { type: 'agent', id: 'agent' }, ...members });
    await rig.directory(people('', '', 'agents: [{ id: agent, owner: dan@example.com, active: false }]'));
    expect(await submit()).toMatchObject({ status: 403, json: { code: 'actor_not_allowed' } });
    expect(await rig.api.submit({ actor: { type: 'agent', id: 'AGENT' } })).toMatchObject({ status: 403 });
    await rig.directory(people('', '', 'agents: [{ id: agent, owner: dan@example.com, actions: [data.*], purposes: [training], risk: critical }]'));
    expect(await submit({ action: 'iam.grant', purpose: 'training' })).toMatchObject({
      status: 403,
      json: { code: 'action_not_allowed', errors: [{ pointer: '/action' }] },
    });
    for (const purpose of [{}, { purpose: 'fun' }]) {
      expect(await submit(purpose)).toMatchObject({ status: 403, json: { code: 'action_not_allowed', errors: [{ pointer: '/purpose' }] } });
    }
    const opened = await submit({ purpose: 'training' });
    expect(opened.status).toBe(201);
    const state = await rig.api.store.requests.state('default', opened.json.id);
    expect(state?.request.warnings).toContain("The directory calls this agent's risk critical.");
    expect(
      await rig.api.call('POST', '/v1/evaluations', {
        as: rig.api.key,
        body: { action: 'iam.grant', resource: { type: 'x', id: 'y' }, actor: { type: 'agent', id: 'agent' } },
      }),
    ).toMatchObject({ status: 403 });
  });
});
