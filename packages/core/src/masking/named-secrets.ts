import type { Finding } from './finding.js';
import { isSecretName, wordsOf } from './secret-names.js';
import { isReference } from './token-shapes.js';

/**
 * Values behind the name of a secret in free text: `password=…`, `"apiKey": "…"`, `--token …`, `Authorization: Bearer …`, `<password>…</`,
 * YAML blocks. References such as `$DB_PASSWORD` and truth values are left.
 *
 * Linear: names are read once from left to right, and reading goes on behind each value that was found.
 */
export function* findNamedSecrets(text: string): Generator<Finding> {
  const names = /[\p{L}\p{N}_.-]+/gu;
  for (let match = names.exec(text); match !== null; match = names.exec(text)) {
    const name = match[0].slice(-256);
    if (!MAY_BE_SECRET.test(name) || !isKnownSecretName(name) || isOwnMark(text, match.index)) continue;
    const value = valueBehind(text, names.lastIndex, match[0]);
    if (value === undefined) continue;
    const content = text.slice(value.start, value.end);
    if (content !== '' && !isReference(content) && !isPlainWord(name, content)) yield { ...value, class: 'secret', detector: 'secret-name' };
    // A quoted value may hold further names; they are hidden with it.
    names.lastIndex = Math.max(names.lastIndex, value.end);
  }
}

/** Every secret name has one of these, or a letter beyond ASCII. It keeps ordinary words away from the dearer question. */
const MAY_BE_SECRET =
  /pass|pw|pswd|secret|token|cred|auth|cook|key|otp|cvv|cvc|srf|jwt|bearer|kenn|geheim|contras|motde|mot_de|mot-de|senha|parol|has[lł]o|wacht|losen|adgang|salas|sifre|heslo|sess|sid|pin|clave|palabra|[^\x00-\x7f]/iu;

const KNOWN = new Map<string, boolean>();

function isKnownSecretName(name: string): boolean {
  const known = KNOWN.get(name);
  if (known !== undefined) return known;
  const answer = isSecretName(name);
  if (KNOWN.size > 5_000) KNOWN.clear();
  KNOWN.set(name, answer);
  return answer;
}

/** `[secret:len≈32]` is what this masker wrote: masking twice changes nothing. */
function isOwnMark(text: string, index: number): boolean {
  return text[index - 1] === '[' && at(/secret:len≈\d{1,9}\]/y, text, index) !== undefined;
}

function isPlainWord(name: string, value: string): boolean {
  return /^(?:true|false|null|none|nil|undefined)$/i.test(value) || (/^\d{1,9}$/.test(value) && wordsOf(name).at(-1) === 'tokens');
}

/** The value that belongs to a name which ends at `index`. */
function valueBehind(text: string, index: number, name: string): { start: number; end: number } | undefined {
  const assigned = at(/(?:\\{0,4}["'`])?\]?[ \t]{0,8}(?:=>|:=|={1,3}|:(?!\/\/))[ \t]{0,8}/y, text, index);
  if (assigned !== undefined) return valueAt(text, index + assigned.length, name, text[index - name.length - 1]);
  const element = at(/(?: [^<>]{0,256})?>/y, text, index);
  if (element !== undefined && '<:'.includes(text[index - name.length - 1] ?? ' ')) {
    const start = index + element.length;
    const end = text.indexOf('<', start);
    return { start, end: end < 0 ? text.length : end };
  }
  const flag = name.startsWith('-') ? at(/[ \t]{1,8}(?=[^\s-])/y, text, index) : undefined;
  return flag === undefined ? undefined : valueAt(text, index + flag.length, name, undefined);
}

/** `before` is the character in front of the name: a quote there ends a header. */
function valueAt(text: string, start: number, name: string, before: string | undefined): { start: number; end: number } {
  const block = at(/[|>][+-]?[ \t]*\r?\n(?:[ \t]+[^\n]*\n?)+/y, text, start);
  if (block !== undefined) return { start, end: start + block.length };
  const opening = at(/\\{0,4}["'`]/y, text, start);
  if (opening !== undefined) {
    const from = start + opening.length;
    return { start: from, end: closingQuote(text, from, opening) };
  }
  const template = at(/\$?\{\{[^{}\r\n]{0,128}\}\}/y, text, start);
  if (template !== undefined) return { start, end: start + template.length };
  const header = HEADER_NAME.test(name);
  const scheme = at(/(?:bearer|basic|token|apikey|api-key)[ \t]{1,8}/iy, text, start);
  if (scheme !== undefined) {
    const from = start + scheme.length;
    const end = from + (at(/[^\s"'`<>,;]+/y, text, from) ?? '').length;
    return { start: header ? from : start, end };
  }
  if (header) return { start, end: start + (at(before === '"' ? /[^\r\n"]+/y : before === "'" ? /[^\r\n']+/y : /[^\r\n]+/y, text, start) ?? '').length };
  const rest = at(/[^\s"'`<>]+/y, text, start) ?? '';
  // A comma, semicolon or ampersand ends the value only where the next member begins behind it.
  const end = rest.search(/[,;&](?=$|[\w.-]{1,64}[=:])/);
  return { start, end: start + (end < 0 ? rest.length : end) };
}

/** Headers whose value is secret to the end of the line. */
const HEADER_NAME = /^(?:proxy-)?authorization$|^(?:set-)?cookie$/i;

/** The index of the quote that closes; the end of the text where none does. */
function closingQuote(text: string, from: number, opening: string): number {
  if (opening.length > 1) {
    const end = text.indexOf(opening, from);
    return end < 0 ? text.length : end;
  }
  let index = from;
  while (index < text.length && text[index] !== opening) index += text[index] === '\\' ? 2 : 1;
  return Math.min(index, text.length);
}

/** What a sticky pattern matches at a place. */
function at(pattern: RegExp, text: string, index: number): string | undefined {
  pattern.lastIndex = index;
  return pattern.exec(text)?.[0];
}
