/** Reading JSON that somebody else wrote: every reader answers a harmless default for a value of another type. */

/** A JSON object whose members are not known yet. */
export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as an object, or an empty one. */
export function object(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The value as an array, or an empty one. */
export function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as a string, or undefined. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** What the bytes say as JSON, or undefined where they are none. */
export function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined;
  }
}
