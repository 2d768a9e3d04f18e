import { createHmac } from 'node:crypto';
import { parseJson } from '../wire/json.js';

/**
 * Sends a body to the bot as Slack does, signed with `v0=HMAC-SHA256(secret, "v0:" + seconds + ":" + body)`
 * (docs.slack.dev/authentication/verifying-requests-from-slack), or in one of the ways in which a stranger would.
 */
export async function deliver(to: DeliveryTarget, contentType: string, body: string, how: SigningOptions = {}): Promise<Delivery> {
  const seconds = String(Math.floor((how.at ?? to.now()) / 1_000));
  const signature = how.signature ?? 'valid';
  const secret = signature === 'foreign_secret' ? `${to.signingSecret}x` : to.signingSecret;
  const mac = createHmac('sha256', secret).update(`v0:${seconds}:${body}`).digest('hex');
  const headers: Record<string, string> = {
    'content-type': contentType,
    'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
    'x-slack-request-timestamp': seconds,
  };
  if (signature === 'malformed') headers['x-slack-signature'] = 'v0=xyz';
  else if (signature === 'other_version') headers['x-slack-signature'] = `v1=${mac}`;
  else if (signature !== 'missing') headers['x-slack-signature'] = `v0=${mac}`;
  // A body changed on the way: the signature is Slack's, the bytes are not.
  return send({ url: to.url, headers, body: signature === 'tampered_body' ? `${body}&x=1` : body }, to.patienceMs);
}

/** Sends exactly these bytes; a second time it is a replay. */
export async function send(request: SentRequest, patienceMs: number): Promise<Delivery> {
  try {
    const response = await fetch(request.url, {
      method: 'POST',
      headers: request.headers,
      body: request.body,
      redirect: 'manual',
      signal: AbortSignal.timeout(patienceMs),
    });
    const body = await response.text();
    return { request, status: response.status, body, json: parseJson(body) };
  } catch (cause) {
    return { request, status: null, body: '', json: undefined, cause };
  }
}

export interface DeliveryTarget {
  readonly url: string;
  readonly signingSecret: string;
  readonly now: () => number;
  /** How long Slack waits for an answer, in milliseconds. */
  readonly patienceMs: number;
}

export interface SigningOptions {
  /** The time that the time stamp says, in milliseconds since 1970; now unless told: older than 5 minutes is stale, later than now is a forgery. */
  readonly at?: number;
  readonly signature?: 'valid' | 'foreign_secret' | 'tampered_body' | 'malformed' | 'other_version' | 'missing';
}

export interface SentRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the bot answered. `status` is null where no answer came in time or the connection failed; then `cause` says why. */
export interface Delivery {
  readonly request: SentRequest;
  readonly status: number | null;
  readonly body: string;
  readonly json: unknown;
  readonly cause?: unknown;
}
