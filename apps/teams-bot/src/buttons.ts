import { actionsOf, type CardAction, cut, type MessageAction } from '@countersign/chat';
import type { Card } from '@countersign/contracts';
import { type Action, type ActionData, button, dialogButton, type Element } from './adaptive-card.js';

/** What the buttons of ours are called in an invoke, and the input whose text comes along. */
export const VERBS = {
  approve: 'approve',
  deny: 'deny',
  /** The whole action, in place of the card for the one who asked; with `page` another page of it. */
  everything: 'everything',
  card: 'card',
  /** Teams itself asks for the view of somebody. */
  refresh: 'refresh',
  /** Opens a dialog: of an action, or of the whole. */
  dialog: 'dialog',
  /** The same, in place: for clients that show no dialogs. */
  form: 'form',
  /** Sends the form of an action. */
  send: 'send',
} as const;
export const REASON_INPUT = 'reason';
export const TICKET_INPUT = 'ticket';
/** Of each text to confirm, with its number; its value is the text itself. */
export const WORDS_INPUT = 'words_';
/** The most characters of a reason, as in the API. */
const MOST_REASON = 2_000;
/** What a dialog is of besides the actions of chat/actions.ts: the whole action. */
export const WHOLE = 'whole';

/** The buttons carry the request and its digest alone: what was shown is what is decided. */
export function dataOf(card: Card): ActionData {
  return { request_id: card.request_id, request_digest: card.request_digest };
}

/**
 * What a card offers. Teams shows six buttons of the first rank and leaves out the rest, so that all but three are of the second, in the card's
 * own menu.
 *
 * @param partial the card does not show all of the action: Approve opens the whole first
 * @param how.decides false: for somebody who may not, and gets no button of those who may
 * @param how.dialogs false: for a client that shows none: forms stand in place of the card
 */
export function buttonsOf(card: Card, partial: boolean, { decides, dialogs }: { decides: boolean; dialogs: boolean }): Action[] {
  const data = dataOf(card);
  const offers = actionsOf(card)
    .filter(({ action }) => decides || !OF_APPROVERS.has(action))
    .map(({ label, action, subject }) => opener(label, { ...data, open: action, ...(subject === undefined ? {} : { subject }) }, dialogs, 'secondary'));
  if (!card.open) return offers;
  const first = card.open_first === true;
  const everything = button('Show everything', VERBS.everything, data, { inputs: false, ...(first ? { style: 'positive' as const } : {}) });
  return [
    ...(first ? [everything] : []),
    // What may mislead is opened first: Approve stands beside the whole.
    ...(decides ? decidingButtons(card, partial).filter(({ title }) => !first || title !== 'Approve') : []),
    ...(first ? [] : [everything]),
    ...(decides ? [opener('Deny with a reason', { ...data, open: 'deny' }, dialogs, 'secondary')] : []),
    ...(dialogs ? [dialogButton('Show all in a window', VERBS.dialog, { ...data, open: WHOLE }, 'secondary')] : []),
    ...offers,
  ];
}

/** What only those may do who are asked. */
const OF_APPROVERS: ReadonlySet<CardAction> = new Set(['ask', 'counter', 'snooze', 'delegate', 'not_me', 'approve', 'deny']);

/** Approve and Deny, where they decide by one press. `whole`: Approve opens the whole first. */
export function decidingButtons(card: Card, whole = false): Action[] {
  if (!card.open) return [];
  const { approve, deny } = card.reason_required;
  const data = dataOf(card);
  // Teams' client holds a press back while a required input is empty, so a button for which it is not required leaves the input out.
  return [
    whole
      ? button('Approve', VERBS.approve, { ...data, first: WHOLE }, { inputs: false, style: 'positive' })
      : button('Approve', VERBS.approve, data, { inputs: approve || !deny || asksMore(card), style: 'positive' }),
    button('Deny', VERBS.deny, data, { inputs: true, style: 'destructive' }),
  ];
}

/** Whether an approval takes something that the card asks for. */
const asksMore = ({ demands }: Card): boolean => demands !== undefined && demands.tickets.length + demands.acknowledge.length > 0;

/** Where a reason is written. Where only Approve needs one, the flow asks for it: Teams cannot tell the two buttons apart. */
export function inputsOf(card: Card): Element[] {
  if (!card.open) return [];
  const { approve, deny } = card.reason_required;
  const label = approve && deny ? 'Reason' : deny ? 'Reason (needed to deny)' : approve ? 'Reason (needed to approve)' : 'Reason (may stay empty)';
  const { tickets = [], acknowledge = [] } = card.demands ?? {};
  return [
    // Required for Approve alone, which Teams cannot tell from Deny: the flow asks for them.
    ...(tickets.length === 0
      ? []
      : [
          {
            type: 'Input.Text' as const,
            id: TICKET_INPUT,
            label: cut(`Ticket (to approve), like ${tickets.join(' and ')}`, 500),
            isRequired: false,
            maxLength: 256,
          },
        ]),
    ...acknowledge.map((text, index) => ({
      type: 'Input.Toggle' as const,
      id: `${WORDS_INPUT}${String(index)}`,
      title: text,
      valueOn: text,
      valueOff: '',
      wrap: true as const,
    })),
    {
      type: 'Input.Text',
      id: REASON_INPUT,
      label,
      isMultiline: true,
      // A required reason would hold an approval back that needs none, once the card asks for more.
      isRequired: deny && !asksMore(card),
      errorMessage: 'Give a reason first.',
      maxLength: MOST_REASON,
      separator: true,
    },
  ];
}

/** The button of a message about a request. `card`: the posted card, in the same conversation, that the message is a reply to. */
export function messageButton({ label, action, request_id, request_digest, subject }: MessageAction, card: string | null, dialogs: boolean): Action {
  const data = { request_id, request_digest, open: action, ...(subject === undefined ? {} : { subject }), ...(card === null ? {} : { card }) };
  return opener(cut(label, MOST_TITLE), data, dialogs);
}

/** A button that asks for more: in a dialog, or in place of its message for the presser alone. */
function opener(title: string, data: ActionData, dialogs: boolean, mode?: 'secondary'): Action {
  if (dialogs) return dialogButton(title, VERBS.dialog, data, mode);
  return { ...button(title, VERBS.form, data, { inputs: false }), ...(mode === undefined ? {} : { mode }) };
}

/** Longer titles are cut by clients, each in its own way. */
const MOST_TITLE = 40;
