import { makeVisible } from '@countersign/core/request';
import { cut, oneLine } from '../cards/card-words.js';

/** A command was meant for us, and cannot be done as it stands. `why` is for the person. */
export interface Unclear {
  kind: 'unclear';
  why: string;
}

/** What one answer holds: the text of a section at Slack has 3,000 characters. */
export const MOST_TEXT = 2_800;

export const sentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;

/** Text of somebody else in a line of ours: all that is in it can be seen, and no line of it looks like one of ours. */
export function shown(text: string, limit: number): string {
  const visible = oneLine(makeVisible(text).text);
  return visible.length <= limit ? visible : `${cut(visible, limit)}…`;
}

/** The first word, and what follows it as it was written. */
export function split(words: string): [string | undefined, string] {
  const [, first, rest = ''] = /^\s*(\S+)([^]*)$/u.exec(words) ?? [];
  return [first, rest];
}

const MOST_REASON = 2_000;

export function reasonIn(words: string): string | null {
  const plain = words.trim().replace(/^(?:because|reason:?|[-–—:,])(?:\s+|$)/i, '');
  // What PostgreSQL does not store.
  const storable = plain.replaceAll(/\p{Cs}|\0/gu, '\ufffd');
  return storable === '' ? null : cut(storable, MOST_REASON);
}
