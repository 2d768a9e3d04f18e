import { type ChatMessage, count, cut } from '@countersign/chat';
import { type Action, type AdaptiveCard, bytesOf, type Element, line, note, openButton, runs } from './adaptive-card.js';
import { messageButton } from './buttons.js';
import { MOST_BYTES } from './render.js';

/** How many buttons of the first rank Teams shows. */
const MOST_BUTTONS = 6;
const MOST_TITLE = 300;

/** What a message is about, where it has to say so itself. */
export interface About {
  request_id: string;
  url: string;
}

/**
 * A message that is no card. Nothing of it is read as Markdown, and what does not fit is said to be missing.
 *
 * @param card the activity of the posted card that it is a reply to, in the same conversation; null where it replies to none
 */
export function messageCard(
  message: ChatMessage,
  { about, card, dialogs = true }: { about: About | null; card: string | null; dialogs?: boolean },
): AdaptiveCard {
  const whole = message.lines.join('\n\n');
  const by = (limit: number): AdaptiveCard => {
    const shown = cut(whole, limit);
    const body: Element[] = [line(runs(cut(message.title.replaceAll('\n', ' '), MOST_TITLE), { weight: 'bolder' }), {})];
    if (shown !== '') body.push(...shown.split('\n\n').map((paragraph) => line(runs(paragraph))));
    if (shown.length < whole.length) body.push(note(`[continues: shown ${count(shown.length)} of ${count(whole.length)} characters]`));
    const buttons: Action[] = [
      ...message.actions.map((action) => messageButton(action, card, dialogs)),
      ...message.links.map(({ label, url }) => openButton(cut(label, 40), url)),
    ];
    if (about !== null) {
      body.push(note(`About ${about.request_id}`));
      if (!message.links.some(({ url }) => url === about.url)) buttons.push(openButton('Open in browser', about.url));
    }
    const left = buttons.length - MOST_ROWS * MOST_BUTTONS;
    if (left > 0) body.push(note(`[${count(left)} more buttons do not fit into a message; the web inbox has them]`));
    // One row of an ActionSet holds what a card's own row does: a digest of many requests has more.
    const [first = [], ...rows] = rowsOf(buttons.slice(0, MOST_ROWS * MOST_BUTTONS));
    const rest = rows.map((actions): Element => ({ type: 'ActionSet', actions, spacing: 'small' }));
    return {
      type: 'AdaptiveCard',
      version: '1.5',
      fallbackText: cut(message.title, MOST_TITLE),
      body: rest.length === 0 ? body : [...body, { type: 'ActionSet', actions: first, spacing: 'small' }, ...rest],
      ...(first.length === 0 || rest.length > 0 ? {} : { actions: first }),
    };
  };
  for (const limit of LIMITS) {
    const card = by(limit);
    if (bytesOf(card) <= MOST_BYTES) return card;
  }
  return by(0);
}

/** Of the lines: the first that fits. */
const LIMITS = [20_000, 8_000, 3_000, 1_000, 300];
const MOST_ROWS = 5;

function rowsOf(buttons: readonly Action[]): Action[][] {
  const rows: Action[][] = [];
  for (let from = 0; from < buttons.length; from += MOST_BUTTONS) rows.push(buttons.slice(from, from + MOST_BUTTONS));
  return rows;
}
