import type { JsonObject } from '@countersign/contracts';
import { ENTERPRISE, GROUP, USER } from './schema-names.js';

/** What is returned always (RFC 7643, `returned: always`). */
const ALWAYS = new Set(['schemas', 'id', 'meta']);

/** A resource with the attributes that were asked for, or without those that were not (RFC 7644, section 3.9). */
export function selected(
  resource: JsonObject,
  { attributes, excludedAttributes }: { attributes?: string | undefined; excludedAttributes?: string | undefined },
): JsonObject {
  const wanted = namesOf(attributes);
  const unwanted = namesOf(excludedAttributes);
  if (wanted === null && unwanted === null) return resource;
  return Object.fromEntries(
    Object.entries(resource).flatMap(([name, value]): [string, JsonObject[string]][] => {
      const key = name.toLowerCase();
      if (ALWAYS.has(key) && key !== 'meta') return [[name, value]];
      if (unwanted?.has(key) === true) return [];
      if (wanted !== null && !wanted.has(key) && ![...wanted].some((one) => one.startsWith(`${key}.`))) return ALWAYS.has(key) ? [[name, value]] : [];
      if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[name, value]];
      const inner = Object.entries(value).filter(
        ([sub]) =>
          unwanted?.has(`${key}.${sub.toLowerCase()}`) !== true &&
          (wanted === null || wanted.has(key) || ALWAYS.has(key) || wanted.has(`${key}.${sub.toLowerCase()}`)),
      );
      return [[name, Object.fromEntries(inner)]];
    }),
  );
}

function namesOf(list: string | undefined): Set<string> | null {
  if (list === undefined || list.trim() === '') return null;
  return new Set(
    list.split(',').map((name) => {
      const folded = name.trim().toLowerCase();
      const urn = [USER, GROUP].find((prefix) => folded.startsWith(`${prefix.toLowerCase()}:`));
      if (urn !== undefined) return folded.slice(urn.length + 1);
      const extension = ENTERPRISE.toLowerCase();
      return folded.startsWith(`${extension}:`) ? extension : folded;
    }),
  );
}
