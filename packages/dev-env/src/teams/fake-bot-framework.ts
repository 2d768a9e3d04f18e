import { answerGraph, isGraph } from './graph.js';
import { randomUUID } from 'node:crypto';
import { parseJson, text, object, type JsonObject } from '../wire/json.js';
import { jsonAnswer, startWireServer, type Fault, type WireServer } from '../wire/wire-server.js';
import { ChannelTokens } from './channel-tokens.js';
import { answerConnector, connectorOperation } from './connector.js';
import { cardOf, TeamsClient } from './teams-client.js';
import { Tenancy, type NewTeamsConversation, type NewTeamsPerson, type StoredActivity, type TeamsConversation, type TeamsPerson } from './tenancy.js';

/**
 * Teams behind the Bot Framework, on loopback: published keys, activities signed as the channel signs them, the token
 * endpoint and the Connector API. botbuilder talks to it as to the real one:
 * `new CloudAdapter(new ConfigurationBotFrameworkAuthentication(teams.botConfiguration, teams.credentialsFactory))`.
 * The factory is needed because MSAL takes tokens from https authorities alone; it gets them from our token endpoint.
 * Not there: action commands of message extensions, Graph beyond presence, and limits on the rate that nobody ordered.
 */
export async function startFakeBotFramework(options: FakeBotFrameworkOptions = {}): Promise<FakeBotFramework> {
  const now = options.now ?? Date.now;
  const appId = options.appId ?? randomUUID();
  const appPassword = options.appPassword ?? 'fake-app-password';
  const tenancy = new Tenancy(appId, options.tenantId ?? randomUUID(), now);
  const tokens = new ChannelTokens(appId, appPassword, now);
  for (const person of options.people ?? []) tenancy.addPerson(person);
  for (const conversation of options.conversations ?? []) tenancy.addConversation(conversation);

  const presences = new Map<string, JsonObject>();
  const wire = await startWireServer({
    nameOf: (method, path) => {
      if (path === '/openid') return 'openid';
      if (path === '/keys') return 'keys';
      if (isGraph(path)) return 'presence';
      if (path.endsWith('/oauth2/v2.0/token')) return 'token';
      return path.includes('/v3/conversations') || path.includes('/v3/teams/') ? connectorOperation(method, path) : `${method} ${path}`;
    },
    handle: (request) => {
      if (request.name === 'openid') return tokens.openIdMetadata(wire.url);
      if (request.name === 'keys') return tokens.keySet();
      if (request.name === 'token') return tokens.grant(request.body.toString('utf8'));
      if (!tokens.takes(request.headers.authorization) && options.anonymousBot !== true) {
        return jsonAnswer(401, { error: { code: 'Unauthorized', message: 'Authorization has been denied for this request.' } });
      }
      if (request.name === 'presence') return answerGraph(tenancy, presences, request.path);
      return answerConnector(tenancy, request);
    },
  });

  // The real one names a region and a tenant; a bot that forgets the path finds nothing.
  const serviceUrl = `${wire.url}/emea/`;
  const tokenUrl = `${wire.url}/${tenancy.tenantId}/oauth2/v2.0/token`;
  let endpoint = options.endpoint;
  const client = new TeamsClient(
    tenancy,
    tokens,
    serviceUrl,
    () => {
      if (endpoint === undefined) throw new Error('the fake Bot Framework does not know the bot yet: call connect(endpoint)');
      return { url: endpoint, patienceMs: options.patienceMs ?? 10_000 };
    },
    () => {
      wire.changed();
    },
  );

  return {
    url: wire.url,
    openIdMetadataUrl: `${wire.url}/openid`,
    graphUrl: wire.url,
    setPresence: (key, presence) => {
      presences.set(key, presence);
    },
    tokenUrl,
    serviceUrl,
    appId,
    appPassword,
    tenantId: tenancy.tenantId,
    botConfiguration: {
      MicrosoftAppId: appId,
      ChannelService: '',
      ValidateAuthority: true,
      ToChannelFromBotLoginUrl: `https://login.microsoftonline.com/${tenancy.tenantId}`,
      ToChannelFromBotOAuthScope: 'https://api.botframework.com',
      ToBotFromChannelTokenIssuer: 'https://api.botframework.com',
      OAuthUrl: 'https://api.botframework.com',
      ToBotFromChannelOpenIdMetadataUrl: `${wire.url}/openid`,
      ToBotFromEmulatorOpenIdMetadataUrl: `${wire.url}/openid`,
    },
    credentialsFactory: credentials(appId, appPassword, tokenUrl),
    wire,
    client,
    warnings: tenancy.warnings,
    connect: (url) => {
      endpoint = url;
    },
    addPerson: (person) => tenancy.addPerson(person),
    changePerson: (key, change) => {
      tenancy.people.set(key, { ...tenancy.person(key), ...change });
    },
    addConversation: (conversation) => tenancy.addConversation(conversation),
    personal: (key) => tenancy.personal(key, false),
    block: (key) => {
      tenancy.personal(key, false).blocked = true;
    },
    activities: (conversationId) =>
      tenancy.activities.filter((one) => one.byBot && !one.deleted && one.conversationId.split(';')[0] === conversationId.split(';')[0]),
    activity: (id) => tenancy.activities.find((one) => one.id === id && !one.deleted),
    card: (activityId, seenBy) =>
      (seenBy === undefined ? undefined : tenancy.shown.get(`${seenBy}|${activityId}`)) ??
      cardOf(tenancy.activities.find((one) => one.id === activityId && !one.deleted)),
    revokeTokens: () => {
      tokens.revokeAll();
    },
    throttle: (operation, retryAfterSeconds, when) => {
      const answer = jsonAnswer(429, { error: { code: 'Throttled', message: 'Too many requests.' } }, { 'retry-after': String(retryAfterSeconds) });
      wire.fail(operation, { kind: 'answer', answer }, when);
    },
    fail: (operation, fault, when) => {
      const down = { kind: 'answer', answer: jsonAnswer(502, { error: { code: 'ServiceError', message: 'Unknown' } }) } as const;
      wire.fail(operation, fault === 'server_error' ? down : { kind: fault }, when);
    },
    close: () => wire.close(),
  };
}

export interface FakeBotFrameworkOptions {
  readonly appId?: string;
  readonly appPassword?: string;
  readonly tenantId?: string;
  readonly people?: readonly NewTeamsPerson[];
  /** Everybody known is a member and the app is installed unless told otherwise. */
  readonly conversations?: readonly NewTeamsConversation[];
  /** Where the bot takes activities; may come later by `connect`. */
  readonly endpoint?: string;
  /** Take calls without a token, as the playground does for a bot without an app id. */
  readonly anonymousBot?: boolean;
  /** How long Teams waits for the answer to an invoke, in milliseconds; 10,000. */
  readonly patienceMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface FakeBotFramework {
  readonly url: string;
  /** What TEAMS_OPENID_METADATA_URL is set to. */
  readonly openIdMetadataUrl: string;
  /** Microsoft Graph, as far as it tells of presence; the operation is called `presence`. */
  readonly graphUrl: string;
  /** What Graph says of a person's presence from now on. */
  setPresence(key: string, presence: JsonObject): void;
  /** Takes client credentials, as login.microsoftonline.com does. */
  readonly tokenUrl: string;
  /** Ends in a slash. */
  readonly serviceUrl: string;
  readonly appId: string;
  readonly appPassword: string;
  readonly tenantId: string;
  /** For ConfigurationBotFrameworkAuthentication; all of it is needed, one member alone switches everything off. */
  readonly botConfiguration: BotConfiguration;
  /** Second argument of ConfigurationBotFrameworkAuthentication (a ServiceClientCredentialsFactory). */
  readonly credentialsFactory: BotCredentialsFactory;
  /** Traffic, waiting for a condition, refusing connections, all faults. */
  readonly wire: WireServer;
  /** The people: installPersonal, installIn, uninstall, addressBot, press, submit, replay, send. */
  readonly client: TeamsClient;
  /** Things that work and should not be done, such as a card above 28 KB. */
  readonly warnings: readonly string[];
  connect(endpoint: string): void;
  addPerson(person: NewTeamsPerson): TeamsPerson;
  changePerson(key: string, change: Partial<TeamsPerson>): void;
  addConversation(conversation: NewTeamsConversation): TeamsConversation;
  /** The personal conversation of a person with the bot. */
  personal(key: string): TeamsConversation;
  /** The person blocks the bot: it may not write to them (403 MessageWritesBlocked). */
  block(key: string): void;
  /** What the bot posted in a conversation and did not delete, threads included, oldest first. */
  activities(conversationId: string): readonly StoredActivity[];
  activity(id: string): StoredActivity | undefined;
  /** The card of an activity, as everybody or as this person sees it. */
  card(activityId: string, seenBy?: string): JsonObject | undefined;
  /** The bot's tokens stop working. */
  revokeTokens(): void;
  /** The next calls of an operation are answered with 429 and Retry-After. Operations: createConversation, sendToConversation, replyToActivity, updateActivity, deleteActivity, getMember, getMembers, getPagedMembers, getTeam, getTeamChannels, openid, keys, token. */
  throttle(operation: string | RegExp, retryAfterSeconds: number, when?: { readonly times?: number; readonly skip?: number }): void;
  fail(operation: string | RegExp, fault: Exclude<Fault['kind'], 'answer'> | 'server_error', when?: { readonly times?: number; readonly skip?: number }): void;
  close(): Promise<void>;
}

export type BotConfiguration = Readonly<Record<string, string | boolean>> & { readonly MicrosoftAppId: string };

/** The part of botbuilder's ServiceClientCredentialsFactory and ServiceClientCredentials that is used. */
export interface BotCredentialsFactory {
  isValidAppId(appId: string): Promise<boolean>;
  isAuthenticationDisabled(): Promise<boolean>;
  createCredentials(
    appId: string,
  ): Promise<{ signRequest<R extends { headers: { set(name: string, value: string): void } }>(request: R): Promise<R>; getToken(): Promise<string> }>;
}

function credentials(appId: string, appPassword: string, tokenUrl: string): BotCredentialsFactory {
  const getToken = async (): Promise<string> => {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: appId,
      client_secret: appPassword,
      scope: 'https://api.botframework.com/.default',
    });
    const response = await fetch(tokenUrl, { method: 'POST', body: form });
    const token = text(object(parseJson(await response.text()))['access_token']);
    if (token === undefined) throw new Error(`the token endpoint answered ${String(response.status)}`);
    return token;
  };
  return {
    isValidAppId: (id) => Promise.resolve(id === appId),
    isAuthenticationDisabled: () => Promise.resolve(false),
    createCredentials: () =>
      Promise.resolve({
        getToken,
        signRequest: async (request) => {
          request.headers.set('authorization', `Bearer ${await getToken()}`);
          return request;
        },
      }),
  };
}
