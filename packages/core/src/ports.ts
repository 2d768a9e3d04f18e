/**
 * What core asks of the world, and the plain records that cross that line. No rule stands here.
 * packages/store implements the stores on PostgreSQL, packages/keys the Signer and the Sealer,
 * packages/delivery the transports; apps pass them in.
 *
 * One file a subject stands in ports/.
 *
 * Instants are RFC 3339 UTC text with milliseconds. Digests are `sha256:<hex>`.
 */
export type * from './ports/world.js';
export type * from './ports/people.js';
export type * from './ports/records.js';
export type * from './ports/requests.js';
export type * from './ports/directory.js';
export type * from './ports/scim.js';
export type * from './ports/callers.js';
export type * from './ports/credentials.js';
export type * from './ports/identity.js';
export type * from './ports/policies.js';
export type * from './ports/control.js';
export type * from './ports/batches.js';
export type * from './ports/cards.js';
export type * from './ports/deliveries.js';
export type * from './ports/endpoints.js';
export type * from './ports/follow-ups.js';
export type * from './ports/ledger.js';
export type * from './ports/mails.js';
export type * from './ports/rewraps.js';
export type * from './ports/routing.js';
export type * from './ports/sweep.js';
export type * from './ports/passkeys.js';
export type * from './ports/presses.js';
export type * from './ports/slack.js';
