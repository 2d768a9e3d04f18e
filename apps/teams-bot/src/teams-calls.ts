import { PlatformError } from '@countersign/chat';
import { type Activity, type Attachment, CardFactory, CloudAdapter, type ConversationReference, TeamsInfo, type TurnContext } from 'botbuilder';
import type { AdaptiveCard } from './adaptive-card.js';
import type { Authenticated, Authentication } from './authentication.js';
import { type IncomingActivity, isObject, object, text } from './incoming-activity.js';
import { answerError, codeOf, translated } from './teams-errors.js';

/** How long a call of ours may take, in milliseconds. */
const CALL_MS = 10_000;

/** What Teams says of a member of a conversation. */
export type Member = Awaited<ReturnType<typeof TeamsInfo.getMember>>;

/** The calls of the Bot Connector that the bot makes. Each is tried once, and fails as a PlatformError: trying again is the worker's matter. */
export interface TeamsCalls {
  /** Runs the logic as the turn of an activity that was authenticated. */
  receive(sender: Authenticated, activity: Activity, logic: (context: TurnContext) => Promise<void>): Promise<void>;
  /** Posts a card as a message of its own; answers its id. */
  post(reference: TeamsReference, card: AdaptiveCard, summary: string): Promise<string>;
  update(reference: TeamsReference, activityId: string, card: AdaptiveCard, summary: string): Promise<void>;
  /** Words of our own. */
  say(reference: TeamsReference, text: string): Promise<void>;
  /** The member of the turn's conversation; null where there is none by that id. */
  member(context: TurnContext, id: string): Promise<Member | null>;
  /** The members of a conversation, as many as that at most; one more than asked for says that there are more. */
  roster(reference: TeamsReference, most: number): Promise<RosterEntry[]>;
  /** The personal conversation with a person of the tenant, by the directory's object id; `gone` where the app is not installed for them. */
  createPersonal(from: Pick<TeamsReference, 'bot' | 'serviceUrl'>, tenantId: string, user: string): Promise<string>;
  /** What the turn's conversation is called: a channel by its team's and its own name, a group by its own or its members' names; null where Teams does not say. */
  nameOf(context: TurnContext, place: Pick<IncomingActivity, 'kind' | 'place' | 'team'>): Promise<string | null>;
}

/** A member of a conversation: by the id that Teams gives it towards this bot, and by the directory's object id. */
export interface RosterEntry {
  id: string;
  user: string | null;
  /** A guest, or nobody of the tenant: nobody who decides. */
  outside: boolean;
}

/** What is needed to write to a conversation. */
export type TeamsReference = Pick<ConversationReference, 'bot' | 'conversation' | 'serviceUrl'>;

export function createTeamsCalls({ framework }: Authentication, appId: string): TeamsCalls {
  const adapter = new Adapter(framework);

  /** Runs a call as the bot, outside of any turn. */
  async function proactively<T>(reference: TeamsReference, call: (conversations: Connector['conversations']) => Promise<T>): Promise<T> {
    const answers: T[] = [];
    await translated(() =>
      adapter.continueConversationAsync(appId, { ...reference, channelId: 'msteams' }, async (context) => {
        answers.push(await call(adapter.connector(context).conversations));
      }),
    );
    const [answer] = answers;
    if (answers.length !== 1) throw new PlatformError('unreachable', 'The call to Teams did not run');
    // There is one: the call ended without an error.
    return answer as T;
  }

  return {
    receive: (sender, activity, logic) => adapter.receive(sender, activity, logic),
    async post(reference, card, summary) {
      const { id } = await proactively(reference, (conversations) =>
        conversations.sendToConversation(reference.conversation.id, message(reference, card, summary)),
      );
      if (!id) throw new PlatformError('unreachable', 'Teams did not say where the message is');
      return id;
    },
    async update(reference, activityId, card, summary) {
      await proactively(reference, (conversations) =>
        conversations.updateActivity(reference.conversation.id, activityId, { ...message(reference, card, summary), id: activityId }),
      );
    },
    async say(reference, text) {
      await proactively(reference, (conversations) =>
        conversations.sendToConversation(reference.conversation.id, { ...frame(reference), text, textFormat: 'plain' }),
      );
    },
    async member(context, id) {
      try {
        return await translated(() => TeamsInfo.getMember(context, id));
      } catch (error) {
        if (error instanceof PlatformError && codeOf(error.cause) === 'MemberNotFoundInConversation') return null;
        throw error;
      }
    },
    async roster(reference, most) {
      const found: RosterEntry[] = [];
      let token: string | undefined;
      do {
        const continued = token;
        const page = await proactively(reference, (conversations) =>
          conversations.getConversationPagedMembers(reference.conversation.id, {
            pageSize: Math.min(500, most + 1),
            ...(continued === undefined ? {} : { continuationToken: continued }),
          }),
        );
        for (const member of page.members ?? []) found.push(rosterEntry(object(member)));
        token = page.continuationToken || undefined;
      } while (token !== undefined && found.length <= most);
      return found.slice(0, most + 1);
    },
    async createPersonal({ bot, serviceUrl }, tenantId, user) {
      const anywhere = { bot, serviceUrl, conversation: { id: 'new', conversationType: 'personal', isGroup: false, name: '', tenantId } };
      const { id } = await proactively(anywhere, (conversations) =>
        conversations.createConversation({ isGroup: false, bot, members: [{ id: user }], tenantId, channelData: { tenant: { id: tenantId } } }),
      );
      if (!id) throw new PlatformError('unreachable', 'Teams did not say where the conversation is');
      return id;
    },
    nameOf: (context, place) => translated(() => nameOf(adapter.connector(context), context.activity.serviceUrl, place)),
  };
}

function rosterEntry(member: Record<string, unknown>): RosterEntry {
  const role = text(member['userRole'])?.toLowerCase() ?? 'user';
  return {
    id: text(member['id']) ?? '',
    // Teams names it so in one answer and otherwise in another.
    user: text(member['aadObjectId']) ?? text(member['objectId']),
    outside: role !== 'user' || /#EXT#/i.test(text(member['userPrincipalName']) ?? ''),
  };
}

/** How many members' names stand for a group that has none. */
const NAMED_MEMBERS = 3;

async function nameOf(
  { conversations, credentials }: Connector,
  serviceUrl: string,
  { kind, place, team }: Pick<IncomingActivity, 'kind' | 'place' | 'team'>,
): Promise<string | null> {
  if (kind === 'personal') return null;
  if (kind === 'group') {
    const { members = [] } = await conversations.getConversationPagedMembers(place, { pageSize: NAMED_MEMBERS + 1 });
    const names = members.flatMap(({ name }) => (name ? [name] : []));
    return names.length === 0 ? null : `${names.slice(0, NAMED_MEMBERS).join(', ')}${names.length > NAMED_MEMBERS ? ' …' : ''}`;
  }
  if (team === null) return null;
  const [{ name: teamName }, { conversations: channels }] = await Promise.all([
    read(`v3/teams/${encodeURIComponent(team)}`),
    read(`v3/teams/${encodeURIComponent(team)}/conversations`),
  ]);
  const channel = Array.isArray(channels) ? channels.map(object).find(({ id }) => id === place) : undefined;
  // The first channel of a team has no name: clients call it so in their own language.
  return [text(teamName), channel === undefined ? null : (text(channel['name']) ?? 'General')].filter((part) => part !== null).join(' / ') || null;

  /** botbuilder's own client for teams would follow redirects with our token, and try again by itself. */
  async function read(path: string): Promise<Record<string, unknown>> {
    const headers = new Headers();
    await credentials.signRequest({ headers });
    const url = new URL(path, serviceUrl.endsWith('/') ? serviceUrl : `${serviceUrl}/`);
    const answer = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(CALL_MS) });
    const body: unknown = await answer.json().catch(() => null);
    if (!answer.ok)
      throw answerError(answer.status, text(object(object(body)['error'])['code']) ?? undefined, {
        retryAfterSeconds: Number(answer.headers.get('retry-after')) || 5,
      });
    return isObject(body) ? body : {};
  }
}

class Adapter extends CloudAdapter {
  constructor(framework: Authentication['framework']) {
    super(framework);
    this.use(async (context, next) => {
      tame(this.connector(context));
      await next();
    });
  }

  /** Like `process`, which would print every failure to the console and know 401 and 500 alone. */
  async receive(sender: Authenticated, activity: Activity, logic: (context: TurnContext) => Promise<void>): Promise<void> {
    await this.processActivity(sender, activity, logic);
  }

  connector(context: TurnContext): Connector {
    const connector = context.turnState.get<Connector | undefined>(this.ConnectorClientKey);
    if (connector === undefined) throw new Error('botbuilder made no connector for the turn');
    return connector;
  }
}

/** The part of botframework-connector's ConnectorClient that is used. */
interface Connector {
  conversations: {
    sendToConversation(conversationId: string, activity: Partial<Activity>): Promise<{ id?: string }>;
    updateActivity(conversationId: string, activityId: string, activity: Partial<Activity>): Promise<{ id?: string }>;
    createConversation(parameters: {
      isGroup: boolean;
      bot: ConversationReference['bot'];
      members: { id: string }[];
      tenantId: string;
      channelData: object;
    }): Promise<{ id?: string }>;
    getConversationPagedMembers(
      conversationId: string,
      options: { pageSize: number; continuationToken?: string },
    ): Promise<{ members?: { name?: string }[]; continuationToken?: string }>;
  };
  credentials: { signRequest(request: { headers: Headers }): Promise<unknown> };
  /** The Azure client under it; private in the declaration. */
  client: {
    pipeline: {
      removePolicy(policy: { name: string }): unknown[];
      addPolicy(policy: { name: string; sendRequest(request: { timeout?: number }, next: (request: unknown) => Promise<unknown>): Promise<unknown> }): void;
    };
  };
}

/**
 * botbuilder 4.23.3 heeds no option for it, and would post a message twice whose answer was lost, wait for minutes, and follow a
 * redirect anywhere, with our token.
 */
function tame({ client: { pipeline } }: Connector): void {
  pipeline.removePolicy({ name: 'defaultRetryPolicy' });
  pipeline.removePolicy({ name: 'redirectPolicy' });
  pipeline.addPolicy({
    name: 'countersignTimeout',
    sendRequest: (request, next) => {
      request.timeout = CALL_MS;
      return next(request);
    },
  });
}

function frame({ bot, conversation }: TeamsReference): Partial<Activity> {
  return { type: 'message', from: bot, conversation };
}

function message(reference: TeamsReference, card: AdaptiveCard, summary: string): Partial<Activity> {
  const attachment: Attachment = CardFactory.adaptiveCard(card);
  return { ...frame(reference), summary, attachments: [attachment] };
}
