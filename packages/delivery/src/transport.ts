/** The seam between the delivery engine and a way to bring a message to its receiver. A new way is one folder that implements Transport. */

/** One message of one attempt. `body` is the stored bytes: a transport sends them verbatim and parses nothing. */
export interface OutboundMessage {
  /** `msg_…`, the same for every attempt. */
  id: string;
  /** The event, `outcome.settled`. */
  type: string;
  body: Uint8Array;
  /** 1 for the first. */
  attempt: number;
  /** The time of this attempt in whole seconds since 1970: what is signed. */
  timestamp: number;
}

/** Where it goes and with which secrets. */
export interface Target {
  url: string;
  /** Secrets in force, the newest first; an old one stays while a rotation overlaps. */
  hmacSecrets: readonly string[];
  /** Headers that the endpoint wants besides; ours win. */
  headers?: Readonly<Record<string, string>>;
}

export interface Transport {
  readonly kind: 'webhook' | 'cloudevents';
  /**
   * Makes one attempt. What the network and the receiver do is a result, never a throw; a throw is a fault of ours.
   * When `signal` aborts, the attempt ends at once as `failed` with reason `cancelled`; its bytes may have left.
   */
  attempt(message: OutboundMessage, target: Target, signal: AbortSignal): Promise<AttemptResult>;
  /** Closes idle connections; running attempts end first. */
  close(): Promise<void>;
}

export type AttemptResult =
  /** The receiver took it. `disable`: and asked for no more events at this endpoint. */
  | { kind: 'delivered'; status: number; disable: boolean }
  /** Try again by the schedule. */
  | FailedAttempt
  /** The address is denied: terminal, nothing was sent. */
  | { kind: 'blocked'; detail: string }
  /** The receiver wants this message no more; with `disable` no other at this endpoint either. */
  | { kind: 'gone'; status: number; disable: boolean; answerPreview?: string };

export interface FailedAttempt {
  kind: 'failed';
  reason: FailureReason;
  /** Names what went wrong, without a payload or a secret. */
  detail: string;
  status?: number;
  /** How long the receiver asked to be left alone, at most MAX_RETRY_AFTER_SECONDS. */
  retryAfterSeconds?: number;
  /** The first bytes of the answer as text, at most MAX_PREVIEW_BYTES. It is the receiver's: mask it before it is kept. */
  answerPreview?: string;
}

export type FailureReason =
  /** A status that is neither 2xx, 3xx nor 410. */
  | 'http_error'
  /** A 3xx: it is never followed. */
  | 'redirect'
  /** No answer within the attempt's time, or no connection within the connect's. */
  | 'timeout'
  /** Nothing listens there. */
  | 'refused'
  | 'unreachable'
  | 'dns'
  | 'tls'
  | 'connection_lost'
  /** What came back is not the protocol, or its headers are too large. */
  | 'protocol'
  /** Ended by us. */
  | 'cancelled';

export const MAX_RETRY_AFTER_SECONDS = 3600;
export const MAX_PREVIEW_BYTES = 1024;
