import type { JsonObject, JsonValue } from '@countersign/contracts';
import { bad } from './scim-error.js';

/** The member of an object by its name in any case (RFC 7643, section 2.1); undefined where there is none. */
export function member(of: JsonObject, name: string): JsonValue | undefined {
  if (Object.hasOwn(of, name)) return of[name];
  const found = Object.keys(of).find((key) => key.toLowerCase() === name.toLowerCase());
  return found === undefined ? undefined : of[found];
}

export function objectOf(value: JsonValue | undefined, what: string): JsonObject {
  if (value === null || value === undefined || typeof value !== 'object' || Array.isArray(value)) throw bad('invalidValue', `${what} must be an object.`);
  return value;
}

/** A text, trimmed of nothing; null and '' are no value. Some clients wrap a single value as `[{"value": …}]`. */
export function textOf(value: JsonValue | undefined, what: string, longest = 320): string | null {
  const plain = unwrapped(value);
  if (plain === null || plain === undefined || plain === '') return null;
  if (typeof plain !== 'string') throw bad('invalidValue', `${what} must be text.`);
  if (plain.length > longest || plain.includes('\0')) throw bad('invalidValue', `${what} has at most ${longest} characters, and no U+0000.`);
  return plain;
}

/** The one value of `[{"value": …}]`, `{"value": …}` or the value itself. */
export function unwrapped(value: JsonValue | undefined): JsonValue | undefined {
  const [only] = Array.isArray(value) && value.length === 1 ? value : [value];
  return only !== null && typeof only === 'object' && !Array.isArray(only) && Object.hasOwn(only, 'value') ? only['value'] : only;
}

/** Text in lower case; other values are no text. */
export function lowerOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value.toLowerCase() : '';
}

/** Throws ScimError unless `schemas` names the resource's schema. */
export function needSchema(of: JsonObject, urn: string): void {
  const schemas = member(of, 'schemas');
  if (!Array.isArray(schemas) || !schemas.some((schema) => lowerOf(schema) === urn.toLowerCase())) throw bad('invalidSyntax', `schemas must name ${urn}.`);
}
