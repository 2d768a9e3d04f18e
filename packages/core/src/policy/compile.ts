import { canonicalJson, childPointer, digestOf, type JsonValue } from '../request/index.js';
import { compileCatalogue } from './catalogue.js';
import { ConditionCompiler, type Condition } from './condition/condition.js';
import { CelEngine } from './condition/engine.js';
import type { ConditionFault } from './condition/syntax.js';
import { MAX_PROBLEMS } from './bundle/limits.js';
import { readBundle, readCanonical, type BundleRead, type Report } from './bundle/read-bundle.js';
import type { RevealDocument } from './bundle/schema-reveal.js';
import type { BundleDocument, RequireDocument, RuleDocument } from './bundle/schema.js';
import { evaluate, fold, type CompiledRule, type RuleSet } from './evaluate.js';
import { parseTemplate, type Template } from './explanation.js';
import { compileGlob, GlobIndex, type Glob } from './globs.js';
import { compareText } from './merge-requirements.js';
import { didYouMean } from './nearest-name.js';
import { compileEmergency, compileRequirement, defaultGrantTtl, defaultUseWithin, requirementFor, seconds, type RequirementPlan } from './requirement.js';
import { compileReveal } from './reveal.js';
import type { BundleDefaults, BundleFile, CompiledBundle, CompileResult, PolicyProblem } from './types.js';

/** Compiles the files of one bundle. The order of files, rules and members has no meaning, and does not change the digest. */
export function compileBundle(files: readonly BundleFile[]): CompileResult {
  return compileRead(readBundle(files));
}

/** Rebuilds a bundle from its `canonical` text. Text that is not exactly canonical is refused, so that digest and text stay one. */
export function compileCanonical(canonical: string): CompileResult {
  const result = compileRead(readCanonical(canonical));
  if (result.ok && result.bundle.canonical !== canonical)
    return { ok: false, problems: [{ file: '(canonical)', line: 1, column: 1, message: 'the text is not the canonical text of its bundle' }] };
  return result;
}

function compileRead(read: BundleRead): CompileResult {
  if ('problems' in read) return { ok: false, problems: inOrder(read.problems) };
  const { document, raw, problemAt } = read;
  const problems: PolicyProblem[] = [];
  const report: Report = (pointer, message, more) => void problems.push(problemAt(pointer, message, more));

  const engine = new CelEngine();
  const conditions = compileLets(document, engine, report);
  const catalogue = compileCatalogue(document.catalogue, report);
  const defaults = compileDefaults(document, report);
  const groups = compileGroups(document, report);
  const rules = compileRules(document, conditions, report);
  if (problems.length > 0) return { ok: false, problems: inOrder(problems) };

  const canonical = canonicalOf(raw);
  const set = indexRules(rules);
  const { name, version, owner } = document.metadata;
  const bundle: CompiledBundle = {
    digest: digestOf(JSON.parse(canonical) as JsonValue),
    canonical,
    name,
    version,
    ...(owner === undefined ? {} : { owner }),
    defaults,
    groups,
    masks: [...new Set(set.all.flatMap(({ masks }) => masks))].sort(compareText),
    mustShow: [...new Set(set.all.flatMap(({ mustShow }) => mustShow))].sort(compareText),
    rules: rules.map(({ document: { id, effect, actions } }) => ({ id, effect, actions })).sort((a, b) => compareText(a.id, b.id)),
    evaluate: (input) => evaluate(input, set, catalogue, defaults, engine),
  };
  return { ok: true, bundle: Object.freeze(bundle) };
}

function compileLets(document: BundleDocument, engine: CelEngine, report: Report): ConditionCompiler {
  const lets = new Map(Object.entries(document.lets ?? {}));
  const compiler = new ConditionCompiler(lets.keys(), engine);
  for (const [name, faults] of compiler.declare(lets)) reportFaults(childPointer('/lets', name), faults, report);
  return compiler;
}

function compileDefaults(document: BundleDocument, report: Report): BundleDefaults {
  const { defaults } = document;
  const undeclared = defaults.undeclared ?? 'require';
  const plan = defaults.require === undefined ? null : compileRequirement(defaults.require, defaults, undefined, () => undefined);
  const require = plan === null ? null : requirementFor(plan, () => false);
  if (defaults.require !== undefined && defaults.require.stages === undefined)
    report('/defaults/require', 'defaults.require must name who decides, under stages');
  else if (require === null) {
    const hint = 'write defaults.require with stages';
    if (defaults.outcome === 'require') report('/defaults/outcome', 'the default asks for people, and no one is named', { hint });
    if (undeclared === 'require') {
      report(
        defaults.undeclared === undefined ? '/defaults' : '/defaults/undeclared',
        'what the catalogue does not declare needs people (defaults.undeclared: require, also when it is not written), and no one is named',
        {
          hint: `${hint}, or undeclared: allow, or undeclared: deny`,
        },
      );
    } else if ((document.catalogue?.resources ?? []).length > 0)
      report('/defaults', 'a resource id that cannot be looked up in the catalogue needs people, and no one is named', { hint });
  }
  return {
    outcome: defaults.outcome,
    undeclared,
    timeout_seconds: seconds(defaults.timeout),
    grant_ttl_seconds: defaultGrantTtl(defaults),
    use_within_seconds: defaultUseWithin(defaults),
    require,
    reveal: compileReveal(defaults.reveal) ?? [],
  };
}

function compileGroups(document: BundleDocument, report: Report): string[] {
  const declared = document.groups === undefined ? undefined : Object.keys(document.groups);
  const named = new Set(declared);
  const visit = (require: RequireDocument | undefined, pointer: string): void => {
    require?.stages?.forEach(({ all }, stage) => {
      all.forEach(({ group }, index) => {
        named.add(group);
        if (declared !== undefined && !declared.includes(group))
          report(`${pointer}/stages/${stage}/all/${index}/group`, `the group "${group}" does not stand under groups`, didYouMean(group, declared));
      });
    });
  };
  const visitReveal = (written: RevealDocument | undefined, pointer: string): void => {
    (Array.isArray(written) ? written : written === undefined ? [] : [written]).forEach((right) => {
      for (const group of right.groups) {
        named.add(group);
        if (declared !== undefined && !declared.includes(group))
          report(pointer, `the group "${group}" does not stand under groups`, didYouMean(group, declared));
      }
    });
  };
  visitReveal(document.defaults.reveal, '/defaults/reveal');
  (document.rules ?? []).forEach((rule, index) => visitReveal(rule.reveal, `/rules/${index}/reveal`));
  visit(document.defaults.require, '/defaults/require');
  (document.rules ?? []).forEach((rule, index) => visit(rule.require, `/rules/${index}/require`));
  return [...named].sort(compareText);
}

interface RuleWithActions {
  document: RuleDocument;
  rule: CompiledRule;
}

function compileRules(document: BundleDocument, conditions: ConditionCompiler, report: Report): RuleWithActions[] {
  const seen = new Set<string>();
  return (document.rules ?? []).map((rule, index) => {
    const pointer = childPointer('/rules', index);
    if (seen.has(rule.id)) report(`${pointer}/id`, `there are two rules with the id "${rule.id}"`);
    seen.add(rule.id);
    const compile = (source: string, at: string): Condition | undefined =>
      compileCondition(source, at.startsWith('/defaults') ? at : `${pointer}/require${at}`, conditions, report);
    const plan: RequirementPlan | null =
      rule.effect === 'require'
        ? compileRequirement(rule.require, document.defaults, rule.break_glass, compile)
        : rule.effect === 'deny' && rule.break_glass !== undefined
          ? compileEmergency(rule.break_glass, document.defaults, compile)
          : null;
    if (rule.effect !== 'require' && rule.require !== undefined)
      report(`${pointer}/require`, `a rule with the effect ${rule.effect} requires nobody`, { atKey: true });
    else if (rule.effect === 'require' && plan === null)
      report(pointer, `the rule "${rule.id}" asks for people and names nobody`, { hint: 'write require with stages, here or under defaults' });
    const shown = (rule.masks ?? []).find((path) => rule.must_show?.includes(path));
    if (shown !== undefined) report(`${pointer}/must_show`, `"${shown}" is to be masked and to be shown`);
    const globs = (written: string[] | undefined): Glob[] | undefined => written?.map((source) => compileGlob(rule.effect === 'allow' ? source : fold(source)));
    return {
      document: rule,
      rule: {
        id: rule.id,
        effect: rule.effect,
        resourceTypes: globs(rule.resource_types),
        environments: globs(rule.environments),
        when: compileCondition(rule.when, `${pointer}/when`, conditions, report),
        unless: compileCondition(rule.unless, `${pointer}/unless`, conditions, report),
        explain: compileExplain(rule.explain, `${pointer}/explain`, report),
        plan,
        masks: rule.masks ?? [],
        mustShow: rule.must_show ?? [],
        reveal: compileReveal(rule.reveal),
      },
    };
  });
}

function compileCondition(source: string | undefined, pointer: string, conditions: ConditionCompiler, report: Report): Condition | undefined {
  if (source === undefined) return undefined;
  const compiled = conditions.compile(source);
  if (!Array.isArray(compiled)) return compiled;
  reportFaults(pointer, compiled, report);
  return undefined;
}

function reportFaults(pointer: string, faults: readonly ConditionFault[], report: Report): void {
  for (const { message, offset, hint } of faults) report(pointer, message, { offset, ...(hint === undefined ? {} : { hint }) });
}

function compileExplain(source: string | undefined, pointer: string, report: Report): Template | undefined {
  if (source === undefined) return undefined;
  const template = parseTemplate(source);
  if (typeof template !== 'string') return template;
  report(pointer, template);
  return undefined;
}

/** Rules by action: those that restrict under small letters, those that allow exactly as written. */
function indexRules(rules: readonly RuleWithActions[]): RuleSet {
  const restricting = new GlobIndex<CompiledRule>();
  const allowing = new GlobIndex<CompiledRule>();
  for (const { document, rule } of rules) {
    for (const action of document.actions) {
      if (rule.effect === 'allow') allowing.add(action, rule);
      else restricting.add(fold(action), rule);
    }
  }
  const byId = (a: CompiledRule, b: CompiledRule): number => compareText(a.id, b.id);
  return {
    all: rules.map(({ rule }) => rule).sort(byId),
    forAction: (action) => [...restricting.find(fold(action)), ...allowing.find(action)].sort(byId),
  };
}

/** Lists whose order has no meaning are sorted, so that moving a rule to another file is not another policy. */
function canonicalOf(raw: { [member: string]: JsonValue }): string {
  const sorted = (list: JsonValue | undefined): JsonValue[] =>
    Array.isArray(list) ? [...list].sort((a, b) => compareText(canonicalJson(a), canonicalJson(b))) : [];
  const { rules, catalogue } = raw;
  const resources = typeof catalogue === 'object' && catalogue !== null && !Array.isArray(catalogue) ? catalogue['resources'] : undefined;
  return canonicalJson({
    ...raw,
    ...(rules === undefined ? {} : { rules: sorted(rules) }),
    ...(resources === undefined ? {} : { catalogue: { ...(catalogue as { [member: string]: JsonValue }), resources: sorted(resources) } }),
  });
}

function inOrder(problems: readonly PolicyProblem[]): PolicyProblem[] {
  return [...problems].sort((a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column).slice(0, MAX_PROBLEMS);
}
