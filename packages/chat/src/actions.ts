import type { Card, JsonObject } from '@countersign/contracts';
import type { AccountFacts } from './platform.js';

/**
 * What people do on a card besides one press of Approve or Deny. The platforms draw a button for each that `actionsOf` names, show the form that
 * `open` answers, and hand its values to `submit`; who may, and what comes of it, is said here alone.
 */
export const cardActions = [
  /** Asks the requester something; the exchange is part of the record. */
  'ask',
  /** Answers a question, as a person behind the request. */
  'answer',
  /** Proposes other values for parameters that policy names. */
  'counter',
  /** No more messages to me about it for a while. It decides nothing, and nobody else's are held. */
  'snooze',
  /** Somebody stands in for me, from now on and for as long as I say. */
  'delegate',
  /** This is not for me: no more messages to me about it, and the others are told that I will not decide. */
  'not_me',
  /** Lets it pass in an emergency, alone and loudly. */
  'break_glass',
  /** Reviews an approval by break-glass. */
  'review',
  /** Shows one masked value to me alone, which is recorded. */
  'reveal',
  /** Says why policy asks: each rule and condition, with masked values. */
  'why',
  /** Decides several requests by their explicit ids. */
  'bulk',
  /** Approves with what policy asks for besides the press. */
  'approve',
  'deny',
] as const;
export type CardAction = (typeof cardActions)[number];

/** A form, as a platform draws it: a modal at Slack, a dialog at Teams. Plain text in every member. */
export interface Form {
  action: CardAction;
  /** At most 24 characters, as Slack's modals have it. */
  title: string;
  /** What stands above the fields, paragraph by paragraph. */
  intro: readonly string[];
  fields: readonly FormField[];
  /** The label of the button that sends it; at most 24 characters. */
  submit: string;
  /** What comes back to `submit` with the values, besides the press: ids alone. */
  subject: string | null;
}

interface FieldBase {
  /** Letters, digits and underscores. */
  id: string;
  label: string;
  /** Small print under the field. */
  hint?: string;
  required: boolean;
}
export type FormField =
  | (FieldBase & { kind: 'text'; multiline: boolean; max: number; initial?: string })
  | (FieldBase & { kind: 'choice'; many: boolean; options: readonly { value: string; label: string }[]; initial?: string })
  /** A box to tick; its value is 'yes'. The whole text is shown. */
  | (FieldBase & { kind: 'confirm'; text: string });

/** Field id to what was entered; several choices are a list. Fields that were left empty are absent. */
export type FormValues = Readonly<Record<string, string | readonly string[]>>;

/** Where an action was pressed, as its platform authenticated it. */
export interface ActionPress {
  /** The message that carries the button; null where none does (a command, the app's home), and then the request is named by id alone. */
  ref: JsonObject | null;
  request_id: string;
  request_digest: string | null;
  subject: string | null;
  account: AccountFacts;
  /** When the platform says that it was pressed. */
  at: string;
}

/** What the person alone is shown. */
export type ActionAnswer =
  | { kind: 'form'; form: Form }
  /** It was done: words, and the card as it is now. */
  | { kind: 'done'; text: string; card: Card | null }
  /** Nothing changed; the words say why, and the link makes it good. */
  | { kind: 'refused'; code: string; text: string; link?: { label: string; url: string } };

export interface ChatActions {
  /** What a press of the action's button leads to: its form, or what came of it where nothing has to be asked. */
  open(action: CardAction, press: ActionPress): Promise<ActionAnswer>;
  /** What came of a form. Values are checked here; a wrong one is refused with words that say what to change. */
  submit(action: CardAction, press: ActionPress, values: FormValues): Promise<ActionAnswer>;
}
