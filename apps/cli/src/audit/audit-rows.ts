import { auditDelegations } from './audit-delegations.js';
import { auditAccounts } from './audit-accounts.js';
import { auditChatPlaces } from './audit-chat-places.js';
import { auditControl } from './audit-control.js';
import { auditDirectory } from './audit-directory.js';
import { auditEndpoints } from './audit-endpoints.js';
import { auditKeys } from './audit-keys.js';
import { auditPolicies } from './audit-policies.js';
import { auditSlack } from './audit-slack.js';
import { auditRequest, type Openers } from './audit-request.js';
import type { Finding } from './finding.js';
import type { AuditSnapshot } from '@countersign/store';

export interface RowsAudit {
  findings: Finding[];
  /** How many rows of which table were held against their leaves. */
  rows: Record<string, number>;
  /** Requests whose private parts were not compared. */
  unopened: number;
}

/** Holds the rows of every request, and the policies, against the ledger. */
export async function auditRows(snapshot: AuditSnapshot, tenant: string, openers: Openers): Promise<RowsAudit> {
  const policies = await auditPolicies(snapshot, tenant);
  const directory = await auditDirectory(snapshot, tenant, openers.sealer);
  const endpoints = await auditEndpoints(snapshot, tenant, openers.sealer);
  const keys = await auditKeys(snapshot, tenant, openers.sealer);
  const control = await auditControl(snapshot, tenant, openers.sealer);
  const standIns = await auditDelegations(snapshot, tenant, openers.sealer);
  const accounts = await auditAccounts(snapshot, tenant, openers.sealer);
  const chatPlaces = await auditChatPlaces(snapshot, tenant, openers.sealer);
  const slack = await auditSlack(snapshot, tenant, openers.sealer);
  const findings = [
    ...slack.findings,
    ...chatPlaces.findings,
    ...accounts.findings,
    ...policies.findings,
    ...control.findings,
    ...directory.findings,
    ...endpoints.findings,
    ...keys.findings,
    ...standIns.findings,
  ];
  const rows = {
    action_requests: 0,
    decisions: 0,
    outcomes: 0,
    grants: 0,
    deliveries: 0,
    delivery_attempts: 0,
    execution_reports: 0,
    policies: policies.policies,
    reviews: 0,
    questions: 0,
    proposals: 0,
    card_openings: 0,
    mails: 0,
    delegations: standIns.delegations,
    chat_places: chatPlaces.chat_places,
    slack_installations: slack.slack_installations,
    ...accounts.rows,
    ...control.rows,
    ...directory.rows,
    ...endpoints.rows,
    api_keys: keys.api_keys,
  };
  let unopened = 0;
  for await (const audited of snapshot.requests(tenant)) {
    const audit = await auditRequest(audited, tenant, openers);
    findings.push(...audit.findings);
    if (!audit.opened) unopened += 1;
    if (audited.request !== null) rows.action_requests += 1;
    rows.decisions += audited.decisions.length;
    rows.outcomes += audited.outcomes.length;
    rows.grants += audited.grants.length;
    rows.deliveries += audited.deliveries.length;
    rows.execution_reports += audited.reports.length;
    rows.delivery_attempts += audited.attempts.length;
    rows.reviews += audited.followUps.reviews.length;
    rows.questions += audited.followUps.questions.length;
    rows.proposals += audited.followUps.proposals.length;
    rows.card_openings += audited.followUps.openings.length;
    rows.mails += audited.followUps.mails.length;
  }
  return { findings, rows, unopened };
}
