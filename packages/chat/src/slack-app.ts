/**
 * What Countersign is as an app of Slack: the one list of what it may do, hears and shows. The bot checks its token against it, `countersign
 * slack manifest` writes it down, and `countersign doctor slack` compares.
 */

/** A scope of the bot's token, and what it is needed for. */
export interface SlackScope {
  name: string;
  /** Ends the sentence "needed to …". */
  why: string;
}

/** Exactly what the bot's calls and events ask for; one more would be a right that nobody uses. */
export const SLACK_SCOPES: readonly SlackScope[] = [
  { name: 'chat:write', why: 'post cards and bring them up to date, remind in their threads, answer one person in private' },
  { name: 'files:write', why: 'put a very large request into the thread of its card as a file, where somebody asks for it' },
  { name: 'commands', why: 'take /countersign and the shortcuts' },
  { name: 'im:write', why: 'write to a person directly' },
  { name: 'im:history', why: 'find a direct message again whose answer was lost, so that it is not sent twice' },
  { name: 'users:read', why: 'see whether the account that pressed is active, a guest, a bot or an outsider' },
  { name: 'users:read.email', why: 'compare the confirmed address, where COUNTERSIGN_CHAT_LINK=email' },
  { name: 'channels:read', why: 'find a public channel by its name, and refuse one that another organisation shares' },
  { name: 'groups:read', why: 'the same for private channels that the app was invited to' },
  { name: 'channels:history', why: 'find a card again whose answer was lost, so that it is not posted twice' },
  { name: 'groups:history', why: 'the same in private channels' },
];

/** The bot events that the app hears, each covered by a scope above. */
export const SLACK_EVENTS: readonly { name: string; why: string }[] = [
  { name: 'app_home_opened', why: 'show what waits for the person' },
  { name: 'app_uninstalled', why: 'forget the workspace’s token' },
  { name: 'tokens_revoked', why: 'forget the workspace’s token' },
  { name: 'user_change', why: 'ask again about an account that was deactivated or made a guest' },
  { name: 'channel_archive', why: 'notice that cards cannot go there any more' },
  { name: 'channel_deleted', why: 'the same' },
  { name: 'channel_left', why: 'the same: the app was removed' },
  { name: 'channel_rename', why: 'find the channel by its new name' },
  { name: 'channel_shared', why: 'stop posting where another organisation reads along' },
  { name: 'channel_unarchive', why: 'notice that cards may go there again' },
  { name: 'group_archive', why: 'as for public channels' },
  { name: 'group_deleted', why: 'as for public channels' },
  { name: 'group_left', why: 'as for public channels' },
  { name: 'group_rename', why: 'as for public channels' },
  { name: 'group_unarchive', why: 'as for public channels' },
];

export const SLACK_COMMAND = '/countersign';

/** What a person finds under the lightning bolt, or under a message's dots. The bot answers each by its callback_id. */
export const SLACK_SHORTCUTS = [
  { name: 'What waits for me', type: 'global', callback_id: 'countersign_waiting', description: 'Requests that you may decide, each with all there is to see' },
  { name: 'Show the whole request', type: 'message', callback_id: 'countersign_whole', description: 'All of the request that this message is about' },
] as const satisfies readonly SlackShortcut[];

export interface SlackShortcut {
  /** At most 24 characters. */
  name: string;
  type: 'global' | 'message';
  callback_id: string;
  /** At most 150 characters. */
  description: string;
}

/** Where Slack reaches the bot, under PUBLIC_URL. */
export const SLACK_PATHS = {
  events: '/slack/events',
  install: '/slack/install',
  redirect: '/slack/oauth_redirect',
  signIn: '/v1/sign-in/callback/slack',
} as const;

/** The scopes that a token lacks. */
export function missingScopes(granted: readonly string[]): string[] {
  return SLACK_SCOPES.map(({ name }) => name).filter((name) => !granted.includes(name));
}

/**
 * The app's manifest (docs.slack.dev/reference/app-manifest), which makes or mends the app in one step.
 *
 * @param reach the service's PUBLIC_URL, or `socket` where Slack cannot reach it and the bot opens the connection.
 */
export function slackManifest(reach: { url: string } | 'socket') {
  const at = (path: string) => (reach === 'socket' ? {} : { request_url: `${reach.url}${path}` });
  return {
    _metadata: { major_version: 1, minor_version: 1 },
    display_information: {
      name: 'Countersign',
      description: 'Asks a person before software does something privileged',
      long_description:
        'Countersign posts a card when a pipeline or an AI agent wants to do something that policy does not let it do alone. The people whom policy names approve or deny ' +
        'it on the card; the software gets a signed answer, and a tamper-evident ledger keeps who decided what and why.',
      background_color: '#2B4C7E',
    },
    features: {
      app_home: { home_tab_enabled: true, messages_tab_enabled: true, messages_tab_read_only_enabled: false },
      bot_user: { display_name: 'Countersign', always_online: true },
      shortcuts: [...SLACK_SHORTCUTS],
      slash_commands: [
        {
          command: SLACK_COMMAND,
          ...(reach === 'socket' ? {} : { url: `${reach.url}${SLACK_PATHS.events}` }),
          description: 'What waits for you, absence and stand-ins, freezes; “help” lists all of it',
          usage_hint: 'help',
          // So that a mention names its account; the bot undoes what Slack makes of addresses.
          should_escape: true,
        },
      ],
    },
    oauth_config: {
      // Slack takes no other address than these; one that the service does not serve is harmless.
      ...(reach === 'socket' ? {} : { redirect_urls: [`${reach.url}${SLACK_PATHS.redirect}`, `${reach.url}${SLACK_PATHS.signIn}`] }),
      scopes: { bot: SLACK_SCOPES.map(({ name }) => name) },
    },
    settings: {
      event_subscriptions: { ...at(SLACK_PATHS.events), bot_events: SLACK_EVENTS.map(({ name }) => name) },
      interactivity: { is_enabled: true, ...at(SLACK_PATHS.events) },
      org_deploy_enabled: true,
      socket_mode_enabled: reach === 'socket',
      // A rotated token would have to be renewed every 12 hours; what we keep is sealed, and ends by uninstalling.
      token_rotation_enabled: false,
    },
  };
}
