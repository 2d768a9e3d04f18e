import type { DirectoryLook, DirectoryNow, DirectoryPlan, DirectoryQuery } from '@countersign/core/ports';
import type pg from 'pg';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { readDirectory } from './directory-reads.js';

/** Key of the advisory locks under which directories are changed, one per tenant ("CsDr"). */
const DIRECTORY_LOCK = 0x43734472;

/** Leaves per statement: PostgreSQL takes 65,535 values in one. */
const LEAVES = 1_000;

/** See DirectoryStore.change. What is planned on was read under the lock; so was what a further look finds. */
export function changeDirectory<Result>(
  database: Database,
  tenant: string,
  wanted: DirectoryQuery,
  plan: (now: DirectoryNow, look: DirectoryLook) => Promise<DirectoryPlan<Result>>,
): Promise<Result> {
  return database.transaction(async (client) => {
    await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [DIRECTORY_LOCK, tenant]);
    const look: DirectoryLook = (query) => readDirectory(rowsOn(client), tenant, query);
    const planned = await plan(await look(wanted), look);
    await write(client, tenant, planned);
    return planned.result;
  });
}

export const rowsOn =
  (client: pg.ClientBase) =>
  async <Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> =>
    (await client.query<Row>(text, values)).rows;

async function write(client: pg.ClientBase, tenant: string, plan: DirectoryPlan<unknown>): Promise<void> {
  const { people = [], groups = [], renamed = [], removed_groups = [], agents = [], removed_agents = [], scim_users = [], ended = [], leaves = [] } = plan;
  if (people.length > 0) {
    // As JSON: PostgreSQL's arrays of arrays must be rectangular.
    await client.query(
      `INSERT INTO directory_people (tenant, id, email, name, active, roles, source, sources, inactive_by, aliases, former, same_human_as, mailboxes, human, revision, created_at, updated_at, deleted_at)
       SELECT $1, id, email, name, active, ${['roles', 'source', 'sources', 'inactive_by', 'aliases', 'former', 'same_human_as', 'mailboxes'].map((column) => (column === 'source' ? column : `ARRAY(SELECT json_array_elements_text(${column}))`)).join(', ')}, human, revision, created_at, updated_at, deleted_at
       FROM json_to_recordset($2) AS p (id text, email text, name text, active boolean, roles json, source text, sources json, inactive_by json, aliases json, former json, same_human_as json, mailboxes json,
         human text, revision int, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)
       ON CONFLICT (tenant, id) DO UPDATE SET email = excluded.email, name = excluded.name, active = excluded.active, roles = excluded.roles, source = excluded.source, sources = excluded.sources,
         inactive_by = excluded.inactive_by, aliases = excluded.aliases, former = excluded.former, same_human_as = excluded.same_human_as, mailboxes = excluded.mailboxes, human = excluded.human,
         revision = excluded.revision, updated_at = excluded.updated_at, deleted_at = excluded.deleted_at`,
      [tenant, JSON.stringify(people)],
    );
  }
  if (scim_users.length > 0) await writeScimUsers(client, tenant, scim_users);
  for (const { from, to } of renamed) {
    await client.query('UPDATE directory_groups SET name = $3 WHERE tenant = $1 AND name = $2', [tenant, from, to]);
    await client.query('UPDATE directory_memberships SET group_name = $3 WHERE tenant = $1 AND group_name = $2', [tenant, from, to]);
    await client.query('UPDATE directory_agents SET owner_group = $3 WHERE tenant = $1 AND owner_group = $2', [tenant, from, to]);
  }
  if (removed_groups.length > 0) {
    await client.query('DELETE FROM directory_memberships WHERE tenant = $1 AND group_name = ANY ($2::text[])', [tenant, removed_groups]);
    await client.query('DELETE FROM directory_groups WHERE tenant = $1 AND name = ANY ($2::text[])', [tenant, removed_groups]);
  }
  if (groups.length > 0) {
    await client.query(
      `INSERT INTO directory_groups (tenant, name, id, source, external_id, revision, created_at, updated_at)
       SELECT $1, name, id, source, external_id, revision, created_at, updated_at
       FROM json_to_recordset($2) AS g (name text, id text, source text, external_id text, revision int, created_at timestamptz, updated_at timestamptz)
       ON CONFLICT (tenant, name) DO UPDATE SET source = excluded.source, external_id = excluded.external_id, revision = excluded.revision, updated_at = excluded.updated_at`,
      [tenant, JSON.stringify(groups.map(({ members: _members, ...group }) => group))],
    );
    const memberships = [groups.flatMap(({ name, members }) => members.map(() => name)), groups.flatMap(({ members }) => members)];
    await client.query(
      `WITH wanted AS (SELECT * FROM unnest($2::text[], $3::text[]) AS w (group_name, person_id))
       DELETE FROM directory_memberships m WHERE m.tenant = $1 AND m.group_name = ANY ($4::text[])
         AND NOT EXISTS (SELECT FROM wanted w WHERE w.group_name = m.group_name AND w.person_id = m.person_id)`,
      [tenant, ...memberships, groups.map(({ name }) => name)],
    );
    await client.query(
      'INSERT INTO directory_memberships (tenant, group_name, person_id) SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING',
      [tenant, ...memberships],
    );
  }
  if (agents.length > 0) {
    await client.query(
      `INSERT INTO directory_agents (tenant, id, owner, owner_group, active, actions, purposes, risk, source, revision, updated_at)
       SELECT $1, * FROM json_to_recordset($2) AS a (id text, owner text, owner_group text, active boolean, actions json, purposes json, risk text, source text, revision int, updated_at timestamptz)
       ON CONFLICT (tenant, id) DO UPDATE SET owner = excluded.owner, owner_group = excluded.owner_group, active = excluded.active, actions = excluded.actions,
         purposes = excluded.purposes, risk = excluded.risk, source = excluded.source, revision = excluded.revision, updated_at = excluded.updated_at`,
      [tenant, JSON.stringify(agents)],
    );
  }
  if (removed_agents.length > 0) await client.query('DELETE FROM directory_agents WHERE tenant = $1 AND id = ANY ($2::text[])', [tenant, removed_agents]);
  if (plan.file_links !== undefined) await writeFileLinks(client, tenant, plan.file_links);
  if (plan.file_identities !== undefined) await writeFileIdentities(client, tenant, plan.file_identities);
  if (ended.length > 0) {
    await client.query('DELETE FROM sessions WHERE tenant = $1 AND person_id = ANY ($2::text[])', [tenant, ended]);
    await client.query('UPDATE personal_tokens SET revoked_at = now() WHERE tenant = $1 AND person_id = ANY ($2::text[]) AND revoked_at IS NULL', [
      tenant,
      ended,
    ]);
    await client.query('UPDATE sign_in_links SET spent_at = now() WHERE tenant = $1 AND person_id = ANY ($2::text[]) AND spent_at IS NULL', [tenant, ended]);
  }
  for (let from = 0; from < leaves.length; from += LEAVES) {
    const values = new Values();
    const { members } = leafMembers(values, values.add(tenant, 'text'), leaves.slice(from, from + LEAVES), '(SELECT) AS gate');
    await client.query(`WITH ${members.join(',\n')} SELECT 1`, values.values);
  }
}

async function writeScimUsers(client: pg.ClientBase, tenant: string, users: NonNullable<DirectoryPlan<unknown>['scim_users']>): Promise<void> {
  await client.query(
    `INSERT INTO scim_users (tenant, id, user_name, user_name_key, external_id, given_name, family_name, formatted, display_name, title, user_type, department, emails, active, revision, created_at, updated_at, deleted_at)
     SELECT $1, id, user_name, countersign_fold(user_name), external_id, given_name, family_name, formatted, display_name, title, user_type, department, emails, active, revision, created_at, updated_at, deleted_at
     FROM json_to_recordset($2) AS u (id text, user_name text, external_id text, given_name text, family_name text, formatted text, display_name text, title text, user_type text, department text,
       emails json, active boolean, revision int, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)
     ON CONFLICT (tenant, id) DO UPDATE SET user_name = excluded.user_name, user_name_key = excluded.user_name_key, external_id = excluded.external_id, given_name = excluded.given_name,
       family_name = excluded.family_name, formatted = excluded.formatted, display_name = excluded.display_name, title = excluded.title, user_type = excluded.user_type, department = excluded.department,
       emails = excluded.emails, active = excluded.active, revision = excluded.revision, updated_at = excluded.updated_at, deleted_at = excluded.deleted_at`,
    [tenant, JSON.stringify(users)],
  );
}

/** Links that people made by proof stay; those that the file made follow the file. */
async function writeFileLinks(client: pg.ClientBase, tenant: string, links: NonNullable<DirectoryPlan<unknown>['file_links']>): Promise<void> {
  const columns = [
    links.map(({ platform }) => platform),
    links.map(({ workspace }) => workspace),
    links.map(({ user }) => user),
    links.map(({ person_id }) => person_id),
  ];
  const said = 'SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS a (platform, workspace, account, person)';
  await client.query(
    `DELETE FROM chat_account_links l WHERE l.tenant = $1 AND l.how = 'directory' AND NOT EXISTS (
       SELECT FROM (${said}) s WHERE s.platform = l.platform AND s.workspace = l.workspace AND s.account = l."user" AND s.person = l.person_id)`,
    [tenant, ...columns],
  );
  await client.query(
    `INSERT INTO chat_account_links (tenant, platform, workspace, "user", person_id, how)
     SELECT $1, platform, workspace, account, person, 'directory' FROM (${said}) s
     ON CONFLICT (tenant, platform, workspace, "user") DO UPDATE SET person_id = excluded.person_id, how = excluded.how, linked_at = now()
       WHERE chat_account_links.person_id <> excluded.person_id OR chat_account_links.how <> excluded.how`,
    [tenant, ...columns],
  );
}

async function writeFileIdentities(client: pg.ClientBase, tenant: string, claims: NonNullable<DirectoryPlan<unknown>['file_identities']>): Promise<void> {
  const columns = [claims.map(({ issuer }) => issuer), claims.map(({ subject }) => subject), claims.map(({ person_id }) => person_id)];
  const said = 'SELECT * FROM unnest($2::text[], $3::text[], $4::text[]) AS a (issuer, subject, person)';
  await client.query(
    `UPDATE identity_links l SET cut_at = now() WHERE l.tenant = $1 AND l.how = 'directory' AND l.cut_at IS NULL AND NOT EXISTS (
       SELECT FROM (${said}) s WHERE s.issuer = l.issuer AND s.subject = l.subject AND s.person = l.person_id)`,
    [tenant, ...columns],
  );
  await client.query(
    `INSERT INTO identity_links (tenant, issuer, subject, person_id, how, linked_at)
     SELECT $1, issuer, subject, person, 'directory', now() FROM (${said}) s
     ON CONFLICT (tenant, issuer, subject) DO UPDATE SET person_id = excluded.person_id, how = excluded.how, linked_at = excluded.linked_at, cut_at = NULL
       WHERE identity_links.person_id <> excluded.person_id OR identity_links.how <> excluded.how OR identity_links.cut_at IS NOT NULL`,
    [tenant, ...columns],
  );
}
