import type { JsonObject, JsonValue } from '@countersign/contracts';
import type { ChatPlace } from '@countersign/core/ports';
import type { TeamsReference } from './teams-calls.js';

/** What the bot reads of an activity: of the right types, and nothing of it trusted more than Teams is. */
export interface IncomingActivity {
  type: string;
  name: string | null;
  action: string | null;
  /** As the activity names it, with the thread of a channel. */
  conversationId: string;
  /** The conversation without the thread. */
  place: string;
  kind: ChatPlace['kind'];
  /** The team of a channel; null elsewhere. */
  team: string | null;
  /** What the activity calls the conversation; null where it says nothing of it, as in channels it mostly does not. */
  called: string | null;
  /** Both places where an activity names its tenant agree; null where there is none, or they do not. */
  tenantId: string | null;
  from: { id: string; aadObjectId: string | null };
  replyToId: string | null;
  /** The activity's own id; null where it has none. */
  id: string | null;
  /** What a person wrote, without the mention of the bot; empty where it is nothing. Who else is mentioned stands in it as `<at:N>`, see mentions. */
  said: string;
  /** Teams' ids of the accounts that are mentioned, by their number in `said`. */
  mentions: readonly string[];
  /** The writer's time zone, an IANA name; null where the client did not say. */
  timezone: string | null;
  value: JsonObject | null;
  timestamp: string | null;
  /** Whether the bot itself was added, or removed. */
  botAdded: boolean;
  botRemoved: boolean;
  reference: TeamsReference;
}

/** The activity that JSON says; null where it is none. */
export function readActivity(json: unknown): IncomingActivity | null {
  const activity = object(json);
  const conversation = object(activity['conversation']);
  const [type, conversationId, serviceUrl] = [text(activity['type']), text(conversation['id']), text(activity['serviceUrl'])];
  if (type === null || conversationId === null || !ID.test(conversationId)) return null;
  const from = object(activity['from']);
  const recipient = object(activity['recipient']);
  const bot = { id: text(recipient['id']) ?? '', name: text(recipient['name']) ?? '' };
  const place = baseOf(conversationId);
  const kind = kindOf(conversation);
  const tenantId = tenantOf(conversation['tenantId'], object(object(activity['channelData'])['tenant'])['id']);
  const channelData = object(activity['channelData']);
  const team = object(channelData['team']);
  const names = (members: JsonValue | undefined): boolean => Array.isArray(members) && members.some((member) => text(object(member)['id']) === bot.id);
  return {
    type,
    name: text(activity['name']),
    action: text(activity['action']),
    conversationId,
    place,
    kind,
    team: kind === 'channel' ? (text(team['id']) ?? text(channelData['teamsTeamId'])) : null,
    called: calledIn({ kind, conversation, from, team, channel: object(channelData['channel']) }),
    tenantId,
    from: { id: text(from['id']) ?? '', aadObjectId: text(from['aadObjectId']) },
    replyToId: text(activity['replyToId']),
    id: text(activity['id']),
    ...saidIn(activity, bot.id),
    timezone: zoneIn(activity),
    value: isObject(activity['value']) ? activity['value'] : null,
    timestamp: text(activity['timestamp']),
    botAdded: names(activity['membersAdded']),
    botRemoved: names(activity['membersRemoved']),
    reference: {
      bot,
      serviceUrl: serviceUrl ?? '',
      conversation: {
        id: place,
        conversationType: text(conversation['conversationType']) ?? kind,
        isGroup: kind !== 'personal',
        name: '',
        tenantId: tenantId ?? '',
      },
    },
  };
}

/** A personal chat is called after its person, a channel after its team and itself. */
function calledIn({
  kind,
  conversation,
  from,
  team,
  channel,
}: { kind: ChatPlace['kind'] } & Record<'conversation' | 'from' | 'team' | 'channel', JsonObject>): string | null {
  if (kind === 'personal') return text(from['name']);
  if (kind === 'group') return text(conversation['name']);
  const [ofTeam, own] = [text(team['name']), text(channel['name'])];
  return ofTeam === null || own === null ? null : `${ofTeam} / ${own}`;
}

/** A conversation without its thread: in a channel each card begins its own, and answers name that (`…;messageid=…`). */
export function baseOf(conversationId: string): string {
  return conversationId.split(';')[0] ?? conversationId;
}

/** Teams names a mention letter for letter among the entities, and writes three characters and the hard space as entities of HTML. */
function saidIn(activity: JsonObject, botId: string): { said: string; mentions: string[] } {
  const { entities } = activity;
  let said = text(activity['text']) ?? '';
  const mentions: string[] = [];
  for (const entity of Array.isArray(entities) ? entities.slice(0, 100) : []) {
    const [mention, id] = [text(object(entity)['text']), text(object(object(entity)['mentioned'])['id'])];
    if (object(entity)['type'] !== 'mention' || mention === null || id === null) continue;
    // Names have spaces, marks have none, so that a command is read word by word.
    if (id !== botId && !mentions.includes(id)) mentions.push(id);
    said = said.replaceAll(mention, id === botId ? ' ' : `<at:${String(mentions.indexOf(id))}>`);
  }
  return { said: said.replaceAll('&nbsp;', ' ').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').trim(), mentions };
}

/** Clients say it in one of two places; a name that is none of IANA's counts as not said. */
function zoneIn(activity: JsonObject): string | null {
  const { entities } = activity;
  const info = (Array.isArray(entities) ? entities.slice(0, 100) : []).map(object).find(({ type }) => type === 'clientInfo');
  const named = text(activity['localTimezone']) ?? text(info?.['timezone']);
  if (named === null || named.length > 100) return null;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: named }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

/** Longer ones no index takes, and control characters stand in none of Teams'. */
const ID = /^[^\p{Cc}]{1,1000}$/u;

function kindOf(conversation: JsonObject): ChatPlace['kind'] {
  switch (conversation['conversationType']) {
    case 'channel':
      return 'channel';
    case 'groupChat':
      return 'group';
    case 'personal':
      return 'personal';
    default:
      return conversation['isGroup'] === true ? 'group' : 'personal';
  }
}

function tenantOf(...named: (JsonValue | undefined)[]): string | null {
  const tenants = new Set(named.map((tenant) => text(tenant)?.toLowerCase()).filter((tenant) => tenant !== undefined));
  const [tenant] = tenants;
  return tenants.size === 1 && tenant !== undefined ? tenant : null;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as an object, or an empty one. */
export function object(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The value as a text that is not empty, or null. */
export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
