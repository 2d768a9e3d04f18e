import { type ChatWorld, createCardWorker, createNoticeWorker, type PaceTimer, PlatformError } from '@countersign/chat';
import { missingScopes, SLACK_PATHS } from '@countersign/chat/slack-app';
import type { Card, JsonObject } from '@countersign/contracts';
import type { Clock } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';
import bolt from '@slack/bolt';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { slackAbsence } from './absence.js';
import { admit, ForeignPayload, listenToSlack } from './admission.js';
import { boltLogger } from './bolt-log.js';
import { RepeatedCommand } from './commands.js';
import type { SlackBotConfig } from './config.js';
import { callsHere, cardsHere, messengerEverywhere, noticesHere, platformEverywhere, workspaceHere } from './everywhere.js';
import { createInstallPages } from './install-pages.js';
import { createInstallations, type Seat } from './installations.js';
import { placeOf } from './places.js';
import { previewCard } from './render.js';
import { escapeMrkdwn } from './rich-text.js';
import { listenToPeople } from './surface.js';

/** What the bot needs of the rest of the service; the composition root puts it together. */
export interface SlackBotDeps {
  config: SlackBotConfig;
  world: ChatWorld;
  /** Time, as the limits on calls to Slack have it; absent: the real one. */
  timer?: PaceTimer;
  /** How long a press may take until its person is told that it is worked on, in milliseconds; absent: one second. */
  workingAfterMs?: number;
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
  const { tenant, log, store, links } = world;
  const { clock } = world.flow;
  // The SDK joins the method's name to the URL as it stands.
  const config = { ...deps.config, apiUrl: deps.config.apiUrl.replace(/\/?$/, '/') };
  const logger = boltLogger(log, 'warn');
  const { sealer } = world.flow;
  // What a client fails at it throws, and whoever catches it logs it.
  const installations = createInstallations({ config, tenant, store: store.slackInstalls, sealer, clock, logger: boltLogger(log, 'debug'), timer: deps.timer });
  const install = { ...world.flow, slackInstalls: store.slackInstalls };
  const messenger = messengerEverywhere(installations);
  const worker = createCardWorker({
    platform: platformEverywhere(installations, config.channel),
    messenger,
    world,
    onFault: ({ request_id, attempts, error }) => {
      log.warn({ err: error, request_id, attempts }, 'a card could not be brought up to date; it is tried again');
    },
  });
  const notices = createNoticeWorker(world, {
    platform: 'slack',
    messenger,
    first: () => worker.run(),
    // Conversations with one person begin with D.
    isPrivate: (place) => Promise.resolve(placeOf(place).channel.startsWith('D')),
    ...(config.readAbsence === true ? { absence: slackAbsence(installations, clock) } : {}),
  });
  const receiver =
    config.appToken === null
      ? new bolt.ExpressReceiver({ signingSecret: config.signingSecret ?? '', endpoints: SLACK_PATHS.events, logger, processEventErrorHandler: refuseRepeated })
      : new bolt.SocketModeReceiver({ appToken: config.appToken, logger, installerOptions: { clientOptions: { slackApiUrl: config.apiUrl } } });
  const app = new bolt.App({
    receiver,
    logger,
    clientOptions: { slackApiUrl: config.apiUrl },
    // Bolt would ask auth.test at each start and swallow presses while Slack does not answer it. Whose payload it is, `admit` says, and the
    // workspace is checked at each press; no listener uses Bolt's own client.
    authorize: ({ teamId, enterpriseId }) =>
      Promise.resolve({ ...(teamId === undefined ? {} : { teamId }), ...(enterpriseId === undefined ? {} : { enterpriseId }) }),
    ignoreSelf: false,
  });
  const pages =
    config.oauth === null
      ? null
      : createInstallPages({
          ...config.oauth,
          apiUrl: config.apiUrl,
          publicUrl: world.publicUrl,
          tenant,
          install,
          installations,
          directory: store.directory,
          log,
        });
  admit(app, installations);
  listenToSlack(app, installations, { tenant, install, log });
  listenToPeople(app, {
    world: { ...world, store: { ...store, cards: cardsHere(installations, store.cards), notices: noticesHere(installations, store.notices) } },
    linkMode: config.linkMode,
    call: callsHere(installations),
    workspace: workspaceHere(installations),
    refresh: () => {
      void work();
    },
    workingAfterMs: deps.workingAfterMs,
  });

  async function work(): Promise<number> {
    await installations.refresh().catch((error: unknown) => {
      log.error({ err: error }, 'where the Slack app is installed could not be read');
    });
    await sendCodes();
    const looked = await worker.run().catch((error: unknown) => {
      log.error({ err: error }, 'the cards could not be looked at');
      return 0;
    });
    await notices.run().catch((error: unknown) => {
      log.error({ err: error }, 'what people are told could not be looked at');
    });
    return looked;
  }

  /** To the account alone: whoever reads its direct messages is whose account it is. */
  async function sendCodes(): Promise<void> {
    try {
      await links.sendCodes('slack', async ({ workspace, user }, text) => {
        const seat = await installations.at(workspace);
        if (seat === null) throw new PlatformError('gone', `The Slack app is not installed in ${workspace} any more`);
        const call = seat.calls('answer');
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

  /** Learns who the bot is there, so that the first press need not wait for it, and says what is wrong. */
  async function greet({ id, workspace }: Seat): Promise<void> {
    try {
      const { teamId, scopes } = await workspace.self();
      const missing = scopes.length === 0 ? [] : missingScopes(scopes);
      if (missing.length > 0) log.error({ missing, installation: id ?? teamId }, 'the Slack app lacks scopes; see docs/slack.md');
      await workspace.appId();
      log.info({ team: teamId, channel: config.channel }, 'Slack is connected');
    } catch (error) {
      log.error({ err: error, installation: id }, 'Slack does not answer or refuses the token; cards wait until it does');
    }
  }

  return {
    mount: () => ({
      name: 'slack',
      paths: [...(receiver instanceof bolt.ExpressReceiver ? [SLACK_PATHS.events] : []), ...(pages === null ? [] : pages.paths)],
      handler: (request, response) => {
        if (pages?.handles(request) === true) {
          pages.handle(request, response);
          return;
        }
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
      await installations.refresh().catch((error: unknown) => {
        log.error({ err: error }, 'where the Slack app is installed could not be read; it is tried again');
      });
      const seats = installations.all();
      if (seats.length === 0) log.warn({}, 'the Slack app is installed nowhere: countersign slack install-link makes a link for an administrator');
      await Promise.all(seats.map(greet));
    },
    async stop() {
      // app.stop() would not wait for the end of the connection.
      if (receiver instanceof bolt.SocketModeReceiver) await receiver.client.disconnect();
      await notices.stop();
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

/** What Bolt does with a listener's error that was not acknowledged: 500, and 401 where the request is one that Slack did not send us now. */
function refuseRepeated({ error, response }: { error: Error; response: ServerResponse }): Promise<boolean> {
  const repeated = error instanceof RepeatedCommand || error instanceof ForeignPayload;
  if (!response.headersSent) response.writeHead(repeated ? 401 : 500).end();
  return Promise.resolve(repeated);
}
