import type { Card, JsonObject } from '@countersign/contracts';
import type { ActionRequestRecord, PlatformName } from '@countersign/core/ports';
import type { ChatMessage } from './message.js';

/**
 * What a chat platform must do. A new platform implements this, checks its presser's account into AccountFacts, hands
 * presses to `handlePress`, and passes the suite in conformance.ts. Each method throws PlatformError and nothing else.
 */
export interface ChatPlatform {
  readonly name: PlatformName;
  /** The places where cards go that policy sends nowhere, or nowhere where they can be shown; in the platform's own names, resolved. Empty: nowhere. */
  standing(request: ActionRequestRecord): Promise<string[]>;
  /** Posts the card. `key` is unique for this card and travels with the message where the platform can, so that `find` finds it. */
  post(place: string, card: Card, key: string): Promise<JsonObject>;
  /** Looks for a post whose answer was lost; null when it is not there. */
  find(place: string, key: string): Promise<JsonObject | null>;
  /** Makes the posted message show the card as it is now. */
  update(ref: JsonObject, card: Card, key: string): Promise<void>;
  /** Messages that list many requests, found by `find` as cards are. Absent: the platform has none, and each request has its own card. */
  readonly batch?: {
    post(place: string, message: ChatMessage, key: string): Promise<JsonObject>;
    update(ref: JsonObject, message: ChatMessage, key: string): Promise<void>;
  };
}

/** What the platform says of the account that pressed, read at the press (at most 60 s old). */
export interface AccountFacts {
  workspace: string;
  user: string;
  /** Deactivated, removed, or not confirmed. */
  active: boolean;
  /** A bot, a workflow or an app. */
  bot: boolean;
  /** A guest of the workspace. */
  guest: boolean;
  /** An account of another organisation. */
  external: boolean;
  /** The address that the platform has verified; null when there is none or it is not confirmed. */
  email: string | null;
  /** The person's time zone, an IANA name, where the platform says it. */
  timezone?: string | null;
  /** What people call the account, for a page to show; who it is is said by `user`. */
  label?: string | null;
}
