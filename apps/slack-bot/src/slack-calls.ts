import { PlatformError } from '@countersign/chat';
import bolt, { type webApi } from '@slack/bolt';
import type { SlackBotConfig } from './config.js';

/** Slack's Web API: each call is tried once, within ten seconds, and fails as a PlatformError. Trying again is the worker's matter. */
export type SlackCalls = <T>(call: (client: webApi.WebClient) => Promise<T>) => Promise<T>;

export function createSlackCalls(client: webApi.WebClient): SlackCalls {
  return async (call) => {
    try {
      return await call(client);
    } catch (error) {
      throw platformError(error);
    }
  };
}

/** The one client of the bot. The SDK would try again by itself for minutes, and post a message twice whose answer was lost. */
export function createWebClient(config: Pick<SlackBotConfig, 'botToken' | 'apiUrl'>, logger: bolt.Logger): webApi.WebClient {
  return new bolt.webApi.WebClient(config.botToken, {
    slackApiUrl: config.apiUrl,
    timeout: 10_000,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logger,
  });
}

/** Slack's word for a refusal, such as `channel_not_found`; null where Slack said nothing. */
export function slackError(error: unknown): string | null {
  const cause = error instanceof PlatformError ? error.cause : error;
  return cause instanceof bolt.webApi.WebAPIPlatformError && typeof cause.data.error === 'string' ? cause.data.error : null;
}

/** Errors after which the place or the message is no more. */
const GONE = new Set([
  'message_not_found',
  'channel_not_found',
  'is_archived',
  'is_inactive',
  'not_in_channel',
  'cant_update_message',
  'thread_not_found',
  'edit_window_closed',
]);
/** Slack's own trouble: whether it was done is unknown. */
const TROUBLE = new Set([
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'team_added_to_org',
  'update_failed',
  'external_channel_migrating',
]);

function platformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  if (error instanceof bolt.webApi.WebAPIRateLimitedError) {
    return new PlatformError('rate_limited', `Slack asks to wait ${String(error.retryAfter)} s`, { cause: error, retryAfterSeconds: error.retryAfter });
  }
  const word = slackError(error);
  if (word === null) return new PlatformError('unreachable', 'Slack gave no answer', { cause: error });
  if (word === 'ratelimited') return new PlatformError('rate_limited', 'Slack asks to wait', { cause: error, retryAfterSeconds: 30 });
  if (GONE.has(word)) return new PlatformError('gone', `Slack answers ${word}`, { cause: error });
  return new PlatformError(TROUBLE.has(word) ? 'unreachable' : 'refused', `Slack answers ${word}`, { cause: error });
}
