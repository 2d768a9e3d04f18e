import { expect } from '@jest/globals';
import { expectClosed, expectOpen, posted } from './cards.js';
import type { Acting, Forgery, PersonAct, PlatformHarness, Row } from './harness.js';
import { decisions } from './presses.js';

const SECRET = 'AKIAIOSFODNN7EXAMPLE';
const MASKED = { parameters: { token: SECRET, rows: 3 } };

/** A row on a platform whose cards offer everything. */
function row(title: string, run: (harness: PlatformHarness, acting: Acting) => Promise<void>): Row {
  return {
    title,
    needs: 'actions',
    async run(harness) {
      const { actions } = harness;
      if (actions === undefined) throw new Error('this platform has no actions: say so, and why');
      await actions.offerEverything();
      await run(harness, actions);
    },
  };
}

/** Nothing came of it: the person alone was told why, and the request and its card are as they were. */
async function expectNothing(harness: PlatformHarness, acting: Acting, act: PersonAct, words: RegExp): Promise<void> {
  const before = await shown(harness, act.request);
  const answer = await acting.act(act);
  expect(answer).toEqual({ form: false, text: expect.stringMatching(words) });
  await harness.work();
  expect(await shown(harness, act.request)).toEqual(before);
}

async function shown(harness: PlatformHarness, id: string): Promise<object> {
  const { questions, proposals, reviews, request } = await harness.world.state(id);
  return {
    questions,
    proposals,
    reviews,
    status: request.status,
    decisions: await decisions(harness, id),
    cards: await harness.cards(id),
    messages: harness.messages(),
  };
}

const FOREIGN = /does not belong to/;

const forgeries: Row[] = (['another message', 'data of another request', 'digest of another request', 'a request that does not exist'] satisfies Forgery[]).map(
  (forgery) =>
    row(`A4: an action with ${forgery} does nothing`, async (harness, acting) => {
      const [id, other] = [await posted(harness), await posted(harness)];
      await expectNothing(harness, acting, { person: 'alice', request: id, action: 'not_me', forged: { forgery, other } }, /\w/);
      await expectNothing(harness, acting, { person: 'carol', request: id, action: 'break_glass', forged: { forgery, other } }, /\w/);
      for (const each of [id, other]) expect(await acting.events(each)).not.toContain('approver.stood_aside');
    }),
);

/** What people do on cards besides deciding. */
export const actionRows: Row[] = [
  row('C3: a question and its answer are part of the record and stand on the card; nothing is decided by them', async (harness, acting) => {
    const id = await posted(harness);
    expect(await acting.act({ person: 'alice', request: id, action: 'ask' })).toMatchObject({ form: true });
    expect(await acting.act({ person: 'alice', request: id, action: 'ask', values: { text: 'Which of the tables, *exactly*?' } })).toMatchObject({
      form: false,
    });
    await harness.work();
    const [question] = (await harness.world.state(id)).questions;
    expect(question).toMatchObject({ text: 'Which of the tables, *exactly*?', person: { email: 'alice@example.com' }, answer: null });
    for (const card of await harness.cards(id)) expect(card.text).toContain('Which of the tables, *exactly*?');
    const subject = question?.id ?? '';
    expect(await acting.act({ person: 'dana', request: id, action: 'answer', subject, values: { text: 'Customers alone' } })).toMatchObject({ form: false });
    await harness.work();
    for (const card of await harness.cards(id)) expect(card.text).toContain('Customers alone');
    expect(await acting.events(id)).toEqual(expect.arrayContaining(['question.asked', 'question.answered']));
    await expectOpen(harness, id);
  }),
  row('A4: a question of another request is not answered on this card, by whatever the client sends', async (harness, acting) => {
    const [id, other] = [await posted(harness), await posted(harness)];
    await acting.act({ person: 'alice', request: other, action: 'ask', values: { text: 'Why?' } });
    await harness.work();
    const subject = (await harness.world.state(other)).questions[0]?.id ?? '';
    await expectNothing(harness, acting, { person: 'dana', request: id, action: 'answer', subject }, /no such/i);
    expect((await harness.world.state(other)).questions[0]?.answer).toBeNull();
  }),
  row('C6: one of the group named for it breaks the glass, with reason and ticket: approved alone, and a review is open', async (harness, acting) => {
    const id = await posted(harness);
    await acting.act({ person: 'carol', request: id, action: 'break_glass', values: { reason: 'The table is burning', ticket: 'INC-7' } });
    await harness.work();
    await expectClosed(harness, id, 'The table is burning');
    expect(await harness.world.state(id)).toMatchObject({
      request: { status: 'approved' },
      decisions: [{ person: { email: 'carol@example.com' }, break_glass: true, ticket: 'INC-7' }],
      reviews: [{ finding: null }],
    });
    const values = { finding: 'unjustified', note: 'It was smoke' };
    await acting.act({ person: 'carol', request: id, action: 'review', values });
    expect((await harness.world.state(id)).reviews).toMatchObject([{ finding: null }]);
    await acting.act({ person: 'alice', request: id, action: 'review', values });
    expect((await harness.world.state(id)).reviews).toMatchObject([{ finding: 'unjustified', reviewed_by: { email: 'alice@example.com' } }]);
  }),
  row('C6: who is not of that group, or stands behind the request, breaks no glass, and that it was tried is recorded', async (harness, acting) => {
    const id = await posted(harness);
    await expectNothing(harness, acting, { person: 'alice', request: id, action: 'break_glass' }, /Only members of security/);
    await expectNothing(harness, acting, { person: 'dana', request: id, action: 'break_glass' }, /on your behalf/);
    expect((await acting.events(id)).filter((event) => event === 'decision.refused')).toHaveLength(2);
  }),
  ...forgeries,
  row('C5: a guest neither asks, nor hands over, nor breaks glass', async (harness, acting) => {
    const id = await posted(harness);
    const person = await harness.account('guest account');
    for (const action of ['ask', 'delegate', 'break_glass', 'reveal', 'not_me'] as const) {
      await expectNothing(harness, acting, { person, request: id, action }, /guest/i);
    }
  }),
  row('C4, C6: nobody hands over to who stands behind the request; to somebody else it counts', async (harness, acting) => {
    const id = await posted(harness);
    const over = (address: string) => acting.act({ person: 'alice', request: id, action: 'delegate', values: { address, until: 'for 2 days' } });
    expect((await over('dana@example.com')).text).toContain('stands behind this request');
    expect((await over('alice@example.com')).text).toContain('Nobody stands in for themselves');
    expect((await over('carol@example.com')).text).toContain('Carol Example stands in for you until');
    await harness.work();
    await harness.press({ person: 'carol', request: id, verdict: 'approve' });
    expect((await harness.world.state(id)).decisions).toMatchObject([{ person: { email: 'carol@example.com' }, delegate_for: { email: 'alice@example.com' } }]);
  }),
  row('F2: a masked value is shown to one with the right alone; who has none gets nothing, and that it was tried is recorded', async (harness, acting) => {
    const id = await posted(harness, MASKED);
    const values = { pointer: '/parameters/token', purpose: 'Which key is it?' };
    const refused = await acting.act({ person: 'carol', request: id, action: 'reveal' });
    expect(refused).toMatchObject({ form: false, text: expect.stringMatching(/does not let you/) });
    expect(refused.text).not.toContain(SECRET);
    expect(await acting.events(id)).toContain('reveal.refused');
    expect((await acting.act({ person: 'alice', request: id, action: 'reveal', values })).text).toContain(SECRET);
    expect(await acting.events(id)).toContain('value.revealed');
    await harness.work();
    for (const card of await harness.cards(id)) expect(card.text).not.toContain(SECRET);
  }),
  row('C3: other values are a proposal: nothing of the request changes, and nobody has decided it', async (harness, acting) => {
    const id = await posted(harness);
    const before = (await harness.world.state(id)).request;
    // By the order of the paths: columns, dry_run, format, rows.
    expect((await acting.act({ person: 'alice', request: id, action: 'counter', values: { value_2: 'csv', value_3: '1000' } })).form).toBe(false);
    const { proposals, request } = await harness.world.state(id);
    expect(proposals).toMatchObject([{ parameters: { 'parameters.rows': 1_000 }, accepted_as: null }]);
    expect(Object.keys(proposals[0]?.parameters ?? {})).toEqual(['parameters.rows']);
    expect(request).toMatchObject({ request_digest: before.request_digest, view: before.view, status: 'pending' });
  }),
  row('C3: decided together are the ids that were sent and that this message carries, each judged alone', async (harness, acting) => {
    const [id, other] = [await posted(harness), await posted(harness)];
    const named = async (request: string) => `${request} ${(await harness.world.state(request)).request.request_digest}`;
    const values = { requests: [await named(id), await named(other)], verdict: 'approve' };
    const { text } = await acting.act({ person: 'alice', request: id, action: 'bulk', values });
    // A client sends what the form did not list, or leaves it out.
    expect(text).toMatch(/1 of [12] decided/);
    expect(await decisions(harness, id)).toEqual(['alice@example.com approve']);
    expect(await decisions(harness, other)).toEqual([]);
    await harness.work();
    await expectOpen(harness, other);
  }),
  row('C3: a pause, and “not for me”, decide nothing and change the card for nobody; who said so may decide after all', async (harness, acting) => {
    const id = await posted(harness);
    const cards = await harness.cards(id);
    expect((await acting.act({ person: 'alice', request: id, action: 'snooze', values: { for: '1h' } })).text).toContain('no messages about it until');
    expect((await acting.act({ person: 'alice', request: id, action: 'not_me' })).text).toContain('the others are told');
    await harness.work();
    expect(await harness.cards(id)).toEqual(cards);
    expect(await harness.press({ person: 'alice', request: id, verdict: 'approve' })).toMatchObject({ accepted: true });
  }),
  row('A4: a button on a message of somebody else asks nothing', async (harness, acting) => {
    const [id, other] = [await posted(harness), await posted(harness)];
    const forged = { forgery: 'another message' as const, other };
    await expectNothing(harness, acting, { person: 'alice', request: id, action: 'ask', forged }, FOREIGN);
  }),
];
