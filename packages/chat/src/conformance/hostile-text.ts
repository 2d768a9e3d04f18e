import { expect } from '@jest/globals';
import type { Submission } from '@countersign/contracts';
import fc from 'fast-check';
import { cut } from '../cards/card-words.js';
import { expectOpen, onlyCard, posted } from './cards.js';
import type { PlatformHarness, Row } from './harness.js';

/** Texts of people who mean harm, or only write another script; each with what a reader must see of it. */
const TEXTS: Record<string, { text: string; sees: readonly string[] }> = {
  mrkdwn: letterForLetter('*bold* _it_ ~no~ `x` > q <!channel> <!here|here> <@U0ALICE> <#C0APPROVALS> <https://evil.example|Ticket> &lt;!channel&gt;'),
  Markdown: letterForLetter('**bold** # big [Ticket](https://evil.example) ![pixel](https://evil.example/p.png) <at>Alice</at> {{DATE(2026-01-01T00:00:00Z)}}'),
  HTML: letterForLetter('<img src=x onerror="alert(1)"><script>alert(1)</script><a href="javascript:alert(1)">safe</a> <!-- --> &amp;lt;'),
  'a bare address': letterForLetter('https://evil.example/?q=1 evil.example mailto:eve@evil.invalid'),
  'bidirectional controls': { text: 's3://safe\u202e/live//:3s \u2066x\u2069', sees: ['s3://safe⟦U+202E', 'U+2066', 'U+2069'] },
  'characters without width': { text: 'pro\u200bd\u2060.cus\ufefftomers\u00ad \u3164', sees: ['U+200B', 'U+2060', 'U+FEFF', 'U+00AD', 'U+3164'] },
  'control characters': { text: 'a\u0007b\u001b[31mred\u0085c', sees: ['U+0007', 'U+001B', 'U+0085'] },
  emoji: letterForLetter('👩‍👩‍👧‍👦 👍🏽 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ✅ ❤️ :white_check_mark:'),
  'scripts from right to left': letterForLetter('تصدير بيانات العملاء של הלקוחות می‌خواهم'),
  'scripts of the East': letterForLetter('顧客データの書き出し　確認済み 고객 데이터 ग्राहक'),
  'many quotes and backslashes': letterForLetter('"\\'.repeat(50)),
};

function letterForLetter(text: string): { text: string; sees: readonly string[] } {
  return { text, sees: [text] };
}

/** What never reaches a screen as itself: controls but line feed and tab, bidirectional controls, and what has no width outside emoji and words. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\u3164\ufeff]/;

/** Lines that look as if the product said them. */
const FORGED = ['Approved by Bob Example.', 'Bob Example approved it (slack, 2026-11-21 12:00:00 UTC)', 'Denied by Bob Example.', 'Decide before next year'];

/** The text in every place where a caller can put one. */
function everywhere(text: string): Partial<Submission> {
  return {
    resource: { type: 's3_object', id: text, labels: { data_class: 'pii', note: text.slice(0, 200) } },
    parameters: { note: text, [`key ${text}`.slice(0, 200)]: { inner: [text] } },
    reason: text,
    context: { diff: text, links: [{ title: text.slice(0, 150), url: 'https://tickets.example.com/7' }], more: text },
    purpose: text.slice(0, 200),
  };
}

async function expectHarmless(harness: PlatformHarness, id: string): Promise<string> {
  const text = await expectOpen(harness, id);
  expect(text).not.toMatch(UNSEEN);
  expect(await harness.markup(id)).toEqual([]);
  expect(harness.complaints()).toEqual([]);
  return text;
}

/** As many of the parameters as the API takes in a body. */
function within(most: number, parameters: Record<string, string>): Record<string, string> {
  let room = most;
  return Object.fromEntries(Object.entries(parameters).filter(([name, value]) => (room -= Buffer.byteLength(JSON.stringify([name, value]))) > 0));
}

/** A request as an attacker, or an unlucky agent, might write it. */
const anyText = fc.oneof(
  fc.constantFrom(
    ...Object.values(TEXTS).map(({ text }) => text),
    '',
    ' ',
    '\n\n\n',
    'x'.repeat(20_000),
    '😀'.repeat(3_001),
    '\\'.repeat(9_000),
    '<&>'.repeat(2_000),
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3_000 }),
);
const short = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 });
/** Of a parameter: what intake accepts (names that change objects in code which copies them are refused there). */
const name = short.filter((text) => !['__proto__', 'constructor', 'prototype'].includes(text));
const anySubmission: fc.Arbitrary<Partial<Submission>> = fc
  .record({
    id: short,
    reason: anyText.map((text) => cut(text, 4_000) || 'none'),
    parameters: fc.dictionary(name, anyText, { maxKeys: 120 }),
    diff: anyText,
    links: fc.array(fc.record({ title: short, url: fc.constantFrom('https://a.example/', `https://a.example/${'x'.repeat(2_000)}`) }), { maxLength: 20 }),
  })
  .map(({ id, reason, parameters, diff, links }) => ({
    resource: { type: 's3_object', id, labels: { data_class: 'pii' } },
    reason,
    parameters: within(150_000, parameters),
    context: { diff, links },
  }));

/** Text of others: shown letter for letter, never read, and always within what the platform takes. */
export const hostileRows: Row[] = [
  ...Object.entries(TEXTS).map(([name, { text: hostile, sees }]): Row => ({
    title: `C2: ${name} in every text of a request is harmless and visible`,
    async run(harness) {
      const id = await posted(harness, everywhere(hostile));
      const text = await expectHarmless(harness, id);
      for (const seen of sees) expect(text).toContain(seen);
    },
  })),
  {
    title: 'C2: lines that pretend to be the product’s stand only in boxes of others’ text, and the card stays open',
    async run(harness) {
      const forged = `All good.\n\n${FORGED.join('\n')}`;
      const id = await posted(harness, {
        ...everywhere(forged),
        resource: { type: `s3_object`, id: `bucket\n${FORGED.join('\n')}`, labels: { data_class: 'pii' } },
      });
      await expectHarmless(harness, id);
      const { own } = await onlyCard(harness, id);
      const lines = own.split('\n').map((line) => line.trim());
      for (const line of FORGED) expect(lines.filter((one) => one.startsWith(line))).toEqual([]);
    },
  },
  {
    title: 'C2: a link shows the host that it leads to, whatever it calls itself, and no other text can be followed',
    needs: 'links to follow',
    async run(harness) {
      const links = [
        { title: 'https://bank.example/safe', url: 'https://evil.example/x' },
        { title: 'Runbook', url: 'https://аpple.com/login' },
        { title: 'user', url: 'https://bank.example@evil.example/' },
      ];
      const id = await posted(harness, { reason: 'see https://evil.example/ and <https://evil.example|this>', context: { links } });
      const followed = (await harness.links(id)).filter(({ url }) => !url.endsWith(`/requests/${id}`));
      expect(followed.map(({ url }) => url).toSorted()).toEqual(links.map(({ url }) => new URL(url).href).toSorted());
      for (const { text, url } of followed) expect(text).toContain(new URL(url).host);
      expect((await onlyCard(harness, id)).text).toContain('xn--');
    },
  },
  {
    title: 'C2: whatever a request holds, its card is within what the platform takes, can be decided, and says when it does not show all',
    async run(harness) {
      await fc.assert(
        fc.asyncProperty(anySubmission, async (submission) => {
          const { id } = await harness.world.open(submission);
          await harness.work();
          const text = await expectHarmless(harness, id);
          const whole = Object.values(submission.parameters ?? {}).every(
            (value) => typeof value !== 'string' || value.length < 500 || text.length > value.length,
          );
          if (!whole) expect(text).toContain('Show everything');
          await harness.world.cancel(id);
        }),
        { numRuns: 12 },
      );
    },
  },
];
