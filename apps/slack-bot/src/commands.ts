import { type CommandDeps, createOnce, handleCommand, readCommand } from '@countersign/chat';
import type { Clock } from '@countersign/core/ports';
import type { App } from '@slack/bolt';
import { linkButton, privateWords } from './private-words.js';
import { type SlackCalls } from './slack-calls.js';
import type { SlackWorkspace } from './workspace.js';

export interface SlashCommandDeps {
  command: Omit<CommandDeps, 'spoken' | 'log'>;
  call: SlackCalls;
  workspace: SlackWorkspace;
  clock: Clock;
  log: CommandDeps['log'] & { warn(fields: object, message: string): void };
}

const NAME = '/countersign';

/** The very same command came a second time: somebody sends what Slack signed once. The receiver answers it with 401. */
export class RepeatedCommand extends Error {
  override readonly name = 'RepeatedCommand';
  readonly code = 'repeated_command';
}

/** `/countersign …`: acknowledged before any other work, answered to the person alone. */
export function listenForCommands(app: App, deps: SlashCommandDeps): void {
  const once = createOnce(deps.clock);

  app.command(NAME, async ({ ack, command, respond }) => {
    const { trigger_id, team_id, enterprise_id, user_id: user, channel_id: channel } = command;
    // Slack gives each command a trigger of its own.
    if (!once(trigger_id)) throw new RepeatedCommand('A slash command came a second time');
    await ack();
    const presser = { teamId: team_id ?? null, enterpriseId: enterprise_id ?? null };
    const wanted = readCommand(plain(command.text)) ?? { kind: 'help' as const };
    const answer = await handleCommand({ ...deps.command, spoken: `${NAME} `, log: deps.log }, wanted, () => deps.workspace.account(user, presser));
    const said = privateWords(answer.text, answer.link === undefined ? [] : [linkButton(answer.link.label, answer.link.url)]);
    try {
      await respond({ response_type: 'ephemeral', ...said }).catch(() => deps.call((client) => client.chat.postEphemeral({ channel, user, ...said })));
    } catch (error) {
      deps.log.warn({ err: error, user }, 'a person could not be told');
    }
  });
}

/**
 * What was typed. Slack writes three characters as entities, and, where the command has "Escape channels, users, and links", an address as
 * `<mailto:address|what was typed>`; a mention stays what it is, and names nobody here.
 */
function plain(text: string | undefined): string {
  return (text ?? '')
    .replaceAll(/<(?:mailto:|https?:\/\/)[^<>|]*\|([^<>|]*)>/g, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
