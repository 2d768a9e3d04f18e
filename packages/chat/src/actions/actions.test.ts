import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Card } from '@countersign/contracts';
import { cardOf } from '@countersign/core/card';
import { noticeOf } from '@countersign/core/flow';
import { type ApprovalWorld, createApprovalWorld, offerEverything, type PersonName } from '@countersign/dev-env/approval-world';
import {
  type ActionAnswer,
  type CardAction,
  type ChatActions,
  createChatActions,
  createChatWorld,
  type Form,
  type FormValues,
  noteOpened,
  pressDepsOf,
} from '../index.js';

/* What people do in a chat besides a press, on the real flows and the real store. */

let world: ApprovalWorld;
let actions: ChatActions;
const faults: string[] = [];
const WORKSPACE = 'T0';
const NAMES: readonly PersonName[] = ['dana', 'alice', 'bob', 'carol', 'olivia'];
const WORDS = 'I have read the runbook.';

beforeAll(async () => {
  const accounts = Object.fromEntries(NAMES.map((name) => [name, [{ platform: 'slack', workspace: WORKSPACE, user: name }]]));
  world = await createApprovalWorld({ accounts });
  await world.policy(offerEverything);
  actions = actionsOn(world.store);
});
afterAll(() => world.close());

const actionsOn = (...world: Parameters<typeof chatOn>): ChatActions => createChatActions(chatOn(...world), 'slack', 'proof');

function chatOn(store: ApprovalWorld['store'], requests?: Pick<ApprovalWorld['store']['requests'], 'state'>) {
  const silent = () => {};
  return createChatWorld({
    ...{ tenant: world.tenant, publicUrl: 'http://localhost:8080', notice: null, flow: world.flow, store, cooldownSeconds: 0 },
    ...(requests === undefined ? {} : { requests }),
    log: { debug: silent, info: silent, warn: silent, error: (_fields, message) => void faults.push(message) },
  });
}

interface Posted {
  id: string;
  digest: string;
  ref: { channel: string; ts: string };
}

let posts = 0;
/** A request whose card stands in a channel. */
async function posted(submission: Parameters<ApprovalWorld['open']>[0] = {}): Promise<Posted> {
  const { id, request_digest } = await world.open(submission);
  posts += 1;
  const ref = { channel: 'C0', ts: `17.${String(posts)}` };
  const card = await world.store.cards.posting({ tenant: world.tenant, platform: 'slack', request_id: id, place: 'C0' });
  await world.store.cards.shown(card, { ref, version: 1, closed: false });
  return { id, digest: request_digest, ref };
}

const pressOf = (name: string, { id, digest, ref }: Posted, change: Partial<Parameters<ChatActions['open']>[1]> = {}): Parameters<ChatActions['open']>[1] => ({
  ref,
  request_id: id,
  request_digest: digest,
  subject: null,
  account: { workspace: WORKSPACE, user: name, active: true, bot: false, guest: false, external: false, email: null, timezone: 'Europe/Berlin' },
  at: new Date().toISOString(),
  ...change,
});

const open = (name: string, action: CardAction, on: Posted, change: Parameters<typeof pressOf>[2] = {}): Promise<ActionAnswer> =>
  actions.open(action, pressOf(name, on, change));
const act = (name: string, action: CardAction, on: Posted, values: FormValues = {}, change: Parameters<typeof pressOf>[2] = {}): Promise<ActionAnswer> =>
  actions.submit(action, pressOf(name, on, change), values);
const codeOf = (answer: ActionAnswer): string => (answer.kind === 'refused' ? answer.code : answer.kind);
const formOf = (answer: ActionAnswer): Form => {
  if (answer.kind !== 'form') throw new Error(`no form: ${JSON.stringify(answer)}`);
  // As both platforms take them.
  const { title, submit, fields } = answer.form;
  expect([title, submit].filter((text) => text.length > 24)).toEqual([]);
  expect(fields.map(({ id }) => id).filter((id) => !/^\w+$/.test(id))).toEqual([]);
  return answer.form;
};
const cardNow = async ({ id }: Posted): Promise<Card> => cardOf(await world.state(id), { publicUrl: 'http://localhost:8080', notice: null });
const events = async ({ id }: Posted): Promise<string[]> => (await world.store.requests.timeline(world.tenant, id)).map(({ event }) => event);

describe('why policy asks', () => {
  test('C2: who may read the request is told each rule and condition with masked values, and nobody else', async () => {
    const secret = 'sk_live_4eC39HqLyjWDarjtT1zdp7dc';
    await world.policy(
      (text) => `${offerEverything(text)}
  - id: keyed
    effect: require
    actions: [data.export]
    when: 'has(parameters.api_key) && parameters.api_key.startsWith("sk_live")'
    require:
      stages:
        - all: [{ group: security, quorum: 1 }]
        - { name: large, when: 'parameters.rows > 1000000', all: [{ group: data-owners, quorum: 1 }] }
`,
    );
    const one = await posted({ parameters: { rows: 5, api_key: secret } });
    const form = formOf(await open('alice', 'why', one));
    const text = form.intro.join('\n');
    for (const said of [
      'Needs people by quickstart 1',
      'keyed (require) matches, and decided',
      'parameters.api_key = ',
      '(masked)',
      'stage large: parameters.rows > 1000000 is false',
    ])
      expect(text).toContain(said);
    expect(text).not.toContain(secret.slice(0, 12));
    expect(form.fields).toEqual([]);
    // Olivia administers; carol decides; mallory's account is nobody's; a person of no group is not told.
    expect(codeOf(await open('carol', 'why', one))).toBe('form');
    await world.directory((now) => ({
      ...now,
      groups: now.groups.map((group) => ({ ...group, members: group.members.filter((id) => id !== world.people.carol) })),
    }));
    expect(codeOf(await open('carol', 'why', one))).toBe('not_found');
    await world.directory((now) => now);
    await world.policy(offerEverything);
    expect((await world.state(one.id)).request.status).toBe('pending');
  });
});

describe('every action begins by the checks of a press', () => {
  const ALL: readonly CardAction[] = [
    'ask',
    'answer',
    'counter',
    'snooze',
    'delegate',
    'not_me',
    'break_glass',
    'review',
    'reveal',
    'why',
    'bulk',
    'approve',
    'deny',
  ];

  test.each(ALL)('C1: %s on a message that is not ours, or is another request’s, does nothing', async (action) => {
    const [one, other] = [await posted(), await posted()];
    for (const ref of [{ channel: 'C0', ts: '99.9' }, other.ref]) {
      expect(codeOf(await open('alice', action, one, { ref }))).toBe('action_mismatch');
      expect(codeOf(await act('alice', action, one, { text: 'x', verdict: 'approve' }, { ref }))).toBe('action_mismatch');
    }
    expect(await world.state(one.id)).toMatchObject({ request: { status: 'pending' }, decisions: [], questions: [], proposals: [] });
  });

  test.each(ALL)('C5: %s is nothing for guests, bots, outsiders, deactivated and unknown accounts', async (action) => {
    const one = await posted();
    const { account } = pressOf('alice', one);
    for (const change of [{ guest: true }, { bot: true }, { external: true }, { active: false }, { user: 'mallory' }]) {
      const code = codeOf(await act('alice', action, one, {}, { account: { ...account, ...change } }));
      expect(['account_inactive', 'account_not_linked']).toContain(code);
    }
    expect((await world.state(one.id)).decisions).toEqual([]);
  });

  test('C1: another digest than the one that was shown is refused; a decision without one too', async () => {
    const [one, other] = [await posted(), await posted()];
    for (const action of ALL) expect(codeOf(await act('alice', action, one, {}, { request_digest: other.digest }))).toBe('action_mismatch');
    for (const action of ['approve', 'deny', 'break_glass'] as const)
      expect(codeOf(await act('carol', action, one, {}, { request_digest: null }))).toBe('action_mismatch');
  });

  test('without a message a person acts on what they may see, and is told of nothing else', async () => {
    const one = await posted({ action: 'iam.grant', resource: { type: 'role', id: 'admin' }, parameters: {}, actor: { type: 'service', id: 'svc' } });
    expect(codeOf(await open('alice', 'ask', one, { ref: null }))).toBe('form');
    await world.directory((now) => ({
      ...now,
      groups: now.groups.map((group) => ({ ...group, members: group.members.filter((id) => id !== world.people.alice) })),
    }));
    expect(codeOf(await open('alice', 'ask', one, { ref: null }))).toBe('not_found');
    expect(codeOf(await open('alice', 'ask', { ...one, id: 'ar_01890000-0000-7000-8000-000000000000' }, { ref: null }))).toBe('not_found');
    await world.directory((now) => now);
  });

  test('C4: a fault tells that nothing was decided, and decides nothing', async () => {
    const one = await posted();
    const broken = actionsOn(world.store, { state: () => Promise.reject(new Error('the database did not answer')) });
    const answer = await broken.submit('approve', pressOf('alice', one), {});
    expect(answer).toMatchObject({ kind: 'refused', code: 'internal', text: expect.stringContaining('nothing was decided') });
    expect(faults).toContain('an action in a chat failed');
    expect((await world.state(one.id)).decisions).toEqual([]);
  });
});

describe('C1: buttons in messages that are no cards', () => {
  const say = async (request_id: string | null, ts: string) => {
    const { id: notice_id, at } = { id: `nt_${ts}`, at: world.flow.clock.now() };
    const record = { ...noticeOf(world.flow, request_id === null ? null : { id: request_id }, 'reminder', at, { text: 'It waits' }), id: notice_id };
    const on = request_id ?? (await posted()).id;
    await world.store.snoozes.set({ tenant: world.tenant, request_id: on, person_id: world.people.olivia, until: null }, { notices: [record] });
    const task = { tenant: world.tenant, platform: 'slack' as const, notice: record, attempts: 1, claimed_at: at, superseded: false };
    await world.store.notices.told(await world.store.notices.telling(task, 'D0', ts), { channel: 'D0', ts });
    return { channel: 'D0', ts };
  };

  test('a notice vouches for its own request; a digest for none, so that only who may see a request acts on it', async () => {
    const [one, other] = [await posted(), await posted()];
    const ref = await say(one.id, '18.1');
    expect(codeOf(await open('alice', 'ask', one, { ref }))).toBe('form');
    expect(codeOf(await open('alice', 'ask', other, { ref }))).toBe('action_mismatch');
    const digest = await say(null, '18.2');
    expect(codeOf(await open('alice', 'ask', other, { ref: digest }))).toBe('form');
    expect(codeOf(await open('olivia', 'snooze', one, { ref: digest }))).toBe('form');
    await world.directory((now) => ({ ...now, people: now.people.map((person) => (person.id === world.people.olivia ? { ...person, roles: [] } : person)) }));
    expect(codeOf(await open('olivia', 'snooze', one, { ref: digest }))).toBe('not_found');
    await world.directory((now) => now);
    expect(codeOf(await open('alice', 'ask', one, { ref: { channel: 'D0', ts: '18.3' } }))).toBe('action_mismatch');
  });
});

describe('questions', () => {
  test('an approver asks, a person behind the request answers once, and both are on the card and in the record', async () => {
    const one = await posted();
    expect(formOf(await open('alice', 'ask', one)).fields).toMatchObject([{ id: 'text', required: true, max: 2_000 }]);
    expect(codeOf(await act('alice', 'ask', one, { text: '   ' }))).toBe('form_incomplete');
    expect(await act('alice', 'ask', one, { text: 'Which table?' })).toMatchObject({
      kind: 'done',
      card: { questions: [{ text: 'Which table?', answer: null }] },
    });
    const [question] = (await cardNow(one)).questions ?? [];
    const subject = question?.id ?? '';
    expect(formOf(await open('dana', 'answer', one, { subject })).intro.join('\n')).toContain('Which table?');
    expect(codeOf(await act('carol', 'answer', one, { text: 'Mine' }, { subject }))).toBe('not_the_requester');
    expect(await act('dana', 'answer', one, { text: 'customers\u0000' }, { subject })).toMatchObject({ kind: 'done' });
    expect((await cardNow(one)).questions).toMatchObject([{ answer: { by: 'Dana Example', text: expect.stringContaining('customers') } }]);
    expect(codeOf(await act('dana', 'answer', one, { text: 'again' }, { subject }))).toBe('already_answered');
    expect(await events(one)).toEqual(expect.arrayContaining(['question.asked', 'question.answered']));
  });

  test('C4: who stands behind the request does not ask as an approver, and a question of another request is not answered here', async () => {
    const [one, other] = [await posted(), await posted()];
    expect(codeOf(await act('dana', 'ask', one, { text: 'May I?' }))).toBe('self_approval');
    expect(codeOf(await act('olivia', 'ask', one, { text: 'May I?' }))).toBe('not_an_approver');
    await act('alice', 'ask', one, { text: 'Why?' });
    const subject = (await cardNow(one)).questions?.[0]?.id ?? '';
    expect(codeOf(await act('dana', 'answer', other, { text: 'Because' }, { subject }))).toBe('not_found');
    expect((await world.state(one.id)).questions[0]?.answer).toBeNull();
  });
});

describe('counter-proposals', () => {
  test('a field for each path that policy lists, by the type of what stands there; only what changed is proposed, and nothing of the request changes', async () => {
    const one = await posted({ parameters: { format: 'csv', rows: 48211, columns: ['id', 'name'], dry_run: false, destination: 's3://x' } });
    const form = formOf(await open('alice', 'counter', one));
    expect(form.fields.map(({ label, kind }) => [label, kind])).toEqual([
      ['columns', 'text'],
      ['dry_run', 'choice'],
      ['format', 'text'],
      ['rows', 'text'],
      ['Why', 'text'],
    ]);
    expect(form.fields[3]).toMatchObject({ initial: '48211' });
    expect(form.intro.join(' ')).toContain('new request with its own digest');
    const unchanged = { value_0: '["id","name"]', value_1: 'false', value_2: 'csv', value_3: '48211' };
    expect(codeOf(await act('alice', 'counter', one, unchanged))).toBe('form_incomplete');
    for (const wrong of [{ value_3: 'many' }, { value_3: '1; DROP' }, { value_0: '[id' }, { value_1: 'maybe' }]) {
      expect(codeOf(await act('alice', 'counter', one, { ...unchanged, ...wrong }))).toBe('form_incomplete');
    }
    const before = (await world.state(one.id)).request;
    expect(await act('alice', 'counter', one, { ...unchanged, value_3: '1000', value_0: '["id"]', value_1: 'true', reason: 'Enough' })).toMatchObject({
      kind: 'done',
    });
    const { proposals, request } = await world.state(one.id);
    expect(proposals).toMatchObject([
      { parameters: { 'parameters.rows': 1_000, 'parameters.columns': ['id'], 'parameters.dry_run': true }, reason: 'Enough', accepted_as: null },
    ]);
    expect(request).toMatchObject({ status: 'pending', action_digest: before.action_digest, request_digest: before.request_digest, view: before.view });
  });

  test('a masked value is not shown, and is not proposed by leaving it alone', async () => {
    const one = await posted({ parameters: { format: 'AKIAIOSFODNN7EXAMPLE', rows: 3 } });
    const form = formOf(await open('alice', 'counter', one));
    expect(form.fields[2]).toMatchObject({ label: 'format' });
    expect(form.fields[2]).not.toHaveProperty('initial');
    expect(codeOf(await act('alice', 'counter', one, { value_3: '3' }))).toBe('form_incomplete');
  });

  test('where policy lists nothing nobody proposes, and a field of another path is not read', async () => {
    const one = await posted({ action: 'iam.grant', resource: { type: 'role', id: 'admin' }, parameters: { to: 'svc-7' } });
    expect(codeOf(await open('alice', 'counter', one))).toBe('counter_not_allowed');
    expect(codeOf(await act('alice', 'counter', one, { value_0: 'me' }))).toBe('counter_not_allowed');
  });
});

describe('deciding with what policy asks for', () => {
  test('approve with nothing to ask decides at once, and says who it was', async () => {
    const one = await posted();
    expect(await open('alice', 'approve', one)).toMatchObject({
      kind: 'done',
      text: 'You approved it. The request is approved.',
      card: { status: 'approved' },
    });
    expect(codeOf(await open('bob', 'approve', one))).toBe('already_settled');
  });

  test('deny asks for a reason and whether asking again makes sense, and the caller is told both', async () => {
    const one = await posted();
    const form = formOf(await open('alice', 'deny', one));
    expect(form.fields.map(({ id }) => id)).toEqual(['reason', 'ask_again']);
    expect(await act('alice', 'deny', one, { reason: 'Fewer rows, please', ask_again: 'changed' })).toMatchObject({ kind: 'done' });
    expect((await world.state(one.id)).outcomes[0]?.data).toMatchObject({
      status: 'denied',
      ask_again: 'changed',
      decisions: [{ reason: 'Fewer rows, please', ask_again: 'changed' }],
    });
    const forged = await posted();
    await act('alice', 'deny', forged, { ask_again: 'tomorrow' });
    expect((await world.state(forged.id)).outcomes[0]?.data).not.toHaveProperty('ask_again');
  });

  test('a reason or ticket that is too long decides nothing, whatever drew the form', async () => {
    const one = await posted();
    expect(await act('alice', 'deny', one, { reason: 'x'.repeat(2_001) })).toMatchObject({ kind: 'refused', text: expect.stringContaining('2,001') });
    expect(codeOf(await act('alice', 'approve', one, { ticket: 'x'.repeat(257) }))).toBe('form_incomplete');
    expect((await world.state(one.id)).decisions).toEqual([]);
  });

  test('C4: who asked neither approves nor denies here', async () => {
    const one = await posted();
    expect(codeOf(await open('dana', 'approve', one))).toBe('self_approval');
    expect(codeOf(await act('dana', 'deny', one, {}))).toBe('self_approval');
  });

  test('a ticket, words and a passkey: what was entered goes along to the page where the passkey is used', async () => {
    await world.policy((text) =>
      text.replace(
        '      timeout: 4h\n\n',
        `      timeout: 4h\n      reason: approve\n      obligations: { ticket: { pattern: "CHG-[0-9]{4}" }, acknowledge: ["${WORDS}"], passkey: { fresh: 5m } }\n\n`,
      ),
    );
    const one = await posted();
    const form = formOf(await open('alice', 'approve', one));
    const words = form.fields.find(({ kind }) => kind === 'confirm')?.id ?? '';
    expect(form.fields.map(({ kind }) => kind)).toEqual(['text', 'confirm', 'text']);
    expect(codeOf(await act('alice', 'approve', one, { ticket: 'CHG-1234', [words]: 'yes' }))).toBe('reason_required');
    expect(codeOf(await act('alice', 'approve', one, { ticket: 'nope', [words]: 'yes', reason: 'ok' }))).toBe('ticket_required');
    expect(codeOf(await act('alice', 'approve', one, { ticket: 'CHG-1234', reason: 'ok' }))).toBe('acknowledgement_required');
    const answer = await act('alice', 'approve', one, { ticket: 'CHG-1234', [words]: 'yes', reason: 'ok' });
    expect(answer).toMatchObject({ kind: 'refused', code: 'step_up_required', link: { url: expect.stringContaining('#step-up/') } });
    const intent = answer.kind === 'refused' ? (answer.link?.url.split('#step-up/')[1] ?? '') : '';
    expect(await world.store.passkeys.intent(world.tenant, intent)).toMatchObject({
      verdict: 'approve',
      reason: 'ok',
      given: { ticket: 'CHG-1234', acknowledged: [WORDS] },
    });
    expect((await world.state(one.id)).decisions).toEqual([]);
    await world.policy(offerEverything);
  });
});

describe('break-glass and its review', () => {
  test('who may lets it pass alone, with reason and ticket; somebody else reviews it once', async () => {
    const one = await posted();
    const form = formOf(await open('carol', 'break_glass', one));
    expect(form.intro.join(' ')).toContain('without the people whom policy asks for');
    expect(form.intro.join(' ')).toContain('A member of data-owners reviews it within 24 hours.');
    expect(form.fields.map(({ id, required }) => [id, required])).toEqual([
      ['reason', true],
      ['ticket', true],
    ]);
    expect(codeOf(await act('carol', 'break_glass', one, { ticket: 'INC-7' }))).toBe('reason_required');
    expect(codeOf(await act('carol', 'break_glass', one, { reason: 'Fire' }))).toBe('ticket_required');
    expect(await act('carol', 'break_glass', one, { reason: 'Fire', ticket: 'INC-7' })).toMatchObject({
      kind: 'done',
      text: 'You broke the glass. The request is approved. Somebody else reviews it.',
    });
    const review = formOf(await open('alice', 'review', one));
    expect(review.intro.join(' ')).toContain('Reason: Fire');
    expect(codeOf(await act('carol', 'review', one, { finding: 'justified', note: 'Mine' }))).toBe('not_a_reviewer');
    expect(codeOf(await act('dana', 'review', one, { finding: 'justified', note: 'Mine' }))).toBe('not_a_reviewer');
    expect(codeOf(await act('alice', 'review', one, { finding: 'fine', note: 'x' }))).toBe('form_incomplete');
    expect(await act('alice', 'review', one, { finding: 'unjustified', note: 'It was smoke' }, { subject: review.subject })).toMatchObject({ kind: 'done' });
    expect((await world.state(one.id)).reviews).toMatchObject([{ finding: 'unjustified', note: 'It was smoke', reviewed_by: { id: world.people.alice } }]);
    expect(codeOf(await act('bob', 'review', one, { finding: 'justified', note: 'x' }, { subject: review.subject }))).toBe('already_reviewed');
  });

  test('C6: who may not is refused at the button already, and it is recorded', async () => {
    const one = await posted();
    expect(codeOf(await open('alice', 'break_glass', one))).toBe('not_break_glass');
    expect(codeOf(await open('dana', 'break_glass', one))).toBe('self_approval');
    expect(codeOf(await act('alice', 'break_glass', one, { reason: 'Fire', ticket: 'INC-7' }))).toBe('not_break_glass');
    expect((await world.state(one.id)).request.status).toBe('pending');
    expect((await events(one)).filter((event) => event === 'decision.refused')).toHaveLength(3);
  });

  test('C4: where policy wants everything opened first, the glass is broken by who has seen it to its end', async () => {
    await world.policy((text) => offerEverything(text).replace('obligations: { ticket: { pattern: "INC-[0-9]+" } }', 'obligations: { must_open: true }'));
    const one = await posted();
    expect(formOf(await open('carol', 'break_glass', one)).intro.join(' ')).toContain('Show everything');
    expect(await act('carol', 'break_glass', one, { reason: 'Fire' })).toMatchObject({ kind: 'refused', code: 'must_open', link: { url: expect.any(String) } });
    await noteOpened(pressDepsOf(chatOn(world.store), 'slack', 'proof'), pressOf('carol', one).account, await cardNow(one));
    expect(codeOf(await act('carol', 'break_glass', one, { reason: 'Fire' }))).toBe('done');
    await world.policy(offerEverything);
  });
});

describe('masked values', () => {
  const masked = { parameters: { token: 'AKIAIOSFODNN7EXAMPLE', rows: 3 } };

  test('F2: who may sees one value alone, with a purpose, after it is in the record', async () => {
    const one = await posted(masked);
    const form = formOf(await open('alice', 'reveal', one));
    const [choice] = form.fields;
    const pointer = choice?.kind === 'choice' ? (choice.options[0]?.value ?? '') : '';
    expect(pointer).toBe('/parameters/token');
    expect(codeOf(await act('alice', 'reveal', one, { pointer }))).toBe('form_incomplete');
    const answer = await act('alice', 'reveal', one, { pointer, purpose: 'Which key is it?' });
    expect(answer).toMatchObject({ kind: 'done', card: null, text: expect.stringContaining('AKIAIOSFODNN7EXAMPLE') });
    expect(await events(one)).toContain('value.revealed');
    expect(codeOf(await act('alice', 'reveal', one, { pointer: '/parameters/rows', purpose: 'Why not' }))).toBe('not_found');
  });

  test('F2: without the right nothing is shown, and that it was tried is recorded', async () => {
    const one = await posted(masked);
    for (const name of ['carol', 'olivia', 'dana']) {
      const answer = await open(name, 'reveal', one);
      expect(codeOf(answer)).toBe('reveal_not_allowed');
      expect(JSON.stringify(answer)).not.toContain('AKIA');
    }
    expect(codeOf(await act('carol', 'reveal', one, { pointer: '/parameters/token', purpose: 'Curious' }))).toBe('reveal_not_allowed');
    expect((await events(one)).filter((event) => event === 'reveal.refused')).toHaveLength(4);
    expect(await events(one)).not.toContain('value.revealed');
  });

  test('F2: a right to see values is none to read requests: whoever may not read it sees nothing by the card that stands before them', async () => {
    await world.policy((text) =>
      text.replace('      timeout: 4h\n\n', '      timeout: 4h\n    reveal: { groups: [security, data-owners], classes: [secret] }\n\n'),
    );
    const one = await posted(masked);
    const asked = { pointer: '/parameters/token', purpose: 'Which key is it?' };
    expect(codeOf(await act('alice', 'reveal', one, asked))).toBe('done');
    expect(codeOf(await open('carol', 'reveal', one))).toBe('not_found');
    const answer = await act('carol', 'reveal', one, asked);
    expect(codeOf(answer)).toBe('not_found');
    expect(JSON.stringify(answer)).not.toContain('AKIA');
    await world.policy(offerEverything);
  });
});

describe('snooze and not me', () => {
  test('a pause is for this person alone and decides nothing', async () => {
    const one = await posted();
    expect(formOf(await open('alice', 'snooze', one)).fields[0]).toMatchObject({ options: [{ value: '1h' }, { value: '4h' }, { value: 'tomorrow' }] });
    expect(await act('alice', 'snooze', one, { for: '4h' })).toMatchObject({ kind: 'done', text: expect.stringContaining('Its time is over before that') });
    const snooze = await world.store.snoozes.of(world.tenant, one.id, world.people.alice);
    const inMs = Date.parse(snooze?.until ?? '') - Date.now();
    expect(inMs).toBeGreaterThan(3.9 * 3_600_000);
    expect(inMs).toBeLessThanOrEqual(4 * 3_600_000);
    expect(await world.store.snoozes.of(world.tenant, one.id, world.people.bob)).toBeNull();
    expect((await world.state(one.id)).request.status).toBe('pending');
    expect(codeOf(await act('alice', 'snooze', one, { for: 'ever' }))).toBe('form_incomplete');
    await world.decide('bob', one.id, 'deny');
    expect(codeOf(await act('alice', 'snooze', one, { for: '1h' }))).toBe('already_settled');
  });

  test('who says “not me” gets no more messages, the others are told once, and may decide after all', async () => {
    const one = await posted();
    expect(await open('alice', 'not_me', one)).toMatchObject({ kind: 'done', text: expect.stringContaining('the others are told') });
    expect(await open('alice', 'not_me', one)).toMatchObject({ kind: 'done', text: expect.stringContaining('You said so already') });
    expect(await world.store.snoozes.of(world.tenant, one.id, world.people.alice)).toMatchObject({ until: null });
    expect((await events(one)).filter((event) => event === 'approver.stood_aside')).toHaveLength(1);
    const told = await world.store.notices.since({ tenant: world.tenant, person_id: world.people.bob, groups: ['data-owners'], seconds: 600 });
    expect(told.filter(({ kind, request_id }) => kind === 'not_me' && request_id === one.id)).toHaveLength(1);
    expect(codeOf(await open('carol', 'not_me', await posted({ action: 'data.export' })))).toBe('done');
    expect(codeOf(await open('olivia', 'not_me', one))).toBe('not_an_approver');
    expect(codeOf(await open('alice', 'approve', one))).toBe('done');
  });
});

describe('handing over', () => {
  test('C6: the list has who is asked besides; who stands behind the request, oneself and strangers are refused', async () => {
    const one = await posted();
    const form = formOf(await open('alice', 'delegate', one));
    const [who] = form.fields;
    expect(who?.kind === 'choice' ? who.options.map(({ label }) => label) : []).toEqual(['Bob Example (bob@example.com)', 'Carol Example (carol@example.com)']);
    const over = (values: FormValues) => act('alice', 'delegate', one, { until: 'for 2 days', ...values });
    for (const [values, code] of [
      [{ address: 'dana@example.com' }, 'delegation_not_allowed'],
      [{ who: world.people.alice }, 'delegation_not_allowed'],
      [{ address: 'mallory@example.com' }, 'delegation_not_allowed'],
      [{}, 'form_incomplete'],
      [{ who: world.people.carol, address: 'bob@example.com' }, 'form_incomplete'],
      [{ who: world.people.carol, until: 'some day' }, 'form_incomplete'],
      [{ who: world.people.carol, until: 'for 200 days' }, 'delegation_not_allowed'],
    ] as const) {
      expect([values, codeOf(await over(values))]).toEqual([values, code]);
    }
    expect(await world.store.delegations.list(world.tenant, world.people.alice)).toEqual([]);
  });

  test('C6: the stand-in decides by one press, in the name of both; a loop is refused', async () => {
    const one = await posted();
    expect(codeOf(await open('carol', 'approve', one))).toBe('not_an_approver');
    expect(await act('alice', 'delegate', one, { who: world.people.carol, until: 'for 2 days', reason: 'Holiday' })).toMatchObject({
      kind: 'done',
      text: expect.stringContaining('Carol Example stands in for you until'),
    });
    expect(codeOf(await act('carol', 'delegate', one, { who: world.people.alice, until: 'tomorrow' }))).toBe('delegation_not_allowed');
    expect(await open('carol', 'approve', one)).toMatchObject({ kind: 'done', text: "You approved it in Alice Example's stead. The request is approved." });
    expect((await world.state(one.id)).decisions).toMatchObject([{ person: { id: world.people.carol }, delegate_for: { id: world.people.alice } }]);
    // Dana asked: a stand-in of hers she is not, nor may Carol for her.
    const two = await posted();
    await world.store.delegations.list(world.tenant, world.people.bob);
    expect(await act('bob', 'delegate', two, { who: world.people.carol, until: 'tomorrow' })).toMatchObject({ kind: 'done' });
    const asked = formOf(await open('carol', 'approve', two)).fields[0];
    expect(asked).toMatchObject({ id: 'stead', kind: 'choice' });
    expect(codeOf(await act('carol', 'approve', two, {}))).toBe('not_a_delegate');
    expect(await act('carol', 'approve', two, { stead: world.people.bob })).toMatchObject({
      kind: 'done',
      text: expect.stringContaining("Bob Example's stead"),
    });
  });
});

describe('several at once', () => {
  test('explicit ids alone: each judged by itself, a line each; another’s, a foreign and a made-up one are refused', async () => {
    const [one, two, three] = [await posted(), await posted(), await posted()];
    const alone = await posted({ action: 'iam.grant', resource: { type: 'role', id: 'admin' }, parameters: {} });
    const subject = [one, two, three, alone].map(({ id }) => id).join(',');
    const form = formOf(await open('alice', 'bulk', one, { subject, ref: null }));
    const [choice] = form.fields;
    const values = choice?.kind === 'choice' ? choice.options.map(({ value }) => value) : [];
    // What policy wants by itself is not listed.
    expect(values).toEqual([one, two, three].map(({ id, digest }) => `${id} ${digest}`));
    const forged = [`${two.id} ${three.digest}`, `${alone.id} ${alone.digest}`, `ar_01890000-0000-7000-8000-000000000000 ${one.digest}`];
    const answer = await act('alice', 'bulk', one, { requests: [values[0] ?? '', ...forged], verdict: 'approve' }, { subject, ref: null });
    if (answer.kind !== 'done') throw new Error(JSON.stringify(answer));
    const lines = answer.text.split('\n');
    expect(lines[0]).toBe('1 of 4 decided.');
    expect(lines).toHaveLength(5);
    expect(lines[1]).toContain('You approved it.');
    expect(lines[3]).toContain('by itself');
    const statuses = await Promise.all([one, two, three, alone].map(async ({ id }) => (await world.state(id)).request.status));
    expect(statuses).toEqual(['approved', 'pending', 'pending', 'pending']);
  });

  test('C1: a message carries its own requests alone, and who asked decides none', async () => {
    const [one, two] = [await posted(), await posted()];
    const both = { requests: [`${one.id} ${one.digest}`, `${two.id} ${two.digest}`], verdict: 'deny', reason: 'No' };
    expect(await act('alice', 'bulk', one, both)).toMatchObject({ kind: 'done', text: expect.stringContaining('1 of 2 decided.') });
    expect((await world.state(two.id)).request.status).toBe('pending');
    expect(codeOf(await act('dana', 'bulk', two, { requests: [`${two.id} ${two.digest}`], verdict: 'approve' }))).toBe('bulk_refused');
    expect(codeOf(await act('alice', 'bulk', two, { requests: [], verdict: 'approve' }))).toBe('form_incomplete');
    expect(codeOf(await act('alice', 'bulk', two, { requests: [`${two.id} ${two.digest}`] }))).toBe('form_incomplete');
  });
});
