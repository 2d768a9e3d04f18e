import { count, cut, wholeText } from '@countersign/chat';
import type { Card, JsonObject, Verdict } from '@countersign/contracts';
import { digestOf } from '@countersign/core/request';
import type { types } from '@slack/bolt';
import { box, line, richText, run } from './rich-text.js';

/** The modals' names in Slack's payloads, and of the buttons and fields in them. */
export const MODALS = { reason: 'countersign_reason', demands: 'countersign_demands', everything: 'countersign_everything_view' } as const;
export const PAGE_ACTION = /^countersign_page_/;
export const REASON_FIELD = { block: 'reason', action: 'reason' } as const;
const TICKET_FIELD = { block: 'ticket', action: 'ticket' } as const;
const WORDS_ACTION = 'words';

/** What a modal remembers between its opening and its submission; Slack keeps it and hands it back. */
export interface ReasonContext {
  request_id: string;
  request_digest: string;
  verdict: Verdict;
  channel: string;
  ts: string;
}

/** Asks for a reason, then decides. */
export function reasonModal(context: ReasonContext, required: boolean): types.ModalView {
  const verb = context.verdict === 'approve' ? 'Approve' : 'Deny';
  return {
    type: 'modal',
    callback_id: MODALS.reason,
    private_metadata: JSON.stringify(context),
    title: { type: 'plain_text', text: `${verb} the request`, emoji: false },
    submit: { type: 'plain_text', text: verb, emoji: false },
    close: { type: 'plain_text', text: 'Back', emoji: false },
    blocks: [
      {
        type: 'input',
        block_id: REASON_FIELD.block,
        optional: !required,
        label: { type: 'plain_text', text: 'Reason', emoji: false },
        hint: { type: 'plain_text', text: 'The caller is told, and it is recorded.', emoji: false },
        element: { type: 'plain_text_input', action_id: REASON_FIELD.action, multiline: true, max_length: 2_000 },
      },
    ],
  };
}

/** Asks for what an approval takes besides: a ticket, words to confirm, a reason where policy wants one. */
export function demandsModal(context: ReasonContext, card: Card): types.ModalView {
  const { tickets = [], acknowledge = [] } = card.demands ?? {};
  const asked = reasonModal(context, card.reason_required.approve);
  const ticket: types.KnownBlock[] =
    tickets.length === 0
      ? []
      : [
          {
            type: 'input',
            block_id: TICKET_FIELD.block,
            label: { type: 'plain_text', text: 'Ticket', emoji: false },
            hint: { type: 'plain_text', text: cut(`Like ${tickets.join(' and ')}`, 1_900), emoji: false },
            element: { type: 'plain_text_input', action_id: TICKET_FIELD.action, max_length: 256 },
          },
        ];
  const words = acknowledge.flatMap((text, index): types.KnownBlock[] => [
    { type: 'section', text: { type: 'plain_text', text, emoji: false } },
    {
      type: 'input',
      block_id: `${WORDS_ACTION}_${String(index)}`,
      label: { type: 'plain_text', text: 'Your word', emoji: false },
      // The value names the text itself: what policy says otherwise by then is not confirmed.
      element: {
        type: 'checkboxes',
        action_id: WORDS_ACTION,
        options: [{ text: { type: 'plain_text', text: 'I confirm this', emoji: false }, value: digestOf(text) }],
      },
    },
  ]);
  return { ...asked, callback_id: MODALS.demands, blocks: [...ticket, ...words, ...asked.blocks] };
}

/** What was given in that modal; of the texts those that the card asks for now. */
export function givenIn(values: ViewValues, card: Card): { reason: string | null; ticket?: string; acknowledged?: string[] } {
  const ticket = values[TICKET_FIELD.block]?.[TICKET_FIELD.action]?.value ?? null;
  const chosen = Object.values(values).flatMap((block) => (block[WORDS_ACTION]?.selected_options ?? []).map(({ value }) => value));
  const acknowledged = (card.demands?.acknowledge ?? []).filter((text) => chosen.includes(digestOf(text)));
  return {
    reason: values[REASON_FIELD.block]?.[REASON_FIELD.action]?.value ?? null,
    ...(ticket === null ? {} : { ticket: ticket.trim() }),
    ...(acknowledged.length === 0 ? {} : { acknowledged }),
  };
}

type ViewValues = Readonly<
  Record<string, Readonly<Record<string, { value?: string | null | undefined; selected_options?: readonly { value?: string | undefined }[] | undefined }>>>
>;

/** Whether this page of all that there is to see is its last. Pages are turned one by one, so who sees it has seen them all. */
export function isLastPage(card: Card, page: number): boolean {
  return page >= pagesOf(wholeText(card)).length - 1;
}

/** Stands while the request is being read: a trigger lives three seconds, so the modal opens before any other work. */
export function waitingModal(): types.ModalView {
  return { type: 'modal', callback_id: MODALS.everything, title: { type: 'plain_text', text: 'Everything' }, blocks: [richText(line(run('Loading…')))] };
}

export function messageModal(text: string): types.ModalView {
  return { type: 'modal', callback_id: MODALS.everything, title: { type: 'plain_text', text: 'Everything' }, blocks: [richText(line(run(text)))] };
}

/** A page has ten boxes of 2,900 characters: far below Slack's 250 KB for a view, and short enough to read. */
const BOX_CHARACTERS = 2_900;
const BOXES = 10;
const PAGE_CHARACTERS = BOX_CHARACTERS * BOXES;

/** One page of all that there is to see of a request. Each page says where it stands, so that nothing is missed. */
export function everythingModal(card: Card, page: number): types.ModalView {
  const whole = wholeText(card);
  const pages = pagesOf(whole);
  const index = Math.min(Math.max(0, page), pages.length - 1);
  const shown = pages[index] ?? [''];
  const from = pages.slice(0, index).reduce((sum, boxes) => sum + boxes.join('').length, 0);
  const turn = (to: number, label: string, action_id: string): types.Button => ({
    type: 'button',
    action_id,
    value: JSON.stringify({ request_id: card.request_id, page: to }),
    text: { type: 'plain_text', text: label, emoji: false },
  });
  const turns = [
    ...(index > 0 ? [turn(index - 1, 'Previous page', 'countersign_page_previous')] : []),
    ...(index < pages.length - 1 ? [turn(index + 1, 'Next page', 'countersign_page_next')] : []),
  ];
  return {
    type: 'modal',
    callback_id: MODALS.everything,
    title: { type: 'plain_text', text: 'Everything', emoji: false },
    close: { type: 'plain_text', text: 'Close', emoji: false },
    blocks: [
      richText(
        line(
          run(
            `Page ${String(index + 1)} of ${String(pages.length)}: characters ${count(from + 1)} to ${count(from + shown.join('').length)} of ${count(whole.length)}`,
          ),
        ),
      ),
      ...shown.map((part) => richText(box(part))),
      ...(turns.length === 0 ? [] : [{ type: 'actions', elements: turns } satisfies types.ActionsBlock]),
    ],
  };
}

function pagesOf(whole: string): string[][] {
  const pages: string[][] = [];
  let rest = whole;
  while (rest !== '') {
    const boxes: string[] = [];
    let room = PAGE_CHARACTERS;
    while (rest !== '' && boxes.length < BOXES && room > 0) {
      const part = cut(rest, BOX_CHARACTERS);
      boxes.push(part);
      rest = rest.slice(part.length);
      room -= part.length;
    }
    pages.push(boxes);
  }
  return pages.length === 0 ? [['']] : pages;
}

/** What a button or a modal of ours carries, or null where it is not of our making. */
export function readObject(source: string | undefined): JsonObject | null {
  try {
    const parsed: unknown = JSON.parse(source ?? '');
    // Checked to be an object; what JSON.parse gives holds JSON alone.
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as JsonObject) : null;
  } catch {
    return null;
  }
}
