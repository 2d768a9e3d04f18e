import { randomBytes } from 'node:crypto';
import { array, isObject, text, type JsonObject } from '../wire/json.js';
import { blockComplaints, MESSAGE_LIMIT, messageWeight } from './block-kit.js';
import { SlackRefusal } from './refusal.js';
import { openView, publishView, pushView, updateView } from './views.js';
import { withIds, type SlackChannel, type SlackMessage, type SlackUser, type Workspace } from './workspace.js';

/** What the fake knows of each method: one of the scopes that it asks for, and what it does. */
export interface WebApiMethod {
  readonly scopes: readonly string[];
  run(args: JsonObject, caller: WebApiCaller): JsonObject;
}

export interface WebApiCaller {
  readonly workspace: Workspace;
  /** Where the fake listens, without a trailing slash. */
  readonly url: string;
  readonly scopes: ReadonlySet<string>;
  /** The Grid in whose whole the token is good; null: in one workspace. */
  readonly enterpriseId: string | null;
  /** The workspaces where it is. */
  readonly workspaces: readonly Workspace[];
}

/** The methods of the Web API that a bot for approvals can need; another is answered with unknown_method. */
export const WEB_API: Readonly<Record<string, WebApiMethod>> = {
  'auth.test': {
    scopes: [],
    run: (_args, { workspace, url, enterpriseId }) => ({
      url: `${url}/`,
      team: workspace.team.domain,
      user: 'countersign',
      team_id: enterpriseId ?? workspace.team.id,
      user_id: workspace.team.botUserId,
      bot_id: workspace.team.botId,
      ...(workspace.team.enterpriseId === undefined ? {} : { enterprise_id: workspace.team.enterpriseId }),
      is_enterprise_install: enterpriseId !== null,
    }),
  },
  'auth.teams.list': {
    scopes: [],
    run: (_args, { workspaces }) => ({
      teams: workspaces.map(({ team }) => ({ id: team.id, name: team.domain })),
      response_metadata: { next_cursor: '' },
    }),
  },
  'bots.info': {
    scopes: ['users:read'],
    run: (args, { workspace: { team } }) => {
      if (text(args['bot']) !== team.botId) throw new SlackRefusal('bot_not_found');
      return { bot: { id: team.botId, deleted: false, name: 'countersign', app_id: team.appId, user_id: team.botUserId } };
    },
  },
  'chat.postMessage': { scopes: ['chat:write'], run: postMessage },
  'chat.update': { scopes: ['chat:write'], run: updateMessage },
  'chat.delete': {
    scopes: ['chat:write'],
    run: (args, { workspace }) => {
      const message = ownMessage(workspace, args, 'cant_delete_message');
      workspace.posts.splice(workspace.posts.indexOf(message), 1);
      return { channel: message.channel, ts: message.ts };
    },
  },
  'chat.postEphemeral': {
    scopes: ['chat:write'],
    run: (args, { workspace }) => {
      const channel = conversation(workspace, args);
      const user = known(workspace, args['user']);
      if (!channel.members.includes(workspace.team.botUserId)) throw new SlackRefusal('not_in_channel');
      if (!channel.members.includes(user.id)) throw new SlackRefusal('user_not_in_channel');
      const content = checkedContent(args);
      const ts = workspace.nextTs();
      const thread = text(args['thread_ts']);
      workspace.ephemerals.push({
        user: user.id,
        channel: channel.id,
        ts,
        ...content,
        via: 'chat.postEphemeral',
        ...(thread === undefined ? {} : { thread_ts: thread }),
      });
      return { message_ts: ts };
    },
  },
  'chat.getPermalink': {
    scopes: [],
    run: (args, { workspace, url }) => {
      const channel = conversation(workspace, args);
      const message = workspace.message(channel.id, text(args['message_ts']) ?? '');
      if (message === undefined) throw new SlackRefusal('message_not_found');
      return { channel: channel.id, permalink: `${url}/archives/${channel.id}/p${message.ts.replace('.', '')}` };
    },
  },
  'conversations.list': {
    scopes: ['channels:read', 'groups:read', 'im:read'],
    run: (args, { workspace, enterpriseId }) => {
      // A token of a whole Grid has to say whose channels it means (docs.slack.dev/enterprise/organization-ready-apps).
      if (enterpriseId !== null && text(args['team_id']) === undefined) throw new SlackRefusal('missing_argument');
      const types = (text(args['types']) ?? 'public_channel').split(',').map((type) => type.trim());
      const listed = [...workspace.channels.values()].filter((channel) => {
        const type = channel.is_im ? 'im' : channel.is_mpim ? 'mpim' : channel.is_private ? 'private_channel' : 'public_channel';
        const seen = type === 'public_channel' || channel.members.includes(workspace.team.botUserId);
        return seen && types.includes(type) && !(args['exclude_archived'] === true && channel.is_archived);
      });
      const page = paged(listed, args, 100);
      return { channels: page.items.map((channel) => describeChannel(workspace, channel)), response_metadata: { next_cursor: page.next } };
    },
  },
  'conversations.info': {
    scopes: ['channels:read', 'groups:read', 'im:read'],
    run: (args, { workspace }) => ({ channel: describeChannel(workspace, conversation(workspace, args, { byId: true })) }),
  },
  'conversations.members': {
    scopes: ['channels:read', 'groups:read', 'im:read'],
    run: (args, { workspace }) => {
      const page = paged(conversation(workspace, args, { byId: true }).members, args, 100);
      return { members: page.items, response_metadata: { next_cursor: page.next } };
    },
  },
  'conversations.open': { scopes: ['im:write'], run: openConversation },
  'conversations.history': {
    scopes: ['channels:history', 'groups:history', 'im:history'],
    run: (args, { workspace }) => {
      const channel = conversation(workspace, args, { byId: true });
      if (!channel.members.includes(workspace.team.botUserId)) throw new SlackRefusal('not_in_channel');
      return history(
        workspace.posts.filter((post) => post.channel === channel.id && (post.thread_ts === undefined || post.thread_ts === post.ts)),
        args,
        'newest',
      );
    },
  },
  'conversations.replies': {
    scopes: ['channels:history', 'groups:history', 'im:history'],
    run: (args, { workspace }) => {
      const channel = conversation(workspace, args, { byId: true });
      const parent = text(args['ts']) ?? '';
      if (workspace.message(channel.id, parent) === undefined) throw new SlackRefusal('thread_not_found');
      return history(
        workspace.posts.filter((post) => post.channel === channel.id && (post.ts === parent || post.thread_ts === parent)),
        args,
        'oldest',
      );
    },
  },
  'users.info': { scopes: ['users:read'], run: (args, caller) => ({ user: describeUser(caller, known(caller.workspace, args['user'])) }) },
  'users.lookupByEmail': {
    scopes: ['users:read.email'],
    run: (args, caller) => {
      const email = text(args['email'])?.toLowerCase();
      const user = [...caller.workspace.users.values()].find(
        (one) => !one.deleted && email !== undefined && text(one.profile['email'])?.toLowerCase() === email,
      );
      if (user === undefined) throw new SlackRefusal('users_not_found');
      return { user: describeUser(caller, user) };
    },
  },
  'views.open': { scopes: [], run: (args, { workspace }) => ({ view: openView(workspace, text(args['trigger_id']) ?? '', args['view']) }) },
  'views.push': { scopes: [], run: (args, { workspace }) => ({ view: pushView(workspace, text(args['trigger_id']) ?? '', args['view']) }) },
  'views.update': {
    scopes: [],
    run: (args, { workspace }) => ({
      view: updateView(workspace, { viewId: text(args['view_id']), externalId: text(args['external_id']), hash: text(args['hash']) }, args['view']),
    }),
  },
  'views.publish': {
    scopes: [],
    run: (args, { workspace }) => ({ view: publishView(workspace, text(args['user_id']) ?? '', args['view'], text(args['hash'])) }),
  },
  'files.getUploadURLExternal': {
    scopes: ['files:write'],
    run: (args, { workspace, url }) => {
      const name = text(args['filename']);
      const length = Number(args['length']);
      if (name === undefined || !Number.isInteger(length) || length <= 0)
        throw new SlackRefusal('invalid_arguments', ['missing required field: filename or length']);
      const id = workspace.nextId('F');
      workspace.files.set(id, { id, name, length, title: name, content: null, channel: null });
      return { upload_url: `${url}/upload/v1/${id}`, file_id: id };
    },
  },
  'files.completeUploadExternal': { scopes: ['files:write'], run: completeUpload },
};

function postMessage(args: JsonObject, { workspace, scopes }: WebApiCaller): JsonObject {
  const to = text(args['channel']) ?? '';
  // A user id is an old way to name the direct conversation with that person; Slack still takes it here, not in chat.update.
  const channel = workspace.users.has(to) ? workspace.directWith(known(workspace, to).id) : conversation(workspace, args);
  if (channel.is_archived) throw new SlackRefusal('is_archived');
  if (!channel.members.includes(workspace.team.botUserId) && (channel.is_private || !scopes.has('chat:write.public'))) {
    throw new SlackRefusal(channel.is_private ? 'channel_not_found' : 'not_in_channel');
  }
  const content = checkedContent(args);
  const thread = text(args['thread_ts']);
  if (thread !== undefined && workspace.message(channel.id, thread) === undefined) throw new SlackRefusal('thread_not_found');
  const metadata = checkedMetadata(args['metadata']);
  const message: SlackMessage = {
    channel: channel.id,
    ts: workspace.nextTs(),
    user: workspace.team.botUserId,
    bot_id: workspace.team.botId,
    app_id: workspace.team.appId,
    ...content,
    ...(thread === undefined ? {} : { thread_ts: thread }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(typeof args['unfurl_links'] === 'boolean' ? { unfurl_links: args['unfurl_links'] } : {}),
    ...(typeof args['unfurl_media'] === 'boolean' ? { unfurl_media: args['unfurl_media'] } : {}),
  };
  workspace.posts.push(message);
  return { channel: channel.id, ts: message.ts, message: onTheWire(message, true) };
}

function updateMessage(args: JsonObject, { workspace }: WebApiCaller): JsonObject {
  const message = ownMessage(workspace, args, 'cant_update_message');
  const content = args['blocks'] === undefined && args['text'] === undefined ? { text: message.text, blocks: message.blocks } : checkedContent(args);
  // Blocks and metadata that are left out stay; an empty array or object removes them (chat.update reference).
  if (args['blocks'] !== undefined) message.blocks = content.blocks;
  if (args['text'] !== undefined) message.text = content.text;
  if (args['metadata'] !== undefined) {
    const metadata = checkedMetadata(args['metadata']);
    if (metadata === undefined) delete message.metadata;
    else message.metadata = metadata;
  }
  message.edited = { user: workspace.team.botUserId, ts: workspace.nextTs() };
  return { channel: message.channel, ts: message.ts, text: message.text, message: onTheWire(message, true) };
}

/** The bot's own message that `channel` and `ts` name. */
function ownMessage(workspace: Workspace, args: JsonObject, foreign: string): SlackMessage {
  const channel = conversation(workspace, args, { byId: true });
  if (channel.is_archived) throw new SlackRefusal('is_archived');
  // What an app may not see is not there for it.
  if (channel.is_private && !channel.members.includes(workspace.team.botUserId)) throw new SlackRefusal('channel_not_found');
  const message = workspace.message(channel.id, text(args['ts']) ?? '');
  if (message === undefined) throw new SlackRefusal('message_not_found');
  if (message.bot_id !== workspace.team.botId) throw new SlackRefusal(foreign);
  return message;
}

/** The text and blocks of a message, after Slack's checks. */
export function checkedContent(args: JsonObject): { text: string; blocks: JsonObject[] } {
  const body = text(args['text']) ?? '';
  if (args['blocks'] !== undefined && (!Array.isArray(args['blocks']) || !args['blocks'].every(isObject))) throw new SlackRefusal('invalid_blocks_format');
  const blocks = array(args['blocks']);
  if (body === '' && blocks.length === 0) throw new SlackRefusal('no_text');
  const complaints = blockComplaints(blocks, 'message');
  if (complaints.length > 0) throw new SlackRefusal('invalid_blocks', complaints);
  if (messageWeight(blocks) > MESSAGE_LIMIT) throw new SlackRefusal('msg_blocks_too_long');
  if (body.length > 40_000) throw new SlackRefusal('msg_too_long');
  return { text: body, blocks: withIds(blocks, () => randomBytes(3).toString('base64url')) };
}

function checkedMetadata(value: unknown): JsonObject | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) throw new SlackRefusal('invalid_metadata_format');
  if (Object.keys(value).length === 0) return undefined;
  if (typeof value['event_type'] !== 'string' || !isObject(value['event_payload'])) throw new SlackRefusal('invalid_metadata_format');
  if (JSON.stringify(value).length > 8_000) throw new SlackRefusal('metadata_too_large');
  return value;
}

function openConversation(args: JsonObject, { workspace }: WebApiCaller): JsonObject {
  const byId = text(args['channel']);
  if (byId !== undefined) {
    const channel = conversation(workspace, args, { byId: true });
    if (!channel.is_im && !channel.is_mpim) throw new SlackRefusal('method_not_supported_for_channel_type');
    return { no_op: true, already_open: true, channel: { id: channel.id } };
  }
  const ids = (text(args['users']) ?? '').split(',').filter((id) => id !== '');
  if (ids.length === 0) throw new SlackRefusal('users_list_not_supplied');
  if (ids.length > 8) throw new SlackRefusal('too_many_users');
  const users = ids.map((id) => known(workspace, id));
  if (users.some((user) => user.deleted)) throw new SlackRefusal('user_disabled');
  const [first, ...others] = users;
  if (first === undefined || first.id === workspace.team.botUserId) throw new SlackRefusal('users_list_not_supplied');
  if (others.length === 0 && first.is_bot) throw new SlackRefusal('cannot_dm_bot');
  const already = [...workspace.channels.values()].some((channel) => channel.is_im && channel.user === first.id);
  const channel =
    others.length === 0
      ? workspace.directWith(first.id)
      : workspace.addChannel({
          id: workspace.nextId('G'),
          name: '',
          is_channel: false,
          is_mpim: true,
          is_private: true,
          members: [workspace.team.botUserId, ...ids],
        });
  return {
    ...(already ? { no_op: true, already_open: true } : {}),
    channel: args['return_im'] === true ? describeChannel(workspace, channel) : { id: channel.id },
  };
}

function completeUpload(args: JsonObject, { workspace }: WebApiCaller): JsonObject {
  const files = array(args['files'])
    .filter(isObject)
    .map((entry) => {
      const file = workspace.files.get(text(entry['id']) ?? '');
      if (file === undefined || file.content === null) throw new SlackRefusal('file_not_found');
      file.title = text(entry['title']) ?? file.title;
      return file;
    });
  if (files.length === 0) throw new SlackRefusal('invalid_arguments', ['missing required field: files']);
  const to = text(args['channel_id']);
  if (to !== undefined) {
    const channel = workspace.channels.get(to);
    if (channel === undefined) throw new SlackRefusal('channel_not_found');
    if (!channel.members.includes(workspace.team.botUserId)) throw new SlackRefusal('not_in_channel');
    const thread = text(args['thread_ts']);
    for (const file of files) file.channel = channel.id;
    workspace.posts.push({
      channel: channel.id,
      ts: workspace.nextTs(),
      user: workspace.team.botUserId,
      bot_id: workspace.team.botId,
      app_id: workspace.team.appId,
      text: text(args['initial_comment']) ?? '',
      blocks: [],
      files,
      ...(thread === undefined ? {} : { thread_ts: thread }),
    });
  }
  return { files: files.map((file) => ({ id: file.id, title: file.title })) };
}

function conversation(workspace: Workspace, args: JsonObject, how: { byId?: boolean } = {}): SlackChannel {
  const name = text(args['channel']) ?? '';
  const channel = how.byId === true ? workspace.channels.get(name) : workspace.channel(name);
  if (channel === undefined) throw new SlackRefusal('channel_not_found');
  return channel;
}

function known(workspace: Workspace, id: unknown): SlackUser {
  const user = workspace.users.get(text(id) ?? '');
  if (user === undefined) throw new SlackRefusal('user_not_found');
  return user;
}

/** A user without the e-mail where the scope for it is missing. */
function describeUser({ scopes }: WebApiCaller, user: SlackUser): JsonObject {
  const { email, ...profile } = user.profile;
  return { ...user, profile: scopes.has('users:read.email') && email !== undefined ? { ...profile, email } : profile };
}

function describeChannel(workspace: Workspace, channel: SlackChannel): JsonObject {
  const { members, ...described } = channel;
  return {
    ...described,
    name_normalized: channel.name,
    context_team_id: workspace.team.id,
    is_member: members.includes(workspace.team.botUserId),
    num_members: members.length,
  };
}

function history(posts: readonly SlackMessage[], args: JsonObject, order: 'newest' | 'oldest'): JsonObject {
  const oldest = Number(args['oldest'] ?? 0);
  const latest = args['latest'] === undefined ? Number.POSITIVE_INFINITY : Number(args['latest']);
  const inclusive = args['inclusive'] === true;
  const within = posts.filter((post) => {
    const at = Number(post.ts);
    return inclusive ? at >= oldest && at <= latest : at > oldest && at < latest;
  });
  const page = paged(order === 'newest' ? within.toReversed() : within, args, 100);
  return {
    messages: page.items.map((post) => onTheWire(post, args['include_all_metadata'] === true)),
    has_more: page.next !== '',
    response_metadata: { next_cursor: page.next },
  };
}

function paged<T>(items: readonly T[], args: JsonObject, usual: number): { items: readonly T[]; next: string } {
  const from = Number(Buffer.from(text(args['cursor']) ?? '', 'base64url').toString() || 0);
  const to = from + Number(args['limit'] ?? usual);
  return { items: items.slice(from, to), next: to < items.length ? Buffer.from(String(to)).toString('base64url') : '' };
}

/** A message as Slack shows it in answers and payloads. */
export function onTheWire(message: SlackMessage, withMetadata: boolean): JsonObject {
  const { channel: _channel, metadata, unfurl_links: _links, unfurl_media: _media, files, ...rest } = message;
  return {
    type: 'message',
    ...rest,
    ...(withMetadata && metadata !== undefined ? { metadata } : {}),
    ...(files === undefined ? {} : { files: files.map((file) => ({ id: file.id, name: file.name, title: file.title, size: file.length })) }),
  };
}
