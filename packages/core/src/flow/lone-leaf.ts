import type { EventName, JsonObject } from '@countersign/contracts';
import { makeLeaf } from '../ledger/index.js';
import type { Entropy, LeafRecord, Sealer } from '../ports.js';
import { base64url, utf8 } from '../request/bytes.js';
import { canonicalJson } from '../request/canonical-json.js';
import { newUuid } from '../request/ids.js';
import type { Instant } from '../request/instants.js';
import { newRecordKey } from './record-key.js';

/** A fact that belongs to no request: a link, a token, a key, a change of the directory. */
export interface LoneFact {
  tenant: string;
  event: EventName;
  /** The id of what it is about. */
  subject: string;
  at: Instant;
  /** Nothing personal: these stand open for ever. */
  facts: JsonObject;
  /** People and all the rest. */
  details: JsonObject;
}

/**
 * Its ledger leaf. It has a record key of its own, sealed with the details as `{ "record_key", "details" }` under the master key, since
 * there is no request whose key it could be: erasing that erases the details.
 */
export async function loneLeaf(world: { sealer: Sealer; entropy: Entropy }, { tenant, event, subject, at, facts, details }: LoneFact): Promise<LeafRecord> {
  const recordKey = newRecordKey(world.entropy);
  const id = newUuid(at, world.entropy.bytes(10));
  const bytes = makeLeaf({ id, event, at, tenant, subject, facts, details, recordKey });
  const sealed_private = await world.sealer.seal(
    { tenant, table: 'ledger_leaves', row: id, column: 'sealed_private' },
    utf8(canonicalJson({ record_key: base64url(recordKey), details })),
  );
  return { id, event, at, subject, bytes, sealed_private };
}
