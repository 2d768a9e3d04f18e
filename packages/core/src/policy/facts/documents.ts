import type { JsonObject, JsonValue } from '@countersign/contracts';
import { parseStrictJson } from '../../request/index.js';
import { Unreadable } from './inputs.js';

const MAX_BYTES = 524_288;

/** An object that stands at a path as it is, or as the text of JSON. */
export function objectFrom(value: JsonValue | undefined, what: string): JsonObject {
  let object = value;
  if (value === undefined) throw new Unreadable(`${what} is missing`);
  if (typeof value === 'string') {
    const parsed = parseStrictJson(value, { maxBytes: MAX_BYTES });
    if (!parsed.ok) throw new Unreadable(`${what} is no JSON that all readers read alike`);
    object = parsed.value;
  }
  if (!isObject(object)) throw new Unreadable(`${what} is no object`);
  return object;
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member by its exact name; never one of Object.prototype. */
export function member(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** A value as a list: a list itself, one value as a list of one, nothing as an empty one. */
export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** The objects of a list; another element is an error. */
export function objectsIn(value: JsonValue | undefined, what: string): JsonObject[] {
  return listOf(value).map((each) => {
    if (!isObject(each)) throw new Unreadable(`${what} is no object`);
    return each;
  });
}

/** A text, or a list of texts; another element is an error. */
export function textsIn(value: JsonValue | undefined, what: string): string[] {
  return listOf(value).map((each) => {
    if (typeof each !== 'string') throw new Unreadable(`${what} is no text`);
    return each;
  });
}
