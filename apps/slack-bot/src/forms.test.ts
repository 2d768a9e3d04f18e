import { describe, expect, test } from '@jest/globals';
import type { Form, FormField, Home } from '@countersign/chat';
import { blockComplaints, viewComplaints, visibleText } from '@countersign/dev-env/slack';
import type { types } from '@slack/bolt';
import fc from 'fast-check';
import { emptyIn, formModal, formValues, hasLongChoices, withLongChoices } from './forms.js';
import { homeBlocks } from './home.js';
import { saidModal } from './modals.js';

const isInput = (block: types.ModalView['blocks'][number]): block is types.InputBlock => block.type === 'input';
const json = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/** Texts of every length and of bad intent: marks, mentions, emoji at every cut, what grows in JSON. */
const hostile = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.constantFrom('', ' ', '<!channel> *bold* <@U0ALICE>', '\u202e\u200b', '"'.repeat(5_000), `x${'😀'.repeat(4_000)}`, 'y'.repeat(41_000)),
);
const base = { label: hostile, hint: hostile, required: fc.boolean() };
const field: fc.Arbitrary<object> = fc.oneof(
  fc.record({ ...base, kind: fc.constant('text'), multiline: fc.boolean(), max: fc.integer({ min: 1, max: 5_000 }), initial: hostile }),
  fc.record({ ...base, kind: fc.constant('confirm'), text: fc.string({ maxLength: 7_000 }) }),
  fc.record({
    ...base,
    kind: fc.constant('choice'),
    many: fc.boolean(),
    options: fc.uniqueArray(fc.record({ value: fc.string({ minLength: 1, maxLength: 400 }), label: fc.string({ maxLength: 200 }) }), {
      selector: ({ value }) => value,
      maxLength: 130,
    }),
  }),
);
const anyForm = fc
  .record({ title: hostile, intro: fc.array(hostile, { maxLength: 5 }), fields: fc.array(field, { maxLength: 12 }), submit: hostile })
  // Made of what the types name; the ids are given here.
  .map(
    (made) => ({ ...made, action: 'ask', subject: null, fields: made.fields.map((one, index) => ({ ...one, id: `f${String(index)}` })) }) as unknown as Form,
  );

describe('forms', () => {
  test('C1: any form is a modal that Slack takes', () => {
    fc.assert(
      fc.property(anyForm, (form) => {
        const view = json(formModal(form, '{}'));
        expect(viewComplaints(json({ ...view }))).toEqual([]);
        expect(JSON.stringify(view).length).toBeLessThan(250_000);
      }),
    );
  });

  test('what was entered is read back, whichever element it was entered in', () => {
    const options = (count: number) => Array.from({ length: count }, (_, index) => ({ value: `v${String(index)}`, label: `Choice ${String(index)}` }));
    const fields: FormField[] = [
      { kind: 'text', id: 'text', label: 'Text', required: true, multiline: false, max: 100 },
      { kind: 'confirm', id: 'word', label: 'Word', required: true, text: 'I am sure' },
      { kind: 'choice', id: 'few', label: 'Few', required: true, many: false, options: options(3) },
      { kind: 'choice', id: 'menu', label: 'Menu', required: true, many: false, options: options(50) },
      { kind: 'choice', id: 'boxes', label: 'Boxes', required: true, many: true, options: options(5) },
      { kind: 'choice', id: 'several', label: 'Several', required: false, many: true, options: options(130) },
    ];
    const view = json(formModal({ action: 'ask', title: 'T', intro: [], fields, submit: 'S', subject: null }, '{}'));
    const inputs = view.blocks.filter(isInput);
    expect(inputs.map(({ element }) => element.type)).toEqual([
      'plain_text_input',
      'checkboxes',
      'radio_buttons',
      'static_select',
      'checkboxes',
      'multi_static_select',
    ]);
    const names = inputs.map(({ element }) => element.action_id ?? '');
    const option = (value: string) => ({ value });
    const given = [
      { value: 'hello' },
      { selected_options: [option('yes')] },
      { selected_option: option('v1') },
      { selected_option: option('v42') },
      { selected_options: [option('v0'), option('v4')] },
      { selected_options: [option('v129')] },
    ];
    const values = Object.fromEntries(inputs.map(({ block_id }, index) => [block_id ?? '', { [names[index] ?? '']: given[index] ?? {} }]));
    expect(formValues(values)).toEqual({ text: 'hello', word: 'yes', few: 'v1', menu: 'v42', boxes: ['v0', 'v4'], several: ['v129'] });
    expect(formValues({ text: { text: { value: '  ' } }, few: { one: { selected_option: null } }, boxes: { many: { selected_options: [] } } })).toEqual({});
  });

  test('a choice whose value Slack cannot carry comes back as itself, and as nothing where the form does not offer it any more', () => {
    const long = 'z'.repeat(500);
    const form = (values: string[]): Form => ({
      ...{ action: 'counter', title: 'T', intro: [], submit: 'S', subject: null },
      fields: [{ kind: 'choice', id: 'one', label: 'One', required: true, many: false, options: values.map((value) => ({ value, label: 'A choice' })) }],
    });
    const [block] = json(formModal(form(['short', long]), '{}')).blocks.filter(isInput);
    const carried = block?.element.type === 'radio_buttons' ? (block.element.options[1]?.value ?? '') : '';
    expect(carried.length).toBeLessThanOrEqual(150);
    const entered = formValues({ one: { one: { selected_option: { value: carried } } } });
    expect([hasLongChoices(entered), hasLongChoices({ one: 'short' })]).toEqual([true, false]);
    expect(withLongChoices(entered, form(['short', long]))).toEqual({ one: long });
    expect(withLongChoices(entered, form(['short', `${long}!`]))).toBeNull();
  });

  test('the whole text of what is confirmed and chosen stands in the form', () => {
    const text = `I confirm ${'every word '.repeat(600)}of it`;
    const label = `A choice ${'with many words '.repeat(20)}at its end`;
    const fields: FormField[] = [
      { kind: 'confirm', id: 'a', label: 'I confirm this', required: true, text },
      { kind: 'choice', id: 'b', label: 'Choose', required: true, many: false, options: [{ value: 'x', label }] },
    ];
    const shown = visibleText(json(formModal({ action: 'ask', title: 'T', intro: ['<!here>'], fields, submit: 'S', subject: null }, '{}')).blocks);
    expect(shown.replaceAll('\n', '')).toContain(text);
    expect(shown).toContain(label);
    expect(shown).toContain('<!here>');
  });

  test('a field that must be filled in and holds white space alone is complained about; one that may stay empty is not', () => {
    const blocks = [
      { type: 'input', block_id: 'must', optional: false },
      { type: 'input', block_id: 'may', optional: true },
    ];
    const values = { must: { text: { value: ' \n' } }, may: { text: { value: ' ' } } };
    expect(emptyIn({ blocks, state: { values } })).toEqual({ must: 'Fill this in.' });
    expect(emptyIn({ blocks, state: { values: { must: { text: { value: 'x' } } } } })).toBeNull();
  });
});

describe('homes and words', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const request = fc.record({
    ...{ request_id: fc.uuid(), headline: hostile, waiting_for: fc.option(hostile), stead: fc.option(hostile), demands: fc.boolean(), bulk: fc.boolean() },
    ...{ request_digest: fc.constant(digest), url: fc.webUrl(), expires_at: fc.constant('2026-11-21T16:00:00.000Z') },
    actions: fc.array(fc.record({ label: hostile, action: fc.constantFrom('ask', 'answer', 'snooze', 'not_me', 'review'), subject: fc.uuid() }), {
      maxLength: 12,
    }),
  });
  const absence = fc.record({
    id: fc.uuid(),
    name: hostile,
    from: fc.constant('2026-11-21T16:00:00.000Z'),
    until: fc.constant('2026-11-22T16:00:00.000Z'),
    reason: fc.option(hostile),
    state: fc.constantFrom('to_come', 'in_force'),
  });
  const about = { request_id: fc.uuid(), request_digest: fc.constant(digest), headline: hostile, url: fc.webUrl() };
  const anyHome = fc
    .record({
      person: fc.constant({ id: 'per_x', name: 'X' }),
      waiting: fc.uniqueArray(request, { selector: ({ request_id }) => request_id, maxLength: 40 }),
      more: fc.integer({ min: 0, max: 500 }),
      decided: fc.array(
        fc.record({
          ...about,
          verdict: fc.constantFrom('approve', 'deny'),
          decided_at: fc.constant('2026-11-21T16:00:00.000Z'),
          status: fc.constant('denied'),
        }),
        { maxLength: 20 },
      ),
      reviews: fc.array(fc.record({ ...about, review_id: fc.uuid(), due_at: fc.constant('2026-11-21T16:00:00.000Z') }), { maxLength: 20 }),
      questions: fc.array(fc.record({ ...about, question_id: fc.uuid(), name: hostile, text: hostile }), { maxLength: 30 }),
      away: fc.array(absence, { maxLength: 20 }),
      standing_in: fc.array(absence, { maxLength: 20 }),
    })
    // Made of what the types name.
    .map((made) => made as unknown as Home);

  test('C1: any home is one that Slack takes, and says how much it leaves out', () => {
    fc.assert(
      fc.property(anyHome, (home) => {
        const blocks = json(homeBlocks(home, { publicUrl: 'http://localhost:8080', notice: 'A notice', now: '2026-11-21T12:00:00.000Z' }));
        expect(viewComplaints({ type: 'home', blocks })).toEqual([]);
        expect(JSON.stringify(blocks).length).toBeLessThan(250_000);
        const shown = blocks.filter(({ type }) => type === 'actions').flatMap((block) => JSON.stringify(block).match(/countersign_open_whole"/g) ?? []).length;
        if (home.more > 0) expect([visibleText(blocks).includes('more, in the web inbox'), shown > 0 || home.waiting.length === 0]).toEqual([true, true]);
      }),
      { numRuns: 50 },
    );
  });

  test('C1: any words for one person are a message and a modal that Slack takes', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(viewComplaints(json({ ...saidModal(text, { label: text, url: 'http://localhost:8080' }) }))).toEqual([]);
        expect(blockComplaints(json(saidModal(text).blocks), 'message')).toEqual([]);
      }),
    );
  });
});
