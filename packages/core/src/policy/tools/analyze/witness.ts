import type { JsonObject, JsonValue } from '@countersign/contracts';
import { compileGlob, matchesGlob } from '../../globs.js';
import type { CompiledBundle, PolicyInput, RuleInfo } from '../../types.js';
import type { Conjunction } from './atoms.js';
import { domainsOf, exampleOf } from './domains.js';

/** A request on which both rules match, made from what they demand and tried; null where none was found. */
export function witnessOf(bundle: CompiledBundle, a: RuleInfo, b: RuleInfo, conjunctions: readonly Conjunction[], now: string): PolicyInput | null {
  for (const conjunction of conjunctions.slice(0, 16)) {
    const input = requestFor(a, b, conjunction, now);
    if (input === null) continue;
    const matched = new Set(bundle.evaluate(input).details.rules.flatMap(({ rule, result }) => (result === 'matched' ? [rule] : [])));
    if (matched.has(a.id) && matched.has(b.id)) return input;
  }
  return null;
}

function requestFor(a: RuleInfo, b: RuleInfo, conjunction: Conjunction, now: string): PolicyInput | null {
  const action = common(a.actions, b.actions);
  const type = common(a.document.resource_types, b.document.resource_types) ?? 'example';
  const environment = common(a.document.environments, b.document.environments);
  if (action === undefined) return null;
  const request: JsonObject = {
    action,
    resource: { type, id: 'example', labels: {} },
    parameters: {},
    actor: { type: 'agent', id: 'example' },
    context: {},
    ...(environment === undefined ? {} : { environment }),
  };
  for (const [path, domain] of domainsOf(conjunction)) {
    const value = exampleOf(domain);
    // keyOf writes the steps as JSON.
    if (value !== undefined && !set(request, JSON.parse(path) as string[], value)) return null;
  }
  // The shape is that of a request; a value of another type than the schema's makes conditions errors, and then it is no witness.
  return { ...(request as unknown as PolicyInput), now };
}

/** A name that is in both lists of patterns; undefined where both are open. */
function common(left: readonly string[] | undefined, right: readonly string[] | undefined): string | undefined {
  const fill = (pattern: string): string => pattern.replaceAll('*', 'example');
  const names = [...(left ?? []), ...(right ?? [])].map(fill);
  const fits = (list: readonly string[] | undefined, name: string): boolean => list === undefined || list.some((each) => matchesGlob(compileGlob(each), name));
  return names.find((name) => fits(left, name) && fits(right, name));
}

/** What a caller can say. */
const SETTABLE = new Set(['action', 'environment', 'reason', 'resource', 'actor', 'parameters', 'context']);

function set(request: JsonObject, steps: readonly string[], value: JsonValue): boolean {
  const [root = '', ...rest] = steps;
  if (!SETTABLE.has(root)) return false;
  let at: JsonObject = request;
  let last = root;
  for (const step of rest) {
    const next = at[last];
    const below: JsonObject = typeof next === 'object' && next !== null && !Array.isArray(next) ? next : {};
    at[last] = below;
    [at, last] = [below, step];
  }
  at[last] = value;
  return true;
}
