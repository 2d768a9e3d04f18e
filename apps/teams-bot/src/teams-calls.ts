import { PlatformError } from '@countersign/chat';
import { type Activity, type Attachment, CardFactory, CloudAdapter, type ConversationReference, TeamsInfo, type TurnContext } from 'botbuilder';
import type { AdaptiveCard } from './adaptive-card.js';
import type { Authenticated, Authentication } from './authentication.js';

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
  };
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
  };
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

/** Words after which the bot cannot write there: removed, blocked, or the message is no more. */
const GONE = new Set([
  'MessageWritesBlocked',
  'BotNotInConversationRoster',
  'ConversationBlockedByUser',
  'ConversationNotFound',
  'ActivityNotFoundInConversation',
]);

async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw platformError(error);
  }
}

function platformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  const status = statusOf(error);
  const code = codeOf(error);
  if (status === undefined) {
    // Entra's refusal to give us a token; msal throws a ServerError with its word.
    const word = fieldOf(error, 'errorCode');
    if (word === 'invalid_client' || word === 'unauthorized_client' || word === 'invalid_request') {
      return new PlatformError('refused', `Entra gives the bot no token: ${word}`, { cause: error });
    }
    return new PlatformError('unreachable', 'Teams gave no answer', { cause: error });
  }
  const words = `Teams answers ${String(status)}${code === undefined ? '' : ` ${code}`}`;
  if (status === 429) return new PlatformError('rate_limited', words, { cause: error, retryAfterSeconds: retryAfter(error) });
  if (status === 404 || (status === 403 && code !== undefined && GONE.has(code))) return new PlatformError('gone', words, { cause: error });
  // 412 and 5xx are Teams' own trouble (Microsoft Teams documentation, "Optimize your bot with rate limiting").
  if (status >= 500 || status === 412 || status === 408) return new PlatformError('unreachable', words, { cause: error });
  return new PlatformError('refused', words, { cause: error });
}

/** Of Azure's RestError. */
function statusOf(error: unknown): number | undefined {
  const status = fieldOf(error, 'statusCode');
  return typeof status === 'number' ? status : undefined;
}

function codeOf(error: unknown): string | undefined {
  const code = fieldOf(error, 'code');
  return typeof code === 'string' ? code : undefined;
}

function retryAfter(error: unknown): number {
  const headers = fieldOf(fieldOf(error, 'response'), 'headers');
  const get = fieldOf(headers, 'get');
  const seconds = typeof get === 'function' ? Number(get.call(headers, 'retry-after')) : Number.NaN;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 5;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
