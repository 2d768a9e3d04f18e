import type { Effect } from '@countersign/contracts';
import { canonicalJson } from '../../../request/index.js';
import { compileGlob, globsOverlap, matchesGlob } from '../../globs.js';
import { mergeRequirements } from '../../merge-requirements.js';
import type { CompiledBundle, PolicyInput, RuleInfo } from '../../types.js';
import { allOf, alternativesOf, anyOf, type Conjunction } from './atoms.js';
import { implies, isImpossible } from './domains.js';
import { findGaps, type Gap } from './gaps.js';
import { witnessOf } from './witness.js';

/** What can be said of a bundle without any request. */
export interface Analysis {
  /** Rules whose conditions contradict themselves: a proof. A rule that restricts still counts where it cannot be computed. */
  never: { rule: string; why: string }[];
  /** Rules that add nothing, since wherever they match another one demands as much or more: a proof. */
  covered: { rule: string; by: string; effect: Effect }[];
  /** Rules that allow what another one restricts. `witness` is a request on which both match, tried; null where only none was excluded. */
  conflicts: { rule: string; with: string; effect: Effect; witness: PolicyInput | null }[];
  gaps: Gap[];
  /** How many pairs of rules were compared. */
  pairs: number;
}

/** A rule with the alternatives under which it matches; null where they may be anything. */
interface Region {
  rule: RuleInfo;
  alternatives: Conjunction[] | null;
}

/**
 * Reads a bundle for rules that never match, rules that others cover, rules that allow what others restrict, and requests of which no rule
 * speaks. What it reports as never or covered is proved; conflicts without a witness may be none.
 */
export function analyze(bundle: CompiledBundle, now: string): Analysis {
  const regions = bundle.rules.map((rule): Region => ({ rule, alternatives: regionOf(rule) }));
  const dead = new Set(regions.filter(({ alternatives }) => alternatives?.length === 0).map(({ rule }) => rule.id));
  const living = regions.filter(({ rule }) => !dead.has(rule.id) && rule.mode === 'enforce');
  const exempted = new Set(bundle.rules.flatMap(({ document }) => document.exempts ?? []));
  const covered: Analysis['covered'] = [];
  const conflicts: Analysis['conflicts'] = [];
  let pairs = 0;
  for (const a of living) {
    for (const b of living) {
      if (a === b || b.rule.effect === 'allow') continue;
      pairs += 1;
      if (!exempted.has(b.rule.id) && covers(b, a, covered)) covered.push({ rule: a.rule.id, by: b.rule.id, effect: b.rule.effect });
      if (a.rule.effect !== 'allow' || a.rule.document.exempts?.includes(b.rule.id) === true || !scopesOverlap(a.rule, b.rule)) continue;
      const both = allOf([a.alternatives, b.alternatives])?.filter((conjunction) => !isImpossible(conjunction));
      if (both?.length === 0) continue;
      conflicts.push({ rule: a.rule.id, with: b.rule.id, effect: b.rule.effect, witness: witnessOf(bundle, a.rule, b.rule, both ?? [], now) });
    }
  }
  return {
    never: [...dead].map((rule) => ({ rule, why: 'its conditions contradict each other, so they are never all true' })),
    covered,
    conflicts,
    gaps: findGaps(bundle, now),
    pairs,
  };
}

/** Where `when` is true and `unless` is not; an `unless` that cannot be computed exempts nobody, so it is left out where it is opaque. */
function regionOf(rule: RuleInfo): Conjunction[] | null {
  const of = (role: 'when' | 'unless') => rule.conditions.filter((condition) => condition.role === role).map(({ expr }) => expr);
  const when = allOf(of('when').map((expr) => alternativesOf(expr)));
  const exempting = of('unless');
  // Not exempt: one of its parts is false, or cannot be computed. The latter is why the rule's region is `when` alone where paths may be absent.
  const contradictsItself = exempting.length > 0 && when !== null && when.length > 0 && everyExempt(when, exempting);
  return contradictsItself ? [] : (when?.filter((conjunction) => !isImpossible(conjunction)) ?? null);
}

/** Whether all that `when` lets through is exempt. */
function everyExempt(when: readonly Conjunction[], exempting: Parameters<typeof alternativesOf>[0][]): boolean {
  const unless = allOf(exempting.map((expr) => alternativesOf(expr)));
  return unless !== null && when.every((conjunction) => isImpossible(conjunction) || unless.some((other) => implies(conjunction, other)));
}

/** Whether `b` demands as much as `a` or more wherever `a` matches. Of two that cover each other one stays. */
function covers(b: Region, a: Region, already: Analysis['covered']): boolean {
  const [wide, narrow] = [b.rule, a.rule];
  if (!demandsAsMuch(wide, narrow) || !scopeWithin(narrow, wide)) return false;
  if (already.some(({ rule, by }) => rule === wide.id && by === narrow.id)) return false;
  // An exemption makes holes in what it covers.
  if (wide.document.unless !== undefined) return false;
  if (b.alternatives === null) return false;
  const everything = anyOf([b.alternatives])?.some((conjunction) => conjunction.length === 0) === true;
  if (everything) return true;
  return a.alternatives !== null && a.alternatives.every((conjunction) => b.alternatives?.some((other) => implies(conjunction, other)));
}

function demandsAsMuch(wide: RuleInfo, narrow: RuleInfo): boolean {
  if (narrow.effect === 'deny' && wide.effect !== 'deny') return false;
  // Glass that can be broken denies not quite.
  if (wide.document.break_glass !== undefined) return false;
  if (wide.effect === 'deny') return true;
  if (narrow.effect === 'allow' || narrow.requirement === null || wide.requirement === null) return narrow.effect === 'allow';
  const stages = wide.document.require?.stages ?? [];
  if (stages.some(({ when }) => when !== undefined)) return false;
  const shows = (list: readonly string[] | undefined, of: readonly string[] | undefined): boolean => (list ?? []).every((path) => (of ?? []).includes(path));
  if (!shows(narrow.document.masks, wide.document.masks) || !shows(narrow.document.must_show, wide.document.must_show)) return false;
  if (narrow.document.reveal !== undefined) return false;
  return canonicalJson(mergeRequirements(narrow.requirement, wide.requirement)) === canonicalJson(wide.requirement);
}

/** Whether each request in the scope of `a` is in that of `b`, which restricts: it matches names in any case of letters. */
function scopeWithin(a: RuleInfo, b: RuleInfo): boolean {
  const within = (narrow: readonly string[] | undefined, wide: readonly string[] | undefined): boolean => {
    if (wide === undefined) return true;
    // A star of the narrow pattern can only be matched by one of the wide one.
    return narrow !== undefined && narrow.every((each) => wide.some((other) => matchesGlob(compileGlob(other.toLowerCase()), each.toLowerCase())));
  };
  return (
    within(a.actions, b.actions) && within(a.document.resource_types, b.document.resource_types) && within(a.document.environments, b.document.environments)
  );
}

function scopesOverlap(a: RuleInfo, b: RuleInfo): boolean {
  const overlap = (left: readonly string[] | undefined, right: readonly string[] | undefined): boolean =>
    left === undefined || right === undefined || left.some((one) => right.some((other) => globsOverlap(one.toLowerCase(), other.toLowerCase())));
  return (
    overlap(a.actions, b.actions) && overlap(a.document.resource_types, b.document.resource_types) && overlap(a.document.environments, b.document.environments)
  );
}
