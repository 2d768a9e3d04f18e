import { CliError, EXIT, messageOf } from './cli-error.js';
import { COMMANDS } from './commands.js';
import type { Terminal } from './terminal.js';

/**
 * Runs `countersign <args>`.
 * @returns the exit code: 0 fine, 1 something was found wrong or refused, 2 the command line is wrong or nothing could be judged
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first] = args;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    terminal.out(overview());
    return first === undefined ? EXIT.usage : EXIT.fine;
  }
  const found = COMMANDS.find(({ name }) => name.split(' ').every((word, at) => args[at] === word));
  if (found === undefined) {
    const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
    terminal.err(
      `countersign: there is no command ${JSON.stringify(args.slice(0, 2).join(' '))}. ${group.length > 0 ? `There is: ${group.join(', ')}.` : 'See: countersign --help'}`,
    );
    return EXIT.usage;
  }
  const command = await found.load();
  const rest = args.slice(command.name.split(' ').length);
  // What follows -- is another program's.
  const ours = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (ours.includes('--help') || ours.includes('-h')) {
    terminal.out(command.usage);
    return EXIT.fine;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    // Every package's error says in one line what to change; a stack helps only whoever mends Countersign.
    if (terminal.env['LOG_LEVEL'] === 'debug') terminal.err(error instanceof Error ? (error.stack ?? error.message) : String(error));
    terminal.err(`countersign ${command.name}: ${messageOf(error)}`);
    if (error instanceof CliError && error.code === 'usage') terminal.err(command.usage);
    return error instanceof CliError && error.code === 'refused' ? EXIT.wrong : EXIT.usage;
  }
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    'Usage: countersign <command> [options]',
    '',
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'countersign <command> --help says more. Exit codes: 0 fine, 1 found wrong, 2 usage, or nothing could be judged.',
  ].join('\n');
}
