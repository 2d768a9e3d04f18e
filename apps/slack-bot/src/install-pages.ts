import { type ChatLog, PlatformError } from '@countersign/chat';
import { missingScopes, SLACK_PATHS, SLACK_SCOPES } from '@countersign/chat/slack-app';
import { slackInstall, type SlackInstallDeps } from '@countersign/core/flow';
import type { DirectoryStore, SlackInstallation } from '@countersign/core/ports';
import bolt, { type webApi } from '@slack/bolt';
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { platformError } from './faults.js';
import type { Installations } from './installations.js';

export interface InstallPagesDeps {
  clientId: string;
  clientSecret: string;
  /** Ends in a slash. */
  apiUrl: string;
  publicUrl: string;
  tenant: string;
  install: SlackInstallDeps;
  installations: Installations;
  directory: Pick<DirectoryStore, 'person'>;
  log: ChatLog;
}

/** A page that says what became of an installation; `status` is HTTP's. */
interface Said {
  status: number;
  title: string;
  text: string;
}

const OVER: Said = {
  status: 403,
  title: 'This link is over',
  text: 'A link installs the app once, within ten minutes, in the browser that opened it. An administrator makes another: countersign slack install-link.',
};
const COOKIE = 'countersign_slack_install';

/**
 * Installing the app by OAuth (docs.slack.dev/authentication/installing-with-oauth). It begins at a link that an administrator made, whose
 * secret stands in the fragment, so that no log and no scanner has it; goes through Slack with a state that is bound to the browser and
 * counts once; and ends with the token sealed. Bolt's own installer has a state that anybody can start: it would let anybody who reaches
 * the service decide whose accounts count.
 */
export function createInstallPages(deps: InstallPagesDeps) {
  const { clientId, clientSecret, apiUrl, publicUrl, tenant, install, installations, directory, log } = deps;
  const redirectUri = `${publicUrl}${SLACK_PATHS.redirect}`;
  const paths: string[] = [SLACK_PATHS.install, SLACK_PATHS.redirect];

  /** The link was opened in a browser: off to Slack, to choose the workspace. */
  async function begin(request: IncomingMessage, response: ServerResponse): Promise<Said | null> {
    const secret = new URLSearchParams(await bodyOf(request)).get('link') ?? '';
    const state = randomBytes(32).toString('base64url');
    if (!(await install.slackInstalls.startLink(tenant, digest(secret), digest(state)))) return OVER;
    const to = new URL('../oauth/v2/authorize', apiUrl);
    to.search = new URLSearchParams({
      client_id: clientId,
      scope: SLACK_SCOPES.map(({ name }) => name).join(','),
      state,
      redirect_uri: redirectUri,
    }).toString();
    response.writeHead(303, { location: to.href, 'set-cookie': cookie(state, 600), 'cache-control': 'no-store' }).end();
    return null;
  }

  /** Slack sent the browser back, with a code for a token. */
  async function end(request: IncomingMessage, url: URL): Promise<Said> {
    const state = url.searchParams.get('state') ?? '';
    // Whoever is led here by somebody else's state has not that cookie, and would install the other's workspace.
    if (state === '' || cookieOf(request) !== state) return OVER;
    if (url.searchParams.get('error') !== null)
      return {
        status: 403,
        title: 'Nothing was installed',
        text: `Slack says ${JSON.stringify(url.searchParams.get('error'))}. The link can be opened again while it lives.`,
      };
    const code = url.searchParams.get('code') ?? '';
    const link = code === '' ? null : await install.slackInstalls.spendLink(tenant, digest(state));
    if (link === null) return OVER;
    const person = await directory.person(tenant, link.made_by);
    if (person === null || !person.active || !person.roles.includes('administrator'))
      return { status: 403, title: 'Nothing was installed', text: 'Whoever made the link is no administrator any more.' };
    try {
      return await keep(code, link.made_by);
    } catch (error) {
      log.error({ err: error }, 'the Slack app could not be installed');
      const why = error instanceof PlatformError ? `${error.message}.` : 'Something failed here; the log says what.';
      return { status: 502, title: 'Nothing was installed', text: `${why} Make another link and try again.` };
    }
  }

  async function keep(code: string, by: string): Promise<Said> {
    const options = { slackApiUrl: apiUrl, timeout: 10_000, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true };
    const asked = async <T>(method: string, call: (client: webApi.WebClient) => Promise<T>, token?: string): Promise<T> => {
      try {
        return await call(new bolt.webApi.WebClient(token, options));
      } catch (error) {
        throw platformError(error, { method });
      }
    };
    const given = await asked('oauth.v2.access', (client) =>
      client.oauth.v2.access({ client_id: clientId, client_secret: clientSecret, code, redirect_uri: redirectUri }),
    );
    const { access_token: token, app_id, bot_user_id, team, enterprise, is_enterprise_install = false } = given;
    const id = is_enterprise_install ? enterprise?.id : team?.id;
    if (token === undefined || app_id === undefined || bot_user_id === undefined || id === undefined)
      return {
        status: 502,
        title: 'Nothing was installed',
        text: 'Slack gave no bot token. Does the app have a bot user? Compare it with countersign slack manifest.',
      };
    if (given.expires_in !== undefined)
      return {
        status: 409,
        title: 'Nothing was installed',
        text: 'The app rotates its tokens. Turn token rotation off, as countersign slack manifest has it, and try again.',
      };
    const home = await installations.home?.workspace.self();
    if (home !== undefined && (id === home.teamId || (is_enterprise_install && id === home.enterpriseId)))
      return {
        status: 409,
        title: 'Nothing was installed',
        text: 'This workspace is connected by SLACK_BOT_TOKEN already. Unset that first, to install it by OAuth.',
      };
    // It says which bot the token is, and that the token works.
    const { bot_id } = await asked('auth.test', (client) => client.auth.test(), token);
    if (bot_id === undefined) return { status: 502, title: 'Nothing was installed', text: 'Slack did not say which bot the token belongs to.' };
    const scopes = (given.scope ?? '').split(',').filter((scope) => scope !== '');
    const installation: Omit<SlackInstallation, 'sealed_token' | 'token_digest' | 'installed_at'> = {
      tenant,
      id,
      team_id: is_enterprise_install ? null : id,
      team_name: team?.name ?? null,
      enterprise_id: enterprise?.id ?? null,
      enterprise_name: enterprise?.name ?? null,
      enterprise_install: is_enterprise_install,
      app_id,
      bot_id,
      bot_user_id,
      scopes,
      installed_by: by,
    };
    await slackInstall(install, installation, token);
    await installations.refresh();
    log.info({ installation: id, by }, 'the Slack app was installed');
    const missing = missingScopes(scopes);
    const name = team?.name ?? enterprise?.name ?? id;
    const lacks =
      missing.length === 0
        ? ''
        : ` It lacks scopes: ${missing.join(', ')}. Paste what countersign slack manifest prints into App Manifest, and install it again.`;
    return {
      status: 200,
      title: `Countersign is installed in ${name}`,
      text: `Invite it to the channels where cards shall go, which are called ${id}/channel here.${lacks}`,
    };
  }

  function cookie(value: string, seconds: number): string {
    const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
    // Lax: Slack's redirect is a navigation from another site.
    return `${COOKIE}=${value}; Path=/slack; HttpOnly; SameSite=Lax; Max-Age=${String(seconds)}${secure}`;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', publicUrl);
    if (url.pathname === SLACK_PATHS.install && request.method === 'GET') {
      page(
        response,
        { status: 200, title: 'Install Countersign in Slack', text: 'You choose the workspace at Slack. People of it may be linked, and then press.' },
        true,
      );
      return;
    }
    let said: Said | null;
    if (url.pathname === SLACK_PATHS.install && request.method === 'POST') said = await begin(request, response);
    else if (url.pathname === SLACK_PATHS.redirect && request.method === 'GET') {
      said = await end(request, url);
      response.setHeader('set-cookie', cookie('', 0));
    } else said = { status: 405, title: 'Not so', text: 'This address takes no such request.' };
    if (said !== null) page(response, said);
  }

  return {
    paths,
    handles: (request: IncomingMessage): boolean => paths.includes((request.url ?? '').split('?')[0] ?? ''),
    handle(request: IncomingMessage, response: ServerResponse): void {
      serve(request, response).catch((error: unknown) => {
        log.error({ err: error }, 'an installation page failed');
        if (!response.headersSent) page(response, { status: 503, title: 'Not now', text: 'The service could not do this now. Try again in a moment.' });
      });
    },
  };
}

const digest = (secret: string): Uint8Array => createHash('sha256').update(secret, 'utf8').digest();

const MOST_BODY = 4_096;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    // A request that was not given an encoding gives buffers.
    const bytes = chunk as Buffer;
    length += bytes.length;
    if (length > MOST_BODY) return '';
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function cookieOf(request: IncomingMessage): string | null {
  const found = (request.headers.cookie ?? '').split(';').map((part) => part.trim().split('='));
  return found.find(([name]) => name === COOKIE)?.[1] ?? null;
}

/** Takes the secret out of the address bar, and posts it when the button is pressed. */
const SCRIPT = `const f=document.forms[0];f.link.value=location.hash.slice(1);history.replaceState(null,'',location.pathname);`;
const SCRIPT_DIGEST = createHash('sha256').update(SCRIPT).digest('base64');

function page(response: ServerResponse, { status, title, text }: Said, withForm = false): void {
  const form = withForm
    ? `<form method="post" action="${SLACK_PATHS.install}"><input type="hidden" name="link"><button>Continue to Slack</button></form><script>${SCRIPT}</script>`
    : '';
  response
    .writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      // No form-action: it would cover the redirects that follow, and those are Slack's to choose.
      'content-security-policy': `default-src 'none'; script-src 'sha256-${SCRIPT_DIGEST}'; frame-ancestors 'none'`,
      'referrer-policy': 'no-referrer',
    })
    .end(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title><h1>${escaped(title)}</h1><p>${escaped(text)}</p>${form}</html>`,
    );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
