import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, type Reply } from '../testing/api-world.js';

const RULES = `
  - id: small-reads
    effect: allow
    actions: [read.small]
    expires: 2099-01-01T00:00:00Z
    limit: { count: 5, per: 1h, by: actor.id, on_exceed: require }
  - id: three-in-all
    effect: allow
    actions: [read.few]
    expires: 2099-01-01T00:00:00Z
    limit: { count: 3, per: 1h, on_exceed: deny }
  - id: chained
    effect: require
    actions: [chain.step]
    when: reversibility == "irreversible"
    explain: A chain with something irreversible in it needs people
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
`;
const ACTIONS = ['chain.step', 'chain.look', 'read.small', 'read.few'].map((action) => `    ${action}: { reversibility: reversible }\n`).join('');

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld({
    policy: (text) =>
      `${text.replace('  actions:\n', `    - { type: step, id: '*', reversibility: reversible }\n  actions:\n${ACTIONS}    chain.wipe: { reversibility: irreversible }\n`)}${RULES}`,
  });
});
afterAll(() => world.close());

const ask = (action: string, more: object = {}, as = world.key): Promise<Reply> =>
  world.submit({ action, resource: { type: 'step', id: 's1' }, parameters: undefined, actor: { type: 'agent', id: 'retrainer' }, ...more }, { as });
const statuses = (replies: Reply[]): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const { json } of replies) found[json.status ?? json.code] = (found[json.status ?? json.code] ?? 0) + 1;
  return found;
};

describe('limits', () => {
  test('B1: of requests at once exactly as many pass as the limit says, and the others need people', async () => {
    const replies = await Promise.all(Array.from({ length: 12 }, () => ask('read.small')));
    expect(statuses(replies)).toEqual({ approved: 5, pending: 7 });
    const held = replies.find(({ json }) => json.status === 'pending')?.json;
    expect(held.evaluation.rules).toEqual(['small-reads']);
    expect(held.evaluation.explanation).toContain('is used up: 5 in');
    // Counted by actor: another one has uses of its own.
    expect((await ask('read.small', { actor: { type: 'agent', id: 'other' } })).json.status).toBe('approved');
  });

  test('B1: a limit that denies denies, a replay of one that passed counts nothing', async () => {
    const body = { action: 'read.few', resource: { type: 'step', id: 's1' }, parameters: undefined, actor: { type: 'agent', id: 'retrainer' } };
    const first = await world.submit(body, { key: 'limited-replay' });
    for (let again = 0; again < 4; again++) expect((await world.submit(body, { key: 'limited-replay' })).json.id).toBe(first.json.id);
    expect(statuses([first, await ask('read.few'), await ask('read.few'), await ask('read.few'), await ask('read.few')])).toEqual({ approved: 3, denied: 2 });
  });

  test('B1: uses fall out of the window with time, by the clock of the database', async () => {
    expect((await ask('read.small')).json.status).toBe('pending');
    await world.sql(
      `UPDATE limit_uses SET at = at - interval '61 minutes' WHERE ctid IN (SELECT ctid FROM limit_uses WHERE request_id IN (SELECT id FROM action_requests WHERE action = 'read.small' AND actor_id = 'retrainer') LIMIT 2)`,
    );
    expect(statuses([await ask('read.small'), await ask('read.small'), await ask('read.small')])).toEqual({ approved: 2, pending: 1 });
  });
});

describe('what policy would say', () => {
  const wouldSay = async (action: string, more: object = {}): Promise<string> => {
    const body = { action, resource: { type: 'step', id: 's1' }, actor: { type: 'agent', id: 'retrainer' }, ...more };
    return (await world.call('POST', '/v1/evaluations', { as: world.key, body })).json.evaluation.effect;
  };

  test('B1: it knows what is used up and what a chain has in it, and counts nothing itself', async () => {
    const actor = { type: 'agent', id: 'counted' };
    for (let time = 0; time < 8; time++) expect(await wouldSay('read.small', { actor })).toBe('allow');
    for (let time = 0; time < 5; time++) expect((await ask('read.small', { actor })).json.status).toBe('approved');
    expect(await wouldSay('read.small', { actor })).toBe('require');
    await ask('chain.wipe', { context: { chain_id: 'asked' } });
    expect([await wouldSay('chain.step', { context: { chain_id: 'asked' } }), await wouldSay('chain.step')]).toEqual(['require', 'allow']);
  });
});

describe('A7: a chain of actions takes the highest class in it', () => {
  const inChain = (chain_id: string) => ({ context: { chain_id } });

  test('A7: what would pass alone needs people after something irreversible in the same chain', async () => {
    expect((await ask('chain.step', inChain('a'))).json).toMatchObject({ status: 'approved' });
    expect((await ask('chain.wipe', inChain('a'))).status).toBe(201);
    expect((await ask('chain.step', inChain('a'))).json).toMatchObject({ status: 'pending', evaluation: { rules: ['chained'] } });
    expect((await ask('chain.step', inChain('b'))).json).toMatchObject({ status: 'approved' });
    expect((await ask('chain.step')).json).toMatchObject({ status: 'approved' });
  });

  test('A7: a chain is one caller’s: another cannot raise or lower it', async () => {
    const other = (await world.newKey({ name: 'other' })).key;
    await ask('chain.wipe', inChain('shared'), other);
    expect((await ask('chain.step', inChain('shared'))).json.status).toBe('approved');
    expect((await ask('chain.step', inChain('shared'), other)).json.status).toBe('pending');
  });
});
