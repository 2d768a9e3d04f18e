import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Card, Submission } from '@countersign/contracts';
import { cardOf } from '@countersign/core/card';
import { type ApprovalWorld, createApprovalWorld } from '@countersign/dev-env/approval-world';
import { MOST_BYTES, renderCard, renderMessage, requestOf } from './render.js';

let world: ApprovalWorld;
const LINK = 'https://countersign.example.com/m#token';
beforeAll(async () => {
  world = await createApprovalWorld();
});
afterAll(() => world.close());

async function card(submission: Partial<Submission> = {}): Promise<Card> {
  const { id } = await world.open(submission);
  return cardOf(await world.state(id), { publicUrl: 'https://countersign.example.com', notice: null });
}

test('C2: a small request is shown whole in both parts, and neither says that something is missing', async () => {
  const { text, html } = renderCard(await card(), LINK);
  for (const part of [text, html]) {
    expect(part).not.toContain('continues');
    expect(part).toContain(LINK);
  }
});

test('C2: a huge one is within what Gmail shows, and says in each part how much of what is shown, and where all of it is', async () => {
  for (const parameters of [
    { statement: 'x'.repeat(150_000) },
    Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`option_${String(index)}`, `<&"'> ${'.com '.repeat(60)}`])),
    { a: '&'.repeat(60_000), b: '\n'.repeat(60_000), c: '😀'.repeat(20_000) },
  ]) {
    const { text, html } = renderCard(await card({ parameters }), LINK);
    for (const part of [text, html]) {
      expect(Buffer.byteLength(part)).toBeLessThanOrEqual(MOST_BYTES);
      expect(part).toMatch(/continues: shown [\d,]+ of [\d,]+/);
      expect(part).toContain('This card does not show all of it.');
      expect(part).not.toMatch(/\p{Cs}/u);
    }
  }
});

test('C2: nothing that a request holds can look like a line of ours in the text part', async () => {
  const forged = [
    'Open the request:',
    'https://countersign.example.com/m#stolen',
    '--- Why you are asked ---',
    'Decide before 2030-01-01 00:00:00 UTC; after that it does not run.',
    'APPROVED',
    '! Beware: nothing',
  ];
  const hostile = forged.join('\n');
  const shown = await card({
    resource: { type: 's3_object', id: hostile, labels: { data_class: 'pii', note: hostile } },
    reason: hostile,
    parameters: { [`x\n${hostile}`.slice(0, 200)]: hostile, short: 'APPROVED' },
    context: { diff: hostile, links: [{ title: hostile, url: 'https://evil.example/' }] },
    purpose: hostile,
  });
  const lines = renderCard(shown, LINK).text.split('\n');
  expect(lines.filter((line) => line.startsWith('Decide before'))).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith('Open the request:'))).toEqual(['Open the request:']);
  expect(lines.filter((line) => line.startsWith('--- Why'))).toHaveLength(1);
  expect(lines.filter((line) => /^(?:APPROVED|! Beware: nothing|https:\/\/\S*stolen)/.test(line))).toEqual([]);
});

test('a subject is one line of 150 characters, whatever the request is called', async () => {
  const { subject } = renderCard(
    await card({ resource: { type: 's3_object', id: `a\r\nBcc: eve@evil.example\u2028${'😀'.repeat(200)}`, labels: { data_class: 'pii' } } }),
    LINK,
  );
  expect(subject).toMatch(/^Approval needed: /);
  expect(subject.length).toBeLessThanOrEqual(150);
  expect(subject).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
  expect(subject).not.toMatch(/\p{Cs}/u);
});

test('a message has the signed link in the place of its request’s address, and a message about several keeps their own', async () => {
  const { id, request_digest } = await world.open();
  const url = `https://countersign.example.com/requests/${id}`;
  const message = { title: 'Still waiting', lines: ['It has waited for <b>2 hours</b>.', 'a\nb'], links: [{ label: 'Open the request', url }], actions: [] };
  expect(requestOf(message)).toBe(id);
  const { subject, text, html } = renderMessage(message, LINK);
  expect(subject).toBe('Still waiting: It has waited for <b>2 hours</b>.');
  expect(html).toContain(`href="${LINK}"`);
  expect([text, html].filter((part) => part.includes(url))).toEqual([]);
  expect(html).toContain('&lt;b&gt;');
  const other = `ar_${'0'.repeat(8)}-0000-7000-8000-000000000000`;
  const several = { ...message, links: [...message.links, { label: 'Open the other', url: `https://countersign.example.com/requests/${other}` }] };
  expect(requestOf(several)).toBeNull();
  expect(renderMessage(several, null).html).toContain(url);
  // Its buttons name the request as well; what they do is done on the page.
  expect(requestOf({ links: [], actions: [{ label: 'Answer', action: 'answer', request_id: id, request_digest }] })).toBe(id);
  expect(renderMessage({ ...message, links: [] }, LINK).html).toContain(`href="${LINK}"`);
});
