import type { JsonObject } from '@countersign/contracts';
import { leafContext, openPayload, type OpenPayload } from '@countersign/core/flow';
import { type Leaf, verifyLeaf } from '@countersign/core/ledger';
import type { Sealer } from '@countersign/core/ports';
import { fromUtf8 } from '@countersign/core/request';
import { CoreError } from '@countersign/core/errors';
import type { AuditedLeaf, AuditedRequest } from '@countersign/store';
import { leafFaults, parsedLeaf } from './audit-places.js';
import type { Finding } from './finding.js';

/** A leaf of a request, with its private part where that could be opened and is what the leaf commits to. */
export interface OpenedLeaf extends Leaf {
  details: JsonObject | null;
  /** For people: `entry 12`. */
  place: string;
}

export interface RequestLeaves {
  leaves: OpenedLeaf[];
  /** The unmasked submission and the record's key; null where they could not be opened. */
  payload: OpenPayload | null;
  findings: Finding[];
}

/** Reads a request's leaves, opens what lies sealed beside them, and holds it against their commitments. */
export async function readLeaves(audited: AuditedRequest, tenant: string, sealer: Sealer | null): Promise<RequestLeaves> {
  const findings: Finding[] = [];
  const payload = sealer === null || audited.request === null ? null : await openedPayload(sealer, audited.request, findings);
  const leaves = audited.leaves.flatMap((row): OpenedLeaf[] => {
    // Leaves that have their place are looked at with all others of the log.
    if (row.position === null) findings.push(...leafFaults(row, tenant));
    const leaf = parsedLeaf(row);
    if (leaf === null) return [];
    const details = sealer === null || payload === null ? null : openedDetails(sealer, payload.recordKey, row, leaf, findings);
    return [{ ...leaf, details, place: row.position === null ? 'a leaf that waits for its place' : `entry ${row.position}` }];
  });
  return { leaves, payload, findings };
}

async function openedPayload(sealer: Sealer, request: NonNullable<AuditedRequest['request']>, findings: Finding[]): Promise<OpenPayload | null> {
  try {
    return await openPayload(sealer, request);
  } catch (error) {
    if (!(error instanceof CoreError)) throw error;
    const problem =
      request.sealed_payload.length === 0
        ? 'is empty: the private parts of this request were erased, or taken away'
        : 'does not open with the master key: it was altered, or comes from another row';
    findings.push({ table: 'action_requests', row: request.id, column: 'sealed_payload', problem });
    return null;
  }
}

function openedDetails(sealer: Sealer, recordKey: Uint8Array, row: AuditedLeaf, leaf: Leaf, findings: Finding[]): JsonObject | null {
  const wrong = (problem: string): null => {
    findings.push({ table: 'ledger_leaves', row: row.id, column: 'sealed_private', problem });
    return null;
  };
  let details: JsonObject = {};
  if (row.sealed_private !== null) {
    try {
      // Sealed by leafMaker alone, and held against the leaf's commitment below.
      details = JSON.parse(fromUtf8(sealer.openUnder(recordKey, leafContext(leaf.tenant, row.id), row.sealed_private))) as JsonObject;
    } catch {
      return wrong(`the private part of ${leaf.event} does not open under the request's key`);
    }
  }
  return verifyLeaf(leaf, details, recordKey) ? details : wrong(`the private part of ${leaf.event} is not what the leaf commits to`);
}
