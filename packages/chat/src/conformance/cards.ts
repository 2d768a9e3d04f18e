import { expect } from '@jest/globals';
import type { Submission } from '@countersign/contracts';
import { cardOf } from '@countersign/core/card';
import type { PlatformHarness, Row } from './harness.js';

/** Opens a request and lets its cards be posted. */
export async function posted(harness: PlatformHarness, submission: Partial<Submission> = {}, ago = 0): Promise<string> {
  const { id } = await harness.world.open(submission, ago);
  await harness.work();
  return id;
}

/** What the cards of a request have in common; a card that differs fails. */
export async function onlyCard(harness: PlatformHarness, id: string): Promise<{ text: string; own: string; buttons: readonly string[] }> {
  const cards = await harness.cards(id);
  expect(cards).toHaveLength(harness.places);
  for (const card of cards) expect(card).toEqual(cards[0]);
  return cards[0] ?? { text: '', own: '', buttons: [] };
}

export const DECIDING = ['Approve', 'Deny'];
const offers = (buttons: readonly string[]) => DECIDING.filter((label) => buttons.includes(label));

export async function expectOpen(harness: PlatformHarness, id: string): Promise<string> {
  const { buttons, text } = await onlyCard(harness, id);
  // Where something in it may mislead, a card may leave Approve to the whole, which it offers.
  const { open_first } = cardOf(await harness.world.state(id), { publicUrl: '', notice: null });
  if (open_first === true) expect(buttons).toEqual(expect.arrayContaining(['Deny', 'Show everything']));
  else expect(offers(buttons)).toEqual(DECIDING);
  return text;
}

export async function expectClosed(harness: PlatformHarness, id: string, words: string): Promise<void> {
  const { buttons, text } = await onlyCard(harness, id);
  expect(offers(buttons)).toEqual([]);
  expect(text).toContain(words);
}

/** Needs one of data-owners and one of security, two humans. */
export const PRIVILEGE = { action: 'iam.role.grant', resource: { type: 'role', id: 'admin' }, parameters: { to: 'svc-7' } };
/** Its time was over a second ago, and nobody has settled it. */
export const OVERDUE: [Partial<Submission>, number] = [{ timeout_seconds: 60 }, 61];
const PLAIN: typeof OVERDUE = [{}, 0];

/** What a card says, and when it says it. */
export const cardRows: Row[] = [
  {
    title: 'C1: a request has one card in each place, however often and by however many workers it is looked at',
    async run(harness) {
      const id = (await harness.world.open()).id;
      await harness.work(3);
      await harness.world.hurry();
      await harness.work(3);
      expect(await harness.cards(id)).toHaveLength(harness.places);
      await expectOpen(harness, id);
      expect(harness.complaints()).toEqual([]);
    },
  },
  {
    title: 'C2: the card says who asks and for whom, what will run with every parameter, on which data, why, which rule asks, and who is needed',
    async run(harness) {
      const parameters = { format: 'csv', rows: 48211, destination: 's3://ml-retraining/customers.csv', columns: ['name', 'city'] };
      const context = { risk: 'high' as const, diff: '-old grant\n+new grant', links: [{ title: 'Ticket', url: 'https://tickets.example.com/7' }] };
      const id = await posted(harness, { parameters, context });
      const { text, buttons } = await onlyCard(harness, id);
      const asker = ['retrainer (agent)', 'Dana Example', 'on behalf of'];
      const action = ['data.export', 'postgres_table prod.customers', 'data_class: pii', 'production', 'irreversible'];
      const values = ['format', 'csv', 'rows', '48211', 'destination', 's3://ml-retraining/customers.csv', 'columns', '"city"'];
      const why = ['Retraining set for churn model v7', 'high', '-old grant', '+new grant', 'tickets.example.com'];
      const rule = ['customer-data', 'Customer tables need the data owner', 'data-owners', '1 of data-owners'];
      for (const said of [...asker, ...action, ...values, ...why, ...rule]) expect(text).toContain(said);
      expect([...buttons].toSorted()).toEqual(['Approve', 'Deny', 'Show everything']);
    },
  },
  {
    title: 'C2, 9.2.2: what a card cannot hold it says plainly, and Show everything leads to every character',
    async run(harness) {
      const lines = Array.from({ length: 200 }, (_, line) => `line ${String(line + 1)} of the statement.`);
      const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`option_${String(index)}`, `value ${String(index)} of it.`]));
      const id = await posted(harness, { parameters: { statement: lines.join('\n'), ...many } });
      const text = await expectOpen(harness, id);
      const all = [...lines, ...Object.values(many)];
      if (!all.every((one) => text.includes(one))) {
        expect(text).toMatch(/continues: shown [\d,]+ of [\d,]+/);
        expect(text).toContain('This card does not show all of it. Press Show everything before you decide.');
      }
      const everything = await harness.everything('alice', id);
      for (const one of all) expect(everything).toContain(one);
      expect(harness.complaints()).toEqual([]);
    },
  },
  {
    title: 'A3: what policy does not gate is put before nobody',
    async run(harness) {
      const id = await posted(harness, { resource: { type: 'postgres_table', id: 'prod.weather' } });
      expect((await harness.world.state(id)).request.status).toBe('approved');
      expect((await harness.cards(id)).flatMap(({ buttons }) => offers(buttons))).toEqual([]);
    },
  },
  {
    title: 'C1: after a decision that does not settle it, the card says who decided and who is still needed, and stays open',
    needs: 'open cards that change',
    async run(harness) {
      const id = await posted(harness, PRIVILEGE);
      expect(await expectOpen(harness, id)).toContain('1 of data-owners and 1 of security');
      await harness.world.decide('carol', id, 'approve');
      await harness.work();
      const text = await expectOpen(harness, id);
      expect(text).toContain('Carol Example approved');
      expect(text).toMatch(/needed: 1 of data-owners(?! and)/i);
    },
  },
  ...(
    [
      ['approved elsewhere', 'Approved by Alice Example', PLAIN, (harness, id) => harness.world.decide('alice', id, 'approve')],
      ['denied elsewhere', 'Denied by Alice Example: Too wide', PLAIN, (harness, id) => harness.world.decide('alice', id, 'deny', 'Too wide')],
      ['cancelled', 'Cancelled by the requester', PLAIN, (harness, id) => harness.world.cancel(id)],
      ['not decided in time', 'Expired', OVERDUE, (harness, id) => harness.world.expire(id)],
    ] satisfies [string, string, typeof OVERDUE, (harness: PlatformHarness, id: string) => Promise<unknown>][]
  ).map(([how, words, request, end]): Row => ({
    title: `C1, C6: the card of a request that is ${how} closes with the outcome, and its buttons are gone`,
    async run(harness) {
      const id = await posted(harness, ...request);
      await expectOpen(harness, id);
      await end(harness, id);
      await harness.work();
      await expectClosed(harness, id, words);
      expect(harness.complaints()).toEqual([]);
    },
  })),
  {
    title: 'C1: a request that is settled before its card was posted is never put before people as open',
    async run(harness) {
      const { id } = await harness.world.open();
      await harness.world.decide('alice', id, 'approve');
      await harness.work();
      expect((await harness.cards(id)).flatMap(({ buttons }) => offers(buttons))).toEqual([]);
    },
  },
];
