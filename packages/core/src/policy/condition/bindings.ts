import { celError, type CelInput } from '@bufbuild/cel';
import type { JsonObject, JsonValue } from '@countersign/contracts';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { isInstant } from '../../request/index.js';
import { firstUnfit, type DeclaredParameter } from '../parameter-types.js';
import type { PolicyInput } from '../types.js';

const MAX_LIST = 1_000;
const MAX_STRING = 131_072;
const MAX_DEPTH = 64;

/** What conditions read. A root that is not there, or is withheld, makes every condition that reads it fail. */
export interface Bindings {
  /** Without a prototype, so that no name leads to Object.prototype. */
  readonly values: Record<string, CelInput>;
  /** Why a root that the request has cannot be read; without any value of the request. */
  readonly withheld: Readonly<Record<string, string>>;
}

export interface ResolvedForConditions {
  /** The id as it is matched; undefined where it cannot be normalised. */
  resourceId: string | undefined;
  labels: ReadonlyMap<string, string>;
  environment: string | undefined;
  declared: ReadonlyMap<string, DeclaredParameter> | undefined;
}

export function bindingsOf(input: PolicyInput, resolved: ResolvedForConditions): Bindings {
  const values: Record<string, CelInput> = Object.create(null);
  const withheld: Record<string, string> = Object.create(null);
  values['action'] = input.action;
  if (resolved.environment !== undefined) values['environment'] = resolved.environment;
  if (input.reason !== undefined) values['reason'] = input.reason;
  if (isInstant(input.now)) values['now'] = timestampFromDate(new Date(input.now));
  values['resource'] = withoutAbsent({ type: input.resource.type, id: resolved.resourceId, labels: resolved.labels });
  const behind = input.actor.on_behalf_of;
  values['actor'] = withoutAbsent({
    type: input.actor.type,
    id: input.actor.id,
    on_behalf_of: behind === undefined ? undefined : withoutAbsent({ type: behind.type, id: behind.id }),
  });
  const unfit = resolved.declared === undefined ? undefined : firstUnfit(input.parameters ?? {}, resolved.declared);
  if (unfit !== undefined) withhold('parameters', `the parameter "${unfit}" is missing or of another type than the catalogue declares`, values, withheld);
  else bindObject('parameters', input.parameters ?? {}, resolved.declared, values, withheld);
  bindObject('context', input.context ?? {}, undefined, values, withheld);
  return { values, withheld };
}

function bindObject(
  root: string,
  object: JsonObject,
  declared: ReadonlyMap<string, DeclaredParameter> | undefined,
  values: Record<string, CelInput>,
  withheld: Record<string, string>,
): void {
  const members = new Map<string, CelInput>();
  for (const [name, value] of Object.entries(object)) {
    const type = declared?.get(name)?.type;
    const int = type?.kind === 'int' || (type?.kind === 'list' && type.of.kind === 'int');
    const bound = toCel(value, int, 1);
    if (bound === undefined) {
      withhold(root, `${root} is larger than conditions may read`, values, withheld);
      return;
    }
    members.set(name, bound);
  }
  values[root] = members;
}

/** Bound to an error, not left out: has(parameters.x) is false, and no error, where `parameters` itself is not bound. */
function withhold(root: string, reason: string, values: Record<string, CelInput>, withheld: Record<string, string>): void {
  withheld[root] = reason;
  // The types do not say that a binding may be an error; ObjectActivation.resolve hands one on as it is.
  values[root] = celError(reason) as unknown as CelInput;
}

/** Maps instead of objects, so that no key is special; undefined past the limits. */
function toCel(value: JsonValue, int: boolean, depth: number): CelInput | undefined {
  if (depth > MAX_DEPTH) return undefined;
  if (typeof value === 'string') return value.length > MAX_STRING ? undefined : value;
  // JSON has one kind of number, and CEL sees it as a double unless the catalogue says int.
  if (typeof value === 'number') return int ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (value.length > MAX_LIST) return undefined;
    const elements: CelInput[] = [];
    for (const element of value) {
      const bound = toCel(element, int, depth + 1);
      if (bound === undefined) return undefined;
      elements.push(bound);
    }
    return elements;
  }
  const members = new Map<string, CelInput>();
  for (const [key, member] of Object.entries(value)) {
    const bound = toCel(member, false, depth + 1);
    if (bound === undefined) return undefined;
    members.set(key, bound);
  }
  return members.size > MAX_LIST ? undefined : members;
}

function withoutAbsent(members: Record<string, CelInput | undefined>): Map<string, CelInput> {
  const present = new Map<string, CelInput>();
  for (const [name, value] of Object.entries(members)) if (value !== undefined) present.set(name, value);
  return present;
}
