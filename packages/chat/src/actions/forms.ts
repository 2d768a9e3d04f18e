import { digestOf } from '@countersign/core/request';
import type { ActionAnswer, Form, FormField, FormValues } from '../actions.js';
import { count } from '../cards/card-words.js';

/** What the database does not hold (lone surrogates, NUL) is replaced; outer white space means nothing. Empty: undefined. */
export function textIn(values: FormValues, id: string): string | undefined {
  const value = values[id];
  if (typeof value !== 'string') return undefined;
  const text = value.replaceAll(/\p{Cs}|\0/gu, '\ufffd').trim();
  return text === '' ? undefined : text;
}

/** One or many choices, as a list. */
export function listIn(values: FormValues, id: string): readonly string[] {
  const value = values[id];
  return value === undefined || value === '' ? [] : typeof value === 'string' ? [value] : value;
}

export const isTicked = (values: FormValues, id: string): boolean => listIn(values, id).includes('yes');

/** What is missing or too long in a form that was sent, in words that say what to change; null where all is there. */
export function wrongIn(form: Form, values: FormValues): Extract<ActionAnswer, { kind: 'refused' }> | null {
  for (const field of form.fields) {
    const wrong = wrongWith(field, values);
    if (wrong !== null) return { kind: 'refused', code: 'form_incomplete', text: `Nothing was done. ${wrong}` };
  }
  return null;
}

/** Text of a decision that is longer than the contract lets it be (contracts/src/decision.ts), whoever drew the form. */
export function tooLongIn(values: FormValues): Extract<ActionAnswer, { kind: 'refused' }> | null {
  for (const [id, most] of [
    ['reason', MOST_REASON],
    ['ticket', MOST_TICKET],
  ] as const) {
    const { length } = textIn(values, id) ?? '';
    if (length > most)
      return { kind: 'refused', code: 'form_incomplete', text: `Nothing was decided. The ${id} may have ${count(most)} characters; it has ${count(length)}.` };
  }
  return null;
}

const MOST_REASON = 2_000;
const MOST_TICKET = 256;

function wrongWith(field: FormField, values: FormValues): string | null {
  switch (field.kind) {
    case 'text': {
      const text = textIn(values, field.id);
      if (text === undefined) return field.required ? `Fill in “${field.label}”.` : null;
      return text.length > field.max ? `“${field.label}” may have ${count(field.max)} characters; it has ${count(text.length)}.` : null;
    }
    case 'choice': {
      const chosen = listIn(values, field.id);
      if (chosen.length === 0) return field.required ? `Choose “${field.label}”.` : null;
      return !field.many && chosen.length > 1 ? `Choose one only: “${field.label}”.` : null;
    }
    case 'confirm':
      return field.required && !isTicked(values, field.id) ? `Tick “${field.label}”.` : null;
  }
}

/** What an approval takes besides a press, as fields. Deny takes none of it. */
export function demandFields(demands: { tickets: readonly string[]; acknowledge: readonly string[] } | undefined): FormField[] {
  const { tickets = [], acknowledge = [] } = demands ?? {};
  const ticket: FormField[] =
    tickets.length === 0
      ? []
      : [{ kind: 'text', id: 'ticket', label: 'Ticket', hint: `Written like ${tickets.join(' and ')}`, required: true, multiline: false, max: MOST_TICKET }];
  const words = acknowledge.map((text): FormField => ({ kind: 'confirm', id: acknowledgeId(text), label: 'I confirm this', text, required: true }));
  return [...ticket, ...words];
}

/** What was entered in them. Of the words those that are asked for now: a field names its text, so that what policy says otherwise by then is not confirmed. */
export function givenIn(values: FormValues, demands: { acknowledge: readonly string[] } | undefined): { ticket?: string; acknowledged?: readonly string[] } {
  const ticket = textIn(values, 'ticket');
  const acknowledged = (demands?.acknowledge ?? []).filter((text) => isTicked(values, acknowledgeId(text)));
  return { ...(ticket === undefined ? {} : { ticket }), ...(acknowledged.length === 0 ? {} : { acknowledged }) };
}

const acknowledgeId = (text: string): string => `acknowledge_${digestOf(text).slice('sha256:'.length, 'sha256:'.length + 32)}`;

/** The reason of a decision. */
export function reasonField(required: boolean, hint: string): FormField {
  return { kind: 'text', id: 'reason', label: 'Reason', hint, required, multiline: true, max: MOST_REASON };
}
