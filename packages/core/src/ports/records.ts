/** What is stored of a request, from submission to delivery. Plain data. */
import type {
  AskAgain,
  Authenticated,
  CallbackEvent,
  DecisionBody,
  EndpointFormat,
  EvaluationView,
  EventName,
  ExecutionResult,
  MaskedValue,
  OutcomeData,
  OutcomeStatus,
  PasskeyEvidence,
  PatternUse,
  PersonView,
  RequesterView,
  Requirement,
  Reversibility,
  Status,
  Submission,
  Verdict,
  Via,
} from '@countersign/contracts';
import type { ChainLink } from './people.js';

/** The members of a submission that people see, masked; the shape of the submission itself. */
export type MaskedSubmission = Pick<Submission, 'action' | 'resource' | 'parameters' | 'actor' | 'environment' | 'reason' | 'context' | 'purpose' | 'undo'>;

/** An action request as stored. It never changes after it was opened but for status, version, settled_at, use_until, redeemed_at and redeemed_by. */
export interface ActionRequestRecord {
  tenant: string;
  id: string;
  status: Status;
  /** Rises by one with each commit on the request; every commit names the version that it was planned on. */
  version: number;
  created_at: string;
  expires_at: string;
  settled_at: string | null;
  /** Until then an approval may be used; null while there is none. */
  use_until: string | null;
  redeemed_at: string | null;
  /** The id of the API key that redeemed; it alone reports what came of it. */
  redeemed_by: string | null;
  action_digest: string;
  request_digest: string;
  view_digest: string;
  /** Set when a person behind the request is the only approver left, and similar; shown on the card. */
  warnings: string[];
  requester: RequesterView;
  /** Persons behind the request, computed once at submit. */
  chain: ChainLink[];
  view: MaskedSubmission;
  masked: MaskedValue[];
  resolved: Resolved;
  /** For people: what policy and catalogue are called and say besides. No rule reads it. Absent in records of before it was kept. */
  about?: AboutRequest;
  evaluation: EvaluationView;
  requirement: Requirement | null;
  policy_digest: string;
  callback: CallbackTarget | null;
  /** The pattern by which it was approved; absent: people were asked, or nobody had to be. */
  pattern?: PatternUse;
  grant_audience: string;
  /** The thumbprint of the key that redemption must prove; absent: none. */
  grant_jkt?: string;
  /** Sealed {record_key, submission}: deleting it erases the payload and what the ledger's commitments could tell. */
  sealed_payload: Uint8Array;
}

/** By name what `policy_digest` pins, and what the catalogue says of the resource besides its labels. */
export interface AboutRequest {
  /** The bundles of the policy in force when it was opened, widest tier first. */
  policy: { name: string; version: string }[];
  data_classes?: string[];
  /** Who owns the resource, as the catalogue has it. */
  owner?: string;
}

export interface Resolved {
  labels: Record<string, string>;
  environment?: string;
  reversibility: Reversibility;
}

export type CallbackTarget = { kind: 'url'; url: string } | { kind: 'endpoint'; endpoint_id: string };

/** What `sealed_payload` holds, as JSON; `record_key` is base64url of 32 random bytes. */
export interface RequestPayload {
  record_key: string;
  submission: Submission;
  circumstances?: Circumstances;
}

/** What policy went by besides the submission and the requester; kept, so that the evaluation can be computed again. */
export interface Circumstances {
  /** Rules whose limit was used up. */
  exceeded?: string[];
  /** The highest class of the other actions of the chain. */
  chain?: { reversibility: Reversibility };
}

export interface DecisionRecord {
  id: string;
  request_id: string;
  person: PersonView;
  verdict: Verdict;
  reason: string | null;
  decided_at: string;
  via: Via;
  /** The groups the person was in when pressing. */
  groups: string[];
  action_digest: string;
  request_digest: string;
  /** Digest of the card that was shown; null where the decider named only the action. */
  view_digest: string | null;
  /** The policy in force at the press; the pinned one is on the request. */
  policy_digest: string;
  authenticated: Authenticated;
  /** What the decision came with, as far as anything was given. */
  ticket?: string;
  acknowledged?: string[];
  /** Of a denial: whether asking again makes sense. */
  ask_again?: AskAgain;
  /** The person in whose stead; `groups` are then those that this person lends. */
  delegate_for?: PersonView;
  break_glass?: true;
  /** The decider stands behind the request, which policy allows a team of one. */
  self_approved?: true;
  passkey?: PasskeyEvidence;
  /** The narrowed pattern that is approved besides, as the requirement allows it. */
  alike?: AlikeTerms;
}

/** `alike` of a decision: these parameters pinned to their values here, so many uses, so many seconds. */
export type AlikeTerms = NonNullable<DecisionBody['alike']>;

export interface OutcomeRecord {
  id: string;
  request_id: string;
  sequence: number;
  status: OutcomeStatus;
  reason: string | null;
  settled_at: string;
  /** The callback's data without the grant. */
  data: OutcomeData;
}

export interface GrantRecord {
  id: string;
  request_id: string;
  audience: string;
  issued_at: string;
  expires_at: string;
  /** The compact JWS, sealed. */
  sealed_token: Uint8Array;
}

/** What came of the action, as its executor says; once per request. */
export interface ReportRecord {
  request_id: string;
  /** The API key that reports. */
  by: string;
  result: ExecutionResult;
  result_digest: string | null;
  /** Masked. */
  detail: string | null;
  reported_at: string;
  /** HMAC-SHA256 over the canonical body under the record's key: tells a repetition from another report, and nothing else. */
  fingerprint: string;
}

/** An event to be delivered: made in the commit that it tells of. */
export interface DeliveryRecord {
  /** `msg_…`, the webhook-id of every attempt. */
  id: string;
  /** The request; of a test event the endpoint. */
  request_id: string;
  api_key_id: string;
  target: CallbackTarget;
  sequence: number;
  event: CallbackEvent | 'endpoint.tested';
  /** How the bytes are written; absent: `standard`. */
  format?: EndpointFormat;
  created_at: string;
  /** The exact bytes to send, sealed at { table: 'deliveries', row: id, column: 'sealed_body' }. */
  sealed_body: Uint8Array;
}

/** A ledger leaf, without a position: the sequencer gives it. */
export interface LeafRecord {
  /** UUIDv7. */
  id: string;
  event: EventName;
  at: string;
  /** The id of what it is about: a request (`ar_…`), a policy digest, … */
  subject: string;
  /** The exact bytes that the log hashes. */
  bytes: Uint8Array;
  /** The private part, sealed under the record's key; null when there is none. */
  sealed_private: Uint8Array | null;
}

export interface IdempotencyRecord {
  key_id: string;
  key: string;
  /** SHA-256 over the canonical body. */
  fingerprint: string;
  request_id: string;
  /** The 201's body without a grant, sealed. */
  sealed_answer: Uint8Array;
}
