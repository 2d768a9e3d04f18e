import type { EventName, JsonObject } from '@countersign/contracts';
import { instantSchema, jsonObjectSchema } from '@countersign/contracts';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { z } from 'zod';
import { CoreError } from '../errors.js';
import { fromUtf8, hex, utf8 } from '../request/bytes.js';
import { canonicalJson } from '../request/canonical-json.js';
import { sameBytes } from './hashing.js';
import { MAX_ENTRY_BYTES } from './tiles.js';

/** What a ledger entry is made of. */
export interface LeafParts {
  /** A UUIDv7 of its own. */
  id: string;
  event: EventName;
  /** When it happened: RFC 3339, UTC, milliseconds. */
  at: string;
  tenant: string;
  /** The id of what it is about, `ar_…` for everything of a request. */
  subject: string;
  /** What everybody may read for ever: nothing personal, no payload, neither digest of the request. */
  facts: JsonObject;
  /** All the rest (people, both digests, parameters, reasons): the leaf carries a commitment to it alone. */
  details: JsonObject;
  /** The record's own key, 32 random bytes. While it exists a reader can be shown the details; without it the commitment tells nothing. */
  recordKey: Uint8Array;
}

/** A leaf as read from its bytes. `event` is text: a log outlives the list of events that we know today. */
export interface Leaf {
  readonly v: 1;
  readonly id: string;
  readonly event: string;
  readonly at: string;
  readonly tenant: string;
  readonly subject: string;
  readonly facts: JsonObject;
  /** `hmac-sha256:` and 64 lower-case hexadecimal digits. */
  readonly commitment: string;
}

/** The bytes of a record key. */
const RECORD_KEY_BYTES = 32;

/**
 * Members that would let a guess be confirmed, or a payload leak, for as long as the log exists. They are details, at whatever depth.
 * This catches slips; that facts hold nothing personal is each caller's duty.
 */
const NEVER_FACTS = new Set(['action_digest', 'request_digest', 'view_digest', 'act_digest', 'parameters']);

/**
 * The exact bytes of a ledger entry: the UTF-8 of the RFC 8785 canonical JSON of
 *
 *     {"at":…,"commitment":"hmac-sha256:<hex>","event":…,"facts":{…},"id":…,"subject":…,"tenant":…,"v":1}
 *
 * (RFC 8785 sorts the members so), without white space and without a newline at the end, at most 65,535 bytes.
 * `commitment` is HMAC-SHA256 (RFC 2104) with the 32 bytes of the record's key over the UTF-8 of the RFC 8785 canonical JSON of the details,
 * in lower-case hexadecimal; details that are empty are `{}`. The log hashes SHA-256(0x00 ‖ these bytes).
 * @throws CoreError `invalid_argument` for a key of another length, facts that must not stand in the open, or a leaf that is too long;
 * `not_canonical_json` for facts or details that JSON cannot say.
 */
export function makeLeaf({ id, event, at, tenant, subject, facts, details, recordKey }: LeafParts): Uint8Array {
  const exposed = memberNames(facts).find((name) => NEVER_FACTS.has(name));
  if (exposed !== undefined) throw new CoreError('invalid_argument', `"${exposed}" is private: it belongs to a leaf's details`);
  const leaf: Leaf = { v: 1, id, event, at, tenant, subject, facts, commitment: commitmentTo(details, recordKey) };
  const bytes = utf8(canonicalJson(leaf));
  if (bytes.length > MAX_ENTRY_BYTES) throw new CoreError('invalid_argument', `a leaf has at most ${MAX_ENTRY_BYTES} bytes, this one ${bytes.length}`);
  return bytes;
}

/**
 * Reads a leaf. Only the bytes that makeLeaf writes are read: members in order, none unknown, none twice.
 * @throws CoreError `ledger_malformed`
 */
export function openLeaf(bytes: Uint8Array): Leaf {
  try {
    const leaf = leafSchema.parse(JSON.parse(fromUtf8(bytes)));
    if (sameBytes(utf8(canonicalJson(leaf)), bytes)) return leaf;
  } catch (cause) {
    throw new CoreError('ledger_malformed', 'these bytes are not a leaf', { cause });
  }
  throw new CoreError('ledger_malformed', 'the leaf is not canonical');
}

/** Whether the details are those that the leaf commits to, under the record's key. False for a key of another length. */
export function verifyLeaf(leaf: Leaf, details: JsonObject, recordKey: Uint8Array): boolean {
  return recordKey.length === RECORD_KEY_BYTES && commitmentTo(details, recordKey) === leaf.commitment;
}

function commitmentTo(details: JsonObject, recordKey: Uint8Array): string {
  if (recordKey.length !== RECORD_KEY_BYTES) throw new CoreError('invalid_argument', `a record key has ${RECORD_KEY_BYTES} bytes`);
  return `hmac-sha256:${hex(hmac(sha256, recordKey, utf8(canonicalJson(details))))}`;
}

const leafSchema = z.strictObject({
  v: z.literal(1),
  id: z.string().min(1),
  event: z.string().min(1),
  at: instantSchema,
  tenant: z.string().min(1),
  subject: z.string().min(1),
  facts: jsonObjectSchema,
  commitment: z.string().regex(/^hmac-sha256:[0-9a-f]{64}$/),
});

function memberNames(root: JsonObject): string[] {
  const names: string[] = [];
  const todo: unknown[] = [root];
  for (let value = todo.pop(); value !== undefined; value = todo.pop()) {
    if (value === null || typeof value !== 'object') continue;
    if (!Array.isArray(value)) names.push(...Object.keys(value));
    todo.push(...Object.values(value));
  }
  return names;
}
