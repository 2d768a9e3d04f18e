import { randomBytes } from 'node:crypto';
import { array, isObject, text, type JsonObject } from '../wire/json.js';

/** What a Slack workspace holds: people, conversations, messages, private messages, open modals, triggers, files. */
export class Workspace {
  readonly users = new Map<string, SlackUser>();
  readonly channels = new Map<string, SlackChannel>();
  readonly posts: SlackMessage[] = [];
  readonly ephemerals: EphemeralMessage[] = [];
  readonly files = new Map<string, SlackFile>();
  /** The modals that a person has open, the top one last. */
  readonly stacks = new Map<string, SlackView[]>();
  /** What the app published as its home, by person. */
  readonly homes = new Map<string, SlackView>();
  readonly triggers = new Map<string, Trigger>();
  readonly responseUrls = new Map<string, ResponseUrl>();
  /** The app is installed in the whole Grid that the workspace belongs to. */
  orgWide = false;
  private lastMicros = 0;
  private counter = 0;

  constructor(
    readonly team: SlackTeam,
    readonly now: () => number,
  ) {
    this.addUser({ id: team.botUserId, name: 'countersign', is_bot: true });
  }

  /** A new message time stamp, later than every earlier one: `seconds.micros`. */
  nextTs(): string {
    this.lastMicros = Math.max(this.lastMicros + 1, this.now() * 1_000);
    return `${String(Math.floor(this.lastMicros / 1e6))}.${String(this.lastMicros % 1e6).padStart(6, '0')}`;
  }

  /** An id as Slack's look: a letter and ten signs in capitals. */
  nextId(prefix: string): string {
    this.counter += 1;
    return `${prefix}0${this.counter.toString(36).toUpperCase().padStart(9, '0')}`;
  }

  addUser(user: NewSlackUser): SlackUser {
    const { email, ...fields } = user;
    const whole: SlackUser = {
      team_id: this.team.id,
      deleted: false,
      real_name: user.name,
      is_admin: false,
      is_owner: false,
      is_primary_owner: false,
      is_restricted: false,
      is_ultra_restricted: false,
      is_bot: false,
      is_app_user: false,
      is_email_confirmed: true,
      tz: 'Etc/UTC',
      updated: Math.floor(this.now() / 1_000),
      ...(this.team.enterpriseId === undefined
        ? {}
        : {
            enterprise_user: {
              id: user.id,
              enterprise_id: this.team.enterpriseId,
              enterprise_name: 'Example',
              is_admin: false,
              is_owner: false,
              teams: [this.team.id],
            },
          }),
      ...fields,
      profile: {
        real_name: user.real_name ?? user.name,
        display_name: user.name,
        team: this.team.id,
        ...(email === undefined ? {} : { email }),
        ...fields.profile,
      },
    };
    this.users.set(user.id, whole);
    return whole;
  }

  addChannel(channel: NewSlackChannel): SlackChannel {
    const whole: SlackChannel = {
      is_channel: true,
      is_group: false,
      is_im: false,
      is_mpim: false,
      is_private: false,
      is_archived: false,
      is_ext_shared: false,
      is_org_shared: false,
      is_shared: false,
      created: Math.floor(this.now() / 1_000),
      creator: 'U0CREATOR',
      members: [this.team.botUserId],
      ...channel,
    };
    this.channels.set(channel.id, whole);
    return whole;
  }

  /** The direct conversation with a person, made where there is none. */
  directWith(userId: string): SlackChannel {
    for (const channel of this.channels.values()) if (channel.is_im && channel.user === userId) return channel;
    return this.addChannel({ id: this.nextId('D'), name: '', is_channel: false, is_im: true, user: userId, members: [this.team.botUserId, userId] });
  }

  /** A conversation by id, or by name with or without `#`. */
  channel(idOrName: string): SlackChannel | undefined {
    const byId = this.channels.get(idOrName);
    if (byId !== undefined) return byId;
    const name = idOrName.replace(/^#/, '');
    return [...this.channels.values()].find((channel) => channel.name !== '' && channel.name === name);
  }

  message(channelId: string, ts: string): SlackMessage | undefined {
    return this.posts.find((post) => post.channel === channelId && post.ts === ts);
  }

  issueTrigger(userId: string, viewId?: string): string {
    const id = `${String(this.triggers.size + 1)}.${String(this.now())}.${randomBytes(8).toString('hex')}`;
    this.triggers.set(id, { userId, viewId, issuedAt: this.now(), used: false });
    return id;
  }
}

/** How long a trigger_id may be exchanged, in milliseconds. */
export const TRIGGER_LIFE_MS = 3_000;

/** How long a response_url works, in milliseconds, and how often. */
export const RESPONSE_URL_LIFE_MS = 30 * 60_000;
export const RESPONSE_URL_USES = 5;

export interface SlackTeam {
  readonly id: string;
  readonly domain: string;
  readonly enterpriseId?: string;
  readonly appId: string;
  readonly botId: string;
  readonly botUserId: string;
}

/** A person as users.info answers it; only what tests need is named. */
export interface SlackUser {
  readonly id: string;
  readonly name: string;
  readonly team_id: string;
  readonly real_name: string;
  readonly deleted: boolean;
  readonly is_admin: boolean;
  readonly is_owner: boolean;
  readonly is_primary_owner: boolean;
  /** Multi-channel guest. */
  readonly is_restricted: boolean;
  /** Single-channel guest. */
  readonly is_ultra_restricted: boolean;
  readonly is_bot: boolean;
  readonly is_app_user: boolean;
  readonly is_email_confirmed: boolean;
  /** Somebody of another workspace, seen through a shared channel. */
  readonly is_stranger?: boolean;
  readonly is_invited_user?: boolean;
  readonly is_workflow_bot?: boolean;
  readonly tz: string;
  readonly updated: number;
  readonly enterprise_user?: JsonObject;
  readonly profile: JsonObject;
}

/** A person to add: id, name and e-mail; each field of users.info may be given besides. */
export type NewSlackUser = { readonly id: string; readonly name: string; readonly email?: string } & Partial<SlackUser>;

export interface SlackChannel {
  readonly id: string;
  readonly name: string;
  readonly is_channel: boolean;
  readonly is_group: boolean;
  readonly is_im: boolean;
  readonly is_mpim: boolean;
  readonly is_private: boolean;
  readonly is_archived: boolean;
  /** Shared with another organisation (Slack Connect). */
  readonly is_ext_shared: boolean;
  readonly is_org_shared: boolean;
  readonly is_shared: boolean;
  readonly created: number;
  readonly creator: string;
  /** The other side of a direct conversation. */
  readonly user?: string;
  /** The bot is in unless `members` leaves it out. */
  readonly members: readonly string[];
}

export type NewSlackChannel = { readonly id: string; readonly name: string } & Partial<SlackChannel>;

export interface SlackMessage {
  readonly channel: string;
  readonly ts: string;
  /** The author; the bot's own messages have its bot user here. */
  readonly user: string;
  readonly bot_id?: string;
  readonly app_id?: string;
  text: string;
  blocks: readonly JsonObject[];
  metadata?: JsonObject;
  readonly thread_ts?: string;
  edited?: { readonly user: string; readonly ts: string };
  readonly files?: readonly SlackFile[];
  readonly unfurl_links?: boolean;
  readonly unfurl_media?: boolean;
}

/** A message that one person sees. */
export interface EphemeralMessage {
  readonly user: string;
  readonly channel: string;
  readonly ts: string;
  readonly thread_ts?: string;
  text: string;
  blocks: readonly JsonObject[];
  /** The road by which it came. */
  readonly via: 'chat.postEphemeral' | 'response_url' | 'command';
}

export interface SlackView {
  readonly id: string;
  readonly team_id: string;
  readonly type: string;
  readonly title: JsonObject;
  readonly submit: JsonObject | null;
  readonly close: JsonObject | null;
  readonly blocks: readonly JsonObject[];
  readonly private_metadata: string;
  readonly callback_id: string;
  readonly external_id: string;
  readonly state: { readonly values: JsonObject };
  /** Changes with each version of the view. */
  readonly hash: string;
  readonly clear_on_close: boolean;
  readonly notify_on_close: boolean;
  readonly root_view_id: string;
  readonly previous_view_id: string | null;
  readonly app_id: string;
  readonly bot_id: string;
}

export interface SlackFile {
  readonly id: string;
  readonly name: string;
  readonly length: number;
  title: string;
  /** What was uploaded; null until it was. */
  content: Buffer | null;
  /** Where it was shared; null until the upload was completed. */
  channel: string | null;
}

export interface Trigger {
  readonly userId: string;
  /** The modal in which the person pressed. */
  readonly viewId: string | undefined;
  readonly issuedAt: number;
  used: boolean;
}

export interface ResponseUrl {
  readonly userId: string;
  readonly channelId: string;
  /** The message that was pressed; a slash command has none. */
  readonly ts: string | undefined;
  readonly issuedAt: number;
  uses: number;
}

/** Gives ids to the blocks and elements that came without, as Slack does when it stores them. */
export function withIds(blocks: readonly unknown[], nextId: () => string): JsonObject[] {
  const elementWithId = (element: unknown): unknown =>
    isObject(element) && INTERACTIVE.has(text(element['type']) ?? '') && element['action_id'] === undefined ? { ...element, action_id: nextId() } : element;
  return blocks.filter(isObject).map((block) => ({
    ...block,
    block_id: text(block['block_id']) ?? nextId(),
    ...(block['type'] === 'actions' ? { elements: array(block['elements']).map(elementWithId) } : {}),
    ...(block['accessory'] === undefined ? {} : { accessory: elementWithId(block['accessory']) }),
    ...(block['element'] === undefined ? {} : { element: elementWithId(block['element']) }),
  }));
}

const INTERACTIVE = new Set([
  'button',
  'overflow',
  'static_select',
  'multi_static_select',
  'users_select',
  'checkboxes',
  'radio_buttons',
  'datepicker',
  'plain_text_input',
]);

/** The interactive element with this action_id, and the block that holds it. */
export function findElement(blocks: readonly JsonObject[], actionId: string): { block: JsonObject; element: JsonObject } | undefined {
  for (const block of blocks) {
    for (const element of [...array(block['elements']), block['accessory'], block['element']]) {
      if (isObject(element) && element['action_id'] === actionId) return { block, element };
    }
  }
  return undefined;
}
