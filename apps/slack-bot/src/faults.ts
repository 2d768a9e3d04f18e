import { PlatformError, type PlatformErrorCode } from '@countersign/chat';
import bolt from '@slack/bolt';

/** Slack's word for a refusal, such as `channel_not_found`; null where Slack said nothing. */
export function slackError(error: unknown): string | null {
  const cause = error instanceof PlatformError ? error.cause : error;
  return cause instanceof bolt.webApi.WebAPIPlatformError && typeof cause.data.error === 'string' ? cause.data.error : null;
}

/** What an operator reads about one of Slack's words, and what becomes of the work. */
interface Fault {
  code: PlatformErrorCode;
  /** What is wrong, and what to do. */
  says: string;
}

const INVITE = 'invite it there: /invite @Countersign';
const CREDENTIALS = 'install it there again (docs/slack.md); countersign doctor slack tries the token';
const OURS = 'that is a fault of Countersign’s: please report it with this line';

/** The words of errors.reference that operators meet, by what they can do about each. */
const FAULTS: Readonly<Record<string, Fault>> = {
  not_in_channel: { code: 'gone', says: `the app is no member of the channel; ${INVITE}` },
  channel_not_found: { code: 'gone', says: `there is no such channel, or it is private and the app is not in it; check its name or id, or ${INVITE}` },
  is_archived: { code: 'gone', says: 'the channel is archived; unarchive it, or name another (SLACK_CHANNEL, or the policy’s channels)' },
  restricted_action: {
    code: 'gone',
    says: 'the workspace’s settings forbid the app to post there (a channel for announcements?); let it, or name another channel',
  },
  user_not_found: { code: 'gone', says: 'there is no such account; the directory or the account’s link names one that was removed' },
  user_disabled: { code: 'gone', says: 'the account is deactivated, so nobody reads what is sent to it' },
  cannot_dm_bot: { code: 'gone', says: 'the account is a bot, and cannot be written to' },
  message_not_found: { code: 'gone', says: 'the message is not there any more; somebody deleted it' },
  cant_update_message: { code: 'gone', says: 'the message is not the app’s own' },
  thread_not_found: { code: 'gone', says: 'the thread is not there any more' },
  edit_window_closed: { code: 'gone', says: 'the workspace’s settings forbid to change messages that old; the card stays as it is' },
  is_inactive: { code: 'gone', says: 'the channel is frozen or removed' },
  account_inactive: { code: 'refused', says: `the app was uninstalled or switched off in the workspace; ${CREDENTIALS}` },
  token_revoked: { code: 'refused', says: `the app’s token was revoked; ${CREDENTIALS}` },
  token_expired: { code: 'refused', says: `the app’s token is over; turn token rotation off, and ${CREDENTIALS}` },
  invalid_auth: { code: 'refused', says: `the token is none of Slack’s, or Slack does not take it from this address; ${CREDENTIALS}` },
  not_authed: { code: 'refused', says: `no token was sent; set SLACK_BOT_TOKEN, or ${CREDENTIALS}` },
  org_login_required: { code: 'refused', says: 'the workspace is being moved to Enterprise Grid; try again when it is done' },
  ekm_access_denied: { code: 'refused', says: 'the workspace’s administrators have suspended access by Enterprise Key Management; ask them' },
  msg_too_long: { code: 'refused', says: `the message is longer than Slack takes; ${OURS}` },
  msg_blocks_too_long: { code: 'refused', says: `the message’s blocks are longer than Slack takes; ${OURS}` },
  invalid_blocks: { code: 'refused', says: `Slack does not take the message’s blocks; ${OURS}` },
  invalid_blocks_format: { code: 'refused', says: `Slack does not take the message’s blocks; ${OURS}` },
  no_text: { code: 'refused', says: `the message is empty; ${OURS}` },
};

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

/** What an error of the SDK means, in words for whoever runs the service. `at` is what was called, and where. */
export function platformError(error: unknown, at: { method: string; channel?: string | undefined } | null = null): PlatformError {
  if (error instanceof PlatformError) return error;
  const where = at === null ? '' : ` to ${at.method}${at.channel === undefined ? '' : ` (${at.channel})`}`;
  if (error instanceof bolt.webApi.WebAPIRateLimitedError) {
    return new PlatformError('rate_limited', `Slack asks to wait ${String(error.retryAfter)} s${where}`, { cause: error, retryAfterSeconds: error.retryAfter });
  }
  const word = slackError(error);
  if (word === null) return new PlatformError('unreachable', `Slack gave no answer${where}`, { cause: error });
  if (word === 'ratelimited') return new PlatformError('rate_limited', `Slack asks to wait${where}`, { cause: error, retryAfterSeconds: 30 });
  const said = `Slack answers ${word}${where}`;
  if (word === 'missing_scope') return new PlatformError('refused', `${said}: ${missingScope(error)}`, { cause: error });
  const known = FAULTS[word];
  if (known === undefined) return new PlatformError(TROUBLE.has(word) ? 'unreachable' : 'refused', said, { cause: error });
  // A place where nothing new may be posted is none; a card that stands there may be brought up to date once the setting is mended.
  const code = word === 'restricted_action' && at?.method === 'chat.update' ? 'refused' : known.code;
  return new PlatformError(code, `${said}: ${known.says}`, { cause: error });
}

/** Slack names the scopes any of which would do. */
function missingScope(error: unknown): string {
  const needed = error instanceof bolt.webApi.WebAPIPlatformError && 'needed' in error.data ? error.data.needed : undefined;
  const named = typeof needed === 'string' && needed !== '' ? needed.split(',').join(' or ') : 'a scope';
  return `the app lacks ${named}; paste what countersign slack manifest prints into App Manifest at api.slack.com/apps, and install the app again`;
}
