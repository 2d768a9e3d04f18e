import { createRequire } from 'node:module';

/**
 * Mail programs make links of whatever looks like an address, also in text that somebody else wrote. Here such places are found, so that
 * the text shows them and nothing can be followed: only our own button can. docs/decisions/0051 has what was weighed.
 */

const require = createRequire(import.meta.url);
// The package is one JSON file, a list of names.
const TOP_LEVEL = new Set<string>(require('tlds') as string[]);
/** Between spaces, quotes and brackets: with a scheme, a www, an @, or a name under a top-level domain that exists. */
const WORD = /[^\s<>"'`(){}|\\]+/gu;
/** What a name ends with, and what the part of a word behind its last dot begins with. */
const ENDS_NAME = /[\p{L}\p{N}_-]$/u;
const TOP = /^(\p{L}[\p{L}\p{N}-]*)(?![\p{L}\p{N}_-])/u;

/** Schemes of data, which no mail program opens; what stands behind them counts as any other text. */
const OF_DATA = /^(?:s3a?|gs|hdfs|abfss?|jdbc:[a-z]+|postgres(?:ql)?|mysql|kafka|oci|docker|k8s):\/\//i;

function isFollowed(whole: string): boolean {
  const word = whole.replace(OF_DATA, '');
  if (/:\/\/|^www\.|[^\s@]@[\p{L}\p{N}[]|^(?:mailto|tel|sms|javascript|data|file):/iu.test(word)) return true;
  // Part by part: a pattern over the whole would try each place anew, and a caller could keep us busy.
  const parts = word.split('.');
  return parts.some((part, place) => {
    const last = place === 0 || !ENDS_NAME.test(parts[place - 1] ?? '') ? undefined : TOP.exec(part.slice(0, MOST_TOP))?.[1];
    return last !== undefined && (TOP_LEVEL.has(last.toLowerCase()) || /^xn--/i.test(last));
  });
}

/** Longer than any label of a name may be (RFC 1035, section 2.3.4). */
const MOST_TOP = 64;

/** Calls `shown` for each mark that makes a link of a word: its dots and @, and the colon before `//`. The rest goes through `plain`. */
export function withoutLinks(text: string, plain: (text: string) => string, shown: (mark: string) => string): string {
  let [out, from] = ['', 0];
  for (const { 0: word, index } of text.matchAll(WORD)) {
    out += plain(text.slice(from, index));
    out += isFollowed(word)
      ? word
          .split(/(\.(?=[\p{L}\p{N}_[-])|@(?=[\p{L}\p{N}[])|:(?=\/\/)|(?<=^(?:mailto|tel|sms)):)/iu)
          .map((part, place) => (place % 2 === 0 ? plain(part) : shown(part)))
          .join('')
      : plain(word);
    from = index + word.length;
  }
  return out + plain(text.slice(from));
}

/** For the text part: the marks in brackets, as addresses are written that nobody should follow. */
export const bracketed = (text: string): string =>
  withoutLinks(
    text,
    (plain) => plain,
    (mark) => `[${mark}]`,
  );

/** For HTML: the same letters, each mark in an element of its own, where programs that look for addresses stop. Copied, it is the exact text. */
export const unlinked = (text: string): string => withoutLinks(text, escapeHtml, (mark) => `<span>${mark}</span>`);

/** Text in HTML, between tags or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
