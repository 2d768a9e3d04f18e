import { jsonAnswer, startWireServer, type Fault, type WireAnswer, type WireRequest, type WireServer } from '../wire/wire-server.js';
import { isObject, parseJson, text, type JsonObject } from '../wire/json.js';
import { OAuth, workspaceOf } from './oauth.js';
import { SlackRefusal } from './refusal.js';
import { SlackClient } from './slack-client.js';
import { SocketLink } from './socket-link.js';
import { checkedContent, WEB_API } from './web-api.js';
import {
  RESPONSE_URL_LIFE_MS,
  RESPONSE_URL_USES,
  Workspace,
  type EphemeralMessage,
  type NewSlackChannel,
  type NewSlackUser,
  type SlackChannel,
  type SlackFile,
  type SlackMessage,
  type SlackUser,
  type SlackView,
} from './workspace.js';

/**
 * A Slack on loopback, with the behaviour of the real one on the wire: Web API, interactivity, modals,
 * response_url, Block Kit's limits, scopes, triggers that live three seconds, rate limits and faults on demand; further workspaces and
 * Grids in which the app is installed by OAuth. The real SDK talks to it, over HTTP or in socket mode: `new App({ …, clientOptions: {
 * slackApiUrl: slack.apiUrl } })`. Not there: limits on the rate that nobody ordered.
 */
export async function startFakeSlack(options: FakeSlackOptions = {}): Promise<FakeSlack> {
  const now = options.now ?? Date.now;
  const botToken = options.botToken ?? 'xoxb-fake-token';
  const scopes = new Set(options.scopes ?? ALL_SCOPES);
  const workspace = new Workspace(
    {
      id: options.teamId ?? 'T0EXAMPLE',
      domain: options.teamDomain ?? 'example',
      appId: options.appId ?? 'A0EXAMPLE',
      botId: 'B0EXAMPLE',
      botUserId: 'U0BOT',
      ...(options.enterpriseId === undefined ? {} : { enterpriseId: options.enterpriseId }),
    },
    now,
  );
  for (const user of options.users ?? []) workspace.addUser(user);
  for (const channel of options.channels ?? []) workspace.addChannel({ members: [workspace.team.botUserId, ...workspace.users.keys()], ...channel });

  const workspaces = new Map([[workspace.team.id, workspace]]);
  let further: JsonObject = {};
  const oauth = new OAuth({ id: workspace.team.appId, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET }, () => further);
  oauth.grant({ token: botToken, workspaces: [workspace], enterpriseId: null, scopes });
  let skewMs = 0;

  const link = new SocketLink(workspace.team.appId, () => {
    wire.changed();
  });
  const wire = await startWireServer({
    upgrade: (request, socket) => {
      link.upgrade(request, socket);
    },
    nameOf: (_method, path) => {
      if (path.startsWith('/api/')) return path.slice('/api/'.length);
      if (path.startsWith('/actions/')) return 'response_url';
      return path.startsWith('/upload/') ? 'upload' : path;
    },
    handle: (request) => {
      if (request.path.startsWith('/api/')) return answerCall(request);
      if (request.name === 'response_url') return answerResponseUrl(workspaces.get(request.path.split('/').at(-2) ?? '') ?? workspace, request);
      if (request.name === 'upload') return receiveUpload(workspace, request);
      return { status: 404, body: '' };
    },
  });

  function answerCall(request: WireRequest): WireAnswer {
    const headers: Record<string, string> = { date: new Date(Date.now() + skewMs).toUTCString() };
    const method = WEB_API[request.name];
    try {
      const args = readArguments(request);
      if (request.name === 'oauth.v2.access') return jsonAnswer(200, { ok: true, ...oauth.access(args) }, headers);
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? text(args['token']);
      const grant = oauth.grants.get(token ?? '');
      if (grant !== undefined) headers['x-oauth-scopes'] = [...grant.scopes].join(',');
      if (method === undefined && request.name !== 'apps.connections.open')
        return jsonAnswer(200, { ok: false, error: 'unknown_method', req_method: request.name }, headers);
      if (token === undefined) throw new SlackRefusal('not_authed');
      if (request.name === 'apps.connections.open') {
        if (token !== APP_TOKEN) throw new SlackRefusal(grant === undefined ? 'invalid_auth' : 'not_allowed_token_type');
        return jsonAnswer(200, { ok: true, url: link.address(wire.url) });
      }
      if (grant === undefined || method === undefined) throw new SlackRefusal('invalid_auth');
      if (grant.over !== null) throw new SlackRefusal(grant.over);
      if (method.scopes.length > 0 && !method.scopes.some((scope) => grant.scopes.has(scope))) {
        throw new SlackRefusal('missing_scope', [], { needed: method.scopes.join(','), provided: [...grant.scopes].join(',') });
      }
      const { enterpriseId } = grant;
      const caller = { workspace: workspaceOf(grant, args), url: wire.url, scopes: grant.scopes, enterpriseId, workspaces: grant.workspaces };
      return jsonAnswer(200, { ok: true, ...method.run(args, caller) }, headers);
    } catch (error) {
      if (!(error instanceof SlackRefusal)) throw error;
      const details =
        error.details.length === 0 ? {} : { errors: error.details, response_metadata: { messages: error.details.map((detail) => `[ERROR] ${detail}`) } };
      return jsonAnswer(200, { ok: false, error: error.error, ...error.extra, ...details }, headers);
    }
  }

  let requestUrl = options.requestUrl;
  const clientOf = (of: Workspace) =>
    new SlackClient(
      of,
      wire.url,
      () => {
        if (requestUrl === undefined && !link.connected) throw new Error('the fake Slack does not know the bot yet: call connect(requestUrl)');
        return { url: requestUrl ?? null, signingSecret: options.signingSecret ?? 'fake-signing-secret', now, patienceMs: options.patienceMs ?? 3_000 };
      },
      () => {
        wire.changed();
      },
      link,
    );

  /** What tests see of a workspace, and do in it. */
  const seen = (workspace: Workspace): FakeWorkspace => ({
    teamId: workspace.team.id,
    client: clientOf(workspace),
    addUser: (user) => workspace.addUser(user),
    changeUser: (id, change) => {
      const user = workspace.users.get(id);
      if (user === undefined) throw new Error(`the fake Slack has no user ${id}`);
      workspace.users.set(id, { ...user, ...change, updated: Math.floor(now() / 1_000) });
    },
    addChannel: (channel) => workspace.addChannel({ members: [workspace.team.botUserId, ...workspace.users.keys()], ...channel }),
    changeChannel: (id, change) => {
      const channel = workspace.channels.get(id);
      if (channel === undefined) throw new Error(`the fake Slack has no channel ${id}`);
      workspace.channels.set(id, { ...channel, ...change });
    },
    sayAs: (user, channel, body) => {
      const message: SlackMessage = { channel: workspace.channel(channel)?.id ?? channel, ts: workspace.nextTs(), user, text: body, blocks: [] };
      workspace.posts.push(message);
      return message;
    },
    messages: (channel) => {
      const id = workspace.channel(channel)?.id;
      return workspace.posts.filter((post) => post.channel === id);
    },
    message: (channel, ts) => workspace.message(workspace.channel(channel)?.id ?? channel, ts),
    direct: (user) => workspace.posts.filter((post) => workspace.channels.get(post.channel)?.user === user),
    ephemeral: (user) => workspace.ephemerals.filter((one) => one.user === user),
    views: (user) => workspace.stacks.get(user) ?? [],
    home: (user) => workspace.homes.get(user),
  });

  return {
    apiUrl: `${wire.url}/api/`,
    botToken,
    appToken: APP_TOKEN,
    signingSecret: options.signingSecret ?? 'fake-signing-secret',
    ...seen(workspace),
    appId: workspace.team.appId,
    botUserId: workspace.team.botUserId,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    wire,
    addWorkspace: ({ id, enterpriseId, users = [], channels = [] }) => {
      const team = { ...workspace.team, id, domain: id.toLowerCase(), botId: `B${id.slice(1)}`, botUserId: `U${id.slice(1)}BOT` };
      const { enterpriseId: _own, ...alone } = team;
      const further = new Workspace(enterpriseId === undefined ? alone : { ...team, enterpriseId }, now);
      for (const user of users) further.addUser(user);
      for (const channel of channels) further.addChannel({ members: [further.team.botUserId, ...further.users.keys()], ...channel });
      workspaces.set(id, further);
      return seen(further);
    },
    choose: (page, chosen) => {
      if (chosen === null) return oauth.choose(page, null);
      const of =
        'teamId' in chosen
          ? [...workspaces.values()].filter(({ team }) => team.id === chosen.teamId)
          : [...workspaces.values()].filter(({ team }) => team.enterpriseId === chosen.enterpriseId);
      return oauth.choose(page, { workspaces: of, enterpriseId: 'teamId' in chosen ? null : chosen.enterpriseId });
    },
    oauthAnswers: (members) => {
      further = members;
    },
    endTokens: (teamId, word = 'token_revoked') => {
      for (const grant of oauth.grants.values()) if (grant.workspaces.some(({ team }) => team.id === teamId)) grant.over = word;
    },
    setClockSkew: (ms) => {
      skewMs = ms;
    },
    connect: (url) => {
      requestUrl = url;
    },
    disconnect: () => {
      requestUrl = undefined;
    },
    socketConnected: () => link.connected,
    files: () => [...workspace.files.values()],
    rateLimit: (method, retryAfterSeconds, when) => {
      wire.fail(method, { kind: 'answer', answer: jsonAnswer(429, { ok: false, error: 'ratelimited' }, { 'retry-after': String(retryAfterSeconds) }) }, when);
    },
    refuse: (method, members, when) => {
      wire.fail(method, { kind: 'answer', answer: jsonAnswer(200, { ok: false, ...members }) }, when);
    },
    fail: (method, fault, when) => {
      wire.fail(
        method,
        fault === 'server_error'
          ? { kind: 'answer', answer: { status: 503, headers: { 'content-type': 'text/html' }, body: '<html>Service Unavailable</html>' } }
          : { kind: fault },
        when,
      );
    },
    close: async () => {
      link.close();
      await wire.close();
    },
  };
}

const APP_TOKEN = 'xapp-fake-token';
const CLIENT_ID = '1234.5678';
const CLIENT_SECRET = 'fake-client-secret';

/** The scopes that the app's manifest asks for. */
export const ALL_SCOPES: readonly string[] = [
  'chat:write',
  'chat:write.public',
  'im:write',
  'users:read',
  'users:read.email',
  'files:write',
  'channels:read',
  'groups:read',
  'im:read',
  'channels:history',
  'groups:history',
  'im:history',
  'commands',
];

export interface FakeSlackOptions {
  readonly signingSecret?: string;
  readonly botToken?: string;
  readonly teamId?: string;
  readonly teamDomain?: string;
  readonly enterpriseId?: string;
  readonly appId?: string;
  readonly scopes?: readonly string[];
  readonly users?: readonly NewSlackUser[];
  /** Everybody known is a member unless `members` says otherwise. */
  readonly channels?: readonly NewSlackChannel[];
  /** Where the bot takes interactions; may come later by `connect`. */
  readonly requestUrl?: string;
  /** How long Slack waits for the bot's answer to an interaction, in milliseconds; 3,000 as the real one. */
  readonly patienceMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** One workspace. */
export interface FakeWorkspace {
  readonly teamId: string;
  /** The people: press, submit, closeView, command, event, replay. */
  readonly client: SlackClient;
  addUser(user: NewSlackUser): SlackUser;
  changeUser(id: string, change: Partial<SlackUser>): void;
  addChannel(channel: NewSlackChannel): SlackChannel;
  changeChannel(id: string, change: Partial<SlackChannel>): void;
  /** Somebody other than the bot writes. */
  sayAs(user: string, channel: string, text: string): SlackMessage;
  /** All messages of a channel (name or id), replies included, oldest first. */
  messages(channel: string): readonly SlackMessage[];
  message(channel: string, ts: string): SlackMessage | undefined;
  /** All messages in the bot's direct conversation with a person. */
  direct(user: string): readonly SlackMessage[];
  /** What only this person was shown, by whatever road. */
  ephemeral(user: string): readonly EphemeralMessage[];
  /** The modals that this person has open, the top one last. */
  views(user: string): readonly SlackView[];
  /** What the app published as this person's home. */
  home(user: string): SlackView | undefined;
}

export interface FakeSlack extends FakeWorkspace {
  /** What the SDK calls slackApiUrl; ends in a slash. */
  readonly apiUrl: string;
  readonly botToken: string;
  /** For socket mode: an app that connects gets interactions over its socket, unless `connect` named a request URL. */
  readonly appToken: string;
  readonly signingSecret: string;
  readonly appId: string;
  readonly botUserId: string;
  /** Traffic, waiting for a condition, refusing connections, all faults. */
  readonly wire: WireServer;
  /** For installing the app by OAuth. */
  readonly clientId: string;
  readonly clientSecret: string;
  /** One more workspace, in which the app is not installed yet. */
  addWorkspace(workspace: { id: string; enterpriseId?: string; users?: readonly NewSlackUser[]; channels?: readonly NewSlackChannel[] }): FakeWorkspace;
  /** Somebody chooses at Slack's page for an installation, or declines (null); where the browser is sent then. */
  choose(page: string, chosen: { teamId: string } | { enterpriseId: string } | null): string;
  /** Members that answers to oauth.v2.access have besides. */
  oauthAnswers(members: JsonObject): void;
  /** The tokens that reach this workspace are over: revoked, or the app uninstalled. */
  endTokens(teamId: string, word?: string): void;
  /** How far Slack's clock is ahead of this machine's, in its answers' Date. */
  setClockSkew(ms: number): void;
  connect(requestUrl: string): void;
  /** Forgets the request URL: interactions go to the app that is connected in socket mode. */
  disconnect(): void;
  socketConnected(): boolean;
  files(): readonly SlackFile[];
  /** The next calls of a method are answered with 429 and Retry-After. */
  rateLimit(method: string | RegExp, retryAfterSeconds: number, when?: { readonly times?: number; readonly skip?: number }): void;
  /** The next calls of a method are refused by Slack with these members, `error` among them. */
  refuse(method: string | RegExp, members: { readonly error: string } & JsonObject, when?: { readonly times?: number; readonly skip?: number }): void;
  /** Orders a fault for a method of the Web API, for `response_url`, or for `upload`. */
  fail(method: string | RegExp, fault: Exclude<Fault['kind'], 'answer'> | 'server_error', when?: { readonly times?: number; readonly skip?: number }): void;
  close(): Promise<void>;
}

const JSON_ARGUMENTS = new Set(['blocks', 'metadata', 'view', 'files', 'attachments']);
const TRUTHS: Readonly<Record<string, boolean>> = { true: true, false: false, '1': true, '0': false };
const BOOLEAN_ARGUMENTS = new Set([
  'unfurl_links',
  'unfurl_media',
  'inclusive',
  'include_all_metadata',
  'exclude_archived',
  'return_im',
  'reply_broadcast',
  'mrkdwn',
]);

/** The arguments of a call: JSON bodies as they are; in forms and queries structures are JSON strings and truths words. */
function readArguments(request: WireRequest): JsonObject {
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('application/json')) {
    const body = parseJson(request.body.toString('utf8'));
    if (!isObject(body)) throw new SlackRefusal('invalid_json');
    return body;
  }
  if (request.body.length > 0 && !type.startsWith('application/x-www-form-urlencoded')) throw new SlackRefusal('invalid_post_type');
  const args: JsonObject = {};
  for (const [key, value] of [...request.query, ...new URLSearchParams(request.body.toString('utf8'))]) {
    if (JSON_ARGUMENTS.has(key)) args[key] = parseJson(value) ?? value;
    else args[key] = BOOLEAN_ARGUMENTS.has(key) ? (TRUTHS[value] ?? value) : value;
  }
  return args;
}

/** `{ text, blocks, response_type, replace_original, delete_original }` to the URL of an interaction. */
function answerResponseUrl(workspace: Workspace, request: WireRequest): WireAnswer {
  const url = workspace.responseUrls.get(request.path.split('/').at(-1) ?? '');
  if (url === undefined || workspace.now() - url.issuedAt > RESPONSE_URL_LIFE_MS) return jsonAnswer(404, { ok: false, error: 'expired_url' });
  if (url.uses >= RESPONSE_URL_USES) return jsonAnswer(404, { ok: false, error: 'used_url' });
  const body = parseJson(request.body.toString('utf8'));
  if (!isObject(body)) return { status: 400, body: 'invalid_payload' };
  url.uses += 1;
  const original = url.ts === undefined ? undefined : workspace.message(url.channelId, url.ts);
  const privately = workspace.ephemerals.find((one) => one.channel === url.channelId && one.ts === url.ts);
  if (body['delete_original'] === true) {
    if (original !== undefined) workspace.posts.splice(workspace.posts.indexOf(original), 1);
    if (privately !== undefined) workspace.ephemerals.splice(workspace.ephemerals.indexOf(privately), 1);
    return { status: 200, body: 'ok' };
  }
  try {
    const content = checkedContent(body);
    const replaced = body['replace_original'] === true ? (original ?? privately) : undefined;
    const thread = text(body['thread_ts']);
    if (replaced !== undefined) {
      replaced.text = content.text;
      replaced.blocks = content.blocks;
    } else if (body['response_type'] === 'in_channel') {
      const { botUserId, botId, appId } = workspace.team;
      workspace.posts.push({
        channel: url.channelId,
        ts: workspace.nextTs(),
        user: botUserId,
        bot_id: botId,
        app_id: appId,
        ...content,
        ...(thread === undefined ? {} : { thread_ts: thread }),
      });
    } else {
      workspace.ephemerals.push({
        user: url.userId,
        channel: url.channelId,
        ts: workspace.nextTs(),
        ...content,
        via: 'response_url',
        ...(thread === undefined ? {} : { thread_ts: thread }),
      });
    }
    return { status: 200, body: 'ok' };
  } catch (error) {
    if (!(error instanceof SlackRefusal)) throw error;
    return jsonAnswer(400, { ok: false, error: error.error });
  }
}

/** The bytes of a file: the SDK sends them as the one part of a multipart body, others as they are. */
async function receiveUpload(workspace: Workspace, request: WireRequest): Promise<WireAnswer> {
  const file = workspace.files.get(request.path.split('/').at(-1) ?? '');
  if (file === undefined) return { status: 404, body: '' };
  const type = request.headers['content-type'] ?? '';
  let content = request.body;
  if (type.startsWith('multipart/form-data')) {
    const form = await new Response(new Uint8Array(request.body), { headers: { 'content-type': type } }).formData();
    const part = [...form.values()].find((value) => typeof value !== 'string');
    content = Buffer.from(await (part ?? new Blob([])).arrayBuffer());
  }
  if (content.length !== file.length) return { status: 400, body: 'the file is not as long as was announced' };
  file.content = content;
  return { status: 200, body: `OK - ${String(content.length)}` };
}
