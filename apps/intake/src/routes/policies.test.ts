import { readFile } from 'node:fs/promises';
import {
  activatedPolicySchema,
  policyComparisonSchema,
  policyHistorySchema,
  policyListSchema,
  policySchema,
  policyStatusSchema,
  problemSchema,
} from '@countersign/contracts';
import { createPolicySource, open } from '@countersign/core/flow';
import { openStore } from '@countersign/store';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, EXPORT, type Name, type Reply } from '../testing/api-world.js';

const quickstart = await readFile(new URL('../../../server/src/quickstart/policy.yaml', import.meta.url), 'utf8');
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();

/** Adds a rule that denies; the number tells bundles apart. */
const stricter = (number: number): string =>
  `${quickstart}\n  - id: no-deletion-${number}\n    effect: deny\n    actions: [thing.delete-${number}]\n    explain: Never\n`;
/** Takes the rule of customer data away. */
const looser = (number: number): string =>
  quickstart
    .replace('version: 1', `version: loose-${number}`)
    .replace('- id: customer-data', '- id: customer-data-no-more')
    .replace('actions: [data.export]', 'actions: [data.export.other]');

let world: ApiWorld;
const as = (name: Name): string => world.tokens[name];
const upload = (text: string, token = as('olivia')) => world.call('POST', '/v1/policies', { as: token, body: { files: [{ path: 'policy.yaml', text }] } });
const activate = (digest: string, token = as('olivia'), body: object = {}) => world.call('POST', `/v1/policies/${digest}/activate`, { as: token, body });
const stored = async (text: string): Promise<string> => (await upload(text)).json.policy_digest;
const active = async (): Promise<string> => (await world.call('GET', '/v1/policies/active', { as: world.key })).json.policy_digest;
const makeAdministrator = (who: Name) => world.sql(`UPDATE directory_people SET roles = '{administrator}' WHERE id = '${world.people[who].id}'`);
const requestOf = async (id: string) => (await world.call('GET', `/v1/action-requests/${id}`, { as: as('olivia') })).json;

describe('B1: policies by API, with one administrator', () => {
  beforeAll(async () => {
    world = await createApiWorld();
  });
  afterAll(() => world.close());

  test('B1: a bundle is stored by its digest, listed, and read; it is not in force until it is activated', async () => {
    const before = await active();
    const reply = await upload(stricter(1));
    expect(codeOf(reply)).toBe('201');
    const bundle = policySchema.parse(reply.json);
    expect(bundle).toMatchObject({ in_force: false, name: 'quickstart' });
    expect(bundle.rules.map(({ id }) => id)).toContain('no-deletion-1');
    expect(await active()).toBe(before);
    expect((await upload(stricter(1))).json.policy_digest).toBe(bundle.policy_digest);
    const list = policyListSchema.parse((await world.call('GET', '/v1/policies', { as: as('olivia') })).json);
    expect(list.data.filter(({ policy_digest }) => policy_digest === bundle.policy_digest)).toHaveLength(1);
    expect((await world.call('GET', `/v1/policies/${bundle.policy_digest}`, { as: as('olivia') })).json.canonical).toBe(bundle.canonical);
  });

  test('B4: a draft is replayed over past requests, by who sees all, and nothing is stored', async () => {
    const { id } = await world.pending();
    const replay = (text: string, token = as('olivia')) =>
      world.call('POST', '/v1/policies/replay', { as: token, body: { files: [{ path: 'draft.yaml', text }], days: 7 } });
    const before = await active();
    const draft = looser(0);
    expect(draft).not.toBe(quickstart);
    const reply = await replay(draft);
    const comparison = policyComparisonSchema.parse(reply.json);
    expect(comparison.transitions).toEqual([{ from: 'require', to: 'allow', direction: 'looser', count: 1, examples: [id] }]);
    expect(comparison).toMatchObject({ from: before, loosens: true, replayed: 1 });
    expect(codeOf(await world.call('GET', `/v1/policies/${comparison.to}`, { as: as('olivia') }))).toBe('404 not_found');
    expect(codeOf(await replay(draft, as('alice')))).toBe('403 forbidden');
    expect(codeOf(await replay('rules: 5'))).toBe('422 policy_invalid');
    expect(await active()).toBe(before);
  });

  test('B1: a bad bundle is refused with file, line and column, and changes nothing', async () => {
    const before = await active();
    const reply = await upload(quickstart.replace('effect: deny', 'effect: refuse'));
    expect(codeOf(reply)).toBe('422 policy_invalid');
    const [problem] = problemSchema.parse(reply.json).problems ?? [];
    expect(problem).toMatchObject({ file: 'policy.yaml', line: expect.any(Number), column: expect.any(Number) });
    expect(quickstart.split('\n')[(problem?.line ?? 0) - 1]).toContain('effect: deny');
    expect(codeOf(await activate(`sha256:${'0'.repeat(64)}`))).toBe('404 not_found');
    expect(await active()).toBe(before);
  });

  test('B1: what is activated judges the next request, and the history says who did it and why', async () => {
    const digest = await stored(stricter(2));
    const before = await active();
    const reply = await activate(digest, as('olivia'), { reason: 'Nothing of this is ever deleted' });
    expect(activatedPolicySchema.parse(reply.json)).toMatchObject({ policy_digest: digest, previous: before, in_force: true, comparison: { loosens: false } });
    expect((await world.submit({ action: 'thing.delete-2' })).json).toMatchObject({ status: 'denied', evaluation: { policy_digest: digest } });
    const [latest] = policyHistorySchema.parse((await world.call('GET', '/v1/policies/history', { as: as('olivia') })).json).data;
    expect(latest).toMatchObject({
      policy_digest: digest,
      previous: before,
      in_force: true,
      activated_by: world.people.olivia.id,
      origin: { kind: 'api', person: { email: 'olivia@example.com' }, reason: 'Nothing of this is ever deleted' },
    });
    expect((await activate(digest)).json).toMatchObject({ in_force: true, comparison: null });
  });

  test('B1: one call goes back to what was in force before', async () => {
    const [first, second] = [await active(), await stored(stricter(3))];
    await activate(second);
    const back = await world.call('POST', '/v1/policies/rollback', { as: as('olivia'), body: {} });
    expect(back.json).toMatchObject({ policy_digest: first, previous: second, in_force: true });
    expect(await active()).toBe(first);
    const [latest] = (await world.call('GET', '/v1/policies/history', { as: as('olivia') })).json.data;
    expect(latest.origin.kind).toBe('rollback');
  });

  test('B1: only administrators change policies, by a credential that says so; callers and others do not', async () => {
    const digest = await stored(stricter(4));
    for (const token of [as('dana'), world.key, await world.newToken('olivia', ['read', 'decide'])]) {
      expect(codeOf(await upload(stricter(4), token))).toBe('403 forbidden');
      expect(codeOf(await activate(digest, token))).toBe('403 forbidden');
      expect(codeOf(await world.call('POST', '/v1/policies/rollback', { as: token, body: {} }))).toBe('403 forbidden');
      expect(codeOf(await world.call('POST', '/v1/policies/sync', { as: token }))).toBe('403 forbidden');
    }
    expect(codeOf(await world.call('GET', '/v1/policies/history', { as: as('dana') }))).toBe('403 forbidden');
  });

  test('B1: a second process judges by it at once, and what it planned on the old bundle does not commit', async () => {
    const other = openStore({ url: world.appUrl, connections: 2 });
    try {
      const flow = { ...world.flow, requests: other.requests, policies: createPolicySource(other.policies) };
      const caller = {
        tenant: 'default',
        key_id: (await world.newKey()).id,
        name: 'other',
        owner: world.people.dana.id,
        rights: { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: [], redeem: true },
        authenticated: { issuer: 'test', method: 'api_key' as const, at: world.flow.clock.now() },
      };
      const digest = await stored(stricter(5));
      // The other process has read the old bundle, and has not committed when the new one is put in force.
      const commit = other.requests.open;
      let raced = false;
      flow.requests = {
        ...other.requests,
        async open(planned) {
          if (!raced) {
            raced = true;
            expect((await activate(digest)).status).toBe(200);
          }
          return commit(planned);
        },
      };
      const outcome = await open(flow, {
        caller,
        submission: { ...EXPORT, action: 'thing.delete-5', actor: { type: 'agent', id: 'retrainer' } },
        idempotency_key: 'two-processes',
        fingerprint: `sha256:${'1'.repeat(64)}`,
      });
      expect(outcome).toMatchObject({ kind: 'opened', answer: { status: 'denied', evaluation: { policy_digest: digest } } });
    } finally {
      await other.close();
    }
  });

  test('B1: status says what is in force; nobody sees a source that there is not', async () => {
    const status = policyStatusSchema.parse((await world.call('GET', '/v1/policies/status', { as: as('olivia') })).json);
    expect(status).toMatchObject({ in_force: { policy_digest: await active() }, sources: [] });
    expect(codeOf(await world.call('POST', '/v1/policies/sync', { as: as('olivia') }))).toBe('404 not_found');
  });

  test('B1: alone, an administrator loosens without a second one: there is none', async () => {
    const reply = await activate(await stored(looser(0)));
    expect(reply.json).toMatchObject({ in_force: true, comparison: { loosens: true }, change: null });
    expect(reply.json.comparison.reasons).toContain('The rule customer-data was removed.');
  });
});

describe('B4: a loosening needs a second person', () => {
  beforeEach(async () => {
    world = await createApiWorld();
    await makeAdministrator('carol');
    world.tokens.carol = await world.newToken('carol', ['read', 'decide', 'admin']);
    await world.submit();
  });
  afterEach(() => world.close());

  async function proposed(
    number = 1,
  ): Promise<{ digest: string; change: { id: string; action_request: string }; request: { id: string; request_digest: string } }> {
    const digest = await stored(looser(number));
    const reply = await activate(digest, as('olivia'), { reason: 'The team wants it' });
    expect(reply.status).toBe(202);
    const { change } = activatedPolicySchema.parse(reply.json);
    if (change === null) throw new Error('no change');
    return { digest, change, request: await requestOf(change.action_request) };
  }
  const changeOf = async (id: string) => (await world.call('GET', `/v1/config-changes/${id}`, { as: as('carol') })).json;

  test('B4: it waits for another administrator, who sees what it would have changed; then it is in force, once', async () => {
    const before = await active();
    const { digest, change, request } = await proposed();
    expect(await active()).toBe(before);
    expect(request).toMatchObject({
      status: 'pending',
      action: 'countersign.policy.activate',
      actor: { type: 'person', id: 'olivia@example.com' },
      requester: { type: 'person', id: world.people.olivia.id },
      parameters: {
        policy_digest: digest,
        in_force: before,
        transitions: ['1 × require → allow (looser)'],
        why_it_may_loosen: expect.arrayContaining(['The rule customer-data was removed.']),
      },
    });
    // Neither who proposed it nor who is no administrator.
    expect(codeOf(await world.decide(as('olivia'), request, 'approve'))).toBe('403 self_approval');
    expect(codeOf(await world.decide(as('alice'), request, 'approve'))).toBe('403 not_an_approver');
    expect(codeOf(await world.decide(world.key, request, 'approve'))).toBe('403 decider_not_allowed');
    expect(await world.settleChanges()).toBe(0);
    expect(codeOf(await world.decide(as('carol'), request, 'approve'))).toBe('201');
    expect(await active()).toBe(before);
    expect(await world.settleChanges()).toBe(1);
    expect(await world.settleChanges()).toBe(0);
    expect(await active()).toBe(digest);
    expect(await changeOf(change.id)).toMatchObject({ state: 'applied', proposed_by: { email: 'olivia@example.com' } });
    expect(await requestOf(request.id)).toMatchObject({ report: { result: 'succeeded' } });
    const [latest] = (await world.call('GET', '/v1/policies/history', { as: as('carol') })).json.data;
    expect(latest.origin).toMatchObject({
      kind: 'api',
      person: { email: 'olivia@example.com' },
      approved_by: [{ email: 'carol@example.com' }],
      change: change.id,
      reason: 'The team wants it',
    });
    expect(codeOf(await world.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: as('carol') }))).toBe('409 not_revocable');
  });

  test('B4: denied, expired and revoked changes change nothing', async () => {
    const before = await active();
    const denied = await proposed(1);
    await world.decide(as('carol'), denied.request, 'deny');
    const revoked = await proposed(2);
    await world.decide(as('carol'), revoked.request, 'approve');
    await world.call('POST', `/v1/action-requests/${revoked.request.id}/revoke`, { as: as('carol') });
    const late = await proposed(3);
    await world.decide(as('carol'), late.request, 'approve');
    await world.sql(`UPDATE action_requests SET use_until = now() - interval '1 second' WHERE id = '${late.request.id}'`);
    await world.settleChanges();
    const states = await Promise.all([denied, revoked, late].map(async ({ change }) => (await changeOf(change.id)).state));
    expect(states).toEqual(['denied', 'withdrawn', 'expired']);
    expect(await active()).toBe(before);
  });

  test('B4: what only tightens is in force at once', async () => {
    expect((await activate(await stored(stricter(9)))).json).toMatchObject({ in_force: true, comparison: { loosens: false, reasons: [] } });
  });

  test('B4: an approval does not put in force what was compared with something else', async () => {
    const { request, change } = await proposed();
    const meanwhile = await stored(stricter(10));
    expect((await activate(meanwhile)).json.in_force).toBe(true);
    await world.decide(as('carol'), request, 'approve');
    await world.settleChanges();
    expect(await changeOf(change.id)).toMatchObject({ state: 'failed' });
    expect(await requestOf(request.id)).toMatchObject({ report: { result: 'failed' } });
    expect(await active()).toBe(meanwhile);
  });

  test.each([
    ['the stored payload', `UPDATE config_changes SET sealed_payload = (SELECT sealed_payload FROM config_changes x WHERE x.id <> config_changes.id LIMIT 1)`],
    ['its digest', `UPDATE config_changes SET payload_digest = 'sha256:${'0'.repeat(64)}'`],
    ['its kind', `UPDATE config_changes SET kind = 'other.kind'`],
  ])('B4: %s altered in the database is not put into effect', async (_what, sql) => {
    const before = await active();
    const { request, change } = await proposed(1);
    await proposed(2);
    await world.decide(as('carol'), request, 'approve');
    await world.sql(`${sql} WHERE id = '${change.id}'`);
    await world.settleChanges().catch(() => 0);
    expect((await changeOf(change.id)).state).not.toBe('applied');
    expect(await active()).toBe(before);
  });

  test('B4: a freeze holds an approved change; lifted, it goes on', async () => {
    const before = await active();
    const { digest, request } = await proposed();
    await world.decide(as('carol'), request, 'approve');
    const freeze = await world.call('POST', '/v1/freezes', { as: as('olivia'), body: { scope: { action: 'countersign.*' }, reason: 'Wait' } });
    expect(await world.settleChanges()).toBe(0);
    expect(await active()).toBe(before);
    expect(codeOf(await activate(await stored(looser(4))))).toBe('423 frozen');
    await world.call('DELETE', `/v1/freezes/${freeze.json.id}`, { as: as('carol') });
    await world.sql('UPDATE config_changes SET leased_until = NULL');
    expect(await world.settleChanges()).toBe(1);
    expect(await active()).toBe(digest);
  });

  test('B4: a worker that died in the middle is taken over, and the change happens once', async () => {
    const { digest, request } = await proposed();
    await world.decide(as('carol'), request, 'approve');
    const real = world.appliers['policy.activate'];
    if (real === undefined) throw new Error('no applier');
    world.appliers['policy.activate'] = async (change) => {
      await real(change);
      throw new Error('killed after it took effect');
    };
    await expect(world.settleChanges()).rejects.toThrow('killed');
    expect(codeOf(await world.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: as('carol') }))).toBe('409 not_revocable');
    // Its lease is over.
    await world.sql('UPDATE config_changes SET leased_until = now()');
    let calls = 0;
    world.appliers['policy.activate'] = (change) => {
      calls += 1;
      return real(change);
    };
    expect(await Promise.all([world.settleChanges(), world.settleChanges()])).toContain(1);
    expect(calls).toBe(1);
    const history = (await world.call('GET', '/v1/policies/history', { as: as('carol') })).json.data;
    expect(history.filter(({ policy_digest }: { policy_digest: string }) => policy_digest === digest)).toHaveLength(1);
  });

  test('B4: the owner of the policy in force approves, not the one that the new text names', async () => {
    const owned = await stored(stricter(11).replace('version: 1', 'version: 1\n  owner: group:security'));
    const reply = await activate(owned);
    await world.decide(as('carol'), await requestOf(reply.json.change.action_request), 'approve');
    await world.settleChanges();
    expect(await active()).toBe(owned);
    const usurped = await stored(looser(5).replace('version: loose-5', 'version: loose-5\n  owner: group:data-owners'));
    const change = (await activate(usurped)).json.change;
    const request = await requestOf(change.action_request);
    expect(request.requirement.stages[0].all[0].group).toBe('security');
    expect(codeOf(await world.decide(as('alice'), request, 'approve'))).toBe('403 not_an_approver');
    expect(codeOf(await world.decide(as('bob'), request, 'approve'))).toBe('201');
  });

  test('B4: a caller cannot ask for such an action itself', async () => {
    expect(codeOf(await world.submit({ action: 'countersign.policy.activate' }))).toBe('403 action_not_allowed');
    expect(codeOf(await world.submit({ action: 'Countersign.policy.activate' }))).toBe('403 action_not_allowed');
  });
});
