/** The commits of the flows, and the store that runs each as one transaction. */
import type { CallbackEvent, EndpointFormat, FreezeNotice, OutcomeStatus, Reversibility, Status } from '@countersign/contracts';
import type { ConfigChangeRecord, PatternRecord } from './control.js';
import type { DelegationRecord, NoticeRecord, OpeningRecord, ProposalRecord, QuestionRecord, ReviewRecord, TimerRecord } from './follow-ups.js';
import type { Agent, Person } from './people.js';
import type {
  ActionRequestRecord,
  DecisionRecord,
  DeliveryRecord,
  GrantRecord,
  IdempotencyRecord,
  LeafRecord,
  OutcomeRecord,
  ReportRecord,
} from './records.js';

/** What a commit adds besides its state. All of it is written with the state or not at all (I4). */
export interface CommitParts {
  tenant: string;
  /** This policy must still be in force when the commit happens. Absent: no matter. */
  active_policy?: string;
  decision?: DecisionRecord;
  outcome?: OutcomeRecord;
  grant?: GrantRecord;
  report?: ReportRecord;
  /** What happens by itself later, each once. */
  timers?: TimerRecord[];
  notices?: NoticeRecord[];
  /** The review of an approval by break-glass: opened with it, completed later. */
  review?: { kind: 'opened' | 'completed'; record: ReviewRecord };
  /** Asked, or with its answer. */
  question?: { kind: 'asked' | 'answered'; record: QuestionRecord };
  /** Made, or accepted by opening another request. */
  proposal?: { kind: 'made' | 'accepted'; record: ProposalRecord };
  /** By sequence. */
  deliveries?: DeliveryRecord[];
  /** Undelivered callbacks of this request with a smaller sequence become `superseded`. */
  supersede?: boolean;
  /** Every connected chat platform shall bring its cards of this request up to date. */
  cards: boolean;
  /** A change of the configuration that the request asks approval for, or that this commit begins to apply. */
  /** A pattern that this approval creates. */
  pattern?: PatternRecord;
  config_change?: { kind: 'propose'; record: ConfigChangeRecord } | { kind: 'apply'; id: string };
  leaves: LeafRecord[];
}

/** The commit that opens a request. */
export interface OpenCommit extends CommitParts {
  request: ActionRequestRecord;
  idempotency: IdempotencyRecord;
  /** What the policy counts of it: each must not be used up when the commit happens, and is counted with it. */
  limits?: { rule: string; key: string; count: number; per_seconds: number }[];
  /** The chain of actions of its caller that it belongs to. */
  chain_key?: string;
  /** The pattern by which it is approved: it must be live when the commit happens, and used so often; it is used once by it. */
  pattern_use?: { id: string; used: number };
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
  /** Nor before this instant, by the same clock: what counts because time has passed. */
  not_before?: string;
  /** The API key that acts: it must be live when the commit happens. Absent: no key acts. */
  acting_key?: string;
  set: { status?: OutcomeStatus; settled_at?: string; use_until?: string; redeemed_at?: string; redeemed_by?: string };
}

export type OpenResult =
  | { kind: 'committed' }
  | { kind: 'replay'; fingerprint: string; request_id: string; sealed_answer: Uint8Array }
  /** The same key is being used by a request that has not ended. */
  | { kind: 'in_progress' }
  | { kind: 'policy_changed' }
  /** The API key was revoked or does not exist any more. */
  | { kind: 'key_inactive' }
  /** The limits of these rules are used up: evaluate again. */
  | { kind: 'limits'; rules: string[] }
  /** The pattern was used, revoked, or is over: look again. */
  | { kind: 'pattern_over' }
  /** Nothing opens while a freeze holds it. */
  | { kind: 'frozen'; freeze: FreezeNotice };

export type ChangeResult =
  | { kind: 'committed' }
  /** Version or status differ: read again and plan again. */
  | { kind: 'conflict' }
  /** The time condition failed. */
  | { kind: 'time' }
  /** `not_before` has not come. */
  | { kind: 'early' }
  /** The key that acts is not live, or the requester's was revoked: what it asked for is void. */
  | { kind: 'key_inactive'; whose: 'actor' | 'requester' }
  | { kind: 'policy_changed' }
  /** Nothing is approved, granted or redeemed while a freeze holds it; all else is. */
  | { kind: 'frozen'; freeze: FreezeNotice };

/** What opening a request needs to know, read in one statement. */
export interface OpeningContext {
  active_policy: string;
  agent: Agent | null;
  /** The persons that `refs` (ids or e-mail addresses, compared without case; aliases too) name, and the agent's owner. */
  people: Person[];
  /** Ids of who is in the group that owns the agent. Absent: nobody. */
  owner_group?: string[];
  /** The highest class of the earlier actions of the chain that was named. Absent: there are none. */
  chain?: Reversibility;
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
  /** The freezes that hold it now, the oldest first; absent or empty: none. */
  freezes?: FreezeNotice[];
  /** In the order in which they were asked, made and opened. */
  questions: QuestionRecord[];
  proposals: ProposalRecord[];
  reviews: ReviewRecord[];
  /** When it was read, by the database's clock: what has escalated is told by it. */
  read_at: string;
}

/** What deciding needs to know, read in one statement from rows, never from a cache. */
export interface DecidingContext extends RequestState {
  active_policy: string;
  /** The presser, the earlier deciders and the persons of the chain, as the directory has them now. */
  people: Person[];
  /** In force now: those that name the presser, as absent or as stand-in. */
  delegations: DelegationRecord[];
  /** The views of the request that the presser has opened everything of, by digest. */
  opened: string[];
  /** Who answers for agent and API key now, when that may have changed since the request was opened. Absent: nobody else. */
  today?: { agent: Agent | null; key_owner: string | null };
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
  reader: { kind: 'caller'; key_id: string } | { kind: 'person'; person_id: string; groups: string[]; lent?: string[] } | { kind: 'all' };
}

/** The coarse port of the flows: one statement or transaction per call. Faults throw; nothing is half done. */
export interface RequestStore {
  openingContext(query: { tenant: string; agent_id: string; refs: string[]; chain_key?: string }): Promise<OpeningContext>;
  open(commit: OpenCommit): Promise<OpenResult>;
  decidingContext(query: { tenant: string; request_id: string; person_id: string | null; delegate_for?: string }): Promise<DecidingContext | null>;
  change(commit: ChangeCommit): Promise<ChangeResult>;
  /** The rules of these limits that are used up now, counting nothing: for who only asks what policy would say. */
  usedUp(tenant: string, limits: { rule: string; key: string; count: number; per_seconds: number }[]): Promise<string[]>;
  /** Leaves alone, for what changes no state (a refusal, a card shown). */
  record(tenant: string, leaves: LeafRecord[]): Promise<void>;
  /** That a person opened everything, with its leaf; false where it is known already. */
  opened(opening: OpeningRecord, leaf: LeafRecord): Promise<boolean>;
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
