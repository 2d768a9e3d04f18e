import type { EventName } from '@countersign/contracts';
import type {
  ActionRequestRecord,
  DecisionRecord,
  DelegationRecord,
  DeliveryRecord,
  DirectoryNow,
  GrantRecord,
  OutcomeRecord,
  ReportRecord,
  SigningKeyStore,
  SlackInstallation,
} from '@countersign/core/ports';
import pg from 'pg';
import { readDirectory } from './directory-reads.js';
import { type AuditedControl, readControl } from './audit-control.js';
import { type AuditedFollowUps, FOLLOW_UP_PLACES, readFollowUps } from './audit-follow-ups.js';
import { StoreError } from './errors.js';
import { type DelegationJson, delegationOf } from './follow-up-rows.js';
import type { Given } from './given.js';
import { instant, instantOrNull, LEAF_PRIVATE, type RequestRow, requestOf } from './rows.js';

/** The whole database at one instant, for whoever holds its rows against its ledger. Reads all, judges nothing, changes nothing. */
export interface AuditSnapshot {
  tenants(): Promise<string[]>;
  checkpoints(tenant: string): AsyncIterable<AuditedCheckpoint>;
  /** The entries by position; a leaf that is not there is null, a position that is not there is missing. */
  entries(tenant: string): AsyncIterable<AuditedEntry>;
  /** Hashes [from, to) of a tile level, by index: level 0 are leaf hashes. */
  hashes(tenant: string, level: number, from: number, to: number): Promise<Uint8Array[]>;
  /** Leaves that have no position. */
  unplaced(tenant: string): Promise<UnplacedLeaves>;
  /** Everything of each request, by id; also of requests that only other rows and leaves speak of. */
  requests(tenant: string): AsyncIterable<AuditedRequest>;
  policies(tenant: string): Promise<AuditedPolicies>;
  /** People, groups, agents as the directory has them now, and groups that only memberships name. */
  directory(tenant: string): Promise<DirectoryNow & { nameless: string[] }>;
  apiKeys(tenant: string): Promise<AuditedKey[]>;
  /** Registered endpoints that were not deleted. */
  endpoints(tenant: string): Promise<AuditedEndpoint[]>;
  /** The leaves of events that belong to no request, in the log's order; those that wait come last. */
  standing(tenant: string, events: readonly EventName[]): Promise<AuditedLeaf[]>;
  control(tenant: string): Promise<AuditedControl>;
  /** Chat accounts and subjects of identity providers that people linked; what the directory names is not among them. */
  accounts(tenant: string): Promise<AuditedAccounts>;
  /** Conversations of chat platforms, and what was said of each. */
  chatPlaces(tenant: string): Promise<AuditedPlace[]>;
  /** Where the Slack app was installed by OAuth, without the tokens. */
  slackInstallations(tenant: string): Promise<AuditedSlackInstallation[]>;
  /** Who stands in for whom. */
  delegations(tenant: string): Promise<DelegationRecord[]>;
  signingKeys: Pick<SigningKeyStore, 'list'>;
  close(): Promise<void>;
}

export interface AuditedCheckpoint {
  size: number;
  root: Uint8Array;
  frontier: Uint8Array;
  note: string;
}

/** An installation of the Slack app, as the audit compares it. */
export type AuditedSlackInstallation = Omit<SlackInstallation, 'tenant' | 'team_name' | 'enterprise_name' | 'sealed_token'>;

export interface AuditedPlace {
  id: string;
  platform: string;
  place: string;
  allowed: boolean;
  decided_by: object | null;
  decided_at: string | null;
}

export interface AuditedAccounts {
  chat: { platform: string; workspace: string; user: string; person_id: string; how: string }[];
  identities: { issuer: string; subject: string; person_id: string; how: string; cut_at: Date | null }[];
}

/** A leaf as its row has it. */
export interface AuditedLeaf {
  id: string;
  event: string;
  at: string;
  subject: string;
  bytes: Uint8Array;
  sealed_private: Uint8Array | null;
  /** Null while it waits for the sequencer. */
  position: number | null;
}

export interface AuditedEntry {
  position: number;
  leaf_id: string;
  hash: Uint8Array;
  leaf: AuditedLeaf | null;
}

export interface UnplacedLeaves {
  waiting: number;
  /** Leaves that neither have a place nor wait for one. */
  forgotten: string[];
  /** Ids that wait though no such leaf is there, or though it has its place. */
  misplaced: string[];
}

/** The columns of a request that repeat what its document says, for searching. */
export interface SearchColumns {
  action: string;
  actor_id: string;
  resource_id: string;
  requester_id: string;
  chain_people: string[];
  stage_groups: string[];
}

export interface AuditedRequest {
  id: string;
  request: (ActionRequestRecord & { search: SearchColumns }) | null;
  decisions: (DecisionRecord & { person_id: string })[];
  outcomes: OutcomeRecord[];
  grants: GrantRecord[];
  deliveries: Omit<DeliveryRecord, 'sealed_body'>[];
  /** What its executor said came of it. */
  reports: ReportRecord[];
  /** Attempts that have ended. */
  attempts: { delivery_id: string; number: number; status: number | null; result: string | null }[];
  /** Questions, counter-proposals, reviews, and who opened everything. */
  followUps: AuditedFollowUps;
  leaves: AuditedLeaf[];
}

export interface AuditedKey {
  id: string;
  name: string;
  owner: string;
  rights: object;
  networks: string[];
  expires_at: string | null;
  prefix: string;
  binding: object | null;
  revoked: boolean;
}

export interface AuditedEndpoint {
  id: string;
  url: string;
  description: string | null;
  events: string[];
  format: string;
  header_names: string[];
  sealed_headers: Uint8Array | null;
  /** The secrets that sign, by id. */
  secrets: string[];
}

export interface AuditedPolicies {
  policies: { digest: string; canonical: string }[];
  active: { digest: string; activated_by: string } | null;
  /** `policy.activated` and `policy.stored`, the oldest first. */
  leaves: AuditedLeaf[];
}

/** Rows per query. */
const PAGE = 500;

/**
 * Opens the snapshot: one read-only transaction, so that rows and leaves are those of one instant though the service runs on.
 *
 * @throws StoreError unavailable
 */
export async function openAuditSnapshot(url: string): Promise<AuditSnapshot> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, application_name: 'countersign audit' });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  } catch (cause) {
    await client.end().catch(() => {});
    throw new StoreError('unavailable', `The database cannot be reached: ${cause instanceof Error ? cause.message : 'no answer'}.`, { cause });
  }
  // One connection runs one query at a time; those that are asked for together wait for each other here.
  let turn: Promise<unknown> = Promise.resolve();
  const rows = <Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> => {
    const found = turn.then(() => client.query<Row>(text, values)).then((result) => result.rows, unreadable);
    turn = found.catch(() => {});
    return found;
  };
  return {
    tenants: async () => (await rows<{ id: string }>('SELECT id FROM tenants ORDER BY id', [])).map(({ id }) => id),
    checkpoints: (tenant) => checkpoints(rows, tenant),
    entries: (tenant) => entries(rows, tenant),
    hashes: async (tenant, level, from, to) => {
      const found = await (level === 0
        ? rows<{ hash: Buffer }>('SELECT hash FROM ledger_entries WHERE tenant = $1 AND position >= $2 AND position < $3 ORDER BY position', [tenant, from, to])
        : rows<{ hash: Buffer }>('SELECT hash FROM ledger_nodes WHERE tenant = $1 AND index >= $2 AND index < $3 AND level = $4 ORDER BY index', [
            tenant,
            from,
            to,
            level,
          ]));
      return found.map(({ hash }) => hash);
    },
    unplaced: (tenant) => unplaced(rows, tenant),
    requests: (tenant) => requests(rows, tenant),
    policies: (tenant) => policies(rows, tenant),
    control: (tenant) => readControl(rows, tenant),
    slackInstallations: async (tenant) =>
      (
        await rows<Omit<AuditedSlackInstallation, 'installed_at'> & { installed_at: Date }>(
          `SELECT id, team_id, enterprise_id, enterprise_install, app_id, bot_id, bot_user_id, scopes, token_digest, installed_by, installed_at
           FROM slack_installations WHERE tenant = $1 ORDER BY id`,
          [tenant],
        )
      ).map((row) => ({ ...row, installed_at: instant(row.installed_at) })),
    chatPlaces: async (tenant) =>
      (
        await rows<Omit<AuditedPlace, 'decided_at'> & { decided_at: Date | null }>(
          'SELECT id, platform, place, allowed, decided_by, decided_at FROM chat_places WHERE tenant = $1 ORDER BY id',
          [tenant],
        )
      ).map((row) => ({ ...row, decided_at: instantOrNull(row.decided_at) })),
    delegations: async (tenant) => (await rows<DelegationJson>('SELECT * FROM delegations WHERE tenant = $1 ORDER BY id', [tenant])).map(delegationOf),
    accounts: async (tenant) => ({
      chat: await rows<AuditedAccounts['chat'][number]>(
        `SELECT platform, workspace, "user", person_id, how FROM chat_account_links WHERE tenant = $1 AND how <> 'directory' ORDER BY platform, workspace, "user"`,
        [tenant],
      ),
      identities: await rows<AuditedAccounts['identities'][number]>(
        `SELECT issuer, subject, person_id, how, cut_at FROM identity_links WHERE tenant = $1 AND how <> 'directory' ORDER BY issuer, subject`,
        [tenant],
      ),
    }),
    directory: (tenant) => directory(rows, tenant),
    endpoints: (tenant) => endpoints(rows, tenant),
    apiKeys: async (tenant) =>
      (
        await rows<Omit<AuditedKey, 'expires_at'> & { expires_at: Date | null }>(
          `SELECT id, name, owner, rights, coalesce(networks, '{}') AS networks, expires_at, prefix, binding, revoked_at IS NOT NULL AS revoked
           FROM api_keys WHERE tenant = $1 ORDER BY id`,
          [tenant],
        )
      ).map((row) => ({ ...row, expires_at: instantOrNull(row.expires_at) })),
    standing: async (tenant, events) =>
      (
        await rows<LeafRow>(
          `SELECT ${LEAF_COLUMNS}, e.position FROM ledger_leaves l LEFT JOIN ledger_entries e ON e.tenant = l.tenant AND e.leaf_id = l.id
           WHERE l.tenant = $1 AND l.event = ANY ($2::text[]) ORDER BY e.position NULLS LAST, l.id`,
          [tenant, events],
        )
      ).map(leafOf),
    signingKeys: {
      list: async () => {
        const found = await rows<SigningKeyRow>('SELECT * FROM signing_keys ORDER BY created_at, kid', []);
        return found.map((row) => ({ ...row, created_at: instant(row.created_at), retired_at: instantOrNull(row.retired_at) }));
      },
    },
    close: () => client.end(),
  };
}

function unreadable(cause: unknown): never {
  const missing = cause instanceof pg.DatabaseError && cause.code === '42P01';
  const why = cause instanceof Error ? cause.message : 'no answer';
  throw new StoreError(
    missing ? 'refused' : 'unavailable',
    missing ? 'This is no database of Countersign, or it was not migrated.' : `The database could not be read: ${why}.`,
    { cause },
  );
}

type Rows = <Row extends pg.QueryResultRow>(text: string, values: unknown[]) => Promise<Row[]>;
type SigningKeyRow = Omit<Awaited<ReturnType<SigningKeyStore['list']>>[number], 'created_at' | 'retired_at'> & { created_at: Date; retired_at: Date | null };

async function* checkpoints(rows: Rows, tenant: string): AsyncGenerator<AuditedCheckpoint> {
  for (let after = -1; ;) {
    const page = await rows<{ size: string; root: Buffer; frontier: Buffer; note: string }>(
      'SELECT size, root, frontier, note FROM ledger_checkpoints WHERE tenant = $1 AND size > $2 ORDER BY size LIMIT $3',
      [tenant, after, PAGE],
    );
    for (const row of page) {
      after = Number(row.size);
      yield { ...row, size: after };
    }
    if (page.length < PAGE) return;
  }
}

interface LeafRow {
  id: string;
  event: string;
  at: Date;
  subject: string;
  bytes: Buffer;
  sealed_private: Buffer | null;
  position: string | null;
}

const LEAF_COLUMNS = `l.id, l.event, l.at, l.subject, l.bytes, ${LEAF_PRIVATE} AS sealed_private`;

function leafOf({ id, event, at, subject, bytes, sealed_private, position }: LeafRow): AuditedLeaf {
  return { id, event, at: instant(at), subject, bytes, sealed_private, position: position === null ? null : Number(position) };
}

async function* entries(rows: Rows, tenant: string): AsyncGenerator<AuditedEntry> {
  for (let after = -1; ;) {
    const page = await rows<LeafRow & { leaf_id: string; position: string; hash: Buffer; id: string | null }>(
      `SELECT e.position, e.leaf_id, e.hash, ${LEAF_COLUMNS} FROM ledger_entries e LEFT JOIN ledger_leaves l ON l.tenant = e.tenant AND l.id = e.leaf_id
       WHERE e.tenant = $1 AND e.position > $2 ORDER BY e.position LIMIT $3`,
      [tenant, after, PAGE],
    );
    for (const { hash, leaf_id, ...row } of page) {
      after = Number(row.position);
      yield { position: after, leaf_id, hash, leaf: row.id === null ? null : leafOf(row) };
    }
    if (page.length < PAGE) return;
  }
}

async function unplaced(rows: Rows, tenant: string): Promise<UnplacedLeaves> {
  const [waiting, forgotten, misplaced] = await Promise.all([
    rows<{ count: number }>('SELECT count(*)::int AS count FROM ledger_unplaced WHERE tenant = $1', [tenant]),
    rows<{ id: string }>(
      `SELECT l.id FROM ledger_leaves l WHERE l.tenant = $1 AND NOT EXISTS (SELECT FROM ledger_entries e WHERE e.tenant = l.tenant AND e.leaf_id = l.id)
         AND NOT EXISTS (SELECT FROM ledger_unplaced u WHERE u.tenant = l.tenant AND u.leaf_id = l.id) ORDER BY l.id`,
      [tenant],
    ),
    rows<{ id: string }>(
      `SELECT u.leaf_id AS id FROM ledger_unplaced u WHERE u.tenant = $1 AND (EXISTS (SELECT FROM ledger_entries e WHERE e.tenant = u.tenant AND e.leaf_id = u.leaf_id)
         OR NOT EXISTS (SELECT FROM ledger_leaves l WHERE l.tenant = u.tenant AND l.id = u.leaf_id)) ORDER BY u.leaf_id`,
      [tenant],
    ),
  ]);
  return { waiting: waiting[0]?.count ?? 0, forgotten: forgotten.map(({ id }) => id), misplaced: misplaced.map(({ id }) => id) };
}

/** A page of request ids from every table that names one: what was deleted in one is still named by the others. */
const REQUEST_IDS = [
  'action_requests:id',
  'ledger_leaves:subject',
  'decisions:request_id',
  'outcomes:request_id',
  'grants:request_id',
  'deliveries:request_id',
  'execution_reports:request_id',
  ...FOLLOW_UP_PLACES,
]
  .map((place) => place.split(':'))
  .map(
    ([table, column]) => `(SELECT DISTINCT ${column} AS id FROM ${table} WHERE tenant = $1 AND ${column} > $2 AND ${column} LIKE 'ar\\_%' ORDER BY 1 LIMIT $3)`,
  )
  .join(' UNION ');

async function* requests(rows: Rows, tenant: string): AsyncGenerator<AuditedRequest> {
  for (let after = ''; ;) {
    const ids = (await rows<{ id: string }>(`${REQUEST_IDS} ORDER BY 1 LIMIT $3`, [tenant, after, PAGE])).map(({ id }) => id);
    yield* await readRequests(rows, tenant, ids);
    if (ids.length < PAGE) return;
    after = ids.at(-1) ?? after;
  }
}

async function readRequests(rows: Rows, tenant: string, ids: string[]): Promise<AuditedRequest[]> {
  const of = <Row extends pg.QueryResultRow>(text: string): Promise<Row[]> => rows<Row>(text, [tenant, ids]);
  const followUps = await readFollowUps(of);
  const [found, decisions, outcomes, grants, deliveries, reports, attempts, leaves] = await Promise.all([
    of<RequestRow & SearchColumns>('SELECT * FROM action_requests WHERE tenant = $1 AND id = ANY ($2)'),
    of<DecisionRecord & { person_id: string; decided_at: Date; given: Given | null }>(
      'SELECT * FROM decisions WHERE tenant = $1 AND request_id = ANY ($2) ORDER BY decided_at, id',
    ),
    of<OutcomeRecord & { settled_at: Date }>('SELECT * FROM outcomes WHERE tenant = $1 AND request_id = ANY ($2) ORDER BY sequence'),
    of<GrantRecord & { issued_at: Date; expires_at: Date }>('SELECT * FROM grants WHERE tenant = $1 AND request_id = ANY ($2) ORDER BY issued_at, id'),
    of<DeliveryRecord & { created_at: Date }>(
      'SELECT id, request_id, api_key_id, target, sequence, event, created_at FROM deliveries WHERE tenant = $1 AND request_id = ANY ($2) ORDER BY sequence',
    ),
    of<ReportRecord & { reported_at: Date }>('SELECT * FROM execution_reports WHERE tenant = $1 AND request_id = ANY ($2)'),
    of<AuditedRequest['attempts'][number] & { request_id: string }>(
      `SELECT d.request_id, a.delivery_id, a.number, a.status, a.result FROM deliveries d JOIN delivery_attempts a ON a.delivery_id = d.id
       WHERE d.tenant = $1 AND d.request_id = ANY ($2) AND a.finished_at IS NOT NULL ORDER BY a.delivery_id, a.number`,
    ),
    of<LeafRow>(`SELECT ${LEAF_COLUMNS}, e.position FROM ledger_leaves l LEFT JOIN ledger_entries e ON e.tenant = l.tenant AND e.leaf_id = l.id
      WHERE l.tenant = $1 AND l.subject = ANY ($2) ORDER BY l.subject, l.id`),
  ]);
  const byRequest = {
    requests: groups(found, ({ id }) => id),
    decisions: groups(decisions, requestIdOf),
    outcomes: groups(outcomes, requestIdOf),
    grants: groups(grants, requestIdOf),
    deliveries: groups(deliveries, requestIdOf),
    reports: groups(reports, requestIdOf),
    attempts: groups(attempts, requestIdOf),
    leaves: groups(leaves, ({ subject }) => subject),
  };
  return ids.map((id) => {
    const [row] = byRequest.requests(id);
    return {
      id,
      request: row === undefined ? null : { ...requestOf(row), search: searchOf(row) },
      decisions: byRequest.decisions(id).map(({ given, ...decision }) => ({ ...decision, ...given, decided_at: instant(decision.decided_at) })),
      followUps: followUps(id),
      outcomes: byRequest.outcomes(id).map((outcome) => ({ ...outcome, settled_at: instant(outcome.settled_at) })),
      grants: byRequest.grants(id).map((grant) => ({ ...grant, issued_at: instant(grant.issued_at), expires_at: instant(grant.expires_at) })),
      deliveries: byRequest.deliveries(id).map((delivery) => ({ ...delivery, created_at: instant(delivery.created_at) })),
      reports: byRequest.reports(id).map((report) => ({ ...report, reported_at: instant(report.reported_at) })),
      attempts: byRequest.attempts(id).map(({ request_id: _request, ...attempt }) => attempt),
      leaves: byRequest.leaves(id).map(leafOf),
    };
  });
}

const requestIdOf = ({ request_id }: { request_id: string }): string => request_id;

function groups<Row>(all: readonly Row[], keyOf: (row: Row) => string): (key: string) => Row[] {
  const found = new Map<string, Row[]>();
  for (const row of all) found.set(keyOf(row), [...(found.get(keyOf(row)) ?? []), row]);
  return (key) => found.get(key) ?? [];
}

function searchOf({ action, actor_id, resource_id, requester_id, chain_people, stage_groups }: SearchColumns): SearchColumns {
  return { action, actor_id, resource_id, requester_id, chain_people, stage_groups };
}

async function policies(rows: Rows, tenant: string): Promise<AuditedPolicies> {
  const [found, active, leaves] = await Promise.all([
    rows<{ digest: string; canonical: string }>('SELECT digest, canonical FROM policies WHERE tenant = $1 ORDER BY digest', [tenant]),
    rows<{ digest: string; activated_by: string }>('SELECT digest, activated_by FROM active_policies WHERE tenant = $1', [tenant]),
    rows<LeafRow>(
      `SELECT ${LEAF_COLUMNS}, e.position FROM ledger_leaves l LEFT JOIN ledger_entries e ON e.tenant = l.tenant AND e.leaf_id = l.id
       WHERE l.tenant = $1 AND l.event IN ('policy.activated', 'policy.stored') ORDER BY e.position NULLS LAST, l.id`,
      [tenant],
    ),
  ]);
  return { policies: found, active: active[0] ?? null, leaves: leaves.map(leafOf) };
}

async function directory(rows: Rows, tenant: string): Promise<DirectoryNow & { nameless: string[] }> {
  const now = await readDirectory(rows, tenant, { all: true });
  const nameless = await rows<{ group_name: string }>(
    `SELECT DISTINCT m.group_name FROM directory_memberships m
     WHERE m.tenant = $1 AND NOT EXISTS (SELECT FROM directory_groups g WHERE g.tenant = m.tenant AND g.name = m.group_name) ORDER BY 1`,
    [tenant],
  );
  return { ...now, nameless: nameless.map(({ group_name }) => group_name) };
}

function endpoints(rows: Rows, tenant: string): Promise<AuditedEndpoint[]> {
  return rows(
    `SELECT e.id, e.url, e.description, e.events, e.format, e.header_names, e.sealed_headers,
       ARRAY(SELECT s.id FROM endpoint_secrets s WHERE s.tenant = e.tenant AND s.endpoint_id = e.id ORDER BY s.id) AS secrets
     FROM endpoints e WHERE e.tenant = $1 AND e.kind = 'registered' AND e.deleted_at IS NULL ORDER BY e.id`,
    [tenant],
  );
}
