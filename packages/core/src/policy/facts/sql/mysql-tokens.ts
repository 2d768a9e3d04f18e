import { Unreadable } from '../inputs.js';

export interface MysqlToken {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'mark';
  /** Words in small letters; quoted names and strings without their quotes. */
  readonly text: string;
}

const MAX_NESTING = 10;
const MAX_TOKENS = 4_000;

/**
 * MySQL's words (MySQL 8.4 manual, chapter 11), read apart from the parser so that each can be held against the other. Refused are comments that
 * servers execute, comments that do not end, and strings that end elsewhere under another sql_mode.
 */
export function mysqlTokens(text: string): MysqlToken[] {
  const tokens: MysqlToken[] = [];
  let nesting = 0;
  const add = (kind: MysqlToken['kind'], token: string): void => {
    if (tokens.push({ kind, text: token }) > MAX_TOKENS) throw new Unreadable('the statement is too long to be read');
  };
  for (let at = 0; at < text.length;) {
    const letter = text[at] ?? '';
    const rest = text.slice(at, at + 3);
    if (/\s/.test(letter)) {
      // Other blanks than ASCII's are parts of names to the server.
      if (!/[ \t\r\n\f\v]/.test(letter)) throw new Unreadable('there are blanks in it that the server does not read as blanks');
      at++;
    } else if (letter === '#' || /^--(?:[\s\u0000-\u001f]|$)/.test(rest)) {
      const end = text.indexOf('\n', at);
      at = end === -1 ? text.length : end + 1;
    } else if (rest.startsWith('--')) throw new Unreadable('two minus signs without a blank behind them are read differently by other servers');
    else if (rest.startsWith('/*')) {
      if (/^\/\*(?:!|M!)/.test(text.slice(at, at + 4))) throw new Unreadable('a comment in it is executed by some servers');
      const end = text.indexOf('*/', at + 2);
      const inner = text.slice(at + 2, end === -1 ? text.length : end);
      if (end === -1 || inner.includes('/*')) throw new Unreadable('a comment in it does not end for certain');
      if (inner.startsWith('+') && /set_var/i.test(inner)) throw new Unreadable('a hint in it changes settings');
      at = end + 2;
    } else if (letter === "'" || letter === '"' || letter === '`') {
      const [content, next] = quoted(text, at, letter);
      add(letter === '`' ? 'quoted' : 'string', content);
      at = next;
    } else if (/[0-9]/.test(letter)) {
      const number = /^(?:0x[0-9a-f]+|0b[01]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?![A-Za-z0-9_$\u0080-\uffff])/i.exec(text.slice(at, at + 400))?.[0];
      if (number === undefined) throw new Unreadable('a name in it begins with a digit, or a number is very long');
      add('number', number);
      at += number.length;
    } else if (/[A-Za-z_$\u0080-\uffff]/.test(letter)) {
      const word = /^[A-Za-z0-9_$\u0080-\uffff]+/.exec(text.slice(at, at + 400))?.[0] ?? letter;
      add('word', word.toLowerCase());
      at += word.length;
    } else if (letter === '\\') throw new Unreadable('there is a backslash outside of strings');
    else {
      if (letter === '(' && ++nesting > MAX_NESTING) throw new Unreadable('the statement is nested too deep');
      if (letter === ')') nesting--;
      add('mark', letter);
      at++;
    }
  }
  return tokens;
}

/** A quoted text from its opening quote on: its content, and where the text goes on. */
function quoted(text: string, from: number, quote: string): [string, number] {
  let content = '';
  for (let at = from + 1; at < text.length; at++) {
    const letter = text[at] ?? '';
    if (letter === quote) {
      if (text[at + 1] !== quote) return [content, at + 1];
      content += quote;
      at++;
    } else if (letter === '\\' && quote !== '`') {
      // NO_BACKSLASH_ESCAPES ends the string at a quote behind a backslash, and reads two backslashes as two.
      if (text[at + 1] === quote || text[at + 1] === '\\' || text[at + 1] === undefined)
        throw new Unreadable('a string has a backslash before a quote, which servers read differently by their settings');
      content += letter;
    } else content += letter;
  }
  throw new Unreadable('a quote in it does not end');
}
