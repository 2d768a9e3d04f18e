import { count, cut, type Home, time } from '@countersign/chat';
import { type AdaptiveCard, bold, bytesOf, type Element, line, link, note, runs, type TextRun } from './adaptive-card.js';
import { MOST_BYTES } from './render.js';

/** What somebody asked of themselves, as a card for them alone: rows that lead to the requests' pages. */
export function homeCard(home: Home, of: 'waiting' | 'decided'): AdaptiveCard {
  for (const headline of [600, 200, 60]) {
    const card = cardBy(home, of, headline);
    if (bytesOf(card) <= MOST_BYTES) return card;
  }
  return cardBy({ ...home, waiting: home.waiting.slice(0, 5), more: home.more + Math.max(0, home.waiting.length - 5) }, of, 20);
}

function cardBy(home: Home, of: 'waiting' | 'decided', limit: number): AdaptiveCard {
  const named = (headline: string): string => (headline.length > limit ? `${cut(headline, limit)}…` : headline).replaceAll('\n', ' ');
  const body: Element[] = of === 'waiting' ? waitingRows(home, named) : decidedRows(home, named);
  return { type: 'AdaptiveCard', version: '1.5', fallbackText: of === 'waiting' ? 'What waits for you' : 'What you decided', body };
}

function waitingRows({ waiting, more, reviews, questions, away, standing_in }: Home, named: (headline: string) => string): Element[] {
  const all = waiting.length + more;
  const row = (headline: string, url: string, words: string): Element[] => [line(link(named(headline), url)), note(words)];
  return [
    line(bold(all === 0 ? 'Nothing waits for you.' : all === 1 ? 'One request waits for you' : `${count(all)} requests wait for you`), {}),
    ...waiting.flatMap(({ headline, url, expires_at, stead, request_id }) =>
      row(headline, url, `${stead === null ? '' : `In the stead of ${cut(stead, 60)} · `}decide before ${time(expires_at)} · ${request_id}`),
    ),
    ...(more === 0 ? [] : [note(`and ${count(more)} more in the web inbox`)]),
    ...questions.slice(0, MOST_ROWS).flatMap(({ name, text, url, request_id }) => row(`${cut(name, 60)} asks you: ${text}`, url, request_id)),
    ...reviews.slice(0, MOST_ROWS).flatMap(({ headline, url, due_at }) => row(`To review: ${headline}`, url, `before ${time(due_at)}`)),
    ...away.map(({ name, until }) => note(`${cut(name, 60)} stands in for you until ${time(until)}`)),
    ...standing_in.map(({ name, until }) => note(`You stand in for ${cut(name, 60)} until ${time(until)}`)),
  ];
}

const MOST_ROWS = 5;

function decidedRows({ decided }: Home, named: (headline: string) => string): Element[] {
  return [
    line(bold(decided.length === 0 ? 'You have decided nothing yet.' : 'What you decided last'), {}),
    ...decided.flatMap(({ headline, url, verdict, decided_at, status }) => {
      const inlines: TextRun[] = [...bold(verdict === 'approve' ? 'Approved: ' : 'Denied: '), ...link(named(headline), url)];
      return [line(inlines), line(runs(`${time(decided_at)} · the request is ${status}`, { size: 'small', isSubtle: true }))];
    }),
  ];
}
