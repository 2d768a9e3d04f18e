import { cut, type Form, type FormField, type FormValues } from '@countersign/chat';
import { digestOf } from '@countersign/core/request';
import type { types } from '@slack/bolt';
import type { Block } from './rich-text.js';

/** The name of a form's modal in Slack's payloads. */
export const FORM_MODAL = 'countersign_form';

/** What Slack shows of a form that was sent: each block's id is its field's, and the element's name says what it is. */
export type ViewValues = Readonly<
  Record<
    string,
    Readonly<
      Record<
        string,
        {
          value?: string | null | undefined;
          selected_option?: { value?: string | undefined } | null | undefined;
          selected_options?: readonly { value?: string | undefined }[] | null | undefined;
        }
      >
    >
  >
>;

/*
 * Slack's limits (Block Kit reference): title and submit 24, labels and hints 2,000, an input 3,000, a section 3,000, 100 blocks in a view;
 * an option's label 75 and value 150; 10 radio buttons or checkboxes, 100 options in a menu or in each of its 100 groups.
 */
const MOST = { title: 24, label: 2_000, input: 3_000, section: 3_000, blocks: 100, option: 75, value: 150, boxes: 10, options: 100 } as const;

/** What an element of a form is called: it says how its value is read. */
const ELEMENTS = { text: 'text', one: 'one', many: 'many', confirm: 'confirm' } as const;

/**
 * A form as a modal. Text of others goes into plain_text alone. What does not fit into an option is written out above it.
 */
export function formModal(form: Form, metadata: string): types.ModalView {
  const fields = form.fields.map(fieldBlocks);
  const room = MOST.blocks - fields.reduce((sum, blocks) => sum + blocks.length, 0);
  return {
    type: 'modal',
    callback_id: FORM_MODAL,
    private_metadata: metadata,
    title: plain(form.title, MOST.title),
    submit: plain(form.submit, MOST.title),
    close: plain('Back', MOST.title),
    blocks: [...sections(form.intro).slice(0, Math.max(0, room)), ...fields.flat()].slice(0, MOST.blocks),
  };
}

/** What was entered; fields that were left empty are absent. */
export function formValues(values: ViewValues): FormValues {
  const entered: Record<string, string | readonly string[]> = {};
  for (const [id, elements] of Object.entries(values)) {
    for (const [name, { value, selected_option, selected_options }] of Object.entries(elements)) {
      const chosen = (selected_options ?? []).flatMap((option) => option.value ?? []);
      if (name === ELEMENTS.text && value !== null && value !== undefined && value.trim() !== '') entered[id] = value;
      if (name === ELEMENTS.one && selected_option?.value !== undefined) entered[id] = selected_option.value;
      if (name === ELEMENTS.many && chosen.length > 0) entered[id] = chosen;
      if (name === ELEMENTS.confirm && chosen.includes('yes')) entered[id] = 'yes';
    }
  }
  return entered;
}

/** Complaints about fields that must be filled in and hold nothing but white space, by block, at once and without asking anybody; null: none. */
export function emptyIn(view: { blocks: readonly object[]; state: { values: ViewValues } }): Record<string, string> | null {
  const entered = formValues(view.state.values);
  const empty: Record<string, string> = {};
  for (const block of view.blocks) {
    if (!('type' in block) || block.type !== 'input' || !('block_id' in block) || typeof block.block_id !== 'string') continue;
    if ('optional' in block && block.optional === true) continue;
    const typed = view.state.values[block.block_id]?.[ELEMENTS.text]?.value;
    if (typed !== undefined && typed !== null && entered[block.block_id] === undefined) empty[block.block_id] = 'Fill this in.';
  }
  return Object.keys(empty).length === 0 ? null : empty;
}

/** Whether something was chosen whose value Slack cannot carry: then the form is needed to know what it stood for. */
export function hasLongChoices(values: FormValues): boolean {
  return Object.values(values).some((value) => (typeof value === 'string' ? [value] : value).some((one) => LONG.test(one)));
}

/** The values with the choices that stood for them; null where the form does not offer one of them any more. */
export function withLongChoices(values: FormValues, form: Form): FormValues | null {
  const whole: Record<string, string | readonly string[]> = {};
  for (const [id, value] of Object.entries(values)) {
    const field = form.fields.find((one) => one.id === id);
    if (field?.kind !== 'choice') {
      whole[id] = value;
      continue;
    }
    const known = (chosen: string): string | null => field.options.find((option) => carried(option.value) === chosen)?.value ?? null;
    if (typeof value === 'string') {
      const found = known(value);
      if (found === null) return null;
      whole[id] = found;
    } else {
      const found = value.map(known);
      const there = found.filter((one) => one !== null);
      if (there.length < found.length) return null;
      whole[id] = there;
    }
  }
  return whole;
}

const LONG = /^#sha256:[0-9a-f]{64}$/;
const carried = (value: string): string => (value.length <= MOST.value && !LONG.test(value) ? value : `#${digestOf(value)}`);

function fieldBlocks(field: FormField): Block[] {
  const input = (element: types.InputBlock['element'], label = field.label): types.InputBlock => ({
    type: 'input',
    block_id: field.id,
    optional: !field.required,
    label: plain(label, MOST.label),
    ...(field.hint === undefined || field.hint.trim() === '' ? {} : { hint: plain(field.hint, MOST.label) }),
    element,
  });
  switch (field.kind) {
    case 'text': {
      const max = Math.max(1, Math.min(field.max, MOST.input));
      const initial = cut(field.initial ?? '', max);
      return [
        input({
          type: 'plain_text_input',
          action_id: ELEMENTS.text,
          multiline: field.multiline,
          max_length: max,
          ...(initial === '' ? {} : { initial_value: initial }),
        }),
      ];
    }
    case 'confirm': {
      const yes = { text: plain('I confirm this', MOST.option), value: 'yes' };
      return [...sections([field.text]), input({ type: 'checkboxes', action_id: ELEMENTS.confirm, options: [yes] })];
    }
    case 'choice':
      return choiceBlocks(field, input);
  }
}

function choiceBlocks(field: Extract<FormField, { kind: 'choice' }>, input: (element: types.InputBlock['element']) => Block): Block[] {
  // Slack refuses a menu without options.
  if (field.options.length === 0) return sections([`${field.label}: there is nothing to choose from.`]);
  const long = field.options.some(({ label }) => label.length > MOST.option);
  const options = field.options.slice(0, MOST.options * MOST.options).map(({ value, label }, index) => ({
    text: plain(long ? `${String(index + 1)}. ${label}` : label, MOST.option),
    value: carried(value),
  }));
  const initial = options.filter(({ value }) => field.initial !== undefined && carried(field.initial) === value);
  const first = initial[0];
  // A short list is seen at once; a long one is a menu, in groups where it is longer than Slack's.
  const offered = options.length <= MOST.options ? { options } : { option_groups: groupsOf(options) };
  const boxes = options.length <= MOST.boxes;
  const whole = long ? sections(field.options.map(({ label }, index) => `${String(index + 1)}. ${label}`)) : [];
  if (field.many) {
    const ticked = initial.length === 0 ? {} : { initial_options: initial };
    return [
      ...whole,
      input(
        boxes
          ? { type: 'checkboxes', action_id: ELEMENTS.many, options, ...ticked }
          : { type: 'multi_static_select', action_id: ELEMENTS.many, placeholder: plain('Choose', 150), ...offered, ...ticked },
      ),
    ];
  }
  const picked = first === undefined ? {} : { initial_option: first };
  return [
    ...whole,
    input(
      boxes
        ? { type: 'radio_buttons', action_id: ELEMENTS.one, options, ...picked }
        : { type: 'static_select', action_id: ELEMENTS.one, placeholder: plain('Choose', 150), ...offered, ...picked },
    ),
  ];
}

function groupsOf(options: types.PlainTextOption[]): { label: types.PlainTextElement; options: types.PlainTextOption[] }[] {
  const groups = [];
  for (let from = 0; from < options.length; from += MOST.options) {
    const part = options.slice(from, from + MOST.options);
    groups.push({ label: plain(`${String(from + 1)} to ${String(from + part.length)}`, MOST.option), options: part });
  }
  return groups;
}

/** Paragraphs, letter for letter, in as few sections as hold them. */
function sections(paragraphs: readonly string[]): Block[] {
  let rest = paragraphs.filter((one) => one.trim() !== '').join('\n\n');
  const blocks: Block[] = [];
  while (rest !== '') {
    const part = cut(rest, MOST.section);
    blocks.push({ type: 'section', text: { type: 'plain_text', text: part, emoji: false } });
    rest = rest.slice(part.length);
  }
  return blocks;
}

/** A text object; Slack refuses an empty one, and cut where it is too long it ends with a mark. */
function plain(text: string, most: number): types.PlainTextElement {
  const whole = text.trim() === '' ? '(empty)' : text;
  return { type: 'plain_text', text: whole.length <= most ? whole : `${cut(whole, most - 1)}…`, emoji: false };
}
