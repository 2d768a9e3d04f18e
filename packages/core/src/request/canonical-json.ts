import { sha256 } from '@noble/hashes/sha2.js';
import canonicalize from 'canonicalize';
import { CoreError } from '../errors.js';
import { hex, utf8 } from './bytes.js';
import { childPointer, type JsonPointer, type JsonValue } from './json-value.js';

/** `sha256:` and 64 lower-case hexadecimal digits: how every digest is written, on the wire and in grants. */
export type Digest = `sha256:${string}`;

/**
 * The RFC 8785 (JCS) text of a value. Equal values give equal text, whatever the order of their members.
 * Minus zero is written `0`, as RFC 8785 (section 3.2.2.3) demands.
 * @throws CoreError `not_canonical_json` for all that JSON cannot say: undefined (also as a member or element), functions, symbols,
 * bigints, NaN, infinities, lone surrogates in strings or keys, cycles, holes in arrays, objects that are not plain. Nothing is left out silently.
 */
export function canonicalJson(value: JsonValue | object): string {
  let text: string | undefined;
  try {
    text = canonicalize(value);
  } catch (cause) {
    throw new CoreError('not_canonical_json', `value cannot be written as canonical JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  // After canonicalize, which has refused cycles: the walk below ends.
  refuseWhatIsNotJson(value);
  if (text === undefined) throw new CoreError('not_canonical_json', 'value has no JSON text');
  return text;
}

/** SHA-256 in lower-case hexadecimal; text is hashed as UTF-8. */
export function sha256Hex(data: string | Uint8Array): string {
  return hex(sha256(typeof data === 'string' ? utf8(data) : data));
}

/** `sha256:` + SHA-256 over the RFC 8785 text of the value in UTF-8. Throws as canonicalJson does. */
export function digestOf(value: JsonValue | object): Digest {
  return `sha256:${sha256Hex(canonicalJson(value))}`;
}

/** Whether text is written as a digest is. */
export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** canonicalize drops undefined and functions as JSON.stringify does, and calls toJSON. A digest that drops something binds less than its reader thinks. */
function refuseWhatIsNotJson(root: unknown): void {
  const todo: Place[] = [{ value: root, parent: null, token: '' }];
  for (let place = todo.pop(); place !== undefined; place = todo.pop()) {
    const { value } = place;
    if (isScalar(value)) continue;
    if (typeof value !== 'object') throw new CoreError('not_canonical_json', `${typeof value} at "${pointerTo(place)}" is no JSON value`);
    if (value === null) continue;
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) if (!isScalar(value[index])) todo.push({ value: value[index], parent: place, token: index });
      continue;
    }
    if (!isPlain(value)) throw new CoreError('not_canonical_json', `the object at "${pointerTo(place)}" is not a plain object`);
    if (Object.getOwnPropertySymbols(value).length > 0) throw new CoreError('not_canonical_json', `the object at "${pointerTo(place)}" has symbols as keys`);
    for (const [key, member] of Object.entries(value)) if (!isScalar(member)) todo.push({ value: member, parent: place, token: key });
  }
}

/** A value and the way to it, which is spelled out only for a fault. */
interface Place {
  value: unknown;
  parent: Place | null;
  token: string | number;
}

function pointerTo({ parent, token }: Place): JsonPointer {
  return parent === null ? '' : childPointer(pointerTo(parent), token);
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number';
}

/** A prototype that has none itself is an Object.prototype, of this realm or another. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
