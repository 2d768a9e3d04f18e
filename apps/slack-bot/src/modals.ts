import { count, cut, wholeText } from '@countersign/chat';
import type { Card } from '@countersign/contracts';
import type { types } from '@slack/bolt';
import { actOf, button, linkTo } from './buttons.js';
import { linkButton, wordBlocks } from './private-words.js';
import { box, line, richText, run } from './rich-text.js';

/** The modals' names in Slack's payloads, and of the buttons in them. */
export const MODALS = {
  waiting: 'countersign_waiting_view',
  said: 'countersign_said_view',
  everything: 'countersign_everything_view',
  waitingFor: 'countersign_waiting_for_view',
} as const;
/** Puts all of a request into the thread of its card, as a file. */
export const FILE_ACTION = 'countersign_file';
export const PAGE_ACTION = /^countersign_page_/;

const plain = (text: string): types.PlainTextElement => ({ type: 'plain_text', text, emoji: false });

/** Stands while the request is being read: a trigger lives three seconds, so the modal opens before any other work. */
export function waitingModal(): types.ModalView {
  return { type: 'modal', callback_id: MODALS.waiting, title: plain('Countersign'), close: plain('Close'), blocks: [richText(line(run('Loading…')))] };
}

/** Words for whoever pressed. */
export function saidModal(text: string, link?: { label: string; url: string }): types.ModalView {
  return {
    type: 'modal',
    callback_id: MODALS.said,
    title: plain('Countersign'),
    close: plain('Close'),
    blocks: [...wordBlocks(text), ...(link === undefined ? [] : [linkButton(link.label, link.url)])],
  };
}

/** What waits for a person, as their home has it. */
export function waitingForModal(blocks: types.KnownBlock[]): types.ModalView {
  return { type: 'modal', callback_id: MODALS.waitingFor, title: plain('What waits for me'), close: plain('Close'), blocks };
}

/** A page has ten boxes of 2,900 characters: far below Slack's 250 KB for a view, and short enough to read. */
const BOX_CHARACTERS = 2_900;
const BOXES = 10;
const PAGE_CHARACTERS = BOX_CHARACTERS * BOXES;
/** From so many pages on, other ways to read it are named first. */
const MANY_PAGES = 3;

/**
 * One page of all that there is to see of a request. Each page says where it stands, so that nothing is missed.
 *
 * @param decide whether the last page carries Approve and Deny: where no card of the request stands beside it, or one that does not offer Approve.
 * @param from the card's message, into whose thread a very large request can be put as a file.
 */
export function everythingModal(card: Card, page: number, decide = false, from: { channel: string; ts: string } | null = null): types.ModalView {
  const whole = wholeText(card);
  const pages = pagesOf(whole);
  const index = Math.min(Math.max(0, page), pages.length - 1);
  const shown = pages[index] ?? [''];
  const before = pages.slice(0, index).reduce((sum, boxes) => sum + boxes.join('').length, 0);
  const turn = (to: number, label: string, action_id: string): types.Button => ({
    type: 'button',
    action_id,
    value: JSON.stringify({ request_id: card.request_id, page: to, ...(decide ? { decide } : {}) }),
    text: plain(label),
  });
  const last = index === pages.length - 1;
  const ids = { request_id: card.request_id, request_digest: card.request_digest };
  const elements = [
    ...(index > 0 ? [turn(index - 1, 'Previous page', 'countersign_page_previous')] : []),
    ...(last ? [] : [turn(index + 1, 'Next page', 'countersign_page_next')]),
    ...(decide && last && card.open ? [button('Approve', actOf('approve'), ids, 'primary'), button('Deny', actOf('deny'), ids, 'danger')] : []),
    ...(pages.length < MANY_PAGES
      ? []
      : [linkTo('Open in browser', card.url), ...(from === null ? [] : [button('As a file in the thread', FILE_ACTION, ids)])]),
  ];
  const place = `Page ${count(index + 1)} of ${count(pages.length)}: characters ${count(before + 1)} to ${count(before + shown.join('').length)} of ${count(whole.length)}`;
  return {
    type: 'modal',
    callback_id: MODALS.everything,
    private_metadata: from === null ? '' : JSON.stringify({ channel: from.channel, ts: from.ts }),
    title: plain('Everything'),
    close: plain('Close'),
    blocks: [
      richText(line(run(decide && !last ? `${place}. You decide on the last page.` : place))),
      ...shown.map((part) => richText(box(part))),
      ...(elements.length === 0 ? [] : [{ type: 'actions', elements } satisfies types.ActionsBlock]),
    ],
  };
}

/** Whether this page of all that there is to see is its last. Pages are turned one by one, so who sees it has seen them all. */
export function isLastPage(card: Card, page: number): boolean {
  return page >= pagesOf(wholeText(card)).length - 1;
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
