import { count, wholeText } from '@countersign/chat';
import type { Card } from '@countersign/contracts';
import { hex, utf8 } from '@countersign/core/request';
import { type SlackCalls, slackError } from './slack-calls.js';
import { createHash } from 'node:crypto';

/** All of a request as the pages of "Show everything" have it, as one file. */
export interface WholeFile {
  name: string;
  bytes: Uint8Array;
  /** `sha256:…` of these bytes. */
  digest: string;
}

export function wholeFile(card: Card): WholeFile {
  const bytes = utf8(wholeText(card));
  return { name: `${card.request_id}.txt`, bytes, digest: `sha256:${hex(createHash('sha256').update(bytes).digest())}` };
}

/**
 * Puts the file into the thread of the request's card, once: a file with these very bytes that is there already is left alone. Where the app
 * lacks `files:write`, words that say so.
 */
export async function putIntoThread(call: SlackCalls, place: { channel: string; ts: string }, card: Card): Promise<string> {
  const { name, bytes, digest } = wholeFile(card);
  const what = `${name}: ${count(bytes.length)} bytes, ${digest}`;
  try {
    if (await isThere(call, place, digest)) return `The file is in the thread of the card already.\n${what}`;
    await call((client) =>
      client.filesUploadV2({
        channel_id: place.channel,
        thread_ts: place.ts,
        // Ids and digests of ours alone: Slack reads it as mrkdwn.
        initial_comment: `All of ${card.request_id} as its pages show it, masked values as tokens: ${count(bytes.length)} bytes, ${digest}`,
        file: Buffer.from(bytes),
        filename: name,
        title: `${name} ${digest}`,
      }),
    );
    return `The file is in the thread of the card.\n${what}`;
  } catch (error) {
    if (slackError(error) === 'missing_scope')
      return 'The app may not put files into this workspace (files:write). Turn the pages, or open the request in your browser.';
    throw error;
  }
}

async function isThere(call: SlackCalls, { channel, ts }: { channel: string; ts: string }, digest: string): Promise<boolean> {
  let cursor: string | undefined;
  for (let page = 0; page < 5; page++) {
    const from = cursor;
    const answer = await call((client) => client.conversations.replies({ channel, ts, limit: 200, ...(from === undefined ? {} : { cursor: from }) }));
    if (answer.messages?.some(({ files = [] }) => files.some(({ title }) => title?.endsWith(digest) === true)) === true) return true;
    cursor = answer.response_metadata?.next_cursor || undefined;
    if (cursor === undefined) return false;
  }
  return false;
}
