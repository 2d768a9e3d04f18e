/** What controls a running installation: freezes, changes that wait for a second person, approved patterns. */
import type { ConfigState, FreezeNotice, FreezeScope, JsonObject, JsonValue, PersonView, Requirement } from '@countersign/contracts';
import type { LeafRecord } from './records.js';

export interface FreezeRecord {
  tenant: string;
  id: string;
  scope: FreezeScope;
  /** Where the scope's actor is a person: every entry of the directory that is this human. */
  actor_people: string[];
  reason: string;
  placed_by: PersonView;
  placed_at: string;
  expires_at: string | null;
  lifted_at: string | null;
  /** Null where its time was over. */
  lifted_by: PersonView | null;
  lift_reason: string | null;
}

/** The kill switch. What is frozen is judged by each commit itself, under a lock that placing takes: see RequestStore. */
export interface FreezeStore {
  /**
   * Waits for the commits under way, places it, and asks for the cards of what it holds to be brought up to date. Every commit after this
   * call sees it. `holds`: how many requests are pending, or approved and not redeemed.
   */
  place(freeze: FreezeRecord, leaf: LeafRecord): Promise<{ holds: number }>;
  /** Lifts it, unless it is lifted, or `by` placed it; null: its time is over by the database's clock. */
  lift(lift: { tenant: string; id: string; at: string; by: PersonView | null; reason: string | null; leaf: LeafRecord }): Promise<{ changed: boolean }>;
  get(tenant: string, id: string): Promise<FreezeRecord | null>;
  /** Newest first. */
  list(tenant: string, filter: { open: boolean; limit: number }): Promise<FreezeRecord[]>;
  /** Whose time is over and which nobody has ended. */
  over(limit: number): Promise<{ tenant: string; id: string }[]>;
}

export type { FreezeNotice };

/** A change of the configuration that somebody else has to approve. */
export interface ConfigChangeRecord {
  tenant: string;
  id: string;
  /** `policy.activate` */
  kind: string;
  resource_id: string;
  /** Sealed JSON {nonce, payload} at { table: 'config_changes', row: id, column: 'sealed_payload' }. */
  sealed_payload: Uint8Array;
  /** SHA-256 over the canonical {nonce, payload}; a parameter of the request, so that its approval is of exactly this. */
  payload_digest: string;
  /** What people see of it, masked. */
  summary: JsonObject;
  proposed_by: PersonView;
  proposed_at: string;
  request_id: string;
  state: ConfigState;
  ended_at: string | null;
  detail: string | null;
  attempts: number;
}

/** How a change ended. */
export interface ConfigChangeEnd {
  state: Exclude<ConfigState, 'proposed' | 'applying'>;
  at: string;
  detail: string | null;
  leaf: LeafRecord | null;
}

export interface ConfigChangeStore {
  get(tenant: string, id: string): Promise<ConfigChangeRecord | null>;
  /** Newest first. */
  list(tenant: string, filter: { state?: ConfigState; limit: number }): Promise<ConfigChangeRecord[]>;
  /** Those whose request is settled, or that a worker began to apply and let go of; leased to this worker. */
  claim(limit: number, lease_seconds: number): Promise<{ tenant: string; id: string }[]>;
  /** From proposed or applying to the end; false where it ended already. */
  end(tenant: string, id: string, end: ConfigChangeEnd): Promise<boolean>;
  /** How many active humans are in the group (ADMINISTRATORS: have the role) besides this person. */
  othersIn(tenant: string, group: string, person_id: string): Promise<number>;
}

/** What an approver lets pass without being asked again (B6). */
export interface PatternRecord {
  tenant: string;
  id: string;
  /** Digest of what must be equal: action, resource, actor, environment, requester. */
  match_key: string;
  /** The request that was approved with it. */
  request_id: string;
  created_by: string;
  created_at: string;
  expires_at: string;
  uses: number;
  used: number;
  revoked_at: string | null;
  revoked_by: PersonView | null;
  document: PatternDocument;
  /** Sealed JSON PatternPins at { table: 'patterns', row: id, column: 'sealed_pins' }. */
  sealed_pins: Uint8Array;
}

/** What does not change of a pattern, as people see it. */
export interface PatternDocument {
  action: string;
  resource: { type: string; id: string };
  actor: { type: string; id: string };
  environment: string | null;
  requester: { type: string; id: string; name: string };
  /** The paths that are pinned, with their values masked. */
  pinned: { path: string; value: string }[];
  /** What the approval answered; a use must not need more. */
  requirement: Requirement;
  ttl_seconds: number;
  /** Who approved the request; the last one made the pattern. */
  approved_by: PersonView[];
}

/** The unmasked values of the pinned paths, and the names and types of all parameters. */
export interface PatternPins {
  pins: { path: string; present: boolean; value: JsonValue }[];
  shape: Record<string, string>;
}

export interface PatternStore {
  /** Those of the key that may be used, the oldest first. */
  live(tenant: string, match_key: string): Promise<PatternRecord[]>;
  get(tenant: string, id: string): Promise<PatternRecord | null>;
  /** Newest first. */
  list(tenant: string, filter: { live: boolean; limit: number }): Promise<PatternRecord[]>;
  /** False where it was revoked already. */
  revoke(revocation: { tenant: string; id: string; at: string; by: PersonView; leaf: LeafRecord }): Promise<{ changed: boolean }>;
}
