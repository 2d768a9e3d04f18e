import { cardOf } from '@countersign/core/card';
import type { RequestState } from '@countersign/core/ports';
import { makeVisible } from '@countersign/core/request';
import { count, cut, oneLine, time, titleOf } from './card-words.js';
import type { ChatMessage } from '../message.js';
import type { ChatWorld } from '../world.js';

/** So many are listed line by line; both platforms show a button for each besides the two of the whole message. */
const MOST_LINES = 18;
const MOST_HEADLINE = 200;

/**
 * Many requests that are alike, in one message: each by itself, with its id, its deadline and a button that opens all of it. What has left the
 * list is marked in it. Those that do not fit are counted, and stand in the web inbox.
 */
export function batchMessage(world: Pick<ChatWorld, 'card' | 'publicUrl'>, states: readonly RequestState[]): { message: ChatMessage; listed: string[] } {
  const cards = states.map((state) => ({ state, card: cardOf(state, world.card) }));
  const waiting = cards.filter(({ card }) => card.status === 'pending');
  // What waits comes first where not all of it fits.
  const listed = (cards.length <= MOST_LINES ? cards : [...waiting, ...cards.filter(({ card }) => card.status !== 'pending')]).slice(0, MOST_LINES);
  const left = waiting.filter((each) => !listed.includes(each)).length;
  const settled = cards.filter((each) => !waiting.includes(each) && !listed.includes(each)).length;
  const [first] = cards;
  const what = first === undefined ? '' : shown(`${first.state.request.view.action} by ${first.state.request.requester.name}`, 150);
  const together = listed.filter(({ card }) => card.status === 'pending');
  const bulk = together.length > 1 && together.every(({ state }) => state.request.requirement?.bulk === true);
  const [lead] = together;
  const message: ChatMessage = {
    title:
      waiting.length === 0
        ? `${count(cards.length)} requests that were alike are settled: ${what}`
        : waiting.length === 1
          ? `1 request of those that are alike waits: ${what}`
          : `${count(waiting.length)} requests that are alike wait: ${what}`,
    lines: [
      ...listed.map(({ card }, index) => {
        const state = card.status === 'pending' ? `until ${time(card.expires_at)}` : `${titleOf(card)}: ${shown(card.outcome?.text ?? titleOf(card), 120)}`;
        return `${count(index + 1)}. ${shown(card.headline, MOST_HEADLINE)}\n${card.request_id}, ${state}`;
      }),
      ...(left > 0 ? [`And ${count(left)} more that wait do not fit here: they are in the web inbox.`] : []),
      ...(settled > 0 ? [`${count(settled)} more of them are settled.`] : []),
      ...(waiting.length > 0 ? [bulk ? 'Each is decided by itself, or those that you tick together.' : 'Each is decided by itself: open it.'] : []),
    ],
    links: [
      ...together.map(({ card }) => ({ label: `Open ${count(listed.findIndex((each) => each.card === card) + 1)}`, url: card.url })),
      ...(waiting.length > 0 ? [{ label: 'Open the inbox', url: world.publicUrl }] : []),
    ],
    actions:
      bulk && lead !== undefined
        ? [
            {
              label: 'Decide together',
              action: 'bulk',
              request_id: lead.card.request_id,
              request_digest: lead.card.request_digest,
              // What the message lists, and nothing else.
              subject: together.map(({ card }) => card.request_id).join(','),
            },
          ]
        : [],
  };
  return { message, listed: listed.map(({ card }) => card.request_id) };
}

function shown(text: string, limit: number): string {
  const visible = oneLine(makeVisible(text).text);
  return visible.length <= limit ? visible : `${cut(visible, limit - 1)}…`;
}
