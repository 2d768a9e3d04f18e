import type { types } from '@slack/bolt';
import { linkButton, privateWords } from './private-words.js';
import type { Where } from './pressed.js';
import { type SlackCalls, slackError } from './slack-calls.js';

/** What one person alone is told. */
export interface Said {
  text: string;
  link?: { label: string; url: string } | undefined;
  /** What stands under the words: what the person wrote, so that it is not lost. */
  more?: readonly types.KnownBlock[];
}

/** Tells one person something, where they are looking if that can be. It never throws: who cannot be told is in the log. */
export type Tell = (where: Pick<Where, 'channel' | 'thread'> | null, user: string, said: Said) => Promise<void>;

export function createTell(call: SlackCalls, log: { warn(fields: object, message: string): void }): Tell {
  return async (where, user, { text, link, more = [] }) => {
    const said = privateWords(text, [...more, ...(link === undefined ? [] : [linkButton(link.label, link.url)])]);
    try {
      if (where === null) await direct();
      else {
        const { channel, thread } = where;
        await call((client) => client.chat.postEphemeral({ channel, user, ...said, ...(thread === null ? {} : { thread_ts: thread }) }));
      }
    } catch (error) {
      // Where the bot is no member of the channel it cannot whisper there, and writes to the person instead.
      const word = slackError(error);
      const elsewhere = where !== null && (word === 'not_in_channel' || word === 'user_not_in_channel' || word === 'channel_not_found');
      await (elsewhere ? direct() : Promise.reject(error)).catch((cause: unknown) => {
        log.warn({ err: cause, user }, 'a person could not be told');
      });
    }

    async function direct(): Promise<void> {
      const { channel: conversation } = await call((client) => client.conversations.open({ users: user }));
      await call((client) => client.chat.postMessage({ channel: conversation?.id ?? '', ...said, unfurl_links: false, unfurl_media: false }));
    }
  };
}
