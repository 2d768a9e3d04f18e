import type { z } from 'zod';
import { childPointer, type JsonPointer, type JsonValue } from '../../request/index.js';
import { compareText } from '../merge-requirements.js';
import { didYouMean, type Hint } from '../nearest-name.js';
import type { BundleFile, PolicyProblem } from '../types.js';
import { MAX_BUNDLE_LENGTH, MAX_BUNDLES, MAX_DEPTH, MAX_FILES, MAX_FOUND, unfitKey } from './limits.js';
import { type Place, type Places, readYaml } from './read-yaml.js';
import { API_VERSION, bundleSchema, KIND, membersAt, SET_KIND, type BundleDocument } from './schema.js';

type Members = { [member: string]: JsonValue };

/** A problem by its place in the merged document; `offset` counts in the text of the value. */
export type Report = (pointer: JsonPointer, message: string, more?: { hint?: Hint; atKey?: boolean; offset?: number }) => void;

/** A problem whose hint was not looked for yet. */
export type FoundProblem = Omit<PolicyProblem, 'hint'> & { hint?: Hint };

/** One bundle of the right shape, and how to say where something is wrong with it. */
export interface ReadBundle {
  document: BundleDocument;
  raw: Members;
  problemAt: (...args: Parameters<Report>) => FoundProblem;
}

export type BundlesRead = { bundles: ReadBundle[] } | { problems: FoundProblem[] };

/**
 * Reads files into bundles: YAML, merged, and of the language's shape. Which file of a bundle a rule stands in has no meaning.
 * Where one file alone has `metadata`, all files are that bundle; else each file with `metadata` begins one, and a file without
 * belongs to the bundle that begins in its folder or, where none does, in the nearest folder above.
 */
export function readBundles(files: readonly BundleFile[]): BundlesRead {
  if (files.length === 0)
    return { problems: [{ file: '', line: 1, column: 1, message: 'there is no policy file', hint: 'name a .yaml file or a folder of them' }] };
  if (files.length > MAX_FILES || files.reduce((sum, file) => sum + file.text.length, 0) > MAX_BUNDLE_LENGTH) {
    return {
      problems: [{ file: files[0]?.path ?? '', line: 1, column: 1, message: `a bundle has at most ${MAX_FILES} files and ${MAX_BUNDLE_LENGTH} characters` }],
    };
  }
  const read = [...files].sort((a, b) => compareText(a.path, b.path)).map((file): FileRead => ({ path: file.path, ...readYaml(file) }));
  const problems = read.flatMap((file) => file.problems);
  if (problems.length > 0) return { problems };
  const groups = groupFiles(read);
  if ('problems' in groups) return groups;
  const checked = groups.map((group): ReadBundle | { problems: FoundProblem[] } => {
    const merge = new Merge();
    for (const file of group) merge.add(file);
    return merge.problems.length > 0 ? { problems: merge.problems } : checkShape(merge.root, merge.origins, group[0]?.path ?? '');
  });
  return together(checked);
}

/** Reads the RFC 8785 text of a bundle or of several. Problems have pointers in place of lines. */
export function readCanonical(text: string): BundlesRead {
  const problem = (message: string): { problems: FoundProblem[] } => ({ problems: [{ file: '(canonical)', line: 1, column: 1, message }] });
  if (text.length > MAX_BUNDLE_LENGTH) return problem('the canonical bundle is too long');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return problem('the canonical bundle is not JSON');
  }
  const unfit = findUnfit(value, 0);
  if (unfit !== undefined) return problem(unfit);
  // JSON.parse gives JSON values.
  const root = value as JsonValue;
  if (!isMembers(root)) return problem('the canonical bundle is not an object');
  if (root['kind'] !== SET_KIND) return together([checkShape(root, new Origins(), '(canonical)')]);
  const { apiVersion, bundles, ...rest } = root;
  if (apiVersion !== API_VERSION || Object.keys(rest).length !== 1 || !Array.isArray(bundles)) return problem('this is no set of bundles');
  return together(
    bundles.map((bundle) => (isMembers(bundle) ? checkShape(bundle, new Origins(), '(canonical)') : problem('a bundle of the set is not an object'))),
  );
}

function together(all: readonly (ReadBundle | { problems: FoundProblem[] })[]): BundlesRead {
  const problems = all.flatMap((each) => ('problems' in each ? each.problems : []));
  return problems.length > 0 ? { problems } : { bundles: all.flatMap((each) => ('problems' in each ? [] : [each])) };
}

type FileRead = { path: string } & ReturnType<typeof readYaml>;

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** Which files make one bundle. */
function groupFiles(files: readonly FileRead[]): FileRead[][] | { problems: FoundProblem[] } {
  const heads = files.filter(({ value }) => value !== undefined && isMembers(value) && Object.hasOwn(value, 'metadata'));
  if (heads.length <= 1) return [[...files]];
  if (heads.length > MAX_BUNDLES)
    return { problems: [{ file: heads[0]?.path ?? '', line: 1, column: 1, message: `at most ${MAX_BUNDLES} bundles hold together` }] };
  const groups = new Map(heads.map((head) => [head, [head]]));
  const problems: FoundProblem[] = [];
  for (const file of files) {
    if (groups.has(file)) continue;
    let folder = folderOf(file.path);
    let near = heads.filter((head) => folderOf(head.path) === folder);
    while (near.length === 0 && folder !== '') {
      folder = folderOf(folder);
      near = heads.filter((head) => folderOf(head.path) === folder);
    }
    const [head] = near;
    if (near.length === 1 && head !== undefined) groups.get(head)?.push(file);
    else {
      problems.push({
        file: file.path,
        line: 1,
        column: 1,
        message:
          near.length === 0
            ? 'the file has no metadata, and no bundle begins in its folder or above'
            : 'the file has no metadata, and several bundles begin in its folder',
        hint: 'put each bundle into a folder of its own',
      });
    }
  }
  return problems.length > 0 ? { problems } : [...groups.values()];
}

function findUnfit(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // A set has its bundles two levels down.
  if (depth > MAX_DEPTH + 2) return `the bundle is nested deeper than ${MAX_DEPTH} levels`;
  for (const [key, member] of Object.entries(value)) {
    const unfit = unfitKey(key) ?? findUnfit(member, depth + 1);
    if (unfit !== undefined) return unfit;
  }
  return undefined;
}

/** From which file, and from where in it, each part of the merged document came. */
class Origins {
  readonly #parts = new Map<JsonPointer, { places: Places; from: JsonPointer }>();

  set(pointer: JsonPointer, places: Places, from: JsonPointer): void {
    this.#parts.set(pointer, { places, from });
  }

  /** The place of exactly this pointer, and no ancestor's. */
  placeOf(pointer: JsonPointer): Place | undefined {
    for (let prefix = pointer; ; prefix = parentOf(prefix)) {
      const part = this.#parts.get(prefix);
      if (part !== undefined) return part.places.get(part.from + pointer.slice(prefix.length));
      if (prefix === '') return undefined;
    }
  }

  /** The place of the pointer, or of its nearest ancestor that has one. */
  nearest(pointer: JsonPointer): Place | undefined {
    for (let at = pointer; ; at = parentOf(at)) {
      const place = this.placeOf(at);
      if (place !== undefined || at === '') return place;
    }
  }
}

const parentOf = (pointer: JsonPointer): JsonPointer => pointer.slice(0, Math.max(0, pointer.lastIndexOf('/')));

/** Puts files together. What stands once in a bundle (metadata, defaults) may stand in one file only; named members never twice. */
class Merge {
  readonly root: Members = {};
  readonly origins = new Origins();
  readonly problems: FoundProblem[] = [];

  add(file: FileRead): void {
    const { value, places } = file;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.problems.push({
        file: file.path,
        line: 1,
        column: 1,
        message: 'the file is not a bundle',
        hint: `begin with "apiVersion: ${API_VERSION}" and "kind: ${KIND}"`,
      });
      return;
    }
    for (const [member, expected] of [
      ['apiVersion', API_VERSION],
      ['kind', KIND],
    ] as const) {
      if (value[member] === expected) continue;
      const place = places.get(`/${member}`);
      this.problems.push({ file: file.path, line: place?.line ?? 1, column: place?.column ?? 1, message: `${member} must be ${expected}` });
    }
    if (this.origins.placeOf('') === undefined) this.origins.set('', places, '');
    for (const [member, content] of Object.entries(value)) this.#member(member, content, places);
  }

  #member(member: string, content: JsonValue, places: Places): void {
    const pointer = childPointer('', member);
    const present = Object.hasOwn(this.root, member) ? this.root[member] : undefined;
    if (member === 'apiVersion' || member === 'kind') {
      this.root[member] = content;
    } else if (present === undefined) {
      this.root[member] = content;
      this.origins.set(pointer, places, pointer);
    } else if ((member === 'rules' || member === 'tests') && Array.isArray(present) && Array.isArray(content)) {
      this.#append(present, content, pointer, places);
    } else if (member === 'catalogue' && isMembers(present) && isMembers(content)) {
      for (const [part, inner] of Object.entries(content)) {
        const at = childPointer(pointer, part);
        const existing = Object.hasOwn(present, part) ? present[part] : undefined;
        if (existing === undefined) {
          present[part] = inner;
          this.origins.set(at, places, at);
        } else if (Array.isArray(existing) && Array.isArray(inner)) this.#append(existing, inner, at, places);
        else this.#named(existing, inner, at, places);
      }
    } else if (member === 'groups' || member === 'lets' || member === 'windows' || member === 'schedules') this.#named(present, content, pointer, places);
    else this.#clash(pointer, places);
  }

  #named(present: JsonValue, content: JsonValue, pointer: JsonPointer, places: Places): void {
    if (!isMembers(present) || !isMembers(content)) {
      this.#clash(pointer, places);
      return;
    }
    for (const [key, value] of Object.entries(content)) {
      const at = childPointer(pointer, key);
      if (Object.hasOwn(present, key)) this.#clash(at, places);
      else {
        present[key] = value;
        this.origins.set(at, places, at);
      }
    }
  }

  #append(present: JsonValue[], content: readonly JsonValue[], pointer: JsonPointer, places: Places): void {
    content.forEach((element, index) => this.origins.set(childPointer(pointer, present.push(element) - 1), places, childPointer(pointer, index)));
  }

  #clash(pointer: JsonPointer, places: Places): void {
    const place = places.get(pointer);
    const other = this.origins.placeOf(pointer);
    const { line, column } = place?.key ?? place ?? { line: 1, column: 1 };
    const first = other === undefined ? '' : `; it already stands in ${other.file}, line ${(other.key ?? other).line}`;
    this.problems.push({ file: place?.file ?? '', line, column, message: `${dotted(pointer)} stands in two files of the bundle${first}` });
  }
}

function checkShape(root: Members, origins: Origins, firstFile: string): ReadBundle | { problems: FoundProblem[] } {
  const problemAt = (pointer: JsonPointer, message: string, more: { hint?: Hint; atKey?: boolean; offset?: number } = {}): FoundProblem => {
    const place = origins.nearest(pointer);
    const { line, column } = (more.atKey === true ? place?.key : undefined) ?? place ?? { line: 1, column: 1 };
    const exact = more.offset !== undefined && more.atKey !== true && origins.placeOf(pointer)?.literal;
    const shift = typeof exact === 'object' ? (more.offset ?? 0) + exact.quote : 0;
    return {
      file: place?.file ?? firstFile,
      line,
      column: column + shift,
      message: pointer === '' ? message : `${dotted(pointer)}: ${message}`,
      ...(more.hint === undefined ? {} : { hint: more.hint }),
    };
  };
  const parsed = bundleSchema.safeParse(root);
  if (!parsed.success) return { problems: parsed.error.issues.slice(0, MAX_FOUND).flatMap((issue) => describe(issue, root, problemAt)) };
  return { document: parsed.data, raw: root, problemAt };
}

function describe(issue: z.core.$ZodIssue, root: Members, problemAt: (...args: Parameters<Report>) => FoundProblem): FoundProblem[] {
  const path = issue.path.map(String);
  const pointer = path.reduce((parent, token) => childPointer(parent, token), '');
  const value = path.reduce<JsonValue | undefined>(
    (parent, token) => (typeof parent === 'object' && parent !== null ? (parent as Members)[token] : undefined),
    root,
  );
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys
        .slice(0, MAX_FOUND)
        .map((key) =>
          problemAt(childPointer(pointer, key), 'this member is not part of the language', { atKey: true, ...didYouMean(key, () => membersAt(path)) }),
        );
    case 'invalid_value': {
      const values = issue.values.map(String);
      return [
        problemAt(
          pointer,
          value === undefined ? `this must be written: ${values.join(', ')}` : `must be ${values.join(', ')}`,
          typeof value === 'string' ? didYouMean(value, () => values) : {},
        ),
      ];
    }
    case 'invalid_key':
      return [problemAt(pointer, issue.issues.map(({ message }) => message).join('; '), { atKey: true })];
    case 'invalid_type':
      return [
        problemAt(
          pointer,
          value === undefined ? 'this must be written' : `must be ${EXPECTED[issue.expected] ?? issue.expected}${value === null ? ', and is empty' : ''}`,
        ),
      ];
    case 'too_big':
    case 'too_small': {
      const limit = issue.code === 'too_big' ? `at most ${issue.maximum}` : `at least ${issue.minimum}`;
      const unit = { string: ' characters', array: ' entries' }[issue.origin as string] ?? '';
      return [problemAt(pointer, `must be ${unit === '' ? '' : 'of '}${limit}${unit}`)];
    }
    case 'invalid_union':
      return describeUnion(issue, pointer, value, root, problemAt);
    default:
      return [problemAt(pointer, value === undefined ? 'this must be written' : issue.message)];
  }
}

/** Of the forms that a value may have, the one that was most likely meant: the one of its kind, and of those the one with the fewest problems. */
function describeUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  pointer: JsonPointer,
  value: JsonValue | undefined,
  root: Members,
  problemAt: (...args: Parameters<Report>) => FoundProblem,
): FoundProblem[] {
  if (value === undefined) return [problemAt(pointer, 'this must be written')];
  const ofItsKind = issue.errors.filter((branch) => !branch.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type'));
  const [branch] = ofItsKind.sort((a, b) => problemsIn(a) - problemsIn(b));
  if (branch === undefined || branch.length === 0 || issue.message !== 'Invalid input')
    return [problemAt(pointer, issue.message === 'Invalid input' ? 'this has none of the forms that may stand here' : issue.message)];
  // The issues of a branch have paths of their own, from the value on.
  return branch.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] }, root, problemAt));
}

const problemsIn = (branch: readonly z.core.$ZodIssue[]): number =>
  branch.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);

const EXPECTED: Partial<Record<string, string>> = {
  string: 'text',
  object: 'a map',
  record: 'a map',
  array: 'a list',
  int: 'a whole number',
  number: 'a number',
};

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
