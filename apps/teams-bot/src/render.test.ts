import { describe, expect, test } from '@jest/globals';
import { wholeText } from '@countersign/chat';
import type { Card } from '@countersign/contracts';
import { cardComplaints, cardText, findAction } from '@countersign/dev-env/teams';
import fc from 'fast-check';
import type { AdaptiveCard } from './adaptive-card.js';
import { MOST_BYTES, previewCard, renderCard } from './render.js';
import { wholePage, wholePages } from './whole.js';

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

/** Texts of people who mean harm, of every length: Markdown, mentions, date macros, quotes that grow in JSON, emoji, halves of them. */
const hostile = fc.oneof(
  fc.constantFrom(
    '',
    '\n\n\n',
    '<at>Alice</at> & **b**',
    '{{DATE(2026-01-01T00:00:00Z, SHORT)}}'.repeat(400),
    '"'.repeat(5_000),
    '\\'.repeat(9_000),
    '😀'.repeat(3_001),
    '\u0001'.repeat(9_000),
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
    links: many(
      fc.record({
        title: hostile,
        url: fc.constantFrom('', 'https://a.example/', 'javascript:alert(1)', `https://a.example/${'x'.repeat(4_000)}`),
        host: hostile,
      }),
      30,
    ),
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
        via: fc.constant('teams'),
      }),
      50,
    ),
    outcome: fc.option(hostile),
    notice: fc.option(hostile),
    open: fc.boolean(),
    everything: hostile,
    reason_required: fc.record({ approve: fc.boolean(), deny: fc.boolean() }),
  })
  .map(({ explanation, groups, stages, outcome, ...members }) => ({
    ...plain,
    ...members,
    rule: { ...plain.rule, explanation },
    stages: Array.from({ length: stages }, (_, index) => ({ name: `stage ${String(index)}`, groups, open: index === 0, satisfied: false })),
    outcome: outcome === null ? null : { status: 'denied' as const, text: outcome, at: plain.created_at },
  }));

/** Teams names 60 people at most; ids have about 100 characters. */
const LARGEST_REFRESH = {
  action: { type: 'Action.Execute' as const, title: 'Refresh', verb: 'refresh', data: { request_id: plain.request_id, request_digest: digest } },
  userIds: Array.from({ length: 60 }, (_, nth) => `29:${String(nth).padStart(97, 'x')}`),
};
const json = (card: object): unknown => JSON.parse(JSON.stringify(card));

describe('a card', () => {
  test('C2: says who asks what of whom, why, by which rule, who is needed, and until when', () => {
    const text = cardText(renderCard(plain));
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

  test('Teams takes it whatever the request holds: known elements, below 25 KB, also for one person and with everything', () => {
    fc.assert(
      fc.property(hostileCard, hostile, (card, told) => {
        for (const rendered of [
          renderCard(card),
          renderCard(card, told),
          renderCard(card, told, { decides: false, refresh: LARGEST_REFRESH }),
          wholePage(card, { kind: 'card' }).card,
          wholePage(card, { kind: 'dialog', card: '1' }, { page: 99, of: null }).card,
        ]) {
          expect(cardComplaints(json(rendered))).toEqual([]);
          expect(Buffer.byteLength(JSON.stringify(rendered))).toBeLessThanOrEqual(MOST_BYTES);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('text of others stands where it is shown letter for letter, and in no element that reads Markdown', () => {
    const attack = '**x** [Ticket](https://evil.example) <at>Alice</at> {{DATE(2026-01-01T00:00:00Z,SHORT)}}';
    const rendered = renderCard({
      ...plain,
      headline: attack,
      reason: attack,
      parameters: [{ path: attack, value: attack }],
      facts: [{ label: attack, value: attack }],
      warnings: [attack],
      notice: attack,
    });
    expect(cardText(rendered)).toContain(attack);
    const other = JSON.stringify(rendered, (key, value: unknown) => (key === 'inlines' ? [] : value));
    expect(other).not.toContain('evil.example');
    // A renderer replaces a date macro where it finds all of it in one run.
    // Ours, of the deadline, is the only one.
    const ours = 'In your time zone: {{DATE(2026-11-21T16:00:00Z,SHORT)}}, {{TIME(2026-11-21T16:00:00Z)}}';
    expect(JSON.stringify(rendered)).toContain(ours);
    expect(JSON.stringify(rendered).replace(ours, '')).not.toContain('{{DATE');
  });

  test('a value cannot pretend to be a line of ours', () => {
    const text = cardText(renderCard({ ...plain, facts: [{ label: 'Action', value: 'data.read\nEnvironment: staging' }] }));
    expect(text.split('\n')).not.toContain('Environment: staging');
  });

  test('a link leads where it says, and to nothing but the web', () => {
    const links = ['javascript:alert(1)', 'ms-word:x', 'https://a.example/'].map((url) => ({ title: 'Ticket', url, host: 'a.example' }));
    expect(JSON.stringify(renderCard({ ...plain, links })).match(/"url":"[^"]*"/g)).toEqual(['"url":"https://a.example/"', `"url":"${plain.url}"`]);
  });

  test('what does not fit is said, with how much is shown and where the rest is', () => {
    const text = cardText(renderCard({ ...plain, parameters: [{ path: 'sql', value: 'x'.repeat(41_220) }] }));
    expect(text).toMatch(/continues: shown [\d,]+ of 41,220 characters, use Show everything/);
    expect(text).toContain('does not show all of it');
    expect(cardText(renderCard(plain))).not.toContain('does not show all of it');
  });

  test('has Approve, Deny and Show everything while it is open, the rest in its menu, and no button afterwards', () => {
    const [first, second] = [rankOf(renderCard(plain), undefined), rankOf(renderCard(plain), 'secondary')];
    expect(first).toEqual(['Approve', 'Deny', 'Show everything']);
    expect(second).toEqual(expect.arrayContaining(['Deny with a reason', 'Show all in a window', 'Ask a question']));
    const closed = renderCard({ ...plain, open: false, status: 'denied' });
    expect(JSON.stringify(closed)).not.toMatch(/Action\.(Execute|Submit)|Input\./);
    expect(wholePage({ ...plain, open: false }, { kind: 'card' }).card.actions?.map(({ title }) => title)).toEqual(['Back to the card']);
  });

  test('C2: where it does not show all of it Approve opens the whole first', () => {
    const card = { ...plain, parameters: [{ path: 'sql', value: 'x'.repeat(41_220) }] };
    expect(findAction(renderCard(card), 'approve')?.['data']).toEqual({ request_id: plain.request_id, request_digest: digest, first: 'whole' });
  });

  test('C2: where something in it may mislead, Approve stands beside the whole alone', () => {
    const card: Card = { ...plain, open_first: true };
    expect(rankOf(renderCard(card), undefined)).toEqual(['Show everything', 'Deny']);
    expect(findAction(wholePage(card, { kind: 'card' }).card, 'approve')?.['data']).toEqual({ request_id: plain.request_id, request_digest: digest });
  });

  test('a button carries the request and its digest alone, for old clients too', () => {
    const data = { request_id: plain.request_id, request_digest: digest };
    for (const verb of ['approve', 'deny', 'everything']) {
      expect(findAction(renderCard(plain), verb)).toMatchObject({ type: 'Action.Execute', data, fallback: { type: 'Action.Submit', data: { ...data, verb } } });
      expect(Object.keys(Object(findAction(renderCard(plain), verb)?.['data']))).toEqual(Object.keys(data));
    }
  });

  test('a reason that only Deny needs does not hold back Approve', () => {
    const card = renderCard({ ...plain, reason_required: { approve: false, deny: true } });
    expect(card.body.at(-1)).toMatchObject({ type: 'Input.Text', isRequired: true });
    expect([findAction(card, 'approve')?.['associatedInputs'], findAction(card, 'deny')?.['associatedInputs']]).toEqual(['none', 'auto']);
  });

  test('a preview is what is posted', () => {
    expect(previewCard(plain)).toEqual(json(renderCard(plain)));
  });
});

/** Titles of the buttons of a rank. */
const rankOf = ({ actions = [] }: AdaptiveCard, mode: 'secondary' | undefined) =>
  actions.flatMap((action) => (action.title !== undefined && action.mode === mode ? [action.title] : []));

describe('the whole of a request', () => {
  test('C2: the boxes of its pages together are all of it, letter for letter, whatever it holds', () => {
    fc.assert(
      fc.property(
        hostileCard,
        fc.constantFrom('', 'x'.repeat(41_220), '👩‍👩‍👧‍👦'.repeat(3_000), '{{DATE('.repeat(4_000), 'é\n'.repeat(9_000)),
        (card, everything) => {
          const whole = { ...card, everything };
          const pages = wholePages(whole);
          expect(pages.join('')).toBe(wholeText(whole));
          pages.forEach((text, page) => {
            const shown = wholePage(whole, { kind: 'card' }, { page, of: null });
            expect(boxOf(shown.card)).toBe(text === '' ? '(empty)' : text);
            expect(shown.last).toBe(page === pages.length - 1);
            // Pages between are made as the first is; a large text takes the parser long.
            if (page === 0 || shown.last) expect(cardComplaints(json(shown.card))).toEqual([]);
            expect(Buffer.byteLength(JSON.stringify(shown.card))).toBeLessThanOrEqual(MOST_BYTES);
          });
        },
      ),
      { numRuns: 15 },
    );
  });

  test('is decided on its last page, and each says where the rest is', () => {
    const long = { ...plain, everything: 'x'.repeat(60_000) };
    const pages = wholePages(long).map((_, page) => wholePage(long, { kind: 'card' }, { page, of: null }).card);
    expect(pages.length).toBeGreaterThan(2);
    for (const [page, card] of pages.entries()) {
      const last = page === pages.length - 1;
      expect({ page, decides: findAction(card, 'approve') !== undefined, goesOn: /press Next page/.test(cardText(card)) }).toEqual({
        page,
        decides: last,
        goesOn: !last,
      });
      expect(cardText(card)).toContain(plain.url);
    }
  });

  test('a page of a text that is another by now is its first page again, and says so', () => {
    const long = { ...plain, everything: 'x'.repeat(60_000) };
    const next = findAction(wholePage(long, { kind: 'card' }).card, 'everything')?.['data'];
    const { page, of } = next as { page: number; of: string };
    expect(cardText(wholePage(long, { kind: 'card' }, { page, of }).card)).toContain('Page 2');
    const decided = { ...long, decisions: [{ name: 'Bob', verdict: 'approve' as const, reason: null, at: plain.created_at, via: 'web' }] };
    expect(cardText(wholePage(decided, { kind: 'card' }, { page, of }).card)).toMatch(/It changed meanwhile[^]*Page 1/);
  });
});

const boxOf = (card: AdaptiveCard): string => {
  const inner = card.body.find((element) => element.type === 'Container');
  return inner === undefined ? '' : cardText({ type: 'AdaptiveCard', body: [inner] });
};
