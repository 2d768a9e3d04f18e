import { type ChatPlatform, PlatformError } from '@countersign/chat';
import type { JsonObject } from '@countersign/contracts';
import { renderCard } from './render.js';
import type { SlackCalls } from './slack-calls.js';
import type { SlackWorkspace } from './workspace.js';

/** The metadata that a card's message carries, so that it is found again: ids alone, for every app of the workspace can read them. */
export const CARD_EVENT = 'countersign_card';
/** How far back a message is looked for whose answer was lost. */
const SEARCH_PAGES = 5;
const PAGE_SIZE = 200;

/** Slack as the card worker sees it. A message is named by channel and time stamp. */
export function createPlatform(call: SlackCalls, workspace: SlackWorkspace, channel: string | null): ChatPlatform {
  return {
    name: 'slack',

    async standing() {
      return channel === null ? [] : [await workspace.channelId(channel)];
    },

    async post(place, card, key) {
      const { text, blocks } = renderCard(card);
      const answer = await call((client) =>
        client.chat.postMessage({
          channel: place,
          text,
          blocks,
          metadata: { event_type: CARD_EVENT, event_payload: { key, request_id: card.request_id } },
          unfurl_links: false,
          unfurl_media: false,
        }),
      );
      if (!answer.channel || !answer.ts) throw new PlatformError('unreachable', 'Slack did not say where the message is');
      return refOf(answer.channel, answer.ts);
    },

    async find(place, key) {
      const { botId } = await workspace.self();
      let cursor: string | undefined;
      for (let page = 0; page < SEARCH_PAGES; page++) {
        const from = cursor;
        const answer = await call((client) =>
          client.conversations.history({ channel: place, include_all_metadata: true, limit: PAGE_SIZE, ...(from === undefined ? {} : { cursor: from }) }),
        );
        const found = answer.messages?.find(
          ({ bot_id, metadata }) => bot_id === botId && metadata?.event_type === CARD_EVENT && Object(metadata.event_payload)['key'] === key,
        );
        if (found?.ts) return refOf(place, found.ts);
        cursor = answer.response_metadata?.next_cursor || undefined;
        if (cursor === undefined) return null;
      }
      return null;
    },

    async update(ref, card) {
      const { channel: place, ts } = ref;
      if (typeof place !== 'string' || typeof ts !== 'string') throw new PlatformError('gone', 'The record of the message does not name it');
      const { text, blocks } = renderCard(card);
      await call((client) => client.chat.update({ channel: place, ts, text, blocks }));
    },
  };
}

/** How a message is named, in the record and in a press. */
export function refOf(channel: string, ts: string): JsonObject {
  return { channel, ts };
}
