import type { types } from '@slack/bolt';

/**
 * The few blocks that cards are made of. Text of others goes into plain_text and rich text alone: both are shown letter for letter, while
 * mrkdwn would read `<!channel>`, `*bold*` and bare addresses in it, and has no escape for most of them.
 */
export type Block = types.KnownBlock;
export type Run = types.RichTextText | types.RichTextLink | types.RichTextDate;

/** A run of text; Slack refuses an empty one. */
export function run(text: string, style?: types.RichTextText['style']): Run {
  return { type: 'text', text: text === '' ? '(empty)' : text, ...(style === undefined ? {} : { style }) };
}

/** An instant of ours in the reader's own time zone and words; `fallback` where a client cannot say it. */
export function moment(instant: string, fallback: string): Run {
  return { type: 'date', timestamp: Math.floor(Date.parse(instant) / 1_000), format: '{date_short_pretty} at {time}', fallback };
}

export const bold = (text: string): Run => run(text, { bold: true });

export const line = (...elements: Run[]): types.RichTextSection => ({ type: 'rich_text_section', elements });

/** A box in which every character stands as it is. */
export const box = (text: string): types.RichTextPreformatted => ({
  type: 'rich_text_preformatted',
  elements: [{ type: 'text', text: text === '' ? '(empty)' : text }],
});

export const richText = (...elements: types.RichTextBlock['elements']): Block => ({ type: 'rich_text', elements });

export const header = (text: string): Block => ({ type: 'header', text: { type: 'plain_text', text, emoji: false } });

/** Small print. */
export const note = (text: string): Block => ({
  type: 'context',
  elements: [{ type: 'plain_text', text: text.trim() === '' ? '(empty)' : text, emoji: false }],
});

export const divider: Block = { type: 'divider' };

/** Text for the one field that Slack always reads as mrkdwn: the message's `text`, shown in notifications and read aloud. */
export function escapeMrkdwn(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
