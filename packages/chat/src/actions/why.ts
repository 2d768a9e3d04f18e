import type { EvaluationExplanation } from '@countersign/contracts';
import { personMayRead, refuse } from '@countersign/core/decision';
import { explainRequest } from '@countersign/core/flow';
import { count, cut, oneLine } from '../cards/card-words.js';
import { type ActionHandler } from './road.js';

/**
 * Why policy said what it said, from the same structure as in the API, the console and the ledger's digest. It is worked out when somebody asks,
 * for it costs more than the evaluation; values stand in it masked.
 */
export const whyAction: ActionHandler = {
  async form({ world, person, state, card }) {
    if (!personMayRead(person, state)) return refuse('not_found', 'Who may decide the request, or is behind it, sees why policy asks.');
    const explanation = await explainRequest(world.flow, state.request);
    if (explanation === null) return { kind: 'done', text: 'No policy speaks of this request, or what it asked for was erased.', card: null };
    return {
      action: 'why',
      title: 'Why policy said so',
      intro: [card.headline, ...whyLines(explanation), `Each rule and condition: ${card.url}`],
      fields: [],
      submit: 'Close',
      subject: null,
    };
  },
  done: async ({ card }) => ({ kind: 'done', text: `Nothing was changed. Each rule and condition stands on the request's page: ${card.url}`, card: null }),
};

/** How many rules, and parts of their conditions, a message lists. */
const MOST_RULES = 8;
const MOST_CONDITIONS = 10;

/** A paragraph a rule: those that have a say, those that decided first. */
export function whyLines({ effect, policy, rules, other_rules, beside, resolved, shadow }: EvaluationExplanation): string[] {
  const spoke = rules.filter(({ result }) => result !== 'not_matched').toSorted((a, b) => Number(b.decided) - Number(a.decided));
  const silent = rules.length - spoke.length;
  return [
    `${EFFECTS[effect]} by ${policy.map(({ name, version }) => `${name} ${String(version)}`).join(' + ')}. It is ${resolved.reversibility}; environment: ${resolved.environment ?? 'not given'}.`,
    ...spoke.slice(0, MOST_RULES).map(ruleLines),
    ...(spoke.length > MOST_RULES ? [`and ${count(spoke.length - MOST_RULES)} more rules that have a say`] : []),
    ...beside.map(({ text, decided }) => `${oneLine(text)}${decided ? ' This decided.' : ''}`),
    ...(silent === 0 ? [] : [`${count(silent)} ${silent === 1 ? 'rule' : 'rules'} for this action ${silent === 1 ? 'does' : 'do'} not match.`]),
    ...(other_rules === 0 ? [] : [`${count(other_rules)} ${other_rules === 1 ? 'rule is' : 'rules are'} for other actions.`]),
    ...(shadow.rules.length === 0 ? [] : [`In shadow mode: ${shadow.rules.join(', ')} would make it: ${EFFECTS[shadow.effect].toLowerCase()}.`]),
  ];
}

const EFFECTS = { allow: 'Passes', require: 'Needs people', deny: 'Is denied' } as const;
const TRUTHS = { true: 'true', false: 'false', error: 'could not be computed' } as const;

function ruleLines({ rule, effect, mode, result, decided, reason, conditions }: EvaluationExplanation['rules'][number]): string {
  const how = result === 'matched' ? 'matches' : `could not be checked${reason === undefined ? '' : ` (${oneLine(reason)})`}`;
  const head = `${decided ? '▸ ' : ''}${rule} (${effect}${mode === 'shadow' ? ', in shadow mode' : ''}) ${how}${decided ? ', and decided' : ''}`;
  const parts = conditions.slice(0, MOST_CONDITIONS).map(({ role, of, condition, truth, values, otherwise }) => {
    const read = values.map(
      ({ path, value, masked }) => `${path} = ${value === null ? 'missing' : oneLine(cut(value, 80))}${masked === undefined ? '' : ' (masked)'}`,
    );
    const other = otherwise === undefined ? '' : ` — were it ${otherwise.truth}: ${EFFECTS[otherwise.effect].toLowerCase()}`;
    return `    ${role}${of === undefined ? '' : ` ${of}`}: ${oneLine(cut(condition, 200))} is ${TRUTHS[truth]}${read.length === 0 ? '' : ` (${read.join(', ')})`}${other}`;
  });
  const more = conditions.length > MOST_CONDITIONS ? [`    and ${count(conditions.length - MOST_CONDITIONS)} more conditions`] : [];
  return [head, ...parts, ...more].join('\n');
}
