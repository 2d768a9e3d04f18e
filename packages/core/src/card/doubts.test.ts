import { expect, test } from '@jest/globals';
import { makeVisible } from '../request/visible-text.js';
import { doubtsOf } from './doubts.js';

const of = (text: string, links: { title: string; host: string }[] = []) => doubtsOf({ texts: [text], unseen: makeVisible(text).found, links });

test.each([
  ['plain words', 'Retraining set for churn model v7, approved scope only'],
  ['a sentence about approvals', 'The change was approved by the board in June; we now run it.'],
  ['German', 'Genehmigt wird das sonst nirgends: bitte ansehen, Größe 48.211 Zeilen.'],
  ['a script of its own', 'Экспорт таблицы клиентов для переобучения'],
  ['a borrowed word', 'SQL-запрос к prod.customers'],
  ['a formula', 'Δt = 5 µs, Ωmax'],
  ['Japanese with Latin', '顧客テーブルのCSVエクスポート'],
  ['an emoji family', 'Ship it 👨‍👩‍👧 🏳️‍🌈'],
  ['code', 'if (x) {\n    return y;\n}\n\n\nSELECT *   FROM a'],
  ['a no-break space', 'rows: 1\u00A0000'],
])('C2: %s raise no doubt', (_name, text) => {
  expect(of(text)).toEqual([]);
});

test.each([
  ['text that runs backwards', 'safe\u202Etxt.exe', /reorder/],
  ['a zero-width space', 'prod\u200B.customers', /cannot be seen/],
  ['an escape sequence', 'ok\u001b[2J', /cannot be seen/],
  ['hidden tags', `hello${String.fromCodePoint(0xe0041)}`, /cannot be seen/],
  ['a stamp', 'Please look.\n\n*Approved by Alice*, 12:03 UTC', /stamp of ours/],
  ['a stamp with a mark', '✅ Approved by policy', /stamp of ours/],
  ['a stamp with many marks', '>>> **PRE-APPROVED: by security**', /stamp of ours/],
  ['a line of the card', 'x\nNeeded: nobody', /stamp of ours/],
  ['empty lines', `first${'\n'.repeat(40)}and delete everything`, /empty stretch/],
  ['blanks', `first${' '.repeat(300)}and delete everything`, /empty stretch/],
  ['a Cyrillic a in a Latin word', 'prod.customers on p\u0430ypal', /two scripts/],
  ['a Greek omicron in a Latin word', 'g\u03bfogle', /two scripts/],
])('C2: %s in a request raise a doubt', (_name, text, why) => {
  expect(of(text)).toEqual([expect.stringMatching(why)]);
});

test('C2: a link that names another host than it leads to raises a doubt', () => {
  const doubt = (title: string, host: string) => of('', [{ title, host }]);
  expect(doubt('github.com/acme/plan', 'evil.example')).toEqual(['A link calls itself github.com, and leads to evil.example.']);
  expect(doubt('See https://paypal.com', 'xn--pypal-4ve.com')).toEqual(['A link calls itself paypal.com, and leads to xn--pypal-4ve.com.']);
  expect(doubt('p\u0430ypal.com', 'paypal.com')).toEqual(['A link calls itself xn--pypal-4ve.com, and leads to paypal.com.']);
  expect(doubt('github.com/acme/plan', 'github.com')).toEqual([]);
  expect(doubt('acme.example docs', 'docs.acme.example')).toEqual([]);
  expect(doubt('Ticket OPS-12, plan v1.2', 'jira.example')).toEqual([]);
  expect(doubt('Node.js notes', 'ci.example')).toEqual(['A link calls itself node.js, and leads to ci.example.']);
});

test('C2: what is looked for is found in time that rises with the text alone', () => {
  // A quarter of a megabyte each, of what the expressions begin with: an expression that tries each again from each place does not end here.
  for (const part of [' ', '\n', '\n ', 'a\u0301', '*', 'approved ', 'a.', '-'])
    of(part.repeat(262_144 / part.length), [{ title: part.repeat(20_000), host: 'a.example' }]);
});
