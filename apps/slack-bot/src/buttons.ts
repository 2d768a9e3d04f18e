import { type ActionOffer, actionsOf, type CardAction, cardActions, cut } from '@countersign/chat';
import type { Card, JsonObject } from '@countersign/contracts';
import type { types } from '@slack/bolt';
import { type Block } from './rich-text.js';

/** What the buttons of a card are called in Slack's payloads. The `_with_reason` ones ask for a reason before they decide. */
export const ACTIONS = {
  approve: 'countersign_approve',
  approveWithReason: 'countersign_approve_with_reason',
  approveWithMore: 'countersign_approve_with_more',
  deny: 'countersign_deny',
  denyWithReason: 'countersign_deny_with_reason',
  everything: 'countersign_everything',
  open: 'countersign_open',
} as const;

/** What a button of ours carries: ids alone, for whoever presses may send anything. */
export interface ButtonValue {
  request_id: string;
  request_digest: string;
  /** What the action is about besides the request: a question, a review. */
  subject?: string;
}

/**
 * The buttons under a card. They carry the request and its digest alone: what was shown is what is decided. Rarer actions stand in a menu that
 * opens anew each time (a select menu would not send the same choice a second time).
 *
 * @param partial the card does not show all of the action: Approve opens the whole first, and approves on its last page. Where something in the
 *   request may mislead, Approve stands on that page alone.
 */
export function buttonsOf(card: Card, partial: boolean): Block[] {
  const value = { request_id: card.request_id, request_digest: card.request_digest };
  const approve = asksMore(card) ? ACTIONS.approveWithMore : card.reason_required.approve ? ACTIONS.approveWithReason : ACTIONS.approve;
  const decide = card.open
    ? [
        ...(card.open_first === true ? [] : [button('Approve', partial ? OPEN_WHOLE : approve, value, 'primary')]),
        button('Deny', card.reason_required.deny ? ACTIONS.denyWithReason : ACTIONS.deny, value, 'danger'),
      ]
    : [];
  const first = card.open && card.open_first === true;
  const everything = button('Show everything', ACTIONS.everything, value, first ? 'primary' : undefined);
  return [menuOf(value, [...(first ? [everything] : []), ...decide, ...(first ? [] : [everything]), linkTo('Open in browser', card.url)], actionsOf(card))];
}

/** Buttons about a request with what may be done besides: the weightier beside them, the rarer in a menu. */
export function menuOf(value: ButtonValue, buttons: readonly types.Button[], offers: readonly ActionOffer[]): types.ActionsBlock {
  const menu = offers.filter(({ action, subject }) => IN_MENU.has(action) && subject === undefined).slice(0, MOST_IN_MENU);
  const beside = offers.filter((offer) => !menu.includes(offer)).slice(0, MOST_BESIDE);
  const options = menu.map(({ label, action }) => ({ text: { type: 'plain_text' as const, text: labelOf(label), emoji: false }, value: actOf(action) }));
  return {
    type: 'actions',
    block_id: blockOf(value),
    elements: [
      ...buttons,
      ...beside.map(({ label, action, subject }, nth) => button(label, actOf(action, nth), { ...value, ...(subject === undefined ? {} : { subject }) })),
      ...(menu.length === 0 ? [] : [{ type: 'overflow', action_id: MORE_ACTION, options } satisfies types.Overflow]),
    ],
  };
}

/** Opens all of a request in a modal, with Approve and Deny at its end: where no card of it stands. */
export const OPEN_WHOLE = 'countersign_open_whole';

/** The menu at the end of a card's buttons. Slack takes five options in it. */
export const MORE_ACTION = 'countersign_more';
const MOST_IN_MENU = 5;
const MOST_BESIDE = 6;
const IN_MENU: ReadonlySet<CardAction> = new Set(['counter', 'reveal', 'snooze', 'delegate', 'not_me']);

/** An option's value may have 150 characters: the block says which request it is about. */
const blockOf = ({ request_id, request_digest }: ButtonValue): string => `countersign|${request_id}|${request_digest}`;

export function requestOfBlock(blockId: string): JsonObject | null {
  const [ours, request_id, request_digest] = blockId.split('|');
  return ours === 'countersign' && request_id !== undefined && request_digest !== undefined ? { request_id, request_digest } : null;
}

/** Whether an approval takes something that a modal asks for. */
const asksMore = ({ demands }: Card): boolean => demands !== undefined && demands.tickets.length + demands.acknowledge.length > 0;

/** A label may have 75 characters, a value 2,000 (Block Kit, button element). */
const MOST_LABEL = 75;
const MOST_VALUE = 2_000;
const labelOf = (label: string): string => (label.trim() === '' ? '(empty)' : cut(label, MOST_LABEL));

export function button(label: string, action_id: string, value: ButtonValue, style?: 'primary' | 'danger'): types.Button {
  return {
    type: 'button',
    action_id,
    value: carried(value),
    text: { type: 'plain_text', text: labelOf(label), emoji: false },
    ...(style === undefined ? {} : { style }),
  };
}

/** Of a list of ids that does not fit into a value, as many as do. */
function carried(value: ButtonValue): string {
  for (let { subject } = value; subject !== undefined; subject = subject.slice(0, Math.max(0, subject.lastIndexOf(',')))) {
    const whole = JSON.stringify({ ...value, subject });
    if (whole.length <= MOST_VALUE) return whole;
  }
  const { request_id, request_digest } = value;
  return JSON.stringify({ request_id, request_digest });
}

/** A button that opens an address in the person's own browser. `nth` tells apart those of one block. */
export function linkTo(label: string, url: string, nth = 0, style?: 'primary'): types.Button {
  return {
    type: 'button',
    action_id: nth === 0 ? ACTIONS.open : `${ACTIONS.open}_${String(nth)}`,
    url,
    text: { type: 'plain_text', text: labelOf(label), emoji: false },
    ...(style === undefined ? {} : { style }),
  };
}

/** Slack takes 25 elements in a block of actions. */
export function rowsOf(elements: types.ActionsBlock['elements']): Block[] {
  const rows: Block[] = [];
  for (let from = 0; from < elements.length; from += 25) rows.push({ type: 'actions', elements: elements.slice(from, from + 25) });
  return rows;
}

const ACT = /^countersign_act_([a-z_]+?)(?:_\d+)?$/;
/** Every button that stands for an action. */
export const ACT_ACTION = /^countersign_act_/;

/** What the button of an action is called in Slack's payloads; `nth` tells apart those of one block. */
export function actOf(action: CardAction, nth = 0): string {
  return `countersign_act_${action}_${String(nth)}`;
}

/** The action that a button's name stands for; null for a name that is not of our making. */
export function actionNamed(actionId: string): CardAction | null {
  const [, name] = ACT.exec(actionId) ?? [];
  return cardActions.find((action) => action === name) ?? null;
}
