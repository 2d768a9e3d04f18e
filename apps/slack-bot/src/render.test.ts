import { describe, expect, test } from '@jest/globals';
import { wholeText } from '@countersign/chat';
import type { Card } from '@countersign/contracts';
import { blockComplaints, MESSAGE_LIMIT, messageWeight, viewComplaints, visibleText } from '@countersign/dev-env/slack';
import fc from 'fast-check';
import { everythingModal } from './modals.js';
import { ACTIONS, actOf, MORE_ACTION, OPEN_WHOLE, requestOfBlock } from './buttons.js';
import { renderCard } from './render.js';

const digest = `sha256:${'a'.repeat(64)}`;
const plain: Card = {
  request_id: 'ar_01992f3c-7d4e-7a8b-9c0d-1e2f3a4b5c6d',
  url: 'http://localhost:8080/requests/ar_01992f3c-7d4e-7a8b-9c0d-1e2f3a4b5c6d',
  status: 'pending',
  action_digest: digest,
  request_digest: digest,
  view_digest: digest,
  headline: 'retrainer (agent), on behalf of Dana, asks to run data.export on postgres_table prod.customers in production',
  facts: [{ label: 'Environment', value: 'production' }],
  reason: 'Retraining set for churn model v7',
  parameters: [{ path: 'rows', value: '48211' }],
  diff: null,
  links: [{ title: 'Ticket', url: 'https://tickets.example.com/7', host: 'tickets.example.com' }],
  everything: '{"action":"data.export"}',
  hidden: null,
  warnings: [],
  rule: { ids: ['customer-data'], explanation: 'Customer tables need the data owner', policy: 'example 1', policy_digest: digest },
  stages: [{ name: 'owners', groups: [{ group: 'data-owners', quorum: 1, approved: 0 }], open: true, satisfied: false }],
  waiting_for: '1 of data-owners',
  decisions: [],
  outcome: null,
  created_at: '2026-11-21T12:00:00.000Z',
  expires_at: '2026-11-21T16:00:00.000Z',
  open: true,
  reason_required: { approve: false, deny: false },
  notice: null,
};

/** Texts of people who mean harm, of every length: marks, mentions, controls of Slack, quotes that grow in JSON, emoji. */
const hostile = fc.oneof(
  fc.constantFrom(
    '',
    '\n\n\n',
    '<!channel> & <@U0ALICE>',
    '*bold* _it_ `x` ~s~',
    '"'.repeat(5_000),
    '\\'.repeat(9_000),
    '😀'.repeat(3_001),
    'x'.repeat(50_000),
    '\ud83d',
  ),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 4_000 }),
);
const many = <T>(arbitrary: fc.Arbitrary<T>, most: number) => fc.array(arbitrary, { maxLength: most });
const hostileCard: fc.Arbitrary<Card> = fc
  .record({
    headline: hostile,
    facts: many(fc.record({ label: hostile, value: hostile }), 40),
    reason: fc.option(hostile),
    parameters: many(fc.record({ path: hostile, value: hostile }), 120),
    diff: fc.option(hostile),
    links: many(fc.record({ title: hostile, url: fc.constantFrom('', 'https://a.example/', `https://a.example/${'x'.repeat(4_000)}`), host: hostile }), 30),
    hidden: fc.option(hostile),
    warnings: many(hostile, 20),
    explanation: hostile,
    groups: many(fc.record({ group: hostile, quorum: fc.nat(50), approved: fc.nat(50) }), 20),
    stages: fc.nat(20),
    waiting_for: fc.option(hostile),
    decisions: many(
      fc.record({
        name: hostile,
        verdict: fc.constantFrom('approve' as const, 'deny' as const),
        reason: fc.option(hostile),
        at: fc.constant(plain.created_at),
        via: fc.constant('slack'),
      }),
      50,
    ),
    outcome: fc.option(hostile),
    notice: fc.option(hostile),
    open: fc.boolean(),
    everything: hostile,
  })
  .map(({ explanation, groups, stages, outcome, ...members }) => ({
    ...plain,
    ...members,
    rule: { ...plain.rule, explanation },
    stages: Array.from({ length: stages }, (_, index) => ({ name: `stage ${String(index)}`, groups, open: index === 0, satisfied: false })),
    outcome: outcome === null ? null : { status: 'denied' as const, text: outcome, at: plain.created_at },
  }));

describe('a card', () => {
  test('C2: says who asks what of whom, why, by which rule, who is needed, and until when', () => {
    const text = visibleText(renderCard(plain).blocks);
    for (const said of [
      plain.headline,
      'Environment: production',
      'Retraining set for churn model v7',
      '48211',
      'customer-data',
      '0 of 1 of data-owners',
      '2026-11-21 16:00:00 UTC',
      plain.request_id,
    ]) {
      expect(text).toContain(said);
    }
  });

  test('Slack takes it whatever the request holds: within every limit, before and after it was decided', () => {
    fc.assert(
      fc.property(hostileCard, (card) => {
        const { text, blocks } = renderCard(card);
        expect(blockComplaints(JSON.parse(JSON.stringify(blocks)), 'message')).toEqual([]);
        expect(messageWeight(blocks)).toBeLessThanOrEqual(MESSAGE_LIMIT);
        expect(text.length).toBeLessThanOrEqual(4_000);
      }),
      { numRuns: 200 },
    );
  });

  test('text of others never stands where Slack reads marks in it', () => {
    const attack = '<!channel> <@U0ALICE> <https://evil.example|Ticket> *x*';
    const { text, blocks } = renderCard({
      ...plain,
      headline: attack,
      reason: attack,
      parameters: [{ path: attack, value: attack }],
      facts: [{ label: 'Action', value: attack }],
    });
    expect(JSON.stringify(blocks)).not.toContain('mrkdwn');
    expect(visibleText(blocks)).toContain(attack);
    expect(text).not.toMatch(/<[!@h]/);
  });

  test('a value cannot pretend to be a line of ours', () => {
    const text = visibleText(renderCard({ ...plain, facts: [{ label: 'Action', value: 'data.read\nEnvironment: staging' }] }).blocks);
    expect(text.split('\n')).not.toContain('Environment: staging');
  });

  test('what does not fit is said, with how much is shown and where the rest is', () => {
    const text = visibleText(renderCard({ ...plain, parameters: [{ path: 'sql', value: 'x'.repeat(41_220) }] }).blocks);
    expect(text).toMatch(/continues: shown [\d,]+ of 41,220 characters, use Show everything/);
    expect(text).toContain('does not show all of it');
    expect(visibleText(renderCard(plain).blocks)).not.toContain('does not show all of it');
  });

  test('has Approve, Deny and Show everything while it is open, and no way to decide afterwards', () => {
    const labels = (card: Card) => (JSON.stringify(renderCard(card).blocks.at(-1)).match(/"text":"([^"]+)"/g) ?? []).join();
    expect(labels(plain)).toMatch(/^"text":"Approve","text":"Deny","text":"Show everything","text":"Open in browser"/);
    expect(labels({ ...plain, open: false, status: 'denied' })).toBe('"text":"Show everything","text":"Open in browser"');
  });

  test('C2: where it does not show all of it Approve opens the whole; where something in it may mislead, Approve stands there alone', () => {
    const actionsOf = (blocks: readonly object[]) =>
      [...JSON.stringify(blocks).matchAll(/"action_id":"([^"]+)"/g)].map(([, name]) => name).filter((name) => name !== MORE_ACTION);
    const partial: Card = { ...plain, parameters: [{ path: 'sql', value: 'x'.repeat(41_220) }] };
    expect(actionsOf(renderCard(partial).blocks).slice(0, 3)).toEqual([OPEN_WHOLE, ACTIONS.deny, ACTIONS.everything]);
    const misleading: Card = { ...plain, open_first: true };
    expect(actionsOf(renderCard(misleading).blocks).slice(0, 3)).toEqual([ACTIONS.everything, ACTIONS.deny, ACTIONS.open]);
    expect(actionsOf(everythingModal(misleading, 99, true).blocks)).toEqual(expect.arrayContaining([actOf('approve'), actOf('deny')]));
  });

  test('C2: a button carries the request and its digest alone, and a menu stands in a block that names them', () => {
    const block = renderCard({ ...plain, reason_required: { approve: true, deny: true } }).blocks.at(-1);
    const elements = block?.type === 'actions' ? block.elements : [];
    const ids = { request_id: plain.request_id, request_digest: digest };
    expect(elements.slice(0, 4)).toMatchObject([
      { action_id: ACTIONS.approveWithReason, value: JSON.stringify(ids) },
      { action_id: ACTIONS.denyWithReason },
      { action_id: ACTIONS.everything },
      { url: plain.url },
    ]);
    expect(elements.at(-1)).toMatchObject({ type: 'overflow', action_id: MORE_ACTION });
    expect(requestOfBlock(block?.block_id ?? '')).toEqual(ids);
  });
});

describe('modals', () => {
  test('9.2.2: the pages of Show everything hold every character, in order, within the limits of a view', () => {
    fc.assert(
      fc.property(hostileCard, (card) => {
        const whole = wholeText(card);
        let read = '';
        for (let page = 0, pages = 1; page < pages; page++) {
          const view = everythingModal(card, page);
          expect(viewComplaints(JSON.parse(JSON.stringify(view)))).toEqual([]);
          expect(JSON.stringify(view).length).toBeLessThan(250_000);
          const [where = '', ...boxes] = view.blocks.filter((block) => block.type === 'rich_text').map((block) => visibleText([block]));
          pages = Number(/of (\d+):/.exec(where)?.[1]);
          read += boxes.join('');
        }
        expect(read).toBe(whole);
        expect(whole).toContain(card.everything);
      }),
      { numRuns: 20 },
    );
  });
});
