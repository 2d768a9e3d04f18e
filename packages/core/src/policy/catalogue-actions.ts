import type { Reversibility } from '@countersign/contracts';
import { childPointer } from '../request/index.js';
import type { Report } from './bundle/read-bundle.js';
import type { ActionDocument, BundleDocument } from './bundle/schema.js';
import { PATH } from './bundle/schema-parts.js';
import { factKinds, type FactKind } from './facts/index.js';
import { compileGlob, GlobIndex, isPattern, matchesGlob, type Glob } from './globs.js';
import { didYouMean } from './nearest-name.js';
import { declareParameters, type DeclaredParameter } from './parameter-types.js';

/** What a bundle declares of an action. */
export interface DeclaredAction {
  reversibility: Reversibility;
  parameters: ReadonlyMap<string, DeclaredParameter> | undefined;
  facts: ReadonlyMap<string, DeclaredFact>;
  /** The digests of the tool's definition under which it was looked at; empty where none is pinned. */
  definitions: readonly string[];
  expected: Expectation;
}

export interface DeclaredFact {
  readonly kind: FactKind;
  readonly options: unknown;
}

/** Who is expected to ask; undefined: anybody. */
export interface Expectation {
  readonly callers: readonly Glob[] | undefined;
  readonly actors: readonly Glob[] | undefined;
  /** Others that must be met too. */
  readonly also?: readonly Expectation[];
}

export interface ActionCatalogue {
  find(action: string): DeclaredAction | undefined;
  /** What is declared of the action under any case of letters: for what restricts, as rules that restrict go by any case too. */
  inAnyCase(action: string): readonly DeclaredAction[];
  /** The action of exactly this name; undefined where it is not written out. */
  exact(action: string): DeclaredAction | undefined;
  /** Every action that is written out. */
  readonly names: readonly string[];
  /** Every kind of facts that some action declares. */
  readonly kinds: ReadonlyMap<string, FactKind>;
}

export function compileActions(
  documents: NonNullable<NonNullable<BundleDocument['catalogue']>['actions']>,
  taken: ReadonlyMap<string, string>,
  report: Report,
): ActionCatalogue {
  const exact = new Map<string, DeclaredAction>();
  const patterns = new GlobIndex<DeclaredAction>();
  const kinds = new Map<string, FactKind>();
  const folded = new GlobIndex<DeclaredAction>();
  for (const [action, document] of Object.entries(documents)) {
    const pointer = childPointer('/catalogue/actions', action);
    const declared: DeclaredAction = {
      reversibility: document.reversibility ?? 'irreversible',
      parameters: document.parameters === undefined ? undefined : declareParameters(document.parameters),
      facts: compileFacts(document.facts, `${pointer}/facts`, report),
      definitions: document.definition_digests ?? (document.definition_digest === undefined ? [] : [document.definition_digest]),
      expected: compileExpectation(document.expected),
    };
    for (const [kind, fact] of declared.facts) kinds.set(kind, fact.kind);
    folded.add(action.toLowerCase(), declared);
    const owner = taken.get(action);
    if (owner !== undefined)
      report(pointer, `the action "${action}" is declared by the bundle ${owner}, and one bundle alone declares an action`, { atKey: true });
    if (!isPattern(action)) exact.set(action, declared);
    else {
      for (const member of ['parameters', 'facts', 'definition_digest', 'definition_digests'] as const) {
        if (document[member] !== undefined) report(`${pointer}/${member}`, `${member} are declared for one action, not for a pattern`, { atKey: true });
      }
      patterns.add(action, declared);
    }
  }
  return {
    find(action) {
      const whole = exact.get(action);
      if (whole !== undefined) return whole;
      const found = [...patterns.find(action)];
      const [first] = found;
      if (first === undefined) return undefined;
      // Patterns declare neither parameters nor facts; of their expectations every one must be met.
      return {
        ...first,
        reversibility: highest(found.map(({ reversibility }) => reversibility)),
        expected: bothExpected(found.map(({ expected }) => expected)),
      };
    },
    inAnyCase: (action) => [...folded.find(action.toLowerCase())],
    exact: (action) => exact.get(action),
    names: [...exact.keys()],
    kinds,
  };
}

function compileFacts(documents: ActionDocument['facts'], pointer: string, report: Report): ReadonlyMap<string, DeclaredFact> {
  const facts = new Map<string, DeclaredFact>();
  for (const [name, written] of Object.entries(documents ?? {})) {
    const at = childPointer(pointer, name);
    const kind = Object.hasOwn(factKinds, name) ? factKinds[name] : undefined;
    if (kind === undefined) {
      report(at, `there is no kind of facts "${name}"`, { atKey: true, ...didYouMean(name, () => Object.keys(factKinds)) });
      continue;
    }
    const options = kind.options.safeParse(written);
    if (!options.success) {
      for (const { path, message } of options.error.issues) report(path.map(String).reduce(childPointer, at), message);
      continue;
    }
    const odd = kind.paths(options.data).find((path) => !PATH.test(path));
    if (odd !== undefined) report(at, `"${odd}" is no path; it is written like parameters.statement`);
    else facts.set(name, { kind, options: options.data });
  }
  return facts;
}

export function compileExpectation(document: { callers?: string[] | undefined; actors?: string[] | undefined } | undefined): Expectation {
  return { callers: document?.callers?.map(compileGlob), actors: document?.actors?.map(compileGlob) };
}

/** Who meets the result meets all; a list that only some have is the list. Where two have one, somebody must be in both. */
export function bothExpected(all: readonly Expectation[]): Expectation {
  const each = all.flatMap(({ also = [], ...own }) => [own, ...also]);
  const [first = NOBODY_NAMED, ...rest] = each.filter(({ callers, actors }) => callers !== undefined || actors !== undefined);
  return rest.length === 0 ? first : { ...first, also: rest };
}

const NOBODY_NAMED: Expectation = { callers: undefined, actors: undefined };

/** Which of caller and actor is not expected; nobody where both are. */
export function unexpectedIn(expected: Expectation, names: { caller: readonly string[]; actor: string }): ('caller' | 'actor')[] {
  const found = new Set<'caller' | 'actor'>();
  for (const { callers, actors } of [expected, ...(expected.also ?? [])]) {
    if (callers !== undefined && !callers.some((glob) => names.caller.some((name) => matchesGlob(glob, name)))) found.add('caller');
    if (actors !== undefined && !actors.some((glob) => matchesGlob(glob, names.actor))) found.add('actor');
  }
  return [...found];
}

const CLASSES: readonly Reversibility[] = ['reversible', 'recoverable', 'irreversible'];

export function highest(classes: readonly Reversibility[]): Reversibility {
  return CLASSES[Math.max(0, ...classes.map((each) => CLASSES.indexOf(each)))] ?? 'irreversible';
}
