import { FAULT_TEXT, handlePress, noteOpened, type PressAnswer, type PressDeps, STEP_UP_BUTTON } from '@countersign/chat';
import type { Card, Verdict } from '@countersign/contracts';
import { type CardOptions, cardOf } from '@countersign/core/card';
import type { CardStore, Clock, RequestStore } from '@countersign/core/ports';
import type { App, BlockButtonAction, ViewSubmitAction } from '@slack/bolt';
import {
  demandsModal,
  everythingModal,
  givenIn,
  isLastPage,
  messageModal,
  MODALS,
  PAGE_ACTION,
  readObject,
  REASON_FIELD,
  reasonModal,
  type ReasonContext,
  waitingModal,
} from './modals.js';
import { refOf } from './platform.js';
import { linkButton, privateWords } from './private-words.js';
import { ACTIONS } from './buttons.js';
import { type SlackCalls, slackError } from './slack-calls.js';
import type { SlackWorkspace } from './workspace.js';

export interface InteractionDeps {
  press: PressDeps;
  cards: Pick<CardStore, 'postedByRef'>;
  requests: Pick<RequestStore, 'state'>;
  tenant: string;
  card: CardOptions;
  call: SlackCalls;
  workspace: SlackWorkspace;
  clock: Clock;
  /** Asks for the cards to be brought up to date; does not wait. */
  refresh(): void;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** A button of ours, as it was pressed. */
interface Pressed {
  request_id: string;
  request_digest: string;
  channel: string;
  ts: string;
}

/** A person at Slack, as the payload that Slack signed names them. */
interface Presser {
  user: string;
  teamId: string | null;
  enterpriseId: string | null;
}

/**
 * What Slack's people do, in three seconds each: acknowledged first, modals opened before any other work, and then the same
 * road as on every platform. Words for one person go by ephemeral message, never into the channel.
 */
export function listen(app: App, deps: InteractionDeps): void {
  const button = (action_id: string) => ({ type: 'block_actions', action_id }) as const;

  app.action<BlockButtonAction>(button(ACTIONS.approve), async ({ ack, body, action }) => {
    await ack();
    const pressed = pressedOf(body, action);
    if (pressed !== null) await decide(pressed, 'approve', null, presserOf(body), instantOf(action.action_ts) ?? deps.clock.now());
  });

  const asking: [string, Verdict, boolean][] = [
    [ACTIONS.approveWithReason, 'approve', true],
    [ACTIONS.deny, 'deny', false],
    [ACTIONS.denyWithReason, 'deny', true],
  ];
  for (const [action_id, verdict, required] of asking) {
    app.action<BlockButtonAction>(button(action_id), async ({ ack, body, action }) => {
      await ack();
      const pressed = pressedOf(body, action);
      if (pressed === null) return;
      const context: ReasonContext = { ...pressed, verdict };
      await guarded(pressed.channel, body.user.id, () =>
        deps.call((client) => client.views.open({ trigger_id: body.trigger_id, view: reasonModal(context, required) })),
      );
    });
  }

  app.action<BlockButtonAction>(button(ACTIONS.approveWithMore), async ({ ack, body, action }) => {
    await ack();
    const pressed = pressedOf(body, action);
    if (pressed === null) return;
    await guarded(pressed.channel, body.user.id, async () => {
      const opened = await deps.call((client) => client.views.open({ trigger_id: body.trigger_id, view: waitingModal() }));
      const card = await cardOn(pressed);
      const view = card === null ? messageModal('This button does not belong to this card.') : demandsModal({ ...pressed, verdict: 'approve' }, card);
      await deps.call((client) => client.views.update({ view_id: opened.view?.id ?? '', view }));
    });
  });

  app.view<ViewSubmitAction>(MODALS.demands, async ({ ack, body, view }) => {
    await ack();
    const context = readObject(view.private_metadata);
    const pressed = context === null ? null : pressedIn(context);
    if (pressed === null) return;
    await guarded(pressed.channel, body.user.id, async () => {
      const card = await cardOn(pressed);
      const { reason, ...given } = card === null ? { reason: null } : givenIn(view.state.values, card);
      await decide(pressed, 'approve', reason, presserOf(body), deps.clock.now(), given);
    });
  });

  app.view<ViewSubmitAction>(MODALS.reason, async ({ ack, body, view }) => {
    await ack();
    const context = readObject(view.private_metadata);
    const pressed = context === null ? null : pressedIn(context);
    const verdict = context?.['verdict'];
    if (pressed === null || (verdict !== 'approve' && verdict !== 'deny')) return;
    const reason = view.state.values[REASON_FIELD.block]?.[REASON_FIELD.action]?.value ?? null;
    await decide(pressed, verdict, reason, presserOf(body), deps.clock.now());
  });

  app.action<BlockButtonAction>(button(ACTIONS.everything), async ({ ack, body, action }) => {
    await ack();
    const pressed = pressedOf(body, action);
    if (pressed === null) return;
    await guarded(pressed.channel, body.user.id, async () => {
      const opened = await deps.call((client) => client.views.open({ trigger_id: body.trigger_id, view: waitingModal() }));
      const posted = await deps.cards.postedByRef('slack', refOf(pressed.channel, pressed.ts));
      const ours = posted !== null && posted.tenant === deps.tenant && posted.request_id === pressed.request_id;
      await showPage(opened.view?.id, ours ? pressed.request_id : null, 0, presserOf(body));
    });
  });

  app.action<BlockButtonAction>({ type: 'block_actions', action_id: PAGE_ACTION }, async ({ ack, body, action }) => {
    await ack();
    const value = readObject(action.value);
    const viewId = body.view?.id;
    if (typeof value?.['request_id'] !== 'string' || typeof value['page'] !== 'number') return;
    const { request_id, page } = value;
    await guarded(null, body.user.id, () => showPage(viewId, request_id, page, presserOf(body)));
  });

  // A button with an address opens it in the person's browser; Slack wants to be told that we heard.
  app.action(ACTIONS.open, async ({ ack }) => {
    await ack();
  });

  app.event('user_change', async ({ event }) => {
    deps.workspace.forget(event.user.id);
  });

  async function decide(
    pressed: Pressed,
    verdict: Verdict,
    reason: string | null,
    presser: Presser,
    at: string,
    given: { ticket?: string; acknowledged?: string[] } = {},
  ): Promise<void> {
    await guarded(pressed.channel, presser.user, async () => {
      const account = await deps.workspace.account(presser.user, presser);
      const answer = await handlePress(deps.press, {
        ref: refOf(pressed.channel, pressed.ts),
        request_id: pressed.request_id,
        request_digest: pressed.request_digest,
        verdict,
        reason,
        ...given,
        account,
        at,
      });
      // The worker alone writes cards: a second writer could put an older state over a newer one.
      if (answer.card !== null) deps.refresh();
      await tell(pressed.channel, presser.user, answer.text, buttonOf(answer));
    });
  }

  async function showPage(viewId: string | undefined, requestId: string | null, page: number, presser: Presser): Promise<void> {
    if (viewId === undefined) return;
    const state = requestId === null ? null : await deps.requests.state(deps.tenant, requestId);
    const card = state === null ? null : cardOf(state, deps.card);
    const view = card === null ? messageModal('This button does not belong to this card.') : everythingModal(card, page);
    await deps.call((client) => client.views.update({ view_id: viewId, view }));
    if (card !== null && card.demands?.must_open === true && isLastPage(card, page))
      await noteOpened(deps.press, await deps.workspace.account(presser.user, presser), card);
  }

  /** The card that a button stands on, as it is now; null where the button is not its own. */
  async function cardOn({ channel, ts, request_id }: Pressed): Promise<Card | null> {
    const posted = await deps.cards.postedByRef('slack', refOf(channel, ts));
    if (posted === null || posted.tenant !== deps.tenant || posted.request_id !== request_id) return null;
    const state = await deps.requests.state(deps.tenant, request_id);
    return state === null ? null : cardOf(state, deps.card);
  }

  /** Runs what an interaction asks for; a fault is told to the presser, and decides nothing. */
  async function guarded(channel: string | null, user: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      deps.log.error({ err: error, user }, 'an interaction failed');
      await tell(channel, user, FAULT_TEXT);
    }
  }

  /** Words for one person. Where the bot is no member of the channel it cannot whisper there, and writes to the person instead. */
  async function tell(channel: string | null, user: string, text: string, button: { label: string; url: string } | null = null): Promise<void> {
    const said = privateWords(text, button === null ? [] : [linkButton(button.label, button.url)]);
    try {
      if (channel === null) await direct();
      else await deps.call((client) => client.chat.postEphemeral({ channel, user, ...said }));
    } catch (error) {
      const word = slackError(error);
      const elsewhere = channel !== null && (word === 'not_in_channel' || word === 'user_not_in_channel' || word === 'channel_not_found');
      await (elsewhere ? direct() : Promise.reject(error)).catch((cause: unknown) => {
        deps.log.warn({ err: cause, user }, 'a person could not be told');
      });
    }

    async function direct(): Promise<void> {
      const { channel: conversation } = await deps.call((client) => client.conversations.open({ users: user }));
      await deps.call((client) => client.chat.postMessage({ channel: conversation?.id ?? '', ...said, unfurl_links: false }));
    }
  }
}

/** What leads from a private word to the browser. */
function buttonOf(answer: PressAnswer): { label: string; url: string } | null {
  if (answer.kind === 'step_up') return { label: STEP_UP_BUTTON, url: answer.url };
  return answer.kind === 'refused' ? (answer.link ?? null) : null;
}

function pressedOf(body: BlockButtonAction, action: BlockButtonAction['actions'][number]): Pressed | null {
  const value = readObject(action.value);
  const { channel_id: channel, message_ts: ts } = body.container;
  return value === null ? null : pressedIn({ ...value, channel, ts });
}

function pressedIn(value: Readonly<Record<string, unknown>>): Pressed | null {
  const { request_id, request_digest, channel, ts } = value;
  return typeof request_id === 'string' && typeof request_digest === 'string' && typeof channel === 'string' && typeof ts === 'string'
    ? { request_id, request_digest, channel, ts }
    : null;
}

/** Both the workspace of the payload and the one of its user must be ours: of two that differ, the foreign one counts. */
function presserOf(body: BlockButtonAction | ViewSubmitAction): Presser {
  const enterpriseId = body.enterprise?.id ?? body.team?.enterprise_id ?? null;
  const teams = [body.team?.id, body.user.team_id].filter((team) => team !== undefined && team !== null);
  return { user: body.user.id, teamId: new Set(teams).size === 1 ? (teams[0] ?? null) : null, enterpriseId };
}

/** An action's time stamp, `seconds.micros`, as an instant. */
function instantOf(ts: string | undefined): string | null {
  const ms = Number(ts) * 1_000;
  return Number.isFinite(ms) && ms > 0 && ms < 253_402_300_800_000 ? new Date(ms).toISOString() : null;
}
