import type { JsonObject, JsonValue } from '@countersign/contracts';
import type { ScimClient } from '@countersign/core/flow';
import type { Filter } from '@countersign/identity/scim';
import { bad, LIST, MAX_RESULTS, parseFilter } from '@countersign/identity/scim';

export interface ScimCall {
  client: ScimClient;
  id: string;
  query(name: string): string | undefined;
  page: Page;
  body: JsonValue | undefined;
  /** The revision that must be there still; null: any. */
  ifMatch: number | null;
  ifNoneMatch: string | undefined;
}

export interface ScimAnswer {
  status: number;
  json?: JsonObject;
  headers?: Record<string, string>;
}

export interface ScimRoute {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  handle(call: ScimCall): Promise<ScimAnswer>;
}

/** Which part of a list: `startIndex` counts from 1 (RFC 7644, section 3.4.2.4). */
export interface Page {
  startIndex: number;
  count: number;
}

const COUNT = 100;

export function pageOf(query: URLSearchParams): Page {
  const number = (name: string, otherwise: number): number => {
    const text = query.get(name);
    if (text === null || text === '') return otherwise;
    if (!/^-?\d{1,9}$/.test(text)) throw bad('invalidValue', `${name} must be a whole number.`);
    return Number(text);
  };
  return { startIndex: Math.max(1, number('startIndex', 1)), count: Math.min(MAX_RESULTS, Math.max(0, number('count', COUNT))) };
}

/** A page of what was found; a count of 0 says how many there are, and gives none. */
export async function listOf<Found>(
  found: readonly Found[],
  { startIndex, count }: Page,
  resources: (page: readonly Found[]) => Promise<JsonObject[]>,
): Promise<ScimAnswer> {
  const page = found.slice(startIndex - 1, startIndex - 1 + count);
  return {
    status: 200,
    json: { schemas: [LIST], totalResults: found.length, startIndex, itemsPerPage: page.length, Resources: page.length === 0 ? [] : await resources(page) },
  };
}

export function filterOf(query: ScimCall['query']): Filter | null {
  const text = query('filter');
  return text === undefined || text.trim() === '' ? null : parseFilter(text);
}

/** The text that a filter looks one attribute up by; null where it asks for something else. */
export function lookedUp(filter: Filter | null, attribute: string): string | null {
  return filter?.kind === 'compare' && filter.op === 'eq' && filter.path.length === 1 && filter.path[0] === attribute && typeof filter.value === 'string'
    ? filter.value
    : null;
}

/** Whether `If-None-Match` names the version that is there. */
export function isSame(ifNoneMatch: string | undefined, version: string): boolean {
  return (
    ifNoneMatch !== undefined && ifNoneMatch.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === version.replace(/^W\//, ''))
  );
}
