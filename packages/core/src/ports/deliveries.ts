/** Callbacks under way. */
import type { DisabledReason } from '@countersign/contracts';
import type { DeliveryRecord, LeafRecord } from './records.js';

export type DeliveryState = 'pending' | 'delivered' | 'dead' | 'aborted' | 'held' | 'superseded';

/** A due delivery, leased: its attempt row exists already (I7), its number and fence are on it. */
export interface ClaimedDelivery extends DeliveryRecord {
  tenant: string;
  attempt: number;
  /** Rises with each claim; a write that names an older one is refused. */
  fence: number;
  attempted_at: string;
  /** The delivery whose bytes and webhook-id these are: its own id, or of a redriven one that of the first. */
  message_id: string;
  /** Since when its endpoint is in its state; null for an address that never failed. */
  endpoint_since: string | null;
  /** Of its request, for the attempt's leaf (the record key is in it); null for a test event. */
  sealed_payload: Uint8Array | null;
  /** Of the API key that named the address; null where there is no such key any more. */
  sealed_webhook_secret: Uint8Array | null;
  /** That of before a rotation, while both sign; null or absent: one signs. */
  sealed_previous_webhook_secret?: Uint8Array | null;
}

export interface AttemptOutcome {
  finished_at: string;
  status: number | null;
  /** One word from the transport: delivered, refused, timeout, http_error, redirect, blocked_address, … */
  result: string;
  detail: string | null;
  /** The first bytes of the answer, masked; null when there was none. */
  answer_preview: string | null;
  /** The address that was tried; null when it did not come to that. */
  url?: string | null;
  duration_ms?: number | null;
  /** What the attempt tells of the receiver: it takes events, or it does not; null: nothing. */
  receiver?: 'up' | 'down' | null;
  /** The receiver wants no more events: its endpoint is disabled with the attempt. */
  disable?: Extract<DisabledReason, 'gone' | 'receiver_asked'> | null;
  next: { kind: 'retry'; at: string } | { kind: 'end'; state: Exclude<DeliveryState, 'pending' | 'superseded'>; reason?: string };
  /** Null for a test event: it tells of no request. */
  leaf: LeafRecord | null;
}

/** How many attempts may be out at a time, over all workers. */
export interface InFlightCaps {
  per_endpoint: number;
  per_tenant: number;
}

export interface DeliveryFilter {
  state?: DeliveryState;
  endpoint_id?: string;
  request_id?: string;
  /** Of this API key alone. */
  api_key_id?: string;
  from?: string;
  to?: string;
  limit: number;
  /** Only deliveries older than this one (created_at, id), both exclusive. */
  before?: { created_at: string; id: string };
}

export interface DeliveryStore {
  /**
   * Claims due deliveries (FOR UPDATE SKIP LOCKED), inserts their attempt rows and leases them. Of one request only the lowest
   * undelivered sequence is due; of a disabled endpoint nothing is: what was pending becomes `held`. Endpoints take turns, and tenants
   * do. `id` narrows it to one, whatever the caps.
   */
  claim(query: { limit: number; lease_seconds: number; caps?: InFlightCaps; id?: string }): Promise<ClaimedDelivery[]>;
  /** Moves the end of the leases that are still held; the ids of those. */
  renew(deliveries: ClaimedDelivery[], lease_seconds: number): Promise<string[]>;
  /** False when the fence is not the newest: somebody else has the delivery now. */
  finish(delivery: ClaimedDelivery, outcome: AttemptOutcome): Promise<boolean>;
  /** Gives back claims that were not attempted (a stop, a receiver known to be down); due at `due_at`, at once without. */
  release(deliveries: ClaimedDelivery[], due_at?: string): Promise<void>;
  /** The deliveries of one request, by sequence. */
  list(tenant: string, request_id: string): Promise<DeliveryView[]>;
  /** Newest first. */
  search(tenant: string, filter: DeliveryFilter): Promise<DeliveryView[]>;
  get(tenant: string, id: string): Promise<DeliveryView | null>;
  /** A delivery that belongs to no commit of a request: a test event. */
  insert(tenant: string, delivery: DeliveryRecord): Promise<void>;
  /**
   * Makes a new delivery of each that may go again: ended, not superseded, no approval that was revoked since, and no redrive of it under
   * way. The new one has the old one's bytes and webhook-id. The pairs that were made.
   */
  redrive(tenant: string, pairs: readonly { id: string; redrive_of: string }[]): Promise<{ id: string; redrive_of: string }[]>;
}

export interface DeliveryView {
  id: string;
  webhook_id: string;
  event: string;
  /** Null for a test event. */
  action_request: string | null;
  endpoint_id: string | null;
  api_key_id: string;
  sequence: number;
  state: DeliveryState;
  /** Why it is dead, aborted, held or superseded. */
  reason: string | null;
  url: string | null;
  created_at: string;
  ended_at: string | null;
  next_attempt_at: string | null;
  redrive_of: string | null;
  attempts: {
    number: number;
    at: string;
    finished_at: string | null;
    url: string | null;
    status: number | null;
    result: string | null;
    detail: string | null;
    duration_ms: number | null;
    answer_preview: string | null;
  }[];
}
