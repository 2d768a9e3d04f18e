/** The owner of PostgreSQL: the ports of core on it, the embedded server, the migrations. */
export { APP_ROLE, type EmbeddedServer, type EmbeddedServerOptions, OWNER_ROLE, startEmbeddedServer } from './embedded-server.js';
export { StoreError, type StoreErrorCode } from './errors.js';
export { migrate, type MigrateOptions } from './migrate.js';
export { openStore, type Store } from './store.js';
export type { DatabaseOptions } from './database.js';
