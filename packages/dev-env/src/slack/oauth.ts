import { randomBytes } from 'node:crypto';
import { text, type JsonObject } from '../wire/json.js';
import { SlackRefusal } from './refusal.js';
import type { Workspace } from './workspace.js';

/** One token: what it reaches, and what it may do. */
export interface Grant {
  readonly token: string;
  /** One workspace, or those of a Grid. */
  readonly workspaces: readonly Workspace[];
  /** The Grid, where the app was installed in the whole of it. */
  readonly enterpriseId: string | null;
  readonly scopes: ReadonlySet<string>;
  /** The word with which the token is refused; null: it works. */
  over: string | null;
}

/** Installing the app by OAuth v2 (docs.slack.dev/authentication/installing-with-oauth): the page where a workspace is chosen, and the token for its code. */
export class OAuth {
  readonly grants = new Map<string, Grant>();
  private readonly codes = new Map<string, { redirectUri: string; scopes: string[]; workspaces: readonly Workspace[]; enterpriseId: string | null }>();

  constructor(
    private readonly app: { readonly id: string; readonly clientId: string; readonly clientSecret: string },
    private readonly extra: () => JsonObject,
  ) {}

  grant(grant: Omit<Grant, 'over'>): Grant {
    const whole = { ...grant, over: null };
    this.grants.set(grant.token, whole);
    return whole;
  }

  /** Somebody chooses at Slack's page; where the browser goes then. */
  choose(page: string, chosen: { workspaces: readonly Workspace[]; enterpriseId: string | null } | null): string {
    const asked = new URL(page).searchParams;
    const redirectUri = asked.get('redirect_uri') ?? '';
    if (asked.get('client_id') !== this.app.clientId || redirectUri === '') throw new Error(`Slack shows bad_client_id or bad_redirect_uri for ${page}`);
    const back = new URL(redirectUri);
    const state = asked.get('state') ?? '';
    if (chosen === null) back.search = new URLSearchParams({ error: 'access_denied', state }).toString();
    else {
      const code = randomBytes(12).toString('hex');
      this.codes.set(code, { redirectUri, scopes: (asked.get('scope') ?? '').split(','), ...chosen });
      back.search = new URLSearchParams({ code, state }).toString();
    }
    return back.href;
  }

  /** `oauth.v2.access`. A code works once. */
  access(args: JsonObject): JsonObject {
    if (text(args['client_id']) !== this.app.clientId) throw new SlackRefusal('invalid_client_id');
    if (text(args['client_secret']) !== this.app.clientSecret) throw new SlackRefusal('bad_client_secret');
    const code = text(args['code']) ?? '';
    const given = this.codes.get(code);
    if (given === undefined) throw new SlackRefusal('invalid_code');
    if (text(args['redirect_uri']) !== given.redirectUri) throw new SlackRefusal('bad_redirect_uri');
    this.codes.delete(code);
    const { workspaces, enterpriseId, scopes } = given;
    const [first] = workspaces;
    if (first === undefined) throw new Error('nothing was chosen');
    const { token } = this.grant({ token: `xoxb-${randomBytes(12).toString('hex')}`, workspaces, enterpriseId, scopes: new Set(scopes) });
    for (const workspace of workspaces) workspace.orgWide = enterpriseId !== null;
    const { id, domain, botUserId, enterpriseId: grid } = first.team;
    return {
      app_id: this.app.id,
      authed_user: { id: 'U0INSTALLER' },
      scope: scopes.join(','),
      token_type: 'bot',
      access_token: token,
      bot_user_id: botUserId,
      team: enterpriseId === null ? { id, name: domain } : null,
      enterprise: grid === undefined ? null : { id: grid, name: 'Example' },
      is_enterprise_install: enterpriseId !== null,
      ...this.extra(),
    };
  }
}

/** The workspace that a call is about: the only one of its token, or that of what it names. */
export function workspaceOf(grant: Grant, args: JsonObject): Workspace {
  const holds = (workspace: Workspace): boolean =>
    args['team_id'] === workspace.team.id ||
    workspace.channel(text(args['channel']) ?? '') !== undefined ||
    workspace.users.has(text(args['user']) ?? text(args['users']) ?? '') ||
    workspace.triggers.has(text(args['trigger_id']) ?? '') ||
    [...workspace.stacks.values()].some((stack) => stack.some(({ id }) => id === args['view_id']));
  const [first] = grant.workspaces;
  const found = grant.workspaces.length === 1 ? first : (grant.workspaces.find(holds) ?? first);
  if (found === undefined) throw new Error('a token without a workspace');
  return found;
}
