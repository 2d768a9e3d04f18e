import { counts, decide, idsOf, limitsOf, settle, type Judged, type RuleSet } from './combine.js';
import { detailsOf, outlineOf, traceOf } from './details.js';
import { joinSentences } from './explanation.js';
import { judge, type Circumstances } from './judge.js';
import { compareText } from './merge-requirements.js';
import type { RevealLayer } from './reveal.js';
import type { Evaluation, PolicyInput } from './types.js';

/**
 * Every rule is evaluated, the most restrictive effect wins, requirements add up. Order has no meaning anywhere. An
 * error counts as its own rule's effect if that restricts, and not at all if it allows.
 */
export function evaluate(input: PolicyInput, rules: RuleSet): Evaluation {
  const resolved = rules.catalogue.resolve(input);
  const circumstances: Circumstances = {
    input,
    now: Date.parse(input.now),
    sights: resolved.map((known) => {
      const view = rules.binder.bind(input, known);
      return { resolved: known, restricting: view(known.labels), loosening: view(known.vouchedLabels) };
    }),
  };
  rules.engine.refill();
  const judged = settle(
    rules.forAction(input.action).map((rule) => ({ rule, verdict: judge(rule, circumstances) })),
    circumstances,
  );
  const { effect, deciding, requirement } = decide(judged, rules, circumstances, (rule) => !rule.shadow);
  const shadowed = judged.filter(({ rule, verdict }) => rule.shadow && counts(rule, verdict)).map(({ rule }) => rule.id);
  const counted = judged.filter(({ rule, verdict }) => !rule.shadow && counts(rule, verdict)).map(({ rule }) => rule);
  // The lowest tier's catalogue knows what all of them know.
  const known = resolved.at(-1);
  const { conflict } = known ?? {};
  let [trace, outline, details]: [Evaluation['trace']?, Evaluation['outline']?, Evaluation['details']?] = [];
  const outlined = (): Evaluation['outline'] => (outline ??= outlineOf(rules, circumstances, judged, deciding));
  return {
    effect,
    rules: idsOf(deciding),
    requirement,
    resolved: {
      labels: Object.fromEntries([...(known?.labels ?? [])].sort(([a], [b]) => compareText(a, b))),
      ...(known?.environment === undefined ? {} : { environment: known.environment }),
      reversibility: known?.reversibility ?? 'irreversible',
    },
    catalogued: { data_classes: [...(known?.dataClasses ?? [])], ...(known?.owner === undefined ? {} : { owner: known.owner }) },
    ...(conflict === undefined ? {} : { environmentConflict: conflict }),
    maskPaths: sortedUnion(counted.map(({ masks }) => masks)),
    mustShow: sortedUnion(counted.map(({ mustShow }) => mustShow)),
    reveal: revealOf(judged, rules),
    explanation: joinSentences(deciding.flatMap((say) => say.sentences())),
    shadow: { rules: shadowed.sort(compareText), effect: shadowed.length === 0 ? effect : decide(judged, rules, circumstances, () => true).effect },
    limits: limitsOf(deciding, circumstances),
    get trace() {
      return (trace ??= traceOf(rules, circumstances, judged));
    },
    get outline() {
      return outlined();
    },
    get details() {
      return (details ??= detailsOf(rules, circumstances, judged, outlined()));
    },
  };
}

/** A rule that could not be checked may narrow who sees something, and takes no default's place. */
function revealOf(judged: readonly Judged[], rules: RuleSet): RevealLayer[] {
  const saying = judged.filter(({ rule, verdict }) => !rule.shadow && rule.reveal !== undefined && counts(rule, verdict));
  const spoken = new Set(saying.filter(({ verdict }) => verdict.result === 'matched').map(({ rule }) => rule.tier));
  return [
    ...saying.flatMap(({ rule }) => (rule.reveal === undefined ? [] : [rule.reveal])),
    ...rules.defaults.flatMap(({ reveal }, tier) => (spoken.has(tier) ? [] : reveal)),
  ];
}

function sortedUnion(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort(compareText);
}
