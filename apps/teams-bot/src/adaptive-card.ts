import type { JsonObject, JsonValue } from '@countersign/contracts';

/**
 * The few elements that cards are made of (Adaptive Cards 1.5). Text of others goes into the TextRuns of a RichTextBlock
 * alone: they are shown letter for letter, while TextBlock and FactSet read Markdown.
 */
export interface AdaptiveCard {
  type: 'AdaptiveCard';
  version: '1.5';
  fallbackText: string;
  body: Element[];
  actions?: Action[];
  /** Asks the bot for the view of the one person who looks: Teams does it by itself for those named, or for all of a small conversation. */
  refresh?: { action: Omit<Execute, 'associatedInputs' | 'fallback'>; userIds?: string[] };
}

export type Element = TextBlock | RichTextBlock | Container | InputText | InputToggle | InputChoiceSet | ActionSet;

interface Spaced {
  spacing?: 'none' | 'small' | 'medium' | 'large';
  separator?: boolean;
}
interface TextBlock extends Spaced {
  type: 'TextBlock';
  text: string;
  size: 'large' | 'small';
  weight?: 'bolder';
  style?: 'heading';
  isSubtle?: true;
  wrap: true;
}
interface RichTextBlock extends Spaced {
  type: 'RichTextBlock';
  inlines: TextRun[];
}
export interface TextRun {
  type: 'TextRun';
  text: string;
  weight?: 'bolder';
  size?: 'small';
  isSubtle?: true;
  color?: 'warning' | 'good' | 'attention';
  fontType?: 'monospace';
  selectAction?: OpenUrl;
}
interface Container extends Spaced {
  type: 'Container';
  style: 'emphasis';
  items: Element[];
}
interface ActionSet extends Spaced {
  type: 'ActionSet';
  actions: Action[];
}
interface InputText extends Spaced {
  type: 'Input.Text';
  id: string;
  label: string;
  isMultiline?: true;
  isRequired: boolean;
  errorMessage?: string;
  maxLength: number;
  value?: string;
}
interface InputToggle extends Spaced {
  type: 'Input.Toggle';
  id: string;
  title: string;
  /** What it sends where it is on, and where it is not. */
  valueOn: string;
  valueOff: string;
  wrap: true;
  label?: string;
  isRequired?: boolean;
  errorMessage?: string;
}
interface InputChoiceSet extends Spaced {
  type: 'Input.ChoiceSet';
  id: string;
  label: string;
  style: 'expanded' | 'compact';
  isMultiSelect: boolean;
  choices: { title: string; value: string }[];
  isRequired: boolean;
  errorMessage?: string;
  value?: string;
  wrap: true;
}
interface OpenUrl {
  type: 'Action.OpenUrl';
  url: string;
  title?: string;
  mode?: 'secondary';
}
/** What a press carries of ours: ids, and which page or form it is about. Whoever presses may send anything, so that none of it is believed. */
export interface ActionData {
  request_id: string;
  request_digest: string;
  [member: string]: JsonValue;
}
interface Execute {
  type: 'Action.Execute';
  title: string;
  verb: string;
  data: ActionData;
  associatedInputs: 'auto' | 'none';
  style?: 'positive' | 'destructive';
  mode?: 'secondary';
  /** For clients that do not know Action.Execute: it arrives as a message. */
  fallback: { type: 'Action.Submit'; title: string; data: ActionData & { verb: string }; associatedInputs: 'auto' | 'none' };
}
/** In a message, with `msteams`: opens a dialog. In a dialog: sends it. */
interface Submit {
  type: 'Action.Submit';
  title: string;
  data: JsonObject;
  associatedInputs: 'auto' | 'none';
  style?: 'positive' | 'destructive';
  mode?: 'secondary';
}
export type Action = Execute | OpenUrl | Submit;

type Style = Omit<TextRun, 'type' | 'text'>;

/** Text as it is. */
export function runs(text: string, style: Style = {}): TextRun[] {
  // Renderers put localised dates in place of {{DATE(…)}} and {{TIME(…)}}, in each run for itself: two runs that share one are left alone.
  return (text === '' ? '(empty)' : text).split(/(?<=\{)(?=\{(?:DATE|TIME)\()/i).map((part) => ({ type: 'TextRun', text: part, ...style }));
}

/** Words of ours, before a value. */
export const bold = (text: string): TextRun[] => runs(text, { weight: 'bolder' });

export const line = (inlines: TextRun[], spaced: Spaced = { spacing: 'small' }): Element => ({ type: 'RichTextBlock', inlines, ...spaced });

/** Small print. */
export const note = (text: string): Element => line(runs(text, { size: 'small', isSubtle: true }));

/** A box, in which a value may have as many lines as it wants without looking like a line of ours. */
export const box = (text: string): Element => ({
  type: 'Container',
  style: 'emphasis',
  spacing: 'small',
  items: [line(runs(text, { fontType: 'monospace' }), {})],
});

export const heading = (text: string): Element => ({ type: 'TextBlock', text, size: 'large', weight: 'bolder', style: 'heading', wrap: true });

/**
 * An instant of ours in the reader's own time zone and words, where the client can say it. The one text that is no run of a RichTextBlock: only
 * TextBlocks have dates put in.
 */
export function inOwnTime(instant: string): Element {
  const at = `${instant.slice(0, 19)}Z`;
  return { type: 'TextBlock', text: `In your time zone: {{DATE(${at},SHORT)}}, {{TIME(${at})}}`, size: 'small', isSubtle: true, wrap: true, spacing: 'none' };
}

/** A link; anything but http and https stays text. */
export function link(text: string, url: string): TextRun[] {
  return /^https?:\/\//i.test(url) ? runs(text, { selectAction: { type: 'Action.OpenUrl', url } }) : runs(text);
}

/** A button that opens an address of ours in the person's own browser. */
export const openButton = (title: string, url: string): Action => ({ type: 'Action.OpenUrl', title, url });

/** A button whose press comes back to us. */
export function button(title: string, verb: string, data: ActionData, more: { inputs: boolean; style?: 'positive' | 'destructive' }): Execute {
  const associatedInputs = more.inputs ? 'auto' : 'none';
  return {
    type: 'Action.Execute',
    title,
    verb,
    data,
    associatedInputs,
    ...(more.style === undefined ? {} : { style: more.style }),
    fallback: { type: 'Action.Submit', title, data: { ...data, verb }, associatedInputs },
  };
}

/** A button in a dialog, whose press sends it. */
export function submitButton(title: string, verb: string, data: JsonObject, more: { inputs: boolean; style?: 'positive' | 'destructive' }): Submit {
  const { inputs, style } = more;
  return { type: 'Action.Submit', title, data: { ...data, verb }, associatedInputs: inputs ? 'auto' : 'none', ...(style === undefined ? {} : { style }) };
}

/** A button of a message that opens a dialog. A client without dialogs sends it as a message. */
export function dialogButton(title: string, verb: string, data: ActionData, mode?: 'secondary'): Submit {
  return {
    type: 'Action.Submit',
    title,
    data: { ...data, verb, msteams: { type: 'task/fetch' } },
    associatedInputs: 'none',
    ...(mode === undefined ? {} : { mode }),
  };
}

/** What a card weighs, in bytes of its JSON. */
export function bytesOf(card: AdaptiveCard): number {
  return Buffer.byteLength(JSON.stringify(card));
}
