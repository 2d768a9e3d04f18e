import type { Effect, JsonObject, JsonValue } from '@countersign/contracts';
import { isPattern } from '../../globs.js';
import type { CompiledBundle, PolicyInput } from '../../types.js';

/** A kind of request of which no rule speaks, with one that was tried. */
export interface Gap {
  action: string;
  /** Null: none was given. */
  environment: string | null;
  actor_type: string;
  /** What the defaults make of it. */
  effect: Effect;
  witness: PolicyInput;
}

const MOST = 5_000;

/** Each action that the bundle names, in each environment and by each type of actor that it names, tried with the plainest parameters. */
export function findGaps(bundle: CompiledBundle, now: string): Gap[] {
  // A canonical text is JSON of one bundle or of a set of them.
  const text = JSON.parse(bundle.canonical) as JsonObject;
  const documents = (Array.isArray(text['bundles']) ? text['bundles'] : [text]).map(objectOf);
  const declared = documents.flatMap((document) => Object.entries(objectOf(objectOf(document['catalogue'])['actions'])));
  const plain = (names: readonly string[]): string[] => [...new Set(names)].filter((name) => !isPattern(name)).sort();
  const actions = plain([...declared.map(([name]) => name), ...bundle.rules.flatMap((rule) => rule.actions)]);
  const catalogued = documents.flatMap((document) => listOf(objectOf(document['catalogue'])['resources']).map(objectOf));
  const environments = plain([
    ...bundle.rules.flatMap(({ document }) => document.environments ?? []),
    ...catalogued.flatMap(({ environment }) => (typeof environment === 'string' ? [environment] : [])),
  ]);
  const gaps: Gap[] = [];
  for (const action of actions) {
    const parameters = sampleOf(declared.find(([name]) => name === action)?.[1]);
    for (const environment of [null, ...environments]) {
      for (const actor_type of ['agent', 'service', 'person']) {
        if (gaps.length >= MOST) return gaps;
        const witness: PolicyInput = {
          action,
          resource: { type: 'example', id: 'example' },
          parameters,
          actor: { type: actor_type, id: 'example' },
          ...(environment === null ? {} : { environment }),
          now,
        };
        const { effect, rules } = bundle.evaluate(witness);
        if (rules.length === 0) gaps.push({ action, environment, actor_type, effect, witness });
      }
    }
  }
  return gaps;
}

/** The plainest value of each parameter that must be there. */
function sampleOf(action: JsonValue | undefined): JsonObject {
  return membersOf(objectOf(objectOf(action)['parameters']));
}

function membersOf(declared: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(declared).flatMap(([name, type]): [string, JsonValue][] => {
      if (typeof type !== 'string') return [[name, membersOf(objectOf(type))]];
      return type.endsWith('?') ? [] : [[name, plainest(type)]];
    }),
  );
}

function plainest(type: string): JsonValue {
  if (type.startsWith('list')) return [];
  if (type.startsWith('map')) return {};
  const values: Record<string, JsonValue> = { int: 0, number: 0, bool: false, timestamp: '2026-01-01T00:00:00Z', duration: '0s' };
  return values[type] ?? '';
}

const objectOf = (value: JsonValue | undefined): JsonObject => (value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {});
const listOf = (value: JsonValue | undefined): JsonValue[] => (Array.isArray(value) ? value : []);
