import { randomBytes } from 'node:crypto';
import { array, isObject, object, text, type JsonObject } from '../wire/json.js';
import { checkedContent, onTheWire } from './web-api.js';
import { deliver, send, type Delivery, type DeliveryTarget, type SigningOptions } from './signed-delivery.js';
import type { SocketLink } from './socket-link.js';
import { pushFor, updateView } from './views.js';
import { findElement, type SlackView, type Workspace } from './workspace.js';

/**
 * The people in front of Slack: presses, submitted forms, commands and events reach the bot's request URL exactly as Slack
 * sends them. Nothing stops a test from sending what no person could: another value, a stale card, a foreign team.
 */
export class SlackClient {
  constructor(
    private readonly workspace: Workspace,
    private readonly url: string,
    private readonly target: () => Omit<DeliveryTarget, 'url'> & { readonly url: string | null },
    private readonly changed: () => void,
    private readonly link: SocketLink,
  ) {}

  /** A person presses a button of a message, of a private message, or of an open modal. */
  async press(press: Press): Promise<Interaction> {
    const { workspace } = this;
    const view = press.viewId === undefined ? undefined : this.openView(press.user, press.viewId);
    const channelId = press.channel === undefined ? undefined : (workspace.channel(press.channel)?.id ?? press.channel);
    const message = channelId === undefined || press.ts === undefined ? undefined : workspace.message(channelId, press.ts);
    const ephemeral = message !== undefined ? undefined : workspace.ephemerals.find((one) => one.channel === channelId && one.ts === press.ts);
    const found = findElement(view?.blocks ?? message?.blocks ?? ephemeral?.blocks ?? [], press.actionId);
    const triggerId = workspace.issueTrigger(press.user, view?.id);
    const type = text(found?.element['type']) ?? (press.option === undefined ? 'button' : 'overflow');
    const value = press.option === undefined ? (press.value ?? text(found?.element['value'])) : undefined;
    const option = optionsOf(found?.element ?? {}).find((one) => object(one)['value'] === press.option) ?? {
      text: { type: 'plain_text', text: '?' },
      value: press.option,
    };
    const thread = message?.thread_ts ?? ephemeral?.thread_ts;
    const responseUrl = channelId === undefined ? undefined : this.responseUrl(press.user, channelId, press.ts);
    const where =
      view !== undefined
        ? { container: { type: 'view', view_id: view.id }, view }
        : {
            container: {
              type: 'message',
              message_ts: press.ts,
              channel_id: channelId,
              is_ephemeral: ephemeral !== undefined,
              ...(thread === undefined ? {} : { thread_ts: thread }),
            },
            channel: { id: channelId, name: channelName(workspace, channelId) },
            // Slack leaves the message out where only one person sees it.
            ...(ephemeral === undefined ? { message: message === undefined ? { type: 'message', ts: press.ts } : onTheWire(message, true) } : {}),
            response_url: responseUrl,
          };
    const payload: JsonObject = {
      type: 'block_actions',
      ...this.frame(press.user, press),
      ...where,
      trigger_id: triggerId,
      state: { values: view?.state.values ?? {} },
      actions: [
        {
          type,
          action_id: press.actionId,
          block_id: press.blockId ?? text(found?.block['block_id']) ?? 'unknown',
          ...(found?.element['text'] === undefined ? {} : { text: found.element['text'] }),
          ...(found?.element['style'] === undefined ? {} : { style: found.element['style'] }),
          ...(value === undefined ? {} : { value }),
          ...(press.option === undefined ? {} : { selected_option: option }),
          action_ts: press.actionTs ?? workspace.nextTs(),
        },
      ],
      ...press.payload,
    };
    return this.interact(payload, press, triggerId, responseUrl);
  }

  /**
   * A person fills in the open modal and submits it. `values` are by `block_id/action_id`, block_id or action_id: the text of an
   * input, the value of the chosen option, or of several. Like Slack's own client it does not send a form whose required field is empty.
   */
  async submit(submission: Submission): Promise<Interaction> {
    const { workspace } = this;
    const view = this.openView(submission.user, submission.viewId);
    if (view === undefined) throw new Error(`${submission.user} has no modal open`);
    const values: Record<string, JsonObject> = {};
    for (const block of view.blocks) {
      if (block['type'] !== 'input') continue;
      const blockId = text(block['block_id']) ?? '';
      const element = object(block['element']);
      const actionId = text(element['action_id']) ?? '';
      const entered = submission.values?.[`${blockId}/${actionId}`] ?? submission.values?.[blockId] ?? submission.values?.[actionId];
      const chosen = entered === undefined ? initiallyChosen(element) : typeof entered === 'string' ? [entered] : entered;
      const given = chosen[0];
      if ((given === undefined || given === '') && block['optional'] !== true && submission.force !== true)
        throw new Error(`the field ${actionId} of the modal must be filled in`);
      const most = element['max_length'];
      if (typeof most === 'number' && given !== undefined && given.length > most && submission.force !== true)
        throw new Error(`the field ${actionId} takes ${String(most)} characters`);
      values[blockId] = { [actionId]: fieldState(element, chosen) };
    }
    const triggerId = workspace.issueTrigger(submission.user, view.id);
    const payload: JsonObject = {
      type: 'view_submission',
      ...this.frame(submission.user, submission),
      trigger_id: triggerId,
      view: { ...view, state: { values } },
      response_urls: [],
      ...submission.payload,
    };
    const interaction = await this.interact(payload, submission, triggerId, undefined);
    return { ...interaction, ...(interaction.status === 200 ? this.follow(submission.user, view, interaction.json) : {}) };
  }

  /** A person closes the top modal; the bot hears of it only where it asked to. */
  async closeView(user: string, how: SigningOptions = {}): Promise<Interaction | undefined> {
    const view = this.openView(user, undefined);
    if (view === undefined) throw new Error(`${user} has no modal open`);
    this.pop(user);
    if (!view.notify_on_close) return undefined;
    return this.interact({ type: 'view_closed', ...this.frame(user, {}), view, is_cleared: false }, how, undefined, undefined);
  }

  /** A person types a slash command. An answer in the body is shown to that person. */
  async command(command: SlashCommand): Promise<Interaction> {
    const { workspace } = this;
    const channelId = workspace.channel(command.channel)?.id ?? command.channel;
    const triggerId = workspace.issueTrigger(command.user);
    const responseUrl = this.responseUrl(command.user, channelId, undefined);
    const form = {
      token: 'verification-token-of-old',
      team_id: command.teamId ?? workspace.team.id,
      team_domain: workspace.team.domain,
      channel_id: channelId,
      channel_name: channelName(workspace, channelId),
      user_id: command.user,
      user_name: workspace.users.get(command.user)?.name ?? '',
      command: command.command,
      text: command.text ?? '',
      api_app_id: command.appId ?? workspace.team.appId,
      ...(workspace.team.enterpriseId === undefined ? {} : { enterprise_id: workspace.team.enterpriseId }),
      is_enterprise_install: String(workspace.orgWide),
      response_url: responseUrl,
      trigger_id: triggerId,
    };
    const delivery = await this.hand('slash_commands', form, 'application/x-www-form-urlencoded', new URLSearchParams(form).toString(), command);
    const said = isObject(delivery.json) ? delivery.json : { text: delivery.body };
    if (delivery.status === 200 && delivery.body !== '') {
      workspace.ephemerals.push({ user: command.user, channel: channelId, ts: workspace.nextTs(), ...checkedContent(said), via: 'command' });
    }
    this.changed();
    return { ...delivery, payload: form, triggerId, responseUrl };
  }

  /** A person takes a shortcut of the app: a global one, or one of a message. */
  async shortcut(shortcut: Shortcut): Promise<Interaction> {
    const { workspace } = this;
    const triggerId = workspace.issueTrigger(shortcut.user);
    const common = { ...this.frame(shortcut.user, shortcut), callback_id: shortcut.callbackId, trigger_id: triggerId, action_ts: workspace.nextTs() };
    if (shortcut.channel === undefined || shortcut.ts === undefined) return this.interact({ type: 'shortcut', ...common }, shortcut, triggerId, undefined);
    const channelId = workspace.channel(shortcut.channel)?.id ?? shortcut.channel;
    const message = workspace.message(channelId, shortcut.ts);
    const responseUrl = this.responseUrl(shortcut.user, channelId, shortcut.ts);
    const payload = {
      type: 'message_action',
      ...common,
      response_url: responseUrl,
      channel: { id: channelId, name: channelName(workspace, channelId) },
      message_ts: shortcut.ts,
      message: message === undefined ? { type: 'message', ts: shortcut.ts } : onTheWire(message, false),
    };
    return this.interact(payload, shortcut, triggerId, responseUrl);
  }

  /** A person looks at the app's home; Slack tells the app, with what it published before. */
  async openHome(
    user: string,
    how: SigningOptions & { readonly teamId?: string; readonly appId?: string; readonly eventId?: string } = {},
  ): Promise<Interaction> {
    const view = this.workspace.homes.get(user);
    const channel = this.workspace.directWith(user).id;
    return this.event({ type: 'app_home_opened', user, channel, tab: 'home', ...(view === undefined ? {} : { view }) }, how);
  }

  /** An event of the Events API, such as `{ type: 'user_change', user }`. */
  async event(
    event: JsonObject,
    how: SigningOptions & { readonly teamId?: string; readonly appId?: string; readonly eventId?: string } = {},
  ): Promise<Interaction> {
    const payload = {
      token: 'verification-token-of-old',
      team_id: how.teamId ?? this.workspace.team.id,
      ...(this.workspace.team.enterpriseId === undefined ? {} : { enterprise_id: this.workspace.team.enterpriseId }),
      api_app_id: how.appId ?? this.workspace.team.appId,
      type: 'event_callback',
      event_id: how.eventId ?? this.workspace.nextId('Ev'),
      event_time: Math.floor(this.workspace.now() / 1_000),
      authorizations: [
        {
          enterprise_id: this.workspace.team.enterpriseId ?? null,
          team_id: this.workspace.team.id,
          user_id: this.workspace.team.botUserId,
          is_bot: true,
          is_enterprise_install: this.workspace.orgWide,
        },
      ],
      event: { event_ts: this.workspace.nextTs(), ...event },
    };
    const delivery = await this.hand('events_api', payload, 'application/json', JSON.stringify(payload), how);
    return { ...delivery, payload, triggerId: undefined, responseUrl: undefined };
  }

  /** Sends the very same bytes again, as a thief of a request would. */
  async replay(earlier: Delivery): Promise<Delivery> {
    return send(earlier.request, this.target().patienceMs);
  }

  /** The interactive payload, whatever it says, as Slack sends it. */
  async interact(payload: JsonObject, how: SigningOptions, triggerId: string | undefined, responseUrl: string | undefined): Promise<Interaction> {
    const delivery = await this.hand(
      'interactive',
      payload,
      'application/x-www-form-urlencoded',
      new URLSearchParams({ payload: JSON.stringify(payload) }).toString(),
      how,
    );
    this.changed();
    return { ...delivery, payload, triggerId, responseUrl };
  }

  /** To the request URL, signed; in socket mode over the app's socket, where nothing is signed. */
  private hand(envelope: string, payload: JsonObject, contentType: string, body: string, how: SigningOptions): Promise<Delivery> {
    const { url, ...target } = this.target();
    return url === null ? this.link.deliver(envelope, payload, target.patienceMs) : deliver({ url, ...target }, contentType, body, how);
  }

  private frame(userId: string, from: { readonly teamId?: string; readonly userTeamId?: string; readonly appId?: string }): JsonObject {
    const { team, users } = this.workspace;
    const user = users.get(userId);
    const enterprise = team.enterpriseId === undefined ? null : { id: team.enterpriseId, name: 'Example' };
    return {
      user: { id: userId, username: user?.name ?? userId, name: user?.name ?? userId, team_id: from.userTeamId ?? user?.team_id ?? team.id },
      api_app_id: from.appId ?? team.appId,
      token: 'verification-token-of-old',
      team: {
        id: from.teamId ?? team.id,
        domain: team.domain,
        ...(team.enterpriseId === undefined ? {} : { enterprise_id: team.enterpriseId, enterprise_name: 'Example' }),
      },
      enterprise,
      is_enterprise_install: this.workspace.orgWide,
    };
  }

  private responseUrl(userId: string, channelId: string, ts: string | undefined): string {
    const key = randomBytes(12).toString('hex');
    this.workspace.responseUrls.set(key, { userId, channelId, ts, issuedAt: this.workspace.now(), uses: 0 });
    return `${this.url}/actions/${this.workspace.team.id}/${key}`;
  }

  private openView(userId: string, viewId: string | undefined): SlackView | undefined {
    const stack = this.workspace.stacks.get(userId) ?? [];
    const home = this.workspace.homes.get(userId);
    return viewId === undefined ? stack.at(-1) : (stack.find((view) => view.id === viewId) ?? (home?.id === viewId ? home : undefined));
  }

  private pop(userId: string): void {
    const stack = this.workspace.stacks.get(userId) ?? [];
    this.workspace.stacks.set(userId, stack.slice(0, -1));
  }

  /** What Slack does with the answer to a submission: nothing said closes the modal. */
  private follow(userId: string, view: SlackView, answer: unknown): Pick<Interaction, 'formErrors'> {
    const said = object(answer);
    switch (said['response_action']) {
      case 'errors':
        return { formErrors: Object.fromEntries(Object.entries(object(said['errors'])).map(([block, problem]) => [block, String(problem)])) };
      case 'update':
        updateView(this.workspace, { viewId: view.id }, said['view']);
        break;
      case 'push':
        pushFor(this.workspace, userId, said['view']);
        break;
      case 'clear':
        this.workspace.stacks.set(userId, []);
        break;
      case undefined:
        this.pop(userId);
        break;
      default:
        throw new Error(`Slack knows no response_action ${String(said['response_action'])}`);
    }
    this.changed();
    return {};
  }
}

export interface Press extends SigningOptions {
  readonly user: string;
  /** Name or id; with `ts` it names the message. */
  readonly channel?: string;
  readonly ts?: string;
  /** An open modal instead of a message. */
  readonly viewId?: string;
  readonly actionId: string;
  /** The button's own value and block unless told otherwise. */
  readonly value?: string;
  readonly blockId?: string;
  /** The value of the option that is chosen, in a menu. */
  readonly option?: string;
  readonly actionTs?: string;
  /** The workspace that the payload names; the installed one unless told otherwise. */
  readonly teamId?: string;
  /** The workspace of the presser; that of the account unless told otherwise. */
  readonly userTeamId?: string;
  readonly appId?: string;
  /** Members that take the place of the payload's own. */
  readonly payload?: JsonObject;
}

export interface Shortcut extends SigningOptions {
  readonly user: string;
  readonly callbackId: string;
  /** Name or id; with `ts` it names the message that the shortcut is taken of. */
  readonly channel?: string;
  readonly ts?: string;
  readonly teamId?: string;
  readonly userTeamId?: string;
  readonly appId?: string;
}

export interface Submission extends SigningOptions {
  readonly user: string;
  /** The top modal unless told otherwise. */
  readonly viewId?: string;
  /** By `block_id/action_id`, block_id or action_id. */
  readonly values?: Readonly<Record<string, string | readonly string[]>>;
  readonly teamId?: string;
  readonly userTeamId?: string;
  readonly appId?: string;
  readonly payload?: JsonObject;
  /** Send even what Slack's client would hold back. */
  readonly force?: boolean;
}

export interface SlashCommand extends SigningOptions {
  readonly user: string;
  readonly channel: string;
  readonly command: string;
  readonly text?: string;
  readonly teamId?: string;
  readonly appId?: string;
}

/** An interaction and how the bot took it. Slack shows the person an error unless `status` is 200. */
export interface Interaction extends Delivery {
  readonly payload: JsonObject;
  readonly triggerId: string | undefined;
  readonly responseUrl: string | undefined;
  /** The complaints under the fields of a form, by block_id. */
  readonly formErrors?: Readonly<Record<string, string>>;
}

/** What a field holds before anybody touches it. */
function initiallyChosen(element: JsonObject): string[] {
  const typed = text(element['initial_value']);
  if (typed !== undefined) return [typed];
  return [element['initial_option'], ...array(element['initial_options'])].flatMap((option) => text(object(option)['value']) ?? []);
}

const optionsOf = (element: JsonObject): unknown[] => [
  ...array(element['options']),
  ...array(element['option_groups']).flatMap((group) => array(object(group)['options'])),
];

function fieldState(element: JsonObject, chosen: readonly string[]): JsonObject {
  const type = text(element['type']) ?? '';
  const [given] = chosen;
  const options = optionsOf(element).filter((one) => chosen.includes(text(object(one)['value']) ?? ''));
  switch (type) {
    case 'plain_text_input':
      return { type, value: given === undefined || given === '' ? null : given };
    case 'static_select':
    case 'radio_buttons':
      return { type, selected_option: options[0] ?? null };
    case 'checkboxes':
    case 'multi_static_select':
      return { type, selected_options: options };
    case 'users_select':
      return { type, selected_user: given ?? null };
    default:
      return { type, selected_date: given ?? null };
  }
}

function channelName(workspace: Workspace, channelId: string | undefined): string {
  const channel = channelId === undefined ? undefined : workspace.channels.get(channelId);
  if (channel === undefined) return '';
  return channel.is_im ? 'directmessage' : channel.is_private ? 'privategroup' : channel.name;
}
