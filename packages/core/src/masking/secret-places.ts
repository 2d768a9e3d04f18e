import type { JsonObject, JsonValue } from '../request/json-value.js';
import { isSecretName } from './secret-names.js';

/**
 * The members or elements of one container that another of its values calls a secret: `{"name":"password","value":"x"}`,
 * `["--password","x"]`, `["Authorization","Bearer x"]`. Undefined where there are none.
 */
export function secretPlaces(container: readonly JsonValue[] | JsonObject): ReadonlySet<string> | undefined {
  const places = isArray(container) ? afterSecretNames(container) : besideSecretName(container);
  return places.length === 0 ? undefined : new Set(places);
}

/** Arguments of a command behind a flag, and pairs of a name and a value. */
function afterSecretNames(items: readonly JsonValue[]): string[] {
  const places: string[] = [];
  for (const [index, item] of items.entries()) {
    if (typeof item !== 'string' || item.length > 256 || index + 1 >= items.length) continue;
    const pair = items.length === 2 && index === 0 && /^[\w.-]+$/.test(item);
    const flag = /^--?[\w.-]+$/.test(item);
    const next = items[index + 1];
    if ((pair || flag) && isSecretName(item) && !(flag && typeof next === 'string' && next.startsWith('-'))) places.push(String(index + 1));
  }
  return places;
}

const NAMING = ['name', 'key', 'field', 'header', 'param', 'parameter', 'variable', 'option', 'Name', 'Key', 'ParameterKey', 'ParameterName'];
const VALUES = ['value', 'values', 'val', 'default', 'content', 'Value', 'ParameterValue', 'stringValue', 'new_value', 'old_value'];

function besideSecretName(members: JsonObject): string[] {
  const named = NAMING.some((name) => {
    const text = Object.hasOwn(members, name) ? members[name] : undefined;
    return typeof text === 'string' && text.length <= 256 && isSecretName(text);
  });
  return [...(named ? VALUES.filter((name) => Object.hasOwn(members, name)) : [])];
}

function isArray(container: readonly JsonValue[] | JsonObject): container is readonly JsonValue[] {
  return Array.isArray(container);
}
