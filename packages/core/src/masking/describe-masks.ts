import { pointerTokens } from '../request/json-value.js';
import type { MaskEntry } from './mask-plan.js';

/**
 * One sentence for a card: `3 values hidden: parameters.password (secret), reason (e-mail address), context.diff (too large to search).`
 * Empty where nothing was hidden. The names in it are the caller's, masked: show it as text of theirs.
 */
export function describeMasks(report: readonly (Pick<MaskEntry, 'pointer'> & { readonly class: string })[]): string {
  const places = new Map<string, Set<string>>();
  for (const entry of report) {
    const classes = places.get(entry.pointer) ?? new Set();
    places.set(entry.pointer, classes.add(CLASS_NAMES.get(entry.class) ?? entry.class));
  }
  if (places.size === 0) return '';
  const named = [...places].slice(0, SHOWN).map(([pointer, classes]) => `${dotted(pointer)} (${[...classes].join(', ')})`);
  const more = places.size > SHOWN ? `, and ${places.size - SHOWN} more` : '';
  return `${places.size} ${places.size === 1 ? 'value' : 'values'} hidden: ${named.join(', ')}${more}.`;
}

const SHOWN = 5;

const CLASS_NAMES: ReadonlyMap<string, string> = new Map([
  ['secret', 'secret'],
  ['field', 'by policy'],
  ['card', 'card number'],
  ['email', 'e-mail address'],
  ['unscanned', 'too large to search'],
]);

function dotted(pointer: string): string {
  let text = '';
  for (const token of pointerTokens(pointer)) text += /^\d+$/.test(token) ? `[${token}]` : `${text === '' ? '' : '.'}${token}`;
  if (text === '') return 'the whole text';
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}
