/** A run of text that may be an encoding of other text. */
export interface EncodedRun {
  readonly start: number;
  readonly end: number;
  readonly encoding: 'base64' | 'hex';
  /** What it may say: the whole where that is text, else each readable piece at each alignment. */
  readonly texts: readonly string[];
}

/**
 * The runs of base64, base64url (lines may be wrapped) and hexadecimal in a text which decode to something readable. A run may begin with
 * letters that belong to a path or a name in front of it, so every alignment is tried. UTF-16 (as PowerShell encodes commands) is read by
 * leaving NUL bytes out. Each unit of the text is decoded a bounded number of times.
 */
export function* decodedLayers(text: string): Generator<EncodedRun> {
  for (const match of text.matchAll(/[A-Za-z0-9+/_-]+(?:\r?\n[A-Za-z0-9+/_-]+)*/g)) {
    if (match[0].length < 16) continue;
    const end = match.index + match[0].length;
    const letters = match[0].replace(/[\r\n]/g, '');
    const padding = /^={0,2}/.exec(text.slice(end, end + 2))?.[0].length ?? 0;
    const texts = readable(letters, base64Bytes, 4);
    if (texts.length > 0) yield { start: match.index, end: end + padding, encoding: 'base64', texts };
    // Words on lines of their own look like wrapped base64 and shift what follows: long lines are also read alone.
    if (match[0].length !== letters.length) yield* separateLines(match[0], match.index, padding);
  }
  for (const match of text.matchAll(/[0-9A-Fa-f]{16,}/g)) {
    const texts = readable(match[0], hexBytes, 2);
    if (texts.length > 0) yield { start: match.index, end: match.index + match[0].length, encoding: 'hex', texts };
  }
}

function* separateLines(run: string, start: number, padding: number): Generator<EncodedRun> {
  for (const line of run.matchAll(/[^\r\n]{16,}/g)) {
    const texts = readable(line[0], base64Bytes, 4);
    const end = line.index + line[0].length;
    if (texts.length > 0) yield { start: start + line.index, end: start + end + (end === run.length ? padding : 0), encoding: 'base64', texts };
  }
}

/** What letters say in an encoding, at each of its alignments. */
function readable(letters: string, decode: (letters: string) => Uint8Array, alignments: number): string[] {
  const whole = wholeText(decode(letters));
  if (whole !== undefined) return [whole];
  const pieces: string[] = [];
  for (let skip = 0; skip < alignments; skip++) pieces.push(...readablePieces(decode(skip === 0 ? letters : letters.slice(skip))));
  return pieces;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The text of bytes that are wholly text. */
function wholeText(bytes: Uint8Array): string | undefined {
  if (bytes.length < 6) return undefined;
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return undefined; // not UTF-8: readable pieces are looked for
  }
  // eslint-disable-next-line no-control-regex -- controls are what tells data from text
  return /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/.test(text) ? undefined : text;
}

function readablePieces(bytes: Uint8Array): string[] {
  let latin1 = '';
  const without = bytes.filter((byte) => byte !== 0);
  for (let start = 0; start < without.length; start += 8192) latin1 += String.fromCharCode(...without.subarray(start, start + 8192));
  return latin1.match(/[\t\n\r\x20-\x7e]{8,}/g) ?? [];
}

const BASE64_VALUES = new Uint8Array(128).fill(255);
[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].forEach((letter, value) => (BASE64_VALUES[letter.charCodeAt(0)] = value));
BASE64_VALUES['-'.charCodeAt(0)] = 62;
BASE64_VALUES['_'.charCodeAt(0)] = 63;

/** Either alphabet of RFC 4648, without padding; bits that fill no byte are dropped. */
function base64Bytes(letters: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((letters.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let length = 0;
  for (let index = 0; index < letters.length; index++) {
    bits = ((bits << 6) | (BASE64_VALUES[letters.charCodeAt(index)] ?? 0)) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[length++] = (bits >> held) & 0xff;
    }
  }
  return bytes.subarray(0, length);
}

function hexBytes(digits: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor(digits.length / 2));
  for (let index = 0; index < bytes.length; index++) bytes[index] = Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16);
  return bytes;
}
