import { type AccountFacts, PlatformError } from '@countersign/chat';
import type { Clock, SlackInstallation } from '@countersign/core/ports';
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
/** How long the workspaces of a Grid are taken to be the same, in milliseconds. */
const TEAMS_LIFE_MS = 600_000;

/**
 * What the bot asks Slack about a workspace: itself, channels, accounts. Nothing is guessed: no answer is an error.
 *
 * @param installation what Slack said of the bot when it was installed by OAuth; null: Slack is asked
 */
export function createWorkspace(call: SlackCalls, clock: Clock, installation: SlackInstallation | null = null) {
  let identity: BotIdentity | null = installation === null ? null : identityOf(installation);
  let askedAt = 0;
  let app: string | null = installation?.app_id ?? null;
  let grid: { at: number; teams: string[] } | null = null;
  const accounts = new Map<string, { at: number; user: User }>();
  const channels = new Map<string, { at: number; id: string }>();
  const now = () => epochMs(clock.now());

  async function self(): Promise<BotIdentity> {
    if (identity !== null) return identity;
    return ask();
  }

  async function ask(): Promise<BotIdentity> {
    askedAt = now();
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

  /** The id of the app that the token belongs to, A…; null where Slack does not say it. */
  async function appId(): Promise<string | null> {
    if (app !== null) return app;
    const { botId } = await self();
    const { bot } = await call((client) => client.bots.info({ bot: botId }));
    app = bot?.app_id ?? null;
    return app;
  }

  /** The workspaces that a token of a whole Grid is good for. */
  async function teams(): Promise<readonly string[]> {
    if (grid !== null && now() - grid.at < TEAMS_LIFE_MS) return grid.teams;
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const from = cursor;
      const page = await call((client) => client.auth.teams.list({ limit: 1_000, ...(from === undefined ? {} : { cursor: from }) }));
      found.push(...(page.teams ?? []).flatMap(({ id }) => (id === undefined ? [] : [id])));
      cursor = page.response_metadata?.next_cursor || undefined;
    } while (cursor !== undefined);
    grid = { at: now(), teams: found };
    return found;
  }

  /**
   * The channel's id. A channel that another organisation shares is refused: the card would be shown to strangers.
   *
   * @param team the workspace of a Grid in which a name is looked up
   */
  async function channelId(nameOrId: string, team: string | null = null): Promise<string> {
    const key = `${team ?? ''}/${nameOrId}`;
    const known = channels.get(key);
    if (known !== undefined && now() - known.at < CHANNEL_LIFE_MS) return known.id;
    const channel = await findChannel(nameOrId.replace(/^#/, ''), known?.id, team);
    if (channel.is_ext_shared === true || channel.is_pending_ext_shared === true)
      throw new PlatformError('refused', `The channel ${nameOrId} is shared with another organisation; cards are not posted there`);
    if (channel.is_archived === true) throw new PlatformError('gone', `The channel ${nameOrId} is archived; unarchive it, or name another`);
    const id = channel.id ?? '';
    channels.set(key, { at: now(), id });
    return id;
  }

  async function findChannel(nameOrId: string, known: string | undefined, team: string | null): Promise<FoundChannel> {
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
          // A token of a whole Grid must say whose channels it means; any other may not.
          ...(installation?.enterprise_install === true && team !== null ? { team_id: team } : {}),
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
    let bot = await self();
    // A workspace may join a Grid; Slack is asked whether it did.
    if (from.enterpriseId !== null && bot.enterpriseId === null && now() - askedAt > ACCOUNT_LIFE_MS) bot = await ask();
    const user = await userInfo(userId);
    const organisation = user.enterprise_user?.enterprise_id ?? null;
    const sameOrganisation = bot.enterpriseId !== null && organisation === bot.enterpriseId;
    const pressedHere = from.teamId === bot.teamId || (bot.enterpriseId !== null && from.enterpriseId === bot.enterpriseId);
    // A payload that names another Grid than the workspace's is none of its people's, whatever workspace it names.
    const otherGrid = from.enterpriseId !== null && from.enterpriseId !== bot.enterpriseId;
    return {
      workspace: sameOrganisation ? organisation : bot.teamId,
      user: (sameOrganisation ? user.enterprise_user?.id : user.id) ?? userId,
      active: user.deleted !== true && user.is_invited_user !== true,
      bot: user.is_bot === true || user.is_workflow_bot === true || user.is_connector_bot === true || userId === 'USLACKBOT',
      guest: user.is_restricted === true || user.is_ultra_restricted === true,
      external: user.is_stranger === true || !pressedHere || otherGrid || !(user.team_id === bot.teamId || sameOrganisation),
      email: user.is_email_confirmed === false ? null : (user.profile?.email ?? null),
      timezone: user.tz ?? null,
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
    appId,
    /** The same, as far as it is known without asking. */
    knownAppId: () => app,
    teams,
    channelId,
    account,
    /** Slack said that the channel was renamed, archived, shared or left: the next card asks again. */
    forgetChannel(id: string): void {
      for (const [key, known] of channels) if (known.id === id) channels.delete(key);
    },
    /** Slack said that the account changed: the next press asks again. */
    forget(userId: string): void {
      accounts.delete(userId);
    },
  };
}

export type SlackWorkspace = ReturnType<typeof createWorkspace>;

/** The bot, as Slack described it when it was installed. A token of a whole Grid belongs to no workspace. */
function identityOf({ team_id, enterprise_id, bot_id, bot_user_id, scopes }: SlackInstallation): BotIdentity {
  return { teamId: team_id ?? enterprise_id ?? '', enterpriseId: enterprise_id, botId: bot_id, botUserId: bot_user_id, scopes };
}

type FoundChannel = Pick<NonNullable<webApi.ConversationsInfoResponse['channel']>, 'id' | 'is_ext_shared' | 'is_pending_ext_shared' | 'is_archived'>;
type User = NonNullable<webApi.UsersInfoResponse['user']>;
