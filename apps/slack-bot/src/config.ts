import type { LinkMode } from '@countersign/chat';

/** How the bot reaches one Slack workspace; the service reads it from the environment. */
export interface SlackBotConfig {
  /** SLACK_BOT_TOKEN, `xoxb-…`. */
  botToken: string;
  /** SLACK_SIGNING_SECRET; null in socket mode, where Slack sends nothing to us. */
  signingSecret: string | null;
  /** SLACK_APP_TOKEN, `xapp-…`: interactions come over a socket that we open. Null: over HTTP at /slack/events. */
  appToken: string | null;
  /** SLACK_API_URL; Slack's own is https://slack.com/api/. */
  apiUrl: string;
  /** SLACK_CHANNEL, a name or an id: where cards go. Null: nowhere, and the bot only answers presses. */
  channel: string | null;
  linkMode: LinkMode;
}
