import { array, isObject, object, parseJson, text, type JsonObject } from '../wire/json.js';
import { jsonAnswer, type WireAnswer, type WireRequest } from '../wire/wire-server.js';
import { cardComplaints } from './adaptive-card.js';
import type { StoredActivity, Tenancy, TeamsConversation, TeamsPerson } from './tenancy.js';

/** The Connector API of Teams: conversations, activities, members. Source: Bot Framework REST API, Connector, v3. */
export function answerConnector(tenancy: Tenancy, request: WireRequest): WireAnswer {
  const [conversationId = '', collection, itemId] = segments(request.path);
  try {
    if (request.name === 'getTeam' || request.name === 'getTeamChannels') return answerTeam(tenancy, request);
    if (request.name === 'createConversation') return createConversation(tenancy, body(request));
    const conversation = tenancy.conversation(conversationId);
    if (conversation === undefined) throw new ConnectorRefusal(404, 'ConversationNotFound', 'Conversation not found.');
    switch (request.name) {
      case 'sendToConversation':
      case 'replyToActivity':
        return post(tenancy, conversation, conversationId, itemId, body(request));
      case 'updateActivity': {
        const activity = own(tenancy, conversationId, itemId);
        mayWrite(conversation);
        activity.body = checked(tenancy, body(request));
        activity.updates += 1;
        // A new content reaches every client: what an invoke had shown to one person is gone.
        for (const key of [...tenancy.shown.keys()]) if (key.endsWith(`|${activity.id}`)) tenancy.shown.delete(key);
        return jsonAnswer(200, { id: activity.id });
      }
      case 'deleteActivity':
        own(tenancy, conversationId, itemId).deleted = true;
        return { status: 200, body: '' };
      case 'getMembers':
        return jsonAnswer(200, members(tenancy, conversation).map(describe));
      case 'getPagedMembers': {
        const size = Number(request.query.get('pageSize') ?? 200);
        const from = Number(request.query.get('continuationToken') ?? 0);
        const all = members(tenancy, conversation);
        return jsonAnswer(200, {
          members: all.slice(from, from + size).map(describe),
          ...(from + size < all.length ? { continuationToken: String(from + size) } : {}),
        });
      }
      case 'getMember': {
        if (!conversation.installed) throw new ConnectorRefusal(403, 'BotNotInConversationRoster', 'The bot is not part of the conversation roster.');
        const person = tenancy.find(itemId ?? '');
        if (person === undefined || !conversation.members.includes(person.key))
          throw new ConnectorRefusal(404, 'MemberNotFoundInConversation', 'Member not found.');
        return jsonAnswer(200, describe(person));
      }
      default:
        throw new ConnectorRefusal(404, 'NotFound', `there is no ${request.method} ${request.path}; ${collection ?? ''}`);
    }
  } catch (error) {
    if (error instanceof ConnectorRefusal) return jsonAnswer(error.status, { error: { code: error.code, message: error.message } });
    throw error;
  }
}

/** What Teams says of a team in which the app is installed, and of its channels. Source: Teams' extension of the Connector, v3/teams. */
function answerTeam(tenancy: Tenancy, request: WireRequest): WireAnswer {
  const id = decodeURIComponent(/\/v3\/teams\/([^/]+)/.exec(request.path)?.[1] ?? '');
  const channels = [...tenancy.conversations.values()].filter((one) => one.teamId === id);
  if (!channels.some(({ installed }) => installed))
    throw new ConnectorRefusal(403, 'BotNotInConversationRoster', 'The bot is not part of the conversation roster.');
  if (request.name === 'getTeam') return jsonAnswer(200, { id, name: channels[0]?.teamName ?? 'Team', type: 'standard', channelCount: channels.length });
  // The channel that every team begins with has the team's own id, and no name.
  return jsonAnswer(200, { conversations: [{ id }, ...channels.filter((one) => one.id !== id).map(({ id: channel, name }) => ({ id: channel, name }))] });
}

/** The name of the operation that a call of the Connector is, for faults and the record. */
export function connectorOperation(method: string, path: string): string {
  if (path.includes('/v3/teams/')) return path.endsWith('/conversations') ? 'getTeamChannels' : 'getTeam';
  const [, collection, itemId] = segments(path);
  switch (collection) {
    case undefined:
      return method === 'POST' ? 'createConversation' : `${method} ${path}`;
    case 'members':
      return itemId === undefined ? 'getMembers' : 'getMember';
    case 'pagedmembers':
      return 'getPagedMembers';
    case 'activities':
      if (method === 'POST') return itemId === undefined ? 'sendToConversation' : 'replyToActivity';
      return method === 'PUT' ? 'updateActivity' : method === 'DELETE' ? 'deleteActivity' : `${method} ${path}`;
    default:
      return `${method} ${path}`;
  }
}

/** The largest message in bytes of UTF-16; above it Teams answers 413. */
export const MESSAGE_BYTES = 80 * 1_024;

/** The size of a card in bytes of UTF-8 above which some roads into Teams refuse it. */
export const CARD_BYTES_ADVISED = 28 * 1_024;

class ConnectorRefusal extends Error {
  override readonly name = 'ConnectorRefusal';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

function segments(path: string): string[] {
  return (
    path
      .split('/v3/conversations')[1]
      ?.split('/')
      .slice(1)
      .filter((part) => part !== '')
      .map(decodeURIComponent) ?? []
  );
}

function body(request: WireRequest): JsonObject {
  const parsed = parseJson(request.body.toString('utf8'));
  if (!isObject(parsed)) throw new ConnectorRefusal(400, 'BadSyntax', 'The body is not an object.');
  return parsed;
}

function createConversation(tenancy: Tenancy, args: JsonObject): WireAnswer {
  const tenant = text(args['tenantId']) ?? text(object(object(args['channelData'])['tenant'])['id']);
  if (tenant !== tenancy.tenantId) throw new ConnectorRefusal(400, 'BadArgument', 'The tenant id is missing or is another one.');
  const channelId = text(object(object(args['channelData'])['channel'])['id']);
  if (channelId !== undefined) {
    const channel = tenancy.conversation(channelId);
    if (channel === undefined) throw new ConnectorRefusal(404, 'ConversationNotFound', 'Conversation not found.');
    if (!isObject(args['activity'])) throw new ConnectorRefusal(400, 'BadArgument', 'A new thread needs its first activity.');
    const thread = `${channel.id};messageid=${tenancy.nextId()}`;
    const { id } = store(tenancy, channel, thread, undefined, args['activity']);
    return jsonAnswer(201, { id: thread, activityId: id });
  }
  const wanted = array(args['members']);
  const person = wanted.length === 1 ? tenancy.find(text(object(wanted[0])['id']) ?? '') : undefined;
  if (person === undefined) throw new ConnectorRefusal(400, 'BadArgument', 'A personal conversation has one member whom the tenant knows.');
  const personal = tenancy.personal(person.key, false);
  if (!personal.installed) throw new ConnectorRefusal(403, 'BotNotInConversationRoster', 'The bot is not installed for this person.');
  return jsonAnswer(201, {
    id: personal.id,
    ...(isObject(args['activity']) ? { activityId: store(tenancy, personal, personal.id, undefined, args['activity']).id } : {}),
  });
}

function post(tenancy: Tenancy, conversation: TeamsConversation, conversationId: string, replyToId: string | undefined, activity: JsonObject): WireAnswer {
  if (activity['type'] !== 'message') return jsonAnswer(202, { id: tenancy.nextId() });
  return jsonAnswer(201, { id: store(tenancy, conversation, conversationId, replyToId ?? text(activity['replyToId']), activity).id });
}

function store(tenancy: Tenancy, conversation: TeamsConversation, conversationId: string, replyToId: string | undefined, activity: JsonObject): StoredActivity {
  mayWrite(conversation);
  const stored: StoredActivity = { id: tenancy.nextId(), conversationId, byBot: true, replyToId, body: checked(tenancy, activity), updates: 0, deleted: false };
  tenancy.activities.push(stored);
  return stored;
}

function mayWrite(conversation: TeamsConversation): void {
  if (conversation.blocked) throw new ConnectorRefusal(403, 'MessageWritesBlocked', 'User blocked the conversation with the bot.');
  if (!conversation.installed) throw new ConnectorRefusal(403, 'BotNotInConversationRoster', 'The bot is not part of the conversation roster.');
}

function own(tenancy: Tenancy, conversationId: string, id: string | undefined): StoredActivity {
  const base = conversationId.split(';')[0];
  const activity = tenancy.activities.find((one) => one.id === id && !one.deleted && one.conversationId.split(';')[0] === base);
  if (activity === undefined) throw new ConnectorRefusal(404, 'ActivityNotFoundInConversation', 'The activity was not found in the conversation.');
  if (!activity.byBot) throw new ConnectorRefusal(403, 'Forbidden', 'The activity is not the bot’s own.');
  return activity;
}

/** The message after Teams' checks of its size and cards. */
function checked(tenancy: Tenancy, activity: JsonObject): JsonObject {
  const size = JSON.stringify(activity).length * 2;
  if (size > MESSAGE_BYTES) throw new ConnectorRefusal(413, 'MessageSizeTooBig', `The message is ${String(size)} bytes.`);
  const attachments = array(activity['attachments']);
  if (attachments.length === 0 && (text(activity['text']) ?? '') === '')
    throw new ConnectorRefusal(400, 'BadSyntax', 'Activity text or attachment is missing.');
  for (const attachment of attachments) {
    if (object(attachment)['contentType'] !== 'application/vnd.microsoft.card.adaptive') continue;
    const card = object(attachment)['content'];
    const complaints = cardComplaints(card);
    if (complaints.length > 0) throw new ConnectorRefusal(400, 'BadSyntax', `Bad card: ${complaints.join('; ')}`);
    const bytes = Buffer.byteLength(JSON.stringify(card));
    if (bytes > CARD_BYTES_ADVISED) tenancy.warnings.push(`a card of ${String(bytes)} bytes is above the 28 KB that are safe`);
  }
  return activity;
}

function members(tenancy: Tenancy, conversation: TeamsConversation): TeamsPerson[] {
  if (!conversation.installed) throw new ConnectorRefusal(403, 'BotNotInConversationRoster', 'The bot is not part of the conversation roster.');
  return conversation.members.map((key) => tenancy.person(key));
}

/** A member as Teams describes one: TeamsChannelAccount. */
function describe({ key: _key, ...person }: TeamsPerson): JsonObject {
  return { ...person, objectId: person.aadObjectId };
}
