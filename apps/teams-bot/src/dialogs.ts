import { type ActionAnswer, type CardAction, cardActions, count, cut, type Form, type FormField, type FormValues } from '@countersign/chat';
import type { Card, JsonObject, JsonValue } from '@countersign/contracts';
import {
  type Action,
  type ActionData,
  type AdaptiveCard,
  bold,
  bytesOf,
  button,
  type Element,
  heading,
  line,
  note,
  openButton,
  runs,
  submitButton,
} from './adaptive-card.js';
import { dataOf, VERBS } from './buttons.js';
import { frame, MOST_BYTES } from './render.js';
import { text } from './incoming-activity.js';

/** What a form is about, as its buttons carry it. */
export interface FormOf {
  request_id: string;
  request_digest: string | null;
  /** The activity of the posted card in the same conversation; null where the request is named by id alone. */
  card: string | null;
}

/** Where a card is drawn: in place of the one that was pressed, or in a dialog. */
export type Drawn = 'card' | 'dialog';

/** Names of inputs: of a text or one choice, and of many. */
const ONE = 'f_';
const MANY = 'm_';
/** How much of a form's intro is shown: the first that fits. */
const INTROS = [4_000, 1_500, 500, 150];

/** The form as a card with inputs. `told`: what was wrong with what was sent, which stands in the fields again. */
export function formCard(form: Form, about: FormOf, drawn: Drawn, told: string | null = null, values: FormValues = {}): AdaptiveCard {
  const data = {
    request_id: about.request_id,
    ...(about.request_digest === null ? {} : { request_digest: about.request_digest }),
    ...(about.card === null ? {} : { card: about.card }),
    ...(form.subject === null ? {} : { subject: form.subject }),
    open: form.action,
  };
  const by = (limit: number): AdaptiveCard => ({
    type: 'AdaptiveCard',
    version: '1.5',
    fallbackText: `${form.title}. This client cannot show the form.`,
    body: [
      line(runs(form.title, { weight: 'bolder' }), {}),
      ...(told === null ? [] : [line(runs(cut(told, 600), { weight: 'bolder', color: 'attention' }))]),
      ...form.intro.map((paragraph) => line(runs(shortened(paragraph, limit)))),
      ...form.fields.flatMap((field) => elementsOf(field, values)),
    ],
    actions: [
      drawn === 'dialog'
        ? submitButton(form.submit, VERBS.send, data, { inputs: true })
        : // A form is one step of a press that may have no digest of what was shown; then none is sent.
          button(form.submit, VERBS.send, data as ActionData, { inputs: true }),
      ...(drawn === 'card' && about.card === null ? [] : drawn === 'card' ? [backButton(data)] : []),
    ],
  });
  for (const limit of INTROS) {
    const card = by(limit);
    if (bytesOf(card) <= MOST_BYTES) return card;
  }
  return by(0);
}

const backButton = (data: JsonObject): Action => button('Back to the card', VERBS.card, data as ActionData, { inputs: false });

const shortened = (paragraph: string, limit: number): string =>
  paragraph.length <= limit ? paragraph : `${cut(paragraph, limit)}… [continues: shown ${count(limit)} of ${count(paragraph.length)} characters]`;

function elementsOf(field: FormField, values: FormValues): Element[] {
  const hint = field.hint === undefined ? [] : [note(field.hint)];
  const given = values[field.id];
  const errorMessage = 'This is needed.';
  switch (field.kind) {
    case 'text': {
      const value = typeof given === 'string' ? given : field.initial;
      return [
        {
          type: 'Input.Text',
          id: `${ONE}${field.id}`,
          label: cut(field.label, 300),
          ...(field.multiline ? { isMultiline: true as const } : {}),
          isRequired: field.required,
          errorMessage,
          maxLength: field.max,
          ...(value === undefined ? {} : { value: cut(value, field.max) }),
        },
        ...hint,
      ];
    }
    case 'choice': {
      // Clients read Markdown in the titles of choices that they show as a list: what could be read stands above, by its number.
      const marked = field.options.some(({ label }) => MARKUP.test(label));
      const named = marked ? field.options.map(({ label }, index) => line(runs(`${String(index + 1)}: ${cut(label.replaceAll('\n', ' '), 200)}`))) : [];
      const value = given === undefined ? field.initial : typeof given === 'string' ? given : given.join(',');
      return [
        ...named,
        {
          type: 'Input.ChoiceSet',
          id: `${field.many ? MANY : ONE}${field.id}`,
          label: cut(field.label, 300),
          style: field.many || field.options.length <= 4 ? 'expanded' : 'compact',
          isMultiSelect: field.many,
          choices: field.options.map((option, index) => ({ title: marked ? `Number ${String(index + 1)}` : cut(option.label, 200), value: option.value })),
          isRequired: field.required,
          errorMessage,
          ...(value === undefined ? {} : { value }),
          wrap: true,
        },
        ...hint,
      ];
    }
    case 'confirm':
      return [
        // The words themselves are read letter for letter; the box below only says yes to them.
        line(runs(field.text)),
        {
          type: 'Input.Toggle',
          id: `${ONE}${field.id}`,
          // Clients and screen readers want a name for what is required besides what stands beside the box.
          label: field.required ? 'Needed' : 'If you want',
          title: cut(field.label, 300),
          valueOn: 'yes',
          valueOff: '',
          wrap: true,
          isRequired: field.required,
          errorMessage,
        },
        ...hint,
      ];
  }
}

/** What the Markdown of Teams' cards, or a macro, could be made of. */
const MARKUP = /[*_[\]()`~<>{}\\#]|^\s*(?:[-+]|\d+\.)\s/;

/** What was entered, by the fields' own names. */
export function valuesIn(data: JsonObject): FormValues {
  const values: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(data)) {
    if (typeof value !== 'string' || value === '') continue;
    if (name.startsWith(ONE)) values[name.slice(ONE.length)] = value;
    else if (name.startsWith(MANY)) values[name.slice(MANY.length)] = value.split(',').slice(0, MOST_CHOICES);
  }
  return values;
}

const MOST_CHOICES = 1_000;

/** The action that a button names; null for what is none. */
export function actionIn(data: JsonObject): CardAction | null {
  const named = text(data['open']);
  return cardActions.find((action) => action === named) ?? null;
}

/** What came of an action, for the one person: words that nothing is read into, and where to go on. */
export function wordsCard(words: string, link: { label: string; url: string } | null, back: { card: Card } | null): AdaptiveCard {
  const body: Element[] = words.split('\n').map((paragraph, index) => line(index === 0 ? bold(cut(paragraph, 2_000)) : runs(cut(paragraph, 4_000))));
  const actions: Action[] = [
    ...(link === null ? [] : [openButton(link.label, link.url)]),
    ...(back === null ? [] : [button('Back to the card', VERBS.card, dataOf(back.card), { inputs: false })]),
  ];
  const card: AdaptiveCard = back === null ? { type: 'AdaptiveCard', version: '1.5', fallbackText: cut(words, 500), body } : frame(back.card, body);
  return actions.length === 0 ? card : { ...card, actions };
}

/** What the one person gets who pressed where a passkey is needed: the way to the page, and back. */
export function stepUpCard(card: Card, words: string, label: string, url: string): AdaptiveCard {
  return {
    ...frame(card, [heading('Your passkey is needed'), line(runs(cut(card.headline, 600))), line(runs(words, { weight: 'bolder' }))]),
    actions: [openButton(label, url), button('Back to the card', VERBS.card, dataOf(card), { inputs: false })],
  };
}

/** What a dialog is answered with: the next card in it, or words that end it. Never empty, or Teams says that the app cannot be reached. */
export type TaskAnswer =
  | {
      task: {
        type: 'continue';
        value: { title: string; height: 'large' | 'medium'; width: 'large' | 'medium'; card: { contentType: string; content: AdaptiveCard } };
      };
    }
  | { task: { type: 'message'; value: string } };

export function dialog(title: string, card: AdaptiveCard, size: 'large' | 'medium' = 'medium'): TaskAnswer {
  return {
    task: {
      type: 'continue',
      value: { title, height: size, width: size, card: { contentType: 'application/vnd.microsoft.card.adaptive', content: card } },
    },
  };
}

/** Words at the end of a dialog: as a message of the dialog where nothing in them could be read as markup, else as a card. */
export function dialogWords(words: string, link: { label: string; url: string } | null = null): TaskAnswer {
  const plain = link === null && words !== '' && words.length <= 500 && !words.includes('\n') && !MARKUP.test(words.replaceAll(/[()]/g, ''));
  return plain ? { task: { type: 'message', value: words } } : dialog('Countersign', wordsCard(words || 'Done.', link, null));
}

/** The same words, from whatever an action answers. */
export const linkOf = (answer: Exclude<ActionAnswer, { kind: 'form' }>): { label: string; url: string } | null =>
  answer.kind === 'refused' ? (answer.link ?? null) : null;

/** A page's number in what was sent. */
export function pageIn(value: JsonValue | undefined): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
