import { childPointer } from '../request/index.js';
import type { PlacedBundle } from './compile.js';
import type { CompiledRule } from './judge.js';
import { didYouMean } from './nearest-name.js';

/** Holds what rules say of each other against the rules that there are: ids, exemptions, rules beyond a limit. */
export function checkReferences(bundles: readonly PlacedBundle[], rules: readonly CompiledRule[]): void {
  const byId = new Map<string, CompiledRule>();
  const compiled = new Map<string, Map<string, CompiledRule>>(bundles.map(({ name }) => [name, new Map()]));
  for (const rule of rules) if (compiled.get(rule.bundle)?.has(rule.id) === false) compiled.get(rule.bundle)?.set(rule.id, rule);
  for (const { document, report, name } of bundles) {
    (document.rules ?? []).forEach(({ id }, index) => {
      const other = byId.get(id);
      const own = compiled.get(name)?.get(id);
      if (other !== undefined)
        report(
          `${childPointer('/rules', index)}/id`,
          `there are two rules with the id "${id}"${other.bundle === name ? '' : `; the other is in the bundle ${other.bundle}`}`,
        );
      else if (own !== undefined) byId.set(id, own);
    });
  }
  const components = exemptionCycles(byId.values(), byId);
  for (const { document, report, name } of bundles) {
    (document.rules ?? []).forEach((rule, index) => {
      const pointer = childPointer('/rules', index);
      const own = byId.get(rule.id);
      if (own === undefined || own.bundle !== name) return;
      rule.exempts?.forEach((id, at) => {
        const target = byId.get(id);
        const place = `${pointer}/exempts/${at}`;
        if (target === undefined)
          report(
            place,
            `there is no rule "${id}"`,
            didYouMean(id, () => byId.keys()),
          );
        else if (target === own) report(place, 'a rule does not exempt from itself', { hint: 'write unless' });
        else if (target.effect === 'allow') report(place, `the rule "${id}" allows; there is nothing to be exempted from`);
        else if (target.tier < own.tier) report(place, `the rule "${id}" is of a higher tier; a lower one only tightens`);
        else if (components.get(target.id) === components.get(own.id)) report(place, `the rules "${rule.id}" and "${id}" exempt from each other`);
      });
      const beyond = rule.limit?.exceed_rule;
      if (beyond === undefined) return;
      const target = byId.get(beyond);
      const place = `${pointer}/limit/exceed_rule`;
      if (target === undefined)
        report(
          place,
          `there is no rule "${beyond}"`,
          didYouMean(beyond, () => byId.keys()),
        );
      else if (target.effect !== 'require') report(place, `the rule "${beyond}" asks for nobody`);
    });
  }
}

/** The rules that exempt from each other, directly or by way of others: those on a cycle are each in the component of the other (Tarjan). */
function exemptionCycles(rules: Iterable<CompiledRule>, byId: ReadonlyMap<string, CompiledRule>): ReadonlyMap<string, number> {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const component = new Map<string, number>();
  const stack: string[] = [];
  let components = 0;
  for (const start of rules) {
    if (order.has(start.id)) continue;
    // Without recursion: a chain may be as long as there are rules.
    const path: { id: string; next: number }[] = [];
    const enter = (id: string): void => {
      order.set(id, order.size);
      low.set(id, order.size - 1);
      stack.push(id);
      path.push({ id, next: 0 });
    };
    enter(start.id);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { id } = top;
      const target = byId.get(id)?.exempts[top.next++];
      if (target !== undefined) {
        if (!byId.has(target)) continue;
        if (!order.has(target)) enter(target);
        else if (!component.has(target)) low.set(id, Math.min(low.get(id) ?? 0, order.get(target) ?? 0));
        continue;
      }
      path.pop();
      const above = path.at(-1);
      if (above !== undefined) low.set(above.id, Math.min(low.get(above.id) ?? 0, low.get(id) ?? 0));
      if (low.get(id) !== order.get(id)) continue;
      for (let popped = stack.pop(); popped !== undefined; popped = stack.pop()) {
        component.set(popped, components);
        if (popped === id) break;
      }
      components++;
    }
  }
  return component;
}
