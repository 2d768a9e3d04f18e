/** The HTTP API: action requests, decisions, grants, evaluations, sessions, the ledger's tiles. */
export { createIntake } from './intake.js';
export type { IntakeDeps } from './deps.js';
export { type Watch, watchedStore, Waiters } from './waiters.js';
export { problemTable } from './problems.js';
