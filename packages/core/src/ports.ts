/**
 * What core asks of the world, and the plain records that cross that line. No rule stands here.
 * packages/store implements the stores on PostgreSQL, packages/keys the Signer and the Sealer,
 * packages/delivery the transports; apps pass them in.
 *
 * Instants are RFC 3339 UTC text with milliseconds. Digests are `sha256:<hex>`.
 */
import type {
  Authenticated,
  CallbackEvent,
  DisabledReason,
  EndpointFormat,
  EvaluationView,
  EventName,
  ExecutionResult,
  JsonObject,
  MaskedValue,
  OutcomeData,
  OutcomeStatus,
  PersonView,
  RequesterView,
  Requirement,
  Reversibility,
  Status,
  Submission,
  Verdict,
  Via,
} from '@countersign/contracts';
import type { Instant } from './request/instants.js';

// ---------------------------------------------------------------- world

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

// ---------------------------------------------------------------- people and callers

/** A human in the directory: one entry, however many accounts. */
export interface Person extends PersonView {
  active: boolean;
  /** Names of the groups that the person is in now. */
  groups: string[];
  roles: PersonRole[];
}
export type PersonRole = 'administrator' | 'auditor' | 'operator';

/** An agent, pipeline or service that may act; `owner` answers for it. */
export interface Agent {
  id: string;
  owner: string | null;
  active: boolean;
}

/** What an API key may name and do. An empty list names nothing; `['*']` anything; entries may end in `*`. */
export interface KeyRights {
  actors: string[];
  actions: string[];
  environments: string[];
  callback_hosts: string[];
  redeem: boolean;
}

/** A verified caller. */
export interface Caller {
  tenant: string;
  /** The API key's id. */
  key_id: string;
  name: string;
  /** The person who owns the key: in the chain of every request that it opens. */
  owner: string;
  rights: KeyRights;
  authenticated: Authenticated;
}

/** How somebody stands behind a request; nobody in the chain may decide it. */
export interface ChainLink {
  role: 'actor' | 'on_behalf_of' | 'agent_owner' | 'key_owner' | 'token_human';
  /** The directory's id of the person; null when the directory knows nobody by `ref`. */
  person_id: string | null;
  /** The text that named the person, compared too when the directory does not know it. */
  ref: string;
  /** How answers name the link. */
  name: string;
}

// ---------------------------------------------------------------- records

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
  evaluation: EvaluationView;
  requirement: Requirement | null;
  policy_digest: string;
  callback: CallbackTarget | null;
  grant_audience: string;
  /** Sealed {record_key, submission}: deleting it erases the payload and what the ledger's commitments could tell. */
  sealed_payload: Uint8Array;
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
}

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

// ---------------------------------------------------------------- commits

/** What a commit adds besides its state. All of it is written with the state or not at all (I4). */
export interface CommitParts {
  tenant: string;
  /** This policy must still be in force when the commit happens. Absent: no matter. */
  active_policy?: string;
  decision?: DecisionRecord;
  outcome?: OutcomeRecord;
  grant?: GrantRecord;
  report?: ReportRecord;
  /** By sequence. */
  deliveries?: DeliveryRecord[];
  /** Undelivered callbacks of this request with a smaller sequence become `superseded`. */
  supersede?: boolean;
  /** Every connected chat platform shall bring its cards of this request up to date. */
  cards: boolean;
  leaves: LeafRecord[];
}

/** The commit that opens a request. */
export interface OpenCommit extends CommitParts {
  request: ActionRequestRecord;
  idempotency: IdempotencyRecord;
}

/** A commit on an existing request: compare-and-set on its version and status. */
export interface ChangeCommit extends CommitParts {
  request_id: string;
  /** The version and status that the plan was made on. */
  from: { version: number; status: Status };
  /**
   * Judged by the database's clock in the same statement: `live` demands expires_at > now, `due` demands expires_at <= now,
   * an instant demands now < instant (a grant's end).
   */
  time: 'live' | 'due' | 'any' | { before: string };
  set: { status?: OutcomeStatus; settled_at?: string; use_until?: string; redeemed_at?: string; redeemed_by?: string };
}

export type OpenResult =
  | { kind: 'committed' }
  | { kind: 'replay'; fingerprint: string; request_id: string; sealed_answer: Uint8Array }
  /** The same key is being used by a request that has not ended. */
  | { kind: 'in_progress' }
  | { kind: 'policy_changed' }
  /** The API key was revoked or does not exist any more. */
  | { kind: 'key_inactive' };

export type ChangeResult =
  | { kind: 'committed' }
  /** Version or status differ: read again and plan again. */
  | { kind: 'conflict' }
  /** The time condition failed. */
  | { kind: 'time' }
  | { kind: 'policy_changed' };

// ---------------------------------------------------------------- stores

/** What opening a request needs to know, read in one statement. */
export interface OpeningContext {
  active_policy: string;
  agent: Agent | null;
  /** The persons that `refs` (ids or e-mail addresses, compared without case) name, and the agent's owner. */
  people: Person[];
}

/** A request with everything that has happened to it. */
export interface RequestState {
  request: ActionRequestRecord;
  decisions: DecisionRecord[];
  /** By sequence; empty while pending. */
  outcomes: OutcomeRecord[];
  /** The newest grant; null when none was issued. */
  grant: GrantRecord | null;
  /** Null until the executor says what came of it. */
  report: ReportRecord | null;
}

/** What deciding needs to know, read in one statement from rows, never from a cache. */
export interface DecidingContext extends RequestState {
  active_policy: string;
  /** The presser, the earlier deciders and the persons of the chain, as the directory has them now. */
  people: Person[];
}

export interface RequestFilter {
  status?: Status;
  action?: string;
  actor?: string;
  resource?: string;
  /** A person id. */
  decided_by?: string;
  from?: string;
  to?: string;
  limit: number;
  /** Only requests older than this one (created_at, id), both exclusive. */
  before?: { created_at: string; id: string };
  /** Who reads: a caller sees its own; a person those of the chain, with a stage group of theirs, or decided by them; all: everything. */
  reader: { kind: 'caller'; key_id: string } | { kind: 'person'; person_id: string; groups: string[] } | { kind: 'all' };
}

/** The coarse port of the flows: one statement or transaction per call. Faults throw; nothing is half done. */
export interface RequestStore {
  openingContext(query: { tenant: string; agent_id: string; refs: string[] }): Promise<OpeningContext>;
  open(commit: OpenCommit): Promise<OpenResult>;
  decidingContext(query: { tenant: string; request_id: string; person_id: string | null }): Promise<DecidingContext | null>;
  change(commit: ChangeCommit): Promise<ChangeResult>;
  /** Leaves alone, for what changes no state (a refusal, a card shown). */
  record(tenant: string, leaves: LeafRecord[]): Promise<void>;
  state(tenant: string, request_id: string): Promise<RequestState | null>;
  list(tenant: string, filter: RequestFilter): Promise<RequestState[]>;
  /** The request's leaves in order, with their ledger positions where given. */
  timeline(tenant: string, request_id: string): Promise<(LeafRecord & { position: number | null })[]>;
  /**
   * What a registered endpoint wants to hear of the request, and the number of the last event that was. An endpoint that does not exist
   * (any more) wants nothing. A commit that is planned on it names the request's version, so nobody takes the next number meanwhile.
   */
  subscription(query: { tenant: string; endpoint_id: string; request_id: string }): Promise<Subscription>;
  /** Pending requests whose time is over by the database's clock, oldest first. */
  due(limit: number): Promise<{ tenant: string; request_id: string }[]>;
}

export interface Subscription {
  /** Null where there is no such endpoint. */
  url: string | null;
  events: CallbackEvent[];
  format: EndpointFormat;
  /** 0 where nothing was told yet. */
  last_sequence: number;
}

export interface DirectoryStore {
  person(tenant: string, id: string): Promise<Person | null>;
  people(tenant: string, refs: string[]): Promise<Person[]>;
  list(tenant: string): Promise<Person[]>;
  /** Replaces people, groups, agents by what the source says; who is missing becomes inactive, never deleted. */
  replace(tenant: string, directory: DirectorySnapshot): Promise<void>;
  /** The person whom a chat account belongs to, by link; null when there is none. */
  personByAccount(account: ChatAccount & { tenant: string }): Promise<Person | null>;
  link(tenant: string, account: ChatAccount, person_id: string, how: AccountLink['how']): Promise<void>;
}

export interface DirectorySnapshot {
  people: { id: string; email: string; name: string; active: boolean; roles: PersonRole[]; accounts: ChatAccount[] }[];
  groups: { name: string; members: string[] }[];
  agents: Agent[];
}

/** A chat account: Slack's enterprise or team id with the user id; Teams' tenant id with the AAD object id. */
export interface ChatAccount {
  platform: 'slack' | 'teams';
  workspace: string;
  user: string;
}
export interface AccountLink extends ChatAccount {
  person_id: string;
  how: 'directory' | 'proof' | 'email' | 'administrator';
}

export interface ApiKeyRecord {
  id: string;
  tenant: string;
  name: string;
  owner: string;
  /** SHA-256 of the whole key. */
  hash: Uint8Array;
  /** What may be shown of it. */
  prefix: string;
  rights: KeyRights;
  sealed_webhook_secret: Uint8Array;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export interface PersonalTokenRecord {
  id: string;
  tenant: string;
  person_id: string;
  hash: Uint8Array;
  name: string;
  scopes: ('read' | 'decide' | 'admin')[];
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export interface SessionRecord {
  /** SHA-256 of the cookie's value. */
  hash: Uint8Array;
  tenant: string;
  person_id: string;
  issuer: string;
  method: string;
  created_at: string;
  expires_at: string;
}

export interface CredentialStore {
  apiKeyByHash(hash: Uint8Array): Promise<ApiKeyRecord | null>;
  apiKey(tenant: string, id: string): Promise<ApiKeyRecord | null>;
  insertApiKey(key: ApiKeyRecord): Promise<void>;
  personalTokenByHash(hash: Uint8Array): Promise<PersonalTokenRecord | null>;
  /** The token with its person's row as it is now, in one look; the person is null where the directory has none. */
  personByTokenHash(hash: Uint8Array): Promise<{ token: PersonalTokenRecord; person: Person | null } | null>;
  insertPersonalToken(token: PersonalTokenRecord): Promise<void>;
  sessionByHash(hash: Uint8Array): Promise<SessionRecord | null>;
  /** As personByTokenHash. */
  personBySessionHash(hash: Uint8Array): Promise<{ session: SessionRecord; person: Person | null } | null>;
  insertSession(session: SessionRecord): Promise<void>;
  endSession(hash: Uint8Array): Promise<void>;
  /** One-time sign-in links; `spend` takes it in one atomic statement, null when spent, unknown or over. */
  insertSignInLink(link: { hash: Uint8Array; tenant: string; person_id: string; expires_at: string }): Promise<void>;
  spendSignInLink(hash: Uint8Array): Promise<{ tenant: string; person_id: string } | null>;
  /** Ends every unspent link; a start does so before it makes new ones. */
  voidSignInLinks(tenant: string): Promise<void>;
}

export interface PolicyStore {
  /** Stores the bundle's canonical text and puts it in force, with its leaf; no effect when it is in force already. */
  activate(policy: { tenant: string; digest: string; canonical: string; by: string; leaf: LeafRecord }): Promise<{ changed: boolean }>;
  canonical(tenant: string, digest: string): Promise<string | null>;
  active(tenant: string): Promise<{ digest: string; activated_at: string; by: string } | null>;
}

/** What a signing key is for: `outcome` signs grants and callbacks, `checkpoint` the ledger's checkpoints. */
export type SigningPurpose = 'outcome' | 'checkpoint';

export interface StoredSigningKey {
  /** RFC 7638 thumbprint of the public key. */
  kid: string;
  /** A SigningPurpose; a later version's purpose is not ours to judge. */
  purpose: string;
  algorithm: string;
  public_key: Uint8Array;
  /** The Ed25519 seed, sealed at { tenant: '*', table: 'signing_keys', row: '<purpose>/<kid>', column: 'sealed_private_key' }. */
  sealed_private_key: Uint8Array;
  created_at: string;
  /** From then on it signs nothing; its public key stays published. */
  retired_at: string | null;
}

/** Where signing keys are kept. Rows are never deleted: what a key signed must verify for ever. */
export interface SigningKeyStore {
  /** All keys, retired ones too. */
  list(): Promise<StoredSigningKey[]>;
  /**
   * Adds the key, unless its purpose has a key that is not retired: then nothing happens, and that is no error. One atomic statement
   * over a partial unique index, so that of processes that start at once one wins. No clock could decide that: the earlier stamp
   * may commit last, after the other process has looked.
   */
  insert(key: StoredSigningKey): Promise<void>;
  /**
   * Retires the key `retired` of its purpose and adds its successor, with the leaf that says so, all in one atomic statement. No effect
   * where that key does not exist or signs no more: of two rotations at once one happens.
   */
  rotate(rotation: { retired: string; successor: StoredSigningKey; tenant: string; leaf: LeafRecord }): Promise<{ changed: boolean }>;
}

// ---------------------------------------------------------------- cards

export type PlatformName = 'slack' | 'teams';

/** Where a card stands on a platform; `ref` is the platform's own reference to the message, as JSON. */
export interface PostedCard {
  id: string;
  tenant: string;
  platform: PlatformName;
  request_id: string;
  /** The platform's place: a channel id, a conversation id. */
  place: string;
  /** `posting`: the post may or may not have happened: look for it before posting again. */
  state: 'posting' | 'posted' | 'closed';
  ref: JsonObject | null;
  /** The request version that it shows. */
  shown_version: number;
}

/** One request whose cards on a platform may be out of date, leased to this worker. */
export interface CardTask {
  tenant: string;
  platform: PlatformName;
  request_id: string;
  /** Rises with each new reason to look; finishing names the one that was worked on. */
  revision: number;
  attempts: number;
}

export interface CardStore {
  /** From now on commits make tasks for the platform; open requests get one at once. */
  connect(tenant: string, platform: PlatformName): Promise<void>;
  claim(platform: PlatformName, limit: number, lease_seconds: number): Promise<CardTask[]>;
  /** Ends the task unless a newer revision came meanwhile, which becomes due at once. */
  finish(task: CardTask): Promise<void>;
  /** Gives the task back, due again after the delay. */
  retry(task: CardTask, delay_seconds: number): Promise<void>;
  posted(tenant: string, platform: PlatformName, request_id: string): Promise<PostedCard[]>;
  /** Before the post: remembers that it is about to happen. One row per request and place, whoever races. */
  posting(card: { tenant: string; platform: PlatformName; request_id: string; place: string }): Promise<PostedCard>;
  /** After the post or update, with the ledger's leaf of it where one is given. */
  shown(card: PostedCard, shown: { ref: JsonObject; version: number; closed: boolean }, leaf?: LeafRecord): Promise<void>;
  postedByRef(platform: PlatformName, ref: JsonObject): Promise<PostedCard | null>;
  /** Places that a platform learned by itself (a Teams conversation in which the bot was addressed). */
  rememberPlace(place: ChatPlace): Promise<void>;
  places(tenant: string, platform: PlatformName): Promise<ChatPlace[]>;
}

export interface ChatPlace {
  tenant: string;
  platform: PlatformName;
  place: string;
  kind: 'personal' | 'group' | 'channel';
  /** What the platform needs to post there, as JSON. */
  reference: JsonObject;
  /** The platform user of a personal chat. */
  user: string | null;
  allowed: boolean;
}

// ---------------------------------------------------------------- deliveries

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

// ---------------------------------------------------------------- endpoints

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

/** Endpoints; those that were deleted are not there for any of these. */
export interface EndpointStore {
  insert(endpoint: EndpointRecord, secret: EndpointSecretRecord): Promise<void>;
  get(tenant: string, id: string): Promise<EndpointRecord | null>;
  /** Newest first. */
  list(tenant: string, filter: EndpointFilter): Promise<EndpointRecord[]>;
  update(tenant: string, id: string, change: EndpointChange): Promise<EndpointRecord | null>;
  /** Its undelivered events become `aborted`. False where there is none. */
  remove(tenant: string, id: string): Promise<boolean>;
  /**
   * Disabling holds what waits; enabling forgets the failures and makes what is held due again, in order. `deliveries`: how many. Setting
   * what is set changes nothing.
   */
  setState(
    tenant: string,
    id: string,
    state: EndpointRecord['state'],
    reason: DisabledReason | null,
  ): Promise<{ endpoint: EndpointRecord; deliveries: number } | null>;
  /** A new newest secret; the ones before it sign until `overlap_seconds` from now at most, and at most `keep` of them. */
  addSecret(tenant: string, id: string, secret: EndpointSecretRecord, rule: { overlap_seconds: number; keep: number }): Promise<boolean>;
  /** Those in force by the database's clock, the newest first. */
  secrets(tenant: string, id: string): Promise<EndpointSecretRecord[]>;
}

// ---------------------------------------------------------------- ledger

export interface PlacedLeaf {
  leaf_id: string;
  position: number;
  hash: Uint8Array;
}

export interface LedgerStore {
  /**
   * Runs `integrate` under the tenant's advisory lock with the last checkpoint and the leaves that have no position yet
   * (oldest first), and stores what it returns in the same transaction: positions without gaps, tree nodes and the signed
   * checkpoint. Returns how many leaves were placed; 0 when there were none or another process holds the lock.
   */
  sequence(tenant: string, limit: number, integrate: (tail: LedgerTail) => Promise<LedgerStep>): Promise<number>;
  tenantsWithUnplacedLeaves(): Promise<string[]>;
  checkpoint(tenant: string): Promise<{ size: number; note: string } | null>;
  checkpoints(tenant: string): AsyncIterable<{ size: number; note: string }>;
  /** Leaf hashes [from, to), by position. */
  leafHashes(tenant: string, from: number, to: number): Promise<Uint8Array[]>;
  /** Node hashes of tile level ≥ 1, [from, to). */
  nodeHashes(tenant: string, level: number, from: number, to: number): Promise<Uint8Array[]>;
  entries(tenant: string, from: number, to: number): Promise<Uint8Array[]>;
}

export interface LedgerTail {
  size: number;
  /** The compact range, as core/ledger serialises it. */
  frontier: Uint8Array;
  leaves: { id: string; bytes: Uint8Array }[];
}

export interface LedgerStep {
  placed: PlacedLeaf[];
  nodes: { level: number; index: number; hash: Uint8Array }[];
  frontier: Uint8Array;
  size: number;
  root: Uint8Array;
  note: string;
}

/** How much is waiting; one statement, for the sweeper and the metrics. */
export interface Backlog {
  due_requests: number;
  due_deliveries: number;
  unplaced_leaves: number;
  due_cards: Record<string, number>;
  /** The next instant at which a pending request expires or a delivery is due; null when nothing waits. */
  next_due_at: string | null;
}

export interface SweepStore {
  backlog(): Promise<Backlog>;
  /** The database's clock. */
  now(): Promise<string>;
}
