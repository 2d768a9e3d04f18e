import type { Sealer } from '@countersign/core/ports';
import type { AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';
import { loneLeaves } from './lone-leaves.js';
import { leafless, RowCheck, rowless } from './row-check.js';

/** Where the Slack app is installed, against the ledger: a workspace that nobody installed, or another token in its place, is found. */
export async function auditSlack(
  snapshot: AuditSnapshot,
  tenant: string,
  sealer: Sealer | null,
): Promise<{ findings: Finding[]; slack_installations: number }> {
  const rows = await snapshot.slackInstallations(tenant);
  const { leaves, findings } = await loneLeaves(snapshot, tenant, ['slack.installed', 'slack.uninstalled'], sealer);
  const table = 'slack_installations';
  for (const { id, ...columns } of rows) {
    const last = leaves.findLast(({ subject }) => subject === `slack:${id}`);
    if (last === undefined || last.event === 'slack.uninstalled') {
      findings.push(leafless(table, id, 'slack.installed'));
      continue;
    }
    const row = new RowCheck({ table, row: id }, last, findings);
    const { enterprise_install, scopes, installed_at, ...personal } = columns;
    row.same('enterprise_install', enterprise_install, last.facts['enterprise_install']);
    row.same('scopes', scopes, last.facts['scopes']);
    row.same('installed_at', installed_at, last.at);
    if (last.details !== null) for (const [column, value] of Object.entries(personal)) row.same(column, value, last.details[column]);
  }
  for (const subject of new Set(leaves.map((leaf) => leaf.subject))) {
    const last = leaves.findLast((leaf) => leaf.subject === subject);
    if (last?.event === 'slack.installed' && !rows.some(({ id }) => subject === `slack:${id}`))
      findings.push(rowless(table, subject.slice('slack:'.length), last));
  }
  return { findings, slack_installations: rows.length };
}
