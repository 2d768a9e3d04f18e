import type { Effect, Requirement } from '@countersign/contracts';
import { canonicalJson, childPointer, digestOf, type JsonValue } from '../request/index.js';
import { MAX_FOUND, MAX_PROBLEMS } from './bundle/limits.js';
import { readBundles, readCanonical, type BundlesRead, type FoundProblem, type ReadBundle, type Report } from './bundle/read-bundle.js';
import { API_VERSION, SET_KIND, tiers } from './bundle/schema.js';
import { compileCatalogue, type Catalogue } from './catalogue.js';
import { checkReferences } from './check-references.js';
import type { RuleSet, TierDefaults } from './combine.js';
import { compileGroups } from './compile-groups.js';
import { compileNotices } from './compile-notices.js';
import { compileSchedules } from './compile-schedules.js';
import { compileCondition, compileRules, letScope, reportFaults } from './compile-rules.js';
import { Binder } from './condition/bindings.js';
import { ConditionCompiler } from './condition/condition.js';
import { CelEngine } from './condition/engine.js';
import type { RecordType } from './condition/value-type.js';
import { evaluate } from './evaluate.js';
import { GlobIndex } from './globs.js';
import { fold, type CompiledRule } from './judge.js';
import { compareText, mergeRequirements } from './merge-requirements.js';
import { compileRequirement, defaultGrantTtl, defaultUseWithin, requirementFor, seconds, type CompileCondition, type PartsOf } from './requirement.js';
import { compileReveal } from './reveal.js';
import type { BundleDefaults, BundleFile, BundleHead, CompiledBundle, CompileResult, PolicyProblem } from './types.js';
import { compileWindow, type Window } from './windows.js';

/** Compiles the files of one bundle, or of several of different tiers. The order of files, rules and members has no meaning, and does not change the digest. */
export function compileBundle(files: readonly BundleFile[]): CompileResult {
  return compileRead(readBundles(files));
}

/** Rebuilds a bundle from its `canonical` text. Text that is not exactly canonical is refused, so that digest and text stay one. */
export function compileCanonical(canonical: string): CompileResult {
  const result = compileRead(readCanonical(canonical));
  if (result.ok && result.bundle.canonical !== canonical)
    return { ok: false, problems: [{ file: '(canonical)', line: 1, column: 1, message: 'the text is not the canonical text of its bundle' }] };
  return result;
}

/** A bundle on its way, with its place among the tiers that are there. */
export interface PlacedBundle extends ReadBundle {
  readonly name: string;
  /** 0 for the highest tier that is there. */
  readonly tier: number;
  readonly report: Report;
  readonly warn: Report;
}

function compileRead(read: BundlesRead): CompileResult {
  if ('problems' in read) return { ok: false, problems: inOrder(read.problems) };
  const problems: FoundProblem[] = [];
  const warnings: FoundProblem[] = [];
  const bundles = placeBundles(read.bundles, problems, warnings);

  const engine = new CelEngine();
  const byTier = Array.from({ length: Math.max(...bundles.map(({ tier }) => tier)) + 1 }, (_, tier) => bundles.filter((bundle) => bundle.tier === tier));
  const catalogue = compileCatalogue(byTier);
  const windows = compileWindows(bundles);
  const schedules = compileSchedules(bundles);
  const { quiet, digests } = compileNotices(bundles);
  const groups = compileGroups(
    bundles.map((bundle) => ({ ...bundle, sees: (other) => (bundles.find(({ document }) => document === other.document)?.tier ?? 0) <= bundle.tier })),
  );
  const rules: CompiledRule[] = [];
  const defaults: BundleDefaults[] = [];
  let conditions: ConditionCompiler | undefined;
  byTier.forEach((own, tier) => {
    const windowsOf: RecordType = { members: Object.fromEntries([...windows.of(tier)].map((name) => [name, 'bool' as const])) };
    conditions = compileLets(own, conditions, engine, catalogue, windowsOf);
    for (const bundle of own) {
      const around = { ...bundle, bundle: bundle.name, conditions, catalogue, windows: windowsOf, partsOf: (group: string) => groups.partsOf(group) };
      defaults.push(compileDefaults(bundle, (source, pointer) => compileCondition(source, pointer, letScope(around), around), around.partsOf));
      rules.push(...compileRules(around));
    }
  });
  checkReferences(bundles, rules);
  if (problems.length > 0) return { ok: false, problems: inOrder(problems) };

  const canonical = canonicalOf(bundles);
  const heads = bundles.map(({ document }): BundleHead => {
    const { name, version, tier, owner, description } = document.metadata;
    return {
      name,
      version,
      ...(tier === undefined ? {} : { tier }),
      ...(owner === undefined ? {} : { owner }),
      ...(description === undefined ? {} : { description }),
    };
  });
  const kinds = catalogue.tiers.flatMap(({ actions }) => [...actions.kinds.keys()]);
  const set: RuleSet = {
    ...indexRules(rules),
    catalogue,
    engine,
    binder: new Binder(windows.all, new Set(kinds)),
    defaults: byTier.map((own) => tierDefaults(own, bundles, defaults)),
  };
  const owner = heads.find((head) => head.owner !== undefined)?.owner;
  const coverage = bundles.find(({ document }) => document.coverage !== undefined)?.document.coverage;
  const bundle: CompiledBundle = {
    digest: digestOf(JSON.parse(canonical) as JsonValue),
    canonical,
    name: heads.map(({ name }) => name).join(' + '),
    version: heads.length === 1 ? (heads[0]?.version ?? '') : heads.map(({ version }) => String(version)).join(' + '),
    ...(owner === undefined ? {} : { owner }),
    bundles: heads,
    defaults: strictestDefaults(defaults),
    groups: groups.names,
    declaredGroups: groups.declared,
    partsOf: (group) => groups.partsOf(group),
    schedules: schedules.all,
    people: schedules.people,
    quiet,
    digests,
    expandGroups: (of) => groups.expand(of),
    tests: bundles.flatMap(({ document }) => document.tests ?? []),
    ...(coverage === undefined ? {} : { coverage }),
    masks: [...new Set(rules.flatMap(({ masks }) => masks))].sort(compareText),
    mustShow: [...new Set(rules.flatMap(({ mustShow }) => mustShow))].sort(compareText),
    rules: set.all.map(({ info }) => info),
    evaluate: (input) => evaluate(input, set),
  };
  return { ok: true, bundle: Object.freeze(bundle), warnings: inOrder(warnings) };
}

/** The highest tier first; of one tier by name. */
function placeBundles(read: readonly ReadBundle[], problems: FoundProblem[], warnings: FoundProblem[]): PlacedBundle[] {
  const rank = ({ document }: ReadBundle): number => tiers.indexOf(document.metadata.tier ?? 'org');
  const sorted = [...read].sort((a, b) => rank(a) - rank(b) || compareText(a.document.metadata.name, b.document.metadata.name));
  const present = [...new Set(sorted.map(rank))];
  return sorted.map((bundle, index): PlacedBundle => {
    const { metadata } = bundle.document;
    const found =
      (all: FoundProblem[]): Report =>
      (pointer, message, more) => {
        if (all.length < MAX_FOUND) all.push(bundle.problemAt(pointer, message, more));
      };
    const report = found(problems);
    if (read.length > 1 && metadata.tier === undefined)
      report('/metadata', 'of several bundles each says its tier', { hint: `write tier: ${tiers.join(', ')} (the first binds the others)` });
    if (sorted.findIndex(({ document }) => document.metadata.name === metadata.name) !== index)
      report('/metadata/name', `there are two bundles with the name "${metadata.name}"`);
    return {
      ...bundle,
      name: metadata.name,
      tier: present.indexOf(rank(bundle)),
      report,
      warn: found(warnings),
    };
  });
}

/** Lets of one tier: they may name each other and those of higher tiers. No name stands twice. */
function compileLets(
  bundles: readonly PlacedBundle[],
  above: ConditionCompiler | undefined,
  engine: CelEngine,
  catalogue: Catalogue,
  windows: RecordType,
): ConditionCompiler {
  const sources = new Map<string, string>();
  const owners = new Map<string, PlacedBundle>();
  for (const bundle of bundles) {
    for (const [name, source] of Object.entries(bundle.document.lets ?? {})) {
      const other = owners.get(name)?.name ?? (above?.has(name) === true ? 'a higher tier' : undefined);
      if (other !== undefined) {
        bundle.report(childPointer('/lets', name), `the let "${name}" is already one of ${other}`, { atKey: true });
        continue;
      }
      sources.set(name, source);
      owners.set(name, bundle);
    }
  }
  const compiler = new ConditionCompiler(sources.keys(), engine, above);
  const [first] = bundles;
  const scope = letScope({ catalogue, tier: first?.tier ?? 0, windows });
  for (const [name, faults] of compiler.declare(sources, scope)) {
    const owner = owners.get(name);
    if (owner !== undefined) reportFaults(childPointer('/lets', name), faults, owner.report);
  }
  return compiler;
}

function compileWindows(bundles: readonly PlacedBundle[]): { all: ReadonlyMap<string, Window>; of(tier: number): Set<string> } {
  const all = new Map<string, Window>();
  const tierOf = new Map<string, number>();
  for (const { document, name, tier, report } of bundles) {
    for (const [window, written] of Object.entries(document.windows ?? {})) {
      const pointer = childPointer('/windows', window);
      if (all.has(window)) {
        report(pointer, `the window "${window}" stands in two bundles; ${name} is one`, { atKey: true });
        continue;
      }
      const compiled = compileWindow(written);
      if (typeof compiled === 'string') report(pointer, compiled);
      else {
        all.set(window, compiled);
        tierOf.set(window, tier);
      }
    }
  }
  return { all, of: (tier) => new Set([...tierOf].flatMap(([window, own]) => (own <= tier ? [window] : []))) };
}

function compileDefaults({ document, report }: PlacedBundle, check: CompileCondition, partsOf: PartsOf): BundleDefaults {
  const { defaults } = document;
  const undeclared = defaults.undeclared ?? 'require';
  const plan =
    defaults.require === undefined
      ? null
      : compileRequirement(
          defaults.require,
          defaults,
          undefined,
          (source, at) => check(source, at.startsWith('/defaults') ? at : `/defaults/require${at}`),
          partsOf,
        );
  const require = plan === null ? null : requirementFor(plan, () => false);
  if (defaults.require !== undefined && defaults.require.stages === undefined)
    report('/defaults/require', 'defaults.require must name who decides, under stages');
  else if (require === null) {
    const hint = 'write defaults.require with stages';
    if (defaults.outcome === 'require') report('/defaults/outcome', 'the default asks for people, and no one is named', { hint });
    const actions = Object.entries(document.catalogue?.actions ?? {});
    if (undeclared === 'require') {
      report(
        defaults.undeclared === undefined ? '/defaults' : '/defaults/undeclared',
        'what the catalogue does not declare needs people (defaults.undeclared: require, also when it is not written), and no one is named',
        { hint: `${hint}, or undeclared: allow, or undeclared: deny` },
      );
    } else if ((document.catalogue?.resources ?? []).length > 0)
      report('/defaults', 'a resource id that cannot be looked up in the catalogue needs people, and no one is named', { hint });
    else if (actions.some(([, action]) => action.definition_digest !== undefined || action.definition_digests !== undefined))
      report('/defaults', 'an action under another definition of its tool needs people, and no one is named', { hint });
    else if (defaults.unexpected !== 'deny' && actions.some(([, action]) => action.expected !== undefined))
      report('/defaults', 'who is not expected needs people, and no one is named', { hint: `${hint}, or unexpected: deny` });
  }
  return {
    outcome: defaults.outcome,
    undeclared,
    timeout_seconds: seconds(defaults.timeout),
    grant_ttl_seconds: defaultGrantTtl(defaults),
    use_within_seconds: defaultUseWithin(defaults),
    require,
    chain: { owner_groups: defaults.chain?.owner_groups ?? true },
    reveal: compileReveal(defaults.reveal) ?? [],
  };
}

const RANK: Readonly<Record<Effect, number>> = { allow: 0, require: 1, deny: 2 };
const stricter = (a: Effect, b: Effect): Effect => (RANK[a] >= RANK[b] ? a : b);

function strictestDefaults(all: readonly BundleDefaults[]): BundleDefaults {
  const [first, ...rest] = all;
  if (first === undefined) throw new RangeError('a policy has at least one bundle');
  return rest.reduce(
    (a, b) => ({
      outcome: stricter(a.outcome, b.outcome),
      undeclared: stricter(a.undeclared, b.undeclared),
      timeout_seconds:
        a.timeout_seconds === null || b.timeout_seconds === null ? (a.timeout_seconds ?? b.timeout_seconds) : Math.min(a.timeout_seconds, b.timeout_seconds),
      grant_ttl_seconds: Math.min(a.grant_ttl_seconds, b.grant_ttl_seconds),
      use_within_seconds: Math.min(a.use_within_seconds, b.use_within_seconds),
      require: mergeMaybe(a.require, b.require),
      chain: { owner_groups: a.chain.owner_groups || b.chain.owner_groups },
      // Each bundle's own is asked besides (TierDefaults.reveal).
      reveal: a.reveal,
    }),
    first,
  );
}

const mergeMaybe = (a: Requirement | null, b: Requirement | null): Requirement | null => (a === null || b === null ? (a ?? b) : mergeRequirements(a, b));

function tierDefaults(own: readonly PlacedBundle[], bundles: readonly PlacedBundle[], defaults: readonly BundleDefaults[]): TierDefaults {
  const each = own.flatMap((bundle) => defaults[bundles.indexOf(bundle)] ?? []);
  const { outcome, undeclared, require } = strictestDefaults(each);
  return {
    outcome,
    undeclared,
    require,
    reveal: each.map(({ reveal }) => reveal),
    unexpected: own.some(({ document }) => document.defaults.unexpected === 'deny') ? 'deny' : 'require',
  };
}

/** Rules by action: those that restrict under small letters, those that allow exactly as written. */
function indexRules(rules: readonly CompiledRule[]): Pick<RuleSet, 'all' | 'byId' | 'forAction'> {
  const restricting = new GlobIndex<CompiledRule>();
  const allowing = new GlobIndex<CompiledRule>();
  for (const rule of rules) {
    for (const action of rule.info.actions) {
      if (rule.effect === 'allow') allowing.add(action, rule);
      else restricting.add(fold(action), rule);
    }
  }
  const byId = (a: CompiledRule, b: CompiledRule): number => compareText(a.id, b.id);
  return {
    all: [...rules].sort(byId),
    byId: new Map(rules.map((rule) => [rule.id, rule])),
    forAction: (action) => [...restricting.find(fold(action)), ...allowing.find(action)].sort(byId),
  };
}

/** Several bundles are a set of them, the highest tier first. */
function canonicalOf(bundles: readonly PlacedBundle[]): string {
  const [only] = bundles;
  if (bundles.length === 1 && only !== undefined) return canonicalJson(canonicalBundle(only.raw));
  return canonicalJson({ apiVersion: API_VERSION, kind: SET_KIND, bundles: bundles.map(({ raw }) => canonicalBundle(raw)) });
}

/**
 * Lists whose order has no meaning are sorted, so that moving a rule to another file is not another policy; tests decide
 * nothing, so they are no part of it.
 */
function canonicalBundle(raw: ReadBundle['raw']): { [member: string]: JsonValue } {
  const sorted = (list: JsonValue | undefined): JsonValue[] =>
    Array.isArray(list) ? [...list].sort((a, b) => compareText(canonicalJson(a), canonicalJson(b))) : [];
  const { tests: _tests, coverage: _coverage, ...deciding } = raw;
  const { rules, catalogue } = deciding;
  const resources = typeof catalogue === 'object' && catalogue !== null && !Array.isArray(catalogue) ? catalogue['resources'] : undefined;
  return {
    ...deciding,
    ...(rules === undefined ? {} : { rules: sorted(rules) }),
    ...(resources === undefined ? {} : { catalogue: { ...(catalogue as { [member: string]: JsonValue }), resources: sorted(resources) } }),
  };
}

/** The first problems, each with its hint. */
function inOrder(problems: readonly FoundProblem[]): PolicyProblem[] {
  const first = [...problems].sort((a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column).slice(0, MAX_PROBLEMS);
  return first.map(({ hint, ...problem }) => {
    const found = typeof hint === 'function' ? hint() : hint;
    return { ...problem, ...(found === undefined ? {} : { hint: found }) };
  });
}
