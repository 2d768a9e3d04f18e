import { type AccountFacts, PlatformError } from '@countersign/chat';
import type { Clock } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';
import type { webApi } from '@slack/bolt';
import type { SlackCalls } from './slack-calls.js';

/** Who the bot is, as auth.test says it. */
export interface BotIdentity {
  teamId: string;
  /** The organisation of a Grid; null where there is none. */
  enterpriseId: string | null;
  botId: string;
  botUserId: string;
  /** What the token may do. */
  scopes: readonly string[];
}

/** How long an answer about an account may be used, in milliseconds. */
const ACCOUNT_LIFE_MS = 60_000;
const MOST_ACCOUNTS = 1_000;
/** How long a channel is taken not to have been shared with others, in milliseconds. */
const CHANNEL_LIFE_MS = 60_000;

/** What the bot asks Slack about the workspace: itself, channels, accounts. Nothing is guessed: no answer is an error. */
export function createWorkspace(call: SlackCalls, clock: Clock) {
  let identity: BotIdentity | null = null;
  const accounts = new Map<string, { at: number; user: User }>();
  const channels = new Map<string, { at: number; id: string }>();
  const now = () => epochMs(clock.now());

  async function self(): Promise<BotIdentity> {
    if (identity !== null) return identity;
    const answer = await call((client) => client.auth.test());
    const { team_id, bot_id, user_id } = answer;
    if (!team_id || !bot_id || !user_id) throw new PlatformError('refused', 'SLACK_BOT_TOKEN is not the token of a bot in a workspace');
    identity = {
      teamId: team_id,
      enterpriseId: answer.enterprise_id ?? null,
      botId: bot_id,
      botUserId: user_id,
      scopes: answer.response_metadata?.scopes ?? [],
    };
    return identity;
  }

  /** The channel's id. A channel that another organisation shares is refused: the card would be shown to strangers. */
  async function channelId(nameOrId: string): Promise<string> {
    const known = channels.get(nameOrId);
    if (known !== undefined && now() - known.at < CHANNEL_LIFE_MS) return known.id;
    const channel = await findChannel(nameOrId.replace(/^#/, ''), known?.id);
    if (channel.is_ext_shared === true)
      throw new PlatformError('refused', `The channel ${nameOrId} is shared with another organisation; cards are not posted there`);
    const id = channel.id ?? '';
    channels.set(nameOrId, { at: now(), id });
    return id;
  }

  async function findChannel(nameOrId: string, known: string | undefined): Promise<{ id?: string; is_ext_shared?: boolean }> {
    const id = known ?? (/^[CGD][A-Z0-9]{7,}$/.test(nameOrId) ? nameOrId : null);
    if (id !== null) {
      const { channel } = await call((client) => client.conversations.info({ channel: id }));
      if (channel !== undefined) return channel;
    }
    let cursor: string | undefined;
    do {
      const from = cursor;
      const page = await call((client) =>
        client.conversations.list({
          types: 'public_channel,private_channel',
          exclude_archived: true,
          limit: 1_000,
          ...(from === undefined ? {} : { cursor: from }),
        }),
      );
      const found = page.channels?.find((channel) => channel.name === nameOrId);
      if (found !== undefined) return found;
      cursor = page.response_metadata?.next_cursor || undefined;
    } while (cursor !== undefined);
    throw new PlatformError('gone', `There is no channel ${nameOrId} that the app can see; invite the app to it`);
  }

  /** What Slack says of the account that pressed, at most 60 s old. `teamId` is the workspace that the payload names. */
  async function account(userId: string, from: { teamId: string | null; enterpriseId: string | null }): Promise<AccountFacts> {
    const bot = await self();
    const user = await userInfo(userId);
    const organisation = user.enterprise_user?.enterprise_id ?? null;
    const sameOrganisation = bot.enterpriseId !== null && organisation === bot.enterpriseId;
    const pressedHere = from.teamId === bot.teamId || (bot.enterpriseId !== null && from.enterpriseId === bot.enterpriseId);
    return {
      workspace: sameOrganisation ? organisation : bot.teamId,
      user: (sameOrganisation ? user.enterprise_user?.id : user.id) ?? userId,
      active: user.deleted !== true && user.is_invited_user !== true,
      bot: user.is_bot === true || user.is_workflow_bot === true || user.is_connector_bot === true || userId === 'USLACKBOT',
      guest: user.is_restricted === true || user.is_ultra_restricted === true,
      external: user.is_stranger === true || !pressedHere || !(user.team_id === bot.teamId || sameOrganisation),
      email: user.is_email_confirmed === false ? null : (user.profile?.email ?? null),
      label: user.profile?.display_name || user.real_name || user.name || null,
    };
  }

  async function userInfo(userId: string): Promise<User> {
    const known = accounts.get(userId);
    if (known !== undefined && now() - known.at < ACCOUNT_LIFE_MS) return known.user;
    const asked = now();
    const { user } = await call((client) => client.users.info({ user: userId }));
    if (user === undefined || user.id !== userId) throw new PlatformError('unreachable', 'Slack did not say whose account it is');
    if (accounts.size >= MOST_ACCOUNTS) accounts.clear();
    accounts.set(userId, { at: asked, user });
    return user;
  }

  return {
    self,
    channelId,
    account,
    /** Slack said that the account changed: the next press asks again. */
    forget(userId: string): void {
      accounts.delete(userId);
    },
  };
}

export type SlackWorkspace = ReturnType<typeof createWorkspace>;
type User = NonNullable<webApi.UsersInfoResponse['user']>;
