/** Messages that list many requests that are alike, in place of a card for each. */
import type { JsonObject } from '@countersign/contracts';
import type { PlatformName } from './cards.js';
import type { LeafRecord } from './records.js';

/** What makes requests alike: the same action, rules and requester. */
export interface Alike {
  action: string;
  /** As the evaluation has them, sorted. */
  rules: readonly string[];
  requester_id: string;
}

/** A message that lists requests, leased to this worker. */
export interface BatchTask {
  tenant: string;
  id: string;
  platform: PlatformName;
  place: string;
  /** `posting`: the post may or may not have happened; where `tries` is above 1, look for it before posting again. */
  state: 'posting' | 'posted';
  ref: JsonObject | null;
  /** Rises with each reason to look; what was shown names the one that was worked on. */
  revision: number;
  tries: number;
  /** Digest of what the message shows; null before the first. */
  shown_digest: string | null;
  /** Ids of the requests that it lists, in their order. */
  requests: string[];
  /** Those of them that have not stood in the message yet. */
  unlisted: string[];
}

export interface BatchStore {
  /**
   * The message in a place that lists the request: the one that does already, else one of those that are alike which has room, else a new one,
   * where at least so many alike wait that were opened within so many seconds of it; those are listed with it. `lost`: that message is no more.
   * Null: the request gets a card of its own.
   */
  join(wanted: {
    tenant: string;
    platform: PlatformName;
    place: string;
    request: { id: string; created_at: string } & Alike;
    at_least: number;
    window_seconds: number;
  }): Promise<'listed' | 'lost' | null>;
  /** Something happened to the request: the messages of a platform that list it are brought up to date. */
  touch(tenant: string, platform: PlatformName, request_id: string): Promise<void>;
  claim(platform: PlatformName, limit: number, lease_seconds: number): Promise<BatchTask[]>;
  /** It shows what it should, and these requests by name, with the ledger's leaves of it; `closed`: nothing of it waits any more. */
  shown(batch: BatchTask, shown: { ref: JsonObject; digest: string; closed: boolean; listed: string[] }, leaves?: LeafRecord[]): Promise<void>;
  /** Gives it back, due again after the delay. */
  retry(batch: BatchTask, delay_seconds: number): Promise<void>;
  /** `failed`: it cannot be posted there. `lost`: it was, and is no more. Its requests are looked at again on its platform. */
  ended(batch: BatchTask, how: 'failed' | 'lost'): Promise<void>;
}
