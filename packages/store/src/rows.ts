import { ADMINISTRATORS } from '@countersign/contracts';
import type { Authenticated, FreezeNotice, OutcomeData, OutcomeStatus, PersonView, Status, Verdict, Via } from '@countersign/contracts';
import type { ActionRequestRecord, DecisionRecord, GrantRecord, OutcomeRecord, Person, PersonRole, ReportRecord, RequestState } from '@countersign/core/ports';
import { FREEZES_COLUMN } from './freeze-conditions.js';
import { FOLLOW_UP_COLUMNS, type FollowUpColumns, followUpsOf } from './follow-up-rows.js';
import type { Given } from './given.js';
import { instant, instantOrNull } from './instants.js';

export { instant, instantOrNull } from './instants.js';

/*
 * How rows of requests become records. The shapes are what our own statements select and our own inserts wrote, checked by the
 * database's types and constraints; they are not checked a second time on each read.
 */

/** The members of a request that never change, in one document. */
export type RequestDocument = Pick<
  ActionRequestRecord,
  'warnings' | 'requester' | 'chain' | 'view' | 'masked' | 'resolved' | 'about' | 'evaluation' | 'requirement' | 'callback' | 'grant_jkt' | 'pattern'
>;

export interface RequestRow {
  tenant: string;
  id: string;
  status: Status;
  version: number;
  created_at: Date;
  expires_at: Date;
  settled_at: Date | null;
  use_until: Date | null;
  redeemed_at: Date | null;
  redeemed_by: string | null;
  action_digest: string;
  request_digest: string;
  view_digest: string;
  policy_digest: string;
  grant_audience: string;
  document: RequestDocument;
  sealed_payload: Buffer;
}

/** A decision as json_agg writes it: instants are text in PostgreSQL's spelling of ISO 8601. */
interface DecisionJson {
  id: string;
  request_id: string;
  person: PersonView;
  verdict: Verdict;
  reason: string | null;
  decided_at: string;
  via: Via;
  groups: string[];
  action_digest: string;
  request_digest: string;
  view_digest: string | null;
  policy_digest: string;
  authenticated: Authenticated;
  given: Given | null;
}

interface OutcomeJson {
  id: string;
  request_id: string;
  sequence: number;
  status: OutcomeStatus;
  reason: string | null;
  settled_at: string;
  data: OutcomeData;
}

interface ReportJson {
  by: string;
  result: ReportRecord['result'];
  result_digest: string | null;
  detail: string | null;
  reported_at: string;
  fingerprint: string;
}

export interface StateRow extends RequestRow, FollowUpColumns {
  decisions: DecisionJson[] | null;
  outcomes: OutcomeJson[] | null;
  report: ReportJson | null;
  freezes: FreezeNotice[] | null;
  grant_id: string | null;
  grant_audience_of: string | null;
  grant_issued_at: Date | null;
  grant_expires_at: Date | null;
  grant_sealed_token: Buffer | null;
}

export interface PersonJson {
  id: string;
  email: string;
  name: string;
  active: boolean;
  groups: string[] | null;
  roles: PersonRole[];
  aliases: string[] | null;
  entries: string[] | null;
  lent: string[] | null;
}

/** Selects what stateOf reads, from a table or subquery `r` of action_requests. */
export const STATE_COLUMNS = `r.tenant, r.id, r.status, r.version, r.created_at, r.expires_at, r.settled_at, r.use_until, r.redeemed_at, r.redeemed_by, r.action_digest, r.request_digest,
  r.view_digest, r.policy_digest, r.grant_audience, r.document, r.sealed_payload,
  (SELECT json_agg(d ORDER BY d.decided_at, d.id) FROM decisions d WHERE d.tenant = r.tenant AND d.request_id = r.id) AS decisions,
  (SELECT json_agg(o ORDER BY o.sequence) FROM outcomes o WHERE o.tenant = r.tenant AND o.request_id = r.id) AS outcomes,
  (SELECT row_to_json(x) FROM execution_reports x WHERE x.tenant = r.tenant AND x.request_id = r.id) AS report,
  ${FOLLOW_UP_COLUMNS},
  ${FREEZES_COLUMN},
  g.id AS grant_id, g.audience AS grant_audience_of, g.issued_at AS grant_issued_at, g.expires_at AS grant_expires_at, g.sealed_token AS grant_sealed_token`;

export const STATE_JOINS = `LEFT JOIN LATERAL (
  SELECT * FROM grants g WHERE g.tenant = r.tenant AND g.request_id = r.id ORDER BY g.issued_at DESC, g.id DESC LIMIT 1) g ON true`;

/** A JSON object per person of `p` (directory_people), with the names of the groups, and with what else the same human is called. */
export const PERSON_JSON = `json_build_object('id', p.id, 'email', p.email, 'name', p.name, 'active', p.active, 'roles', p.roles,
  'groups', (SELECT json_agg(g.name ORDER BY g.name) FROM (
    SELECT m.group_name AS name FROM directory_memberships m WHERE m.tenant = p.tenant AND m.person_id = p.id AND m.group_name NOT LIKE 'role:%'
    UNION ALL SELECT '${ADMINISTRATORS}' WHERE 'administrator' = ANY (p.roles)) g),
  'aliases', (SELECT json_agg(DISTINCT a.address ORDER BY a.address) FROM directory_people q, unnest(q.email || q.aliases || q.former) AS a (address)
    WHERE q.tenant = p.tenant AND q.human = p.human AND a.address <> p.email),
  'lent', (SELECT json_agg(DISTINCT m.group_name) FROM delegations g JOIN directory_memberships m ON m.tenant = g.tenant AND m.person_id = g.person_id
    WHERE g.tenant = p.tenant AND g.delegate_id = p.id AND g.ended_at IS NULL AND g.from_at <= clock_timestamp() AND g.until_at > clock_timestamp()),
  'entries', (SELECT json_agg(q.id ORDER BY q.id) FROM directory_people q WHERE q.tenant = p.tenant AND q.human = p.human))`;

export function stateOf(row: StateRow): RequestState {
  return {
    request: requestOf(row),
    decisions: (row.decisions ?? []).map(decisionOf),
    outcomes: (row.outcomes ?? []).map(outcomeOf),
    grant: grantOf(row),
    report: reportOf(row),
    ...followUpsOf(row),
    ...(row.freezes === null ? {} : { freezes: row.freezes.map((freeze) => ({ ...freeze, placed_at: instant(freeze.placed_at) })) }),
  };
}

export function personOf(json: PersonJson): Person {
  const { id, email, name, active, roles, aliases, entries, lent } = json;
  return {
    ...{ id, email, name, active, groups: json.groups ?? [], roles },
    ...(lent === null ? {} : { lent }),
    ...(aliases === null ? {} : { aliases }),
    ...(entries === null || entries.length < 2 ? {} : { entries }),
  };
}

export function documentOf(request: ActionRequestRecord): RequestDocument {
  const { warnings, requester, chain, view, masked, resolved, evaluation, requirement, callback, grant_jkt, pattern, about } = request;
  const jkt = grant_jkt === undefined ? {} : { grant_jkt };
  const more = { ...jkt, ...(pattern === undefined ? {} : { pattern }), ...(about === undefined ? {} : { about }) };
  return { warnings, requester, chain, view, masked, resolved, evaluation, requirement, callback, ...more };
}

export function requestOf(row: RequestRow): ActionRequestRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    status: row.status,
    version: row.version,
    created_at: instant(row.created_at),
    expires_at: instant(row.expires_at),
    settled_at: instantOrNull(row.settled_at),
    use_until: instantOrNull(row.use_until),
    redeemed_at: instantOrNull(row.redeemed_at),
    redeemed_by: row.redeemed_by,
    action_digest: row.action_digest,
    request_digest: row.request_digest,
    view_digest: row.view_digest,
    policy_digest: row.policy_digest,
    grant_audience: row.grant_audience,
    ...row.document,
    sealed_payload: row.sealed_payload,
  };
}

function decisionOf(json: DecisionJson): DecisionRecord {
  return {
    id: json.id,
    request_id: json.request_id,
    person: json.person,
    verdict: json.verdict,
    reason: json.reason,
    decided_at: instant(json.decided_at),
    via: json.via,
    groups: json.groups,
    action_digest: json.action_digest,
    request_digest: json.request_digest,
    view_digest: json.view_digest,
    policy_digest: json.policy_digest,
    authenticated: json.authenticated,
    ...json.given,
  };
}

function outcomeOf(json: OutcomeJson): OutcomeRecord {
  return {
    id: json.id,
    request_id: json.request_id,
    sequence: json.sequence,
    status: json.status,
    reason: json.reason,
    settled_at: instant(json.settled_at),
    data: json.data,
  };
}

function grantOf(row: StateRow): GrantRecord | null {
  const { grant_id: id, grant_audience_of: audience, grant_issued_at: issued, grant_expires_at: expires, grant_sealed_token: sealed_token } = row;
  if (id === null || audience === null || issued === null || expires === null || sealed_token === null) return null;
  return { id, request_id: row.id, audience, issued_at: instant(issued), expires_at: instant(expires), sealed_token };
}

function reportOf({ id, report }: StateRow): ReportRecord | null {
  if (report === null) return null;
  const { by, result, result_digest, detail, reported_at, fingerprint } = report;
  return { request_id: id, by, result, result_digest, detail, reported_at: instant(reported_at), fingerprint };
}

/** The private part of a leaf `l`: as it was sealed, or under the master key that it was wrapped under since. */
export const LEAF_PRIVATE = 'coalesce((SELECT w.sealed_private FROM ledger_rewraps w WHERE w.tenant = l.tenant AND w.leaf_id = l.id), l.sealed_private)';
