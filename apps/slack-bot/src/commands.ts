import { type CommandDeps, createOnce, handleCommand, type Home, oneLine, readCommand, count, cut } from '@countersign/chat';
import type { Clock } from '@countersign/core/ports';
import type { App, types } from '@slack/bolt';
import { button, OPEN_WHOLE } from './buttons.js';
import { linkButton, privateWords } from './private-words.js';
import { bold, line, richText } from './rich-text.js';
import { type SlackCalls } from './slack-calls.js';
import type { SlackWorkspace } from './workspace.js';

export interface SlashCommandDeps {
  command: CommandDeps;
  call: SlackCalls;
  workspace: SlackWorkspace;
  clock: Clock;
  /** Whether this is the first time in any process that this was sent; throws where that cannot be known. */
  once(key: string): Promise<boolean>;
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
  const onceHere = createOnce(deps.clock);

  app.command(NAME, async ({ ack, command, respond }) => {
    const { trigger_id, team_id, enterprise_id, user_id: user, channel_id: channel } = command;
    // Slack gives each command a trigger of its own.
    if (!onceHere(trigger_id)) throw new RepeatedCommand('A slash command came a second time');
    await ack();
    const presser = { teamId: team_id ?? null, enterpriseId: enterprise_id ?? null };
    const wanted = readCommand(plain(command.text)) ?? { kind: 'help' as const };
    const answer = (await repeatedElsewhere(wanted.kind, trigger_id))
      ? { text: 'This very command was sent before. It was done once, and is not done again.' }
      : await handleCommand(deps.command, wanted, () => deps.workspace.account(user, presser));
    const said = privateWords(answer.text, [
      ...('home' in answer && answer.home !== undefined && wanted.kind === 'waiting' ? openButtons(answer.home) : []),
      ...('link' in answer && answer.link !== undefined ? [linkButton(answer.link.label, answer.link.url)] : []),
    ]);
    try {
      await respond({ response_type: 'ephemeral', ...said }).catch(() => deps.call((client) => client.chat.postEphemeral({ channel, user, ...said })));
    } catch (error) {
      deps.log.warn({ err: error, user }, 'a person could not be told');
    }
  });

  /** Where that cannot be known, what follows needs the same database, and says that it does not answer. */
  async function repeatedElsewhere(kind: string, trigger: string): Promise<boolean> {
    if (!CHANGING.has(kind)) return false;
    try {
      return !(await deps.once(`command:${trigger}`));
    } catch (error) {
      deps.log.warn({ err: error }, 'whether a command came before could not be looked up');
      return false;
    }
  }
}

/** Commands that change something: done once, whichever process they reach. */
const CHANGING: ReadonlySet<string> = new Set(['freeze', 'unfreeze', 'away', 'back']);
const MOST_OPENED = 5;

/** A button to open each of the first requests that wait; the words above list them all. */
function openButtons({ waiting }: Home): types.KnownBlock[] {
  return waiting
    .slice(0, MOST_OPENED)
    .flatMap(({ request_id, request_digest, headline }, index): types.KnownBlock[] => [
      richText(line(bold(`${count(index + 1)}. ${cut(oneLine(headline), 150)}`))),
      { type: 'actions', elements: [button('Open', OPEN_WHOLE, { request_id, request_digest })] },
    ]);
}

/**
 * What was typed. Slack writes three characters as entities, and, where the command has "Escape channels, users, and links", an address as
 * `<mailto:address|what was typed>`; a mention of an account stays as it is, and is looked up.
 */
function plain(text: string | undefined): string {
  return (text ?? '')
    .replaceAll(/<(?:mailto:|https?:\/\/)[^<>|]*\|([^<>|]*)>/g, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
