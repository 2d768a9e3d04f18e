import type { IdPrefix } from '@countersign/contracts';
import { createHash } from 'node:crypto';
import { canonicalJson, isId, isInstant } from '@countersign/core/request';

/** After which request the next page begins. */
export interface Place {
  created_at: string;
  id: string;
}

/**
 * A cursor: the last entry of a page, bound by a checksum to the query and the reader that it was made for. It gives no
 * right: each page is read with the reader's own rights, so that a forged one shows nothing more than a page of theirs.
 */
export function cursorOf(place: Place, scope: object): string {
  return Buffer.from(`${place.created_at} ${place.id} ${sumOf(place, scope)}`).toString('base64url');
}

/** Reads a cursor over ids of a prefix; null for anything that was not made for this query and reader. */
export function readCursor(text: string, scope: object, prefix: IdPrefix = 'ar'): Place | null {
  const [created_at = '', id = '', sum = '', ...more] = Buffer.from(text, 'base64url').toString('utf8').split(' ');
  if (more.length > 0 || !isInstant(created_at) || !isId(prefix, id)) return null;
  const place = { created_at, id };
  // Base64 decoders are lenient: only the one spelling that we write counts.
  return sumOf(place, scope) === sum && cursorOf(place, scope) === text ? place : null;
}

function sumOf(place: Place, scope: object): string {
  return createHash('sha256').update(canonicalJson({ place, scope })).digest('base64url').slice(0, 16);
}
