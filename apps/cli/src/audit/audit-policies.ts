import { compileCanonical, loadFactParsers } from '@countersign/core/policy';
import type { AuditSnapshot } from '@countersign/store';
import { parsedLeaf } from './audit-places.js';
import type { Finding } from './finding.js';

/** The policy texts and the one in force against what the ledger says was activated. */
export async function auditPolicies(snapshot: AuditSnapshot, tenant: string): Promise<{ findings: Finding[]; policies: number }> {
  const { policies, active, leaves } = await snapshot.policies(tenant);
  await loadFactParsers();
  const findings: Finding[] = [];
  const known = leaves.flatMap((row) => parsedLeaf(row) ?? []);
  const activations = known.filter(({ event }) => event === 'policy.activated');
  for (const { digest, canonical } of policies) {
    const compiled = compileCanonical(canonical);
    const place = { table: 'policies', row: digest };
    if (!compiled.ok || compiled.bundle.digest !== digest) findings.push({ ...place, column: 'canonical', problem: 'is not the text that its digest names' });
    if (!known.some(({ subject }) => subject === digest))
      findings.push({ ...place, column: null, problem: 'has no leaf: the ledger never saw it stored or activated' });
  }
  for (const { id, subject, event } of known) {
    if (!policies.some(({ digest }) => digest === subject))
      findings.push({ table: 'policies', row: subject, column: null, problem: `is missing; leaf ${id} (${event}) speaks of it` });
  }
  const last = activations.at(-1);
  if ((active?.digest ?? null) !== (last?.subject ?? null)) {
    findings.push({
      table: 'active_policies',
      row: tenant,
      column: 'digest',
      problem: `the row says ${active?.digest ?? 'nothing'}, the ledger ${last === undefined ? 'nothing' : last.subject}`,
    });
  } else if (active !== null && typeof last?.facts['by'] === 'string' && last.facts['by'] !== active.activated_by) {
    findings.push({
      table: 'active_policies',
      row: tenant,
      column: 'activated_by',
      problem: `the row says ${JSON.stringify(active.activated_by)}, the ledger ${JSON.stringify(last.facts['by'])}`,
    });
  }
  return { findings, policies: policies.length };
}
