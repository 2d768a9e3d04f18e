import {
  type ChatCommand,
  type CommandAnswer,
  type ChatWorld,
  commandDepsOf,
  createOnce,
  createStoredOnce,
  cut,
  FAULT_TEXT,
  handleCommand,
  personOf,
  readCommand,
  type PressDeps,
} from '@countersign/chat';
import type { CardOptions } from '@countersign/core/card';
import type { CardStore, Clock } from '@countersign/core/ports';
import type { TurnContext } from 'botbuilder';
import type { AdaptiveCard } from './adaptive-card.js';
import { VERBS } from './buttons.js';
import { dialogWords, type TaskAnswer } from './dialogs.js';
import { type IncomingActivity, object } from './incoming-activity.js';
import { homeCard } from './home-card.js';
import type { Members } from './members.js';
import { type ExtensionAnswer, extensionWords, type MessageExtension } from './message-extension.js';
import type { Places } from './places.js';
import { type createPresses, type Ours, type Pressed, pressedOf, type Reply, taskDataOf, withLink } from './presses.js';
import type { TeamsCalls, TeamsReference } from './teams-calls.js';

export interface InteractionDeps {
  press: PressDeps;
  world: ChatWorld;
  cards: Pick<CardStore, 'connect'>;
  tenant: string;
  card: CardOptions;
  openPlaces: boolean;
  calls: Pick<TeamsCalls, 'say' | 'post'>;
  presses: ReturnType<typeof createPresses>;
  extension: MessageExtension;
  places: Places;
  members: Members;
  clock: Clock;
  /** Asks for the cards to be brought up to date; does not wait. */
  refresh(): void;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/**
 * What an invoke is answered with: AdaptiveCardInvokeResponse, or what a dialog or a message extension takes. It is never empty: Teams would say
 * "Unable to reach app", and ask again.
 */
export type InvokeAnswer =
  | { statusCode: 200; type: 'application/vnd.microsoft.card.adaptive'; value: AdaptiveCard }
  | { statusCode: 200; type: 'application/vnd.microsoft.activity.message'; value: string }
  | { statusCode: 501; type: 'application/vnd.microsoft.error'; value: { code: string; message: string } }
  | TaskAnswer
  | ExtensionAnswer;

export const said = (words: string): InvokeAnswer => ({ statusCode: 200, type: 'application/vnd.microsoft.activity.message', value: words });
const shown = (card: AdaptiveCard): InvokeAnswer => ({ statusCode: 200, type: 'application/vnd.microsoft.card.adaptive', value: card });

/** Commands whose answer is about the one who asked. */
const FOR_ONE: ReadonlySet<ChatCommand['kind']> = new Set(['waiting', 'decided', 'away', 'back', 'who']);

const UNKNOWN_ORGANISATION = 'Countersign does not know this organisation, so nothing was decided.';
const NOT_OURS = 'This button does not belong to this card. Nothing was decided; open the request from its own card.';

/** What people do in Teams: install the bot, speak to it, press its buttons. */
export function createInteractions(deps: InteractionDeps) {
  const once = createStoredOnce(deps.world, 'teams');
  const onceHere = createOnce(deps.clock);
  /** While the store is away, this process knows; the command then says itself that it cannot be done. */
  const isFirst = (key: string): Promise<boolean> => once(key).catch(() => onceHere(key));

  /** The turn of an activity that was authenticated. The answer is for invokes; a fault throws. */
  async function turn(context: TurnContext, activity: IncomingActivity): Promise<InvokeAnswer | null> {
    const { tenantId } = activity;
    const ours = tenantId !== null && deps.places.isOurs(tenantId) ? { ...activity, tenantId } : null;
    if (ours === null) deps.log.warn({ type: activity.type }, 'an activity from a Teams tenant that is not in MicrosoftAppTenantId, or from none');
    if (activity.type === 'invoke') return invoke(context, activity, ours);
    if (ours === null) return null;

    if (activity.botRemoved || (activity.type === 'installationUpdate' && activity.action === 'remove')) {
      await deps.places.forget(ours);
      return null;
    }
    const pressed = activity.type === 'message' ? pressedOf(ours.value, ours.value) : null;
    const command = activity.type === 'message' && pressed === null ? readCommand(ours.said) : null;
    if (command !== null) {
      await obey(context, ours, command);
      return null;
    }
    await deps.places.remember(ours, activity.type === 'message');
    if (pressed !== null) await submitted(context, ours, pressed);
    else if (activity.type === 'message') await addressed(context, ours);
    else if (activity.botAdded || activity.type === 'installationUpdate') await showOpenCards();
    await deps.places.learnName(context, ours);
    return null;
  }

  async function invoke(context: TurnContext, activity: IncomingActivity, ours: Ours | null): Promise<InvokeAnswer> {
    switch (activity.name) {
      case 'adaptiveCard/action': {
        if (ours === null) return said(UNKNOWN_ORGANISATION);
        const action = object(activity.value?.['action']);
        const pressed = pressedOf(action, object(action['data']));
        if (pressed === null) return said(NOT_OURS);
        await known(ours);
        const reply = await deps.presses.onCard(context, ours, pressed);
        return reply.kind === 'words' ? said(reply.text) : shown(reply.card);
      }
      case 'task/fetch':
      case 'task/submit':
        if (ours === null) return dialogWords(UNKNOWN_ORGANISATION);
        await known(ours);
        return deps.presses.inDialog(context, ours, taskDataOf(ours));
      case 'composeExtension/query':
        return ours === null ? extensionWords(UNKNOWN_ORGANISATION) : deps.extension.query(ours);
      default:
        return { statusCode: 501, type: 'application/vnd.microsoft.error', value: { code: 'NotSupported', message: 'Countersign does not do that.' } };
    }
  }

  /** The address to write to may have changed since; a press does not fail for it. */
  async function known(activity: Ours): Promise<void> {
    await deps.places.remember(activity, false).catch((error: unknown) => {
      deps.log.warn({ err: error }, 'a conversation could not be remembered');
    });
  }

  /** A client without Action.Execute or dialogs sends a press as a message, and is answered by one: to the presser alone, where there is a way. */
  async function submitted(context: TurnContext, activity: Ours, pressed: Pressed): Promise<void> {
    const reply = await deps.presses.onCard(context, activity, pressed);
    const user = activity.from.aadObjectId;
    const personal = activity.kind === 'personal' ? activity.reference : user === null ? null : await deps.places.personalOf(user);
    if (personal === null) {
      await say(activity, `This client cannot show the answer here. Use a newer one, or open ${deps.card.publicUrl}.`);
      return;
    }
    // Dialogs are missing, cards are not: the form stands in a message of its own.
    if (reply.kind === 'card' && pressed.verb === VERBS.dialog) await post(personal, reply.card, reply.text);
    else await deps.calls.say(personal, reply.text);
  }

  /** Commands do not wait for our memory of the conversation, and the same message is obeyed once. */
  async function obey(context: TurnContext, activity: Ours, command: ChatCommand): Promise<void> {
    if (activity.id !== null && !(await isFirst(`command|${activity.place}|${activity.id}`))) return;
    const user = activity.from.aadObjectId;
    const mentioned = async (mark: string): Promise<{ workspace: string; user: string } | null> => {
      const [, number = ''] = /^<at:(\d+)>$/.exec(mark) ?? [];
      const id = activity.mentions[Number(number)];
      return number === '' || id === undefined ? null : deps.members.mentioned(context, activity, id);
    };
    const world = commandDepsOf(deps.world, 'teams', deps.press.linkMode, '', mentioned);
    const answer: CommandAnswer =
      user === null
        ? { text: 'Teams does not say whose account this is, so nothing was done. Sign in with an account of the organisation.' }
        : await handleCommand(world, command, () => deps.members.account(context, activity, user));
    await tell(activity, command, answer);
    await deps.places.remember(activity, true).catch((error: unknown) => {
      deps.log.warn({ err: error }, 'a conversation could not be remembered');
    });
  }

  /** What is for one reader goes into their personal chat, wherever they asked: a one-time link, and what waits for them. */
  async function tell(activity: Ours, command: ChatCommand, { text: words, link, home }: CommandAnswer): Promise<void> {
    const whole = link === undefined ? words : `${words} ${link.url}`;
    const alone = link !== undefined || FOR_ONE.has(command.kind);
    const card = home !== undefined && (command.kind === 'waiting' || command.kind === 'decided') ? homeCard(home, command.kind) : null;
    if (activity.kind === 'personal' && card !== null) return post(activity.reference, card, words);
    if (!alone || activity.kind === 'personal') return say(activity, whole);
    const user = activity.from.aadObjectId;
    const personal = user === null ? null : await deps.places.openPersonal({ workspace: activity.tenantId, user }).catch(() => null);
    if (personal === null)
      return say(activity, `${link === undefined ? '' : `${words} `}Write to me in a personal chat to get the ${link === undefined ? 'answer' : 'link'}.`);
    await (card === null ? deps.calls.say(personal, whole) : post(personal, card, words));
    await say(activity, 'I answered you in our personal chat.');
  }

  /** A person spoke to the bot: it says what it will do here. In a personal chat that is also when an address links an account. */
  async function addressed(context: TurnContext, activity: Ours): Promise<void> {
    const words = await guarded(async () => ({ kind: 'words', text: await welcome(context, activity) }));
    await showOpenCards();
    await say(activity, words.text);
  }

  async function welcome(context: TurnContext, activity: Ours): Promise<string> {
    if (deps.openPlaces) return 'This is Countersign. Requests that need people are shown here.';
    if (activity.kind !== 'personal') {
      return (await deps.places.isAllowed(activity.place))
        ? 'This is Countersign. Requests that need people are shown here.'
        : 'This is Countersign. Requests are shown here once an administrator allows this conversation.';
    }
    const user = activity.from.aadObjectId;
    if (user === null) return 'Teams does not say whose account this is.';
    const { tenant, platform, linkMode: mode } = deps.press;
    const found = await personOf(deps.press, { tenant, platform, mode }, await deps.members.account(context, activity, user));
    return found.kind === 'person' ? 'This is Countersign. Requests that you may decide are shown here.' : withLink(found);
  }

  async function post(to: TeamsReference, card: AdaptiveCard, summary: string): Promise<void> {
    await deps.calls.post(to, card, cut(summary, 200)).catch((error: unknown) => {
      deps.log.warn({ err: error }, 'a person could not be answered');
    });
  }

  async function say(activity: IncomingActivity, words: string): Promise<void> {
    const { reference } = activity;
    await deps.calls.say({ ...reference, conversation: { ...reference.conversation, id: activity.conversationId } }, words).catch((error: unknown) => {
      deps.log.warn({ err: error }, 'a person could not be answered');
    });
  }

  /** Makes every open request due once more: it may belong into a place that was not known when it was opened. */
  async function showOpenCards(): Promise<void> {
    await deps.cards.connect(deps.tenant, 'teams');
    deps.refresh();
  }

  /** A fault is told to the person, and decides nothing. */
  async function guarded(work: () => Promise<Reply>): Promise<Reply> {
    try {
      return await work();
    } catch (error) {
      deps.log.error({ err: error }, 'an interaction failed');
      return { kind: 'words', text: FAULT_TEXT };
    }
  }

  return { turn };
}
