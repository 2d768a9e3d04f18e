import type { Effect, JsonValue } from '@countersign/contracts';
import { childPointer, type JsonPointer } from '../request/index.js';
import { valueAt } from './catalogue.js';
import { conjunction, type Condition, type Conjunct } from './condition/condition.js';
import { writePath, type ReadPath } from './condition/paths.js';
import type { Bindings } from './condition/bindings.js';
import { counts, effectOfRule, RANK, saysOf, settle, strictest, type Judged, type RuleSet, type Say } from './combine.js';
import { pathTokens } from './explanation.js';
import { judge, outsideScope, sightOf, unlessBindings, whenBindings, type Circumstances, type CompiledRule, type Sight, type TruthOf } from './judge.js';
import type { ConditionDetail, ConditionRole, EvaluationDetails, EvaluationOutline, ReadValue, RuleDetail, RuleTrace, Truth } from './types.js';

/** Every rule of the policy and how it came out. */
export function traceOf(rules: RuleSet, circumstances: Circumstances, judged: readonly Judged[]): RuleTrace[] {
  rules.engine.refill();
  const known = new Map(judged.map((each) => [each.rule, each.verdict]));
  return rules.all.map((rule): RuleTrace => {
    const base = { rule: rule.id, effect: rule.effect };
    const verdict = known.get(rule);
    if (verdict === undefined) return { ...base, result: 'not_matched', reason: 'another action', conjuncts: [] };
    const sight = sightOf(rule, circumstances);
    const outside = outsideScope(rule, circumstances.input, sight.resolved) !== undefined;
    const bindings = whenBindings(rule, sight);
    return {
      ...base,
      ...verdict,
      conjuncts:
        outside || rule.when === undefined
          ? []
          : rule.when.conjuncts.map((conjunct): { condition: string; truth: Truth } => ({ condition: conjunct.text, truth: conjunct.truth(bindings) })),
      ...(outside || rule.unless === undefined
        ? {}
        : { unless: { condition: rule.unless.text, truth: conjunction(rule.unless.conjuncts, unlessBindings(rule, sight)) } }),
    };
  });
}

/** How many conditions are tried the other way round; beyond it an explanation only says what was true. */
const MAX_FLIPS = 200;

/** How each rule came out, and what beside the rules had a say. No condition is looked at again. */
export function outlineOf(rules: RuleSet, circumstances: Circumstances, judged: readonly Judged[], deciding: readonly Say[]): EvaluationOutline {
  const decided = new Set(deciding.map(({ rule }) => rule?.id));
  const says = saysOf(judged, rules, circumstances, (rule) => !rule.shadow);
  const worst = strictest(says);
  return {
    rules: judged.map(({ rule, verdict }) => ({
      rule: rule.id,
      bundle: rule.bundle,
      effect: rule.effect,
      mode: rule.shadow ? 'shadow' : 'enforce',
      result: verdict.result,
      decided: decided.has(rule.id) && counts(rule, verdict),
      ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    })),
    other_rules: rules.all.length - judged.length,
    beside: says
      .filter(({ rule }) => rule === undefined)
      .map((say) => ({
        effect: say.effect,
        text: say
          .sentences()
          .flat()
          .map((part) => ('text' in part ? part.text : ''))
          .join(''),
        decided: say.effect === worst,
      })),
  };
}

/** Everything about an evaluation: what each condition read, what it was, and what would have come of it otherwise. */
export function detailsOf(rules: RuleSet, circumstances: Circumstances, judged: readonly Judged[], outline: EvaluationOutline): EvaluationDetails {
  rules.engine.refill();
  const truths = new Map<Conjunct, Map<Bindings, Truth>>();
  const known: TruthOf = (conjunct, bindings) => {
    const of = truths.get(conjunct) ?? new Map<Bindings, Truth>();
    truths.set(conjunct, of);
    const truth = of.get(bindings) ?? conjunct.truth(bindings);
    of.set(bindings, truth);
    return truth;
  };
  const raw = judged.map(({ rule }): Judged => ({ rule, verdict: judge(rule, circumstances, known) }));
  const effectIf = whatIf(raw, rules, circumstances);
  const unchanged = new Map<CompiledRule, Effect>();
  let flips = 0;

  const otherwise = (rule: CompiledRule, conjunct: Conjunct, truth: 'true' | 'false'): ConditionDetail['otherwise'] => {
    if (++flips > MAX_FLIPS) return undefined;
    const flipped: TruthOf = (each, bindings) => (each === conjunct ? truth : known(each, bindings));
    const effect = effectIf(rule, flipped);
    const asIs = unchanged.get(rule) ?? effectIf(rule, known);
    unchanged.set(rule, asIs);
    return effect === asIs ? undefined : { truth, effect };
  };

  /** Of a rule that is counted, also what its stages and channels depend on. */
  const conditionsOf = (rule: CompiledRule, counted: boolean): ConditionDetail[] => {
    const sight = sightOf(rule, circumstances);
    const outside = outsideScope(rule, circumstances.input, sight.resolved) !== undefined;
    const of = (role: ConditionRole, condition: Condition | undefined, bindings: Bindings): ConditionDetail[] =>
      outside
        ? []
        : (condition?.conjuncts ?? []).map((conjunct) => {
            const truth = known(conjunct, bindings);
            const other =
              truth === 'true'
                ? otherwise(rule, conjunct, 'false')
                : (otherwise(rule, conjunct, 'true') ?? (truth === 'error' ? otherwise(rule, conjunct, 'false') : undefined));
            return {
              role,
              condition: conjunct.text,
              truth,
              reads: conjunct.reads.map((read) => readValue(read, sight, bindings === sight.loosening, circumstances)),
              ...(other === undefined ? {} : { otherwise: other }),
            };
          });
    return [
      ...of('when', rule.when, whenBindings(rule, sight)),
      ...of('unless', rule.unless, unlessBindings(rule, sight)),
      ...(counted ? askedOf(rule, sight) : []),
    ];
  };

  /** The conditions of the stages and channels of what the rule asks for, by the same labels as the requirement. They never change the effect. */
  const askedOf = ({ plan }: CompiledRule, { restricting, ...sight }: Sight): ConditionDetail[] => {
    const of = (role: 'stage' | 'channel', name: string, when: Condition | undefined): ConditionDetail[] =>
      (when?.conjuncts ?? []).map((conjunct) => ({
        role,
        of: name,
        condition: conjunct.text,
        truth: known(conjunct, restricting),
        reads: conjunct.reads.map((read) => readValue(read, { restricting, ...sight }, false, circumstances)),
      }));
    return [
      ...(plan?.stages ?? []).flatMap(({ stage, when }) => of('stage', stage.name, when)),
      ...(plan?.channels ?? []).flatMap(({ channel, when }) => of('channel', Object.entries(channel).flat().join(' '), when)),
    ];
  };
  // The outline has the rules that were judged, in their order.
  return {
    ...outline,
    rules: judged.flatMap(({ rule, verdict }, index): RuleDetail[] => {
      const outlined = outline.rules[index];
      return outlined === undefined ? [] : [{ ...outlined, conditions: conditionsOf(rule, counts(rule, verdict)) }];
    }),
  };
}

/**
 * The effect of the whole policy if the conditions of one rule were as `of` says; a rule in shadow mode is taken as if it were
 * enforced. Without exemptions between rules it is counted, not evaluated again: rules may be many, and conditions more.
 */
function whatIf(raw: readonly Judged[], rules: RuleSet, circumstances: Circumstances): (rule: CompiledRule, of: TruthOf) => Effect {
  if (raw.some(({ rule }) => rule.exempts.length > 0)) {
    return (rule, of) => {
      const again = raw.map((each): Judged => (each.rule === rule ? { rule, verdict: judge(rule, circumstances, of) } : each));
      return strictest(saysOf(settle(again, circumstances, of), rules, circumstances, (each) => !each.shadow || each === rule));
    };
  }
  const byEffect: Record<Effect, number> = { allow: 0, require: 0, deny: 0 };
  const spoken = rules.defaults.map(() => 0);
  const count = ({ rule, verdict }: Judged, by: 1 | -1): void => {
    if (!counts(rule, verdict)) return;
    byEffect[effectOfRule(rule, verdict, circumstances)] += by;
    if (verdict.result === 'matched') spoken[rule.tier] = (spoken[rule.tier] ?? 0) + by;
  };
  for (const each of raw) if (!each.rule.shadow) count(each, 1);
  const beside = strictest(saysOf([], { ...rules, defaults: rules.defaults.map((own) => ({ ...own, outcome: 'allow' })) }, circumstances, () => false));
  const verdicts = new Map(raw.map((each) => [each.rule, each]));
  return (rule, of) => {
    const before = rule.shadow ? undefined : verdicts.get(rule);
    const now: Judged = { rule, verdict: judge(rule, circumstances, of) };
    if (before !== undefined) count(before, -1);
    count(now, 1);
    const effects = (['allow', 'require', 'deny'] as const).filter((effect) => byEffect[effect] > 0);
    rules.defaults.forEach(({ outcome }, tier) => {
      if ((spoken[tier] ?? 0) === 0) effects.push(outcome);
    });
    count(now, -1);
    if (before !== undefined) count(before, 1);
    return [...effects, beside].reduce<Effect>((worst, effect) => (RANK[effect] > RANK[worst] ? effect : worst), 'allow');
  };
}

/** The value at a path that a condition read: where it stands in the request, or, if the request does not say it, what it is. */
function readValue({ steps, tested }: ReadPath, sight: Sight, loosening: boolean, { input }: Circumstances): ReadValue {
  const path = tested ? `has(${writePath(steps)})` : writePath(steps);
  const [root = '', member = ''] = steps;
  const { resolved } = sight;
  const known = (value: JsonValue | undefined): ReadValue => (value === undefined ? { path, missing: true } : { path, known: value });
  switch (root) {
    case 'now':
      return known(input.now);
    case 'reversibility':
      return known(resolved.reversibility);
    case 'environment':
      return resolved.environment === input.environment && input.environment !== undefined ? { path, pointer: '/environment' } : known(resolved.environment);
    case 'caller':
      return known(within(input.caller as JsonValue | undefined, steps.slice(1)));
    case 'windows': {
      const inside = sight.restricting.values[`@window_${member}`];
      return known(typeof inside === 'boolean' ? inside : undefined);
    }
    case 'facts': {
      const fact = resolved.facts.get(member);
      const result = fact?.result();
      if (fact === undefined || result === undefined || 'error' in result) return { path, missing: true };
      const value = within(result.value, steps.slice(2));
      return value === undefined ? { path, missing: true } : { path, derived: value, from: fact.from.map((from) => pointerTo(pathTokens(from))) };
    }
    case 'resource': {
      if (member === 'labels' && steps.length > 2) {
        const label = steps[2] ?? '';
        const given = input.resource.labels;
        if (resolved.vouchedLabels.has(label)) return known(resolved.vouchedLabels.get(label));
        // A condition that loosens does not see what the caller adds.
        return !loosening && given !== undefined && Object.hasOwn(given, label) ? { path, pointer: pointerTo(steps) } : { path, missing: true };
      }
      if (member === 'data_classes') return known([...resolved.dataClasses]);
      if (member === 'owner') return known(resolved.owner);
      if (member === 'declared') return known(resolved.declaredResource);
      break;
    }
    default:
  }
  return valueAt(input, steps) === undefined ? { path, missing: true } : { path, pointer: pointerTo(steps) };
}

const pointerTo = (steps: readonly string[]): JsonPointer => steps.reduce<JsonPointer>((parent, step) => childPointer(parent, step), '');

function within(root: JsonValue | undefined, steps: readonly string[]): JsonValue | undefined {
  let value = root;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as { [member: string]: JsonValue })[step];
  }
  return value;
}
