import {
  type ChatCommand,
  type CommandAnswer,
  type CommandDeps,
  createOnce,
  FAULT_TEXT,
  handleCommand,
  handlePress,
  noteOpened,
  personOf,
  readCommand,
  type PressDeps,
  STEP_UP_BUTTON,
} from '@countersign/chat';
import type { Card, JsonObject, Verdict } from '@countersign/contracts';
import { type CardOptions, cardOf } from '@countersign/core/card';
import type { CardStore, Clock, RequestStore } from '@countersign/core/ports';
import { epochMs, formatInstant } from '@countersign/core/request';
import type { TurnContext } from 'botbuilder';
import type { AdaptiveCard } from './adaptive-card.js';
import { type IncomingActivity, object, text } from './incoming-activity.js';
import type { Members } from './members.js';
import type { Places } from './places.js';
import { refOf } from './reference.js';
import { MOST_REASON, REASON_INPUT, TICKET_INPUT, VERBS, WHOLE, WORDS_INPUT } from './buttons.js';
import { pageIn, stepUpCard } from './dialogs.js';
import { renderCard } from './render.js';
import type { TeamsCalls } from './teams-calls.js';
import { wholePage } from './whole.js';

export interface InteractionDeps {
  press: PressDeps;
  freezes: CommandDeps['freezes'];
  cards: Pick<CardStore, 'postedByRef' | 'connect'>;
  requests: Pick<RequestStore, 'state'>;
  tenant: string;
  card: CardOptions;
  openPlaces: boolean;
  calls: Pick<TeamsCalls, 'say'>;
  places: Places;
  members: Members;
  clock: Clock;
  /** Asks for the cards to be brought up to date; does not wait. */
  refresh(): void;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** What an invoke is answered with: AdaptiveCardInvokeResponse. It is never empty: Teams would say "Unable to reach app", and ask again. */
export type InvokeAnswer =
  | { statusCode: 200; type: 'application/vnd.microsoft.card.adaptive'; value: AdaptiveCard }
  | { statusCode: 200; type: 'application/vnd.microsoft.activity.message'; value: string }
  | { statusCode: 501; type: 'application/vnd.microsoft.error'; value: { code: string; message: string } };

export const said = (words: string): InvokeAnswer => ({ statusCode: 200, type: 'application/vnd.microsoft.activity.message', value: words });
const shown = (card: AdaptiveCard): InvokeAnswer => ({ statusCode: 200, type: 'application/vnd.microsoft.card.adaptive', value: card });

/** What a press is about, from its data. */
interface Pressed {
  verb: string;
  data: JsonObject;
}

/** What is said to the presser: words, or a card in place of the one that was pressed. */
type Reply = { kind: 'words'; text: string } | { kind: 'card'; text: string; card: AdaptiveCard };

const NOT_OURS = 'This button does not belong to this card. Nothing was decided; open the request from its own card.';

/** What people do in Teams: install the bot, speak to it, press its buttons. */
export function createInteractions(deps: InteractionDeps) {
  const once = createOnce(deps.clock);

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

  async function invoke(context: TurnContext, activity: IncomingActivity, ours: (IncomingActivity & { tenantId: string }) | null): Promise<InvokeAnswer> {
    if (activity.name !== 'adaptiveCard/action')
      return { statusCode: 501, type: 'application/vnd.microsoft.error', value: { code: 'NotSupported', message: 'Countersign does not do that.' } };
    if (ours === null) return said('Countersign does not know this organisation, so nothing was decided.');
    const action = object(activity.value?.['action']);
    const pressed = pressedOf(action, object(action['data']));
    if (pressed === null) return said(NOT_OURS);
    // The address to write to may have changed since; a press does not fail for it.
    await deps.places.remember(ours, false).catch((error: unknown) => {
      deps.log.warn({ err: error }, 'a conversation could not be remembered');
    });
    const reply = await guarded(() => answer(context, ours, pressed));
    return reply.kind === 'words' ? said(reply.text) : shown(reply.card);
  }

  async function answer(context: TurnContext, activity: IncomingActivity & { tenantId: string }, { verb, data }: Pressed): Promise<Reply> {
    switch (verb) {
      case VERBS.approve:
        if (data['first'] === WHOLE) return answer(context, activity, { verb: VERBS.everything, data });
        return decide(context, activity, 'approve', data);
      case VERBS.deny:
        return decide(context, activity, 'deny', data);
      case VERBS.everything:
      case VERBS.card: {
        const card = await cardOfPress(activity, data);
        if (card === null) return { kind: 'words', text: NOT_OURS };
        if (verb === VERBS.card) return { kind: 'card', text: card.url, card: renderCard(card) };
        const user = activity.from.aadObjectId;
        const shown = wholePage(card, { kind: 'card' }, { page: pageIn(data['page']), of: text(data['of']) });
        if (user !== null && card.demands?.must_open === true && shown.last)
          await noteOpened(deps.press, await deps.members.account(context, activity, user), card);
        return { kind: 'card', text: card.url, card: shown.card };
      }
      default:
        return { kind: 'words', text: NOT_OURS };
    }
  }

  async function decide(context: TurnContext, activity: IncomingActivity & { tenantId: string }, verdict: Verdict, data: JsonObject): Promise<Reply> {
    const [request_id, request_digest, user] = [text(data['request_id']), text(data['request_digest']), activity.from.aadObjectId];
    if (request_id === null || request_digest === null || activity.replyToId === null) return { kind: 'words', text: NOT_OURS };
    if (user === null)
      return { kind: 'words', text: 'Teams does not say whose account this is, so nothing was decided. Sign in with an account of the organisation.' };
    const reason = text(data[REASON_INPUT])?.trim() || null;
    if (reason !== null && (reason.length > MOST_REASON || /\p{Cs}|\0/u.test(reason))) {
      return { kind: 'words', text: `Nothing was decided: the reason may have ${MOST_REASON.toLocaleString('en-US')} characters, all of them printable.` };
    }
    const ticket = text(data[TICKET_INPUT])?.trim() || null;
    const words = Object.entries(data).flatMap(([name, value]) =>
      name.startsWith(WORDS_INPUT) && typeof value === 'string' && value !== '' ? [value.slice(0, 500)] : [],
    );
    const given = { ...(ticket === null ? {} : { ticket: ticket.slice(0, 256) }), ...(words.length === 0 ? {} : { acknowledged: words.slice(0, 10) }) };
    const account = await deps.members.account(context, activity, user);
    const ref = refOf(activity.place, activity.replyToId);
    const decided = await handlePress(deps.press, { ref, request_id, request_digest, verdict, reason, ...given, account, at: pressedAt(activity) });
    // The worker alone writes cards for everybody: a second writer could put an older state over a newer one.
    if (decided.card !== null) deps.refresh();
    if (decided.kind === 'step_up') {
      // An old client shows text alone, so the address stands in it too.
      const words = `${decided.text} ${decided.url}`;
      return decided.card === null
        ? { kind: 'words', text: words }
        : { kind: 'card', text: words, card: stepUpCard(decided.card, decided.text, STEP_UP_BUTTON, decided.url) };
    }
    return decided.kind === 'decided'
      ? { kind: 'card', text: decided.text, card: renderCard(decided.card, decided.text) }
      : { kind: 'words', text: withLink(decided) };
  }

  /** The card that a button stands on, as it is now; null where the button is not its own. */
  async function cardOfPress(activity: IncomingActivity, data: JsonObject): Promise<Card | null> {
    const posted = activity.replyToId === null ? null : await deps.cards.postedByRef('teams', refOf(activity.place, activity.replyToId));
    if (posted === null || posted.tenant !== deps.tenant || posted.request_id !== data['request_id']) return null;
    const state = await deps.requests.state(deps.tenant, posted.request_id);
    return state === null ? null : cardOf(state, deps.card);
  }

  /** An old client's press comes as a message, and is answered by one: to the presser alone, where there is a way. */
  async function submitted(context: TurnContext, activity: IncomingActivity & { tenantId: string }, pressed: Pressed): Promise<void> {
    const reply = await guarded(() => answer(context, activity, pressed));
    const user = activity.from.aadObjectId;
    const personal = activity.kind === 'personal' ? activity.reference : user === null ? null : await deps.places.personalOf(user);
    if (personal !== null) await deps.calls.say(personal, reply.text);
    else await say(activity, `This client cannot show the answer here. Use a newer one, or open ${deps.card.publicUrl}.`);
  }

  /** Words that stop things, or let them go on. They do not wait for our memory of the conversation, and the same message is obeyed once. */
  async function obey(context: TurnContext, activity: IncomingActivity & { tenantId: string }, command: ChatCommand): Promise<void> {
    if (activity.id !== null && !once(`${activity.place}|${activity.id}`)) return;
    const { tenant, platform, linkMode, directory, links } = deps.press;
    const world = { tenant, platform, linkMode, directory, links, freezes: deps.freezes, spoken: '', log: deps.log };
    const user = activity.from.aadObjectId;
    const answer: CommandAnswer =
      user === null
        ? { text: 'Teams does not say whose account this is, so nothing was done. Sign in with an account of the organisation.' }
        : await handleCommand(world, command, () => deps.members.account(context, activity, user));
    if (answer.link === undefined) await say(activity, answer.text);
    // A one-time link is for one reader.
    else if (activity.kind === 'personal') await say(activity, `${answer.text} ${answer.link.url}`);
    else await say(activity, `${answer.text} Write to me in a personal chat to get the link.`);
    await deps.places.remember(activity, true).catch((error: unknown) => {
      deps.log.warn({ err: error }, 'a conversation could not be remembered');
    });
  }

  /** A person spoke to the bot: it says what it will do here. In a personal chat that is also when an address links an account. */
  async function addressed(context: TurnContext, activity: IncomingActivity & { tenantId: string }): Promise<void> {
    const words = await guarded(async () => ({ kind: 'words', text: await welcome(context, activity) }));
    await showOpenCards();
    await say(activity, words.text);
  }

  async function welcome(context: TurnContext, activity: IncomingActivity & { tenantId: string }): Promise<string> {
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

  /** When Teams says that it was pressed; our own time where it says none, or one that cannot be. */
  function pressedAt(activity: IncomingActivity): string {
    const now = deps.clock.now();
    const at = Date.parse(activity.timestamp ?? '');
    return Math.abs(at - epochMs(now)) < 5 * 60_000 ? formatInstant(at) : now;
  }

  return { turn };
}

/** What an invoke answers is text alone, and is read by the presser alone. */
const withLink = ({ text: words, link }: { text: string; link?: { url: string } }): string => (link === undefined ? words : `${words} ${link.url}`);

function pressedOf(named: JsonObject | null, data: JsonObject | null): Pressed | null {
  const verb = text(named?.['verb']);
  return verb === null || data === null ? null : { verb, data };
}
