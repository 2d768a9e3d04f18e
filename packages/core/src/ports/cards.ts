/** Posted cards and where they may stand. */
import type { JsonObject } from '@countersign/contracts';
import type { LeafRecord } from './records.js';

/** Where people are told and asked besides the web inbox. */
export type PlatformName = 'slack' | 'teams' | 'email';

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
  /** The platform is being worked on: while nobody says so for a quarter of an hour, nothing is routed to it. */
  attended(tenant: string, platform: PlatformName): Promise<void>;
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
  /** Places that a platform learned by itself (a Teams conversation in which the bot was addressed). What an administrator said of one stays. */
  rememberPlace(place: HeardPlace): Promise<void>;
  places(tenant: string, platform: PlatformName): Promise<ChatPlace[]>;
}

/** A conversation of a platform. */
export interface ChatPlace {
  /** Ours, `pl_…`. */
  id: string;
  tenant: string;
  platform: PlatformName;
  /** The platform's own id. */
  place: string;
  kind: 'personal' | 'group' | 'channel';
  /** What the platform needs to post there, as JSON. `removed`: the bot was removed from it. */
  reference: JsonObject;
  /** The platform user of a personal chat. */
  user: string | null;
  /** What people call it; null where the platform did not say. */
  name: string | null;
  /** Whether a person spoke to the bot there, and did not only add it. */
  addressed: boolean;
  /** Whether an administrator allowed cards there. */
  allowed: boolean;
}

/** What is heard of a place: once addressed it stays so, and a name that is not told stays. */
export type HeardPlace = Omit<ChatPlace, 'allowed'>;

/** A place with what was said of it, and when it was heard of. */
export interface KnownPlace extends ChatPlace {
  /** Who allowed it last, or took that back; null: nobody has spoken. */
  decided_by: { id: string; email: string; name: string } | null;
  decided_at: string | null;
  first_heard_at: string;
  last_heard_at: string;
}

/** Where cards may be posted: what administrators see and say. */
export interface ChatPlaceStore {
  /** Groups and channels first, then by when they were last heard of, the latest first. */
  list(tenant: string, filter: { kind?: ChatPlace['kind']; limit: number }): Promise<KnownPlace[]>;
  get(tenant: string, id: string): Promise<KnownPlace | null>;
  /**
   * Allows or disallows a place that is no personal chat, with its leaf; false where it already is so, or there is none. A place that is
   * allowed makes every open request due for its platform's cards.
   */
  decide(
    tenant: string,
    id: string,
    decided: { allowed: boolean; by: { id: string; email: string; name: string }; at: string },
    leaf: LeafRecord,
  ): Promise<boolean>;
}
