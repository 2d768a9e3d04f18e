import type { Sealer } from '@countersign/core/ports';
import type { AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';
import { loneLeaves } from './lone-leaves.js';
import { leafless, RowCheck } from './row-check.js';
import type { OpenedLeaf } from './request-leaves.js';

/**
 * Holds who may decide from a chat account, and who a subject of the identity provider is, against the ledger: a link that nobody made, or to
 * another person, is found. What the directory names is part of its own record. Without the master key the leaves do not say which
 * account they are about.
 */
export async function auditAccounts(
  snapshot: AuditSnapshot,
  tenant: string,
  sealer: Sealer | null,
): Promise<{ findings: Finding[]; rows: { chat_account_links: number; identity_links: number } }> {
  const { chat, identities } = await snapshot.accounts(tenant);
  const rows = { chat_account_links: chat.length, identity_links: identities.length };
  const { leaves, findings } = await loneLeaves(snapshot, tenant, ['account.linked', 'account.unlinked'], sealer);
  if (sealer === null) return { findings, rows };

  for (const { platform, workspace, user, person_id, how } of chat) {
    const place = { table: 'chat_account_links', row: `${platform} ${workspace} ${user}` };
    const last = leaves.findLast(({ facts, details }) => facts['platform'] === platform && details?.['workspace'] === workspace && details['user'] === user);
    check(place, last, { person_id, how }, findings);
  }
  for (const { issuer, subject, person_id, how, cut_at } of identities) {
    const last = leaves.findLast(({ details }) => details?.['issuer'] === issuer && details['subject'] === subject);
    const place = { table: 'identity_links', row: `${issuer} ${subject}` };
    if (cut_at === null) check(place, last, { person_id, how }, findings);
  }
  return { findings, rows };
}

/** The last word of the ledger on a link that is there has to be that it was made, so, for this person. */
function check(place: Pick<Finding, 'table' | 'row'>, last: OpenedLeaf | undefined, has: { person_id: string; how: string }, findings: Finding[]): void {
  if (last === undefined) return void findings.push(leafless(place.table, place.row, 'account.linked'));
  if (last.event === 'account.unlinked')
    return void findings.push({ ...place, column: null, problem: `is there, though the ledger says that it was cut off (${last.place})` });
  const row = new RowCheck(place, last, findings);
  row.same('person_id', has.person_id, last.details?.['person']);
  row.same('how', has.how, last.facts['how']);
}
