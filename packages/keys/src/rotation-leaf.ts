import { makeLeaf } from '@countersign/core/ledger';
import type { LeafRecord, Sealer, SigningPurpose } from '@countersign/core/ports';
import { base64url, canonicalJson, newUuid, utf8 } from '@countersign/core/request';
import { randomBytes } from 'node:crypto';

/** A rotation, as the ledger keeps it. */
export interface Rotation {
  purpose: SigningPurpose;
  /** The kids of the key that signs no more and of its successor. */
  retired: string;
  active: string;
  /** RFC 3339, UTC, milliseconds. */
  at: string;
  tenant: string;
  by: string;
  via: 'api' | 'cli';
}

/**
 * The leaf of a rotation; its subject is the new key's kid. Who did it is private: sealed with a record key of the leaf's own, as
 * `{ "record_key", "details" }` under the master key, since there is no request whose key it could be.
 */
export async function rotationLeaf(sealer: Sealer, { purpose, retired, active, at, tenant, by, via }: Rotation): Promise<LeafRecord> {
  const recordKey = new Uint8Array(randomBytes(32));
  const id = newUuid(Date.parse(at), new Uint8Array(randomBytes(10)));
  const details = { by };
  const bytes = makeLeaf({ id, event: 'key.rotated', at, tenant, subject: active, facts: { purpose, retired, active, via }, details, recordKey });
  const sealed_private = await sealer.seal(
    { tenant, table: 'ledger_leaves', row: id, column: 'sealed_private' },
    utf8(canonicalJson({ record_key: base64url(recordKey), details })),
  );
  return { id, event: 'key.rotated', at, subject: active, bytes, sealed_private };
}
