import { type ChatPlatform, PlatformError } from '@countersign/chat';
import { renderMessage } from './messenger.js';
import { CARD_EVENT, refOf } from './platform.js';
import type { SlackCalls } from './slack-calls.js';

/** Messages that list many requests, in one workspace. They carry their key as cards do, and are found by it. */
export function createBatchMessages(call: SlackCalls): NonNullable<ChatPlatform['batch']> {
  return {
    async post(place, message, key) {
      const { text, blocks } = renderMessage(message);
      const metadata = { event_type: CARD_EVENT, event_payload: { key } };
      const answer = await call((client) => client.chat.postMessage({ channel: place, text, blocks, metadata, unfurl_links: false, unfurl_media: false }));
      if (!answer.channel || !answer.ts) throw new PlatformError('unreachable', 'Slack did not say where the message is');
      return refOf(answer.channel, answer.ts);
    },
    async update(ref, message) {
      const { channel, ts } = ref;
      if (typeof channel !== 'string' || typeof ts !== 'string') throw new PlatformError('gone', 'The record of the message does not name it');
      const { text, blocks } = renderMessage(message);
      await call((client) => client.chat.update({ channel, ts, text, blocks }));
    },
  };
}
