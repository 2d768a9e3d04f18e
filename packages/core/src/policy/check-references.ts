import { childPointer } from '../request/index.js';
import type { PlacedBundle } from './compile.js';
import type { CompiledRule } from './judge.js';
import { didYouMean } from './nearest-name.js';

/** Holds what rules say of each other against the rules that there are: ids, exemptions, rules beyond a limit. */
export function checkReferences(bundles: readonly PlacedBundle[], rules: readonly CompiledRule[]): void {
  const byId = new Map<string, CompiledRule>();
  for (const { document, report, name } of bundles) {
    (document.rules ?? []).forEach(({ id }, index) => {
      const other = byId.get(id);
      const own = rules.find((rule) => rule.id === id && rule.bundle === name);
      if (other !== undefined)
        report(
          `${childPointer('/rules', index)}/id`,
          `there are two rules with the id "${id}"${other.bundle === name ? '' : `; the other is in the bundle ${other.bundle}`}`,
        );
      else if (own !== undefined) byId.set(id, own);
    });
  }
  for (const { document, report, name } of bundles) {
    (document.rules ?? []).forEach((rule, index) => {
      const pointer = childPointer('/rules', index);
      const own = byId.get(rule.id);
      if (own === undefined || own.bundle !== name) return;
      rule.exempts?.forEach((id, at) => {
        const target = byId.get(id);
        const place = `${pointer}/exempts/${at}`;
        if (target === undefined) report(place, `there is no rule "${id}"`, didYouMean(id, byId.keys()));
        else if (target === own) report(place, 'a rule does not exempt from itself', { hint: 'write unless' });
        else if (target.effect === 'allow') report(place, `the rule "${id}" allows; there is nothing to be exempted from`);
        else if (target.tier < own.tier) report(place, `the rule "${id}" is of a higher tier; a lower one only tightens`);
        else if (reaches(target, own, byId)) report(place, `the rules "${rule.id}" and "${id}" exempt from each other`);
      });
      const beyond = rule.limit?.exceed_rule;
      if (beyond === undefined) return;
      const target = byId.get(beyond);
      const place = `${pointer}/limit/exceed_rule`;
      if (target === undefined) report(place, `there is no rule "${beyond}"`, didYouMean(beyond, byId.keys()));
      else if (target.effect !== 'require') report(place, `the rule "${beyond}" asks for nobody`);
    });
  }
}

/** Whether `from` exempts from `to`, directly or by way of others. */
function reaches(from: CompiledRule, to: CompiledRule, byId: ReadonlyMap<string, CompiledRule>): boolean {
  const seen = new Set<CompiledRule>();
  const todo = [from];
  for (let rule = todo.pop(); rule !== undefined; rule = todo.pop()) {
    if (rule === to) return true;
    if (seen.has(rule)) continue;
    seen.add(rule);
    todo.push(...rule.exempts.flatMap((id) => byId.get(id) ?? []));
  }
  return false;
}
