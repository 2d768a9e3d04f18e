export type { JsonObject, JsonValue } from '@countersign/contracts';

/** A JSON Pointer (RFC 6901): `''` is the whole document, `/a~1b/0` the first element under the key `a/b`. */
export type JsonPointer = string;

/** The pointer of one member or element below `parent`, with `~` and `/` escaped (RFC 6901, section 3). */
export function childPointer(parent: JsonPointer, token: string | number): JsonPointer {
  // Most names have nothing to escape, and every member of every request comes through here.
  if (typeof token === 'number' || !ESCAPED.test(token)) return `${parent}/${token}`;
  return `${parent}/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

const ESCAPED = /[~/]/;

/** The unescaped tokens of a pointer; `''` has none. */
export function pointerTokens(pointer: JsonPointer): string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}
