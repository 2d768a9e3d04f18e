import { CliError, EXIT, messageOf } from './cli-error.js';
import type { Command } from './command.js';
import { approve, deny, redrive } from './commands/decisions.js';
import { apiKeyCreate, apiKeyList, apiKeyRevoke, apiKeyRotate } from './commands/api-keys.js';
import { signInLink, tokenCreate } from './commands/credentials.js';
import { tokenList, tokenRevoke } from './commands/tokens.js';
import { directoryCheck, scimTokenCreate } from './commands/directory.js';
import { doctor } from './commands/doctor.js';
import { exec } from './commands/exec.js';
import { freeze, freezes, unfreeze } from './commands/freezes.js';
import { keysRewrap } from './commands/keys-rewrap.js';
import { keysRotate } from './commands/keys-rotate.js';
import { ledgerExport } from './commands/ledger-export.js';
import { ledgerVerify } from './commands/ledger-verify.js';
import { list, request, show, wait } from './commands/requests.js';
import { policyActivate } from './commands/policy/activate.js';
import { policyAnalyze } from './commands/policy/analyze.js';
import { policyCheck } from './commands/policy/check.js';
import { policyDiff } from './commands/policy/diff.js';
import { policyExplain } from './commands/policy/explain.js';
import { policyFmt } from './commands/policy/fmt.js';
import { policyHistory } from './commands/policy/history.js';
import { policyReplay } from './commands/policy/replay.js';
import { policyRollback } from './commands/policy/rollback.js';
import { policySchema } from './commands/policy/schema.js';
import { policyStatus } from './commands/policy/status.js';
import { policySuggest } from './commands/policy/suggest.js';
import { policyTest } from './commands/policy/test.js';
import { quickstartLink } from './commands/quickstart-link.js';
import { verify } from './commands/verify.js';
import { verifyGrant } from './commands/verify-grant.js';
import { verifyWebhookCommand } from './commands/verify-webhook.js';
import type { Terminal } from './terminal.js';

const COMMANDS: readonly Command[] = [
  request,
  wait,
  list,
  show,
  approve,
  deny,
  exec,
  redrive,
  freeze,
  unfreeze,
  freezes,
  policyCheck,
  policyTest,
  policyFmt,
  policyExplain,
  policyAnalyze,
  policyDiff,
  policyReplay,
  policySuggest,
  policySchema,
  policyActivate,
  policyRollback,
  policyHistory,
  policyStatus,
  ledgerVerify,
  ledgerExport,
  keysRotate,
  keysRewrap,
  apiKeyCreate,
  apiKeyList,
  apiKeyRotate,
  apiKeyRevoke,
  tokenCreate,
  tokenList,
  tokenRevoke,
  scimTokenCreate,
  directoryCheck,
  signInLink,
  quickstartLink,
  doctor,
  verify,
  verifyWebhookCommand,
  verifyGrant,
];

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
  const command = COMMANDS.find(({ name }) => name.split(' ').every((word, at) => args[at] === word));
  if (command === undefined) {
    const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
    terminal.err(
      `countersign: there is no command ${JSON.stringify(args.slice(0, 2).join(' '))}. ${group.length > 0 ? `There is: ${group.join(', ')}.` : 'See: countersign --help'}`,
    );
    return EXIT.usage;
  }
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
