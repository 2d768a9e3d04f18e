import { bad } from './scim-error.js';
import { ENTERPRISE, GROUP, USER } from './schema-names.js';

/** A filter of RFC 7644, section 3.4.2.2. Names are in lower case, without the schema's URN. */
export type Filter =
  | { kind: 'and' | 'or'; left: Filter; right: Filter }
  | { kind: 'not'; inner: Filter }
  | { kind: 'present'; path: string[] }
  | { kind: 'compare'; path: string[]; op: CompareOp; value: Literal }
  /** `emails[type eq "work"]` */
  | { kind: 'some'; path: string[]; inner: Filter };
export type CompareOp = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le';
export type Literal = string | number | boolean | null;

const OPS: ReadonlySet<string> = new Set(['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le']);
/** Longer or deeper ones are nobody's honest question. */
const LONGEST = 16_384;
const DEEPEST = 20;

interface Token {
  kind: 'word' | 'text' | 'number' | '(' | ')' | '[' | ']';
  text: string;
}

/** Reads a filter whole. Throws ScimError `invalidFilter`. */
export function parseFilter(text: string): Filter {
  if (text.length > LONGEST) throw bad('invalidFilter', `A filter has at most ${LONGEST} characters.`);
  const reader = new FilterReader(tokensOf(text));
  const filter = reader.either(0);
  reader.end();
  return filter;
}

/** A path of PATCH: `name.givenName`, `emails[type eq "work"].value`, with the schema's URN or without. Throws ScimError `invalidPath`. */
export interface PatchPath {
  /** In lower case. */
  attribute: string;
  filter: Filter | null;
  sub: string | null;
  /** Whether the enterprise extension's URN stood before it. */
  enterprise: boolean;
}

export function parsePatchPath(text: string): PatchPath {
  const { rest, enterprise } = withoutUrn(text.trim());
  const open = rest.indexOf('[');
  if (open < 0) {
    const [attribute = '', sub = null, ...more] = rest.split('.');
    if (!isName(attribute) || (sub !== null && !isName(sub)) || more.length > 0) throw badPath(text);
    return { attribute: attribute.toLowerCase(), filter: null, sub: sub?.toLowerCase() ?? null, enterprise };
  }
  const close = rest.lastIndexOf(']');
  const attribute = rest.slice(0, open);
  const tail = rest.slice(close + 1);
  const sub = tail === '' ? null : tail.slice(1);
  if (close < open || !isName(attribute) || (sub !== null && (!tail.startsWith('.') || !isName(sub)))) throw badPath(text);
  return { attribute: attribute.toLowerCase(), filter: parseFilter(rest.slice(open + 1, close)), sub: sub?.toLowerCase() ?? null, enterprise };
}

const badPath = (text: string) => bad('invalidPath', `"${text.slice(0, 100)}" is no path of an attribute here.`);

/** Names of RFC 7643, section 2.1, and no others: what is looked up with them is never an object's own machinery. */
const isName = (text: string): boolean => /^(?:[A-Za-z][\w-]{0,63}|\$ref)$/.test(text);

function withoutUrn(text: string): { rest: string; enterprise: boolean } {
  for (const urn of [ENTERPRISE, USER, GROUP]) {
    if (text.toLowerCase() === urn.toLowerCase()) return { rest: '', enterprise: urn === ENTERPRISE };
    if (text.toLowerCase().startsWith(`${urn.toLowerCase()}:`)) return { rest: text.slice(urn.length + 1), enterprise: urn === ENTERPRISE };
  }
  return { rest: text, enterprise: false };
}

class FilterReader {
  #at = 0;
  constructor(private readonly tokens: readonly Token[]) {}

  either(depth: number): Filter {
    if (depth > DEEPEST) throw bad('invalidFilter', 'The filter is nested too deeply.');
    let left = this.#both(depth);
    while (this.#takeWord('or')) left = { kind: 'or', left, right: this.#both(depth) };
    return left;
  }

  end(): void {
    if (this.#at < this.tokens.length) throw this.#wrong();
  }

  #both(depth: number): Filter {
    let left = this.#one(depth);
    while (this.#takeWord('and')) left = { kind: 'and', left, right: this.#one(depth) };
    return left;
  }

  #one(depth: number): Filter {
    if (this.#take('(')) return this.#closed(depth, ')');
    const word = this.tokens[this.#at];
    if (word?.kind !== 'word') throw this.#wrong();
    if (word.text.toLowerCase() === 'not' && this.tokens[this.#at + 1]?.kind === '(') {
      this.#at += 2;
      return { kind: 'not', inner: this.#closed(depth, ')') };
    }
    this.#at += 1;
    const path = pathOf(word.text);
    if (this.#take('[')) return { kind: 'some', path, inner: this.#closed(depth, ']') };
    const op = this.tokens[this.#at]?.text.toLowerCase();
    if (op === 'pr' && this.tokens[this.#at]?.kind === 'word') {
      this.#at += 1;
      return { kind: 'present', path };
    }
    if (op === undefined || !OPS.has(op)) throw this.#wrong();
    this.#at += 1;
    // OPS holds exactly the operators of the type.
    return { kind: 'compare', path, op: op as CompareOp, value: this.#literal() };
  }

  #closed(depth: number, end: ')' | ']'): Filter {
    const inner = this.either(depth + 1);
    if (!this.#take(end)) throw this.#wrong();
    return inner;
  }

  #literal(): Literal {
    const token = this.tokens[this.#at];
    this.#at += 1;
    if (token?.kind === 'text') return token.text;
    if (token?.kind === 'number') return Number(token.text);
    const word = token?.kind === 'word' ? token.text.toLowerCase() : '';
    if (word === 'true' || word === 'false') return word === 'true';
    if (word === 'null') return null;
    this.#at -= 1;
    throw this.#wrong();
  }

  #take(kind: Token['kind']): boolean {
    if (this.tokens[this.#at]?.kind !== kind) return false;
    this.#at += 1;
    return true;
  }

  #takeWord(word: string): boolean {
    const token = this.tokens[this.#at];
    if (token?.kind !== 'word' || token.text.toLowerCase() !== word) return false;
    this.#at += 1;
    return true;
  }

  #wrong() {
    const token = this.tokens[this.#at];
    return bad('invalidFilter', token === undefined ? 'The filter ends too early.' : `The filter cannot be read at "${token.text.slice(0, 50)}".`);
  }
}

function pathOf(text: string): string[] {
  const { rest } = withoutUrn(text);
  const names = rest.split('.');
  if (names.length > 2 || !names.every(isName)) throw bad('invalidFilter', `"${text.slice(0, 100)}" is no attribute.`);
  return names.map((name) => name.toLowerCase());
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s+|([()[\]])|"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.:]))|([A-Za-z$][\w.:$-]*)/y;
  while (pattern.lastIndex < text.length) {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw bad('invalidFilter', `The filter cannot be read at "${text.slice(from, from + 50)}".`);
    const [, bracket, quoted, number, word] = match;
    // The pattern lets through these four alone.
    if (bracket !== undefined) tokens.push({ kind: bracket as '(' | ')' | '[' | ']', text: bracket });
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: unquoted(quoted) });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word });
  }
  return tokens;
}

function unquoted(inner: string): string {
  try {
    return String(JSON.parse(`"${inner}"`));
  } catch {
    throw bad('invalidFilter', 'A text in the filter is not written as JSON writes it.');
  }
}

/** A multi-valued or complex attribute as its values; names in lower case. */
export type Attributes = { readonly [name: string]: Literal | undefined | readonly Attributes[] | Attributes };

/** Whether the attributes fit. Texts are compared without case unless `exact` names their path (RFC 7643, caseExact). Throws `invalidFilter` for unknown names. */
export function matches(filter: Filter, of: Attributes, exact: ReadonlySet<string> = new Set(), known: ReadonlySet<string> | null = null): boolean {
  const values = (path: readonly string[]): Literal[] => {
    const [name = '', sub = 'value'] = path;
    if (known !== null && !known.has(path.join('.')) && !known.has(name)) throw bad('invalidFilter', `"${path.join('.')}" cannot be filtered by.`);
    const value = Object.hasOwn(of, name) ? of[name] : undefined;
    if (value === undefined) return [];
    if (value === null || typeof value !== 'object') return path.length > 1 ? [] : [value];
    // Array.isArray does not narrow readonly arrays.
    const members = (Array.isArray(value) ? value : [value]) as readonly Attributes[];
    return members.flatMap((member) => {
      const inner = Object.hasOwn(member, sub) ? member[sub] : undefined;
      return inner === undefined || typeof inner === 'object' ? (inner === null ? [null] : []) : [inner];
    });
  };
  switch (filter.kind) {
    case 'and':
      return matches(filter.left, of, exact, known) && matches(filter.right, of, exact, known);
    case 'or':
      return matches(filter.left, of, exact, known) || matches(filter.right, of, exact, known);
    case 'not':
      return !matches(filter.inner, of, exact, known);
    case 'present':
      return values(filter.path).some((value) => value !== null && value !== '');
    case 'compare': {
      const found = values(filter.path);
      const isExact = exact.has(filter.path.join('.'));
      if (filter.op === 'ne') return !found.some((value) => compares('eq', value, filter.value, isExact));
      if (filter.op === 'eq' && filter.value === null) return found.every((value) => value === null);
      return found.some((value) => compares(filter.op, value, filter.value, isExact));
    }
    case 'some': {
      const [name = ''] = filter.path;
      if (known !== null && !known.has(name)) throw bad('invalidFilter', `"${name}" cannot be filtered by.`);
      const value = Object.hasOwn(of, name) ? of[name] : undefined;
      if (value === undefined || value === null || typeof value !== 'object') return false;
      return ((Array.isArray(value) ? value : [value]) as readonly Attributes[]).some((member) => matches(filter.inner, member, exact));
    }
  }
}

function compares(op: CompareOp, value: Literal, wanted: Literal, exact: boolean): boolean {
  if (typeof value === 'boolean') {
    // Clients write truth values as text; other text is no truth value at all.
    const truth = typeof wanted === 'boolean' ? wanted : truthOf(wanted);
    return truth !== null && op === 'eq' && value === truth;
  }
  if (value === null || wanted === null) return op === 'eq' && value === wanted;
  if (typeof value === 'number' || typeof wanted === 'number') return typeof value === typeof wanted && ordered(op, Number(value), Number(wanted));
  if (typeof wanted === 'boolean') return false;
  const [a, b] = exact ? [value, wanted] : [fold(value), fold(wanted)];
  switch (op) {
    case 'co':
      return a.includes(b);
    case 'sw':
      return a.startsWith(b);
    case 'ew':
      return a.endsWith(b);
    default:
      return ordered(op, a, b);
  }
}

function ordered<Value extends string | number>(op: CompareOp, a: Value, b: Value): boolean {
  switch (op) {
    case 'eq':
      return a === b;
    case 'gt':
      return a > b;
    case 'ge':
      return a >= b;
    case 'lt':
      return a < b;
    case 'le':
      return a <= b;
    default:
      return false;
  }
}

/** Truth values as clients write them; null for everything else. */
export function truthOf(value: unknown): boolean | null {
  if (typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
  return text === 'true' ? true : text === 'false' ? false : null;
}

const fold = (text: string): string => text.normalize('NFKC').toLowerCase();
