import type { Config } from '@countersign/service';
import { z } from 'zod';
import { messageOf } from '../cli-error.js';
import { type Check, fail, ok, warn } from './check.js';

/** What the app must be allowed to do; docs/slack.md says why each is needed, and the bot logs what is missing. */
const NEEDED_SCOPES = [
  'chat:write',
  'commands',
  'im:write',
  'users:read',
  'users:read.email',
  'channels:read',
  'groups:read',
  'channels:history',
  'groups:history',
];

const answerSchema = z.looseObject({
  ok: z.boolean(),
  error: z.string().optional(),
  team: z.string().optional(),
  team_id: z.string().optional(),
  user: z.string().optional(),
});

/** auth.test with the bot's token; Slack names the token's scopes in a header. */
export async function slackChecks(slack: NonNullable<Config['slack']>): Promise<Check[]> {
  const api = (slack.apiUrl ?? 'https://slack.com/api/').replace(/\/?$/, '/');
  try {
    const answer = await fetch(`${api}auth.test`, {
      method: 'POST',
      headers: { authorization: `Bearer ${slack.botToken.reveal()}` },
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
    const { ok: accepted, error, team, team_id, user } = answerSchema.parse(await answer.json());
    if (!accepted)
      return [
        fail(
          'Slack',
          `the bot token is refused: ${error ?? 'no reason given'}`,
          'Install the app to the workspace again and set SLACK_BOT_TOKEN to its bot token (xoxb-…).',
        ),
      ];
    const reached = ok(
      'Slack',
      `${user ?? 'the bot'} in ${team ?? 'a workspace'} (${team_id ?? 'no id'}), ${slack.appToken === undefined ? 'events over HTTP' : 'events over socket mode'}`,
    );
    const scopes = answer.headers
      .get('x-oauth-scopes')
      ?.split(',')
      .map((scope) => scope.trim());
    if (scopes === undefined) return [reached, warn('Slack scopes', 'Slack did not name them', 'Compare them by hand with docs/slack.md.')];
    const missing = NEEDED_SCOPES.filter((scope) => !scopes.includes(scope));
    return [
      reached,
      missing.length === 0
        ? ok('Slack scopes', 'all that are needed')
        : fail('Slack scopes', `missing: ${missing.join(', ')}`, 'Add them under OAuth & Permissions and install the app again (docs/slack.md).'),
    ];
  } catch (error) {
    return [fail('Slack', `${new URL(api).host} does not answer: ${messageOf(error)}`, 'Check the network from here, and SLACK_API_URL if it is set.')];
  }
}
