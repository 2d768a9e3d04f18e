import type { z } from 'zod';
import { childPointer, type JsonPointer, type JsonValue } from '../../request/index.js';
import { compareText } from '../merge-requirements.js';
import { didYouMean, nearestName } from '../nearest-name.js';
import type { BundleFile, PolicyProblem } from '../types.js';
import { MAX_BUNDLE_LENGTH, MAX_DEPTH, MAX_FILES, unfitKey } from './limits.js';
import { readYaml, type Place } from './read-yaml.js';
import { API_VERSION, bundleSchema, KIND, MEMBERS, type BundleDocument } from './schema.js';

type Members = { [member: string]: JsonValue };

/** A problem by its place in the merged document; `offset` counts in the text of the value. */
export type Report = (pointer: JsonPointer, message: string, more?: { hint?: string; atKey?: boolean; offset?: number }) => void;

export type BundleRead =
  | { document: BundleDocument; raw: Members; problemAt: (...args: Parameters<Report>) => PolicyProblem }
  | { problems: PolicyProblem[] };

/** Reads files into one document: YAML, merged, and of the language's shape. Which file a rule stands in has no meaning. */
export function readBundle(files: readonly BundleFile[]): BundleRead {
  if (files.length === 0) return { problems: [{ file: '', line: 1, column: 1, message: 'there is no policy file', hint: 'name a .yaml file or a folder of them' }] };
  if (files.length > MAX_FILES || files.reduce((sum, file) => sum + file.text.length, 0) > MAX_BUNDLE_LENGTH) {
    return { problems: [{ file: files[0]?.path ?? '', line: 1, column: 1, message: `a bundle has at most ${MAX_FILES} files and ${MAX_BUNDLE_LENGTH} characters` }] };
  }
  const merge = new Merge();
  for (const file of [...files].sort((a, b) => compareText(a.path, b.path))) merge.add(file);
  if (merge.problems.length > 0) return { problems: merge.problems };
  return checkShape(merge.root, merge.places, files[0]?.path ?? '');
}

/** Reads the RFC 8785 text of a bundle. Problems have pointers in place of lines. */
export function readCanonical(text: string): BundleRead {
  const problem = (message: string): BundleRead => ({ problems: [{ file: '(canonical)', line: 1, column: 1, message }] });
  if (text.length > MAX_BUNDLE_LENGTH) return problem('the canonical bundle is too long');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return problem('the canonical bundle is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return problem('the canonical bundle is not an object');
  const unfit = findUnfit(value, 1);
  // JSON.parse gives JSON values.
  return unfit === undefined ? checkShape(value as Members, new Map(), '(canonical)') : problem(unfit);
}

function findUnfit(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_DEPTH) return `the bundle is nested deeper than ${MAX_DEPTH} levels`;
  for (const [key, member] of Object.entries(value)) {
    const unfit = unfitKey(key) ?? findUnfit(member, depth + 1);
    if (unfit !== undefined) return unfit;
  }
  return undefined;
}

/** Puts files together. What stands once in a bundle (metadata, defaults) may stand in one file only; named members never twice. */
class Merge {
  readonly root: Members = {};
  readonly places = new Map<JsonPointer, Place>();
  readonly problems: PolicyProblem[] = [];

  add(file: BundleFile): void {
    const { value, places, problems } = readYaml(file);
    if (problems.length > 0) {
      this.problems.push(...problems);
      return;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.problems.push({ file: file.path, line: 1, column: 1, message: 'the file is not a bundle', hint: `begin with "apiVersion: ${API_VERSION}" and "kind: ${KIND}"` });
      return;
    }
    for (const [member, expected] of [['apiVersion', API_VERSION], ['kind', KIND]] as const) {
      if (value[member] === expected) continue;
      const place = places.get(`/${member}`);
      this.problems.push({ file: file.path, line: place?.line ?? 1, column: place?.column ?? 1, message: `${member} must be ${expected}` });
    }
    if (!this.places.has('')) this.#place(places, '', '');
    for (const [member, content] of Object.entries(value)) this.#member(member, content, places);
  }

  #member(member: string, content: JsonValue, places: ReadonlyMap<JsonPointer, Place>): void {
    const pointer = childPointer('', member);
    const present = this.root[member];
    if (member === 'apiVersion' || member === 'kind') {
      this.root[member] = content;
      if (present === undefined) this.#move(places, pointer, pointer);
    } else if (present === undefined) {
      this.root[member] = content;
      this.#move(places, pointer, pointer);
    } else if (member === 'rules' && Array.isArray(present) && Array.isArray(content)) {
      this.#append(present, content, pointer, places);
    } else if (member === 'catalogue' && isMembers(present) && isMembers(content)) {
      for (const [part, inner] of Object.entries(content)) {
        const at = childPointer(pointer, part);
        const existing = present[part];
        if (existing === undefined) {
          present[part] = inner;
          this.#move(places, at, at);
        } else if (Array.isArray(existing) && Array.isArray(inner)) this.#append(existing, inner, at, places);
        else this.#named(existing, inner, at, places);
      }
    } else if (member === 'groups' || member === 'lets') this.#named(present, content, pointer, places);
    else this.#clash(pointer, places);
  }

  #named(present: JsonValue, content: JsonValue, pointer: JsonPointer, places: ReadonlyMap<JsonPointer, Place>): void {
    if (!isMembers(present) || !isMembers(content)) {
      this.#clash(pointer, places);
      return;
    }
    for (const [key, value] of Object.entries(content)) {
      const at = childPointer(pointer, key);
      if (Object.hasOwn(present, key)) this.#clash(at, places);
      else {
        present[key] = value;
        this.#move(places, at, at);
      }
    }
  }

  #append(present: JsonValue[], content: readonly JsonValue[], pointer: JsonPointer, places: ReadonlyMap<JsonPointer, Place>): void {
    const shift = present.length;
    present.push(...content);
    for (const [from, place] of places) {
      const rest = from.startsWith(`${pointer}/`) ? /^(\d+)(.*)$/s.exec(from.slice(pointer.length + 1)) : null;
      if (rest !== null) this.places.set(`${pointer}/${Number(rest[1]) + shift}${rest[2] ?? ''}`, place);
    }
  }

  #clash(pointer: JsonPointer, places: ReadonlyMap<JsonPointer, Place>): void {
    const place = places.get(pointer);
    const other = this.places.get(pointer);
    const { line, column } = place?.key ?? place ?? { line: 1, column: 1 };
    const first = other === undefined ? '' : `; it already stands in ${other.file}, line ${(other.key ?? other).line}`;
    this.problems.push({ file: place?.file ?? '', line, column, message: `${dotted(pointer)} stands in two files of the bundle${first}` });
  }

  #move(places: ReadonlyMap<JsonPointer, Place>, from: JsonPointer, to: JsonPointer): void {
    if (from === to && !this.places.has(to)) this.#place(places, from, to);
    for (const pointer of places.keys()) if (pointer === from || pointer.startsWith(`${from}/`)) this.#place(places, pointer, to + pointer.slice(from.length));
  }

  #place(places: ReadonlyMap<JsonPointer, Place>, from: JsonPointer, to: JsonPointer): void {
    const place = places.get(from);
    if (place !== undefined) this.places.set(to, place);
  }
}

function checkShape(root: Members, places: ReadonlyMap<JsonPointer, Place>, firstFile: string): BundleRead {
  const problemAt = (pointer: JsonPointer, message: string, more: { hint?: string; atKey?: boolean; offset?: number } = {}): PolicyProblem => {
    let place: Place | undefined;
    for (let at = pointer; place === undefined; at = at.slice(0, at.lastIndexOf('/'))) {
      place = places.get(at);
      if (at === '') break;
    }
    const { line, column } = (more.atKey === true ? place?.key : undefined) ?? place ?? { line: 1, column: 1 };
    const exact = more.offset !== undefined && more.atKey !== true && places.get(pointer)?.literal;
    const shift = typeof exact === 'object' ? (more.offset ?? 0) + exact.quote : 0;
    return { file: place?.file ?? firstFile, line, column: column + shift, message: pointer === '' ? message : `${dotted(pointer)}: ${message}`, ...(more.hint === undefined ? {} : { hint: more.hint }) };
  };
  const parsed = bundleSchema.safeParse(root);
  if (!parsed.success) return { problems: parsed.error.issues.flatMap((issue) => describe(issue, root, problemAt)) };
  return { document: parsed.data, raw: root, problemAt };
}

function describe(issue: z.core.$ZodIssue, root: Members, problemAt: (...args: Parameters<Report>) => PolicyProblem): PolicyProblem[] {
  const path = issue.path.map(String);
  const pointer = path.reduce((parent, token) => childPointer(parent, token), '');
  const value = path.reduce<JsonValue | undefined>((parent, token) => (typeof parent === 'object' && parent !== null ? (parent as Members)[token] : undefined), root);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => problemAt(childPointer(pointer, key), 'this member is not part of the language', { atKey: true, ...didYouMean(key, membersAt(path)) }));
    case 'invalid_value': {
      const values = issue.values.map(String);
      const nearest = typeof value === 'string' ? nearestName(value, values) : undefined;
      return [problemAt(pointer, value === undefined ? `this must be written: ${values.join(', ')}` : `must be ${values.join(', ')}`, nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` })];
    }
    case 'invalid_key':
      return [problemAt(pointer, issue.issues.map(({ message }) => message).join('; '), { atKey: true })];
    case 'invalid_type':
      return [problemAt(pointer, value === undefined ? 'this must be written' : `must be ${EXPECTED[issue.expected] ?? issue.expected}${value === null ? ', and is empty' : ''}`)];
    default:
      return [problemAt(pointer, value === undefined ? 'this must be written' : issue.message)];
  }
}

const EXPECTED: Partial<Record<string, string>> = { string: 'text', object: 'a map', record: 'a map', array: 'a list', int: 'a whole number', number: 'a number' };

function membersAt(path: readonly string[]): readonly string[] {
  for (const [shape, members] of Object.entries(MEMBERS)) {
    const tokens = shape === '' ? [] : shape.split('.');
    if (tokens.length === path.length && tokens.every((token, index) => token === '*' || token === path[index])) return members;
  }
  return [];
}

/** `/rules/0/when` as people write it: `rules[0].when`. */
function dotted(pointer: JsonPointer): string {
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((text, token) => (/^\d+$/.test(token) ? `${text}[${token}]` : text === '' ? token : `${text}.${token}`), '');
}

function isMembers(value: JsonValue): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
