import { type ChatLog, type ChatWorld, createCardWorker, PlatformError, pressDepsOf } from '@countersign/chat';
import { missingScopes, SLACK_PATHS } from '@countersign/chat/slack-app';
import type { Card, JsonObject } from '@countersign/contracts';
import type { Clock } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';
import bolt, { type Logger } from '@slack/bolt';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listenForCommands, RepeatedCommand } from './commands.js';
import type { SlackBotConfig } from './config.js';
import { listen } from './interactions.js';
import { createPlatform } from './platform.js';
import { previewCard } from './render.js';
import { escapeMrkdwn } from './rich-text.js';
import { createSlackCalls, createWebClient } from './slack-calls.js';
import { createWorkspace } from './workspace.js';

/** What the bot needs of the rest of the service; the composition root puts it together. */
export interface SlackBotDeps {
  config: SlackBotConfig;
  world: ChatWorld;
}

export interface SlackBot {
  /** What the service's HTTP server gives to the bot: no path in socket mode. The body must be unread, for signatures cover its bytes. */
  mount(): { name: 'slack'; paths: string[]; handler: (request: IncomingMessage, response: ServerResponse) => void };
  /** From now on cards are posted. Slack that is down does not keep the service from starting: the worker tries again. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Brings cards up to date until nothing is due; the number of requests that were looked at. */
  work(): Promise<number>;
  /** The card as this bot would post it. */
  preview(card: Card): JsonObject;
}

/** Slack's own limit for a request's age; we hold it in both directions, for Bolt takes time stamps from the future. */
const MOST_SKEW_SECONDS = 300;

/** The Slack bot: cards, presses, private answers. */
export function createSlackBot(deps: SlackBotDeps): SlackBot {
  const { world } = deps;
  const { tenant, card, log, store, requests, links } = world;
  const { clock } = world.flow;
  // The SDK joins the method's name to the URL as it stands.
  const config = { ...deps.config, apiUrl: deps.config.apiUrl.replace(/\/?$/, '/') };
  const logger = boltLogger(log, 'warn');
  // What the client fails at it throws, and whoever catches it logs it.
  const call = createSlackCalls(createWebClient(config, boltLogger(log, 'debug')));
  const workspace = createWorkspace(call, clock);
  const worker = createCardWorker({
    platform: createPlatform(call, workspace, config.channel),
    cards: store.cards,
    requests,
    card,
    onFault: ({ request_id, attempts, error }) => {
      log.warn({ err: error, request_id, attempts }, 'a card could not be brought up to date; it is tried again');
    },
  });
  const receiver =
    config.appToken === null
      ? new bolt.ExpressReceiver({ signingSecret: config.signingSecret ?? '', endpoints: SLACK_PATHS.events, logger, processEventErrorHandler: refuseRepeated })
      : new bolt.SocketModeReceiver({ appToken: config.appToken, logger, installerOptions: { clientOptions: { slackApiUrl: config.apiUrl } } });
  const app = new bolt.App({
    receiver,
    logger,
    clientOptions: { slackApiUrl: config.apiUrl },
    // Bolt would ask auth.test at each start and swallow presses while Slack does not answer it. The workspace is checked at each press instead.
    authorize: () => Promise.resolve({ botToken: config.botToken }),
    ignoreSelf: false,
  });
  listen(app, {
    press: pressDepsOf(world, 'slack', config.linkMode),
    cards: store.cards,
    requests,
    tenant,
    card,
    call,
    workspace,
    clock,
    refresh: () => {
      void work();
    },
    log,
  });

  listenForCommands(app, {
    command: { tenant, platform: 'slack', linkMode: config.linkMode, directory: store.directory, links, freezes: world.freezes },
    call,
    workspace,
    clock,
    log,
  });

  async function work(): Promise<number> {
    await sendCodes();
    try {
      return await worker.run();
    } catch (error) {
      log.error({ err: error }, 'the cards could not be looked at');
      return 0;
    }
  }

  /** To the account alone: whoever reads its direct messages is whose account it is. */
  async function sendCodes(): Promise<void> {
    try {
      await links.sendCodes('slack', async ({ user }, text) => {
        const { channel } = await call((client) => client.conversations.open({ users: user }));
        if (channel?.id === undefined) throw new PlatformError('gone', 'Slack opens no conversation with the account');
        const id = channel.id;
        const blocks = [{ type: 'section' as const, text: { type: 'plain_text' as const, text: text.slice(0, 3_000), emoji: false } }];
        await call((client) => client.chat.postMessage({ channel: id, text: escapeMrkdwn(text), blocks, unfurl_links: false }));
      });
    } catch (error) {
      log.warn({ err: error }, 'a code for linking an account could not be sent');
    }
  }

  return {
    mount: () => ({
      name: 'slack',
      paths: receiver instanceof bolt.ExpressReceiver ? [SLACK_PATHS.events] : [],
      handler: (request, response) => {
        if (!(receiver instanceof bolt.ExpressReceiver) || !isFresh(request, clock)) {
          response.writeHead(401).end();
          return;
        }
        receiver.app(request, response);
      },
    }),
    async start() {
      await store.cards.connect(tenant, 'slack');
      if (receiver instanceof bolt.SocketModeReceiver) {
        // Bolt tries for as long as Slack is away, and gives up on a token that Slack refuses.
        void app.start().catch((error: unknown) => {
          log.error({ err: error }, 'socket mode could not start; no press arrives');
        });
      }
      try {
        const { teamId, scopes } = await workspace.self();
        const missing = scopes.length === 0 ? [] : missingScopes(scopes);
        if (missing.length > 0) log.error({ missing }, 'the Slack app lacks scopes; see docs/slack.md');
        log.info({ team: teamId, channel: config.channel }, 'Slack is connected');
      } catch (error) {
        log.error({ err: error }, 'Slack does not answer or refuses the token; cards wait until it does');
      }
    },
    async stop() {
      // app.stop() would not wait for the end of the connection.
      if (receiver instanceof bolt.SocketModeReceiver) await receiver.client.disconnect();
      await worker.stop();
    },
    work,
    preview: previewCard,
  };
}

/** Whether the time stamp that the signature covers is within five minutes of now, either way. */
function isFresh(request: IncomingMessage, clock: Clock): boolean {
  const stamp = request.headers['x-slack-request-timestamp'];
  if (typeof stamp !== 'string' || !/^\d{1,12}$/.test(stamp)) return false;
  return Math.abs(epochMs(clock.now()) / 1_000 - Number(stamp)) <= MOST_SKEW_SECONDS;
}

/** What Bolt does with a listener's error that was not acknowledged: 500, and 401 where the request is one that Slack did not send now. */
function refuseRepeated({ error, response }: { error: Error; response: ServerResponse }): Promise<boolean> {
  const repeated = error instanceof RepeatedCommand;
  if (!response.headersSent) response.writeHead(repeated ? 401 : 500).end();
  return Promise.resolve(repeated);
}

/** Bolt's words in our log. Its messages hold no tokens, but payloads at debug level, which are not ours to keep. */
function boltLogger(log: ChatLog, level: 'warn' | 'debug'): Logger {
  const text = (parts: unknown[]): string => parts.map((part) => (part instanceof Error ? part.message : String(part))).join(' ');
  return {
    debug: () => {},
    info: (...parts: unknown[]) => {
      log.debug({ from: 'bolt' }, text(parts));
    },
    warn: (...parts: unknown[]) => {
      log[level]({ from: 'bolt' }, text(parts));
    },
    error: (...parts: unknown[]) => {
      log[level]({ from: 'bolt' }, text(parts));
    },
    setLevel: () => {},
    getLevel: () => bolt.LogLevel.INFO,
    setName: () => {},
  };
}
