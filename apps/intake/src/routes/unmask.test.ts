import { readFile } from 'node:fs/promises';
import { leafMaker } from '@countersign/core/flow';
import { compileBundle } from '@countersign/core/policy';
import { SoftAuthenticator } from '@countersign/dev-env/soft-authenticator';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, EXPORT, type Reply } from '../testing/api-world.js';
import { codeOf, enrol, type Seat, seat } from '../testing/passkey-seat.js';

/** data-owners see e-mail addresses and what policy hides, security sees secrets too, with a fresh proof. */
const RULE = `      timeout: 4h
    masks: [parameters.note]
    reveal:
      - { groups: [data-owners], classes: [email, field, card] }
      - { groups: [security], classes: [secret], fresh: 2m }
`;
const policy = (text: string): string => text.replace('      timeout: 4h\n', RULE);

const ADDRESS = 'zoe.quimby@customer.example';
const SECRET = 'hunter2-Xq81-correct-horse';
const NOTE = 'only for the owners of the data';

let world: ApiWorld;
let alice: Seat;
let bob: Seat;
let carol: Seat;
beforeAll(async () => {
  world = await createApiWorld({ policy });
  [alice, bob, carol] = [await seat(world, 'alice'), await seat(world, 'bob'), await seat(world, 'carol')];
});
afterAll(() => world.close());

/** Puts the quickstart's policy in force, rewritten. */
async function activate(rewrite: (text: string) => string): Promise<void> {
  const text = rewrite(await readFile(new URL('../../../server/src/quickstart/policy.yaml', import.meta.url), 'utf8'));
  const compiled = compileBundle([{ path: 'policy.yaml', text }]);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const { digest, canonical } = compiled.bundle;
  const leaf = leafMaker(world.flow, { tenant: 'default', subject: digest, recordKey: world.flow.entropy.bytes(32) });
  const recorded = leaf('policy.activated', world.flow.clock.now(), { policy_digest: digest }, {});
  await world.store.policies.activate({ tenant: 'default', digest, canonical, by: 'test', leaf: recorded });
}

const request = async (parameters: object = {}): Promise<{ id: string }> =>
  world.pending({ parameters: { ...EXPORT.parameters, contact: ADDRESS, password: SECRET, note: NOTE, ...parameters } });
const unmask = (at: Seat, action_request: string, pointer: string, purpose = 'To see whose record it is'): Promise<Reply> =>
  at.call('POST', '/v1/unmask', { action_request, pointer, purpose });
const revealed = async (id: string) =>
  (await alice.call('GET', `/v1/action-requests/${id}/events`)).json.data.filter(({ event }: { event: string }) => event === 'value.revealed');

describe('F2: revealing a masked value', () => {
  test('F2: policy says who sees what, each place for itself', async () => {
    const { id } = await request();
    const places = async (at: Seat) =>
      Object.fromEntries(
        (await at.call('GET', `/v1/action-requests/${id}/masked`)).json.data.map((place: { pointer: string; may_reveal: boolean }) => [
          place.pointer,
          place.may_reveal,
        ]),
      );
    expect(await places(alice)).toEqual({ '/parameters/contact': true, '/parameters/password': false, '/parameters/note': true });
    expect(await places(bob)).toEqual({ '/parameters/contact': true, '/parameters/password': true, '/parameters/note': true });
  });

  test('F2: who has the right sees one value, unkept, and the ledger has who, where and why, but not what', async () => {
    const { id } = await request();
    const shown = await unmask(alice, id, '/parameters/contact');
    expect(shown).toMatchObject({ status: 200, json: { pointer: '/parameters/contact', classes: ['email'], value: ADDRESS } });
    expect(shown.headers['cache-control']).toBe('no-store');
    expect((await unmask(alice, id, '/parameters/note')).json.value).toBe(NOTE);
    const entries = await revealed(id);
    expect(entries).toMatchObject([
      { detail: { person: { email: 'alice@example.com' }, pointer: '/parameters/contact', purpose: 'To see whose record it is', classes: ['email'] } },
      { detail: { pointer: '/parameters/note', classes: ['field'] } },
    ]);
    expect(JSON.stringify(entries)).not.toContain(ADDRESS);
    const answer = await world.call('GET', `/v1/action-requests/${id}`, { as: world.key });
    expect(answer.text).not.toContain(ADDRESS);
  });

  test('F2: a value of another class, of nobody, or that is not masked is refused with words', async () => {
    const { id } = await request();
    expect(codeOf(await unmask(alice, id, '/parameters/password'))).toEqual({ status: 403, code: 'reveal_not_allowed' });
    expect((await unmask(alice, id, '/parameters/password')).json.detail).toMatch(/does not let you see this value \(secret\)/);
    for (const pointer of ['/parameters', '/parameters/rows', '/parameters/nothing', '/parameters/contact/0', '/callback']) {
      expect(codeOf(await unmask(alice, id, pointer))).toEqual({ status: 404, code: 'not_found' });
    }
    expect(await revealed(id)).toEqual([]);
  });

  test('F2: who may not see the request sees no value of it, and no rank gives the right', async () => {
    const { id } = await request();
    expect(codeOf(await unmask(carol, id, '/parameters/password'))).toEqual({ status: 404, code: 'not_found' });
    const olivia = await seat(world, 'olivia');
    expect(codeOf(await unmask(olivia, id, '/parameters/contact'))).toEqual({ status: 403, code: 'reveal_not_allowed' });
    expect(await revealed(id)).toEqual([]);
  });

  test("C4: no caller's credential, no personal token and no page of another site gets a value", async () => {
    const { id } = await request();
    const body = { action_request: id, pointer: '/parameters/contact', purpose: 'I am curious' };
    for (const as of [world.key, world.tokens.alice, world.tokens.olivia]) {
      expect(codeOf(await world.call('POST', '/v1/unmask', { as, body }))).toEqual({ status: 403, code: 'reveal_not_allowed' });
    }
    expect((await world.call('POST', '/v1/unmask', { body })).status).toBe(401);
    const cross = await world.call('POST', '/v1/unmask', { body, headers: { cookie: alice.cookie, origin: 'https://evil.example' } });
    expect(codeOf(cross)).toEqual({ status: 403, code: 'cross_site_request' });
    expect(await revealed(id)).toEqual([]);
  });

  test('F2: where policy wants a fresh proof, an old session does not do, and a passkey makes it fresh', async () => {
    const { id } = await request();
    const key = new SoftAuthenticator(world.url);
    await enrol(world, bob, key);
    world.ahead += 121;
    expect(codeOf(await unmask(bob, id, '/parameters/password'))).toEqual({ status: 403, code: 'step_up_required' });
    expect((await unmask(bob, id, '/parameters/contact')).status).toBe(200);
    const challenge = await bob.call('POST', '/v1/sessions/step-up/challenges');
    expect((await bob.call('POST', '/v1/sessions/step-up', { response: key.assert(challenge.json) })).status).toBe(200);
    expect((await unmask(bob, id, '/parameters/password')).json).toMatchObject({ classes: ['secret'], value: SECRET });
    world.ahead -= 121;
  });

  test('F2: a purpose is needed, and a value in which two classes were found needs the right to both', async () => {
    const { id } = await request({ contact: `write to ${ADDRESS} with https://user:${SECRET}@db.example/` });
    expect((await unmask(alice, id, '/parameters/contact', ' ')).status).toBe(422);
    expect(codeOf(await unmask(alice, id, '/parameters/contact'))).toEqual({ status: 403, code: 'reveal_not_allowed' });
    expect((await unmask(bob, id, '/parameters/contact')).json.value).toContain(ADDRESS);
  });

  test('F2: a value behind a name that is masked itself is found by its place, among neighbours that look alike', async () => {
    const { id } = await request({ [ADDRESS]: 'first@customer.example', 'second@customer.example': 'other@customer.example', list: ['a', ADDRESS] });
    const { data } = (await alice.call('GET', `/v1/action-requests/${id}/masked`)).json;
    const values: string[] = [];
    for (const { pointer } of data as { pointer: string }[]) if (/\[email/.test(pointer)) values.push((await unmask(alice, id, pointer)).json.value);
    expect(values).toEqual(['first@customer.example', 'other@customer.example']);
    expect((await unmask(alice, id, '/parameters/list/1')).json.value).toBe(ADDRESS);
  });

  test('F2: who left the group sees nothing more', async () => {
    const { id } = await request();
    const mine = `person_id = '${world.people.alice.id}'`;
    await world.sql(`UPDATE directory_memberships SET group_name = 'gone' WHERE group_name = 'data-owners' AND ${mine}`);
    expect(codeOf(await unmask(alice, id, '/parameters/contact'))).toEqual({ status: 404, code: 'not_found' });
    await world.sql(`UPDATE directory_memberships SET group_name = 'data-owners' WHERE group_name = 'gone' AND ${mine}`);
    expect((await unmask(alice, id, '/parameters/contact')).status).toBe(200);
  });

  test('F2: the policy that the request is pinned to and the one in force must both agree', async () => {
    const { id } = await request();
    await activate((text) => policy(text).replace('groups: [data-owners], classes: [email, field, card]', 'groups: [data-owners], classes: [field]'));
    expect(codeOf(await unmask(alice, id, '/parameters/contact'))).toEqual({ status: 403, code: 'reveal_not_allowed' });
    expect((await unmask(alice, id, '/parameters/note')).status).toBe(200);
    // Opened under the narrow one, it stays narrow under the wide one.
    const { id: later } = await request();
    await activate(policy);
    expect(codeOf(await unmask(alice, later, '/parameters/contact'))).toEqual({ status: 403, code: 'reveal_not_allowed' });
    expect((await unmask(alice, id, '/parameters/contact')).status).toBe(200);
  });

  test('F2: nothing that was revealed, and no purpose, stands in the log', async () => {
    const { id } = await request();
    await unmask(alice, id, '/parameters/contact', 'A purpose that names nobody-but-Wilhelmina');
    for (const hidden of [ADDRESS, SECRET, NOTE, 'Wilhelmina']) expect(world.log()).not.toContain(hidden);
  });
});

test('F2: where no rule and no default says who, nobody sees anything', async () => {
  const silent = await createApiWorld();
  try {
    const { id } = await silent.pending({ parameters: { contact: ADDRESS } });
    expect(codeOf(await unmask(await seat(silent, 'alice'), id, '/parameters/contact'))).toEqual({ status: 403, code: 'reveal_not_allowed' });
  } finally {
    await silent.close();
  }
});
