import {
  type ChatWorld,
  createCardWorker,
  createNoticeWorker,
  createChatActions,
  FAULT_TEXT,
  type Messenger,
  PlatformError,
  pressDepsOf,
} from '@countersign/chat';
import type { Card, JsonObject } from '@countersign/contracts';
import { readJsonBody, type StrictParser } from '@countersign/service';
import type { Activity } from 'botbuilder';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readsAbsence, teamsAbsence } from './absence.js';
import { createAuthentication, type CredentialsFactory, registeredCredentials } from './authentication.js';
import type { TeamsBotConfig } from './config.js';
import { isObject, readActivity } from './incoming-activity.js';
import { createInteractions, type InvokeAnswer, said } from './interactions.js';
import { localProblem } from './local-guard.js';
import { createMembers } from './members.js';
import { createMessageExtension } from './message-extension.js';
import { createMessenger } from './messenger.js';
import { createPacedCalls } from './paced-calls.js';
import { createPlaces } from './places.js';
import { createPlatform } from './platform.js';
import { createPresses } from './presses.js';
import { previewCard } from './render.js';
import { createTeamsCalls } from './teams-calls.js';
import { createViews } from './views.js';

/** What the bot needs of the rest of the service; the composition root puts it together. */
export interface TeamsBotDeps {
  config: TeamsBotConfig;
  world: ChatWorld;
  /** Where the tokens for our own calls come from; absent: from Entra, by the configuration. */
  credentials?: CredentialsFactory;
}

export interface TeamsBot {
  /** What the service's HTTP server gives to the bot. The body must be unread. */
  mount(): { name: 'teams'; paths: string[]; handler: (request: IncomingMessage, response: ServerResponse) => void };
  /** From now on cards are posted. Nothing is asked of Teams: a bot is not connected, it is called. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Brings cards up to date until nothing is due; the number of requests that were looked at. */
  work(): Promise<number>;
  /** The card as this bot would post it. */
  preview(card: Card): JsonObject;
  /** What it can say besides cards. */
  readonly messenger: Messenger;
}

const PATH = '/api/messages';

/**
 * The Teams bot: cards, presses, private answers.
 * @throws TypeError without an app id, where authentication is on.
 */
export function createTeamsBot(deps: TeamsBotDeps): TeamsBot {
  const { config, world } = deps;
  const { tenant, card, log, requests, links } = world;
  const { cards, directory } = world.store;
  const { clock, entropy } = world.flow;
  // The local playground, which is what authentication is off for, shows none.
  const dialogs = config.auth === 'on';
  const authentication = createAuthentication(config, deps.credentials);
  const paced = createPacedCalls(createTeamsCalls(authentication, config.auth === 'on' ? (config.appId ?? '') : ''));
  // What somebody waits for; cards, their updates and notices come after it.
  const calls = paced('answer');
  const places = createPlaces({ tenant, config, calls, cards, routing: world.store.routing, clock, entropy, log });
  const messenger = createMessenger({ tenant, publicUrl: world.publicUrl, dialogs, calls: paced('notice'), places, cards });
  const views = createViews({ tenant, dialogs, card, calls, directory, requests, clock, log });
  const worker = createCardWorker({
    platform: createPlatform({ post: paced('card').post, update: paced('outcome').update }, places, views),
    messenger,
    world,
    onFault: ({ request_id, attempts, error }) => {
      log.warn({ err: error, request_id, attempts }, 'a card could not be brought up to date; it is tried again');
    },
  });
  const press = pressDepsOf(world, 'teams', config.linkMode);
  const members = createMembers(calls, clock);
  const actions = createChatActions(world, 'teams', config.linkMode);
  const notices = createNoticeWorker(world, {
    platform: 'teams',
    messenger,
    first: () => worker.run(),
    ...(readsAbsence(config) ? { absence: teamsAbsence(config, deps.credentials ?? registeredCredentials(config)) } : {}),
  });
  const interactions = createInteractions({
    press,
    world,
    cards,
    tenant,
    card,
    openPlaces: config.openPlaces,
    calls,
    presses: createPresses({
      tenant,
      press,
      actions,
      cards,
      requests,
      presses: world.store.presses,
      card,
      members,
      views,
      clock,
      refresh: () => {
        void work();
      },
      log,
    }),
    extension: createMessageExtension(world, config.linkMode),
    places,
    members,
    clock,
    refresh: () => {
      void work();
    },
    log,
  });

  async function work(): Promise<number> {
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

  /** Into the personal chat of the account: whoever reads that is whose account it is. */
  async function sendCodes(): Promise<void> {
    try {
      await links.sendCodes('teams', async (account, text) => {
        const reference = await places.openPersonal(account);
        if (reference === null) throw new PlatformError('gone', 'the bot has no personal chat with the account');
        await calls.say(reference, text);
      });
    } catch (error) {
      log.warn({ err: error }, 'a code for linking an account could not be sent');
    }
  }

  /** One activity. Who cannot prove to be Teams gets 401; what Teams sends gets an answer that Teams understands. */
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') return answer(response, 405, null, { allow: 'POST' });
    const { authorization } = request.headers;
    if (config.auth === 'on' && authorization === undefined) return answer(response, 401, null, { 'www-authenticate': 'Bearer', connection: 'close' });
    const problem = config.auth === 'off' ? localProblem(request, world.publicUrl) : null;
    if (problem !== null) {
      log.warn({ problem }, 'TEAMS_AUTH is off, and something other than a local playground spoke');
      return answer(response, 403, { error: `TEAMS_AUTH is off, and ${problem}` }, { connection: 'close' });
    }

    const body = await readJsonBody(request, parse);
    if (!body.ok) return answer(response, body.problem.status, { error: body.problem.detail ?? body.problem.title }, { ...body.problem.headers });
    const activity = readActivity(body.value);
    if (activity === null || !isObject(body.value)) return answer(response, 400, { error: 'The body is no activity.' });
    // It has what an activity needs; botbuilder reads the rest as carefully as it does behind its own parser.
    const raw = body.value as unknown as Activity;
    const sender = await authentication.check(raw, authorization);
    if (sender === null) return answer(response, 401, null, { 'www-authenticate': 'Bearer' });

    let result: InvokeAnswer | null = null;
    try {
      await calls.receive(sender, raw, async (context) => {
        result = await interactions.turn(context, activity);
      });
    } catch (error) {
      log.error({ err: error, type: activity.type }, 'an activity failed');
      if (activity.type !== 'invoke') return answer(response, 500, null);
      result = said(FAULT_TEXT);
    }
    answer(response, statusOf(result), result);
  }

  return {
    mount: () => ({
      name: 'teams',
      paths: [PATH],
      handler: (request, response) => {
        receive(request, response).catch((error: unknown) => {
          log.error({ err: error }, 'what came to /api/messages could not be checked');
          if (!response.headersSent) answer(response, 503, null, { 'retry-after': '5' });
        });
      },
    }),
    async start() {
      await cards.connect(tenant, 'teams');
      if (config.auth === 'off')
        log.warn({}, 'TEAMS_AUTH IS OFF: every process on this machine may speak for every person in Teams. For the local playground alone.');
      else log.info({ app: config.appId, tenants: config.tenantIds }, 'Teams may call');
    },
    async stop() {
      await notices.stop();
      await worker.stop();
    },
    work,
    preview: previewCard,
    messenger,
  };
}

const statusOf = (result: InvokeAnswer | null): number => (result !== null && 'statusCode' in result ? result.statusCode : 200);

/** Teams' own JSON, which is not held to the rules of our wire. */
const parse: StrictParser = (bytes) => {
  try {
    return { ok: true, value: JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown };
  } catch {
    return { ok: false, problem: { pointer: '', line: 1, column: 1, detail: 'The body is not JSON.' } };
  }
};

function answer(response: ServerResponse, status: number, body: object | null, headers: Readonly<Record<string, string>> = {}): void {
  const text = body === null ? '' : JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    ...(body === null ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
