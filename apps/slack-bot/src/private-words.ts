import { cut } from '@countersign/chat';
import { linkTo } from './buttons.js';
import { type Block, escapeMrkdwn } from './rich-text.js';

/** A section's text may have 3,000 characters; nothing that we say to one person is longer than three of them. */
const MOST_SECTION = 3_000;
const MOST_WORDS = 3 * MOST_SECTION;

/** A message of words for one person, shown letter for letter. */
export function privateWords(text: string, more: readonly Block[] = []): { text: string; blocks: Block[] } {
  return { text: cut(escapeMrkdwn(text), 4_000), blocks: [...wordBlocks(text), ...more] };
}

/** Words in as few sections as hold them, letter for letter. */
export function wordBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  for (let rest = cut(text.trim() === '' ? '(empty)' : text, MOST_WORDS); rest !== '';) {
    const part = cut(rest, MOST_SECTION);
    blocks.push({ type: 'section', text: { type: 'plain_text', text: part, emoji: false } });
    rest = rest.slice(part.length);
  }
  return blocks;
}

/** A button that leads to an address in the person's own browser: Slack's own may know no passkeys. */
export function linkButton(label: string, url: string): Block {
  return { type: 'actions', elements: [linkTo(label, url, 0, 'primary')] };
}
