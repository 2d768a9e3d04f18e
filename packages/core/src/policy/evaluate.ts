import type { Effect, Requirement } from '@countersign/contracts';
import { bindingsOf, type Bindings } from './condition/bindings.js';
import { conjunction, type Condition } from './condition/condition.js';
import type { CelEngine } from './condition/engine.js';
import type { Catalogue, Resolved } from './catalogue.js';
import { fillTemplate, joinSentences, type Template } from './explanation.js';
import { matchesGlob, type Glob } from './globs.js';
import { compareText, mergeRequirements } from './merge-requirements.js';
import { requirementFor, type RequirementPlan } from './requirement.js';
import type { RevealLayer } from './reveal.js';
import type { BundleDefaults, Evaluation, ExplanationPart, PolicyInput, RuleTrace, Truth } from './types.js';

/** A rule, ready to be evaluated. */
export interface CompiledRule {
  readonly id: string;
  readonly effect: Effect;
  /** The rule's names and patterns; folded to small letters where the rule is one of deny or require. */
  readonly resourceTypes: readonly Glob[] | undefined;
  readonly environments: readonly Glob[] | undefined;
  readonly when: Condition | undefined;
  readonly unless: Condition | undefined;
  readonly explain: Template | undefined;
  /** Not null where the effect is require, or deny with a glass to break. */
  readonly plan: RequirementPlan | null;
  readonly masks: readonly string[];
  readonly mustShow: readonly string[];
  /** Undefined where the rule says nothing of it. */
  readonly reveal: RevealLayer | undefined;
}

export interface RuleSet {
  /** Sorted by id. */
  readonly all: readonly CompiledRule[];
  /** The rules whose `actions` match, sorted by id. */
  forAction(action: string): readonly CompiledRule[];
}

interface Circumstances {
  readonly input: PolicyInput;
  readonly resolved: Resolved;
  readonly bindings: Bindings;
}

interface Verdict {
  readonly result: RuleTrace['result'];
  readonly reason?: string;
}

/** A rule, or something beside the rules, that has a say in the effect. */
interface Say {
  readonly effect: Effect;
  readonly rule?: CompiledRule;
  readonly requirement: Requirement | null;
  readonly sentences: () => ExplanationPart[][];
}

const RANK: Readonly<Record<Effect, number>> = { allow: 0, require: 1, deny: 2 };

/**
 * Every rule is evaluated, the most restrictive effect wins, requirements add up. Order has no meaning anywhere. An
 * error counts as its own rule's effect if that restricts, and not at all if it allows.
 */
export function evaluate(input: PolicyInput, rules: RuleSet, catalogue: Catalogue, defaults: BundleDefaults, engine: CelEngine): Evaluation {
  const resolved = catalogue.resolve(input);
  const bindings = bindingsOf(input, {
    resourceId: resolved.resourceId,
    labels: resolved.labels,
    environment: resolved.environment,
    declared: resolved.declaredParameters,
  });
  const circumstances: Circumstances = { input, resolved, bindings };
  engine.refill();
  const says: Say[] = [];
  const counted: CompiledRule[] = [];
  let spoken = false;
  const reveal: RevealLayer[] = [];
  let saysReveal = false;
  for (const rule of rules.forAction(input.action)) {
    const verdict = judge(rule, circumstances);
    if (verdict.result === 'not_matched' || (verdict.result === 'indeterminate' && rule.effect === 'allow')) continue;
    counted.push(rule);
    if (rule.reveal !== undefined) reveal.push(rule.reveal);
    // A rule that could not be checked may narrow who sees something, and takes no default's place.
    saysReveal ||= rule.reveal !== undefined && verdict.result === 'matched';
    spoken ||= verdict.result === 'matched';
    // A deny rule with a glass to break asks of those who may break it.
    const effect = rule.plan === null ? rule.effect : 'require';
    const requirement = rule.plan === null ? null : requirementFor(rule.plan, (condition) => conjunction(condition.conjuncts, bindings) === 'false');
    says.push({ effect, rule, requirement, sentences: () => sentencesOf(rule, verdict, circumstances) });
  }
  // A rule that could not be checked takes no default's place: an error must not turn a default of deny into a question.
  if (!spoken) says.push(byDefault(defaults));
  says.push(...besideTheRules(resolved, defaults));

  let effect = says.reduce<Effect>((worst, say) => (RANK[say.effect] > RANK[worst] ? say.effect : worst), 'allow');
  let deciding = says.filter((say) => say.effect === effect);
  const requirement = effect === 'require' ? addUp(deciding) : null;
  if (effect === 'require' && requirement === null) {
    // A bundle in which this can happen does not load; should it happen all the same, nobody can approve, so nothing passes.
    effect = 'deny';
    deciding = [{ effect, requirement: null, sentences: () => [[{ text: 'Policy asks for people and names nobody.' }]] }];
  }
  const { conflict } = resolved;
  let trace: RuleTrace[] | undefined;
  return {
    effect,
    rules: deciding.flatMap(({ rule }) => (rule === undefined ? [] : [rule.id])).sort(compareText),
    requirement,
    resolved: {
      labels: Object.fromEntries([...resolved.labels].sort(([a], [b]) => compareText(a, b))),
      ...(resolved.environment === undefined ? {} : { environment: resolved.environment }),
      reversibility: resolved.reversibility,
    },
    ...(conflict === undefined ? {} : { environmentConflict: conflict }),
    maskPaths: sortedUnion(counted.map(({ masks }) => masks)),
    mustShow: sortedUnion(counted.map(({ mustShow }) => mustShow)),
    reveal: saysReveal ? reveal : [...reveal, defaults.reveal],
    explanation: joinSentences(deciding.flatMap((say) => say.sentences())),
    get trace() {
      return (trace ??= traceAll(rules, circumstances, engine));
    },
  };
}

function judge(rule: CompiledRule, { input, resolved, bindings }: Circumstances): Verdict {
  const outside = outsideScope(rule, input, resolved);
  if (outside !== undefined) return { result: 'not_matched', reason: outside };
  const when = rule.when === undefined ? 'true' : conjunction(rule.when.conjuncts, bindings);
  if (when === 'false') return { result: 'not_matched' };
  const unless = rule.unless === undefined ? 'false' : conjunction(rule.unless.conjuncts, bindings);
  // An exemption that is certain ends the matter, whatever `when` is; one that cannot be checked exempts nobody.
  if (unless === 'true') return { result: 'not_matched', reason: 'exempted by its unless' };
  if (when === 'true' && unless === 'false') return { result: 'matched' };
  return { result: 'indeterminate', reason: whyNot(rule, bindings) };
}

/** Why a rule's scope leaves a request out, or undefined. An absent environment is in the scope of deny and require, never of allow. */
function outsideScope(rule: CompiledRule, input: PolicyInput, resolved: Resolved): string | undefined {
  const spell = rule.effect === 'allow' ? (name: string) => name : fold;
  if (rule.resourceTypes !== undefined && !anyMatches(rule.resourceTypes, spell(input.resource.type))) return 'another resource type';
  if (rule.environments === undefined) return undefined;
  if (resolved.environment === undefined) return rule.effect === 'allow' ? 'no environment was given' : undefined;
  return anyMatches(rule.environments, spell(resolved.environment)) ? undefined : 'another environment';
}

/** Rules that restrict match names in any case: `Data.Export` must not slip past `data.export`. Rules that allow match exactly. */
export function fold(name: string): string {
  return name.toLowerCase();
}

function anyMatches(globs: readonly Glob[], name: string): boolean {
  return globs.some((glob) => matchesGlob(glob, name));
}

function whyNot(rule: CompiledRule, bindings: Bindings): string {
  for (const condition of [rule.when, rule.unless]) {
    const failing = condition?.conjuncts.find((conjunct) => conjunct.truth(bindings) === 'error');
    if (failing !== undefined) return failing.whyNot(bindings);
  }
  return 'its conditions cannot be computed from the values of this request';
}

function byDefault(defaults: BundleDefaults): Say {
  const meaning = { allow: 'lets it pass', require: 'asks for people', deny: 'denies it' }[defaults.outcome];
  return {
    effect: defaults.outcome,
    requirement: defaults.outcome === 'require' ? defaults.require : null,
    sentences: () => [[{ text: `No rule speaks of this action, and the bundle's default ${meaning}.` }]],
  };
}

/** What restricts a request whatever the rules say. A rule that allows does not lift it; rules that restrict add to it. */
function besideTheRules(resolved: Resolved, defaults: BundleDefaults): Say[] {
  const says: Say[] = [];
  const say = (effect: Effect, text: string): void =>
    void says.push({ effect, requirement: effect === 'require' ? defaults.require : null, sentences: () => [[{ text }]] });
  if (resolved.suspicion !== undefined) say('require', resolved.suspicion);
  if (defaults.undeclared !== 'allow' && resolved.undeclared.length > 0) {
    say(
      defaults.undeclared,
      `The ${resolved.undeclared.join(' and the ')} ${resolved.undeclared.length === 1 ? 'is' : 'are'} not declared in the policy's catalogue.`,
    );
  }
  return says;
}

function addUp(says: readonly Say[]): Requirement | null {
  // Folding in one order makes the answer independent of the order in the bundle.
  const requirements = says.flatMap(({ requirement }) => (requirement === null ? [] : [requirement]));
  if (requirements.length < says.length) return null;
  const sorted = requirements.map((requirement) => [JSON.stringify(requirement), requirement] as const).sort(([a], [b]) => compareText(a, b));
  return sorted.reduce<Requirement | null>((sum, [, requirement]) => (sum === null ? requirement : mergeRequirements(sum, requirement)), null);
}

const UNEXPLAINED: Readonly<Record<Effect, string>> = { allow: 'lets this pass.', require: 'asks for people.', deny: 'denies this.' };

function sentencesOf(rule: CompiledRule, verdict: Verdict, { input, resolved }: Circumstances): ExplanationPart[][] {
  const explained = rule.explain === undefined ? [{ text: `The rule ${rule.id} ${UNEXPLAINED[rule.effect]}` }] : fillTemplate(rule.explain, input, resolved);
  return verdict.result === 'indeterminate' ? [explained, [{ text: `The rule ${rule.id} could not be checked: ${verdict.reason ?? ''}.` }]] : [explained];
}

function traceAll(rules: RuleSet, circumstances: Circumstances, engine: CelEngine): RuleTrace[] {
  engine.refill();
  const inScope = new Set(rules.forAction(circumstances.input.action));
  return rules.all.map((rule): RuleTrace => {
    const base = { rule: rule.id, effect: rule.effect };
    if (!inScope.has(rule)) return { ...base, result: 'not_matched', reason: 'another action', conjuncts: [] };
    const verdict = judge(rule, circumstances);
    const outside = outsideScope(rule, circumstances.input, circumstances.resolved) !== undefined;
    const { bindings } = circumstances;
    return {
      ...base,
      ...verdict,
      conjuncts:
        outside || rule.when === undefined
          ? []
          : rule.when.conjuncts.map((conjunct): { condition: string; truth: Truth } => ({ condition: conjunct.text, truth: conjunct.truth(bindings) })),
      ...(outside || rule.unless === undefined ? {} : { unless: { condition: rule.unless.text, truth: conjunction(rule.unless.conjuncts, bindings) } }),
    };
  });
}

function sortedUnion(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort(compareText);
}
