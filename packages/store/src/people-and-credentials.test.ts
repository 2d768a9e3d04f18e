import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { DirectorySnapshot } from '@countersign/core/ports';
import { aLeaf, ALICE, at, BOB, DANA, DIGEST, KEY_ID, POLICY, TENANT } from './testing/sample-records.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await storeFixture();
});
afterAll(() => fixture.close());

describe('the directory', () => {
  const directory = () => fixture.store.directory;

  test('C5: a person who is missing from the source becomes inactive, leaves the groups, and is never deleted', async () => {
    const own = await storeFixture();
    try {
      const source: DirectorySnapshot = {
        people: [{ id: ALICE, email: 'alice@new.example.com', name: 'Alice A.', active: true, roles: ['operator'], accounts: [] }],
        groups: [{ name: 'security', members: [ALICE] }],
        agents: [],
      };
      await own.store.directory.replace(TENANT, source);
      await own.store.directory.replace(TENANT, source);
      expect(await own.store.directory.person(TENANT, ALICE)).toEqual({
        id: ALICE,
        email: 'alice@new.example.com',
        name: 'Alice A.',
        active: true,
        groups: ['security'],
        roles: ['operator'],
        // What was hers names her still.
        aliases: ['alice@example.com'],
      });
      expect(await own.store.directory.person(TENANT, BOB)).toMatchObject({ active: false, groups: [] });
      // The account came from the source, so it went with it.
      expect(await own.store.directory.personByAccount({ tenant: TENANT, platform: 'slack', workspace: 'T1', user: 'U1' })).toBeNull();
      const context = await own.store.requests.openingContext({ tenant: TENANT, agent_id: 'retrainer', refs: [] });
      expect(context.agent).toMatchObject({ active: false });
    } finally {
      await own.close();
    }
  });

  test('people are found by id and by e-mail in any case, within their tenant', async () => {
    expect((await directory().people(TENANT, ['ALICE@example.COM', BOB, 'nobody'])).map((person) => person.id)).toEqual([ALICE, BOB]);
    expect((await directory().list(TENANT)).map((person) => person.name)).toEqual(['Alice', 'Bob', 'Dana']);
    expect(await directory().people('other', [ALICE])).toEqual([]);
    expect(await directory().person(TENANT, 'per_unknown')).toBeNull();
  });

  test('an account leads to its person, in its own workspace alone', async () => {
    const account = { platform: 'teams', workspace: 'tenant-1', user: 'aad-1' } as const;
    expect(await directory().personByAccount({ tenant: TENANT, ...account })).toBeNull();
    await directory().link(TENANT, account, BOB, 'proof');
    expect(await directory().personByAccount({ tenant: TENANT, ...account })).toMatchObject({ id: BOB });
    expect(await directory().personByAccount({ tenant: TENANT, ...account, workspace: 'tenant-2' })).toBeNull();
    expect(await directory().personByAccount({ tenant: 'other', ...account })).toBeNull();
    expect(await directory().personByAccount({ tenant: TENANT, platform: 'slack', workspace: 'T1', user: 'U1' })).toMatchObject({ id: ALICE });
  });
});

describe('credentials', () => {
  const credentials = () => fixture.store.credentials;

  test('an API key is found by its hash as it was stored', async () => {
    const key = {
      id: 'key_x',
      tenant: TENANT,
      name: 'n',
      owner: DANA,
      hash: randomBytes(32),
      prefix: 'cs_ab',
      sealed_webhook_secret: randomBytes(16),
      created_at: at(0),
      expires_at: at(60_000),
      revoked_at: null,
      rights: { actors: ['agent:*'], actions: ['data.*'], environments: [], callback_hosts: ['h'], redeem: true },
    };
    await credentials().insertApiKey(key);
    const found = await credentials().apiKeyByHash(key.hash);
    expect(found).toMatchObject({ ...key, hash: expect.anything(), sealed_webhook_secret: expect.anything() });
    expect(Buffer.from(found?.sealed_webhook_secret ?? [])).toEqual(key.sealed_webhook_secret);
    expect(await credentials().apiKeyByHash(randomBytes(32))).toBeNull();
    expect((await credentials().apiKey(TENANT, KEY_ID))?.name).toBe('ci');
    expect(await credentials().apiKey('other', KEY_ID)).toBeNull();
    await expect(credentials().insertApiKey(key)).rejects.toMatchObject({ name: 'StoreError', code: 'refused' });
  });

  test('personal tokens and sessions are found by hash; a session that ended is gone', async () => {
    const token = {
      id: 'pt_1',
      tenant: TENANT,
      person_id: ALICE,
      hash: randomBytes(32),
      name: 'cli',
      scopes: ['read', 'decide'] as ('read' | 'decide')[],
      created_at: at(0),
      expires_at: null,
      revoked_at: null,
      last_used_at: null,
      stepped_up_at: null,
    };
    await credentials().insertPersonalToken(token);
    expect(await credentials().personalTokenByHash(token.hash)).toEqual({ ...token, hash: expect.anything() });
    const alice = await fixture.store.directory.person(TENANT, ALICE);
    expect(await credentials().personByTokenHash(token.hash)).toEqual({ token: { ...token, hash: expect.anything() }, person: alice });
    const session = {
      hash: randomBytes(32),
      id: 'ses_1',
      tenant: TENANT,
      person_id: ALICE,
      issuer: 'countersign',
      method: 'sign_in_link',
      subject: null,
      provider_sid: null,
      auth_time: at(0),
      acr: null,
      amr: ['link'],
      user_agent: null,
      created_at: at(0),
      last_used_at: at(0),
      expires_at: at(60_000),
      sealed_hint: null,
    };
    await credentials().insertSession(session);
    expect(await credentials().sessionByHash(session.hash)).toEqual({ ...session, hash: expect.anything() });
    expect(await credentials().personBySessionHash(session.hash)).toEqual({ session: { ...session, hash: expect.anything() }, person: alice });
    await credentials().endSession(session.hash);
    expect(await credentials().sessionByHash(session.hash)).toBeNull();
  });

  test('a sign-in link is spent once by whoever comes first, not after its time, and not after a new start', async () => {
    const link = (expires_at: string) => ({ hash: randomBytes(32), tenant: TENANT, person_id: ALICE, expires_at });
    const [once, late, voided] = [link(at(60_000)), link(at(-1)), link(at(60_000))];
    for (const each of [once, late, voided]) await credentials().insertSignInLink(each);
    const spent = await Promise.all(Array.from({ length: 20 }, () => credentials().spendSignInLink(once.hash)));
    expect(spent.filter((result) => result !== null)).toEqual([{ tenant: TENANT, person_id: ALICE }]);
    expect(await credentials().spendSignInLink(late.hash)).toBeNull();
    await credentials().voidSignInLinks('other');
    await credentials().voidSignInLinks(TENANT);
    expect(await credentials().spendSignInLink(voided.hash)).toBeNull();
  });
});

describe('policy', () => {
  const policies = () => fixture.store.policies;

  test('B2: an activation takes effect with its leaf, once, also when ten starts activate it', async () => {
    const leaves = Array.from({ length: 10 }, () => aLeaf(DIGEST, 'policy.activated'));
    const results = await Promise.all(
      leaves.map((leaf) => policies().activate({ tenant: TENANT, digest: DIGEST, canonical: 'rules: [x]', by: 'start', leaf })),
    );
    expect(results.filter((result) => result.changed)).toHaveLength(1);
    expect(await policies().active(TENANT)).toMatchObject({ digest: DIGEST, by: 'start' });
    expect(await policies().canonical(TENANT, DIGEST)).toBe('rules: [x]');
    expect(await policies().canonical(TENANT, POLICY)).toBe('rules: []');
    expect(await fixture.store.requests.timeline(TENANT, DIGEST)).toHaveLength(1);
    expect(await policies().activate({ tenant: TENANT, digest: POLICY, canonical: 'ignored', by: 'back', leaf: aLeaf(POLICY) })).toEqual({ changed: true });
    expect(await policies().canonical(TENANT, POLICY)).toBe('rules: []');
    expect(await policies().active('other')).toBeNull();
    expect(await policies().canonical('other', POLICY)).toBeNull();
  });
});

describe('signing keys', () => {
  test('of processes that start at once, one makes the key of a purpose; a retired one makes room', async () => {
    const { signingKeys } = fixture.store;
    const key = (kid: string, retired_at: string | null) => ({
      kid,
      purpose: 'outcome' as const,
      algorithm: 'Ed25519' as const,
      public_key: randomBytes(32),
      sealed_private_key: randomBytes(60),
      created_at: at(0),
      retired_at,
    });
    const made = Array.from({ length: 8 }, (_, index) => key(`kid-${index}`, null));
    await Promise.all(made.map((each) => signingKeys.insert(each)));
    const [active, ...others] = await signingKeys.list();
    expect(others).toEqual([]);
    const own = made.find((each) => each.kid === active?.kid);
    expect(active).toEqual({ ...own, public_key: expect.anything(), sealed_private_key: expect.anything() });
    expect(Buffer.from(active?.sealed_private_key ?? [])).toEqual(own?.sealed_private_key);
    await signingKeys.insert(key('kid-old', at(0)));
    expect(await signingKeys.list()).toHaveLength(2);
  });
});
