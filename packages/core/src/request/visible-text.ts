/** What an invisible or misleading character is. */
export type UnseenKind =
  | 'control'
  | 'bidirectional'
  | 'zero_width'
  | 'variation_selector'
  | 'tag'
  | 'space'
  | 'private_use'
  | 'unassigned'
  | 'surrogate'
  | 'format';

/** One kind of character that was made visible. */
export interface Unseen {
  /** For instance `U+202E`. */
  readonly codePoint: string;
  /** A short name such as `RLO`, or the kind where the character has none here. */
  readonly name: string;
  readonly kind: UnseenKind;
  readonly count: number;
  /** UTF-16 index of the first one in the original text. */
  readonly firstIndex: number;
}

/** Text to show, and what it says of itself. */
export interface VisibleText {
  readonly text: string;
  /** In order of first appearance; empty where the text was already plain. */
  readonly found: readonly Unseen[];
}

/**
 * The text with every character that a person cannot see, or that moves other text, replaced by a mark such as `⟦U+202E RLO⟧`.
 *
 * Marked are: controls except line feed and tab (CR LF becomes LF), bidirectional controls, everything default-ignorable (zero-width
 * characters, soft hyphens, fillers, tags, variation selectors), spaces other than U+0020, line and paragraph separators, private use,
 * unassigned code points and lone surrogates (Unicode 17 categories and UAX #44 properties, as far as the running engine knows them).
 *
 * Letters of every script pass. Intact stay the joiners inside emoji and inside words of the scripts that need them (RFC 5892, appendix A
 * allows them there for the same reason), one variation selector after the character that it selects a form of, the three flags that are
 * written with tags, and the ideographic space beside East Asian letters.
 */
export function makeVisible(text: string): VisibleText {
  const found = new Map<string, { -readonly [Member in keyof Unseen]: Unseen[Member] }>();
  const shown = text.replaceAll('\r\n', '\n').replace(SUSPECT, (character: string, index: number, whole: string) => {
    if (belongs(character, index, whole)) return character;
    const { codePoint, name, kind } = describe(character);
    const entry = found.get(codePoint);
    if (entry === undefined) found.set(codePoint, { codePoint, name, kind, count: 1, firstIndex: index });
    else entry.count++;
    return `⟦${codePoint}${name === '' ? '' : ` ${name}`}⟧`;
  });
  return { text: shown, found: [...found.values()] };
}

/** What makeVisible would mark, without the text. */
export function findUnseen(text: string): readonly Unseen[] {
  return makeVisible(text).found;
}

/** Every character that is looked at; most ordinary text has none. */
const SUSPECT =
  /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\u{FFF9}-\u{FFFB}\u{A0}\u{1680}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}\u{2800}]/gu;

/** Whether a suspect character does its proper work where it stands. */
function belongs(character: string, index: number, text: string): boolean {
  if (character === '\n' || character === '\t') return true;
  const before = codePointBefore(text, index);
  const after = codePointAt(text, index + character.length);
  switch (true) {
    case character === ZWJ:
      return (EMOJI_END.test(before) && /^\p{Extended_Pictographic}$/u.test(after)) || (JOINER_SCRIPT.test(before) && JOINER_SCRIPT.test(after));
    case character === ZWNJ:
      return JOINER_SCRIPT.test(before) && JOINER_SCRIPT.test(after);
    case character === '\u{FE0E}' || character === '\u{FE0F}':
      return /^\p{Emoji}$/u.test(before);
    case /^[\u{E0100}-\u{E01EF}\u{FE00}-\u{FE0D}]$/u.test(character):
      return /^\p{Script=Han}$/u.test(before);
    case /^[\u{180B}-\u{180D}\u{180F}]$/u.test(character):
      return /^\p{Script=Mongolian}$/u.test(before);
    case /^[\u{E0020}-\u{E007F}]$/u.test(character):
      return insideTagFlag(text, index);
    case character === '\u{3000}':
      return EAST_ASIAN.test(before) || EAST_ASIAN.test(after);
    case character === '\u{2800}':
      return /^[\u{2801}-\u{28FF}]$/u.test(before) || /^[\u{2801}-\u{28FF}]$/u.test(after);
    default:
      return false;
  }
}

const ZWNJ = '\u{200C}';
const ZWJ = '\u{200D}';
const EMOJI_END = /^[\p{Extended_Pictographic}\p{Emoji_Modifier}\u{FE0F}]$/u;
/** Letters and marks of scripts whose words are spelled with joiners. */
const JOINER_SCRIPT =
  /^(?=[\p{L}\p{M}])[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Nko}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}\p{Script=Balinese}\p{Script=Javanese}]$/u;
const EAST_ASIAN = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\u{3001}-\u{303F}\u{FF01}-\u{FF60}]$/u;

/** The flags of England, Scotland and Wales: the only tag sequences recommended for interchange (UTS #51). Others could carry hidden text. */
const TAG_FLAGS = ['gbeng', 'gbsct', 'gbwls'].map(
  (name) => `\u{1F3F4}${[...name].map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0))).join('')}\u{E007F}`,
);

function insideTagFlag(text: string, index: number): boolean {
  // A flag is 14 units long; its black flag stands at most 12 units before any of its tags.
  const start = text.lastIndexOf('\u{1F3F4}', index);
  return start >= index - 12 && start >= 0 && TAG_FLAGS.some((flag) => text.startsWith(flag, start));
}

function codePointAt(text: string, index: number): string {
  const point = text.codePointAt(index);
  return point === undefined ? '' : String.fromCodePoint(point);
}

function codePointBefore(text: string, index: number): string {
  if (index <= 0) return '';
  const unit = text.charCodeAt(index - 1);
  return unit >= 0xdc00 && unit <= 0xdfff && index >= 2 ? codePointAt(text, index - 2) : codePointAt(text, index - 1);
}

function describe(character: string): { codePoint: string; name: string; kind: UnseenKind } {
  const point = character.codePointAt(0) ?? 0;
  const codePoint = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
  const kind = kindOf(character);
  return { codePoint, name: NAMES.get(point) ?? DEFAULT_NAMES[kind], kind };
}

function kindOf(character: string): UnseenKind {
  if (/\p{Bidi_Control}/u.test(character)) return 'bidirectional';
  if (/[\u{200B}-\u{200D}\u{2060}\u{FEFF}]/u.test(character)) return 'zero_width';
  if (/\p{Variation_Selector}/u.test(character)) return 'variation_selector';
  if (/[\u{E0000}-\u{E007F}]/u.test(character)) return 'tag';
  if (/\p{Cc}/u.test(character)) return 'control';
  if (/[\p{Z}\u{2800}]/u.test(character)) return 'space';
  if (/\p{Co}/u.test(character)) return 'private_use';
  if (/\p{Cs}/u.test(character)) return 'surrogate';
  if (/\p{Cn}/u.test(character)) return 'unassigned';
  return 'format';
}

const DEFAULT_NAMES: Readonly<Record<UnseenKind, string>> = {
  control: 'control',
  bidirectional: 'bidi',
  zero_width: 'zero width',
  variation_selector: 'variation selector',
  tag: 'tag',
  space: 'space',
  private_use: 'private use',
  unassigned: 'unassigned',
  surrogate: 'lone surrogate',
  format: 'invisible',
};

/** Abbreviations of the Unicode standard's name aliases, where people know them. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x00, 'NUL'],
  [0x07, 'BEL'],
  [0x08, 'BS'],
  [0x0b, 'VT'],
  [0x0c, 'FF'],
  [0x0d, 'CR'],
  [0x1b, 'ESC'],
  [0x7f, 'DEL'],
  [0x85, 'NEL'],
  [0x9b, 'CSI'],
  [0xa0, 'NBSP'],
  [0xad, 'SHY'],
  [0x034f, 'CGJ'],
  [0x061c, 'ALM'],
  [0x180e, 'MVS'],
  [0x200b, 'ZWSP'],
  [0x200c, 'ZWNJ'],
  [0x200d, 'ZWJ'],
  [0x200e, 'LRM'],
  [0x200f, 'RLM'],
  [0x2028, 'line separator'],
  [0x2029, 'paragraph separator'],
  [0x202a, 'LRE'],
  [0x202b, 'RLE'],
  [0x202c, 'PDF'],
  [0x202d, 'LRO'],
  [0x202e, 'RLO'],
  [0x202f, 'NNBSP'],
  [0x2060, 'WJ'],
  [0x2066, 'LRI'],
  [0x2067, 'RLI'],
  [0x2068, 'FSI'],
  [0x2069, 'PDI'],
  [0x2800, 'blank braille'],
  [0x3000, 'ideographic space'],
  [0x115f, 'Hangul filler'],
  [0x1160, 'Hangul filler'],
  [0x3164, 'Hangul filler'],
  [0xfeff, 'BOM'],
  [0xffa0, 'Hangul filler'],
]);
