import type { JsonObject } from '@countersign/contracts';
import type { CardAction } from './actions.js';

/**
 * A message of ours that is no card: a reminder in a thread, words to one person, a digest. Plain text in every member, already masked and made
 * visible; a platform renders it where nothing of it is read as markup.
 */
export interface ChatMessage {
  /** One line, which notifications show. */
  title: string;
  /** Paragraphs under it; may be empty. A line break stays one. */
  lines: readonly string[];
  /** Addresses of ours alone, as buttons. */
  links: readonly { label: string; url: string }[];
  /** What can be done at once, each about one request; only a message that is a posted card's own reply or names its request carries them. */
  actions: readonly MessageAction[];
}

/** A button about a request in a message. */
export interface MessageAction {
  label: string;
  action: CardAction;
  request_id: string;
  request_digest: string;
  /** What the action is about besides the request: a question, a review. */
  subject?: string;
}

/** An account of a platform, by the platform's own names. */
export interface Addressee {
  workspace: string;
  user: string;
}

/**
 * What a platform can send besides cards. Each method throws PlatformError and nothing else. `key` is unique for the message and travels with it
 * where the platform can, so that a message whose answer was lost is not sent twice.
 */
export interface Messenger {
  /** The place that a policy's words for a channel mean, resolved: a channel's name or id, a conversation's id. `gone` where there is none. */
  channel(name: string): Promise<string>;
  /** Where an account alone reads; null where the platform has no way to it. */
  direct(account: Addressee): Promise<string | null>;
  /** A message of its own in a place; answers its reference. */
  say(place: string, message: ChatMessage, key: string): Promise<JsonObject>;
  /** Into the thread of a posted card; a platform without threads sends it to the card's place, naming the request. */
  reply(ref: JsonObject, message: ChatMessage, key: string): Promise<JsonObject>;
  /**
   * Looks in a place, or in a posted card's thread, for a message of that key whose answer was lost; null when it is not there. Absent where
   * the platform lets nobody read what was said: such a message is said again.
   */
  find?(where: { place: string } | { ref: JsonObject }, key: string): Promise<JsonObject | null>;
}
