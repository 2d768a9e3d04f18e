import type { Reversibility } from '@countersign/contracts';
import { childPointer, normaliseResourceId } from '../request/index.js';
import type { Report } from './bundle/read-bundle.js';
import type { BundleDocument, ResourceDocument } from './bundle/schema.js';
import { compileGlob, GlobIndex, globsOverlap, isPattern, matchesGlob, type Glob } from './globs.js';
import { declareParameters, type DeclaredParameter } from './parameter-types.js';
import type { EnvironmentConflict, PolicyInput } from './types.js';

/** Patterns of one type are compared with each other, so their number is bounded. */
const MAX_PATTERNS_PER_TYPE = 500;

/** What the bundle knows of a request's action and resource, and what it finds odd. */
export interface Resolved {
  /** The resource's id as it is matched; undefined where it cannot be normalised. */
  resourceId: string | undefined;
  labels: ReadonlyMap<string, string>;
  environment: string | undefined;
  conflict: EnvironmentConflict | undefined;
  reversibility: Reversibility;
  declaredParameters: ReadonlyMap<string, DeclaredParameter> | undefined;
  /** What of the request the catalogue does not declare. */
  undeclared: ('action' | 'resource')[];
  /** Why the resource needs people whatever the rules say; without any value of the request. */
  suspicion: string | undefined;
}

/** The facts about resources and actions that the bundle's author vouches for. They win over the caller's. */
export interface Catalogue {
  resolve(input: PolicyInput): Resolved;
}

export function compileCatalogue(document: BundleDocument['catalogue'], report: Report): Catalogue {
  const types = compileResources(document?.resources ?? [], report);
  const actions = compileActions(document?.actions ?? {}, report);
  return {
    resolve(input) {
      const { type, id } = input.resource;
      const normalised = normaliseResourceId(type, id);
      const known = types.get(type);
      const facts = known !== undefined && normalised.ok ? known.find(normalised.id) : undefined;
      const labels = new Map(Object.entries(input.resource.labels ?? {}));
      for (const [label, value] of facts?.labels ?? []) labels.set(label, value);
      const action = actions.find(input.action);
      const fixed = facts?.environment;
      const undeclared: ('action' | 'resource')[] = [];
      if (action === undefined) undeclared.push('action');
      if (facts === undefined) undeclared.push('resource');
      return {
        resourceId: normalised.ok ? normalised.id : undefined,
        labels,
        environment: fixed ?? input.environment,
        conflict:
          fixed !== undefined && input.environment !== undefined && input.environment !== fixed ? { given: input.environment, catalogue: fixed } : undefined,
        reversibility: highest([action?.reversibility ?? 'irreversible', ...(facts?.reversibility === undefined ? [] : [facts.reversibility])]),
        declaredParameters: action?.parameters,
        undeclared,
        suspicion: suspicionOf(type, id, normalised.ok, types),
      };
    },
  };
}

interface Facts {
  labels: ReadonlyMap<string, string>;
  environment: string | undefined;
  reversibility: Reversibility | undefined;
}

interface TypeEntries {
  find(id: string): Facts | undefined;
  /** Whether the id is meant by an entry that says more than "every resource of this type". */
  names(id: string): boolean;
}

/** A caller who misspells the type of a catalogued resource, or its id, must not get round the catalogue. */
function suspicionOf(type: string, id: string, readable: boolean, types: ReadonlyMap<string, TypeEntries>): string | undefined {
  if (types.has(type)) return readable ? undefined : 'The id of this resource cannot be read as one of its type, so it cannot be looked up in the catalogue.';
  for (const [other, entries] of types) {
    const as = normaliseResourceId(other, id);
    if (as.ok && entries.names(as.id)) return 'The catalogue has a resource of this id under another type.';
  }
  return undefined;
}

function compileResources(documents: readonly ResourceDocument[], report: Report): ReadonlyMap<string, TypeEntries> {
  const byType = new Map<string, { exact: Map<string, ResourceDocument>; patterns: { glob: Glob; entry: ResourceDocument }[] }>();
  documents.forEach((entry, index) => {
    const pointer = childPointer('/catalogue/resources', index);
    if (isPattern(entry.type)) report(`${pointer}/type`, 'a type is written out, without *');
    const id = normalisePattern(entry.type, entry.id);
    if (!id.ok) {
      report(`${pointer}/id`, `this is no id of the type ${entry.type}: ${id.reason}`);
      return;
    }
    const of = byType.get(entry.type) ?? { exact: new Map<string, ResourceDocument>(), patterns: [] };
    byType.set(entry.type, of);
    if (isPattern(entry.id)) {
      if (of.patterns.length >= MAX_PATTERNS_PER_TYPE) {
        if (of.patterns.length === MAX_PATTERNS_PER_TYPE) report(`${pointer}/id`, `a type has at most ${MAX_PATTERNS_PER_TYPE} patterns`);
        return;
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
  });
  const types = new Map<string, TypeEntries>();
  for (const [type, { exact, patterns }] of byType) {
    const matching = (id: string): ResourceDocument[] => patterns.filter(({ glob }) => matchesGlob(glob, id)).map(({ entry }) => entry);
    types.set(type, {
      find(id) {
        const whole = exact.get(id);
        const entries = matching(id);
        return whole === undefined && entries.length === 0 ? undefined : mergeFacts(entries, whole);
      },
      names: (id) => exact.has(id) || patterns.some(({ glob, entry }) => entry.id !== '*' && matchesGlob(glob, id)),
    });
  }
  return types;
}

/** The entry that writes the id out wins over patterns; patterns agree with each other (checked when the bundle is loaded). */
function mergeFacts(patterns: readonly ResourceDocument[], exact: ResourceDocument | undefined): Facts {
  const labels = new Map<string, string>();
  for (const entry of [...patterns, ...(exact === undefined ? [] : [exact])])
    for (const [label, value] of Object.entries(entry.labels ?? {})) labels.set(label, value);
  const classes = patterns.flatMap(({ reversibility }) => (reversibility === undefined ? [] : [reversibility]));
  return {
    labels,
    environment: exact?.environment ?? patterns.find(({ environment }) => environment !== undefined)?.environment,
    reversibility: exact?.reversibility ?? (classes.length === 0 ? undefined : highest(classes)),
  };
}

function clashOf(a: ResourceDocument, b: ResourceDocument): string | undefined {
  if (a.environment !== undefined && b.environment !== undefined && a.environment !== b.environment) return 'environment';
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

interface ActionFacts {
  reversibility: Reversibility;
  parameters: ReadonlyMap<string, DeclaredParameter> | undefined;
}

function compileActions(
  documents: NonNullable<NonNullable<BundleDocument['catalogue']>['actions']>,
  report: Report,
): { find(action: string): ActionFacts | undefined } {
  const exact = new Map<string, ActionFacts>();
  const patterns = new GlobIndex<ActionFacts>();
  for (const [action, { reversibility = 'irreversible', parameters }] of Object.entries(documents)) {
    const declared = parameters === undefined ? undefined : declareParameters(parameters);
    if (!isPattern(action)) exact.set(action, { reversibility, parameters: declared });
    else if (parameters !== undefined)
      report(`${childPointer('/catalogue/actions', action)}/parameters`, 'parameters are declared for one action, not for a pattern');
    else patterns.add(action, { reversibility, parameters: undefined });
  }
  return {
    find(action) {
      const whole = exact.get(action);
      if (whole !== undefined) return whole;
      const found = [...patterns.find(action)];
      return found.length === 0 ? undefined : { reversibility: highest(found.map(({ reversibility }) => reversibility)), parameters: undefined };
    },
  };
}

const CLASSES: readonly Reversibility[] = ['reversible', 'recoverable', 'irreversible'];

function highest(classes: readonly Reversibility[]): Reversibility {
  return CLASSES[Math.max(0, ...classes.map((each) => CLASSES.indexOf(each)))] ?? 'irreversible';
}
