import type { AccountLink, AgentEntry, DirectoryNow, DirectoryQuery, GroupEntry, IdentityClaim, PersonEntry, ScimUser } from '@countersign/core/ports';
import type pg from 'pg';
import { instant, instantOrNull } from './rows.js';

type Rows = <Row extends pg.QueryResultRow>(text: string, values: unknown[]) => Promise<Row[]>;

export type Dated<Entry extends object> = {
  [Key in keyof Entry]: Key extends 'created_at' | 'updated_at' ? Date : Key extends 'deleted_at' ? Date | null : Entry[Key];
};

/** What a query names, with everybody who may be the same human as somebody found. */
export async function readDirectory(rows: Rows, tenant: string, query: DirectoryQuery): Promise<DirectoryNow> {
  const {
    all = false,
    people: ids = [],
    mailboxes = [],
    groups = [],
    group_ids = [],
    groups_of_people = false,
    agents = [],
    user_names = [],
    scim_ids = [],
  } = query;
  const people = await rows<Dated<PersonEntry>>(
    `WITH found AS (SELECT p.human FROM directory_people p WHERE p.tenant = $1 AND (p.id = ANY ($2::text[]) OR p.mailboxes && $3::text[] OR p.same_human_as && $2::text[]))
     SELECT p.id, p.email, p.name, p.active, p.roles, p.source, p.sources, p.inactive_by, p.aliases, p.former, p.same_human_as, p.mailboxes, p.human, p.revision, p.created_at, p.updated_at, p.deleted_at
     FROM directory_people p WHERE p.tenant = $1 AND ($4 OR p.human IN (SELECT human FROM found)) ORDER BY lower(p.email), p.id`,
    [tenant, ids, mailboxes, all],
  );
  const groupRows =
    all || groups.length > 0 || group_ids.length > 0 || groups_of_people
      ? await rows<Dated<GroupEntry>>(
          `SELECT g.id, g.name, g.source, g.external_id, g.revision, g.created_at, g.updated_at,
             ARRAY(SELECT m.person_id FROM directory_memberships m WHERE m.tenant = g.tenant AND m.group_name = g.name ORDER BY m.person_id) AS members
           FROM directory_groups g WHERE g.tenant = $1 AND ($2 OR countersign_fold(g.name) IN (SELECT countersign_fold(one) FROM unnest($3::text[]) AS one) OR g.id = ANY ($4::text[])
             OR ($5 AND g.name IN (SELECT m.group_name FROM directory_memberships m WHERE m.tenant = $1 AND m.person_id = ANY ($6::text[])))) ORDER BY g.name`,
          [tenant, all, groups, group_ids, groups_of_people, ids],
        )
      : [];
  const agentRows =
    all || agents.length > 0
      ? await rows<Dated<AgentEntry>>(
          `SELECT a.id, a.owner, a.owner_group, a.active, a.actions, a.purposes, a.risk, a.source, a.revision, a.updated_at FROM directory_agents a
           WHERE a.tenant = $1 AND ($2 OR countersign_fold(a.id) IN (SELECT countersign_fold(one) FROM unnest($3::text[]) AS one)) ORDER BY a.id`,
          [tenant, all, agents],
        )
      : [];
  const found = all ? null : people.map(({ id }) => id);
  const wantsLinks = all || ids.length > 0;
  const links = wantsLinks
    ? await rows<AccountLink>(
        'SELECT platform, workspace, "user", person_id, how FROM chat_account_links WHERE tenant = $1 AND ($2::text[] IS NULL OR person_id = ANY ($2)) ORDER BY platform, workspace, "user"',
        [tenant, found],
      )
    : [];
  const identities = wantsLinks
    ? await rows<IdentityClaim>(
        'SELECT issuer, subject, person_id, how FROM identity_links WHERE tenant = $1 AND cut_at IS NULL AND ($2::text[] IS NULL OR person_id = ANY ($2)) ORDER BY issuer, subject',
        [tenant, found],
      )
    : [];
  const users = await rows<Dated<ScimUser>>(
    `SELECT ${SCIM_COLUMNS} FROM scim_users u WHERE u.tenant = $1 AND ($2::text[] IS NULL OR u.id = ANY ($2) OR (u.deleted_at IS NULL AND u.user_name_key = ANY ($3::text[]))) ORDER BY u.created_at, u.id`,
    [tenant, found, user_names],
  );
  const known =
    scim_ids.length === 0
      ? []
      : await rows<{ id: string }>('SELECT id FROM scim_users WHERE tenant = $1 AND deleted_at IS NULL AND id = ANY ($2::text[])', [tenant, scim_ids]);
  const [counted] =
    query.administrators === true
      ? await rows<{ count: number }>(
          `SELECT count(DISTINCT human)::int AS count FROM directory_people WHERE tenant = $1 AND active AND 'administrator' = ANY (roles)`,
          [tenant],
        )
      : [];
  return {
    people: people.map(dated),
    groups: groupRows.map((row) => ({ ...row, created_at: instant(row.created_at), updated_at: instant(row.updated_at) })),
    agents: agentRows.map((row) => ({ ...row, updated_at: instant(row.updated_at) })),
    links,
    identities,
    scim_users: users.map(dated),
    scim_ids: known.map(({ id }) => id),
    administrators: counted?.count ?? 0,
  };
}

export const SCIM_COLUMNS =
  'u.id, u.user_name, u.external_id, u.given_name, u.family_name, u.formatted, u.display_name, u.title, u.user_type, u.department, u.emails, u.active, u.revision, u.created_at, u.updated_at, u.deleted_at';

/** Rows' dates as instants. */
export function dated<Entry extends { created_at: Date; updated_at: Date; deleted_at: Date | null }>(
  row: Entry,
): Omit<Entry, 'created_at' | 'updated_at' | 'deleted_at'> & { created_at: string; updated_at: string; deleted_at: string | null } {
  return { ...row, created_at: instant(row.created_at), updated_at: instant(row.updated_at), deleted_at: instantOrNull(row.deleted_at) };
}
