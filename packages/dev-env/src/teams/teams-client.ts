import { randomUUID } from 'node:crypto';
import { array, isObject, object, parseJson, text, type JsonObject } from '../wire/json.js';
import { findAction, findInputs } from './adaptive-card.js';
import type { ChannelTokens, TokenForgery } from './channel-tokens.js';
import {
  readExtensionAnswer,
  readInvokeAnswer,
  readTaskAnswer,
  type Shown,
  type ShownDialog,
  type ShownList,
  type TeamsDelivery,
  type TeamsRequest,
} from './invoke-answers.js';
import type { StoredActivity, Tenancy, TeamsConversation, TeamsPerson } from './tenancy.js';

/**
 * The people in front of Teams: what they install, write and press reaches the bot's endpoint as signed activities of the
 * Bot Connector. A test may also send what no person could: forged tokens, another tenant, other data, a stale card.
 */
export class TeamsClient {
  constructor(
    private readonly tenancy: Tenancy,
    private readonly tokens: ChannelTokens,
    private readonly serviceUrl: string,
    private readonly target: () => { readonly url: string; readonly patienceMs: number },
    private readonly changed: () => void,
  ) {}

  /** A person installs the app for themselves: the bot hears of it twice, as from Teams. */
  async installPersonal(who: string, how: DeliveryOptions = {}): Promise<TeamsDelivery> {
    const conversation = this.tenancy.personal(who, true);
    conversation.installed = true;
    return this.installed(conversation, who, how);
  }

  /** A person adds the app to a group chat or a team. */
  async installIn(conversationId: string, who: string, how: DeliveryOptions = {}): Promise<TeamsDelivery> {
    const conversation = this.known(conversationId);
    conversation.installed = true;
    return this.installed(conversation, who, how);
  }

  /** A person removes the app; what the bot writes there from now on is refused with BotNotInConversationRoster. */
  async uninstall(conversationId: string, who: string, how: DeliveryOptions = {}): Promise<TeamsDelivery> {
    const conversation = this.known(conversationId);
    const delivery = await this.send(this.frame('installationUpdate', conversation, this.tenancy.person(who), { action: 'remove' }), how);
    conversation.installed = false;
    return delivery;
  }

  /** A person writes to the bot; in a group or channel the bot is mentioned, as Teams demands. */
  async addressBot(conversationId: string, who: string, said: string, how: DeliveryOptions = {}): Promise<TeamsDelivery> {
    const conversation = this.known(conversationId);
    const mention = `<at>${this.tenancy.bot.name}</at>`;
    const mentioned = conversation.type === 'personal' ? {} : { entities: [{ type: 'mention', text: mention, mentioned: this.tenancy.bot }] };
    const id = this.tenancy.nextId();
    const body = this.frame('message', conversation, this.tenancy.person(who), {
      id,
      text: conversation.type === 'personal' ? said : `${mention} ${said}`,
      textFormat: 'plain',
      attachments: [],
      ...mentioned,
    });
    this.tenancy.activities.push({ id, conversationId: conversation.id, byBot: false, replyToId: undefined, body, updates: 0, deleted: false });
    return this.send(body, how);
  }

  /**
   * A person presses an Action.Execute. The card's own data goes along with the inputs; like Teams' own client it does not
   * send where a required input is empty.
   */
  async press(press: CardPress): Promise<CardPressed> {
    const conversation = this.known(press.conversation);
    const activity = this.tenancy.activities.find((one) => one.id === press.activityId && one.conversationId.split(';')[0] === conversation.id);
    const person = this.tenancy.person(press.user);
    const card = this.tenancy.shown.get(`${press.user}|${press.activityId}`) ?? cardOf(activity);
    const action = findAction(card, press.verb);
    const { inputs, missing } = filledIn(card, press.inputs ?? {});
    if (missing.length > 0 && action?.['associatedInputs'] !== 'none' && press.force !== true) throw new Error(`Teams asks for ${missing.join(', ')} first`);
    const data = press.data === undefined ? { ...object(action?.['data']), ...(action?.['associatedInputs'] === 'none' ? {} : inputs) } : press.data;
    const delivery = await this.send(
      this.frame('invoke', conversation, person, {
        id: `f:${randomUUID()}`,
        name: 'adaptiveCard/action',
        conversation: this.reference(conversation, threadOf(conversation, activity)),
        replyToId: press.activityId,
        value: {
          action: { type: 'Action.Execute', ...(action?.['id'] === undefined ? {} : { id: action['id'] }), title: action?.['title'], verb: press.verb, data },
          trigger: 'manual',
        },
      }),
      press,
    );
    const shown = readInvokeAnswer(delivery);
    if (shown.kind === 'card') this.tenancy.shown.set(`${press.user}|${press.activityId}`, shown.card);
    this.changed();
    return { ...delivery, shown };
  }

  /**
   * A person presses a button that opens a dialog (an Action.Submit whose data says `msteams: { type: 'task/fetch' }`): the bot is asked what
   * the dialog shows.
   */
  async openDialog({ title, ...press }: DialogPress): Promise<DialogShown> {
    const conversation = this.known(press.conversation);
    const activity = this.activity(press.activityId, conversation);
    const card = this.tenancy.shown.get(`${press.user}|${press.activityId}`) ?? cardOf(activity);
    const action = findByTitle(card, title);
    const data = press.data ?? object(action?.['data']);
    if (press.data === undefined && object(data['msteams'])['type'] !== 'task/fetch') throw new Error(`no button ${title} opens a dialog`);
    const delivery = await this.send(
      this.frame('invoke', conversation, this.tenancy.person(press.user), {
        id: `f:${randomUUID()}`,
        name: 'task/fetch',
        conversation: this.reference(conversation, threadOf(conversation, activity)),
        replyToId: press.activityId,
        value: { data, context: { theme: 'default' } },
      }),
      press,
    );
    return { ...delivery, shown: readTaskAnswer(delivery), from: press };
  }

  /** Presses a button of the dialog that is open. Teams names the message that it came from in some clients alone, so none is named here. */
  async sendDialog(
    open: DialogShown,
    { title, ...press }: { readonly title: string; readonly user?: string } & Pick<CardPress, 'inputs' | 'data' | 'force'> & DeliveryOptions,
  ): Promise<DialogShown> {
    const from = { ...open.from, ...(press.user === undefined ? {} : { user: press.user }) };
    const conversation = this.known(from.conversation);
    const card = open.shown.kind === 'dialog' ? open.shown.card : undefined;
    const action = findByTitle(card, title);
    if (action === undefined && press.data === undefined) throw new Error(`the dialog has no button ${title}`);
    const { inputs, missing } = filledIn(card, press.inputs ?? {});
    const whole = action?.['associatedInputs'] !== 'none';
    if (missing.length > 0 && whole && press.force !== true) throw new Error(`Teams asks for ${missing.join(', ')} first`);
    const delivery = await this.send(
      this.frame('invoke', conversation, this.tenancy.person(from.user), {
        id: `f:${randomUUID()}`,
        name: 'task/submit',
        conversation: this.reference(conversation, threadOf(conversation, this.activity(from.activityId, conversation))),
        value: { data: press.data ?? { ...object(action?.['data']), ...(whole ? inputs : {}) }, context: { theme: 'default' } },
      }),
      press,
    );
    return { ...delivery, shown: readTaskAnswer(delivery), from };
  }

  /**
   * A person's client shows a card: Teams asks for their own view of it where the card has `refresh`, for those whom it names, or for everybody
   * of a conversation of 60. Null where Teams does not ask.
   */
  async look(press: Omit<CardPress, 'verb' | 'inputs'>): Promise<CardPressed | null> {
    const conversation = this.known(press.conversation);
    const activity = this.activity(press.activityId, conversation);
    const person = this.tenancy.person(press.user);
    const refresh = object(cardOf(activity)?.['refresh']);
    const { userIds } = refresh;
    const asks = userIds === undefined ? refresh['action'] !== undefined && conversation.members.length <= REFRESH_USERS : array(userIds).includes(person.id);
    if (!asks && press.force !== true) return null;
    const { type, verb, data } = object(refresh['action']);
    const delivery = await this.send(
      this.frame('invoke', conversation, person, {
        id: `f:${randomUUID()}`,
        name: 'adaptiveCard/action',
        conversation: this.reference(conversation, threadOf(conversation, activity)),
        replyToId: press.activityId,
        value: { action: { type: type ?? 'Action.Execute', verb: verb ?? 'refresh', data: press.data ?? object(data) }, trigger: 'automatic' },
      }),
      press,
    );
    const shown = readInvokeAnswer(delivery);
    if (shown.kind === 'card') this.tenancy.shown.set(`${press.user}|${press.activityId}`, shown.card);
    this.changed();
    return { ...delivery, shown };
  }

  /** A person opens the app's message extension, or searches in it, wherever they are: the bot need not be there. */
  async query(who: string, conversationId: string, how: { readonly search?: string; readonly skip?: number } & DeliveryOptions = {}): Promise<ExtensionShown> {
    const parameter = how.search === undefined ? { name: 'initialRun', value: 'true' } : { name: 'search', value: how.search };
    const delivery = await this.send(
      this.frame('invoke', this.known(conversationId), this.tenancy.person(who), {
        id: `f:${randomUUID()}`,
        name: 'composeExtension/query',
        value: { commandId: 'waiting', parameters: [parameter], queryOptions: { skip: how.skip ?? 0, count: 25 } },
      }),
      how,
    );
    return { ...delivery, shown: readExtensionAnswer(delivery) };
  }

  /** A client too old for Action.Execute presses its fallback, an Action.Submit: a message with a value. */
  async submit(press: CardPress): Promise<TeamsDelivery> {
    const conversation = this.known(press.conversation);
    return this.send(
      this.frame('message', conversation, this.tenancy.person(press.user), {
        id: this.tenancy.nextId(),
        replyToId: press.activityId,
        value: { ...press.data, ...press.inputs },
      }),
      press,
    );
  }

  /** Sends the very same bytes again: Teams repeats an invoke whose answer it did not like, and a thief would too. */
  async replay(earlier: TeamsDelivery): Promise<TeamsDelivery> {
    return post(earlier.request, this.target().patienceMs);
  }

  /** Any activity, whatever it says, signed or forged. */
  async send(activity: JsonObject, how: DeliveryOptions = {}): Promise<TeamsDelivery> {
    const { url, patienceMs } = this.target();
    const authorization = await this.tokens.authorization(this.serviceUrl, how.forgery);
    const sent: JsonObject = { ...activity, ...how.activity };
    if (how.serviceUrl === null) delete sent['serviceUrl'];
    else if (how.serviceUrl !== undefined) sent['serviceUrl'] = how.serviceUrl;
    const delivery = await post(
      {
        url,
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'user-agent': 'Microsoft-SkypeBotApi (Microsoft-BotFramework/3.0)',
          ...(authorization === undefined ? {} : { authorization }),
          ...how.headers,
        },
        body: JSON.stringify(sent),
      },
      patienceMs,
    );
    this.changed();
    // The person of a forged tenant or id is in the activity; `how` names only what is wrong.
    return delivery;
  }

  /** The frame of every activity from Teams. */
  frame(type: string, conversation: TeamsConversation, person: TeamsPerson, more: JsonObject): JsonObject {
    return {
      type,
      id: randomUUID(),
      timestamp: new Date(this.tenancy.now()).toISOString(),
      localTimestamp: new Date(this.tenancy.now()).toISOString(),
      channelId: 'msteams',
      serviceUrl: this.serviceUrl,
      from: { id: person.id, name: person.name, aadObjectId: person.aadObjectId },
      recipient: this.tenancy.bot,
      conversation: this.reference(conversation, undefined),
      entities: [{ type: 'clientInfo', locale: 'en-US', country: 'US', platform: 'Web', timezone: 'Etc/UTC' }],
      channelData: {
        tenant: { id: person.tenantId },
        source: { name: 'message' },
        ...(conversation.teamId === undefined ? {} : { team: { id: conversation.teamId }, channel: { id: conversation.id } }),
      },
      locale: 'en-US',
      ...more,
    };
  }

  private reference(conversation: TeamsConversation, id: string | undefined): JsonObject {
    return {
      conversationType: conversation.type,
      tenantId: this.tenancy.tenantId,
      id: id ?? conversation.id,
      ...(conversation.type === 'personal' ? {} : { isGroup: true, name: conversation.name }),
    };
  }

  private async installed(conversation: TeamsConversation, who: string, how: DeliveryOptions): Promise<TeamsDelivery> {
    const person = this.tenancy.person(who);
    await this.send(
      this.frame('conversationUpdate', conversation, person, {
        membersAdded: [this.tenancy.bot],
        channelData: { tenant: { id: person.tenantId }, eventType: 'teamMemberAdded' },
      }),
      how,
    );
    return this.send(this.frame('installationUpdate', conversation, person, { action: 'add' }), how);
  }

  private activity(id: string, conversation: TeamsConversation): StoredActivity | undefined {
    return this.tenancy.activities.find((one) => one.id === id && one.conversationId.split(';')[0] === conversation.id);
  }

  private known(id: string): TeamsConversation {
    const conversation = this.tenancy.conversation(id);
    if (conversation === undefined) throw new Error(`the fake Teams has no conversation ${id}`);
    return conversation;
  }
}

export interface DeliveryOptions {
  /** What is wrong with the token; nothing unless told. */
  readonly forgery?: TokenForgery;
  /** The serviceUrl that the body says instead of the true one; null leaves it out. */
  readonly serviceUrl?: string | null;
  /** Members of the activity that take the place of its own, such as `from` without aadObjectId or another tenant's conversation. */
  readonly activity?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CardPress extends DeliveryOptions {
  /** The key of the person. */
  readonly user: string;
  readonly conversation: string;
  readonly activityId: string;
  readonly verb: string;
  /** Instead of the card's own data and inputs. */
  readonly data?: JsonObject;
  /** What the person filled in, by the input's id. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Send even what Teams' client would hold back. */
  readonly force?: boolean;
}

/** A button that opens a dialog, by its title; `data` is sent in place of its own. */
export interface DialogPress extends DeliveryOptions {
  readonly user: string;
  readonly conversation: string;
  readonly activityId: string;
  readonly title: string;
  readonly data?: JsonObject;
}

/** What a dialog shows. `trouble`: Teams says that something went wrong. */
export interface DialogShown extends TeamsDelivery {
  readonly shown: ShownDialog;
  readonly from: { readonly user: string; readonly conversation: string; readonly activityId: string };
}

/** What a message extension lists: what stands in the list, and the card that is put into the conversation. */
export interface ExtensionShown extends TeamsDelivery {
  readonly shown: ShownList;
}

export interface CardPressed extends TeamsDelivery {
  readonly shown: Shown;
}

async function post(request: TeamsRequest, patienceMs: number): Promise<TeamsDelivery> {
  try {
    const response = await fetch(request.url, {
      method: 'POST',
      headers: request.headers,
      body: request.body,
      redirect: 'manual',
      signal: AbortSignal.timeout(patienceMs),
    });
    const body = await response.text();
    return { request, status: response.status, body, json: parseJson(body) };
  } catch (cause) {
    return { request, status: null, body: '', json: undefined, cause };
  }
}

/** In how large a conversation Teams asks for everybody's view. Source: Microsoft Teams documentation, "User Specific Views". */
const REFRESH_USERS = 60;

/** In a channel what is pressed names the thread that the message begins. */
function threadOf({ id, type }: TeamsConversation, activity: StoredActivity | undefined): string | undefined {
  if (activity === undefined || type !== 'channel' || activity.conversationId.includes(';')) return activity?.conversationId;
  return `${id};messageid=${activity.id}`;
}

function findByTitle(card: unknown, title: string): JsonObject | undefined {
  if (Array.isArray(card))
    for (const one of card) {
      const found = findByTitle(one, title);
      if (found !== undefined) return found;
    }
  if (!isObject(card)) return undefined;
  if (text(card['type'])?.startsWith('Action.') === true && card['title'] === title) return card;
  return findByTitle(Object.values(card), title);
}

/** The card that an activity shows to everybody. */
export function cardOf(activity: StoredActivity | undefined): JsonObject | undefined {
  const attachment = array(activity?.body['attachments']).find((one) => object(one)['contentType'] === 'application/vnd.microsoft.card.adaptive');
  const content = object(attachment)['content'];
  return isObject(content) ? content : undefined;
}

function filledIn(card: JsonObject | undefined, given: Readonly<Record<string, string>>): { inputs: JsonObject; missing: string[] } {
  const inputs: JsonObject = {};
  const missing: string[] = [];
  for (const [id, input] of findInputs(card)) {
    const value = given[id] ?? text(input['value']) ?? '';
    if (value === '' && input['isRequired'] === true) missing.push(id);
    inputs[id] = value;
  }
  return { inputs, missing };
}
