import {
  type Alias,
  CST,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { type JsonPointer, type JsonValue, pointerTokens } from '../../request/index.js';
import { MAX_DEPTH, MAX_TOKENS, MAX_TOP, unfitKey } from './limits.js';
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

/** Where the values of a file stand; looked up in its tree when asked, for most are never asked for. */
export interface Places {
  get(pointer: JsonPointer): Place | undefined;
}

export interface YamlRead {
  value: JsonValue | undefined;
  places: Places;
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
  const refuse = (at: { line: number; column: number }, message: string, hint?: string): void => {
    problems.push({ file: file.path, line: at.line, column: at.column, message, ...(hint === undefined ? {} : { hint }) });
  };
  const position = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  refuseText(file.text, refuse);
  if (problems.length === 0) refuseShape(file.text, refuse);
  if (problems.length > 0) return { value: undefined, places: NOWHERE, problems };

  let root: Node | null;
  try {
    // Duplicate keys are found below: the library compares every key with every other.
    const document = parseDocument(file.text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      strict: true,
      uniqueKeys: false,
      stringKeys: true,
      prettyErrors: false,
      lineCounter: lines,
      logLevel: 'error',
    });
    for (const fault of [...document.errors, ...document.warnings]) {
      // The composer catches the end of its stack, and reports it as an error of the text.
      refuse(
        position(fault.pos[0]),
        /call stack/i.test(fault.message) ? `the file is nested deeper than ${MAX_DEPTH} levels` : `this is not YAML that can be read: ${fault.message}`,
      );
    }
    root = document.contents;
  } catch (fault) {
    // The parser recurses: text nested deep enough ends its stack (a RangeError).
    refuse({ line: 1, column: 1 }, fault instanceof RangeError ? `the file is nested deeper than ${MAX_DEPTH} levels` : 'this is not YAML that can be read');
    return { value: undefined, places: NOWHERE, problems };
  }
  if (problems.length > 0) return { value: undefined, places: NOWHERE, problems };

  const at = (node: Placed): { line: number; column: number } => position(node.range?.[0] ?? 0);
  const read = (node: unknown, depth: number): JsonValue => {
    if (!isPlaced(node)) return null;
    if (isAlias(node)) {
      refuse(at(node), 'aliases (*name) are not part of the language', 'write the value out, or name a condition under lets');
      return null;
    }
    if (node.anchor !== undefined) refuse(at(node), 'anchors (&name) are not part of the language', 'write the value out, or name a condition under lets');
    if (node.tag !== undefined) refuse(at(node), `the tag ${node.tag} is not part of the language`);
    if (depth > MAX_DEPTH) {
      refuse(at(node), `the file is nested deeper than ${MAX_DEPTH} levels`);
      return null;
    }
    if (isSeq(node)) return node.items.map((item) => read(item, depth + 1));
    if (isMap(node)) {
      const members: { [member: string]: JsonValue } = {};
      for (const pair of node.items) {
        if (!isPair(pair) || !isScalar(pair.key) || typeof pair.key.value !== 'string') {
          refuse(at(node), 'every key must be text');
          continue;
        }
        if (pair.key.anchor !== undefined || pair.key.tag !== undefined) refuse(at(pair.key), 'anchors and tags are not part of the language');
        const unfit = unfitKey(pair.key.value);
        if (unfit !== undefined) refuse(at(pair.key), unfit);
        else if (Object.hasOwn(members, pair.key.value)) refuse(at(pair.key), `the key "${pair.key.value}" stands here twice`);
        else members[pair.key.value] = read(pair.value, depth + 1);
      }
      return members;
    }
    const value: unknown = node.value;
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
    if (typeof value === 'number' && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value;
    refuse(at(node), 'this number cannot be kept exactly', 'put it in quotes if it is a name');
    return null;
  };
  const value = root === null ? undefined : read(root, 1);
  return { value, places: placesIn(file.path, root, position), problems };
}

const NOWHERE: Places = { get: () => undefined };

type Placed = Alias | Scalar | YAMLMap | YAMLSeq;
const isPlaced = (node: unknown): node is Placed => isAlias(node) || isScalar(node) || isMap(node) || isSeq(node);

function placesIn(file: string, root: unknown, position: (offset: number) => { line: number; column: number }): Places {
  const pairs = new Map<YAMLMap, Map<unknown, Pair>>();
  const pairOf = (map: YAMLMap, key: string): Pair | undefined => {
    let known = pairs.get(map);
    if (known === undefined) {
      known = new Map();
      // Of a key that stands twice, which is a problem of its own, the first.
      for (const pair of map.items) if (isScalar(pair.key) && !known.has(pair.key.value)) known.set(pair.key.value, pair);
      pairs.set(map, known);
    }
    return known.get(key);
  };
  return {
    get(pointer) {
      let node: unknown = root;
      let key: unknown;
      for (const token of pointerTokens(pointer)) {
        key = undefined;
        if (isSeq(node)) node = node.items[Number(token)];
        else if (isMap(node)) {
          const pair = pairOf(node, token);
          key = pair?.key;
          node = pair?.value;
        } else return undefined;
      }
      if (!isPlaced(node)) return undefined;
      const literal = isScalar(node) && typeof node.value === 'string' ? quoteOf(node.type, node.value) : undefined;
      return {
        file,
        ...position(node.range?.[0] ?? 0),
        ...(isScalar(key) ? { key: position(key.range?.[0] ?? 0) } : {}),
        ...(literal === undefined ? {} : { literal }),
      };
    },
  };
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
      refuse(
        { line: index + 1, column: unseen.index + 1 },
        `the character U+${code} cannot be seen and is refused everywhere in a bundle`,
        'write it as an escape in double quotes if you need it',
      );
    } else if (line.startsWith('%')) {
      refuse({ line: index + 1, column: 1 }, 'directives (%YAML, %TAG) are not part of the language');
    }
  });
}

/** Measures the text by its tokens before it is parsed: the parser recurses on nesting, and runs out of memory on much of it. */
function refuseShape(text: string, refuse: (at: { line: number; column: number }, message: string) => void): void {
  let [line, tokens, flowDepth, indicators, atMargin, top] = [1, 0, 0, 0, true, 0];
  for (const token of new Lexer().lex(text)) {
    switch (CST.tokenType(token)) {
      case 'flow-seq-start':
      case 'flow-map-start':
        flowDepth++;
        break;
      case 'flow-seq-end':
      case 'flow-map-end':
        flowDepth--;
        break;
      case 'seq-item-ind':
      case 'explicit-key-ind':
      case 'map-value-ind':
        // On one line, each may begin another level; inside brackets it is the brackets that nest.
        if (flowDepth <= 0) indicators++;
        atMargin = false;
        break;
      case 'newline':
        indicators = 0;
        atMargin = true;
        break;
      case 'space':
        atMargin = false;
        break;
      case 'scalar':
      case 'single-quoted-scalar':
      case 'double-quoted-scalar':
        if (atMargin && flowDepth <= 0) top++;
        atMargin = false;
        break;
      default:
    }
    for (let at = token.indexOf('\n'); at >= 0; at = token.indexOf('\n', at + 1)) line++;
    if (++tokens > MAX_TOKENS) return refuse({ line, column: 1 }, `a file has at most ${MAX_TOKENS} pieces of YAML`);
    if (top > MAX_TOP) return refuse({ line, column: 1 }, `a file has at most ${MAX_TOP} members at its top`);
    if (flowDepth > MAX_DEPTH || indicators > MAX_DEPTH) return refuse({ line, column: 1 }, `the file is nested deeper than ${MAX_DEPTH} levels`);
  }
}

/** Text on one line without escapes, where an offset in the value is one in the line. */
function quoteOf(type: string | null | undefined, value: string): { quote: 0 | 1 } | undefined {
  if (value.includes('\n')) return undefined;
  if (type === 'PLAIN') return { quote: 0 };
  const escaped = type === 'QUOTE_SINGLE' ? /'/ : type === 'QUOTE_DOUBLE' ? /["\\]/ : /^/;
  return escaped.test(value) ? undefined : { quote: 1 };
}
