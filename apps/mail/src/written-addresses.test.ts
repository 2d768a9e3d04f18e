import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bracketed, escapeHtml, unlinked } from './written-addresses.js';

/** What mail programs make links of, by the looks of it. */
const FOLLOWED = [
  'https://evil.example/?q=1',
  'HTTP://EVIL.EXAMPLE',
  'www.evil.com',
  'evil.com',
  'sub.evil.co.uk/path',
  'пример.рф',
  'xn--pple-43d.com',
  'eve@evil.example',
  'mailto:eve@evil.example',
  'tel:+4912345',
  'ms-word:ofe|u|https://evil.example/x',
  'customers.zip',
  'a.b.sh',
];
/** What they leave alone, and what people read every day. */
const PLAIN = [
  'data.export',
  'prod.customers',
  's3://ml-retraining/customers.csv',
  'gs://bucket/x.parquet',
  'v1.2.3',
  '10.0.0.1',
  'e.g.',
  '@@ -1,3 +1,3 @@',
  'a.',
  '...',
  'postgres://db/prod',
];

test.each(FOLLOWED)('%s cannot be followed: its marks stand in brackets, or in elements of their own', (text) => {
  for (const around of [text, `see ${text}, or (${text}).`, `"${text}"`]) {
    expect(bracketed(around)).not.toContain(text);
    const html = unlinked(around);
    expect(html).toContain('<span>');
    // No text node holds an address whole.
    expect(html.split(/<[^>]*>/)).not.toContain(text);
  }
});

test.each(PLAIN)('%s stays as it is', (text) => {
  expect(bracketed(text)).toBe(text);
  expect(unlinked(text)).toBe(text);
});

test('an s3 address with a host that exists is no exception', () => {
  expect(bracketed('s3://evil.com/x')).toBe('s3[:]//evil[.]com/x');
});

const letters = (html: string): string =>
  html
    .replaceAll(/<\/?span>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

test('whatever the text, HTML shows exactly its letters, and no tag but ours', () => {
  const any = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 200 }),
    fc.array(fc.constantFrom(...FOLLOWED, ...PLAIN, ' ', '<', '>', '&', '"', "'", '\n', '<b>', '&lt;')).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(any, (text) => {
      const html = unlinked(text);
      expect(letters(html)).toBe(text);
      expect(html.replaceAll(/<\/?span>/g, '')).toBe(escapeHtml(text));
      expect(html.replaceAll(/<\/?span>/g, '')).not.toMatch(/[<>"']/);
    }),
  );
});

test('whatever the text, what is taken out of the text part is nothing but brackets around marks', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      expect(bracketed(text).replaceAll(/\[([.@:])\]/g, '$1')).toBe(text.replaceAll(/\[([.@:])\]/g, '$1'));
    }),
  );
});

test('a long text is read in time that grows with its length alone', () => {
  for (const text of ['a.'.repeat(50_000), '@'.repeat(100_000), 'a@'.repeat(50_000), `${'a-'.repeat(50_000)}.`, '://'.repeat(30_000)])
    expect(bracketed(text).length).toBeGreaterThanOrEqual(text.length);
});
