import pg from 'pg';
import { readMigrations } from './migrate.js';
import { StoreError } from './errors.js';

/** What a database says of itself to whoever asks how it is kept. */
export interface DatabaseInspection {
  /** The role of the address. */
  role: string;
  /** Roles with this right pass over every other one. */
  superuser: boolean;
  /** `18.1` */
  server_version: string;
  /** Migrations of this release that were not applied. */
  missing_migrations: string[];
  /** The ledger's tables with what the role may do to rows that are there, and whether the trigger that refuses it is armed. */
  ledger: { table: string; may: ('UPDATE' | 'DELETE' | 'TRUNCATE')[]; owner: boolean; armed: boolean }[];
}

const LEDGER_TABLES = ['ledger_leaves', 'ledger_entries', 'ledger_nodes', 'ledger_checkpoints'];

/**
 * Looks at a database as the role of the address sees it; changes nothing.
 *
 * @throws StoreError unavailable
 */
export async function inspectDatabase(url: string): Promise<DatabaseInspection> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, application_name: 'countersign doctor' });
  client.on('error', () => {});
  try {
    await client.connect();
    const [about] = (
      await client.query<{ role: string; superuser: boolean; server_version: string; migrated: boolean }>(
        `SELECT current_user AS role, rolsuper AS superuser, current_setting('server_version') AS server_version, to_regclass('_prisma_migrations') IS NOT NULL AS migrated
         FROM pg_roles WHERE rolname = current_user`,
      )
    ).rows;
    if (about === undefined) throw new StoreError('corrupt', 'The database does not know the role that asks.');
    const { migrated, ...known } = about;
    const applied = migrated
      ? (
          await client.query<{ name: string }>('SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL')
        ).rows.map(({ name }) => name)
      : [];
    const { rows: ledger } = await client.query<DatabaseInspection['ledger'][number]>(
      `SELECT t.name AS table,
              array_remove(ARRAY[CASE WHEN has_table_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END, CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END,
                                 CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END], NULL) AS may,
              pg_has_role(c.relowner, 'MEMBER') AS owner,
              EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = 'append_only' AND g.tgenabled = 'A') AS armed
       FROM unnest($1::text[]) AS t(name) JOIN pg_class c ON c.oid = to_regclass(t.name) ORDER BY t.name`,
      [LEDGER_TABLES],
    );
    return { ...known, missing_migrations: (await readMigrations()).map(({ name }) => name).filter((name) => !applied.includes(name)), ledger };
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError('unavailable', `The database cannot be reached: ${cause instanceof Error ? cause.message : 'no answer'}.`, { cause });
  } finally {
    await client.end().catch(() => {});
  }
}
