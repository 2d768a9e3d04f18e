import type { AccountLink, ChatAccount, DirectorySnapshot, DirectoryStore, Person } from '@countersign/core/ports';
import type { Database } from './database.js';
import { PERSON_JSON, type PersonJson, personOf } from './rows.js';

/** People, groups, agents and chat accounts on PostgreSQL. */
export function directoryStore(database: Database): DirectoryStore {
  const select = async (name: string, where: string, values: unknown[]): Promise<Person[]> => {
    const rows = await database.run<{ person: PersonJson }>({
      name: `people:${name}`,
      text: `SELECT ${PERSON_JSON} AS person FROM directory_people p WHERE ${where}`,
      values,
    });
    return rows.map((row) => personOf(row.person));
  };
  return {
    person: async (tenant, id) => (await select('id', 'p.tenant = $1 AND p.id = $2', [tenant, id]))[0] ?? null,
    people: (tenant, refs) =>
      select(
        'refs',
        `p.tenant = $1 AND (p.id IN (SELECT lower(ref) FROM unnest($2::text[]) AS ref) OR lower(p.email) IN (SELECT lower(ref) FROM unnest($2::text[]) AS ref)) ORDER BY p.active DESC, p.id`,
        [tenant, refs],
      ),
    list: (tenant) => select('all', 'p.tenant = $1 ORDER BY lower(p.email), p.id', [tenant]),
    replace: (tenant, directory) => replace(database, tenant, directory),
    personByAccount: async ({ tenant, platform, workspace, user }) =>
      (
        await select(
          'account',
          'p.tenant = $1 AND p.id = (SELECT person_id FROM chat_account_links WHERE tenant = $1 AND platform = $2 AND workspace = $3 AND "user" = $4)',
          [tenant, platform, workspace, user],
        )
      )[0] ?? null,
    link: (tenant, account, personId, how) => link(database, tenant, account, personId, how),
  };
}

async function link(database: Database, tenant: string, account: ChatAccount, person_id: string, how: AccountLink['how']): Promise<void> {
  const { platform, workspace, user } = account;
  await database.ordinary((prisma) =>
    prisma.chatAccountLink.upsert({
      where: { tenant_platform_workspace_user: { tenant, platform, workspace, user } },
      create: { tenant, platform, workspace, user, person_id, how },
      update: { person_id, how, linked_at: new Date() },
    }),
  );
}

/** Key of the advisory locks under which directories are replaced, one per tenant ("CsDr"). */
const DIRECTORY_LOCK = 0x43734472;

/**
 * One transaction: a press in the middle of it sees the old directory or the new one. Links that people made by proof stay; those that
 * the source made follow the source.
 */
async function replace(database: Database, tenant: string, directory: DirectorySnapshot): Promise<void> {
  const { people, groups, agents } = directory;
  const memberships = groups.flatMap((group) => group.members.map((person) => ({ group: group.name, person })));
  const accounts = people.flatMap((person) => person.accounts.map((account) => ({ ...account, person: person.id })));
  await database.transaction(async (client) => {
    await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [DIRECTORY_LOCK, tenant]);
    // Roles come as JSON: PostgreSQL's arrays of arrays must be rectangular.
    await client.query(
      `INSERT INTO directory_people (tenant, id, email, name, active, roles)
       SELECT $1, id, email, name, active, ARRAY(SELECT json_array_elements_text(roles)) FROM json_to_recordset($2) AS p (id text, email text, name text, active boolean, roles json)
       ON CONFLICT (tenant, id) DO UPDATE SET email = excluded.email, name = excluded.name, active = excluded.active, roles = excluded.roles`,
      [tenant, JSON.stringify(people)],
    );
    await client.query('UPDATE directory_people SET active = false WHERE tenant = $1 AND active AND id <> ALL ($2::text[])', [
      tenant,
      people.map((person) => person.id),
    ]);
    await client.query('DELETE FROM directory_memberships WHERE tenant = $1', [tenant]);
    await client.query(
      'INSERT INTO directory_memberships (tenant, group_name, person_id) SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING',
      [tenant, memberships.map((entry) => entry.group), memberships.map((entry) => entry.person)],
    );
    await client.query(
      `INSERT INTO directory_agents (tenant, id, owner, active) SELECT $1, * FROM unnest($2::text[], $3::text[], $4::boolean[])
       ON CONFLICT (tenant, id) DO UPDATE SET owner = excluded.owner, active = excluded.active`,
      [tenant, agents.map((agent) => agent.id), agents.map((agent) => agent.owner), agents.map((agent) => agent.active)],
    );
    await client.query('UPDATE directory_agents SET active = false WHERE tenant = $1 AND active AND id <> ALL ($2::text[])', [
      tenant,
      agents.map((agent) => agent.id),
    ]);
    await client.query(`DELETE FROM chat_account_links WHERE tenant = $1 AND how = 'directory'`, [tenant]);
    await client.query(
      `INSERT INTO chat_account_links (tenant, platform, workspace, "user", person_id, how)
       SELECT $1, platform, workspace, account, person, 'directory' FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS a (platform, workspace, account, person)
       ON CONFLICT (tenant, platform, workspace, "user") DO UPDATE SET person_id = excluded.person_id, how = excluded.how, linked_at = now()`,
      [
        tenant,
        accounts.map((account) => account.platform),
        accounts.map((account) => account.workspace),
        accounts.map((account) => account.user),
        accounts.map((account) => account.person),
      ],
    );
  });
}
