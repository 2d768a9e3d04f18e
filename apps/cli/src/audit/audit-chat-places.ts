import type { Sealer } from '@countersign/core/ports';
import type { AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';
import { loneLeaves } from './lone-leaves.js';
import { leafless, RowCheck, rowless } from './row-check.js';

/** Holds where cards may be posted against the ledger: a conversation that nobody allowed, or another one in its place, is found. */
export async function auditChatPlaces(snapshot: AuditSnapshot, tenant: string, sealer: Sealer | null): Promise<{ findings: Finding[]; chat_places: number }> {
  const rows = await snapshot.chatPlaces(tenant);
  const { leaves, findings } = await loneLeaves(snapshot, tenant, ['place.allowed', 'place.disallowed'], sealer);
  const table = 'chat_places';
  for (const { id, platform, place, allowed, decided_by, decided_at } of rows) {
    const last = leaves.findLast(({ subject }) => subject === id);
    if (last === undefined) {
      if (allowed || decided_at !== null) findings.push(leafless(table, id, 'place.allowed'));
      continue;
    }
    const row = new RowCheck({ table, row: id }, last, findings);
    row.same('allowed', allowed, last.event === 'place.allowed');
    row.same('platform', platform, last.facts['platform']);
    row.same('decided_at', decided_at, last.at);
    if (last.details !== null) {
      row.same('place', place, last.details['place']);
      row.same('decided_by', decided_by, last.details['by']);
    }
  }
  for (const subject of new Set(leaves.map((leaf) => leaf.subject)))
    if (!rows.some(({ id }) => id === subject))
      findings.push(
        rowless(
          table,
          subject,
          leaves.findLast((leaf) => leaf.subject === subject),
        ),
      );
  return { findings, chat_places: rows.length };
}
