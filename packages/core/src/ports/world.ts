/** The world outside the database: time, chance, keys, and who is told of work. */
import type { Instant } from '../request/instants.js';

/** The time. The running service keeps it within a second of the database's; expiry itself is judged by the database. */
export interface Clock {
  now(): Instant;
}

/** Cryptographically strong random bytes. */
export interface Entropy {
  bytes(length: number): Uint8Array;
}

/** An Ed25519 key that signs; `kid` is its RFC 7638 thumbprint. */
export interface Signer {
  readonly kid: string;
  readonly publicKey: Uint8Array;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Where a sealed value lives; authenticated with it, so that a value moved to another row does not open. */
export interface SealContext {
  tenant: string;
  table: string;
  row: string;
  column: string;
}

/** Encrypts what the store keeps. `seal` wraps a fresh key under the master key; `sealUnder` uses a record's own key. */
export interface Sealer {
  seal(context: SealContext, plaintext: Uint8Array): Promise<Uint8Array>;
  open(context: SealContext, sealed: Uint8Array): Promise<Uint8Array>;
  sealUnder(key: Uint8Array, context: SealContext, plaintext: Uint8Array): Uint8Array;
  openUnder(key: Uint8Array, context: SealContext, sealed: Uint8Array): Uint8Array;
}

/** Tells the workers that committed work is waiting. Never throws and is never awaited: the sweeper heals a lost one. */
export interface Announcer {
  announce(topic: WorkTopic): void;
}
/** `cards`: posted cards may be out of date. `deliveries`: a callback is due. `decisions`: leaves or timers are due. */
export type WorkTopic = 'cards' | 'deliveries' | 'decisions';
