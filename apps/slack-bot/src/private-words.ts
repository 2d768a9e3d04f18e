import { ACTIONS } from './buttons.js';
import { type Block, escapeMrkdwn } from './rich-text.js';

/** A message of words for one person, shown letter for letter. */
export function privateWords(text: string, more: readonly Block[] = []): { text: string; blocks: Block[] } {
  return {
    text: escapeMrkdwn(text),
    blocks: [{ type: 'section', text: { type: 'plain_text', text: text.slice(0, 3_000), emoji: false } }, ...more],
  };
}

/** A button that opens an address in the person's own browser: Slack's own may know no passkeys. */
export function linkButton(label: string, url: string): Block {
  return {
    type: 'actions',
    elements: [{ type: 'button', action_id: ACTIONS.open, url, style: 'primary', text: { type: 'plain_text', text: label, emoji: false } }],
  };
}
