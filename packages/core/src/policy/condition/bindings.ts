import { celError, type CelInput } from '@bufbuild/cel';
import type { JsonObject, JsonValue, Reversibility } from '@countersign/contracts';
import { durationFromMs, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { isInstant } from '../../request/index.js';
import type { FactResult } from '../facts/kinds.js';
import { durationSeconds, firstUnfit, type DeclaredParameter, type ParameterType } from '../parameter-types.js';
import type { PolicyInput } from '../types.js';
import type { Window } from '../windows.js';
import { isList, isMap, isRecord, presentType, type RecordType, type ValueType } from './value-type.js';

const MAX_LIST = 1_000;
const MAX_STRING = 131_072;
const MAX_DEPTH = 64;

/** What conditions read. A root that is not there, or is withheld, makes every condition that reads it fail. */
export interface Bindings {
  /** Without a prototype of the language's, so that no name leads to Object.prototype. Each value is made when it is first read. */
  readonly values: Record<string, CelInput>;
  /** Why a root that the request has cannot be read; without any value of the request. Known once it was read. */
  readonly withheld: Readonly<Record<string, string>>;
}

/** What the catalogue and the clock make of a request. */
export interface ResolvedForConditions {
  /** The id as it is matched; undefined where it cannot be normalised. */
  resourceId: string | undefined;
  environment: string | undefined;
  declared: ReadonlyMap<string, DeclaredParameter> | undefined;
  reversibility: Reversibility;
  declaredResource: boolean;
  dataClasses: readonly string[];
  owner: string | undefined;
  /** The kinds of facts that the action declares, each computed at most once. */
  facts: ReadonlyMap<string, { readonly type: RecordType; readonly from: readonly string[]; result(): FactResult }>;
}

/** How the planned conditions name what the language writes with a dot. */
export const windowName = (name: string): string => `@window_${name}`;
export const factName = (kind: string): string => `@facts_${kind}`;
export const hasFactName = (kind: string): string => `@has_facts_${kind}`;

const STATE: unique symbol = Symbol('the request');
const VIEW: unique symbol = Symbol('what one condition sees of it');

type Views = Record<string, CelInput> & { [STATE]: RequestValues; [VIEW]: { labels: ReadonlyMap<string, string>; resource: CelInput | undefined } };

const SHARED = ['action', 'environment', 'reason', 'now', 'actor', 'caller', 'parameters', 'context', 'reversibility'] as const;

/** Makes the bindings of requests for one bundle. */
export class Binder {
  readonly #prototype: object = Object.create(null);
  readonly #windows: ReadonlyMap<string, Window>;

  constructor(windows: ReadonlyMap<string, Window>, kinds: Iterable<string>) {
    this.#windows = windows;
    const shared = (name: string): void =>
      void Object.defineProperty(this.#prototype, name, {
        get(this: Views) {
          return this[STATE].read(name);
        },
      });
    SHARED.forEach(shared);
    for (const name of windows.keys()) shared(windowName(name));
    for (const kind of kinds) {
      shared(factName(kind));
      shared(hasFactName(kind));
    }
    Object.defineProperty(this.#prototype, 'resource', {
      get(this: Views) {
        return (this[VIEW].resource ??= this[STATE].resource(this[VIEW].labels));
      },
    });
  }

  /** The values of one request; each set of labels is another view of it. */
  bind(input: PolicyInput, resolved: ResolvedForConditions): (labels: ReadonlyMap<string, string>) => Bindings {
    const state = new RequestValues(input, resolved, this.#windows);
    return (labels) => {
      // The prototype has all members of the record as getters.
      const values = Object.create(this.#prototype) as Views;
      values[STATE] = state;
      values[VIEW] = { labels, resource: undefined };
      return { values, withheld: state.withheld };
    };
  }
}

class RequestValues {
  readonly withheld: Record<string, string> = Object.create(null);
  readonly #made = new Map<string, CelInput | undefined>();
  readonly #input: PolicyInput;
  readonly #resolved: ResolvedForConditions;
  readonly #windows: ReadonlyMap<string, Window>;

  constructor(input: PolicyInput, resolved: ResolvedForConditions, windows: ReadonlyMap<string, Window>) {
    this.#input = input;
    this.#resolved = resolved;
    this.#windows = windows;
  }

  read(name: string): CelInput | undefined {
    if (!this.#made.has(name)) this.#made.set(name, this.#make(name));
    return this.#made.get(name);
  }

  resource(labels: ReadonlyMap<string, string>): CelInput {
    const { resourceId, dataClasses, owner, declaredResource } = this.#resolved;
    return withoutAbsent({ type: this.#input.resource.type, id: resourceId, labels, data_classes: [...dataClasses], owner, declared: declaredResource });
  }

  #make(name: string): CelInput | undefined {
    const [input, resolved] = [this.#input, this.#resolved];
    switch (name) {
      case 'action':
        return input.action;
      case 'environment':
        return resolved.environment;
      case 'reason':
        return input.reason;
      case 'reversibility':
        return resolved.reversibility;
      case 'now':
        return isInstant(input.now) ? timestampFromDate(new Date(input.now)) : undefined;
      case 'actor': {
        const behind = input.actor.on_behalf_of;
        return withoutAbsent({
          type: input.actor.type,
          id: input.actor.id,
          on_behalf_of: behind === undefined ? undefined : withoutAbsent({ type: behind.type, id: behind.id }),
        });
      }
      case 'caller': {
        if (input.caller === undefined) return undefined;
        const { type, id, name: called, issuer, claims } = input.caller;
        return withoutAbsent({ type, id, name: called, issuer, claims: new Map(Object.entries(claims)) });
      }
      case 'parameters': {
        const unfit = resolved.declared === undefined ? undefined : firstUnfit(input.parameters ?? {}, resolved.declared);
        if (unfit !== undefined) return this.#withhold(name, `the parameter "${unfit}" is missing or of another type than the catalogue declares`);
        return this.#object(name, input.parameters ?? {}, resolved.declared);
      }
      case 'context':
        return this.#object(name, input.context ?? {}, undefined);
      default:
        return this.#computed(name);
    }
  }

  #computed(name: string): CelInput | undefined {
    for (const [window, { contains }] of this.#windows) {
      if (windowName(window) !== name) continue;
      return isInstant(this.#input.now) ? contains(Date.parse(this.#input.now)) : this.#withhold('windows', 'the time is not known');
    }
    for (const [kind, fact] of this.#resolved.facts) {
      if (hasFactName(kind) === name) return true;
      if (factName(kind) !== name) continue;
      const result = fact.result();
      if ('error' in result) return this.#withhold(name, `facts.${kind} cannot be told: ${result.error}`);
      return typedToCel(result.value, fact.type, 1) ?? this.#withhold(name, `facts.${kind} is larger than conditions may read`);
    }
    return name.startsWith(hasFactName('')) ? false : undefined;
  }

  #object(root: string, object: JsonObject, declared: ReadonlyMap<string, DeclaredParameter> | undefined): CelInput {
    return recordToCel(object, declared, 0) ?? this.#withhold(root, `${root} is larger than conditions may read`);
  }

  /** Bound to an error, not left out: has(parameters.x) is false, and no error, where `parameters` itself is not bound. */
  #withhold(root: string, reason: string): CelInput {
    this.withheld[root] = reason;
    // The types do not say that a binding may be an error; ObjectActivation.resolve hands one on as it is.
    return celError(reason) as unknown as CelInput;
  }
}

/** Maps instead of objects, so that no key is special; undefined past the limits. */
function toCel(value: JsonValue, type: ParameterType | undefined, depth: number): CelInput | undefined {
  if (depth > MAX_DEPTH) return undefined;
  if (typeof value === 'string') {
    if (value.length > MAX_STRING) return undefined;
    if (type?.kind === 'timestamp') return timestampFromDate(new Date(value));
    if (type?.kind === 'duration') return durationFromMs(Math.round((durationSeconds(value) ?? 0) * 1000));
    return value;
  }
  // JSON has one kind of number, and CEL sees it as a double unless the catalogue says int.
  if (typeof value === 'number') return type?.kind === 'int' ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (value.length > MAX_LIST) return undefined;
    const of = type?.kind === 'list' ? type.of : undefined;
    const elements: CelInput[] = [];
    for (const element of value) {
      const bound = toCel(element, of, depth + 1);
      if (bound === undefined) return undefined;
      elements.push(bound);
    }
    return elements;
  }
  if (type?.kind !== 'map_of') return recordToCel(value, type?.kind === 'record' ? type.members : undefined, depth);
  const members = new Map<string, CelInput>();
  for (const [key, member] of Object.entries(value)) {
    const bound = toCel(member, type.of, depth + 1);
    if (bound === undefined) return undefined;
    members.set(key, bound);
  }
  return members.size > MAX_LIST ? undefined : members;
}

function recordToCel(value: JsonObject, declared: ReadonlyMap<string, DeclaredParameter> | undefined, depth: number): CelInput | undefined {
  const members = new Map<string, CelInput>();
  for (const [key, member] of Object.entries(value)) {
    const bound = toCel(member, declared?.get(key)?.type, depth + 1);
    if (bound === undefined) return undefined;
    members.set(key, bound);
  }
  return members.size > MAX_LIST ? undefined : members;
}

/** Facts are of the type that their kind names: there, and there alone, whole numbers are ints. */
function typedToCel(value: JsonValue, type: ValueType, depth: number): CelInput | undefined {
  if (depth > MAX_DEPTH) return undefined;
  if (typeof value === 'string') return value.length > MAX_STRING ? undefined : value;
  if (typeof value === 'number') return type === 'int' ? (Number.isSafeInteger(value) ? BigInt(value) : undefined) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const elements = value.length > MAX_LIST ? undefined : value.map((element) => typedToCel(element, isList(type) ? type.list : 'any', depth + 1));
    // oxlint-disable-next-line typescript/no-unnecessary-condition -- `every` narrows where it returns true
    return elements?.every((element) => element !== undefined) === true ? elements : undefined;
  }
  const members = new Map<string, CelInput>();
  for (const [key, member] of Object.entries(value)) {
    const declared = isRecord(type) && Object.hasOwn(type.members, key) ? type.members[key] : undefined;
    const bound = typedToCel(member, declared === undefined ? (isMap(type) ? type.map : 'any') : presentType(declared), depth + 1);
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
