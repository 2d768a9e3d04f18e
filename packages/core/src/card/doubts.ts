import type { Unseen, UnseenKind } from '../request/visible-text.js';

/** What a request brings, to be judged. */
export interface Doubted {
  /** Every text of it, as it came. */
  texts: readonly string[];
  /** What was made visible in it. */
  unseen: readonly Unseen[];
  links: readonly { title: string; host: string }[];
}

/**
 * What may mislead a person who reads a request in passing, a sentence each; empty for ordinary ones. None of it is a reason to deny: it is a
 * reason to read the whole before one approves.
 */
export function doubtsOf({ texts, unseen, links }: Doubted): string[] {
  return [
    ...unseenWords(unseen),
    ...(texts.some((text) => STAMP.test(text)) ? ['A text of the request looks like a stamp of ours. What the service says stands outside the boxes.'] : []),
    ...(texts.some((text) => PADDING.test(text)) ? ['A text of the request holds a long empty stretch, after which it goes on.'] : []),
    ...(texts.some((text) => MIXED.test(text)) ? ['A word of the request mixes letters of two scripts that look alike.'] : []),
    ...links.flatMap(({ title, host }) => {
      const named = hostIn(title);
      return named === null || host === '' || named === host || host.endsWith(`.${named}`) ? [] : [`A link calls itself ${named}, and leads to ${host}.`];
    }),
  ];
}

/** The characters that mislead, by name. */
function unseenWords(unseen: readonly Unseen[]): string[] {
  const named = unseen.filter(({ kind }) => MISLEADING.has(kind)).map(nameOf);
  return named.length === 0 ? [] : [`It holds characters that cannot be seen or that reorder text; they are shown as marks: ${named.slice(0, 10).join(', ')}.`];
}

/** `U+202E RLO`. */
const nameOf = ({ codePoint, name }: Unseen): string => `${codePoint}${name === '' ? '' : ` ${name}`}`;

/** What else was made visible: harmless in itself, and no letter of the request. */
export function oddWords(unseen: readonly Unseen[]): string[] {
  const named = unseen.filter(({ kind }) => !MISLEADING.has(kind)).map(nameOf);
  return named.length === 0 ? [] : [`The request contains unusual characters; they are shown as marks: ${named.slice(0, 10).join(', ')}.`];
}

/** What no ordinary text holds; a no-break space, a private sign or a character newer than the engine is shown as a mark, and is no more than that. */
const MISLEADING: ReadonlySet<UnseenKind> = new Set(['control', 'bidirectional', 'zero_width', 'tag', 'format']);

/** Words of a card's own voice, at the beginning of a line. */
const STAMP =
  /^[^\p{L}\p{N}\n]{0,20}(?:(?:pre-?)?(?:approved|denied|revoked|reviewed|verified)[^\p{L}\p{N}\n]{1,5}(?:by|policy|automatically)\b|approval needed\b|needed:|decide before\b|beware:|countersign(?:ed)?\b[^\n]{0,20}\b(?:approved|verified|says)\b)/imu;

/** More empty lines, or blanks in a line, than anybody writes: what follows is pushed out of sight. */
const PADDING = /\n(?:[ \t]*\n){14}|(?<![ \t])[ \t]{150}/;

/** A Latin letter beside one of a script whose letters pass for Latin ones. Greek in formulas (Δt) is ordinary; its letters that look Latin are not. */
const MIXED =
  /\p{Script=Latin}\p{M}*[\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Cherokee}ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρ]|[\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Cherokee}ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρ]\p{M}*\p{Script=Latin}/u;

/** The host that a title names: an address, or a name with a dot and a top level of letters. */
function hostIn(title: string): string | null {
  const [, host] = /(?:https?:\/\/|^|\s)((?:[\p{L}\p{N}-]{1,63}\.){1,8}[\p{L}]{2,24})(?=$|[\s/:?#,)])/iu.exec(title) ?? [];
  return host === undefined || !URL.canParse(`https://${host}`) ? null : new URL(`https://${host}`).host;
}
