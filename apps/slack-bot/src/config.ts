import type { LinkMode } from '@countersign/chat';

/** How the bot reaches Slack; the service reads it from the environment. */
export interface SlackBotConfig {
  /** SLACK_BOT_TOKEN, `xoxb-…`: the one workspace that the operator connects. Null: those alone that administrators install. */
  botToken: string | null;
  /** SLACK_CLIENT_ID and SLACK_CLIENT_SECRET: administrators may install the app in further workspaces. Null: they may not. */
  oauth: { clientId: string; clientSecret: string } | null;
  /** SLACK_SIGNING_SECRET; null in socket mode, where Slack sends nothing to us. */
  signingSecret: string | null;
  /** SLACK_APP_TOKEN, `xapp-…`: interactions come over a socket that we open. Null: over HTTP at /slack/events. */
  appToken: string | null;
  /** SLACK_API_URL; Slack's own is https://slack.com/api/. */
  apiUrl: string;
  /** SLACK_CHANNEL, a name or an id, with its workspace before it where there are several (`T123/approvals`): where cards go. Null: nowhere. */
  channel: string | null;
  linkMode: LinkMode;
  /** COUNTERSIGN_READ_ABSENCE: people's statuses are read, as a hint to others. Absent: they are not. */
  readAbsence?: boolean;
}
