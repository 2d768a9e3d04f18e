/** The owner of PostgreSQL: the ports of core on it, the embedded server, the migrations. */
export {
  type AuditedCheckpoint,
  type AuditedEntry,
  type AuditedLeaf,
  type AuditedPolicies,
  type AuditedRequest,
  type AuditSnapshot,
  openAuditSnapshot,
  type UnplacedLeaves,
} from './audit-snapshot.js';
export { APP_ROLE, type EmbeddedServer, type EmbeddedServerOptions, findEmbeddedServer, OWNER_ROLE, startEmbeddedServer } from './embedded-server.js';
export { StoreError, type StoreErrorCode } from './errors.js';
export { type DatabaseInspection, inspectDatabase } from './inspect.js';
export { migrate, type MigrateOptions } from './migrate.js';
export { openStore, type Store } from './store.js';
export type { DatabaseOptions } from './database.js';
