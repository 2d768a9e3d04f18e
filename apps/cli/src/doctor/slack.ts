import { missingScopes, SLACK_PATHS } from '@countersign/chat/slack-app';
import type { Config } from '@countersign/service';
import { z } from 'zod';
import { messageOf } from '../cli-error.js';
import { type Check, fail, ok, warn } from './check.js';

type SlackConfig = NonNullable<Config['slack']>;

/** One installation of the app, opened. `label` says whose token it is. */
export interface SlackToken {
  label: string;
  token: string;
}

/**
 * Slack as the bot would find it: tokens and what they may do, the channel of cards, the road on which presses come, the clock. Nothing is
 * posted, and nothing that Slack answers is shown but names.
 */
export async function slackChecks(slack: SlackConfig, publicUrl: string, installed: readonly SlackToken[] = []): Promise<Check[]> {
  const api = (slack.apiUrl ?? 'https://slack.com/api/').replace(/\/?$/, '/');
  const tokens = [...(slack.botToken === undefined ? [] : [{ label: 'SLACK_BOT_TOKEN', token: slack.botToken.reveal() }]), ...installed];
  if (tokens.length === 0)
    return [
      warn(
        'Slack',
        'the app is installed nowhere, so no card can be posted',
        'Make a link with countersign slack install-link, open it, and choose the workspace; or set SLACK_BOT_TOKEN.',
      ),
    ];
  const checks: Check[] = [];
  for (const [index, { label, token }] of tokens.entries()) {
    const name = tokens.length === 1 ? 'Slack' : `Slack (${label})`;
    const looked = await tokenChecks(api, name, label, token, slack.appToken !== undefined);
    checks.push(...looked.checks);
    // Names without a workspace mean the first one.
    if (index === 0 && looked.reached) checks.push(...(await channelChecks(api, token, slack.channel)));
  }
  checks.push(slack.appToken === undefined ? await endpointCheck(publicUrl) : await socketCheck(api, slack.appToken.reveal()));
  return checks;
}

async function tokenChecks(api: string, name: string, label: string, token: string, socket: boolean): Promise<{ checks: Check[]; reached: boolean }> {
  try {
    const { answer, headers } = await ask(api, 'auth.test', token, identitySchema);
    if (!answer.ok)
      return { checks: [fail(name, `the bot token is refused: ${answer.error ?? 'no reason given'}`, tokenFix(answer.error, label))], reached: false };
    const { user, team, team_id } = answer;
    const reached = ok(name, `${user ?? 'the bot'} in ${team ?? 'a workspace'} (${team_id ?? 'no id'}), events over ${socket ? 'socket mode' : 'HTTP'}`);
    return { checks: [reached, scopeCheck(name, headers), ...clockCheck(headers)], reached: true };
  } catch (error) {
    return {
      checks: [fail(name, `${new URL(api).host} does not answer: ${messageOf(error)}`, 'Check the network from here, and SLACK_API_URL if it is set.')],
      reached: false,
    };
  }
}

function tokenFix(error: string | undefined, label: string): string {
  const again =
    label === 'SLACK_BOT_TOKEN'
      ? 'Install the app to the workspace again and set SLACK_BOT_TOKEN to its bot token (xoxb-…).'
      : 'Install it there again: countersign slack install-link.';
  switch (error) {
    case 'token_revoked':
    case 'account_inactive':
      return `The app was uninstalled, or its token revoked. ${again}`;
    case 'not_allowed_token_type':
      return 'It is a token of another kind: SLACK_BOT_TOKEN begins with xoxb-, SLACK_APP_TOKEN with xapp-.';
    case 'ekm_access_denied':
      return 'The workspace’s administrators have suspended access by Enterprise Key Management; ask them.';
    default:
      return again;
  }
}

function scopeCheck(name: string, headers: Headers): Check {
  const title = name.replace('Slack', 'Slack scopes');
  const scopes = headers
    .get('x-oauth-scopes')
    ?.split(',')
    .map((scope) => scope.trim());
  if (scopes === undefined) return warn(title, 'Slack did not name them', 'Compare them by hand with docs/slack.md.');
  const missing = missingScopes(scopes);
  return missing.length === 0
    ? ok(title, 'all that are needed')
    : fail(
        title,
        `missing: ${missing.join(', ')}`,
        'Paste what countersign slack manifest prints into App Manifest at api.slack.com/apps, and install the app again (docs/slack.md).',
      );
}

/** Slack signs with its own time, and what is five minutes off is refused; a minute is a sign of what comes. */
const MOST_SKEW_MS = 60_000;

function clockCheck(headers: Headers): Check[] {
  const theirs = Date.parse(headers.get('date') ?? '');
  if (Number.isNaN(theirs)) return [];
  const skew = Date.now() - theirs;
  const seconds = Math.round(Math.abs(skew) / 1_000);
  return [
    Math.abs(skew) <= MOST_SKEW_MS
      ? ok('Slack clock', 'agrees with this machine’s')
      : fail(
          'Slack clock',
          `this machine is ${String(seconds)} s ${skew > 0 ? 'ahead of' : 'behind'} Slack; presses that are 300 s off are refused`,
          'Synchronise the clock (NTP).',
        ),
  ];
}

const NAMED = /^(?:(?<team>[TE][A-Z0-9]{5,})\/)?#?(?<name>.+)$/;

async function channelChecks(api: string, token: string, named: string | undefined): Promise<Check[]> {
  const name = 'Slack channel';
  if (named === undefined)
    return [warn(name, 'SLACK_CHANNEL is not set', 'Cards go only where policy names a channel; set SLACK_CHANNEL to catch the others.')];
  const { team, name: channel = named } = NAMED.exec(named)?.groups ?? {};
  try {
    const found = await findChannel(api, token, channel, team);
    if (typeof found === 'string')
      return [fail(name, `${named}: Slack answers ${found}`, 'Add the missing scope (countersign slack manifest) and install the app again.')];
    if (found === null)
      return [fail(name, `there is no channel ${named} that the app can see`, 'Check the name; invite the app to a private channel: /invite @Countersign.')];
    const faults: Check[] = [];
    if (found.is_archived === true) faults.push(fail(name, `${named} is archived`, 'Unarchive it, or set SLACK_CHANNEL to another.'));
    if (found.is_ext_shared === true || found.is_pending_ext_shared === true)
      faults.push(fail(name, `${named} is shared with another organisation; cards are not posted there`, 'Use a channel of your own organisation.'));
    if (found.is_member !== true) faults.push(fail(name, `the app is no member of ${named}`, 'Invite it there: /invite @Countersign.'));
    return faults.length > 0 ? faults : [ok(name, `${named} is there, and the app is a member`)];
  } catch (error) {
    return [fail(name, `could not be looked up: ${messageOf(error)}`, 'Try again; Slack may ask to wait.')];
  }
}

/** The channel; null where there is none; Slack's word where it refuses to say. */
async function findChannel(api: string, token: string, channel: string, team: string | undefined): Promise<Channel | null | string> {
  if (/^[CG][A-Z0-9]{7,}$/.test(channel)) {
    const { answer } = await ask(api, 'conversations.info', token, infoSchema, { channel });
    if (answer.ok) return answer.channel ?? null;
    if (answer.error !== 'channel_not_found') return answer.error ?? 'nothing';
  }
  let cursor = '';
  do {
    const page = {
      types: 'public_channel,private_channel',
      limit: '1000',
      ...(cursor === '' ? {} : { cursor }),
      ...(team?.startsWith('T') === true ? { team_id: team } : {}),
    };
    const { answer } = await ask(api, 'conversations.list', token, listSchema, page);
    if (!answer.ok) return answer.error ?? 'nothing';
    const found = answer.channels?.find((one) => one.name === channel);
    if (found !== undefined) return found;
    cursor = answer.response_metadata?.next_cursor ?? '';
  } while (cursor !== '');
  return null;
}

async function socketCheck(api: string, appToken: string): Promise<Check> {
  const name = 'Slack socket';
  try {
    const { answer } = await ask(api, 'apps.connections.open', appToken, answerSchema);
    return answer.ok
      ? ok(name, 'the app-level token opens a connection')
      : fail(
          name,
          `SLACK_APP_TOKEN is refused: ${answer.error ?? 'no reason given'}`,
          'Make an app-level token with connections:write under Basic Information, and turn Socket Mode on (countersign slack manifest --socket).',
        );
  } catch (error) {
    return fail(name, `Slack does not answer: ${messageOf(error)}`, 'Check the network from here.');
  }
}

/** A request that nobody signed must be answered with 401: then it is the bot that stands there. */
async function endpointCheck(publicUrl: string): Promise<Check> {
  const name = 'Slack requests';
  const url = `${publicUrl}${SLACK_PATHS.events}`;
  try {
    const { status } = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      redirect: 'manual',
      signal: AbortSignal.timeout(10_000),
    });
    const { protocol, hostname } = new URL(publicUrl);
    if (status === 401 && (protocol !== 'https:' || hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'))
      return warn(
        name,
        `${url} answers here, but Slack cannot reach it: no press would arrive`,
        'Set PUBLIC_URL to an https address that the internet reaches, or use socket mode: SLACK_APP_TOKEN and countersign slack manifest --socket.',
      );
    if (status === 401) return ok(name, `${url} answers, and refuses what Slack did not sign`);
    const wrong = `${url} answers ${String(status)} to a request that nobody signed, instead of 401`;
    if (status === 404) return fail(name, wrong, 'Does the process that answers there run the role slack-bot, with SLACK_SIGNING_SECRET set?');
    if (status === 421) return fail(name, wrong, 'The proxy must pass the Host header on as it came.');
    return fail(name, wrong, 'Is it Countersign that answers there? A proxy or a sign-in page before it keeps Slack out: let /slack/ through as it comes.');
  } catch (error) {
    return fail(
      name,
      `${url} cannot be reached from here: ${messageOf(error)}`,
      'Start the service, and see that DNS, proxy and firewall let Slack through. From inside the network it may be out of reach though Slack reaches it.',
    );
  }
}

const answerSchema = z.looseObject({ ok: z.boolean(), error: z.string().optional() });
const identitySchema = answerSchema.extend({ team: z.string().optional(), team_id: z.string().optional(), user: z.string().optional() });
const channelSchema = z.looseObject({
  name: z.string().optional(),
  is_archived: z.boolean().optional(),
  is_ext_shared: z.boolean().optional(),
  is_pending_ext_shared: z.boolean().optional(),
  is_member: z.boolean().optional(),
});
type Channel = z.infer<typeof channelSchema>;
const infoSchema = answerSchema.extend({ channel: channelSchema.optional() });
const listSchema = answerSchema.extend({
  channels: z.array(channelSchema).optional(),
  response_metadata: z.looseObject({ next_cursor: z.string().optional() }).optional(),
});

async function ask<T>(
  api: string,
  method: string,
  token: string,
  schema: z.ZodType<T>,
  args: Readonly<Record<string, string>> = {},
): Promise<{ answer: T; headers: Headers }> {
  const answer = await fetch(`${api}${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(args).toString(),
    redirect: 'error',
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.status === 429) throw new Error(`Slack asks to wait ${answer.headers.get('retry-after') ?? 'some'} s`);
  return { answer: schema.parse(await answer.json()), headers: answer.headers };
}
