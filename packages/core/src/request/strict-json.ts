import { LONE_SURROGATE } from './bytes.js';
import { numberProblem } from './json-number.js';
import { childPointer, type JsonPointer, type JsonValue } from './json-value.js';

/** Why a text is refused. */
export type StrictJsonCode =
  | 'too_large'
  | 'invalid_utf8'
  | 'byte_order_mark'
  | 'syntax'
  | 'trailing_text'
  | 'too_deep'
  | 'duplicate_key'
  | 'forbidden_key'
  | 'lone_surrogate'
  | 'nul_character'
  | 'imprecise_number';

/** The first problem of a text. `line` and `column` count from 1, columns in code points; `pointer` is the innermost value concerned. */
export interface StrictJsonProblem {
  readonly code: StrictJsonCode;
  readonly pointer: JsonPointer;
  readonly line: number;
  readonly column: number;
  readonly detail: string;
}

export interface StrictJsonLimits {
  /** Arrays and objects inside each other; 64 unless told. */
  readonly maxDepth?: number;
  /** Length of the text in UTF-8; 256 KiB unless told. */
  readonly maxBytes?: number;
}

export type StrictJsonResult = { readonly ok: true; readonly value: JsonValue } | { readonly ok: false; readonly problem: StrictJsonProblem };

/**
 * Parses JSON so that every other parser of the same text would have read the same value: RFC 8259 exactly, and of that the part on which
 * implementations agree (RFC 7493, I-JSON). Refused are duplicate keys (compared after escapes are read), lone surrogates, U+0000 in keys and
 * strings, a byte order mark, numbers that a double does not hold (see numberProblem), nesting beyond the limit, and the keys `__proto__`,
 * `constructor` and `prototype`, which change objects in careless code. So members can live in plain objects.
 *
 * `-0` is accepted and read as `0`: RFC 8785 writes both the same way, so a value is what its digest says.
 * Takes time in proportion to the text and a constant share of the call stack. Never throws.
 */
export function parseStrictJson(input: string | Uint8Array, limits: StrictJsonLimits = {}): StrictJsonResult {
  const maxBytes = limits.maxBytes ?? 262_144;
  const decoded = decode(input, maxBytes);
  if (typeof decoded !== 'string') return { ok: false, problem: decoded };
  const parser = new Parser(decoded, limits.maxDepth ?? 64);
  try {
    return { ok: true, value: parser.document() };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, problem: error.problem };
    throw error;
  }
}

/** Leaves the parser at the first problem; never leaves this file. */
class Refused extends Error {
  constructor(readonly problem: StrictJsonProblem) {
    super(problem.detail);
  }
}

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

interface ArrayFrame {
  readonly kind: 'array';
  readonly items: JsonValue[];
}
interface ObjectFrame {
  readonly kind: 'object';
  readonly members: { [key: string]: JsonValue };
  /** The key whose value is being read; none between members. */
  key: string | undefined;
}
type Frame = ArrayFrame | ObjectFrame;

class Parser {
  private pos = 0;
  /** The open arrays and objects, outermost first: a loop instead of recursion, so depth costs no call stack. */
  private readonly open: Frame[] = [];

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  document(): JsonValue {
    const value = this.value();
    this.space();
    if (this.pos < this.text.length) this.refuse('trailing_text', 'text follows the JSON value');
    return value;
  }

  private value(): JsonValue {
    for (;;) {
      this.space();
      let value: JsonValue;
      switch (this.text[this.pos]) {
        case '{': {
          const frame: ObjectFrame = { kind: 'object', members: {}, key: undefined };
          this.enter(frame);
          if (this.take('}')) {
            value = this.leave(frame);
            break;
          }
          this.key(frame);
          continue;
        }
        case '[': {
          const frame: ArrayFrame = { kind: 'array', items: [] };
          this.enter(frame);
          if (!this.take(']')) continue;
          value = this.leave(frame);
          break;
        }
        default:
          value = this.scalar();
      }
      const root = this.attach(value);
      if (root !== undefined) return root;
    }
  }

  /** Puts a complete value where it belongs and closes what closes after it; the root once nothing is open, else undefined: another value is due. */
  private attach(complete: JsonValue): JsonValue | undefined {
    let value = complete;
    for (let frame = this.open.at(-1); frame !== undefined; frame = this.open.at(-1)) {
      if (frame.kind === 'array') {
        frame.items.push(value);
        if (this.take(',')) return undefined;
        if (!this.take(']')) this.refuseSyntax('expected "," or "]"');
      } else {
        if (frame.key !== undefined) frame.members[frame.key] = value;
        frame.key = undefined;
        if (this.take(',')) {
          this.key(frame);
          return undefined;
        }
        if (!this.take('}')) this.refuseSyntax('expected "," or "}"');
      }
      value = this.leave(frame);
    }
    return value;
  }

  private enter(frame: Frame): void {
    if (this.open.length >= this.maxDepth) this.refuse('too_deep', `arrays and objects are nested deeper than ${this.maxDepth}`);
    this.pos++;
    this.open.push(frame);
  }

  private leave(frame: Frame): JsonValue {
    this.open.pop();
    return frame.kind === 'array' ? frame.items : frame.members;
  }

  private key(frame: ObjectFrame): void {
    this.space();
    const start = this.pos;
    if (this.text[this.pos] !== '"') this.refuseSyntax('expected a key in double quotes');
    const key = this.string();
    frame.key = key; // first, so that a problem's pointer names this member
    if (FORBIDDEN_KEYS.has(key))
      this.refuse('forbidden_key', `the key ${JSON.stringify(key)} is not accepted: it can change objects in code that copies it`, start);
    if (Object.hasOwn(frame.members, key)) this.refuse('duplicate_key', `the key ${JSON.stringify(shorten(key))} occurs twice in one object`, start);
    if (!this.take(':')) this.refuseSyntax('expected ":"');
  }

  private scalar(): JsonValue {
    const first = this.text[this.pos];
    if (first === '"') return this.string();
    if (first === 't') return this.word('true', true);
    if (first === 'f') return this.word('false', false);
    if (first === 'n') return this.word('null', null);
    return this.number();
  }

  private word<T extends boolean | null>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.pos)) this.refuseSyntax('expected a value');
    this.pos += word.length;
    return value;
  }

  private number(): number {
    NUMBER.lastIndex = this.pos;
    const text = NUMBER.exec(this.text)?.[0];
    if (text === undefined) return this.refuseSyntax('expected a value');
    const start = this.pos;
    this.pos += text.length;
    // "01", "1.", "1e", "1x": the number ends where no value may end; said here, where the reason is plain.
    if (/^[0-9a-zA-Z.+-]$/.test(this.text[this.pos] ?? '')) this.refuseSyntax('this is no JSON number');
    const problem = numberProblem(text);
    if (problem !== undefined) this.refuse('imprecise_number', problem, start);
    return Number(text) + 0; // -0 + 0 is 0
  }

  private string(): string {
    const start = this.pos;
    this.pos++;
    let value = '';
    let from = this.pos;
    for (;;) {
      const unit = this.text.charCodeAt(this.pos);
      if (unit === QUOTE) break;
      if (Number.isNaN(unit)) this.refuseSyntax('the string does not end');
      if (unit === 0) this.refuse('nul_character', 'U+0000 is not accepted in strings');
      if (unit < 0x20) this.refuseSyntax('control characters in strings must be escaped');
      if (unit === BACKSLASH) {
        value += this.text.slice(from, this.pos) + this.escape();
        from = this.pos;
      } else this.pos++;
    }
    value += this.text.slice(from, this.pos);
    this.pos++;
    if (LONE_SURROGATE.test(value)) this.refuse('lone_surrogate', 'the string has half of a surrogate pair, which is no character', start);
    return value;
  }

  private escape(): string {
    const letter = this.text[this.pos + 1] ?? '';
    if (letter === 'u') {
      const digits = this.text.slice(this.pos + 2, this.pos + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.refuseSyntax('\\u takes four hexadecimal digits');
      if (digits === '0000') this.refuse('nul_character', 'U+0000 is not accepted in strings');
      this.pos += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const plain = ESCAPES.get(letter);
    if (plain === undefined) return this.refuseSyntax('unknown escape in a string');
    this.pos += 2;
    return plain;
  }

  /** Skips white space and takes the character, if it is next. */
  private take(character: string): boolean {
    this.space();
    if (this.text[this.pos] !== character) return false;
    this.pos++;
    return true;
  }

  private space(): void {
    for (;;) {
      const unit = this.text.charCodeAt(this.pos);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.pos++;
    }
  }

  private refuseSyntax(detail: string): never {
    return this.refuse('syntax', this.pos >= this.text.length ? `${detail}, but the text ends` : detail);
  }

  private refuse(code: StrictJsonCode, detail: string, at = this.pos): never {
    let pointer: JsonPointer = '';
    for (const frame of this.open) {
      const token = frame.kind === 'array' ? frame.items.length : frame.key;
      if (token !== undefined) pointer = childPointer(pointer, token);
    }
    throw new Refused(problemAt(this.text, at, code, detail, pointer));
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPES = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/** The text of the input, or why there is none. */
function decode(input: string | Uint8Array, maxBytes: number): string | StrictJsonProblem {
  // A UTF-16 unit is at least one byte of UTF-8, so a long text is refused before it is encoded.
  const size = typeof input === 'string' && input.length <= maxBytes ? new TextEncoder().encode(input).length : input.length;
  if (size > maxBytes) return { code: 'too_large', pointer: '', line: 1, column: 1, detail: `the text is longer than ${maxBytes} bytes` };
  let text: string;
  if (typeof input === 'string') text = input;
  else {
    text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input);
    const wrong = firstDifference(new TextEncoder().encode(text), input);
    if (wrong >= 0) {
      const before = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input.subarray(0, wrong));
      return problemAt(before, before.length, 'invalid_utf8', `byte ${wrong} of the text is not UTF-8`, '');
    }
  }
  if (text.startsWith('\u{FEFF}')) return problemAt(text, 0, 'byte_order_mark', 'the text begins with a byte order mark', '');
  const lone = text.search(LONE_SURROGATE);
  if (lone >= 0) return problemAt(text, lone, 'lone_surrogate', 'the text has half of a surrogate pair, which is no character', '');
  return text;
}

/** A lenient decoder writes U+FFFD for bytes that are not UTF-8; they show as the first byte that does not come back. */
function firstDifference(encoded: Uint8Array, original: Uint8Array): number {
  const length = Math.max(encoded.length, original.length);
  for (let index = 0; index < length; index++) if (encoded[index] !== original[index]) return index;
  return -1;
}

function problemAt(text: string, at: number, code: StrictJsonCode, detail: string, pointer: JsonPointer): StrictJsonProblem {
  const lines = text.slice(0, at).split(/\r\n|\n|\r/);
  return { code, pointer, line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1, detail };
}

function shorten(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 64)}…`;
}
