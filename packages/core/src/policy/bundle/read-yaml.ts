import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import { childPointer, type JsonPointer, type JsonValue } from '../../request/index.js';
import { MAX_DEPTH, unfitKey } from './limits.js';
import type { BundleFile, PolicyProblem } from '../types.js';

/** Where a value, and the key before it, stand in a file. */
export interface Place {
  file: string;
  line: number;
  column: number;
  /** The key's place, for a problem with the member itself. */
  key?: { line: number; column: number };
  /** The value is one line of text as written, so that an offset in it is an offset in the line. */
  literal?: { quote: 0 | 1 };
}

export interface YamlRead {
  value: JsonValue | undefined;
  places: Map<JsonPointer, Place>;
  problems: PolicyProblem[];
}

/**
 * Reads the part of YAML 1.2 that says the same to every reader: one document of maps, lists, strings, numbers and booleans.
 * Refused, each with its place: byte order marks, characters that cannot be seen, directives, tags, anchors, aliases,
 * duplicate keys, keys that are not text, numbers that JSON cannot carry, and nesting past MAX_DEPTH.
 */
export function readYaml(file: BundleFile): YamlRead {
  const lines = new LineCounter();
  const problems: PolicyProblem[] = [];
  const places = new Map<JsonPointer, Place>();
  const refuse = (at: { line: number; column: number }, message: string, hint?: string): void => {
    problems.push({ file: file.path, line: at.line, column: at.column, message, ...(hint === undefined ? {} : { hint }) });
  };
  const position = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  refuseText(file.text, refuse);
  if (problems.length > 0) return { value: undefined, places, problems };

  let root: Node | null;
  try {
    const document = parseDocument(file.text, { version: '1.2', schema: 'core', merge: false, strict: true, uniqueKeys: true, stringKeys: true, prettyErrors: false, lineCounter: lines, logLevel: 'error' });
    for (const fault of [...document.errors, ...document.warnings]) refuse(position(fault.pos[0]), `this is not YAML that can be read: ${fault.message}`);
    root = document.contents;
  } catch (fault) {
    // The parser recurses: text nested deep enough ends its stack (a RangeError).
    refuse({ line: 1, column: 1 }, fault instanceof RangeError ? `the file is nested deeper than ${MAX_DEPTH} levels` : 'this is not YAML that can be read');
    return { value: undefined, places, problems };
  }
  if (problems.length > 0) return { value: undefined, places, problems };

  const read = (node: unknown, pointer: JsonPointer, depth: number, key?: { line: number; column: number }): JsonValue => {
    if (!isAlias(node) && !isScalar(node) && !isMap(node) && !isSeq(node)) return null;
    const at = position(node.range?.[0] ?? 0);
    const literal = isScalar(node) && typeof node.value === 'string' ? quoteOf(node.type, node.value) : undefined;
    places.set(pointer, { file: file.path, ...at, ...(key === undefined ? {} : { key }), ...(literal === undefined ? {} : { literal }) });
    if (isAlias(node)) {
      refuse(at, 'aliases (*name) are not part of the language', 'write the value out, or name a condition under lets');
      return null;
    }
    if (node.anchor !== undefined) refuse(at, 'anchors (&name) are not part of the language', 'write the value out, or name a condition under lets');
    if (node.tag !== undefined) refuse(at, `the tag ${node.tag} is not part of the language`);
    if (depth > MAX_DEPTH) {
      refuse(at, `the file is nested deeper than ${MAX_DEPTH} levels`);
      return null;
    }
    if (isSeq(node)) return node.items.map((item, index) => read(item, childPointer(pointer, index), depth + 1));
    if (isMap(node)) {
      const members: { [member: string]: JsonValue } = {};
      for (const pair of node.items) {
        if (!isPair(pair) || !isScalar(pair.key) || typeof pair.key.value !== 'string') {
          refuse(at, 'every key must be text');
          continue;
        }
        const keyAt = position(pair.key.range?.[0] ?? 0);
        if (pair.key.anchor !== undefined || pair.key.tag !== undefined) refuse(keyAt, 'anchors and tags are not part of the language');
        const unfit = unfitKey(pair.key.value);
        if (unfit !== undefined) refuse(keyAt, unfit);
        else members[pair.key.value] = read(pair.value, childPointer(pointer, pair.key.value), depth + 1, keyAt);
      }
      return members;
    }
    const value: unknown = node.value;
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
    if (typeof value === 'number' && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value;
    refuse(at, 'this number cannot be kept exactly', 'put it in quotes if it is a name');
    return null;
  };
  const value = root === null ? undefined : read(root, '', 1);
  return { value, places, problems };
}

/** What must not stand anywhere in the text, comments included, since reviewers would not see it (CVE-2021-42574). */
function refuseText(text: string, refuse: (at: { line: number; column: number }, message: string, hint?: string) => void): void {
  if (text.startsWith('\uFEFF')) {
    refuse({ line: 1, column: 1 }, 'the file begins with a byte order mark', 'save it as UTF-8 without one');
    return;
  }
  text.split('\n').forEach((line, index) => {
    // Controls, line separators that YAML 1.2 does not count, bidirectional and zero-width characters, lone surrogates.
    const unseen = /[\0-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFFE\uFFFF]|\p{Cs}|\r(?!$)/u.exec(line);
    if (unseen !== null) {
      const code = (unseen[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      refuse({ line: index + 1, column: unseen.index + 1 }, `the character U+${code} cannot be seen and is refused everywhere in a bundle`, 'write it as an escape in double quotes if you need it');
    } else if (line.startsWith('%')) {
      refuse({ line: index + 1, column: 1 }, 'directives (%YAML, %TAG) are not part of the language');
    }
  });
}

function quoteOf(type: string | null | undefined, value: string): { quote: 0 | 1 } | undefined {
  if (/[\n\\'"]/.test(value) && type !== 'PLAIN') return undefined;
  if (type === 'PLAIN') return { quote: 0 };
  return type === 'QUOTE_SINGLE' || type === 'QUOTE_DOUBLE' ? { quote: 1 } : undefined;
}
