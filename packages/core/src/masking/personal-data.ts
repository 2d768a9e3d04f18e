import type { Finding } from './finding.js';

/**
 * E-mail addresses with letters of any script, found from their `@`. Of the special characters that RFC 5322 allows before it, those that
 * commonly end or separate words of commands are left out. Not addresses are `git@host:…`, the user of a
 * URL, and versions behind an `@` (`pkg@1.2.3-beta`).
 */
export function* findEmails(text: string): Generator<Finding> {
  let from = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    // The local part ends where the address before this one ended: each unit is looked at once to the left and once to the right.
    const local = LOCAL_PART.exec(text.slice(Math.max(from, at - 64), at))?.[0] ?? '';
    DOMAIN.lastIndex = at + 1;
    const domain = DOMAIN.exec(text)?.[0];
    if (local === '' || domain === undefined) continue;
    const start = at - local.length;
    if (local === 'git' || URL_USER.test(text.slice(Math.max(0, start - 320), start)) || /^[\d.]+\.\p{L}+$/u.test(domain)) continue;
    from = at + 1 + domain.length;
    yield { start, end: from, class: 'email', detector: 'email', normal: `${local}@${domain}`.toLowerCase() };
  }
}

const LOCAL_PART = /[\p{L}\p{N}_][\p{L}\p{N}._%+'-]*$/u;
/** The `@` of a URL separates its user, not a mailbox: hiding the host would hide where a command goes. */
const URL_USER = /:\/\/[^\s/?#"'<>]*$/;
const DOMAIN = /(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}\p{L}[\p{L}\p{N}-]{0,62}(?<!-)/uy;

/**
 * Payment card numbers: 13 to 19 digits of a known scheme whose check digit is right (ISO/IEC 7812-1, Luhn), in one piece or in
 * groups of at least three behind spaces or dashes.
 */
export function* findCards(text: string): Generator<Finding> {
  for (const run of text.matchAll(/\d+(?:[ -]{1,3}\d+)*/g)) {
    if (run[0].length < 13) continue;
    const groups = [...run[0].matchAll(/\d+/g)];
    for (let first = 0; first < groups.length; first++) {
      const last = cardFrom(groups, first);
      if (last === undefined) continue;
      const start = run.index + (groups[first]?.index ?? 0);
      const end = run.index + (groups[last]?.index ?? 0) + (groups[last]?.[0].length ?? 0);
      yield { start, end, class: 'card', detector: 'card', normal: text.slice(start, end).replace(/\D/g, '') };
      first = last;
    }
  }
}

/** The index of the last group of the longest card that begins with group `first`. */
function cardFrom(groups: readonly RegExpExecArray[], first: number): number | undefined {
  let digits = '';
  let found: number | undefined;
  for (let last = first; last < groups.length; last++) {
    const group = groups[last]?.[0] ?? '';
    digits += group;
    if (digits.length > 19) break;
    if (isCardNumber(digits)) found = last;
    if (group.length < 3) break; // only the last group of a card may be short
  }
  return found;
}

/** Whether digits are a payment card's number: a known scheme, one of its lengths, and the check digit. */
export function isCardNumber(digits: string): boolean {
  return (
    digits.length >= 13 && digits.length <= 19 && SCHEMES.some(([prefix, lengths]) => prefix.test(digits) && lengths.includes(digits.length)) && luhn(digits)
  );
}

const SIXTEEN_UP = [16, 17, 18, 19];
/** Ranges of issuer numbers with their lengths. */
const SCHEMES: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:30[0-5]|309|36|3[89])/, [14, 15, 16, 17, 18, 19]],
  [/^(?:6011|64[4-9]|65|60|81|82|508)/, SIXTEEN_UP],
  [/^(?:352[89]|35[3-8])/, SIXTEEN_UP],
  [/^62/, SIXTEEN_UP],
  [/^220[0-4]/, SIXTEEN_UP],
  [/^(?:50|5[6-9]|6[37])/, [13, 14, 15, 16, 17, 18, 19]],
];

function luhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 0x30;
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
