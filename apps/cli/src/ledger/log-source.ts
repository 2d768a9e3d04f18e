import type { TileReader } from '@countersign/core/ledger';

/** A log wherever it lies: a folder, a server, a database. Nothing that it says is believed before it was checked. */
export interface LogSource {
  /** For people: `the export ./ledger`. */
  readonly what: string;
  /** The latest signed checkpoint; null where nothing was logged yet. */
  readonly latest: string | null;
  /** Every signed checkpoint that this place keeps, the oldest first, the latest included. */
  checkpoints(): AsyncIterable<string>;
  /** The first `size` entries, in order. @throws CoreError `ledger_malformed` for what is missing or does not parse */
  entries(size: number): AsyncIterable<Uint8Array>;
  readonly tiles: TileReader;
  /** The verifier keys that this place itself offers: to be pinned at first sight, no proof of anything. */
  offeredKeys(): Promise<string[]>;
  /** The public keys of grants and callbacks (RFC 7517); null where this place has none. */
  jwks(): Promise<{ keys: object[] } | null>;
  close(): Promise<void>;
}

/** The checkpoints of a place that keeps only the latest. */
export async function* onlyLatest(latest: string | null): AsyncGenerator<string> {
  if (latest !== null) yield latest;
}
