import type { Effect, Requirement } from '@countersign/contracts';
import { digestOf } from '../request/index.js';
import { valueAt, type Catalogue, type Resolved } from './catalogue.js';
import type { Binder } from './condition/bindings.js';
import { conjunction } from './condition/condition.js';
import type { CelEngine } from './condition/engine.js';
import { fillTemplate, pathTokens } from './explanation.js';
import { exemptsNow, sightOf, truthOf, type Circumstances, type CompiledRule, type TruthOf, type Verdict } from './judge.js';
import { compareText, mergeRequirements } from './merge-requirements.js';
import { requirementFor, type RequirementPlan } from './requirement.js';
import type { RevealLayer } from './reveal.js';
import type { AppliedLimit, ExplanationPart } from './types.js';

/** What holds in one tier where none of its rules speaks: of its bundles the strictest. */
export interface TierDefaults {
  readonly outcome: Effect;
  readonly undeclared: Effect;
  readonly unexpected: 'require' | 'deny';
  readonly require: Requirement | null;
  /** Who may see masked values where no rule of the tier says; every layer must agree. */
  readonly reveal: readonly RevealLayer[];
}

/** A policy, compiled. */
export interface RuleSet {
  /** Sorted by id. */
  readonly all: readonly CompiledRule[];
  readonly byId: ReadonlyMap<string, CompiledRule>;
  /** The rules whose `actions` match, sorted by id. */
  forAction(action: string): readonly CompiledRule[];
  readonly catalogue: Catalogue;
  readonly binder: Binder;
  readonly engine: CelEngine;
  /** By tier, the highest first. */
  readonly defaults: readonly TierDefaults[];
}

/** A rule, or something beside the rules, that has a say in the effect. */
export interface Say {
  readonly effect: Effect;
  readonly rule?: CompiledRule;
  readonly requirement: () => Requirement | null;
  readonly sentences: () => ExplanationPart[][];
}

export interface Judged {
  readonly rule: CompiledRule;
  readonly verdict: Verdict;
}

export const RANK: Readonly<Record<Effect, number>> = { allow: 0, require: 1, deny: 2 };

/** Takes out the rules that others exempt. Exemptions go no round (checked when the bundle loads), and who is exempted exempts nobody. */
export function settle(judged: readonly Judged[], circumstances: Circumstances, of: TruthOf = truthOf): Judged[] {
  const exempting = judged.filter(({ rule, verdict }) => !rule.shadow && exemptsNow(rule, verdict, circumstances, of));
  if (exempting.length === 0) return [...judged];
  const exemptedBy = new Map<string, string | null>();
  const exempter = (id: string): string | null => {
    const known = exemptedBy.get(id);
    if (known !== undefined) return known;
    const by = exempting.find(({ rule }) => rule.exempts.includes(id) && exempter(rule.id) === null)?.rule.id ?? null;
    exemptedBy.set(id, by);
    return by;
  };
  return judged.map((each) => {
    const by = counts(each.rule, each.verdict) ? exempter(each.rule.id) : null;
    return by === null ? each : { rule: each.rule, verdict: { result: 'not_matched', reason: `exempted by the rule ${by}` } };
  });
}

export interface Decision {
  effect: Effect;
  deciding: readonly Say[];
  requirement: Requirement | null;
}

/** The most restrictive effect of the rules that are taken, of the defaults, and of what the catalogue finds odd. */
export function decide(judged: readonly Judged[], rules: RuleSet, circumstances: Circumstances, taken: (rule: CompiledRule) => boolean): Decision {
  const says = saysOf(judged, rules, circumstances, taken);
  const effect = strictest(says);
  const deciding = says.filter((say) => say.effect === effect);
  if (effect !== 'require') return { effect, deciding, requirement: null };
  const requirement = addUp(deciding);
  if (requirement === null) {
    // A bundle in which this can happen does not load; should it happen all the same, nobody can approve, so nothing passes.
    return denial(deciding, 'Policy asks for people and names nobody.');
  }
  if (requirement.via?.length === 0) {
    const emergency = deciding.some(({ rule }) => rule?.effect === 'deny');
    return emergency
      ? denial(
          deciding.filter(({ rule }) => rule?.effect === 'deny'),
          'The glass cannot be broken for all that is asked here.',
        )
      : denial(deciding, 'The rules that ask for people leave no channel in common on which they could decide.');
  }
  return { effect, deciding, requirement };
}

/** Everything that has a say, by the rules that are taken. */
export function saysOf(judged: readonly Judged[], rules: RuleSet, circumstances: Circumstances, taken: (rule: CompiledRule) => boolean): Say[] {
  const says: Say[] = [];
  const spoken = new Set<number>();
  for (const { rule, verdict } of judged) {
    if (!taken(rule) || !counts(rule, verdict)) continue;
    // A rule that could not be checked takes no default's place: an error must not turn a default of deny into a question.
    if (verdict.result === 'matched') spoken.add(rule.tier);
    says.push(sayOf(rule, verdict, rules, circumstances));
  }
  rules.defaults.forEach((defaults, tier) => {
    if (!spoken.has(tier)) says.push(byDefault(defaults));
    const sight = circumstances.sights[tier];
    if (sight !== undefined) says.push(...besideTheRules(sight.resolved, defaults, tier === 0 ? undefined : circumstances.sights[tier - 1]?.resolved));
  });
  return says;
}

export function strictest(says: readonly Say[]): Effect {
  return says.reduce<Effect>((worst, say) => (RANK[say.effect] > RANK[worst] ? say.effect : worst), 'allow');
}

/** Whether a rule that came out so has a say. */
export function counts(rule: CompiledRule, { result }: Verdict): boolean {
  return result === 'matched' || (result === 'indeterminate' && rule.effect !== 'allow');
}

/** The effect of a rule that has a say: its own, unless its limit is used up or it has a glass to break. */
export function effectOfRule(rule: CompiledRule, verdict: Verdict, { input }: Circumstances): Effect {
  if (rule.limit !== undefined && verdict.result === 'matched' && input.exceeded?.includes(rule.id) === true) return rule.limit.on_exceed;
  return rule.plan === null ? rule.effect : 'require';
}

function sayOf(rule: CompiledRule, verdict: Verdict, rules: RuleSet, circumstances: Circumstances): Say {
  const sentences = (): ExplanationPart[][] => sentencesOf(rule, verdict, circumstances);
  const { limit } = rule;
  if (limit !== undefined && verdict.result === 'matched' && circumstances.input.exceeded?.includes(rule.id) === true) {
    const by = limit.exceedRule === undefined ? undefined : rules.byId.get(limit.exceedRule);
    const plan = by?.plan ?? null;
    return {
      effect: limit.on_exceed,
      rule,
      requirement: () => (plan === null || by === undefined ? (rules.defaults[rule.tier]?.require ?? null) : planned(plan, by, circumstances)),
      sentences: () => [[{ text: `The limit of the rule ${rule.id} is used up: ${limit.count} in ${spell(limit.per_seconds)}.` }]],
    };
  }
  const { plan } = rule;
  // A deny rule with a glass to break asks of those who may break it.
  if (plan === null) return { effect: rule.effect, rule, requirement: () => null, sentences };
  return { effect: 'require', rule, requirement: () => planned(plan, rule, circumstances), sentences };
}

function planned(plan: RequirementPlan, rule: CompiledRule, circumstances: Circumstances): Requirement {
  const { restricting } = sightOf(rule, circumstances);
  return requirementFor(plan, (condition) => conjunction(condition.conjuncts, restricting) === 'false');
}

function denial(because: readonly Say[], text: string): Decision {
  const [first, ...rest] = because;
  const say: Say = { effect: 'deny', requirement: () => null, sentences: () => [[{ text }]] };
  const as = (each: Say): Say => ({ ...each, effect: 'deny', requirement: () => null });
  return { effect: 'deny', deciding: first === undefined ? [say] : [as(first), ...rest.map(as), say], requirement: null };
}

function byDefault(defaults: TierDefaults): Say {
  const meaning = { allow: 'lets it pass', require: 'asks for people', deny: 'denies it' }[defaults.outcome];
  return {
    effect: defaults.outcome,
    requirement: () => (defaults.outcome === 'require' ? defaults.require : null),
    sentences: () => [[{ text: `No rule speaks of this action, and the bundle's default ${meaning}.` }]],
  };
}

/** What restricts a request whatever the rules say. A rule that allows does not lift it; rules that restrict add to it. */
function besideTheRules(resolved: Resolved, defaults: TierDefaults, above: Resolved | undefined): Say[] {
  const says: Say[] = [];
  const say = (effect: Effect, text: string): void =>
    void says.push({ effect, requirement: () => (effect === 'require' ? defaults.require : null), sentences: () => [[{ text }]] });
  // What a higher tier has said already is said by it.
  if (resolved.suspicion !== undefined && above?.suspicion === undefined) say('require', resolved.suspicion);
  const { undeclared, unexpected } = resolved;
  if (defaults.undeclared !== 'allow' && undeclared.length > 0)
    say(defaults.undeclared, `The ${undeclared.join(' and the ')} ${undeclared.length === 1 ? 'is' : 'are'} not declared in the policy's catalogue.`);
  if (unexpected.length > 0) say(defaults.unexpected, `The catalogue does not expect this ${unexpected.join(' and this ')} here.`);
  if (resolved.redefined && above?.redefined !== true) say('require', 'The definition of the tool is not one that this policy knows.');
  return says;
}

function addUp(says: readonly Say[]): Requirement | null {
  const requirements = says.flatMap((say) => say.requirement() ?? []);
  if (requirements.length < says.length) return null;
  // Folding in one order makes the answer independent of the order in the bundle.
  const sorted = requirements.map((requirement) => [JSON.stringify(requirement), requirement] as const).sort(([a], [b]) => compareText(a, b));
  return sorted.reduce<Requirement | null>((sum, [, requirement]) => (sum === null ? requirement : mergeRequirements(sum, requirement)), null);
}

export function limitsOf(deciding: readonly Say[], { input }: Circumstances): AppliedLimit[] {
  const limits = deciding.flatMap(({ rule }): AppliedLimit[] => {
    const limit = rule?.limit;
    if (rule === undefined || limit === undefined || input.exceeded?.includes(rule.id) === true) return [];
    const values = limit.by.map((path) => {
      const tokens = pathTokens(path);
      if (tokens[0] !== 'caller') return valueAt(input, tokens) ?? null;
      return Object.entries(input.caller ?? {}).find(([member]) => member === tokens[1])?.[1] ?? null;
    });
    const { count, per_seconds, on_exceed } = limit;
    return [{ rule: rule.id, key: digestOf({ rule: rule.id, by: [...limit.by], values }), count, per_seconds, on_exceed }];
  });
  return limits.sort((a, b) => compareText(a.rule, b.rule));
}

const UNEXPLAINED: Readonly<Record<Effect, string>> = { allow: 'lets this pass.', require: 'asks for people.', deny: 'denies this.' };

function sentencesOf(rule: CompiledRule, verdict: Verdict, circumstances: Circumstances): ExplanationPart[][] {
  const { resolved } = sightOf(rule, circumstances);
  const explained =
    rule.explain === undefined ? [{ text: `The rule ${rule.id} ${UNEXPLAINED[rule.effect]}` }] : fillTemplate(rule.explain, circumstances.input, resolved);
  return verdict.result === 'indeterminate' ? [explained, [{ text: `The rule ${rule.id} could not be checked: ${verdict.reason ?? ''}.` }]] : [explained];
}

function spell(seconds: number): string {
  for (const [one, many, size] of [
    ['a day', 'days', 86_400],
    ['an hour', 'hours', 3600],
    ['a minute', 'minutes', 60],
  ] as const) {
    if (seconds % size === 0) return seconds === size ? one : `${seconds / size} ${many}`;
  }
  return `${seconds} seconds`;
}

export const idsOf = (says: readonly Say[]): string[] => says.flatMap(({ rule }) => (rule === undefined ? [] : [rule.id])).sort(compareText);
