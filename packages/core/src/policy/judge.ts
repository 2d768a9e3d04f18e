import type { Effect } from '@countersign/contracts';
import type { Resolved } from './catalogue.js';
import type { Bindings } from './condition/bindings.js';
import type { Condition, Conjunct } from './condition/condition.js';
import { pinnedBits, type Backing } from './condition/provenance.js';
import type { Template } from './explanation.js';
import { matchesGlob, type Glob } from './globs.js';
import type { RequirementPlan } from './requirement.js';
import type { RevealLayer } from './reveal.js';
import type { PolicyInput, RuleInfo, RuleTrace, Truth } from './types.js';

/** A rule, ready to be evaluated. */
export interface CompiledRule {
  readonly id: string;
  readonly effect: Effect;
  readonly shadow: boolean;
  readonly bundle: string;
  /** The position of its tier among those that are there, the highest first. */
  readonly tier: number;
  /** The rule's names and patterns; folded to small letters where the rule is one of deny or require. */
  readonly resourceTypes: readonly Glob[] | undefined;
  readonly environments: readonly Glob[] | undefined;
  readonly when: Condition | undefined;
  readonly unless: Condition | undefined;
  /** Whether the author wrote that the rule may believe the caller. */
  readonly trusts: boolean;
  /** Whether scope and `when`, and `unless`, may loosen, by what of a request is pinned. */
  readonly backing: { readonly when: Backing; readonly unless: Backing };
  /** Rules that do not hold where this one matches. */
  readonly exempts: readonly string[];
  /** Milliseconds since 1970 from which on it does not match. */
  readonly expires: number | undefined;
  readonly limit: CompiledLimit | undefined;
  readonly explain: Template | undefined;
  /** Not null where the effect is require, or deny with a glass to break. */
  readonly plan: RequirementPlan | null;
  readonly masks: readonly string[];
  readonly mustShow: readonly string[];
  /** Undefined where the rule says nothing of it. */
  readonly reveal: RevealLayer | undefined;
  readonly info: RuleInfo;
}

export interface CompiledLimit {
  readonly count: number;
  readonly per_seconds: number;
  readonly by: readonly string[];
  readonly on_exceed: 'require' | 'deny';
  readonly exceedRule: string | undefined;
}

/** One request as the rules of one tier see it. */
export interface Sight {
  readonly resolved: Resolved;
  /** With the labels that the caller adds: for conditions that restrict. */
  readonly restricting: Bindings;
  /** With the catalogue's labels alone: for conditions that loosen. */
  readonly loosening: Bindings;
}

export interface Circumstances {
  readonly input: PolicyInput;
  /** By tier, the highest first. */
  readonly sights: readonly Sight[];
  readonly now: number;
}

export interface Verdict {
  readonly result: RuleTrace['result'];
  readonly reason?: string;
}

/** How the truth of a conjunct is found; an explanation puts another one in the place of this. */
export type TruthOf = (conjunct: Conjunct, bindings: Bindings) => Truth;

export const truthOf: TruthOf = (conjunct, bindings) => conjunct.truth(bindings);

const UNBACKED = 'what it goes by is only what the caller says';

/** How a rule comes out by itself, before others exempt it. */
export function judge(rule: CompiledRule, circumstances: Circumstances, of: TruthOf = truthOf): Verdict {
  const sight = sightOf(rule, circumstances);
  const outside = outsideScope(rule, circumstances.input, sight.resolved) ?? expiredAt(rule, circumstances.now);
  if (outside !== undefined) return { result: 'not_matched', reason: outside };
  const bindings = whenBindings(rule, sight);
  const when = conjunctionOf(rule.when, bindings, of);
  if (when === 'false') return { result: 'not_matched' };
  const unless = unlessTruth(rule, circumstances, sight, of);
  // An exemption that is certain ends the matter, whatever `when` is; one that cannot be checked exempts nobody.
  if (unless === 'true') return { result: 'not_matched', reason: 'exempted by its unless' };
  if (when === 'true' && unless === 'false') {
    return rule.effect === 'allow' && !isBacked(rule, 'when', circumstances, sight) ? { result: 'indeterminate', reason: UNBACKED } : { result: 'matched' };
  }
  return { result: 'indeterminate', reason: whyNot(rule, sight, of) };
}

/** Whether a rule that came out so exempts those that it names: only for certain, and not on the caller's word. */
export function exemptsNow(rule: CompiledRule, verdict: Verdict, circumstances: Circumstances, of: TruthOf = truthOf): boolean {
  if (rule.exempts.length === 0 || verdict.result !== 'matched' || circumstances.input.exceeded?.includes(rule.id) === true) return false;
  const sight = sightOf(rule, circumstances);
  const bindings = rule.trusts ? sight.restricting : sight.loosening;
  // An environment that nobody named is in the scope of rules that restrict; that is no reason to loosen.
  if (rule.environments !== undefined && sight.resolved.environment === undefined) return false;
  return conjunctionOf(rule.when, bindings, of) === 'true' && isBacked(rule, 'when', circumstances, sight);
}

export function sightOf(rule: CompiledRule, { sights }: Circumstances): Sight {
  const sight = sights[rule.tier];
  if (sight === undefined) throw new RangeError('a rule of a tier that is not there');
  return sight;
}

/** A condition that loosens sees the catalogue's labels alone, unless its author trusts the caller. */
export const whenBindings = (rule: CompiledRule, sight: Sight): Bindings => (rule.effect === 'allow' && !rule.trusts ? sight.loosening : sight.restricting);
/** To be exempted from a rule that allows is to be restricted. */
export const unlessBindings = (rule: CompiledRule, sight: Sight): Bindings => (rule.trusts || rule.effect === 'allow' ? sight.restricting : sight.loosening);

function unlessTruth(rule: CompiledRule, circumstances: Circumstances, sight: Sight, of: TruthOf): Truth {
  if (rule.unless === undefined) return 'false';
  const truth = conjunctionOf(rule.unless, unlessBindings(rule, sight), of);
  // For a rule that allows, to be exempted is to be restricted: that needs no backing.
  return truth === 'true' && rule.effect !== 'allow' && !isBacked(rule, 'unless', circumstances, sight) ? 'error' : truth;
}

function isBacked(rule: CompiledRule, what: 'when' | 'unless', { input }: Circumstances, { resolved }: Sight): boolean {
  return rule.trusts || rule.backing[what][pinnedBits(input.verified?.includes('actor') === true, resolved.environmentPinned)] === true;
}

/** False where one part is, else an error where one part is, else true. */
export function conjunctionOf(condition: Condition | undefined, bindings: Bindings, of: TruthOf): Truth {
  let truth: Truth = 'true';
  for (const conjunct of condition?.conjuncts ?? []) {
    const part = of(conjunct, bindings);
    if (part === 'false') return 'false';
    if (part === 'error') truth = 'error';
  }
  return truth;
}

/** Why a rule's scope leaves a request out, or undefined. An absent environment is in the scope of deny and require, never of allow. */
export function outsideScope(rule: CompiledRule, input: PolicyInput, resolved: Resolved): string | undefined {
  const spell = rule.effect === 'allow' ? (name: string) => name : fold;
  if (rule.resourceTypes !== undefined && !anyMatches(rule.resourceTypes, spell(input.resource.type))) return 'another resource type';
  if (rule.environments === undefined) return undefined;
  if (resolved.environment === undefined) return rule.effect === 'allow' ? 'no environment was given' : undefined;
  return anyMatches(rule.environments, spell(resolved.environment)) ? undefined : 'another environment';
}

function expiredAt(rule: CompiledRule, now: number): string | undefined {
  // A time that is not known (NaN) is not before it either.
  return rule.expires === undefined || now < rule.expires ? undefined : 'it has expired';
}

/** Rules that restrict match names in any case: `Data.Export` must not slip past `data.export`. Rules that allow match exactly. */
export function fold(name: string): string {
  return name.toLowerCase();
}

function anyMatches(globs: readonly Glob[], name: string): boolean {
  return globs.some((glob) => matchesGlob(glob, name));
}

function whyNot(rule: CompiledRule, sight: Sight, of: TruthOf): string {
  for (const [condition, bindings] of [
    [rule.when, whenBindings(rule, sight)],
    [rule.unless, unlessBindings(rule, sight)],
  ] as const) {
    const failing = condition?.conjuncts.find((conjunct) => of(conjunct, bindings) === 'error');
    if (failing !== undefined) return failing.whyNot(bindings);
  }
  return rule.unless === undefined ? 'its conditions cannot be computed from the values of this request' : `its exemption does not count: ${UNBACKED}`;
}
