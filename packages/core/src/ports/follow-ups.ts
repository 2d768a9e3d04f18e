/** What stands beside a request: questions, counter-proposals, reviews, stand-ins, timers, and what people are told. Plain data. */
import type { Finding, JsonObject, NoticeKind, PersonView } from '@countersign/contracts';
import type { PlatformName } from './cards.js';
import type { LeafRecord } from './records.js';

/** That `delegate_id` stands in for `person_id`. */
export interface DelegationRecord {
  tenant: string;
  id: string;
  person_id: string;
  delegate_id: string;
  from: string;
  until: string;
  reason: string | null;
  created_at: string;
  /** When it was taken back. */
  ended_at: string | null;
}

/** One with who is meant, and how it stands by the database's clock. */
export interface DelegationView extends DelegationRecord {
  person: PersonView;
  delegate: PersonView;
  state: 'to_come' | 'in_force' | 'over' | 'taken_back';
}

export interface DelegationStore {
  /** Where the person is absent or stands in, newest first; null: everybody's. */
  list(tenant: string, person_id: string | null): Promise<DelegationView[]>;
  /** Those in force by the database's clock of these people, as absent; by directory ids. */
  inForce(tenant: string, person_ids: readonly string[]): Promise<DelegationView[]>;
  get(tenant: string, id: string): Promise<DelegationView | null>;
  /**
   * Refused where the times overlap with another absence of the same person, where the stand-in is away in that time, and where the
   * absent person stands in for the stand-in: one after the other, whoever races.
   */
  create(delegation: DelegationRecord, leaf: LeafRecord, notices: NoticeRecord[]): Promise<'created' | 'overlaps' | 'delegate_away' | 'not_active'>;
  /** False where it was over or taken back already. */
  end(tenant: string, id: string, at: string, leaf: LeafRecord, notices: NoticeRecord[]): Promise<boolean>;
}

/** The review of an approval by break-glass. */
export interface ReviewRecord {
  id: string;
  request_id: string;
  groups: string[];
  opened_at: string;
  due_at: string;
  finding: Finding | null;
  note: string | null;
  reviewed_by: PersonView | null;
  reviewed_at: string | null;
}

export interface QuestionRecord {
  id: string;
  request_id: string;
  person: PersonView;
  /** Masked, as the answer is. */
  text: string;
  asked_at: string;
  answer: { text: string; by: string; answered_at: string } | null;
}

/** A counter-proposal. */
export interface ProposalRecord {
  id: string;
  request_id: string;
  person: PersonView;
  /** By path; masked. */
  parameters: JsonObject;
  reason: string | null;
  proposed_at: string;
  /** The same parameters as they were proposed, sealed at { table: 'proposals', row: id, column: 'sealed_parameters' }. */
  sealed_parameters: Uint8Array;
  accepted_as: string | null;
  accepted_at: string | null;
}

/** Something that happens once at an instant, by the database's clock. `number` tells those of a kind and request apart. */
export interface TimerRecord {
  request_id: string;
  kind: TimerKind;
  number: number;
  due_at: string;
  detail: JsonObject;
}
export type TimerKind = 'reminder' | 'escalation' | 'deadline' | 'review_overdue' | 'snooze';

/** Something that people are told of. Who: members of the groups, and the persons. */
export interface NoticeRecord {
  id: string;
  kind: NoticeKind;
  request_id: string | null;
  groups: string[];
  people: string[];
  /** Places that policy names for it besides. */
  channels: JsonObject[];
  /** A sentence, masked. */
  text: string;
  at: string;
}

export interface TimerStore {
  /** What is due by the database's clock and has not happened, oldest first. */
  due(limit: number): Promise<(TimerRecord & { tenant: string })[]>;
  /**
   * Fires once, whatever races: only while it has not, is due, and its request is `while`. With it go the notice, the leaves and a
   * look at the request's cards. False where somebody else was first or the condition does not hold.
   */
  fire(timer: TimerRecord & { tenant: string }, firing: { while: 'pending' | 'unreviewed'; notice: NoticeRecord; leaves: LeafRecord[] }): Promise<boolean>;
  /** Ends one that has nothing to tell any more. */
  drop(timer: TimerRecord & { tenant: string }): Promise<void>;
}

/** A notice to be told on a platform, leased to this worker. */
export interface NoticeTask {
  tenant: string;
  platform: PlatformName;
  notice: NoticeRecord;
  attempts: number;
  /** When it was claimed, by the database's clock. */
  claimed_at: string;
  /** A newer notice of its kind about its request exists. */
  superseded: boolean;
}

/** That a notice is told, or about to be, in one place of a platform. */
export interface ToldNotice {
  tenant: string;
  platform: PlatformName;
  notice_id: string;
  place: string;
  /** What the message carries, so that it is found again. */
  key: string;
  /** `telling`: it may or may not have been said. */
  state: 'telling' | 'told';
  /** How often it was begun; 1 in the very run that made the row. */
  tries: number;
}

export interface NoticeStore {
  /** Takes what is to be told on a platform: each notice once, unless the lease runs out or it is given back. */
  claim(platform: PlatformName, limit: number, lease_seconds: number): Promise<NoticeTask[]>;
  /** Keeps a task for so long from now; false where another worker took it over. */
  renew(task: NoticeTask, lease_seconds: number): Promise<boolean>;
  finish(task: NoticeTask): Promise<void>;
  retry(task: NoticeTask, delay_seconds: number): Promise<void>;
  /** Before it is said: remembers that it is about to be. One row per notice and place, whoever races; `key` counts for a new row alone. */
  telling(task: NoticeTask, place: string, key: string): Promise<ToldNotice>;
  /** After it was said; a notice that concerns nobody there any more is told as well, with no reference. */
  told(row: ToldNotice, ref: JsonObject | null): Promise<void>;
  /** It was surely not said: nothing has to be looked for. */
  untold(row: ToldNotice): Promise<void>;
  /** The notice that a message tells, by the platform's reference to it; null where it tells none of ours. */
  toldByRef(platform: PlatformName, ref: JsonObject): Promise<{ tenant: string; request_id: string | null } | null>;
  /** What a person was told in the last so many seconds, oldest first; at most 100, the newest. */
  since(query: { tenant: string; person_id: string; groups: string[]; seconds: number }): Promise<NoticeRecord[]>;
}

/** That a person wants no messages about a request. It decides nothing. */
export interface SnoozeRecord {
  tenant: string;
  request_id: string;
  person_id: string;
  /** Null: none at all ("not me"). */
  until: string | null;
}

export interface SnoozeStore {
  /**
   * From now on the person is told nothing about the request, and at `until` that it still waits, once: in place of what the person said
   * before. In the same statement what else it comes with. False where the request is not pending (any more).
   */
  set(snooze: SnoozeRecord, also?: { leaves?: LeafRecord[]; notices?: NoticeRecord[] }): Promise<boolean>;
  /** In force by the database's clock; null where there is none. */
  of(tenant: string, request_id: string, person_id: string): Promise<SnoozeRecord | null>;
  /** Everybody's of a request that are in force. */
  list(tenant: string, request_id: string): Promise<SnoozeRecord[]>;
}

/** One recipient's digest of a day and time. */
export interface DigestRecord {
  tenant: string;
  /** By the clock on the recipients' wall, with its zone, such as `2026-11-21T09:00 Europe/Berlin`. */
  slot: string;
  /** A person's id, or a channel as JSON. */
  recipient: string;
  notice: NoticeRecord;
}

export interface DigestStore {
  /** Those of the slots that are made already, as `slot recipient`. */
  made(tenant: string, slots: string[]): Promise<Set<string>>;
  /** Makes it with its notice, once in all processes; false where it is made. */
  make(digest: DigestRecord): Promise<boolean>;
  /** The pending requests whose cards stand in a place of a platform, the nearest end first; at most 1,000. */
  waitingAt(tenant: string, platform: PlatformName, place: string): Promise<string[]>;
  /** Marks a slot for a recipient as made without telling anything. */
  skip(digest: Omit<DigestRecord, 'notice'>): Promise<void>;
}

export interface ReviewStore {
  /** Newest first; `groups` null: all. */
  list(tenant: string, filter: { open: boolean; groups: string[] | null; limit: number }): Promise<ReviewRecord[]>;
  get(tenant: string, id: string): Promise<ReviewRecord | null>;
}

/** That a person opened everything of a request; once per view. */
export interface OpeningRecord {
  tenant: string;
  request_id: string;
  person_id: string;
  view_digest: string;
  opened_at: string;
}
