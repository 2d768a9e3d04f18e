import type { JsonObject } from '@countersign/contracts';
import { endpointState } from '@countersign/core/flow';
import type { Sealer } from '@countersign/core/ports';
import { canonicalJson } from '@countersign/core/request';
import type { AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';
import { loneLeaves } from './lone-leaves.js';
import type { OpenedLeaf } from './request-leaves.js';

/** Where callbacks go, and by which secrets they are signed, against what administrators said. */
export async function auditEndpoints(
  snapshot: AuditSnapshot,
  tenant: string,
  sealer: Sealer | null,
): Promise<{ findings: Finding[]; rows: { endpoints: number; endpoint_secrets: number } }> {
  const endpoints = await snapshot.endpoints(tenant);
  const { leaves, findings } = await loneLeaves(snapshot, tenant, ['endpoint.changed'], sealer);
  for (const endpoint of endpoints) {
    const said = leaves.filter(({ subject }) => subject === endpoint.id);
    const finding = (table: string, column: string | null, problem: string): void => void findings.push({ table, row: endpoint.id, column, problem });
    if (said.length === 0 || said.at(-1)?.facts['what'] === 'deleted') {
      finding('endpoints', null, 'has no leaf: the ledger never saw it');
      continue;
    }
    const last = said.findLast(({ facts }) => facts['what'] === 'created' || facts['what'] === 'changed');
    if (last?.details == null) continue;
    // The rows' types are the store's; what is compared is JSON.
    const state = endpointState(endpoint as Parameters<typeof endpointState>[0]) as JsonObject;
    for (const column of Object.keys(state)) {
      if (canonicalJson(state[column] ?? null) !== canonicalJson(last.details[column] ?? null))
        finding('endpoints', column, `is not what ${last.place} (endpoint.changed) says`);
    }
    const secrets = new Set(said.flatMap(({ details }: OpenedLeaf) => (typeof details?.['secret'] === 'string' ? [details['secret']] : [])));
    for (const secret of endpoint.secrets) if (!secrets.has(secret)) finding('endpoint_secrets', 'id', `${secret} has no leaf: the ledger never saw it`);
  }
  const there = new Set(endpoints.map(({ id }) => id));
  for (const subject of new Set(leaves.map((leaf) => leaf.subject))) {
    const last = leaves.findLast((leaf) => leaf.subject === subject);
    if (!there.has(subject) && last?.facts['what'] !== 'deleted' && leaves.some((leaf) => leaf.subject === subject && leaf.facts['what'] === 'created'))
      findings.push({ table: 'endpoints', row: subject, column: null, problem: `is missing; ${last?.place} (endpoint.changed) speaks of it` });
  }
  return { findings, rows: { endpoints: endpoints.length, endpoint_secrets: endpoints.reduce((sum, { secrets }) => sum + secrets.length, 0) } };
}
