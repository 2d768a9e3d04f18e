import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type * as SchemaEngineWasm from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { StoreError } from './errors.js';

export interface MigrateOptions {
  /** The owner's address: MIGRATE_DATABASE_URL where given, else DATABASE_URL. */
  url: string;
  /**
   * The role that runs the service; gets exactly the rights that it needs. Absent, or the owner itself (one address for both):
   * nothing is granted, and only the triggers keep the ledger.
   */
  appRole?: string;
}

/** Key of the advisory lock under which one process migrates ("CsMg"). */
const MIGRATION_LOCK = 0x43734d67;

/**
 * Brings the database to the schema of this release. Safe when many processes start at once; costs one query when there is nothing
 * to do. Applies prisma/migrations as `prisma migrate deploy` does, in the same table, without its downloaded engine.
 *
 * @returns the names of the migrations that were applied
 * @throws StoreError migration_failed, unavailable
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const migrations = await readMigrations();
  const client = new pg.Client({ connectionString: options.url, connectionTimeoutMillis: 10_000, application_name: 'countersign migrate' });
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (cause) {
    throw new StoreError('unavailable', `The database cannot be reached to migrate it: ${cause instanceof Error ? cause.message : 'no answer'}.`, { cause });
  }
  try {
    const [role] = (await client.query<{ name: string }>('SELECT current_user AS name')).rows;
    const appRole = options.appRole === role?.name ? undefined : options.appRole;
    if (await isCurrent(client, migrations, appRole)) return [];
    // The lock ends with this connection, so a killed migration does not block the next.
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    if (await isCurrent(client, migrations, appRole)) return [];
    const applied = await apply(options.url, migrations);
    if (appRole !== undefined) await client.query('SELECT countersign_grant($1)', [appRole]);
    return applied;
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError('migration_failed', `Migrating the database failed: ${cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : 'unknown'}.`, {
      cause,
    });
  } finally {
    await client.end().catch(() => {});
  }
}

export interface Migration {
  name: string;
  sql: string;
}

/** Every migration of this release is recorded as applied, and the service's role has its rights. */
async function isCurrent(client: pg.Client, migrations: Migration[], appRole: string | undefined): Promise<boolean> {
  const { rows } = await client.query<{ migrated: boolean; granted: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS migrated,
            $1::text IS NULL OR coalesce(has_table_privilege($1::text, to_regclass('ledger_leaves'), 'INSERT'), false) AS granted`,
    [appRole ?? null],
  );
  if (rows[0]?.migrated !== true || !rows[0].granted) return false;
  const applied = await client.query<{ name: string }>(
    'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  const names = new Set(applied.rows.map((row) => row.name));
  // A newer release may have migrated further; migrations only add, so this release runs on it too.
  return migrations.every((migration) => names.has(migration.name));
}

/** Prisma's own migration engine, compiled to WebAssembly, over the pg adapter. */
async function apply(url: string, migrations: Migration[]): Promise<string[]> {
  const { SchemaEngine } = await loadSchemaEngine();
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => {});
  const engine = await SchemaEngine.new({ datamodels: undefined }, () => {}, bindMigrationAwareSqlAdapterFactory(wholeScripts(pool)));
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: {
        baseDir: migrationsFolder('.'),
        lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
        shadowDbInitScript: '',
        migrationDirectories: migrations.map(({ name, sql }) => ({ path: name, migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } } })),
      },
      filters: { externalTables: [], externalEnums: [] },
    });
    return appliedMigrationNames;
  } finally {
    engine.free();
    await pool.end();
  }
}

/**
 * The pg adapter cuts a script at every semicolon, through comments and function bodies, and commits piece by piece. Sent as it is,
 * PostgreSQL runs a script as one transaction: a migration is applied whole or not at all.
 */
function wholeScripts(pool: pg.Pool): PrismaPg {
  const factory = new PrismaPg(pool);
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    adapter.executeScript = async (script) => void (await pool.query(script));
    return adapter;
  };
  return factory;
}

/**
 * The package's own entry imports its .wasm as a module, which Node 20 does only behind a flag; so it is put together by hand,
 * as Prisma's command line does.
 */
function loadSchemaEngine(): Promise<SchemaEngineModule> {
  // Once per process: the bindings know one instance, and callbacks of an earlier one would run in the later.
  return (schemaEngine ??= instantiateSchemaEngine());
}

type SchemaEngineModule = typeof SchemaEngineWasm;

let schemaEngine: Promise<SchemaEngineModule> | null = null;

async function instantiateSchemaEngine(): Promise<SchemaEngineModule> {
  const require = createRequire(import.meta.url);
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const wasm = await readFile(join(dirname(require.resolve('@prisma/schema-engine-wasm/schema_engine_bg')), 'schema_engine_bg.wasm'));
  // The bindings' typings name neither the imports that the module wants nor its two start functions.
  const glue = bindings as unknown as WebAssembly.ModuleImports & { __wbg_set_wasm(exports: WebAssembly.Exports): void };
  const imports: WebAssembly.ModuleImports = { ...glue };
  for (const name of Object.keys(glue).filter((member) => member.startsWith('__wbg_setTimeout_'))) {
    // The engine gives its lock 10 s and never clears that timer; it shall not keep a finished process alive.
    imports[name] = (work: () => void, ms: number) => setTimeout(work, ms >>> 0).unref();
  }
  const instance = await WebAssembly.instantiate(await WebAssembly.compile(new Uint8Array(wasm)), { './schema_engine_bg.js': imports });
  glue.__wbg_set_wasm(instance.exports);
  (instance.exports['__wbindgen_start'] as () => void)();
  return bindings;
}

/** Beside the compiled files in a build, in prisma/ at the root of a checkout. */
function migrationsFolder(name: string): string {
  const built = import.meta.url.endsWith('.js');
  return fileURLToPath(new URL(built ? `./migrations/${name}` : `../../../prisma/migrations/${name}`, import.meta.url));
}

/** The migrations of this release, the oldest first. */
export async function readMigrations(): Promise<Migration[]> {
  const folder = migrationsFolder('.');
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(names.sort().map(async (name) => ({ name, sql: await readFile(join(folder, name, 'migration.sql'), 'utf8') })));
}
