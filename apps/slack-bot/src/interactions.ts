import {
  accountTrouble,
  type ActionAnswer,
  type ActionPress,
  type CardAction,
  cardActions,
  type ChatActions,
  FAULT_TEXT,
  type FormValues,
  handlePress,
  mustOpen,
  noteOpened,
  personOf,
  type PressAnswer,
  type PressDeps,
  STEP_UP_BUTTON,
} from '@countersign/chat';
import type { JsonObject } from '@countersign/contracts';
import { type CardOptions, cardOf } from '@countersign/core/card';
import { personMayRead } from '@countersign/core/decision';
import type { CardStore, Clock, NoticeStore, Person, RequestStore } from '@countersign/core/ports';
import type { App, BlockAction, BlockButtonAction, BlockOverflowAction, types, ViewSubmitAction } from '@slack/bolt';
import { ACT_ACTION, actionNamed, ACTIONS, MORE_ACTION, OPEN_WHOLE, requestOfBlock } from './buttons.js';
import { emptyIn, FORM_MODAL, formModal, formValues, hasLongChoices, withLongChoices } from './forms.js';
import { everythingModal, FILE_ACTION, isLastPage, PAGE_ACTION, saidModal, waitingForModal, waitingModal } from './modals.js';
import { refOf } from './platform.js';
import { instantOf, type Pressed, pressedIn, pressedOf, type Presser, presserOf, readObject, remembered, type Where } from './pressed.js';
import { box, line, richText, run } from './rich-text.js';
import { type SlackCalls, slackError } from './slack-calls.js';
import type { Said, Tell } from './tell.js';
import { putIntoThread } from './whole-file.js';
import type { SlackWorkspace } from './workspace.js';

export interface InteractionDeps {
  press: PressDeps;
  actions: ChatActions;
  cards: Pick<CardStore, 'postedByRef'>;
  requests: Pick<RequestStore, 'state'>;
  tenant: string;
  card: CardOptions;
  call: SlackCalls;
  workspace: SlackWorkspace;
  clock: Clock;
  tell: Tell;
  /** Asks for the cards to be brought up to date; does not wait. */
  refresh(): void;
  /** A person's home, as blocks. */
  homeFor(person: Person): Promise<types.KnownBlock[]>;
  /** Messages of ours that are no cards. */
  notices: Pick<NoticeStore, 'toldByRef'>;
  /** Whether this is the first time in any process that this was sent; throws where that cannot be known. */
  once(key: string): Promise<boolean>;
  /** Something changed for this person: their App Home, where they look at it, is drawn anew; does not wait. */
  changedFor?(presser: Presser): void;
  /** How long a press may take until its person is told that it is worked on, in milliseconds. */
  workingAfterMs: number;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** Where an answer goes: into a modal that is open, or to be opened, for the person. */
type Stage = { trigger: string } | { view: string };

/** One page of all of a request, and what vouches for its being shown. */
interface Shown {
  request_id: string;
  page: number;
  decide: boolean;
  /** A card of it stands before the person; else it is shown to whom may read it. */
  vouched: boolean;
  from: { channel: string; ts: string } | null;
}

/** What other entrances (App Home, shortcuts, commands) need of it. */
export interface Interactions {
  /** What waits for a person, in a modal. */
  showWaiting(trigger: string, presser: Presser): Promise<void>;
  /** All of the request that a message is about, in a modal; `request_id` is what it names where it is of this bot and no card. */
  showMessage(trigger: string, presser: Presser, message: { channel: string; ts: string; bot: string | null; request_id: string | null }): Promise<void>;
}

const DECIDING: ReadonlySet<CardAction> = new Set(['approve', 'deny', 'bulk', 'break_glass']);

/** Said where a press takes its time. */
const WORKING = 'We are on it. Nothing is decided until it is said here.';
const FOREIGN = 'This button does not belong to this card.';
const UNREADABLE = 'There is no such request, or it is not for you to see.';

/**
 * What Slack's people do, in three seconds each: acknowledged first, modals opened before any other work, and then the same
 * road as on every platform. Words for one person go by ephemeral message or into their modal, never into the channel.
 */
export function listen(app: App, deps: InteractionDeps): Interactions {
  const block = (action_id: string | RegExp) => ({ type: 'block_actions', action_id }) as const;

  app.action<BlockButtonAction>(block(ACTIONS.approve), async ({ ack, body, action }) => {
    await ack();
    const pressed = pressedOf(body, readObject(action.value));
    if (pressed !== null) await approve(pressed, presserOf(body), instantOf(action.action_ts) ?? deps.clock.now());
  });

  const asking: [string, CardAction][] = [
    [ACTIONS.approveWithReason, 'approve'],
    [ACTIONS.approveWithMore, 'approve'],
    [ACTIONS.deny, 'deny'],
    [ACTIONS.denyWithReason, 'deny'],
  ];
  for (const [action_id, name] of asking) {
    app.action<BlockButtonAction>(block(action_id), async ({ ack, body, action }) => {
      await ack();
      await act(name, pressedOf(body, readObject(action.value)), body, action.action_ts);
    });
  }

  app.action<BlockButtonAction>(block(ACT_ACTION), async ({ ack, body, action }) => {
    await ack();
    const name = actionNamed(action.action_id);
    if (name !== null) await act(name, pressedOf(body, readObject(action.value)), body, action.action_ts);
  });

  app.action<BlockOverflowAction>(block(MORE_ACTION), async ({ ack, body, action }) => {
    await ack();
    const name = actionNamed(action.selected_option.value ?? '');
    if (name !== null) await act(name, pressedOf(body, requestOfBlock(action.block_id)), body, action.action_ts);
  });

  app.view<ViewSubmitAction>(FORM_MODAL, async ({ ack, body, view }) => {
    const empty = emptyIn(view);
    if (empty !== null) {
      await ack({ response_action: 'errors', errors: empty });
      return;
    }
    await ack({ response_action: 'clear' });
    const metadata = readObject(view.private_metadata);
    const pressed = pressedIn(metadata);
    const name = cardActions.find((one) => one === metadata?.['action']);
    if (pressed === null || name === undefined) return;
    const presser = presserOf(body);
    await guarded(pressed.where, presser.user, async () => {
      // What decides is judged by what stands decided; all else would be done twice.
      if (!DECIDING.has(name) && !(await deps.once(`form:${body.trigger_id}`))) return;
      await submit(name, pressed, presser, formValues(view.state.values));
    });
  });

  app.action<BlockButtonAction>(block(ACTIONS.everything), async ({ ack, body, action }) => {
    await ack();
    const pressed = pressedOf(body, readObject(action.value));
    if (pressed === null) return;
    const { request_id, where } = pressed;
    await onStage({ trigger: body.trigger_id }, where, body.user.id, async (view) => {
      const ours = where !== null && (await isCardOf(where, request_id));
      return ours ? page(view, presserOf(body), { request_id, page: 0, decide: false, vouched: true, from: where }) : { text: FOREIGN };
    });
  });

  app.action<BlockButtonAction>(block(PAGE_ACTION), async ({ ack, body, action }) => {
    await ack();
    const value = readObject(action.value);
    const view = body.view?.id;
    if (view === undefined || typeof value?.['request_id'] !== 'string' || typeof value['page'] !== 'number') return;
    const { request_id, page: to, decide } = value;
    await guarded(null, body.user.id, async () => {
      const from = placeIn(body);
      const vouched = from !== null && (await isCardOf(from, request_id));
      const said = await page(view, presserOf(body), { request_id, page: to, decide: decide === true, vouched, from: vouched ? from : null });
      if (said !== null) await show(view, saidModal(said.text, said.link));
    });
  });

  app.action<BlockButtonAction>(block(OPEN_WHOLE), async ({ ack, body, action }) => {
    await ack();
    const pressed = pressedOf(body, readObject(action.value));
    if (pressed === null) return;
    const { request_id, where } = pressed;
    const inView = body.view?.type === 'modal' ? body.view.id : undefined;
    const stage: Stage = inView === undefined ? { trigger: body.trigger_id } : { view: inView };
    await onStage(stage, where, body.user.id, async (view) => {
      const from = where !== null && (await isCardOf(where, request_id)) ? where : null;
      return page(view, presserOf(body), { request_id, page: 0, decide: true, vouched: from !== null, from });
    });
  });

  app.action<BlockButtonAction>(block(FILE_ACTION), async ({ ack, body, action }) => {
    await ack();
    const pressed = pressedOf(body, readObject(action.value));
    const from = placeIn(body);
    if (pressed === null || from === null || body.view === undefined) return;
    await onStage({ view: body.view.id }, null, body.user.id, async () => {
      const presser = presserOf(body);
      const trouble = accountTrouble('slack', await deps.workspace.account(presser.user, presser));
      if (trouble !== null) return trouble;
      const state = (await isCardOf(from, pressed.request_id)) ? await deps.requests.state(deps.tenant, pressed.request_id) : null;
      return { text: state === null ? FOREIGN : await putIntoThread(deps.call, from, cardOf(state, deps.card)) };
    });
  });

  // A button with an address opens it in the person's browser; Slack wants to be told that we heard.
  app.action(new RegExp(`^${ACTIONS.open}(?:_\\d+)?$`), async ({ ack }) => {
    await ack();
  });

  app.event('user_change', async ({ event }) => {
    deps.workspace.forget(event.user.id);
  });

  /** One press decides. */
  async function approve(pressed: Pressed, presser: Presser, at: string): Promise<void> {
    const { where, request_id, request_digest } = pressed;
    if (where === null) return;
    await guarded(where, presser.user, async () => {
      const account = await deps.workspace.account(presser.user, presser);
      const ref = refOf(where.channel, where.ts);
      const answer = await handlePress(deps.press, { ref, request_id, request_digest, verdict: 'approve', reason: null, account, at });
      // The worker alone writes cards: a second writer could put an older state over a newer one.
      if (answer.card !== null) changed(presser);
      await deps.tell(where, presser.user, { text: answer.text, link: linkOf(answer) });
    });
  }

  /** An action's button: its form in a modal, or what came of it. */
  async function act(action: CardAction, pressed: Pressed | null, body: BlockAction, ts: string): Promise<void> {
    if (pressed === null) return;
    const presser = presserOf(body);
    const inView = body.view?.type === 'modal' ? body.view.id : undefined;
    const stage: Stage = inView === undefined ? { trigger: body.trigger_id } : { view: inView };
    await onStage(stage, pressed.where, presser.user, async (view) => {
      const answer = await deps.actions.open(action, await pressOf(pressed, presser, instantOf(ts) ?? deps.clock.now()));
      if (answer.kind !== 'form') return saidOf(answer, presser);
      const metadata = JSON.stringify({ action, ...remembered({ ...pressed, subject: answer.form.subject ?? pressed.subject }) });
      await show(view, formModal(answer.form, metadata));
      return null;
    });
  }

  async function submit(action: CardAction, pressed: Pressed, presser: Presser, entered: FormValues): Promise<void> {
    const press = await pressOf(pressed, presser, deps.clock.now());
    const answer = await submitted(action, press, entered);
    const said = answer.kind === 'form' ? { text: 'Nothing was done yet: press the button again, there is more to say.' } : saidOf(answer, presser);
    await deps.tell(pressed.where, presser.user, { ...said, ...(answer.kind === 'done' ? {} : { more: written(entered) }) });
  }

  async function submitted(action: CardAction, press: ActionPress, entered: FormValues): Promise<ActionAnswer> {
    if (!hasLongChoices(entered)) return deps.actions.submit(action, press, entered);
    const asked = await deps.actions.open(action, press);
    if (asked.kind !== 'form') return asked;
    const values = withLongChoices(entered, asked.form);
    if (values === null)
      return { kind: 'refused', code: 'form_incomplete', text: 'Nothing was done: what you chose is no choice any more. Press the button again.' };
    return deps.actions.submit(action, press, values);
  }

  async function pressOf({ request_id, request_digest, subject, where }: Pressed, presser: Presser, at: string): Promise<ActionPress> {
    const account = await deps.workspace.account(presser.user, presser);
    return { ref: await refFor(where), request_id, request_digest, subject, account, at };
  }

  /**
   * The message that vouches for a button: a card, or a notice. Another message of the app names its request by id, and each acts on what they may
   * see themselves. A message of somebody else vouches for nothing, and its reference leads nowhere.
   */
  async function refFor(where: Where | null): Promise<JsonObject | null> {
    if (where === null) return null;
    const ref = refOf(where.channel, where.ts);
    if (!where.own) return ref;
    return (await deps.cards.postedByRef('slack', ref)) === null && (await deps.notices.toldByRef('slack', ref)) === null ? null : ref;
  }

  async function isCardOf({ channel, ts }: { channel: string; ts: string }, request_id: string): Promise<boolean> {
    const posted = await deps.cards.postedByRef('slack', refOf(channel, ts));
    return posted !== null && posted.tenant === deps.tenant && posted.request_id === request_id;
  }

  function saidOf(answer: Exclude<ActionAnswer, { kind: 'form' }>, presser: Presser): Said {
    // What was refused may have been refused for a card that is out of date.
    changed(presser);
    return { text: answer.text, link: answer.kind === 'refused' ? answer.link : undefined };
  }

  function changed(presser: Presser): void {
    deps.refresh();
    deps.changedFor?.(presser);
  }

  /** Draws one page of all of a request; words where it cannot be shown. */
  async function page(view: string, presser: Presser, which: Shown): Promise<Said | null> {
    const state = await deps.requests.state(deps.tenant, which.request_id);
    const account = await deps.workspace.account(presser.user, presser);
    // What a channel shows them is all that guests and strangers get.
    const trouble = accountTrouble('slack', account);
    if (trouble !== null) return trouble;
    if (!which.vouched) {
      const found = await personOf(deps.press, { tenant: deps.tenant, platform: 'slack', mode: deps.press.linkMode }, account);
      if (found.kind === 'refused') return found;
      if (state === null || !personMayRead(found.person, state)) return { text: UNREADABLE };
    }
    if (state === null) return { text: UNREADABLE };
    const card = cardOf(state, deps.card);
    await show(view, everythingModal(card, which.page, which.decide || card.open_first === true, which.from));
    if (mustOpen(card) && isLastPage(card, which.page)) await noteOpened(deps.press, account, card);
    return null;
  }

  async function show(view_id: string, view: types.ModalView): Promise<void> {
    await deps.call((client) => client.views.update({ view_id, view }));
  }

  /** Runs what needs a modal: it opens before any other work. Words that `work` gives go into it, or to the person where it was closed meanwhile. */
  async function onStage(stage: Stage, where: Where | null, user: string, work: (view: string) => Promise<Said | null>): Promise<void> {
    await faultsTold(where, user, async () => {
      const view = await openedOn(stage);
      let said: Said | null;
      try {
        said = await work(view);
      } catch (error) {
        if (slackError(error) === 'not_found') return;
        deps.log.error({ err: error, user }, 'an interaction failed');
        said = { text: FAULT_TEXT };
      }
      if (said === null) return;
      try {
        await show(view, saidModal(said.text, said.link));
      } catch {
        await deps.tell(where, user, said);
      }
    });
  }

  async function openedOn(stage: Stage): Promise<string> {
    if ('view' in stage) {
      await show(stage.view, waitingModal());
      return stage.view;
    }
    const opened = await deps.call((client) => client.views.open({ trigger_id: stage.trigger, view: waitingModal() }));
    return opened.view?.id ?? '';
  }

  /** Runs what an interaction asks for where no modal says that it is worked on: what takes long is said to take long, where the person looks. */
  async function guarded(where: Where | null, user: string, work: () => Promise<unknown>): Promise<void> {
    const waits = where !== null && Number.isFinite(deps.workingAfterMs);
    const timer = waits ? setTimeout(() => void deps.tell(where, user, { text: WORKING }), deps.workingAfterMs) : undefined;
    await faultsTold(where, user, work).finally(() => {
      clearTimeout(timer);
    });
  }

  /** A fault is told to the presser, and decides nothing. */
  async function faultsTold(where: Where | null, user: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      deps.log.error({ err: error, user }, 'an interaction failed');
      await deps.tell(where, user, { text: FAULT_TEXT });
    }
  }

  return {
    showWaiting: (trigger, presser) =>
      onStage({ trigger }, null, presser.user, async (view) => {
        const account = await deps.workspace.account(presser.user, presser);
        const found = await personOf(deps.press, { tenant: deps.tenant, platform: 'slack', mode: deps.press.linkMode }, account);
        if (found.kind === 'refused') return found;
        await show(view, waitingForModal(await deps.homeFor(found.person)));
        return null;
      }),
    showMessage: (trigger, presser, { channel, ts, bot, request_id }) =>
      onStage({ trigger }, null, presser.user, async (view) => {
        const posted = await deps.cards.postedByRef('slack', refOf(channel, ts));
        if (posted !== null && posted.tenant === deps.tenant)
          return page(view, presser, { request_id: posted.request_id, page: 0, decide: true, vouched: true, from: { channel, ts } });
        if (request_id === null || bot !== (await deps.workspace.self()).botId) return { text: 'This message is not about a request of Countersign.' };
        return page(view, presser, { request_id, page: 0, decide: true, vouched: false, from: null });
      }),
  };
}

/** The card from which a modal was opened. */
function placeIn(body: BlockAction): { channel: string; ts: string } | null {
  const { channel, ts } = readObject(body.view?.private_metadata) ?? {};
  return typeof channel === 'string' && typeof ts === 'string' ? { channel, ts } : null;
}

/** What leads from a private word to the browser. */
function linkOf(answer: PressAnswer): { label: string; url: string } | undefined {
  if (answer.kind === 'step_up') return { label: STEP_UP_BUTTON, url: answer.url };
  return answer.kind === 'refused' ? answer.link : undefined;
}

/** What the person wrote in a form that was refused: theirs to copy into the next. */
function written(values: FormValues): types.KnownBlock[] {
  const texts = Object.values(values).filter((value) => typeof value === 'string' && value !== 'yes' && !value.startsWith('#sha256:'));
  return texts.length === 0 ? [] : [richText(line(run('What you wrote, to copy:')), ...texts.map((text) => box(String(text))))];
}
