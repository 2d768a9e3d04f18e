import { randomUUID } from 'node:crypto';
import type { AccountLink, ChatAccount, DirectorySnapshot, DirectoryStore, Person } from '@countersign/core/ports';
import { conflicts, planLoad } from '@countersign/core/flow';
import type { Database } from './database.js';
import { changeDirectory, rowsOn } from './directory-changes.js';
import { readDirectory } from './directory-reads.js';
import { StoreError } from './errors.js';
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
    list: (tenant) => select('all', 'p.tenant = $1 AND p.deleted_at IS NULL ORDER BY lower(p.email), p.id', [tenant]),
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
    change: (tenant, wanted, plan) => changeDirectory(database, tenant, wanted, plan),
    look: (tenant, wanted) => database.transaction((client) => readDirectory(rowsOn(client), tenant, wanted)),
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

/** Without a record; whatever the file claims and others have is refused. */
async function replace(database: Database, tenant: string, snapshot: DirectorySnapshot): Promise<void> {
  await changeDirectory<null>(database, tenant, { all: true }, async (now) => {
    const [problem] = conflicts(snapshot, now);
    if (problem !== undefined) throw new StoreError('refused', `The directory cannot be replaced: ${problem.path}: ${problem.message}.`);
    const { changes: _changes, ...plan } = planLoad(snapshot, now, { at: new Date().toISOString(), newId: randomUUID });
    return { ...plan, result: null };
  });
}
