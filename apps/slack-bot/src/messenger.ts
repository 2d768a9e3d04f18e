import { type Addressee, type ChatMessage, count, cut, type Messenger, PlatformError } from '@countersign/chat';
import type { JsonObject } from '@countersign/contracts';
import { actOf, button, linkTo, rowsOf } from './buttons.js';
import { refOf } from './platform.js';
import { type Block, bold, escapeMrkdwn, line, richText, run } from './rich-text.js';
import { type SlackCalls, slackError } from './slack-calls.js';
import type { SlackWorkspace } from './workspace.js';

/** The metadata that a message carries, so that it is found again where the answer to its post was lost. */
const METADATA_EVENT = 'countersign_message';
/** How far back it is looked for. */
const SEARCH_PAGES = 5;
const PAGE_SIZE = 200;
const MOST_CONVERSATIONS = 5_000;

/** What Slack says of an account that cannot be written to, whatever one does. */
const NOBODY = new Set(['user_not_found', 'users_not_found', 'user_disabled', 'user_not_visible', 'cannot_dm_bot', 'users_list_not_supplied']);

/**
 * Slack's messages that are no cards. Each carries its key, so that one whose answer was lost is found again; where the app may not read what it
 * wrote (`im:history` is missing), it is not.
 */
export function createMessenger(call: SlackCalls, workspace: SlackWorkspace): Messenger {
  const conversations = new Map<string, string>();

  async function direct({ workspace: named, user }: Addressee): Promise<string | null> {
    const { teamId, enterpriseId } = await workspace.self();
    if (named !== teamId && named !== enterpriseId) return null;
    try {
      const account = await workspace.account(user, { teamId, enterpriseId });
      // Masked as it is, a request is nothing for guests and strangers.
      if (!account.active || account.bot || account.guest || account.external) return null;
      const known = conversations.get(user);
      if (known !== undefined) return known;
      const { channel } = await call((client) => client.conversations.open({ users: user }));
      if (channel?.id === undefined) throw new PlatformError('unreachable', 'Slack did not say which conversation it opened');
      if (conversations.size >= MOST_CONVERSATIONS) conversations.clear();
      conversations.set(user, channel.id);
      return channel.id;
    } catch (error) {
      if (NOBODY.has(slackError(error) ?? '')) return null;
      throw error;
    }
  }

  async function send(channel: string, thread: string | null, message: ChatMessage, key: string): Promise<JsonObject> {
    const { text, blocks } = renderMessage(message);
    const answer = await call((client) =>
      client.chat.postMessage({
        channel,
        text,
        blocks,
        metadata: { event_type: METADATA_EVENT, event_payload: { key } },
        unfurl_links: false,
        unfurl_media: false,
        ...(thread === null ? {} : { thread_ts: thread }),
      }),
    );
    if (!answer.channel || !answer.ts) throw new PlatformError('unreachable', 'Slack did not say where the message is');
    return refOf(answer.channel, answer.ts);
  }

  /** The message of ours with this key: in a thread, or among the newest of a channel. */
  async function lookFor(channel: string, thread: string | null, key: string): Promise<JsonObject | null> {
    const { botId } = await workspace.self();
    let cursor: string | undefined;
    try {
      for (let page = 0; page < SEARCH_PAGES; page++) {
        const from = { channel, include_all_metadata: true, limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) };
        const answer = await call((client) => (thread === null ? client.conversations.history(from) : client.conversations.replies({ ...from, ts: thread })));
        const found = answer.messages?.find(
          ({ bot_id, metadata }) => bot_id === botId && metadata?.event_type === METADATA_EVENT && Object(metadata.event_payload)['key'] === key,
        );
        if (found?.ts) return refOf(channel, found.ts);
        cursor = answer.response_metadata?.next_cursor || undefined;
        if (cursor === undefined) return null;
      }
      return null;
    } catch (error) {
      if (slackError(error) === 'missing_scope') return null;
      throw error;
    }
  }

  return {
    channel: (name) => workspace.channelId(name),
    direct,
    say: (place, message, key) => send(place, null, message, key),
    async reply({ channel, ts }, message, key) {
      if (typeof channel !== 'string' || typeof ts !== 'string') throw new PlatformError('gone', 'The record of the message does not name it');
      // A channel may be shared with strangers since its card was posted: it is looked at as before a card. A conversation with one person cannot.
      if (!channel.startsWith('D')) await workspace.channelId(channel);
      return send(channel, ts, message, key);
    },
    find(where, key) {
      if ('place' in where) return lookFor(where.place, null, key);
      const { channel, ts } = where.ref;
      return typeof channel === 'string' && typeof ts === 'string' ? lookFor(channel, ts, key) : Promise.resolve(null);
    },
  };
}

/** Below Slack's limit for a message by whatever way of counting (render.ts); a title for the line that notifications show. */
const MOST_CHARACTERS = 12_000;
const MOST_TITLE = 1_500;
/** How many characters of the lines are shown, and how many buttons: the first pair that fits. */
const MEASURES = [
  [10_000, 20],
  [6_000, 20],
  [3_000, 20],
  [1_500, 16],
  [600, 16],
  [600, 4],
] as const;
/** Slack takes 3,000 characters of an address; none of ours comes near. */
const MOST_URL = 3_000;

/** A message as Slack takes it, whatever it holds: nothing of it is read as markup, and what does not fit is said to be missing. */
export function renderMessage(message: ChatMessage): { text: string; blocks: Block[] } {
  const title = cut(message.title.trim() === '' ? 'Countersign' : message.title, MOST_TITLE);
  const buttons = [
    ...message.actions.map(({ label, action, request_id, request_digest, subject }, nth) =>
      button(label, actOf(action, nth), { request_id, request_digest, ...(subject === undefined ? {} : { subject }) }),
    ),
    ...message.links.filter(({ url }) => url.length <= MOST_URL).map(({ label, url }, nth) => linkTo(label, url, nth)),
  ];
  const whole = message.lines.join('\n\n');
  const blocksOf = (limit: number, most: number): Block[] => {
    const shown = cut(whole, limit);
    const left = buttons.length - most;
    return [
      richText(line(bold(title))),
      ...(shown === '' ? [] : [richText(line(run(shown)))]),
      ...(shown.length < whole.length ? [richText(line(bold(`[continues: shown ${count(shown.length)} of ${count(whole.length)} characters]`)))] : []),
      ...rowsOf(buttons.slice(0, most)),
      ...(left <= 0 ? [] : [richText(line(run(`[${count(left)} more buttons do not fit into a message; the web inbox has them]`)))]),
    ];
  };
  const text = cut(escapeMrkdwn(title), 3_000);
  for (const [limit, most] of MEASURES) {
    const blocks = blocksOf(limit, most);
    if (JSON.stringify(blocks).length <= MOST_CHARACTERS) return { text, blocks };
  }
  return { text, blocks: blocksOf(0, 0) };
}
