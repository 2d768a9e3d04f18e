import type { JsonValue, Obligations } from '@countersign/contracts';
import { RE2JS } from '@bufbuild/re2';
import { type Refusal, refusals } from './refusal.js';

/** What an approver gives with an approval, and what is known of the request and of what the approver has seen. */
export interface Given {
  ticket: string | undefined;
  acknowledged: readonly string[];
  /** Whether the approver has opened everything of the request, as it is shown now. */
  opened: boolean;
  /** The submission, unmasked. */
  submission: JsonValue;
}

/**
 * The first obligation that is not met, apart from the passkey, which is taken last; null where all are. A pattern that cannot be
 * used is met by nothing.
 */
export function unmetObligation(obligations: Obligations, given: Given): Refusal | null {
  for (const { pattern, field } of obligations.tickets ?? []) {
    if (field === undefined) {
      if (given.ticket === undefined || !matchesWhole(pattern, given.ticket)) return refusals.ticketRequired(pattern);
    } else if (!matchesWhole(pattern, valueAt(given.submission, field))) return refusals.ticketMissing(field, pattern);
  }
  for (const text of obligations.acknowledge ?? []) if (!given.acknowledged.includes(text)) return refusals.acknowledgementRequired(text);
  return obligations.must_open === true && !given.opened ? refusals.mustOpen() : null;
}

/** Whether the tickets that policy wants in fields of the submission are there: that is asked of each request, also of one that a pattern lets pass. */
export function hasItsTickets({ tickets = [] }: Obligations, submission: JsonValue): boolean {
  return tickets.every(({ pattern, field }) => field === undefined || matchesWhole(pattern, valueAt(submission, field)));
}

/** RE2, whole text: time is linear in the text, which may be long where it comes from the request. */
function matchesWhole(pattern: string, text: JsonValue | undefined): boolean {
  if (typeof text !== 'string' || text.length > MAX_TICKET) return false;
  try {
    return RE2JS.compile(pattern).matches(text);
  } catch {
    return false;
  }
}

/** As the body's `ticket`. */
const MAX_TICKET = 256;

/** The value at a dotted path, own members alone. */
function valueAt(root: JsonValue, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const name of path.split('.')) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}
