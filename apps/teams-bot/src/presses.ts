import {
  accountTrouble,
  type ActionAnswer,
  type ActionPress,
  type CardAction,
  type ChatActions,
  FAULT_TEXT,
  handlePress,
  mustOpen,
  noteOpened,
  type PressDeps,
  STEP_UP_BUTTON,
  textIn,
  tooLongIn,
} from '@countersign/chat';
import type { Card, JsonObject, Verdict } from '@countersign/contracts';
import { type CardOptions, cardOf } from '@countersign/core/card';
import type { CardStore, Clock, PressGuardStore, RequestState, RequestStore } from '@countersign/core/ports';
import { epochMs, formatInstant } from '@countersign/core/request';
import type { TurnContext } from 'botbuilder';
import type { AdaptiveCard } from './adaptive-card.js';
import { REASON_INPUT, TICKET_INPUT, VERBS, WHOLE, WORDS_INPUT } from './buttons.js';
import { actionIn, dialog, dialogWords, type Drawn, formCard, linkOf, pageIn, stepUpCard, type TaskAnswer, valuesIn, wordsCard } from './dialogs.js';
import { type IncomingActivity, object, text } from './incoming-activity.js';
import type { Members } from './members.js';
import { refOf } from './reference.js';
import type { Views } from './views.js';
import { wholePage, type WholePage } from './whole.js';

export interface PressesDeps {
  tenant: string;
  press: PressDeps;
  actions: ChatActions;
  cards: Pick<CardStore, 'postedByRef' | 'posted'>;
  requests: Pick<RequestStore, 'state'>;
  presses: PressGuardStore;
  card: CardOptions;
  members: Members;
  views: Views;
  clock: Clock;
  /** Asks for the cards to be brought up to date; does not wait. */
  refresh(): void;
  log: { error(fields: object, message: string): void };
}

/** An activity of a tenant that counts. */
export type Ours = IncomingActivity & { tenantId: string };

/** What a press is about, from its data. */
export interface Pressed {
  verb: string;
  data: JsonObject;
}

/** What is said to the presser: words, or a card in place of the one that was pressed. */
export type Reply = { kind: 'words'; text: string } | { kind: 'card'; text: string; card: AdaptiveCard };

const NOT_OURS = 'This button does not belong to this card. Nothing was decided; open the request from its own card.';
const NOBODY = 'Teams does not say whose account this is, so nothing was decided. Sign in with an account of the organisation.';
const SENT_ALREADY = 'This was sent already; it is not done twice. The card shows what came of it.';

/** The posted card that a button belongs to; `none`: it stands on no card, and names its request by id alone; `other`: on the card of another. */
type Bound = { kind: 'card'; activityId: string } | { kind: 'none' } | { kind: 'other' };

/** What comes of the buttons of cards, messages and dialogs. Whoever presses may send anything: what counts is what the store knows of the message. */
export function createPresses(deps: PressesDeps) {
  const { tenant } = deps;

  /** A press in place: what the presser sees instead of the card, or is told. */
  async function onCard(context: TurnContext, activity: Ours, { verb, data }: Pressed): Promise<Reply> {
    switch (verb) {
      case VERBS.approve:
      case VERBS.deny: {
        if (verb === VERBS.approve && data['first'] === WHOLE) return whole(context, activity, data);
        const told = await decide(context, activity, verb, data, activity.replyToId);
        return told.card === undefined || told.card === null ? { kind: 'words', text: withLink(told) } : { kind: 'card', text: told.text, card: told.card };
      }
      case VERBS.everything:
        return whole(context, activity, data);
      case VERBS.card:
      case VERBS.refresh: {
        const state = await stateOf(activity, data, await bind(activity, data));
        if (state === null) return { kind: 'words', text: NOT_OURS };
        return { kind: 'card', text: urlOf(state), card: await deps.views.own(activity, state) };
      }
      case VERBS.dialog:
      case VERBS.form:
      case VERBS.send:
        return act(context, activity, verb, data);
      default:
        return { kind: 'words', text: NOT_OURS };
    }
  }

  /** What a dialog shows first, and after each of its buttons. */
  async function inDialog(context: TurnContext, activity: Ours, data: JsonObject): Promise<TaskAnswer> {
    const verb = text(data['verb']);
    if (verb === VERBS.approve || verb === VERBS.deny) {
      const bound = await bind(activity, data);
      const told = await decide(context, activity, verb, data, bound.kind === 'card' ? bound.activityId : null);
      return told.step_up === true && told.card ? dialog('Your passkey is needed', told.card) : dialogWords(told.text, told.link ?? null);
    }
    if (data['open'] === WHOLE) {
      const bound = await bind(activity, data);
      const shown = await pageOf(context, activity, data, bound, 'dialog');
      return typeof shown === 'string' ? dialogWords(shown) : dialog('Everything', shown.page.card, 'large');
    }
    const done = await perform(context, activity, data, verb === VERBS.send, 'dialog');
    if (done.kind === 'form') return dialog(done.title, done.card);
    return dialogWords(done.text, done.link);
  }

  /** The form of an action in place of the card, or what came of it. */
  async function act(context: TurnContext, activity: Ours, verb: string, data: JsonObject): Promise<Reply> {
    // A client without dialogs: the form stands in a message of its own.
    if (data['open'] === WHOLE) return whole(context, activity, data);
    const done = await perform(context, activity, data, verb === VERBS.send, 'card');
    if (done.kind === 'form') return { kind: 'card', text: done.title, card: done.card };
    const words = withLink({ text: done.text, ...(done.link === null ? {} : { link: done.link }) });
    // A card that was answered by a form gets itself back; a message stays what it was.
    const state = done.bound.kind === 'card' ? await deps.requests.state(tenant, text(data['request_id']) ?? '') : null;
    if (state === null) return { kind: 'card', text: words, card: wordsCard(done.text || 'Done.', done.link, null) };
    if (done.link !== null || done.text.includes('\n')) {
      return { kind: 'card', text: words, card: wordsCard(done.text, done.link, { card: cardOf(state, deps.card) }) };
    }
    return { kind: 'card', text: words, card: await deps.views.own(activity, state, done.text) };
  }

  type Performed =
    | { kind: 'form'; title: string; card: AdaptiveCard }
    | { kind: 'told'; text: string; link: { label: string; url: string } | null; bound: Bound };

  async function perform(context: TurnContext, activity: Ours, data: JsonObject, sent: boolean, drawn: Drawn): Promise<Performed> {
    const bound = await bind(activity, data);
    const told = (words: string): Performed => ({ kind: 'told', text: words, link: null, bound: { kind: 'none' } });
    const [action, request_id] = [actionIn(data), text(data['request_id'])];
    if (action === null || request_id === null || bound.kind === 'other') return told(NOT_OURS);
    const user = activity.from.aadObjectId;
    if (user === null) return told(NOBODY);
    if (sent && activity.id !== null && !(await deps.presses.take({ tenant, platform: 'teams', key: `send|${activity.place}|${activity.id}` })))
      return told(SENT_ALREADY);
    const press: ActionPress = {
      ref: bound.kind === 'card' ? refOf(activity.place, bound.activityId) : null,
      request_id,
      request_digest: text(data['request_digest']),
      subject: text(data['subject']),
      account: await deps.members.account(context, activity, user),
      at: pressedAt(activity),
    };
    return answered(action, press, bound, data, sent, drawn);
  }

  async function answered(action: CardAction, press: ActionPress, bound: Bound, data: JsonObject, sent: boolean, drawn: Drawn): Promise<Performed> {
    const values = valuesIn(data);
    const answer: ActionAnswer = sent ? await deps.actions.submit(action, press, values) : await deps.actions.open(action, press);
    const { request_id, request_digest } = press;
    const about = { request_id, request_digest, card: bound.kind === 'card' ? bound.activityId : null };
    if (answer.kind === 'form') return { kind: 'form', title: answer.form.title, card: formCard(answer.form, about, drawn) };
    if (answer.kind === 'refused' && answer.code === 'form_incomplete' && sent) {
      const again = await deps.actions.open(action, press);
      if (again.kind === 'form') return { kind: 'form', title: again.form.title, card: formCard(again.form, about, drawn, answer.text, values) };
    }
    if (answer.kind === 'done') deps.refresh();
    return { kind: 'told', text: answer.text, link: linkOf(answer), bound };
  }

  /** What a decision came to, for the one who made it. */
  interface Told {
    text: string;
    card?: AdaptiveCard | null;
    link?: { label: string; url: string };
    step_up?: true;
  }

  /** `activityId`: the card that the button stands on, or that its dialog was opened from. */
  async function decide(context: TurnContext, activity: Ours, verdict: Verdict, data: JsonObject, activityId: string | null): Promise<Told> {
    const [request_id, request_digest, user] = [text(data['request_id']), text(data['request_digest']), activity.from.aadObjectId];
    if (request_id === null || request_digest === null || activityId === null) return { text: NOT_OURS };
    if (user === null) return { text: NOBODY };
    const entered = { reason: text(data[REASON_INPUT]) ?? '', ticket: text(data[TICKET_INPUT]) ?? '' };
    const long = tooLongIn(entered);
    if (long !== null) return { text: long.text };
    const [reason, ticket] = [textIn(entered, 'reason') ?? null, textIn(entered, 'ticket')];
    const words = Object.entries(data).flatMap(([name, value]) =>
      name.startsWith(WORDS_INPUT) && typeof value === 'string' && value !== '' ? [value.slice(0, 500)] : [],
    );
    const given = { ...(ticket === undefined ? {} : { ticket }), ...(words.length === 0 ? {} : { acknowledged: words.slice(0, 10) }) };
    const account = await deps.members.account(context, activity, user);
    const ref = refOf(activity.place, activityId);
    const decided = await handlePress(deps.press, { ref, request_id, request_digest, verdict, reason, ...given, account, at: pressedAt(activity) });
    // The worker alone writes cards for everybody: a second writer could put an older state over a newer one.
    if (decided.card !== null) deps.refresh();
    if (decided.kind === 'step_up') {
      // An old client shows text alone, so the address stands in it too.
      const told = `${decided.text} ${decided.url}`;
      return { text: told, card: decided.card === null ? null : stepUpCard(decided.card, decided.text, STEP_UP_BUTTON, decided.url), step_up: true };
    }
    if (decided.kind === 'refused') return decided.link === undefined ? { text: decided.text } : { text: decided.text, link: decided.link };
    const state = await deps.requests.state(tenant, request_id).catch(() => null);
    return { text: decided.text, card: state === null ? null : await deps.views.own(activity, state, decided.text).catch(() => null) };
  }

  async function whole(context: TurnContext, activity: Ours, data: JsonObject): Promise<Reply> {
    const shown = await pageOf(context, activity, data, await bind(activity, data), 'card');
    return typeof shown === 'string' ? { kind: 'words', text: shown } : { kind: 'card', text: shown.card.url, card: shown.page.card };
  }

  /** A page of all of it; words where it is not shown. Its last page is what `must_open` waits for. */
  async function pageOf(context: TurnContext, activity: Ours, data: JsonObject, bound: Bound, drawn: Drawn): Promise<{ page: WholePage; card: Card } | string> {
    const state = await stateOf(activity, data, bound);
    const user = activity.from.aadObjectId;
    if (state === null || bound.kind !== 'card') return NOT_OURS;
    if (user === null) return NOBODY;
    const account = await deps.members.account(context, activity, user);
    // What a conversation shows them is all that guests and strangers get.
    const trouble = accountTrouble('teams', account);
    if (trouble !== null) return trouble.text;
    const card = cardOf(state, deps.card);
    // On a message of its own, which a client without dialogs gets, the page names the card.
    const named = bound.activityId === activity.replyToId && text(data['open']) === null ? null : bound.activityId;
    const where = drawn === 'card' ? { kind: 'card' as const, card: named } : { kind: 'dialog' as const, card: bound.activityId };
    const page = wholePage(card, where, { page: pageIn(data['page']), of: text(data['of']) });
    if (mustOpen(card) && page.last) await noteOpened(deps.press, account, card);
    return { page, card };
  }

  /** The request that a button is about, as it is now; null where the button is not its own. */
  async function stateOf(activity: Ours, data: JsonObject, bound: Bound): Promise<RequestState | null> {
    const request_id = text(data['request_id']);
    return bound.kind !== 'card' || request_id === null ? null : deps.requests.state(tenant, request_id);
  }

  /**
   * The posted card of the request that the data names: the message that was pressed, or the one in the same conversation that a reply or a
   * dialog says it came from. A dialog that names neither belongs to the request's card there.
   */
  async function bind(activity: Ours, data: JsonObject): Promise<Bound> {
    const request_id = text(data['request_id']);
    if (request_id === null) return { kind: 'other' };
    for (const named of [activity.replyToId, text(data['card'])]) {
      if (named === null) continue;
      const posted = await deps.cards.postedByRef('teams', refOf(activity.place, named));
      if (posted !== null) return posted.tenant === tenant && posted.request_id === request_id ? { kind: 'card', activityId: named } : { kind: 'other' };
    }
    if (activity.replyToId !== null || data['card'] !== undefined) return { kind: 'none' };
    const there = (await deps.cards.posted(tenant, 'teams', request_id)).find(({ place, ref }) => place === activity.place && ref !== null);
    const activityId = text(there?.ref?.['activity']);
    return activityId === null ? { kind: 'none' } : { kind: 'card', activityId };
  }

  const urlOf = ({ request }: RequestState): string => `${deps.card.publicUrl}/requests/${request.id}`;

  /** When Teams says that it was pressed; our own time where it says none, or one that cannot be. */
  function pressedAt(activity: IncomingActivity): string {
    const now = deps.clock.now();
    const at = Date.parse(activity.timestamp ?? '');
    return Math.abs(at - epochMs(now)) < 5 * 60_000 ? formatInstant(at) : now;
  }

  /** A fault is told to the person, and decides nothing. */
  async function guarded<T>(work: () => Promise<T>, fault: (words: string) => T): Promise<T> {
    try {
      return await work();
    } catch (error) {
      deps.log.error({ err: error }, 'an interaction failed');
      return fault(FAULT_TEXT);
    }
  }

  return {
    onCard: (context: TurnContext, activity: Ours, pressed: Pressed): Promise<Reply> =>
      guarded(
        () => onCard(context, activity, pressed),
        (words) => ({ kind: 'words', text: words }),
      ),
    inDialog: (context: TurnContext, activity: Ours, data: JsonObject): Promise<TaskAnswer> =>
      guarded(
        () => inDialog(context, activity, data),
        (words) => dialogWords(words),
      ),
  };
}

/** What an invoke answers is text alone, and is read by the presser alone. */
export const withLink = ({ text: words, link }: { text: string; link?: { url: string } }): string => (link === undefined ? words : `${words} ${link.url}`);

/** What was pressed; null where it is no button of ours. */
export function pressedOf(named: JsonObject | null, data: JsonObject | null): Pressed | null {
  const verb = text(named?.['verb']);
  return verb === null || data === null ? null : { verb, data };
}

/** What a dialog was opened with, or sent: value.data. */
export const taskDataOf = (activity: IncomingActivity): JsonObject => object(activity.value?.['data']);
