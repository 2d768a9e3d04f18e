import { createChatWorld } from '@countersign/chat';
import type { Clock, OnCallSource } from '@countersign/core/ports';
import { epochMs, formatInstant } from '@countersign/core/request';
import { type ApprovalWorld, createApprovalWorld, type PersonName } from '@countersign/dev-env/approval-world';
import { serveHandler } from '@countersign/dev-env/serve-handler';
import { type FakeSlack, type SlackView, startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import { createSlackBot, type SlackBot } from '../index.js';
import { MODALS } from '../modals.js';
import { holdable } from './held-store.js';
import { hurriedTime } from './hurried-time.js';

/** The Slack bot on the real flows, before a fake Slack: channel #approvals, where everybody is a member. */
export interface SlackWorld {
  /** Where the bot is served. */
  url: string;
  world: ApprovalWorld;
  slack: FakeSlack;
  /** The bot that Slack calls; `restart` puts another in its place. */
  bot: SlackBot;
  /** What the bot warned of. */
  warnings: string[];
  /** The form that this person has open, once it is drawn. */
  form(user: string): Promise<SlackView>;
  /** The words in the modal that this person has open, once they are there. */
  saidIn(user: string): Promise<string>;
  /** Time passes, as the limits on calls to Slack have it. */
  pass(seconds: number): void;
  /** The database does not answer any more, until what this gives is called. */
  hold(): () => void;
  /** How many calls of the database that hung have ended. */
  heldEnded(): number;
  /** One more bot, which Slack does not know. */
  createBot(options?: BotOptions): SlackBot;
  restart(options?: BotOptions): Promise<void>;
  close(): Promise<void>;
}

export interface BotOptions {
  linkMode?: 'proof' | 'email';
  /** COUNTERSIGN_READ_ABSENCE. */
  readAbsence?: boolean;
  socket?: boolean;
  /** Administrators may install the app elsewhere. */
  oauth?: boolean;
  /** False: without the operator's own token. */
  token?: boolean;
  /** When a person is told that a press takes its time; never unless told. */
  workingAfterMs?: number;
  /** Where accounts and freezes are kept, instead of the world's own. */
  store?: ApprovalWorld['store'];
  /** SLACK_CHANNEL; absent: #approvals. */
  channel?: string | null;
  /** Who is on call, where policy leaves that to another service. */
  onCall?: OnCallSource;
  /** So many seconds the service's clock goes ahead. */
  ahead?: number;
}

export const CHANNEL = { id: 'C0APPROVALS', name: 'approvals' };
export const MALLORY = 'U0MALLORY';
/** A person's account; bob has a second one besides. */
export const accountOf = (name: string): string => `U0${name.toUpperCase()}`;
export const SECOND_OF_BOB = 'U0BOB2';
const NAMES: readonly PersonName[] = ['dana', 'alice', 'bob', 'carol', 'olivia'];

export async function createSlackWorld(): Promise<SlackWorld> {
  const warnings: string[] = [];
  const time = hurriedTime();
  const slack = await startFakeSlack({
    users: [
      ...NAMES.map((name) => ({ id: accountOf(name), name, email: `${name}@example.com` })),
      { id: SECOND_OF_BOB, name: 'bob.too', email: 'bob.too@example.com' },
      { id: MALLORY, name: 'mallory', email: 'mallory@example.com' },
    ],
    channels: [CHANNEL],
  });
  const account = (user: string) => ({ platform: 'slack' as const, workspace: slack.teamId, user });
  const accounts = Object.fromEntries(NAMES.map((name) => [name, [account(accountOf(name))]]));
  const world = await createApprovalWorld({ accounts: { ...accounts, bob: [account(accountOf('bob')), account(SECOND_OF_BOB)] } });
  const note = (fields: object, message: string) =>
    void warnings.push(`${message}: ${'err' in fields && fields.err instanceof Error ? fields.err.message : JSON.stringify(fields)}`);

  const held = holdable();
  const heldStore = held.ports(world.store);

  const createBot = (options: BotOptions = {}): SlackBot =>
    createSlackBot({
      config: {
        botToken: options.token === false ? null : slack.botToken,
        oauth: options.oauth === true ? { clientId: slack.clientId, clientSecret: slack.clientSecret } : null,
        signingSecret: slack.signingSecret,
        appToken: options.socket === true ? slack.appToken : null,
        apiUrl: slack.apiUrl,
        channel: options.channel === undefined ? `#${CHANNEL.name}` : options.channel,
        linkMode: options.linkMode ?? 'proof',
        readAbsence: options.readAbsence ?? false,
      },
      world: createChatWorld({
        tenant: world.tenant,
        publicUrl: 'http://localhost:8080',
        notice: null,
        flow:
          options.ahead === undefined
            ? { ...world.flow, requests: held.port(world.flow.requests) }
            : { ...world.flow, clock: clockAhead(world.flow.clock, options.ahead) },
        store: options.store === undefined ? heldStore : { ...world.store, freezes: options.store.freezes, chatLinks: options.store.chatLinks },
        ...(options.onCall === undefined ? {} : { onCall: options.onCall }),
        cooldownSeconds: 0,
        linkMode: options.linkMode ?? 'proof',
        log: { debug: () => {}, info: () => {}, warn: note, error: note },
      }),
      timer: time,
      workingAfterMs: options.workingAfterMs ?? Number.POSITIVE_INFINITY,
    });

  const server = await serveHandler((request, response) => {
    made.bot.mount().handler(request, response);
  });
  const made: SlackWorld = {
    url: server.url,
    world,
    slack,
    bot: createBot(),
    warnings,
    form: (user) => slack.wire.until(() => slack.views(user).find(({ blocks }) => blocks.some(({ type }) => type === 'input')), `a form for ${user}`),
    async saidIn(user) {
      const view = await slack.wire.until(() => slack.views(user).find(({ callback_id }) => callback_id === MODALS.said), `words for ${user}`);
      return visibleText(view.blocks);
    },
    pass: time.pass,
    hold: held.hold,
    heldEnded: held.ended,
    createBot,
    async restart(options) {
      await made.bot.stop();
      made.bot = createBot(options);
    },
    async close() {
      await made.bot.stop();
      server.close();
      await slack.close();
      await world.close();
    },
  };
  slack.connect(`${server.url}/slack/events`);
  await made.bot.start();
  return made;
}

const clockAhead = (clock: Clock, seconds: number): Clock => ({ now: () => formatInstant(epochMs(clock.now()) + seconds * 1_000) });
