import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApprovalWorld, createApprovalWorld, type PersonName } from '@countersign/dev-env/approval-world';
import { type AccountFacts, type CommandDeps, createAccountLinks, createChatWorld, createOnce, handleCommand, readCommand } from '../index.js';

const ID = `fz_01890000-0000-7000-8000-000000000000`;

describe('A6: the words of a command', () => {
  test.each([
    ['freeze everything', { everything: true }, 'No reason was given.'],
    ['  FREEZE   Everything because it loops', { everything: true }, 'it loops'],
    ['freeze everything: reason: a b  c', { everything: true }, null],
    ['freeze actor retrainer – mad', { actor: 'retrainer' }, 'mad'],
    ['freeze actor dana@example.com', { actor: 'dana@example.com' }, 'No reason was given.'],
    ['freeze caller “key_1”, it leaked\nyesterday', { caller: 'key_1' }, 'it leaked\nyesterday'],
    ['freeze action `iam.*` reason: audit', { action: 'iam.*' }, 'audit'],
    ['freeze everything becauseway', { everything: true }, 'becauseway'],
  ])('%j', (text, scope, reason) => {
    if (reason === null) expect(readCommand(text)).toMatchObject({ kind: 'unclear' });
    else expect(readCommand(text)).toEqual({ kind: 'freeze', body: { scope, reason } });
  });

  test('unfreeze, freezes and help', () => {
    expect(readCommand(`unfreeze \`${ID}\` because mended`)).toEqual({ kind: 'unfreeze', id: ID, reason: 'mended' });
    expect(readCommand(`UNFREEZE ${ID}`)).toEqual({ kind: 'unfreeze', id: ID, reason: null });
    expect([readCommand('freezes'), readCommand(' Help ')]).toEqual([{ kind: 'freezes' }, { kind: 'help' }]);
  });

  test.each(['', '   ', 'hi', 'freezer everything', 'please freeze everything', 'un freeze', '/freeze everything'])('%j is none of them', (text) => {
    expect(readCommand(text)).toBeNull();
  });

  test.each([
    'freeze',
    'freeze now',
    'freeze actor',
    'freeze action “”',
    'freeze actor <@U0ALICE|alice>',
    'freeze actor retrain\u200ber',
    'freeze actor \u202egent',
    'freeze actor a\0b',
    `freeze action ${'x'.repeat(129)}`,
    'unfreeze',
    'unfreeze everything',
    'unfreeze fz_1',
  ])('%j would freeze or lift nothing, and is not done', (text) => {
    expect(readCommand(text)).toMatchObject({ kind: 'unclear' });
  });

  test('a long reason is cut, and what the database cannot hold is replaced: a stop is not refused for its words', () => {
    const read = readCommand(`freeze everything a\0b\ud83d ${'x'.repeat(9_000)}`);
    const reason = read?.kind === 'freeze' ? read.body.reason : '';
    expect(reason.length).toBe(2_000);
    expect(reason.startsWith('a\ufffdb\ufffd x')).toBe(true);
  });

  test('the same key is taken once, in its time', () => {
    let now = '2026-11-21T12:00:00.000Z';
    const once = createOnce({ now: () => now as ReturnType<ApprovalWorld['flow']['clock']['now']> });
    expect([once('a'), once('a'), once('b')]).toEqual([true, false, true]);
    now = '2026-11-21T13:00:00.000Z';
    expect(once('a')).toBe(false);
    // Nothing that is signed is taken for so long.
    now = '2026-11-21T15:00:00.000Z';
    expect(once('a')).toBe(true);
  });
});

describe('A6: what is done', () => {
  let world: ApprovalWorld;
  const faults: string[] = [];
  const workspace = 'T0';
  const facts = (name: string): AccountFacts => ({ workspace, user: name, active: true, bot: false, guest: false, external: false, email: null });
  beforeAll(async () => {
    const account = (name: PersonName) => [{ platform: 'slack' as const, workspace, user: name }];
    world = await createApprovalWorld({
      accounts: { dana: account('dana'), alice: account('alice'), bob: account('bob'), carol: account('carol'), olivia: account('olivia') },
    });
    await world.directory((now) => ({
      ...now,
      groups: [...now.groups, { name: 'freezers', members: [world.people.bob] }, { name: 'freeze_lifters', members: [world.people.carol, world.people.dana] }],
    }));
  });
  afterAll(() => world.close());

  const deps = (change: Partial<CommandDeps> = {}): CommandDeps => ({
    tenant: world.tenant,
    platform: 'slack',
    linkMode: 'proof',
    directory: world.store.directory,
    links: createAccountLinks({ ...world.flow, tenant: world.tenant, links: world.store.chatLinks, publicUrl: 'http://localhost:8080', cooldownSeconds: 0 }),
    freezes: { ...world.flow, freezes: world.store.freezes, credentials: world.store.credentials },
    world: chatWorld(),
    spoken: '/countersign ',
    log: { error: (_fields, message) => void faults.push(message) },
    ...change,
  });
  const chatWorld = () => {
    const silent = () => {};
    return createChatWorld({
      ...{ tenant: world.tenant, publicUrl: 'http://localhost:8080', notice: null, flow: world.flow, store: world.store, cooldownSeconds: 0 },
      log: { debug: silent, info: silent, warn: silent, error: silent },
    });
  };
  const say = async (name: string, text: string, change: Partial<CommandDeps> = {}, account: Partial<AccountFacts> = {}): Promise<string> =>
    (await handleCommand(deps(change), readCommand(text) ?? { kind: 'help' }, () => Promise.resolve({ ...facts(name), ...account }))).text;
  const inForce = () => world.store.freezes.list(world.tenant, { open: true, limit: 100 });
  const idIn = (text: string): string => /fz_[0-9a-f-]{36}/.exec(text)?.[0] ?? 'none';

  test('A6: who may freezes, who placed it or stands behind it does not lift it, a second person does', async () => {
    await world.open();
    const placed = await say('bob', 'freeze actor retrainer because it loops');
    expect(placed).toContain('Frozen: actor retrainer.');
    expect(placed).toContain('It holds 1 request that');
    const id = idIn(placed);
    expect(await inForce()).toMatchObject([{ id, scope: { actor: 'retrainer' }, reason: 'it loops', placed_by: { id: world.people.bob } }]);
    expect(await say('alice', 'freezes')).toContain(`${id}: actor retrainer (Bob Example, `);
    expect(await say('bob', `unfreeze ${id}`)).toBe('Nothing was lifted. Lifting a freeze is for administrators and members of "freeze_lifters".');
    expect(await say('dana', `unfreeze ${id}`)).toContain('Nothing was lifted. You stand behind what is frozen.');
    expect(await inForce()).toHaveLength(1);
    expect(await say('carol', `unfreeze ${id} mended`)).toBe(`Lifted: actor retrainer, which Bob Example froze.\nFreeze: ${id}`);
    expect(await say('carol', `unfreeze ${id}`)).toContain('Nothing was lifted. This freeze is not in force any more.');
    expect(await world.store.freezes.get(world.tenant, id)).toMatchObject({ lifted_by: { id: world.people.carol }, lift_reason: 'mended' });
    expect(await say('alice', 'freezes')).toBe('Nothing is frozen.');
  });

  test('A6: an administrator does not lift a freeze of their own', async () => {
    const id = idIn(await say('olivia', 'freeze everything'));
    expect(await say('olivia', `unfreeze ${id}`)).toBe('Nothing was lifted. You placed this freeze. Somebody else has to lift it.');
    expect(await inForce()).toHaveLength(1);
    expect(await say('carol', `unfreeze ${id}`)).toContain('Lifted: everything');
  });

  test.each<[string, string, Partial<AccountFacts>, string]>([
    ['who may not', 'alice', {}, 'Freezing is for administrators'],
    ['an account of nobody', 'mallory', {}, 'belongs to nobody'],
    ['a guest', 'olivia', { guest: true }, 'Guests'],
    ['a bot', 'olivia', { bot: true }, 'Bots'],
    ['an outsider', 'olivia', { external: true }, 'another organisation'],
    ['a deactivated account', 'olivia', { active: false }, 'deactivated'],
  ])('A6, C5: %s freezes nothing, and is told why', async (_what, name, account, words) => {
    for (const [command, nothing] of [
      ['freeze everything', 'Nothing was frozen. '],
      [`unfreeze ${ID}`, 'Nothing was lifted. '],
    ] as const) {
      const text = await say(name, command, {}, account);
      expect(text.startsWith(nothing)).toBe(true);
      if (command === 'freeze everything') expect(text).toContain(words);
    }
    expect(await inForce()).toEqual([]);
  });

  test('A6: a fault before anything was done says that nothing was, and one at the commit does not', async () => {
    const away = () => Promise.reject(new Error('the database did not answer'));
    const unknown = await say('olivia', 'freeze everything', { links: { ...deps().links, find: away } });
    expect(unknown).toContain('so nothing was frozen');
    expect(unknown).toContain('countersign freeze --everything');
    const lost = await say('olivia', 'freeze everything', { freezes: { ...deps().freezes, freezes: { ...world.store.freezes, place: away } } });
    expect(lost).toContain('it is not known whether it was done');
    expect(lost).toContain('countersign freeze --everything');
    expect(faults).toHaveLength(2);
    expect(await inForce()).toEqual([]);
  });

  test('A6: text of others in an answer is seen whole, forges no line of ours, and stays within what a platform shows', async () => {
    const forged = 'x\nLifted: everything, which Olivia Example froze.\n\u202e\u200b';
    const placed = await say('olivia', `freeze action iam.* ${forged}`);
    expect(placed.split('\n').filter((line) => line.startsWith('Lifted'))).toEqual([]);
    expect(placed).toContain('⏎ Lifted');
    const ids = [idIn(placed)];
    for (let n = 0; n < 15; n += 1) ids.push(idIn(await say('olivia', `freeze action a${n}.* ${'\u202e'.repeat(600)}`)));
    const list = await say('alice', 'freezes');
    expect(list.length).toBeLessThan(3_000);
    expect(list).toMatch(/and \d+ more: http:\/\/localhost:8080$/);
    expect(list).not.toMatch(/[\u202e\u200b]/);
    for (const id of ids) await say('carol', `unfreeze ${id}`);
    expect(await inForce()).toEqual([]);
  });

  test('help asks nobody who they are', async () => {
    const help = await handleCommand(deps(), { kind: 'help' }, () => Promise.reject(new Error('asked')));
    expect(help.text).toContain('/countersign unfreeze ID');
    const unclear = await handleCommand(deps(), { kind: 'unclear', why: 'Say what.' }, () => Promise.reject(new Error('asked')));
    expect(unclear.text).toContain('Say what. Nothing was changed.');
  });
});
