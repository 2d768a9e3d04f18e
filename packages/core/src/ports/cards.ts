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
