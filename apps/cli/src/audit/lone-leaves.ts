import type { EventName, JsonObject } from '@countersign/contracts';
import { leafContext } from '@countersign/core/flow';
import { verifyLeaf } from '@countersign/core/ledger';
import type { Sealer } from '@countersign/core/ports';
import { fromBase64url, fromUtf8 } from '@countersign/core/request';
import type { AuditSnapshot } from '@countersign/store';
import { leafFaults, parsedLeaf } from './audit-places.js';
import type { Finding } from './finding.js';
import type { OpenedLeaf } from './request-leaves.js';

/**
 * The leaves of facts that belong to no request, in the log's order, with their private parts where the master key opens them and they are
 * what the leaf commits to.
 */
export async function loneLeaves(
  snapshot: AuditSnapshot,
  tenant: string,
  events: readonly EventName[],
  sealer: Sealer | null,
): Promise<{ leaves: OpenedLeaf[]; findings: Finding[] }> {
  const findings: Finding[] = [];
  const leaves: OpenedLeaf[] = [];
  for (const row of await snapshot.standing(tenant, events)) {
    if (row.position === null) findings.push(...leafFaults(row, tenant));
    const leaf = parsedLeaf(row);
    if (leaf === null) continue;
    let details: JsonObject | null = null;
    if (sealer !== null && row.sealed_private !== null) {
      const opened = await sealer.open(leafContext(tenant, row.id), row.sealed_private).then(fromUtf8, () => null);
      // Sealed by loneLeaf alone, and held against the leaf's commitment.
      const parts = opened === null ? null : (JSON.parse(opened) as { record_key: string; details: JsonObject });
      if (parts !== null && verifyLeaf(leaf, parts.details, fromBase64url(parts.record_key))) details = parts.details;
      else
        findings.push({
          table: 'ledger_leaves',
          row: row.id,
          column: 'sealed_private',
          problem: `the private part of ${leaf.event} is not what the leaf commits to`,
        });
    }
    leaves.push({ ...leaf, details, place: row.position === null ? 'a leaf that waits for its place' : `entry ${row.position}` });
  }
  return { leaves, findings };
}
