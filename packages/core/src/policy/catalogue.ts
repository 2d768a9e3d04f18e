import type { JsonValue, Reversibility } from '@countersign/contracts';
import { normaliseResourceId } from '../request/index.js';
import type { Report } from './bundle/read-bundle.js';
import type { BundleDocument } from './bundle/schema.js';
import { bothExpected, compileActions, highest, unexpectedIn, type ActionCatalogue, type DeclaredAction, type DeclaredFact } from './catalogue-actions.js';
import { compileResources, entriesOf, type ResourceCatalogue } from './catalogue-resources.js';
import type { ResolvedForConditions } from './condition/bindings.js';
import { pathTokens } from './explanation.js';
import type { FactResult } from './facts/index.js';
import type { EnvironmentConflict, PolicyInput } from './types.js';

/** What the catalogues of a tier, and of those above it, know of a request's action and resource, and what they find odd. */
export interface Resolved extends ResolvedForConditions {
  /** The caller's labels under the catalogue's. */
  labels: ReadonlyMap<string, string>;
  /** The catalogue's labels alone: what a condition that loosens may go by. */
  vouchedLabels: ReadonlyMap<string, string>;
  /** Whether the catalogue, or the credential, fixes the environment. */
  environmentPinned: boolean;
  conflict: EnvironmentConflict | undefined;
  reversibility: Reversibility;
  /** What of the request the catalogue does not declare. */
  undeclared: ('action' | 'resource')[];
  /** Who asks although the catalogue expects others. */
  unexpected: ('caller' | 'actor')[];
  /** Whether the request carries no definition of the tool under which the action was looked at. */
  redefined: boolean;
  /** Why the resource needs people whatever the rules say; without any value of the request. */
  suspicion: string | undefined;
}

/** The facts about resources and actions that authors vouch for. They win over the caller's, and a higher tier's over a lower one's. */
export interface Catalogue {
  /** What each tier may go by, the highest first. */
  resolve(input: PolicyInput): Resolved[];
  /** What is declared of an action that is written out, by this tier or one above it. */
  declared(action: string, tier: number): DeclaredAction | undefined;
  readonly tiers: readonly { actions: ActionCatalogue }[];
}

/** The bundles of one tier. */
export type TierDocuments = readonly { readonly name: string; readonly document: BundleDocument; readonly report: Report }[];

interface TierCatalogue {
  resources: ResourceCatalogue;
  actions: ActionCatalogue;
}

export function compileCatalogue(tiers: readonly TierDocuments[]): Catalogue {
  const taken = new Map<string, string>();
  const compiled: TierCatalogue[] = tiers.map((bundles) => {
    const actions = bundles.map(({ name, document, report }) => {
      const own = document.catalogue?.actions ?? {};
      const catalogue = compileActions(own, taken, report);
      for (const action of Object.keys(own)) taken.set(action, `"${name}"`);
      return catalogue;
    });
    return {
      resources: compileResources(bundles.flatMap(({ document, report }) => entriesOf(document.catalogue?.resources ?? [], report))),
      actions: together(actions),
    };
  });
  return {
    tiers: compiled,
    declared: (action, tier) => firstOf(compiled.slice(0, tier + 1), ({ actions }) => actions.exact(action)),
    resolve(input) {
      const facts = factsOf(input);
      return compiled.map((_, tier) => resolveIn(compiled.slice(0, tier + 1), input, facts));
    },
  };
}

function resolveIn(tiers: readonly TierCatalogue[], input: PolicyInput, factsFor: FactsFor): Resolved {
  const { type, id } = input.resource;
  const normalised = normaliseResourceId(type, id);
  const known = normalised.ok ? tiers.flatMap(({ resources }) => resources.find(type, normalised.id) ?? []) : [];
  const actions = tiers.flatMap((tier) => tier.actions.find(input.action) ?? []);
  const vouched = new Map<string, string>();
  for (const { labels } of known.toReversed()) for (const [label, value] of labels) vouched.set(label, value);
  const labels = new Map(Object.entries(input.resource.labels ?? {}));
  for (const [label, value] of vouched) labels.set(label, value);
  const fixed = firstOf(known, ({ environment }) => environment);
  const undeclared: ('action' | 'resource')[] = [];
  if (actions.length === 0) undeclared.push('action');
  if (known.length === 0) undeclared.push('resource');
  const names = { caller: input.caller === undefined ? [] : [input.caller.id, input.caller.name], actor: input.actor.id };
  // `Tool.Run` must not slip past what is declared of `tool.run`; of its patterns every one holds.
  const restricting = actions.length > 0 ? actions : tiers.flatMap((tier) => tier.actions.inAnyCase(input.action));
  const definitions = restricting.flatMap((action) => action.definitions);
  const classes = [
    ...(actions.length === 0 ? ['irreversible' as const] : actions.map(({ reversibility }) => reversibility)),
    ...known.flatMap(({ reversibility }) => reversibility ?? []),
    ...(input.chain === undefined ? [] : [input.chain.reversibility]),
  ];
  return {
    resourceId: normalised.ok ? normalised.id : undefined,
    labels,
    vouchedLabels: vouched,
    environment: fixed ?? input.environment,
    environmentPinned: fixed !== undefined || input.verified?.includes('environment') === true,
    conflict:
      fixed !== undefined && input.environment !== undefined && input.environment !== fixed ? { given: input.environment, catalogue: fixed } : undefined,
    reversibility: highest(classes),
    declared: firstOf(actions, ({ parameters }) => parameters),
    declaredResource: known.length > 0,
    dataClasses: [...new Set(known.flatMap(({ dataClasses }) => dataClasses))].sort(),
    owner: firstOf(known, ({ owner }) => owner),
    facts: new Map(
      actions.flatMap((action) =>
        [...action.facts].map(([kind, fact]) => [kind, { type: fact.kind.result, from: fact.kind.paths(fact.options), result: () => factsFor(fact) }] as const),
      ),
    ),
    undeclared,
    unexpected: [...new Set([...restricting, ...known].flatMap(({ expected }) => unexpectedIn(expected, names)))].sort(),
    redefined: definitions.length > 0 && !definitions.includes(definitionIn(input) ?? ''),
    suspicion: suspicionOf(type, id, normalised.ok, tiers),
  };
}

/** A caller who misspells the type of a catalogued resource, or its id, must not get round the catalogue. */
function suspicionOf(type: string, id: string, readable: boolean, tiers: readonly TierCatalogue[]): string | undefined {
  if (tiers.some(({ resources }) => resources.has(type)))
    return readable ? undefined : 'The id of this resource cannot be read as one of its type, so it cannot be looked up in the catalogue.';
  return tiers.some(({ resources }) => resources.namesUnderAnotherType(type, id)) ? 'The catalogue has a resource of this id under another type.' : undefined;
}

/** The digest of the tool's definition that the caller goes by. */
function definitionIn({ context, parameters }: PolicyInput): string | undefined {
  for (const members of [context, parameters]) {
    const digest = members !== undefined && Object.hasOwn(members, 'tool_definition_digest') ? members['tool_definition_digest'] : undefined;
    // The first that is there counts, so that a second one cannot vouch for it.
    if (digest !== undefined) return typeof digest === 'string' ? digest : undefined;
  }
  return undefined;
}

type FactsFor = (fact: DeclaredFact) => FactResult;

/** Computes each declared fact at most once per request. */
function factsOf(input: PolicyInput): FactsFor {
  const known = new Map<DeclaredFact, FactResult>();
  const read = (path: string): JsonValue | undefined => valueAt(input, pathTokens(path));
  return (fact) => {
    const before = known.get(fact);
    if (before !== undefined) return before;
    let result: FactResult;
    try {
      result = fact.kind.compute(fact.options, read);
    } catch {
      // A kind does not throw; should one do so all the same, its facts are unknown, which never allows.
      result = { error: 'they cannot be computed' };
    }
    known.set(fact, result);
    return result;
  };
}

/** The raw JSON at a path of the request. */
export function valueAt(input: PolicyInput, path: readonly string[]): JsonValue | undefined {
  const { now: _now, caller: _caller, verified: _verified, chain: _chain, exceeded: _exceeded, ...request } = input;
  // What is left of a request is JSON.
  let value = request as unknown as JsonValue | undefined;
  for (const token of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
    value = (value as { [member: string]: JsonValue })[token];
  }
  return value;
}

function together(catalogues: readonly ActionCatalogue[]): ActionCatalogue {
  const [only] = catalogues;
  if (catalogues.length === 1 && only !== undefined) return only;
  return {
    find(action) {
      const exact = firstOf(catalogues, (catalogue) => catalogue.exact(action));
      if (exact !== undefined) return exact;
      const found = catalogues.flatMap((catalogue) => catalogue.find(action) ?? []);
      const [first] = found;
      if (first === undefined) return undefined;
      return {
        ...first,
        reversibility: highest(found.map(({ reversibility }) => reversibility)),
        expected: bothExpected(found.map(({ expected }) => expected)),
      };
    },
    inAnyCase: (action) => catalogues.flatMap((catalogue) => catalogue.inAnyCase(action)),
    exact: (action) => firstOf(catalogues, (catalogue) => catalogue.exact(action)),
    names: catalogues.flatMap(({ names }) => names),
    kinds: new Map(catalogues.flatMap(({ kinds }) => [...kinds])),
  };
}

function firstOf<T, R>(all: Iterable<T>, of: (each: T) => R | undefined): R | undefined {
  for (const each of all) {
    const found = of(each);
    if (found !== undefined) return found;
  }
  return undefined;
}
