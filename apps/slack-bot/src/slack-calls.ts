import type { Pace, PaceLimit, Urgency } from '@countersign/chat';
import bolt, { type webApi } from '@slack/bolt';
import type { SlackBotConfig } from './config.js';
import { platformError } from './faults.js';

export { slackError } from './faults.js';

/**
 * Slack's Web API: each call waits for its turn, is tried once, within ten seconds, and fails as a PlatformError. Trying again is the worker's
 * matter.
 */
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

/** Where a token's calls are counted: Slack counts by method, workspace and app, and there is one app. */
export interface PacedAs {
  pace: Pace;
  /** The workspace, or whatever stands for the token before it is known. */
  workspace: string;
  urgency: Urgency;
}

/** A client of one installation. The SDK would try again by itself for minutes, and post a message twice whose answer was lost. */
export function createWebClient(token: string, config: Pick<SlackBotConfig, 'apiUrl'>, logger: bolt.Logger, paced: PacedAs): webApi.WebClient {
  return new PacedClient(token, { slackApiUrl: config.apiUrl, timeout: 10_000, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true, logger }, paced);
}

/** Posting: one message a second in each channel, and some hundreds a minute in all (docs.slack.dev/apis/web-api/rate-limits). */
const POST_IN_CHANNEL: PaceLimit = { everyMs: 1_000, burst: 1 };
const POST: PaceLimit = { everyMs: 200, burst: 20 };
/** Tier 3: 50 a minute and more. */
const UPDATE: PaceLimit = { everyMs: 1_200, burst: 25 };
/** For methods that we call rarely: no spacing of ours, until Slack asks for silence. */
const FREE: PaceLimit = { everyMs: 50, burst: 50 };

const LIMITS: Readonly<Record<string, PaceLimit>> = { 'chat.postMessage': POST, 'chat.update': UPDATE };

/** Bound by the SDK to every method: `client.chat.postMessage(…)` calls `apiCall('chat.postMessage', …)`. */
class PacedClient extends bolt.webApi.WebClient {
  readonly #paced: PacedAs;

  constructor(token: string, options: webApi.WebClientOptions, paced: PacedAs) {
    super(token, options);
    this.#paced = paced;
  }

  override async apiCall(method: string, options: Record<string, unknown> = {}): Promise<webApi.WebAPICallResult> {
    const { pace, workspace, urgency } = this.#paced;
    const limit = LIMITS[method] ?? FREE;
    const lane = `${workspace}/${method}`;
    const channel = typeof options['channel'] === 'string' ? options['channel'] : undefined;
    if (method === 'chat.postMessage') await pace.turn(`${lane}/${channel ?? ''}`, POST_IN_CHANNEL, urgency);
    await pace.turn(lane, limit, urgency);
    try {
      return await super.apiCall(method, options);
    } catch (error) {
      const fault = platformError(error, { method, channel });
      // Whoever else calls this method in this workspace waits, too.
      if (fault.code === 'rate_limited') pace.pause(lane, limit, fault.retryAfterSeconds ?? 1);
      throw fault;
    }
  }
}
