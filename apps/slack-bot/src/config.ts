import type { LinkMode } from '@countersign/chat';

/** How the bot reaches one Slack workspace. */
export interface SlackBotConfig {
  /** SLACK_BOT_TOKEN, `xoxb-…`. */
  botToken: string;
  /** SLACK_SIGNING_SECRET; null in socket mode, where Slack sends nothing to us. */
  signingSecret: string | null;
  /** SLACK_APP_TOKEN, `xapp-…`: interactions come over a socket that we open. Null: over HTTP at /slack/events. */
  appToken: string | null;
  /** SLACK_API_URL, with a slash at its end. */
  apiUrl: string;
  /** SLACK_CHANNEL, a name or an id: where cards go. Null: nowhere, and the bot only answers presses. */
  channel: string | null;
  linkMode: LinkMode;
}

/**
 * The configuration that the environment gives: null where Slack is not connected (no bot token). Every problem is
 * named, none by its value.
 */
export function readSlackConfig(env: Readonly<Record<string, string | undefined>>): { config: SlackBotConfig | null; problems: string[] } {
  const value = (name: string): string | null => env[name]?.trim() || null;
  const problems: string[] = [];
  const botToken = value('SLACK_BOT_TOKEN');
  const signingSecret = value('SLACK_SIGNING_SECRET');
  const appToken = value('SLACK_APP_TOKEN');
  if (botToken === null) {
    if (signingSecret !== null || appToken !== null) problems.push('SLACK_BOT_TOKEN is missing, though other SLACK_ variables are set');
    return { config: null, problems };
  }
  if (!botToken.startsWith('xoxb-')) problems.push('SLACK_BOT_TOKEN must be a bot token (xoxb-…)');
  if (appToken !== null && !appToken.startsWith('xapp-')) problems.push('SLACK_APP_TOKEN must be an app-level token (xapp-…)');
  if (signingSecret === null && appToken === null) problems.push('SLACK_SIGNING_SECRET is missing (or SLACK_APP_TOKEN, for socket mode)');
  const apiUrl = value('SLACK_API_URL') ?? 'https://slack.com/api/';
  if (!URL.canParse(apiUrl) || !/^https?:$/.test(new URL(apiUrl).protocol)) problems.push('SLACK_API_URL must be an http or https URL');
  const linkMode = value('COUNTERSIGN_CHAT_LINK') ?? 'proof';
  if (linkMode !== 'proof' && linkMode !== 'email') {
    problems.push('COUNTERSIGN_CHAT_LINK must be proof or email');
    return { config: null, problems };
  }
  const config: SlackBotConfig = {
    botToken,
    signingSecret,
    appToken,
    apiUrl: apiUrl.endsWith('/') ? apiUrl : `${apiUrl}/`,
    channel: value('SLACK_CHANNEL'),
    linkMode,
  };
  return { config: problems.length === 0 ? config : null, problems };
}
