import { patternListSchema, patternSchema } from '@countersign/contracts';
import { openLeaf } from '@countersign/core/ledger';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, type Reply } from '../testing/api-world.js';

const ALIKE = `
  - id: restarts
    effect: require
    actions: [service.restart]
    explain: Restarts need somebody
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      via: [web, api]
      alike: { pin: [parameters.service], max_uses: 5, max_ttl: 1d }
  - id: drains
    effect: require
    actions: [service.drain]
    require:
      stages:
        - all: [{ group: data-owners, quorum: 2 }]
      via: [web, api]
      alike: { pin: [parameters.service], max_uses: 5, max_ttl: 1d }
  - id: patches
    effect: require
    actions: [service.patch]
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      via: [web, api]
      obligations: { ticket: { pattern: "CHG-[0-9]+", field: context.ticket } }
      alike: { pin: [parameters.hosts.first], max_uses: 5, max_ttl: 1d }
  - id: deploys
    effect: require
    actions: [service.deploy]
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      via: [web, api]
`;
const withRules =
  (rules: string) =>
  (text: string): string =>
    `${text}${rules}`;
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();

let world: ApiWorld;
let quickstart = '';
beforeAll(async () => {
  world = await createApiWorld({
    policy: (text) => {
      quickstart = text;
      return withRules(ALIKE)(text);
    },
  });
});
afterAll(() => world.close());

const RESTART = {
  action: 'service.restart',
  resource: { type: 'service', id: 'billing' },
  parameters: { service: 'billing', node: 'n1', options: { grace_seconds: 5 } },
  actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana@example.com' } },
  environment: 'production',
};
const ask = (more: object = {}, as = world.key): Promise<Reply> => world.submit({ ...RESTART, ...more }, { as });
const approve = (request: { id: string; request_digest: string }, alike: object | undefined, as = world.tokens.alice) =>
  world.call('POST', `/v1/action-requests/${request.id}/decisions`, {
    as,
    body: { verdict: 'approve', request_digest: request.request_digest, ...(alike === undefined ? {} : { alike }) },
  });
const TERMS = { pin: ['parameters.service'], uses: 3, ttl_seconds: 3600 };
const patterns = async (as = world.tokens.alice, query = '') => patternListSchema.parse((await world.call('GET', `/v1/patterns${query}`, { as })).json).data;

/** A pattern of a resource of its own, so that tests do not use each other's. */
async function approvedAlike(
  id: string,
  terms: object = TERMS,
): Promise<{ request: string; pattern: string; again: (more?: object, as?: string) => Promise<Reply> }> {
  const again = (more: object = {}, as = world.key): Promise<Reply> => ask({ resource: { type: 'service', id }, ...more }, as);
  const request = (await again()).json;
  expect(request.status).toBe('pending');
  expect(codeOf(await approve(request, terms))).toBe('201');
  const made = (await patterns()).find(({ action_request }) => action_request === request.id);
  if (made === undefined) throw new Error('no pattern');
  return { request: request.id, pattern: made.id, again };
}
const usedUp = (reply: Reply): [string, string | undefined] => [reply.json.status, reply.json.pattern?.id];

describe('B6: approving alike', () => {
  test('B6: what fits passes without asking, as often as was approved; then people are asked again', async () => {
    const { request, pattern, again } = await approvedAlike('counted');
    const first = await again({ parameters: { service: 'billing', node: 'n2', options: { grace_seconds: 9 } } });
    expect(first.json).toMatchObject({
      status: 'approved',
      evaluation: { effect: 'require', rules: ['restarts'] },
      decisions: [],
      pattern: { id: pattern, action_request: request, approved_by: [{ email: 'alice@example.com' }], use: 1, uses: 3 },
      outcome: { status: 'approved', reason: expect.stringContaining(`pattern ${pattern}, use 1 of 3`), grant: expect.any(String) },
    });
    expect([usedUp(await again()), usedUp(await again()), usedUp(await again())]).toEqual([
      ['approved', pattern],
      ['approved', pattern],
      ['pending', undefined],
    ]);
    expect((await patterns(world.tokens.alice, '?state=all')).find(({ id }) => id === pattern)).toMatchObject({ state: 'used_up', used: 3, uses: 3 });
    const { outcome } = (await world.call('GET', `/v1/previews/web/${first.json.id}`, { as: world.tokens.alice })).json;
    expect(outcome.text).toContain('Approved alike an earlier request by');
  });

  test('B6: of uses at once exactly as many pass as were approved', async () => {
    const { again } = await approvedAlike('raced');
    const replies = await Promise.all(Array.from({ length: 9 }, () => again()));
    expect(replies.filter(({ json }) => json.status === 'approved')).toHaveLength(3);
    expect(replies.filter(({ json }) => json.status === 'pending')).toHaveLength(6);
    // Each use is another one.
    expect(replies.flatMap(({ json }) => json.pattern?.use ?? []).toSorted((a: number, b: number) => a - b)).toEqual([1, 2, 3]);
  });

  test.each([
    ['another value of a pinned parameter', { parameters: { service: 'ledger', node: 'n1', options: { grace_seconds: 5 } } }],
    ['a parameter more', { parameters: { ...RESTART.parameters, force: true } }],
    ['a parameter more, deep down', { parameters: { ...RESTART.parameters, options: { grace_seconds: 5, force: true } } }],
    ['a parameter less', { parameters: { service: 'billing', node: 'n1' } }],
    ['a parameter of another type', { parameters: { ...RESTART.parameters, node: ['n1', 'n2'] } }],
    ['no parameters', { parameters: undefined }],
    ['another resource', { resource: { type: 'service', id: 'elsewhere' } }],
    ['a label more', { resource: { type: 'service', id: 'narrow', labels: { tier: '1' } } }],
    ['another actor', { actor: { ...RESTART.actor, id: 'other' } }],
    ['another person behind it', { actor: { ...RESTART.actor, on_behalf_of: { type: 'person', id: 'carol@example.com' } } }],
    ['another environment', { environment: 'staging' }],
    ['another purpose', { purpose: 'something else' }],
  ])('B6: it is never wider than what was asked: %s asks again', async (_what, more) => {
    const { again } = await approvedAlike('narrow');
    expect(usedUp(await again(more))).toEqual(['pending', undefined]);
    expect((await again()).json.status).toBe('approved');
    await world.sql(`UPDATE patterns SET revoked_at = now()`);
  });

  test('B6: another caller does not use it', async () => {
    const { again } = await approvedAlike('callers');
    expect((await again({}, (await world.newKey({ name: 'other' })).key)).json.status).toBe('pending');
  });

  test.each([
    ['a policy that does not let it', 'service.deploy', TERMS],
    ['no pin that policy wants', 'service.restart', { ...TERMS, pin: ['parameters.node'] }],
    ['more uses than policy lets', 'service.restart', { ...TERMS, uses: 6 }],
    ['more time than policy lets', 'service.restart', { ...TERMS, ttl_seconds: 86_401 }],
  ])('B6: %s refuses the pattern, and the decision with it', async (_what, action, terms) => {
    const request = (await ask({ action })).json;
    expect(codeOf(await approve(request, terms))).toBe('422 alike_not_allowed');
    expect((await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key })).json.status).toBe('pending');
  });

  test('B6: it is over with its time, and does not outlive the people who approved it', async () => {
    const timed = await approvedAlike('timed');
    await world.sql(`UPDATE patterns SET expires_at = now() - interval '1 second' WHERE id = '${timed.pattern}'`);
    expect((await timed.again()).json.status).toBe('pending');
    const left = await approvedAlike('left');
    await world.sql(`UPDATE directory_people SET active = false WHERE id = '${world.people.alice.id}'`);
    expect((await left.again()).json.status).toBe('pending');
    await world.sql(`UPDATE directory_people SET active = true WHERE id = '${world.people.alice.id}'`);
    expect((await left.again()).json.status).toBe('approved');
  });

  test('B6: who approved it does not come to stand behind what it lets pass', async () => {
    const { again } = await approvedAlike('chain');
    // Alice owns the agent since.
    await world.sql(`UPDATE directory_agents SET owner = '${world.people.alice.id}' WHERE id = 'retrainer'`);
    expect((await again()).json.status).toBe('pending');
    await world.sql(`UPDATE directory_agents SET owner = '${world.people.dana.id}' WHERE id = 'retrainer'`);
    expect((await again()).json.status).toBe('approved');
  });

  test('B6: who left the group that approves approves no more by a pattern', async () => {
    const { again } = await approvedAlike('moved');
    const inGroup = (is: boolean) =>
      world.sql(`UPDATE directory_memberships SET group_name = '${is ? 'data-owners' : 'former'}' WHERE person_id = '${world.people.alice.id}'
        AND group_name = '${is ? 'former' : 'data-owners'}'`);
    await inGroup(false);
    expect((await again()).json.status).toBe('pending');
    await inGroup(true);
    expect((await again()).json.status).toBe('approved');
  });

  test('B6: where two approve, the last of them alone lets nothing pass unasked', async () => {
    const drain = async () => (await ask({ action: 'service.drain' })).json;
    const request = await drain();
    expect(codeOf(await approve(request, undefined, world.tokens.bob))).toBe('201');
    expect(codeOf(await approve(request, TERMS))).toBe('422 alike_not_allowed');
    expect(codeOf(await approve(request, undefined))).toBe('201');
    expect((await drain()).status).toBe('pending');
    const both = await drain();
    expect(codeOf(await approve(both, { ...TERMS, uses: 2 }, world.tokens.bob))).toBe('201');
    expect(codeOf(await approve(both, TERMS))).toBe('422 alike_not_allowed');
    expect(codeOf(await approve(both, { ...TERMS, uses: 2 }))).toBe('201');
    expect((await drain()).status).toBe('approved');
  });

  test('B6: a grant for somebody else is not what was approved', async () => {
    const { again } = await approvedAlike('audience');
    expect((await again({ grant_audience: 'another-executor' })).json.status).toBe('pending');
    expect((await again()).json.status).toBe('approved');
  });

  test('B6: a ticket that policy wants in each request, and a list that is pinned, are asked of each use', async () => {
    const patch = { action: 'service.patch', parameters: { hosts: ['a'] }, context: { ticket: 'CHG-1' } };
    const request = (await ask(patch)).json;
    expect(codeOf(await approve(request, { ...TERMS, pin: ['parameters.hosts.first'] }))).toBe('201');
    expect((await ask({ ...patch, context: { ticket: 'none' } })).json.status).toBe('pending');
    expect((await ask({ ...patch, parameters: { hosts: ['b'] } })).json.status).toBe('pending');
    expect((await ask(patch)).json.status).toBe('approved');
  });

  test('B6: approvers and administrators revoke it; from then on people are asked', async () => {
    const { pattern, again } = await approvedAlike('revoked');
    const revoke = (as: string) => world.call('DELETE', `/v1/patterns/${pattern}`, { as });
    expect(codeOf(await revoke(world.tokens.carol))).toBe('404 not_found');
    expect(codeOf(await revoke(world.key))).toBe('403 forbidden');
    expect(patternSchema.parse((await revoke(world.tokens.bob)).json)).toMatchObject({ state: 'revoked', revoked_by: { email: 'bob@example.com' } });
    expect(codeOf(await revoke(world.tokens.olivia))).toBe('409 already_lifted');
    expect((await again()).json.status).toBe('pending');
  });

  test('B6: who may approve sees it, and the caller that asked; others do not', async () => {
    const { pattern } = await approvedAlike('seen');
    const seen = async (as: string) => (await patterns(as)).some(({ id }) => id === pattern);
    expect([await seen(world.tokens.bob), await seen(world.tokens.olivia), await seen(world.key)]).toEqual([true, true, true]);
    expect([await seen(world.tokens.carol), await seen((await world.newKey({ name: 'other' })).key)]).toEqual([false, false]);
  });

  test('B6: made, used and revoked are ledger entries, and no pinned value stands in the open', async () => {
    const { request, pattern, again } = await approvedAlike('logged');
    const use = (await again()).json.id;
    await world.call('DELETE', `/v1/patterns/${pattern}`, { as: world.tokens.alice });
    const events = async (subject: string) => (await world.store.requests.timeline('default', subject)).map(({ bytes }) => openLeaf(bytes));
    expect((await events(request)).map(({ event }) => event)).toContain('pattern.created');
    expect((await events(use)).map(({ event }) => event)).toEqual(['action_request.opened', 'outcome.settled', 'grant.issued', 'pattern.used']);
    expect((await events(pattern)).map(({ event }) => event)).toEqual(['pattern.revoked']);
    for (const { facts } of [...(await events(request)), ...(await events(use))]) expect(JSON.stringify(facts)).not.toContain('billing');
  });

  test('A6: a freeze holds what a pattern would let pass', async () => {
    const { again } = await approvedAlike('frozen');
    const freeze = await world.call('POST', '/v1/freezes', { as: world.tokens.olivia, body: { scope: { action: 'service.restart' }, reason: 'x' } });
    expect(codeOf(await again())).toBe('423 frozen');
    await world.sql(`UPDATE freezes SET lifted_at = now() WHERE id = '${freeze.json.id}'`);
    expect((await again()).json.status).toBe('approved');
  });

  test('B6: a policy that does not let it any more, or wants more, asks again; one that wants as much does not', async () => {
    const { again } = await approvedAlike('policy');
    const put = async (rules: string): Promise<void> => {
      const stored = await world.call('POST', '/v1/policies', {
        as: world.tokens.olivia,
        body: { files: [{ path: 'p.yaml', text: withRules(rules)(quickstart) }] },
      });
      if (stored.status !== 201) throw new Error(stored.text);
      expect((await world.call('POST', `/v1/policies/${stored.json.policy_digest}/activate`, { as: world.tokens.olivia, body: {} })).json.in_force).toBe(true);
    };
    await put(ALIKE.replace(/ {6}alike:.*\n/, ''));
    expect((await again()).json.status).toBe('pending');
    await put(ALIKE.replace('quorum: 1 }]', 'quorum: 2 }]'));
    expect((await again()).json.status).toBe('pending');
    await put(ALIKE.replace('[parameters.service]', '[parameters.service, parameters.node]'));
    expect((await again()).json.status).toBe('pending');
    await put(ALIKE.replace('Restarts need somebody', 'Restarts still need somebody'));
    expect((await again()).json.status).toBe('approved');
  });
});
