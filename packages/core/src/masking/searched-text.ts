/**
 * Text as detectors see it, with the place of each UTF-16 unit in the original: disguises are taken off the copy, masks are put on the original.
 * `starts` and `ends` are absent where the copy is the original.
 */
export interface SearchedText {
  readonly text: string;
  readonly starts?: readonly number[];
  readonly ends?: readonly number[];
}

/** Where a stretch of the copy lies in the original. */
export function originalSpan(searched: SearchedText, start: number, end: number): { start: number; end: number } {
  return { start: searched.starts?.[start] ?? start, end: searched.ends?.[end - 1] ?? end };
}

/**
 * The copy in which full-width letters, digits of every script, odd dashes and spaces are their ASCII selves (NFKC per character), and
 * characters without a shape of their own (zero-width, soft hyphens, variation selectors, combining marks) are gone.
 */
export function undisguised(searched: SearchedText): SearchedText {
  // eslint-disable-next-line no-control-regex -- the question is whether all of it is ASCII
  if (/^[\x00-\x7f]*$/.test(searched.text)) return searched;
  const copy = new Copy(searched);
  for (let index = 0; index < searched.text.length;) {
    const character = String.fromCodePoint(searched.text.codePointAt(index) ?? 0);
    copy.add(character.length === 1 && character < '\x80' ? character : plainForm(character), index, index + character.length);
    index += character.length;
  }
  return copy.done();
}

const PLAIN_FORMS = new Map<string, string>();

function plainForm(character: string): string {
  const known = PLAIN_FORMS.get(character);
  if (known !== undefined) return known;
  const form = [...character.normalize('NFKC')].map(plainCharacter).join('');
  // A cache of at most the characters in use; emptied before it could grow without bound.
  if (PLAIN_FORMS.size > 20_000) PLAIN_FORMS.clear();
  PLAIN_FORMS.set(character, form);
  return form;
}

function plainCharacter(character: string): string {
  if (/[\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}]/u.test(character)) return '';
  if (/\p{Pd}/u.test(character)) return '-';
  if (/\p{Zs}/u.test(character)) return ' ';
  if (/\p{Nd}/u.test(character)) return String(digitValue(character));
  return character;
}

/** Decimal digits of a script stand in a row from its zero (Unicode standard, section 4.6). */
function digitValue(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  let value = 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(point - value - 1))) value++;
  return value;
}

/**
 * The copy with one layer of `%41`, `\u0041`, `\x41`, `\n`, `\"`, `&#65;`, `&#x41;` and the usual named entities read; undefined where there is none.
 */
export function unescaped(searched: SearchedText): SearchedText | undefined {
  if (!/[%\\&]/.test(searched.text)) return undefined;
  const copy = new Copy(searched);
  const { text } = searched;
  let found = false;
  for (let index = 0; index < text.length;) {
    const unit = text[index] ?? '';
    const decoded =
      unit === '%' ? percentCharacter(text, index) : unit === '\\' ? backslashCharacter(text, index) : unit === '&' ? entity(text, index) : undefined;
    if (decoded === undefined) {
      copy.add(unit, index, index + 1);
      index++;
    } else {
      found = true;
      copy.add(decoded.character, index, index + decoded.length);
      index += decoded.length;
    }
  }
  return found ? copy.done() : undefined;
}

interface Decoded {
  readonly character: string;
  readonly length: number;
}

/** One UTF-8 character from as many %XX as it has bytes; a byte that begins none is read as Latin-1. */
function percentCharacter(text: string, index: number): Decoded | undefined {
  const first = percentByte(text, index);
  if (first === undefined) return undefined;
  const count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
  const bytes = [first];
  for (let more = 1; more < count; more++) {
    const byte = percentByte(text, index + 3 * more);
    if (byte === undefined) break;
    bytes.push(byte);
  }
  const character = new TextDecoder().decode(new Uint8Array(bytes));
  return bytes.length === count && !character.includes('\u{FFFD}') ? { character, length: 3 * count } : { character: String.fromCharCode(first), length: 3 };
}

function percentByte(text: string, index: number): number | undefined {
  const digits = text.slice(index + 1, index + 3);
  return text[index] === '%' && /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

const BACKSLASHED: Readonly<Record<string, string>> = { '"': '"', "'": "'", '/': '/', '\\': '\\', n: '\n', r: '\r', t: '\t' };

function backslashCharacter(text: string, index: number): Decoded | undefined {
  const digits = /^\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2}))/.exec(text.slice(index, index + 12));
  if (digits !== null) return codePoint(digits[1] ?? digits[2] ?? digits[3] ?? digits[4] ?? '', 16, digits[0].length);
  const character = BACKSLASHED[text[index + 1] ?? ''];
  return character === undefined ? undefined : { character, length: 2 };
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  commat: '@',
  colon: ':',
  equals: '=',
  period: '.',
  nbsp: ' ',
  lowbar: '_',
  sol: '/',
};

function entity(text: string, index: number): Decoded | undefined {
  const match = /^&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,6}));/.exec(text.slice(index, index + 12));
  if (match === null) return undefined;
  if (match[3] === undefined) return codePoint(match[1] ?? match[2] ?? '', match[1] === undefined ? 16 : 10, match[0].length);
  const character = Object.hasOwn(ENTITIES, match[3]) ? ENTITIES[match[3]] : undefined;
  return character === undefined ? undefined : { character, length: match[0].length };
}

function codePoint(digits: string, radix: number, length: number): Decoded | undefined {
  const point = Number.parseInt(digits, radix);
  return point <= 0x10ffff ? { character: String.fromCodePoint(point), length } : undefined;
}

/** Builds a copy unit by unit. */
class Copy {
  private readonly pieces: string[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];

  constructor(private readonly from: SearchedText) {}

  /** Adds text that stands for `start` to `end` of the copy that this one is made from. */
  add(text: string, start: number, end: number): void {
    if (text === '') return;
    const original = originalSpan(this.from, start, end);
    this.pieces.push(text);
    for (let unit = 0; unit < text.length; unit++) {
      this.starts.push(original.start);
      this.ends.push(original.end);
    }
  }

  done(): SearchedText {
    return { text: this.pieces.join(''), starts: this.starts, ends: this.ends };
  }
}
