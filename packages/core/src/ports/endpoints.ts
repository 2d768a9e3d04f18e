/** Where callbacks go. */
import type { CallbackEvent, DisabledReason, EndpointFormat } from '@countersign/contracts';
import type { LeafRecord } from './records.js';

/** A place that deliveries go to: registered, or a bare URL that an API key named and that has failed once. */
export interface EndpointRecord {
  tenant: string;
  id: string;
  kind: 'registered' | 'bare';
  url: string;
  description: string | null;
  events: CallbackEvent[];
  format: EndpointFormat;
  header_names: string[];
  /** {name: value} as JSON, sealed at { table: 'endpoints', row: id, column: 'sealed_headers' }; null: none. */
  sealed_headers: Uint8Array | null;
  state: 'enabled' | 'disabled';
  reason: DisabledReason | null;
  since: string;
  failing_since: string | null;
  api_key_id: string | null;
  created_by: string | null;
  created_at: string;
  updated_at: string;
}

/** A `whsec_…` secret, sealed at { table: 'endpoint_secrets', row: '<endpoint>/<id>', column: 'sealed_secret' }. */
export interface EndpointSecretRecord {
  id: string;
  sealed_secret: Uint8Array;
  created_at: string;
  /** Until when it signs; null: it is the newest. */
  retires_at: string | null;
}

export interface EndpointFilter {
  kind?: EndpointRecord['kind'];
  state?: EndpointRecord['state'];
  limit: number;
  before?: { created_at: string; id: string };
}

export type EndpointChange = Partial<Pick<EndpointRecord, 'url' | 'description' | 'events' | 'format' | 'header_names' | 'sealed_headers'>>;

/** Endpoints; those that were deleted are not there for any of these. A leaf that is given is written with the change, or neither is. */
export interface EndpointStore {
  insert(endpoint: EndpointRecord, secret: EndpointSecretRecord, leaf?: LeafRecord): Promise<void>;
  get(tenant: string, id: string): Promise<EndpointRecord | null>;
  /** Newest first. */
  list(tenant: string, filter: EndpointFilter): Promise<EndpointRecord[]>;
  /** `leafOf` makes the leaf of what the endpoint is then. */
  update(tenant: string, id: string, change: EndpointChange, leafOf?: (after: EndpointRecord) => Promise<LeafRecord>): Promise<EndpointRecord | null>;
  /** Its undelivered events become `aborted`. False where there is none. */
  remove(tenant: string, id: string, leaf?: LeafRecord): Promise<boolean>;
  /**
   * Disabling holds what waits; enabling forgets the failures and makes what is held due again, in order. `deliveries`: how many. Setting
   * what is set changes nothing.
   */
  setState(
    tenant: string,
    id: string,
    state: EndpointRecord['state'],
    reason: DisabledReason | null,
    leaf?: LeafRecord,
  ): Promise<{ endpoint: EndpointRecord; deliveries: number } | null>;
  /** A new newest secret; the ones before it sign until `overlap_seconds` from now at most, and at most `keep` of them. One that is there already changes nothing. */
  addSecret(tenant: string, id: string, secret: EndpointSecretRecord, rule: { overlap_seconds: number; keep: number }, leaf?: LeafRecord): Promise<boolean>;
  /** Those in force by the database's clock, the newest first. */
  secrets(tenant: string, id: string): Promise<EndpointSecretRecord[]>;
}
