import type { Sealer } from '@countersign/core/ports';
import type { AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';
import { loneLeaves } from './lone-leaves.js';
import type { OpenedLeaf } from './request-leaves.js';
import { leafless, RowCheck, rowless } from './row-check.js';

export interface ControlAudit {
  findings: Finding[];
  rows: { freezes: number; patterns: number; config_changes: number; policy_activations: number };
}

/** What controls the installation, against the ledger: what was frozen and by whom it was lifted, which patterns were approved and how often used, which changes were applied. */
export async function auditControl(snapshot: AuditSnapshot, tenant: string, sealer: Sealer | null): Promise<ControlAudit> {
  const { freezes, patterns, changes, activations } = await snapshot.control(tenant);
  const lone = await loneLeaves(snapshot, tenant, ['freeze.placed', 'freeze.lifted', 'freeze.ended', 'pattern.revoked', 'policy.activated'], sealer);
  // Their private parts are under their requests' keys, and are held against these with the requests.
  const ofRequests = await loneLeaves(
    snapshot,
    tenant,
    ['pattern.created', 'pattern.used', 'config_change.proposed', 'config_change.applied', 'config_change.failed'],
    null,
  );
  const findings = [...lone.findings, ...ofRequests.findings];
  const of = (event: string, matches: (leaf: OpenedLeaf) => boolean): OpenedLeaf[] =>
    [...lone.leaves, ...ofRequests.leaves].filter((leaf) => leaf.event === event && matches(leaf));

  for (const freeze of freezes) {
    const { id } = freeze;
    const [placed] = of('freeze.placed', ({ subject }) => subject === id);
    const [lifted] = [...of('freeze.lifted', ({ subject }) => subject === id), ...of('freeze.ended', ({ subject }) => subject === id)];
    if (placed === undefined) {
      findings.push(leafless('freezes', id, 'freeze.placed'));
      continue;
    }
    const row = new RowCheck({ table: 'freezes', row: id }, placed, findings);
    row.same('placed_at', freeze.placed_at, placed.at);
    row.same('expires_at', freeze.expires_at, placed.facts['expires_at']);
    if (!freeze.compared_alike)
      findings.push({ table: 'freezes', row: id, column: 'actor_fold, caller or action_like', problem: 'is not what the scope says' });
    row.same('scope', Object.keys(freeze.scope).toSorted(), placed.facts['scope']);
    if (placed.details !== null) {
      row.same('scope', freeze.scope, placed.details['scope']);
      row.same('actor_people', freeze.actor_people, placed.details['people']);
      row.same('reason', freeze.reason, placed.details['reason']);
      row.same('placed_by', freeze.placed_by, placed.details['by']);
    }
    const end = lifted === undefined ? row : new RowCheck({ table: 'freezes', row: id }, lifted, findings);
    end.same('lifted_at', freeze.lifted_at, lifted?.at ?? null);
    if (lifted === undefined || lifted.details !== null) {
      end.same('lifted_by', freeze.lifted_by, lifted?.details?.['by'] ?? null);
      end.same('lift_reason', freeze.lift_reason, lifted?.details?.['reason'] ?? null);
    }
  }
  for (const leaf of of('freeze.placed', ({ subject }) => !freezes.some(({ id }) => id === subject))) findings.push(rowless('freezes', leaf.subject, leaf));

  for (const pattern of patterns) {
    const { id } = pattern;
    const [created] = of('pattern.created', ({ facts }) => facts['pattern'] === id);
    if (created === undefined) {
      findings.push(leafless('patterns', id, 'pattern.created'));
      continue;
    }
    const row = new RowCheck({ table: 'patterns', row: id }, created, findings);
    row.same('request_id', pattern.request_id, created.subject);
    row.same('uses', pattern.uses, created.facts['uses']);
    row.same('expires_at', pattern.expires_at, created.facts['expires_at']);
    row.same('used', pattern.used, of('pattern.used', ({ facts }) => facts['pattern'] === id).length);
    const [revoked] = of('pattern.revoked', ({ subject }) => subject === id);
    row.same('revoked_at', pattern.revoked_at, revoked?.at ?? null);
    if (revoked === undefined || revoked.details !== null) row.same('revoked_by', pattern.revoked_by, revoked?.details?.['by'] ?? null);
  }
  for (const leaf of of('pattern.created', ({ facts }) => !patterns.some(({ id }) => id === facts['pattern'])))
    findings.push(rowless('patterns', textOf(leaf.facts['pattern']), leaf));

  for (const change of changes) {
    const { id } = change;
    const [proposed] = of('config_change.proposed', ({ facts }) => facts['change'] === id);
    if (proposed === undefined) {
      findings.push(leafless('config_changes', id, 'config_change.proposed'));
      continue;
    }
    const row = new RowCheck({ table: 'config_changes', row: id }, proposed, findings);
    row.same('request_id', change.request_id, proposed.subject);
    row.same('kind', change.kind, proposed.facts['kind']);
    for (const [event, state] of [
      ['config_change.applied', 'applied'],
      ['config_change.failed', 'failed'],
    ] as const) {
      const [ended] = of(event, ({ facts }) => facts['change'] === id);
      if ((ended !== undefined) !== (change.state === state))
        findings.push({
          table: 'config_changes',
          row: id,
          column: 'state',
          problem: `says ${change.state}, and the ledger has ${ended === undefined ? 'no' : 'a'} ${event} of it`,
        });
    }
  }
  for (const leaf of of('config_change.proposed', ({ facts }) => !changes.some(({ id }) => id === facts['change'])))
    findings.push(rowless('config_changes', textOf(leaf.facts['change']), leaf));

  for (const { id, digest, by } of activations) {
    const [leaf] = of('policy.activated', (candidate) => candidate.id === id);
    if (leaf === undefined) findings.push(leafless('policy_activations', id, 'policy.activated'));
    else {
      const row = new RowCheck({ table: 'policy_activations', row: id }, leaf, findings);
      row.same('digest', digest, leaf.subject);
      row.same('activated_by', by, leaf.facts['by'] ?? by);
    }
  }
  return { findings, rows: { freezes: freezes.length, patterns: patterns.length, config_changes: changes.length, policy_activations: activations.length } };
}

const textOf = (id: unknown): string => (typeof id === 'string' ? id : '(no id)');
