import { count, cut, wholeText } from '@countersign/chat';
import type { Card } from '@countersign/contracts';
import { createHash } from 'node:crypto';
import { type Action, type AdaptiveCard, bold, box, button, bytesOf, type Element, heading, line, link, runs, submitButton } from './adaptive-card.js';
import { dataOf, decidingButtons, inputsOf, VERBS, WHOLE } from './buttons.js';
import { frame, MOST_BYTES } from './render.js';

/**
 * Where the whole is shown: in place of the card; in a message of its own, which names the card, and where nothing is decided; or in a dialog,
 * which names the card too.
 */
export type Where = { kind: 'card'; card?: string | null } | { kind: 'dialog'; card: string | null };

/** Which page somebody asks for, and of which text: that of a request changes with each decision. */
export interface PageWanted {
  page: number;
  of: string | null;
}

/** One page of all that there is to see of a request; `last`: with it all of it was shown. */
export interface WholePage {
  card: AdaptiveCard;
  last: boolean;
}

/**
 * A page of the whole action. The boxes of the pages together are the whole text, letter for letter; on the last one it is decided. Whoever
 * would rather read it at once finds it in the browser.
 */
export function wholePage(card: Card, where: Where, wanted: PageWanted = { page: 0, of: null }): WholePage {
  const whole = wholeText(card);
  const of = createHash('sha256').update(whole).digest('hex').slice(0, 16);
  const pages = pagesOf(whole, roomOn(card, where));
  const changed = wanted.of !== null && wanted.of !== of;
  const page = changed ? 0 : Math.min(Math.max(wanted.page, 0), pages.length - 1);
  const from = pages.slice(0, page).reduce((sum, text) => sum + text.length, 0);
  return {
    card: pageCard(card, where, { text: pages[page] ?? '', page, pages: pages.length, from, whole: whole.length, of, changed }),
    last: page === pages.length - 1,
  };
}

/** Every page's text, in order. */
export const wholePages = (card: Card, where: Where = { kind: 'card' }): string[] => pagesOf(wholeText(card), roomOn(card, where));

interface Page {
  text: string;
  page: number;
  pages: number;
  /** How many characters stand on the pages before it. */
  from: number;
  whole: number;
  of: string;
  changed: boolean;
}

function pageCard(card: Card, where: Where, { text, page, pages, from, whole, of, changed }: Page): AdaptiveCard {
  const last = page === pages - 1;
  const what =
    pages === 1
      ? `All ${count(whole)} characters`
      : `Page ${count(page + 1)} of ${count(pages)}: characters ${count(from + 1)} to ${count(from + text.length)} of ${count(whole)}`;
  const body: Element[] = [heading('Everything')];
  if (changed) body.push(line(bold('It changed meanwhile: this is its first page again.')));
  body.push(line([...runs(`${what}. At once, in the browser: `), ...link(card.url, card.url)]), box(text));
  if (!last) body.push(line(bold(`[continues: shown ${count(from + text.length)} of ${count(whole)} characters, press Next page]`)));
  const apart = where.kind === 'card' && typeof where.card === 'string';
  const data = { ...dataOf(card), ...(typeof where.card === 'string' ? { card: where.card } : {}) };
  const turn = (title: string, to: number): Action =>
    where.kind === 'card'
      ? button(title, VERBS.everything, { ...data, ...(apart ? { open: WHOLE } : {}), page: to, of }, { inputs: false })
      : submitButton(title, VERBS.dialog, { ...data, open: WHOLE, page: to, of }, { inputs: false });
  const turns = [...(last ? [] : [turn('Next page', page + 1)]), ...(page === 0 ? [] : [turn('Previous page', page - 1)])];
  const decide = !last || apart ? [] : where.kind === 'card' ? decidingButtons(card) : decidingButtons(card).map((action) => inDialog(action, data));
  return {
    ...frame(card, [...body, ...(last && !apart ? inputsOf(card) : [])]),
    actions: [...decide, ...turns, ...(where.kind === 'card' && !apart ? [button('Back to the card', VERBS.card, data, { inputs: false })] : [])],
  };
}

/** A dialog sends by Action.Submit alone. */
function inDialog(action: Action, data: Record<string, string>): Action {
  if (action.type !== 'Action.Execute') return action;
  const { title, verb, style, associatedInputs } = action;
  return submitButton(title, verb, data, { inputs: associatedInputs === 'auto', ...(style === undefined ? {} : { style }) });
}

/** How many bytes of a box fit: what the fullest page weighs without its text, and what digits take, is left out. */
function roomOn(card: Card, where: Where): number {
  const most = 9_999_999;
  const empty = { text: '', from: most, whole: most, of: 'x'.repeat(16), changed: true };
  const weights = [
    { page: 9_997, pages: 9_999 },
    { page: 9_998, pages: 9_999 },
  ].map((page) => bytesOf(pageCard(card, where, { ...empty, ...page })));
  return Math.max(MOST_BYTES - Math.max(...weights) - 100, LEAST_ROOM);
}

/** Pages turn, however much the form below the last one asks for. */
const LEAST_ROOM = 2_000;

/** The text in as few parts as weigh no more than that as a box, never within a character. */
function pagesOf(text: string, room: number): string[] {
  const pages: string[] = [];
  for (let from = 0; from < text.length;) {
    // A character weighs a byte at least.
    const rest = text.slice(from, from + room);
    const fits = (length: number): boolean => Buffer.byteLength(JSON.stringify(box(cut(rest, length)))) - EMPTY_BOX <= room;
    let [most, above] = [1, rest.length + 1];
    while (above - most > 1) {
      const middle = Math.floor((most + above) / 2);
      if (fits(middle)) most = middle;
      else above = middle;
    }
    const page = atBreak(cut(rest, most) || rest.slice(0, 2), from + most >= text.length);
    pages.push(page);
    from += page.length;
  }
  return pages.length === 0 ? [''] : pages;
}

const EMPTY_BOX = Buffer.byteLength(JSON.stringify(box('')));

/** A page ends where a line does, or at least with a whole sign as people see it, if there is one near its end. */
function atBreak(page: string, last: boolean): string {
  if (last) return page;
  const near = page.length - Math.floor(page.length / 10);
  const newline = page.lastIndexOf('\n');
  if (newline >= near) return page.slice(0, newline + 1);
  const tail = Math.max(0, page.length - 200);
  const signs = [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(page.slice(tail))];
  const end = signs.at(-1)?.index ?? 0;
  // The last sign may go on after the cut.
  return end > 0 ? page.slice(0, tail + end) : page;
}
