import type { Reversibility } from '@countersign/contracts';
import { childPointer, normaliseResourceId } from '../request/index.js';
import type { Report } from './bundle/read-bundle.js';
import type { ResourceDocument } from './bundle/schema.js';
import { bothExpected, compileExpectation, highest, type Expectation } from './catalogue-actions.js';
import { compileGlob, globsOverlap, isPattern, matchesGlob, type Glob } from './globs.js';

/** Patterns of one type are compared with each other, so their number is bounded. */
const MAX_PATTERNS_PER_TYPE = 500;

/** What one tier's catalogue says of a resource. */
export interface ResourceFacts {
  labels: ReadonlyMap<string, string>;
  environment: string | undefined;
  reversibility: Reversibility | undefined;
  dataClasses: readonly string[];
  owner: string | undefined;
  expected: Expectation;
}

export interface ResourceCatalogue {
  find(type: string, id: string): ResourceFacts | undefined;
  has(type: string): boolean;
  /** Whether the id, read as one of another type, is meant by an entry that says more than "every resource of this type". */
  namesUnderAnotherType(type: string, id: string): boolean;
}

/** An entry, and how to say that something is wrong with it. */
export interface ResourceEntry {
  readonly document: ResourceDocument;
  readonly pointer: string;
  readonly report: Report;
}

interface TypeEntries {
  find(id: string): ResourceFacts | undefined;
  names(id: string): boolean;
}

export function compileResources(entries: readonly ResourceEntry[]): ResourceCatalogue {
  const byType = new Map<string, { exact: Map<string, ResourceDocument>; patterns: { glob: Glob; entry: ResourceDocument }[] }>();
  for (const { document: entry, pointer, report } of entries) {
    if (isPattern(entry.type)) report(`${pointer}/type`, 'a type is written out, without *');
    const id = normalisePattern(entry.type, entry.id);
    if (!id.ok) {
      report(`${pointer}/id`, `this is no id of the type ${entry.type}: ${id.reason}`);
      continue;
    }
    const of = byType.get(entry.type) ?? { exact: new Map<string, ResourceDocument>(), patterns: [] };
    byType.set(entry.type, of);
    if (isPattern(entry.id)) {
      if (of.patterns.length >= MAX_PATTERNS_PER_TYPE) {
        if (of.patterns.length === MAX_PATTERNS_PER_TYPE) report(`${pointer}/id`, `a type has at most ${MAX_PATTERNS_PER_TYPE} patterns`);
        continue;
      }
      for (const { glob, entry: other } of of.patterns) {
        const clash = globsOverlap(glob.source, id.id) ? clashOf(other, entry) : undefined;
        if (clash !== undefined)
          report(`${pointer}/id`, `"${entry.id}" and "${other.id}" can both match a resource, and give it a different ${clash}`, {
            hint: 'make them agree, or write out the id of the resource that differs',
          });
      }
      of.patterns.push({ glob: compileGlob(id.id), entry });
    } else if (of.exact.has(id.id)) report(`${pointer}/id`, `the resource "${entry.id}" stands in the catalogue twice`);
    else of.exact.set(id.id, entry);
  }
  const types = new Map<string, TypeEntries>();
  for (const [type, { exact, patterns }] of byType) {
    const matching = (id: string): ResourceDocument[] => patterns.filter(({ glob }) => matchesGlob(glob, id)).map(({ entry }) => entry);
    types.set(type, {
      find(id) {
        const whole = exact.get(id);
        const found = matching(id);
        return whole === undefined && found.length === 0 ? undefined : mergeFacts(found, whole);
      },
      names: (id) => exact.has(id) || patterns.some(({ glob, entry }) => entry.id !== '*' && matchesGlob(glob, id)),
    });
  }
  return {
    find: (type, id) => types.get(type)?.find(id),
    has: (type) => types.has(type),
    namesUnderAnotherType(type, id) {
      for (const [other, of] of types) {
        if (other === type) continue;
        const as = normaliseResourceId(other, id);
        if (as.ok && of.names(as.id)) return true;
      }
      return false;
    },
  };
}

/** The entry that writes the id out wins over patterns; patterns agree with each other (checked when the bundle is loaded). */
function mergeFacts(patterns: readonly ResourceDocument[], exact: ResourceDocument | undefined): ResourceFacts {
  const all = [...patterns, ...(exact === undefined ? [] : [exact])];
  const labels = new Map<string, string>();
  for (const entry of all) for (const [label, value] of Object.entries(entry.labels ?? {})) labels.set(label, value);
  const classes = patterns.flatMap(({ reversibility }) => (reversibility === undefined ? [] : [reversibility]));
  return {
    labels,
    environment: exact?.environment ?? patterns.find(({ environment }) => environment !== undefined)?.environment,
    reversibility: exact?.reversibility ?? (classes.length === 0 ? undefined : highest(classes)),
    dataClasses: [...new Set(all.flatMap(({ data_classes }) => data_classes ?? []))].sort(),
    owner: exact?.owner ?? patterns.find(({ owner }) => owner !== undefined)?.owner,
    expected: exact?.expected === undefined ? bothExpected(patterns.map((entry) => compileExpectation(entry.expected))) : compileExpectation(exact.expected),
  };
}

function clashOf(a: ResourceDocument, b: ResourceDocument): string | undefined {
  if (a.environment !== undefined && b.environment !== undefined && a.environment !== b.environment) return 'environment';
  if (a.owner !== undefined && b.owner !== undefined && a.owner !== b.owner) return 'owner';
  const other = b.labels ?? {};
  const label = Object.entries(a.labels ?? {}).find(([key, value]) => Object.hasOwn(other, key) && other[key] !== value)?.[0];
  return label === undefined ? undefined : `label "${label}"`;
}

/** Letters that stand in for `*` while a pattern goes through the normaliser, which knows no patterns. */
const STAND_IN = 'qzxwildcardxzq';

function normalisePattern(type: string, id: string): ReturnType<typeof normaliseResourceId> {
  if (id.toLowerCase().includes(STAND_IN)) return { ok: false, reason: `it contains the reserved text ${STAND_IN}` };
  const normalised = normaliseResourceId(type, id.replaceAll('*', STAND_IN));
  return normalised.ok ? { ok: true, id: normalised.id.replaceAll(STAND_IN, '*') } : normalised;
}

/** Entries of one document with their places. */
export function entriesOf(documents: readonly ResourceDocument[], report: Report): ResourceEntry[] {
  return documents.map((document, index) => ({ document, pointer: childPointer('/catalogue/resources', index), report }));
}
