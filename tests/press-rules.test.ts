import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ApprovalWorld, createApprovalWorld, type PersonName } from '@countersign/dev-env/approval-world';
import { cardOf } from '@countersign/core/card';
import { asOfNow } from '@countersign/core/flow';
import type { DirectorySnapshot } from '@countersign/core/ports';

/* What may change between a request and its press, and what an attacker would change: the rules of a decision on the real store. */

let world: ApprovalWorld;
beforeEach(async () => {
  world = await createApprovalWorld();
});
afterEach(async () => {
  await world.close();
});

const PRIVILEGE = { action: 'iam.grant', resource: { type: 'role', id: 'admin' }, parameters: { to: 'svc-7' } };

async function press(person: PersonName, requestId: string, verdict: 'approve' | 'deny' = 'approve'): Promise<string> {
  const outcome = await world.decide(person, requestId, verdict);
  return outcome.kind === 'refused' ? outcome.code : outcome.state.request.status;
}

/** The directory with these group members instead. */
const withGroup = (name: string, members: string[]) => (now: DirectorySnapshot) => ({
  ...now,
  groups: [...now.groups.filter((group) => group.name !== name), { name, members }],
});

test('B2: a policy that became stricter between request and press demands what it demands now', async () => {
  const request = await world.open();
  await world.policy((text) =>
    text.replace(
      '- all: [{ group: data-owners, quorum: 1 }]\n      timeout: 4h',
      '- all: [{ group: data-owners, quorum: 1 }, { group: security, quorum: 1 }]\n      timeout: 4h',
    ),
  );
  expect(await press('alice', request.id)).toBe('pending');
  expect(await press('carol', request.id)).toBe('approved');
  const { decisions, request: stored } = await world.state(request.id);
  expect(new Set(decisions.map((decision) => decision.policy_digest)).size).toBe(1);
  expect(decisions[0]?.policy_digest).not.toBe(stored.policy_digest);
});

test('B2: a policy that became looser does not loosen a request that is open', async () => {
  const request = await world.open(PRIVILEGE);
  await world.policy((text) => text.replace('actions: [iam.*] #', 'actions: [never.asked] #'));
  expect(await press('alice', request.id)).toBe('pending');
  expect(await press('carol', request.id)).toBe('approved');
});

test('B2, A5: what the policy in force denies is not approved, though it was asked under another', async () => {
  const request = await world.open();
  await world.policy((text) =>
    text.replace(
      '- id: customer-data\n    effect: require',
      '- id: no-exports\n    effect: deny\n    actions: [data.export]\n    explain: No exports\n\n  - id: customer-data\n    effect: require',
    ),
  );
  expect(await press('alice', request.id)).toBe('policy_changed');
  expect((await world.state(request.id)).request.status).toBe('pending');
});

test('I3: the card of a waiting request asks for what the policy in force needs, and says that it changed', async () => {
  const request = await world.open();
  const card = async () => cardOf(await asOfNow(world.flow, await world.state(request.id)), { publicUrl: 'http://localhost', notice: null });
  const before = await card();
  expect(before.demands).toBeUndefined();
  await world.policy((text) =>
    text.replace(
      '- all: [{ group: data-owners, quorum: 1 }]\n      timeout: 4h',
      '- all: [{ group: data-owners, quorum: 2 }]\n      veto: [security]\n      obligations: { ticket: { pattern: "CHG-[0-9]+" } }\n      timeout: 4h',
    ),
  );
  const now = await card();
  expect(now.warnings[0]).toContain('needs more now');
  expect(now).toMatchObject({ waiting_for: '2 of data-owners', demands: { tickets: ['CHG-[0-9]+'] } });
  expect(now.facts).toEqual(expect.arrayContaining([{ label: 'Veto', value: 'One denial by security denies' }]));
  // What is decided on is what was asked.
  expect([now.request_digest, now.view_digest]).toEqual([before.request_digest, before.view_digest]);
  expect(await press('alice', request.id)).toBe('ticket_required');
  expect(await press('carol', request.id, 'deny')).toBe('denied');
});

test('A5: the card of a waiting request that the policy in force denies says so', async () => {
  const request = await world.open();
  await world.policy((text) =>
    text.replace(
      '- id: customer-data\n    effect: require',
      '- id: no-exports\n    effect: deny\n    actions: [data.export]\n    explain: No exports\n\n  - id: customer-data\n    effect: require',
    ),
  );
  const { request: shown } = await asOfNow(world.flow, await world.state(request.id));
  expect(shown.warnings[0]).toContain('denies it now');
});

test('C4: a change of the directory between request and press opens no road to self-approval', async () => {
  const request = await world.open();
  // Dana is made a data owner, and the agent is given to somebody else.
  await world.directory((now) => ({
    ...withGroup('data-owners', [world.people.dana, world.people.alice])(now),
    agents: [{ id: 'retrainer', owner: world.people.carol, active: true }],
  }));
  expect(await press('dana', request.id)).toBe('self_approval');
});

test('C4: an administrator who is in no group approves nothing by rank', async () => {
  const request = await world.open();
  expect(await press('olivia', request.id)).toBe('not_an_approver');
});

test('C4: who stands behind a request cannot deny it either, and an approver of it cannot be the one who acts', async () => {
  const request = await world.open({ actor: { type: 'person', id: 'ALICE@example.com' } });
  expect(await press('alice', request.id)).toBe('self_approval');
  expect(await press('dana', request.id, 'deny')).toBe('self_approval');
  expect(await press('bob', request.id)).toBe('approved');
});

test('C4: another spelling of an address is the same human', async () => {
  const request = await world.open({ actor: { type: 'agent', id: 'other-agent', on_behalf_of: { type: 'person', id: '  Alice@EXAMPLE.com ' } } });
  expect(await press('alice', request.id)).toBe('self_approval');
});

test('C5: an approver who left, or left the group, decides nothing from that moment on', async () => {
  const request = await world.open();
  await world.directory(withGroup('data-owners', [world.people.bob]));
  expect(await press('alice', request.id)).toBe('not_an_approver');
  await world.deactivate('bob');
  expect(await press('bob', request.id)).toBe('account_inactive');
});

test('I3: the approval of somebody who left before the quorum was reached does not count', async () => {
  const request = await world.open(PRIVILEGE);
  expect(await press('alice', request.id)).toBe('pending');
  await world.deactivate('alice');
  expect(await press('carol', request.id)).toBe('pending');
  expect(await press('bob', request.id)).toBe('approved');
});

test('I3: an approval counts only for groups that its person is still in', async () => {
  const request = await world.open(PRIVILEGE);
  expect(await press('bob', request.id)).toBe('pending');
  await world.directory(withGroup('data-owners', [world.people.alice]));
  // Bob counts for security alone now, so carol's approval adds nothing to it, and a data owner is still needed.
  expect(await press('carol', request.id)).toBe('pending');
  expect(await press('alice', request.id)).toBe('approved');
});

test('I2: of a hundred presses by two people at once, each counts once and the request ends once', async () => {
  const request = await world.open(PRIVILEGE);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => press(index % 2 === 0 ? 'alice' : 'carol', request.id)));
  expect(answers.filter((answer) => answer === 'approved')).toHaveLength(1);
  expect(answers.filter((answer) => answer === 'pending')).toHaveLength(1);
  expect(
    answers.filter((answer) => answer !== 'approved' && answer !== 'pending').every((answer) => answer === 'already_decided' || answer === 'already_settled'),
  ).toBe(true);
  const { decisions, outcomes } = await world.state(request.id);
  expect({ decisions: decisions.length, outcomes: outcomes.length }).toEqual({ decisions: 2, outcomes: 1 });
}, 60_000);

test('A5: a press after the end approves nothing, also before any sweep has seen the end', async () => {
  const request = await world.open({ timeout_seconds: 60 }, 120);
  expect(await press('alice', request.id)).toBe('already_settled');
  expect((await world.state(request.id)).request.status).toBe('expired');
});

test('E1: a refusal is an entry of the record, with who tried and why not', async () => {
  const request = await world.open();
  await press('dana', request.id);
  const leaves = await world.store.requests.timeline(world.tenant, request.id);
  expect(leaves.map((leaf) => leaf.event)).toEqual(['action_request.opened', 'decision.refused']);
});
