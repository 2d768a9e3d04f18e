import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CookieBrowser } from '@countersign/dev-env/identity-provider';
import { createSignInWorld, type SignInWorld } from '../testing/sign-in-world.js';

const refused = (code: string) => `/sign-in?refused=${code}`;
let next = 0;

/** Somebody at the provider with these claims tries to sign in; where that ends. */
async function tries(world: SignInWorld, claims: Record<string, unknown>, subject = `subject-${(next += 1)}`): Promise<string> {
  world.idp.accounts.set(subject, { email_verified: true, name: subject, ...claims });
  return world.signIn(new CookieBrowser(), subject);
}

describe('who a subject is', () => {
  let world: SignInWorld;
  beforeAll(async () => {
    world = await createSignInWorld();
  }, 60_000);
  afterAll(() => world.close());

  test('C5: a verified address links once, for good: the subject stays the person, whatever the address says later', async () => {
    expect(await tries(world, { email: 'bob@example.com' }, 'okta|bob')).toBe('/');
    const browser = new CookieBrowser();
    world.idp.accounts.set('okta|bob', { email: 'carol@example.com', email_verified: true });
    await world.signIn(browser, 'okta|bob');
    expect(await world.me(browser)).toBe('bob@example.com');
    const leaf = await world.api.row(
      `SELECT subject, convert_from(bytes, 'UTF8') AS text FROM ledger_leaves WHERE event = 'account.linked' ORDER BY id DESC LIMIT 1`,
    );
    expect(leaf['subject']).toBe(world.api.people.bob.id);
    expect(leaf['text']).toContain('"how":"email"');
    expect(leaf['text']).not.toContain('okta|bob');
  });

  test('C5: re-used e-mail: the newcomer with a leaver’s address does not become the leaver', async () => {
    expect(await tries(world, { email: 'alice@example.com' }, 'first-alice')).toBe('/');
    expect(await tries(world, { email: 'alice@example.com' }, 'second-alice')).toBe(refused('identity_conflict'));
    expect(await world.api.count(`SELECT count(*) FROM identity_links WHERE subject = 'second-alice'`)).toBe(0);
  });

  test('C5: of ten subjects that reach for one person at once, one gets it', async () => {
    const ends = await Promise.all(Array.from({ length: 10 }, (_, index) => tries(world, { email: 'dana@example.com' }, `racer-${index}`)));
    expect(ends.filter((end) => end === '/')).toHaveLength(1);
    expect(ends.filter((end) => end === refused('identity_conflict'))).toHaveLength(9);
  });

  test('C5: unverified e-mail: refused, said or not said', async () => {
    expect(await tries(world, { email: 'carol@example.com', email_verified: false })).toBe(refused('email_unverified'));
    expect(await tries(world, { email: 'carol@example.com', email_verified: undefined })).toBe(refused('nobody'));
    expect(await tries(world, { email: 'carol@example.com', email_verified: 'false' })).toBe(refused('email_unverified'));
  });

  test.each([
    ['plus-addressing', 'carol+x@example.com'],
    ['another domain', 'carol@example.com.evil.test'],
    ['a dotless i', 'carol@examplе.com'],
    ['full-width letters', 'ｃａｒｏｌ@example.com'],
    ['a letter that folds to ASCII', 'carol@eKample.com'.replace('K', '\u212a')],
    ['two at signs', '"carol@example.com"@evil.test'],
    ['a NUL behind', 'carol@example.com\u0000'],
    ['a space', ' carol@example.com'],
    ['nobody', 'nobody@example.com'],
  ])('C5: e-mail tricks: %s is nobody of the directory', async (_name, email) => {
    expect(await tries(world, { email })).toBe(refused('nobody'));
  });

  test('C5: e-mail in another case is the same address, and the same one person', async () => {
    expect(await tries(world, { email: 'CAROL@Example.COM' }, 'carol-1')).toBe('/');
    expect(await tries(world, { email: 'carol@example.com' }, 'carol-2')).toBe(refused('identity_conflict'));
  });

  test('C5: subjects are compared letter for letter', async () => {
    expect(await tries(world, { email: 'carol@example.com' }, 'CAROL-1')).toBe(refused('identity_conflict'));
  });

  test('C5: whoever is not in the directory is nobody, and none is made of them', async () => {
    expect(await tries(world, { email: 'mallory@example.com' })).toBe(refused('nobody'));
    expect(await world.api.count(`SELECT count(*) FROM directory_people WHERE email LIKE 'mallory%'`)).toBe(0);
  });

  test('C5: an identity that an administrator cut off ends its sessions, and does not come back by its address', async () => {
    const browser = new CookieBrowser();
    expect(await world.signIn(browser, 'olivia')).toBe('/');
    const cut = { issuer: world.idp.issuer, subject: 'olivia' };
    expect(await world.api.call('POST', '/v1/identities/cut', { as: world.api.tokens.alice, body: cut })).toMatchObject({ status: 403 });
    expect(await world.api.call('POST', '/v1/identities/cut', { as: world.api.tokens.olivia, body: cut })).toMatchObject({ status: 204 });
    expect(await world.me(browser)).toBeNull();
    expect(await world.signIn(new CookieBrowser(), 'olivia')).toBe(refused('identity_cut'));
    expect(await world.api.count(`SELECT count(*) FROM ledger_leaves WHERE event = 'account.unlinked'`)).toBe(1);
    // A newcomer may have the address then.
    expect(await tries(world, { email: 'olivia@example.com' }, 'olivia-again')).toBe('/');
  });

  test('C5: stale session: a deactivated person’s next call is refused, and so is the next sign-in', async () => {
    const browser = new CookieBrowser();
    await world.signIn(browser, 'okta|bob');
    await world.api.sql(`UPDATE directory_people SET active = false WHERE email = 'bob@example.com'`);
    try {
      expect((await world.as(browser, 'GET', '/v1/me')).json.code).toBe('account_inactive');
      expect(await world.signIn(new CookieBrowser(), 'okta|bob')).toBe(refused('inactive'));
      expect(await tries(world, { email: 'bob@example.com' })).toBe(refused('inactive'));
    } finally {
      await world.api.sql(`UPDATE directory_people SET active = true WHERE email = 'bob@example.com'`);
    }
  });
});

describe('a provider of several organisations', () => {
  let world: SignInWorld;
  beforeAll(async () => {
    world = await createSignInWorld({ preset: 'google', pins: { hd: ['example.com'] } }, { extraClaims: ['hd'] });
  }, 60_000);
  afterAll(() => world.close());

  test('C5: Google: another domain, or none, is another tenant, whatever the address says', async () => {
    expect(await tries(world, { email: 'alice@example.com', hd: 'evil.test' })).toBe(refused('wrong_tenant'));
    expect(await tries(world, { email: 'alice@example.com' })).toBe(refused('wrong_tenant'));
    expect(await tries(world, { email: 'alice@example.com', hd: ['example.com', 'x'][1] })).toBe(refused('wrong_tenant'));
    expect(await tries(world, { email: 'alice@example.com', hd: 'example.com' })).toBe('/');
  });

  test('C5: Google: the hint is asked for, and the claim is what counts', async () => {
    const { location } = await new CookieBrowser().go(`${world.api.url}/v1/sign-in/start`);
    expect(new URL(location ?? '').searchParams.get('hd')).toBe('example.com');
  });
});

describe('Entra', () => {
  const [tid, oid] = ['7f1f6f6e-1a2b-4c3d-8e9f-001122334455', '0b0b0b0b-1111-4222-8333-444455556666'];
  let world: SignInWorld;
  beforeAll(async () => {
    world = await createSignInWorld(
      { preset: 'entra', pins: { tid: [tid] }, groupsClaim: 'groups' },
      { extraClaims: ['tid', 'oid', 'idp', 'acct', 'xms_edov', 'groups', '_claim_names'] },
    );
  }, 60_000);
  afterAll(() => world.close());

  test('C5: an address in the token proves nothing (nOAuth); the tenant’s own proof of the domain does', async () => {
    expect(await tries(world, { email: 'alice@example.com', tid, oid })).toBe(refused('nobody'));
    expect(await tries(world, { email: 'alice@example.com', tid, oid, xms_edov: true })).toBe('/');
    expect(await world.api.row(`SELECT subject FROM identity_links`)).toEqual({ subject: `${tid}/${oid}` });
  });

  test('C5: the same object signs in by any sub, another object by none', async () => {
    expect(await tries(world, { email: 'other@example.com', tid, oid: oid.toUpperCase(), xms_edov: true }, 'pairwise-2')).toBe('/');
    expect(await tries(world, { email: 'alice@example.com', tid, oid: '0b0b0b0b-1111-4222-8333-444455550000', xms_edov: true })).toBe(
      refused('identity_conflict'),
    );
  });

  test('C5: another tenant, a guest, a token without an object', async () => {
    const bob = { email: 'bob@example.com', xms_edov: true, oid: '0b0b0b0b-1111-4222-8333-444455557777' };
    expect(await tries(world, { ...bob, tid: '00000000-1a2b-4c3d-8e9f-001122334455' })).toBe(refused('wrong_tenant'));
    expect(await tries(world, bob)).toMatch(/refused=(wrong_tenant|no_subject)/);
    expect(await tries(world, { ...bob, tid, acct: 1 })).toBe(refused('guest'));
    expect(await tries(world, { ...bob, tid, idp: 'https://sts.windows.net/00000000-1a2b-4c3d-8e9f-001122334455/' })).toBe(refused('guest'));
    expect(await tries(world, { email: bob.email, xms_edov: true, tid })).toBe(refused('no_subject'));
  });

  test('C5: the Teams account that the directory names is the same Entra object: it links without any address', async () => {
    const user = '0b0b0b0b-1111-4222-8333-44445555aaaa';
    await world.api.store.directory.link('default', { platform: 'teams', workspace: tid, user }, world.api.people.carol.id, 'directory');
    expect(await tries(world, { email: undefined, tid, oid: user }, 'carol-entra')).toBe('/');
  });

  test('B3: groups are taken over; too many to tell (overage) changes none', async () => {
    const groupsOfAlice = async (): Promise<string[]> => (await world.api.store.directory.person('default', world.api.people.alice.id))?.groups ?? [];
    const before = await groupsOfAlice();
    const alice = { email: 'alice@example.com', tid, oid, xms_edov: true };
    expect(await tries(world, { ...alice, groups: ['g-1', 'g-2'] }, 'alice-sub')).toBe('/');
    expect(await groupsOfAlice()).toEqual([...before, 'g-1', 'g-2'].toSorted());
    for (const unknown of [{ _claim_names: { groups: 'src1' } }, {}, { groups: 'g-1' }]) {
      expect(await tries(world, { ...alice, ...unknown }, 'alice-sub')).toBe('/');
      expect(await groupsOfAlice()).toEqual([...before, 'g-1', 'g-2'].toSorted());
    }
    expect(await tries(world, { ...alice, groups: [] }, 'alice-sub')).toBe('/');
    expect(await groupsOfAlice()).toEqual(before);
  });

  test('C4: groups of a sign-in never make somebody a member of the file’s groups', async () => {
    const bob = { email: 'bob@example.com', tid, oid: '0b0b0b0b-1111-4222-8333-444455557777', xms_edov: true };
    const before = (await world.api.store.directory.person('default', world.api.people.dana.id))?.groups;
    expect(
      await tries(world, {
        email: 'dana@example.com',
        tid,
        oid: '0b0b0b0b-1111-4222-8333-44445555dddd',
        xms_edov: true,
        groups: ['data-owners', 'DATA-OWNERS'],
      }),
    ).toBe('/');
    expect((await world.api.store.directory.person('default', world.api.people.dana.id))?.groups).toEqual(before);
    expect(await tries(world, bob)).toBe('/');
  });
});

describe('just-in-time', () => {
  let world: SignInWorld;
  beforeAll(async () => {
    world = await createSignInWorld({ jit: true, pins: { org: ['acme'] } }, { extraClaims: ['org'] });
  }, 60_000);
  afterAll(() => world.close());

  test('C5: makes a person with no group and no role, whom a sign-in finds again by the subject', async () => {
    const browser = new CookieBrowser();
    world.idp.accounts.set('new-1', { email: 'newcomer@example.com', email_verified: true, name: 'New Comer', org: 'acme' });
    expect(await world.signIn(browser, 'new-1')).toBe('/');
    const me = (await world.as(browser, 'GET', '/v1/me')).json;
    expect(me.person).toMatchObject({ email: 'newcomer@example.com', name: 'New Comer', groups: [], roles: [] });
    const again = new CookieBrowser();
    await world.signIn(again, 'new-1');
    expect((await world.as(again, 'GET', '/v1/me')).json.person.id).toBe(me.person.id);
  });

  test('C5: makes nobody of another tenant, without a verified address, or in the place of an inactive person', async () => {
    const people = await world.api.count('SELECT count(*) FROM directory_people');
    expect(await tries(world, { email: 'x1@example.com', org: 'evil' })).toBe(refused('wrong_tenant'));
    expect(await tries(world, { email: 'x2@example.com', org: 'acme', email_verified: false })).toBe(refused('email_unverified'));
    expect(await tries(world, { email: undefined, org: 'acme' })).toBe(refused('nobody'));
    await world.api.sql(`UPDATE directory_people SET active = false WHERE email = 'bob@example.com'`);
    expect(await tries(world, { email: 'bob@example.com', org: 'acme' })).toBe(refused('inactive'));
    expect(await world.api.count('SELECT count(*) FROM directory_people')).toBe(people);
  });
});
