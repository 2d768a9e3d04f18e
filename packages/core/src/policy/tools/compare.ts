import type { Effect, JsonObject, JsonValue } from '@countersign/contracts';
import { canonicalJson } from '../../request/index.js';
import { mergeRequirements } from '../merge-requirements.js';
import type { Evaluation } from '../types.js';

/** One kind of difference between two bundles, over the requests that both were asked about. */
export interface Transition {
  from: Effect;
  to: Effect;
  /** `looser`: less is needed, or it was not shown that as much is. */
  direction: 'looser' | 'stricter';
  count: number;
  /** The names of a few of the requests. */
  examples: string[];
}

/** Counts how evaluations of the same requests by two bundles differ. */
export class Transitions {
  readonly #found = new Map<string, Transition>();
  readonly #examples: number;

  /** @param examples how many requests of each kind are named */
  constructor(examples: number) {
    this.#examples = examples;
  }

  add(request: string, from: Evaluation, to: Evaluation): void {
    const direction = directionOf(from, to);
    if (direction === 'same') return;
    const key = `${from.effect} ${to.effect} ${direction}`;
    const transition = this.#found.get(key) ?? { from: from.effect, to: to.effect, direction, count: 0, examples: [] };
    transition.count += 1;
    if (transition.examples.length < this.#examples) transition.examples.push(request);
    this.#found.set(key, transition);
  }

  all(): Transition[] {
    return [...this.#found.values()];
  }
}

const RANK: Record<Effect, number> = { allow: 0, require: 1, deny: 2 };

function directionOf(from: Evaluation, to: Evaluation): 'looser' | 'stricter' | 'same' {
  if (from.effect !== to.effect) return RANK[to.effect] > RANK[from.effect] ? 'stricter' : 'looser';
  if (from.requirement === null || to.requirement === null) return masksLess(from, to) ? 'looser' : 'same';
  if (same(from.requirement as object as JsonValue, to.requirement as object as JsonValue)) return masksLess(from, to) ? 'looser' : 'same';
  // At least as strict is what the sum of both adds nothing to.
  const sum = mergeRequirements(from.requirement, to.requirement);
  return same(sum as object as JsonValue, to.requirement as object as JsonValue) && !masksLess(from, to) ? 'stricter' : 'looser';
}

const masksLess = (from: Evaluation, to: Evaluation): boolean => from.maskPaths.some((path) => !to.maskPaths.includes(path));

/** Members that decide nothing. */
const NO_EFFECT = new Set(['tests', 'coverage', 'rules', 'metadata', 'lets', 'windows', 'groups', 'schedules', 'quiet_hours', 'digest']);
/** Members of a rule that take something from other rules, let somebody past, or show masked values where the defaults would have spoken. */
const LETS_PAST = ['exempts', 'break_glass', 'limit', 'reveal'];

/**
 * Why the text of a bundle may loosen; empty where it adds deny and require rules alone, with names that they use. A rule that was changed
 * at all counts as removed: nobody has shown that it is not weaker.
 */
export function onlyTightens(current: string, next: string): string[] {
  const [before, after] = [bundlesOf(parsed(current)), bundlesOf(parsed(next))];
  const reasons: string[] = [];
  for (const [name, bundle] of before) {
    const now = after.get(name);
    const prefix = before.size === 1 ? '' : `${name}: `;
    if (now === undefined) reasons.push(`The bundle ${name} was removed.`);
    else reasons.push(...loosenings(bundle, now).map((reason) => `${prefix}${reason}`));
  }
  // Another bundle has defaults of its own, and may widen what is declared.
  for (const name of after.keys()) if (!before.has(name)) reasons.push(`The bundle ${name} is new.`);
  return reasons;
}

/** By name; a policy of one bundle is a set of one, whatever its name. */
function bundlesOf(document: JsonObject): Map<string, JsonObject> {
  const { bundles } = document;
  if (!Array.isArray(bundles)) return new Map([['', document]]);
  return new Map(
    bundles.map((bundle) => {
      const { name } = objectOf(objectOf(bundle)['metadata']);
      return [typeof name === 'string' ? name : '', objectOf(bundle)];
    }),
  );
}

function loosenings(before: JsonObject, after: JsonObject): string[] {
  const reasons: string[] = [];
  for (const member of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (!NO_EFFECT.has(member) && !same(before[member], after[member])) reasons.push(`${member} differs.`);
  }
  const meta = (document: JsonObject): JsonObject => {
    const { version: _version, description: _description, ...rest } = objectOf(document['metadata']);
    return rest;
  };
  if (!same(meta(before), meta(after))) reasons.push('metadata differs in more than its version.');
  // What is defined may be joined by other names; none may mean something else, or be gone.
  for (const member of ['lets', 'windows', 'groups']) {
    const [old, now] = [objectOf(before[member]), objectOf(after[member])];
    // The first group that is written forbids the names of all others, which only makes a bundle fail to load.
    for (const name of Object.keys(old)) if (!same(old[name], now[name])) reasons.push(`${member}: ${name} was changed or removed.`);
    // A group may stand in the directory, or give a right by its name alone: who lifts freezes. Whoever it includes is let into it.
    if (member === 'groups')
      for (const name of Object.keys(now)) if (!(name in old) && 'includes' in objectOf(now[name])) reasons.push(`groups: ${name} is new and includes others.`);
  }
  const [oldRules, newRules] = [rulesOf(before), rulesOf(after)];
  // A rule that matches takes the place of the default.
  const { outcome } = objectOf(before['defaults']);
  for (const [id, rule] of oldRules) if (!same(rule, newRules.get(id))) reasons.push(`The rule ${id} was ${newRules.has(id) ? 'changed' : 'removed'}.`);
  for (const [id, rule] of newRules) {
    if (oldRules.has(id)) continue;
    const past = LETS_PAST.filter((member) => member in rule);
    if (rule['effect'] !== 'deny' && rule['effect'] !== 'require') reasons.push(`The rule ${id} is new and allows.`);
    else if (rule['effect'] === 'require' && outcome !== 'allow')
      reasons.push(`The rule ${id} is new and asks where the default, which is stricter than to allow, would have spoken.`);
    else if (past.length > 0) reasons.push(`The rule ${id} is new and has ${past.join(', ')}.`);
  }
  return reasons;
}

// A canonical text is JSON of an object: compileCanonical has read it.
const parsed = (canonical: string): JsonObject => JSON.parse(canonical) as JsonObject;
const objectOf = (value: JsonValue | undefined): JsonObject => (value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {});
const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === undefined || b === undefined ? a === b : canonicalJson(a) === canonicalJson(b);

function rulesOf(document: JsonObject): Map<string, JsonObject> {
  const { rules } = document;
  return new Map(
    (Array.isArray(rules) ? rules : []).map((rule) => {
      const { id } = objectOf(rule);
      return [typeof id === 'string' ? id : '', objectOf(rule)];
    }),
  );
}
