import { createChatWorld } from '@countersign/chat';
import { type ApprovalWorld, createApprovalWorld } from '@countersign/dev-env/approval-world';
import { serveHandler } from '@countersign/dev-env/serve-handler';
import { type FakeBotFramework, startFakeBotFramework } from '@countersign/dev-env/teams';
import { decidePlace } from '@countersign/core/flow';
import { randomUUID } from 'node:crypto';
import { createTeamsBot, type TeamsBot, type TeamsBotConfig } from '../index.js';

export const CHANNEL = '19:approvals@thread.tacv2';
export const GROUP = '19:oncall@thread.v2';
export const TENANT_ID = randomUUID();
/** Entra object ids of the people of the tenant; all but mallory's are linked to persons. */
export const PEOPLE = { dana: randomUUID(), alice: randomUUID(), bob: randomUUID(), carol: randomUUID(), olivia: randomUUID(), mallory: randomUUID() };
export type TeamsName = keyof typeof PEOPLE;

export interface TeamsRig {
  readonly world: ApprovalWorld;
  readonly teams: FakeBotFramework;
  readonly bot: TeamsBot;
  /** What the bot warned of. */
  readonly warnings: string[];
  readonly endpoint: string;
  /** What the first bot is configured with. */
  readonly config: TeamsBotConfig;
  /** Another bot, on the same store or on this one. */
  createBot(change?: Partial<TeamsBotConfig>, store?: ApprovalWorld['store']): TeamsBot;
  /** From now on Teams calls this bot. */
  use(bot: TeamsBot): void;
  /** Another bot in place of the first; and another Teams, where one is given. */
  restart(change: Partial<TeamsBotConfig>, teams?: FakeBotFramework): Promise<void>;
  /** An administrator allows a conversation that the bot is in. */
  allow(conversation: string): Promise<void>;
  close(): Promise<void>;
}

/** The bot with Microsoft's SDK, the real store and flows, and a Bot Framework that speaks its wire. */
export async function startTeamsRig(): Promise<TeamsRig> {
  let teams = await startFakeBotFramework({
    tenantId: TENANT_ID,
    people: Object.entries(PEOPLE).map(([key, aadObjectId]) => ({ key, name: `${key} example`, email: `${key}@example.com`, aadObjectId })),
    conversations: [
      { id: CHANNEL, type: 'channel', name: 'Approvals', teamId: '19:team@thread.tacv2', teamName: 'Platform' },
      { id: GROUP, type: 'groupChat', name: 'On call' },
    ],
  });
  const account = (name: TeamsName) => [{ platform: 'teams' as const, workspace: TENANT_ID, user: PEOPLE[name] }];
  const linked = { dana: account('dana'), alice: account('alice'), bob: account('bob'), carol: account('carol'), olivia: account('olivia') };
  const world = await createApprovalWorld({ accounts: linked });
  const warnings: string[] = [];
  const note = (fields: object, message: string) =>
    void warnings.push(`${message}: ${'err' in fields && fields.err instanceof Error ? fields.err.message : JSON.stringify(fields)}`);
  const server = await serveHandler((request, response) => {
    bot.mount().handler(request, response);
  });

  const configOf = (): TeamsBotConfig => ({
    auth: 'on',
    appType: 'SingleTenant',
    appId: teams.appId,
    appPassword: teams.appPassword,
    tenantIds: [TENANT_ID],
    openIdMetadataUrl: teams.openIdMetadataUrl,
    linkMode: 'proof',
    openPlaces: false,
  });
  const createBot = (change: Partial<TeamsBotConfig> = {}, store = world.store): TeamsBot =>
    createTeamsBot({
      config: { ...configOf(), ...change },
      world: createChatWorld({
        tenant: world.tenant,
        publicUrl: 'http://localhost:8080',
        notice: null,
        flow: world.flow,
        store: { ...store, credentials: world.store.credentials, passkeys: world.store.passkeys },
        cooldownSeconds: 0,
        linkMode: change.linkMode ?? 'proof',
        log: { debug: () => {}, info: () => {}, warn: note, error: note },
      }),
      credentials: teams.credentialsFactory,
    });

  let bot = createBot();
  const endpoint = `${server.url}/api/messages`;
  teams.connect(endpoint);
  await bot.start();

  return {
    world,
    get teams() {
      return teams;
    },
    get bot() {
      return bot;
    },
    warnings,
    endpoint,
    get config() {
      return configOf();
    },
    createBot,
    use(other) {
      bot = other;
    },
    async restart(change, other) {
      await bot.stop();
      if (other !== undefined) {
        await teams.close();
        teams = other;
        teams.connect(endpoint);
      }
      bot = createBot(change);
      await bot.start();
    },
    async allow(conversation) {
      await teams.client.installIn(conversation, 'alice');
      const place = (await world.store.cards.places(world.tenant, 'teams')).find((one) => one.place === conversation);
      if (place === undefined) throw new Error('the bot does not know the conversation');
      const by = { id: world.people.olivia, email: 'olivia@example.com', name: 'Olivia Operator' };
      await decidePlace({ ...world.flow, chatPlaces: world.store.chatPlaces }, world.tenant, by, place.id, true);
    },
    async close() {
      await bot.stop();
      server.close();
      await teams.close();
      await world.close();
    },
  };
}
