import type { Sealer } from '@countersign/core/ports';
import type { AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';
import { loneLeaves } from './lone-leaves.js';
import { leafless, RowCheck, rowless } from './row-check.js';

/** Holds who stands in for whom against the ledger: a stand-in whom nobody named, another one, or one for longer is found. */
export async function auditDelegations(snapshot: AuditSnapshot, tenant: string, sealer: Sealer | null): Promise<{ findings: Finding[]; delegations: number }> {
  const rows = await snapshot.delegations(tenant);
  const { leaves, findings } = await loneLeaves(snapshot, tenant, ['delegation.created', 'delegation.ended'], sealer);
  const table = 'delegations';
  for (const { id, person_id, delegate_id, from, until, reason, created_at, ended_at } of rows) {
    const created = leaves.find(({ event, subject }) => event === 'delegation.created' && subject === id);
    if (created === undefined) {
      findings.push(leafless(table, id, 'delegation.created'));
      continue;
    }
    const row = new RowCheck({ table, row: id }, created, findings);
    row.same('created_at', created_at, created.at);
    row.same('from_at', from, created.facts['from']);
    row.same('until_at', until, created.facts['until']);
    if (created.details !== null) {
      row.same('person_id', person_id, idOf(created.details['person']));
      row.same('delegate_id', delegate_id, idOf(created.details['delegate']));
      row.same('reason', reason, created.details['reason']);
    }
    const ended = leaves.find(({ event, subject }) => event === 'delegation.ended' && subject === id);
    (ended === undefined ? row : new RowCheck({ table, row: id }, ended, findings)).same('ended_at', ended_at, ended?.at ?? null);
  }
  for (const leaf of leaves)
    if (leaf.event === 'delegation.created' && !rows.some(({ id }) => id === leaf.subject)) findings.push(rowless(table, leaf.subject, leaf));
  return { findings, delegations: rows.length };
}

const idOf = (person: unknown): unknown => (typeof person === 'object' && person !== null && 'id' in person ? person.id : null);
