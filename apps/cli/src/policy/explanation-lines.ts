import type { EvaluationExplanation } from '@countersign/contracts';

/** An explanation for people, a line each. */
export function explanationLines({ effect, policy, policy_digest, at, resolved, rules, other_rules, beside, shadow }: EvaluationExplanation): string[] {
  const names = policy.map(({ name, version, tier }) => `${name} ${version}${tier === undefined ? '' : ` (${tier})`}`).join(' + ');
  return [
    `${effect.toUpperCase()}  by ${names}, ${policy_digest}, as of ${at}`,
    `  environment ${resolved.environment ?? 'not given'}, ${resolved.reversibility}, labels ${JSON.stringify(resolved.labels)}`,
    ...rules.flatMap((rule) => [
      `  ${rule.decided ? '▸' : ' '} ${rule.rule} (${rule.effect}${rule.mode === 'shadow' ? ', shadow' : ''}): ${RESULT[rule.result]}${rule.reason === undefined ? '' : `, ${rule.reason}`}`,
      ...rule.conditions.flatMap(({ role, of, condition, truth, values, otherwise }) => [
        `      ${role}${of === undefined ? '' : ` ${of}:`} ${condition} → ${truth}${otherwise === undefined ? '' : `; were it ${otherwise.truth}: ${otherwise.effect}`}`,
        ...values.map(({ path, value, masked }) => `        ${path} = ${value ?? 'missing'}${masked === undefined ? '' : ' (masked)'}`),
      ]),
    ]),
    ...beside.map(({ effect: own, text, decided }) => `  ${decided ? '▸' : ' '} ${text} (${own})`),
    ...(other_rules === 0 ? [] : [`    ${other_rules} rules are for other actions`]),
    ...(shadow.rules.length === 0 ? [] : [`    in shadow mode: ${shadow.rules.join(', ')} would make it ${shadow.effect}`]),
  ];
}

const RESULT = { matched: 'matches', not_matched: 'does not match', indeterminate: 'could not be checked' } as const;
