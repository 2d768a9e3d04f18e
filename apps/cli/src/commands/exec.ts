import { spawn } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import path from 'node:path';
import type { Action } from '@countersign/client';
import { ACTION_USAGE, actionOptions, actorOf, askOptions, typeAndId } from '../caller/action-options.js';
import { connect, CONNECTION_USAGE, connectionOptions } from '../caller/connection.js';
import { CALLER_EXIT, EXIT_USAGE, exitOfFault, exitOfStatus } from '../caller/exit-codes.js';
import { interruption, showWaiting } from '../caller/progress.js';
import { CliError, messageOf } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import type { Terminal } from '../terminal.js';

const USAGE = `Usage: countersign exec [options] -- PROGRAM [ARGUMENT…]
  Asks whether exactly this command may run here, waits, and runs it once when it may; tells the service how it ended.
  People see the program's full path, each argument, the folder and the declared variables; what they approved is what runs.
  --action NAME            command.run unless told
  --resource TYPE/ID       what it acts on; command/PROGRAM unless told
  --env NAME               a variable that the program gets; people see its value (repeatable)
  --pass-env NAME          a variable that the program gets; people see its name alone, so use it for secrets (repeatable)
${ACTION_USAGE}
  The program gets PATH, HOME, USER, LANG, TERM and TMPDIR, and no other variable than those declared.
${CONNECTION_USAGE}
${EXIT_USAGE}
  Otherwise the program's own code; 128 and the signal's number when one ended it; 126 approved, but it could not be started; 127 no such program.`;

/** What any program may see of its surroundings. */
const PLAIN = ['PATH', 'HOME', 'USER', 'LANG', 'TERM', 'TMPDIR'];

export const exec: Command = {
  name: 'exec',
  summary: 'ask, wait, and run a command exactly as it was approved',
  usage: USAGE,
  async run(args, terminal) {
    const end = args.indexOf('--');
    const argv = end < 0 ? [] : args.slice(end + 1);
    if (argv.length === 0) throw new CliError('usage', 'Say what to run, after --.');
    const { values } = readArguments(
      args.slice(0, end),
      {
        ...connectionOptions,
        ...actionOptions,
        action: { type: 'string', default: 'command.run' },
        env: { type: 'string', multiple: true },
        'pass-env': { type: 'string', multiple: true },
      },
      0,
    );
    const program = programOf(argv[0] ?? '', terminal);
    if (program === null) {
      terminal.err(`countersign exec: there is no program ${JSON.stringify(argv[0])}.`);
      return CALLER_EXIT.not_found;
    }
    const passed = values['pass-env'] ?? [];
    const action = {
      action: values.action,
      resource: values.resource === undefined ? { type: 'command', id: program } : typeAndId(values.resource, '--resource'),
      parameters: {
        program,
        argv,
        cwd: realpathSync(terminal.cwd),
        env: variables(values.env ?? [], terminal),
        ...(passed.length === 0 ? {} : { pass_env: passed }),
      },
      actor: actorOf(values, terminal),
      ...(values.environment === undefined ? {} : { environment: values.environment }),
    } satisfies Action;
    const secret = variables(passed, terminal);
    const { client } = await connect(terminal, values, 'caller');
    const interrupted = interruption();
    let waiting: { end(): void } | undefined;
    const over = (): void => {
      waiting?.end();
      interrupted.end();
    };
    try {
      const result = await client.guard(
        action,
        ({ parameters }) => {
          over();
          return execute(parameters, {
            ...variables(
              PLAIN.filter((name) => terminal.env[name] !== undefined),
              terminal,
            ),
            ...secret,
          });
        },
        {
          ...askOptions(values),
          signal: interrupted.signal,
          cancelOnAbort: true,
          cancelOnTimeout: true,
          onSubmitted: (request) => (waiting = showWaiting(terminal, request)),
        },
      );
      over();
      if (result.kind === 'ran') {
        if (result.reportError !== undefined) terminal.err(`countersign exec: it ran, but the service could not be told: ${messageOf(result.reportError)}`);
        return 0;
      }
      terminal.err(
        `countersign exec: ${result.kind}${result.kind === 'denied' && result.reason !== null ? `: ${JSON.stringify(result.reason)}` : ''}. Nothing ran. ${result.request.url}`,
      );
      return exitOfStatus(result.kind);
    } catch (error) {
      over();
      if (error instanceof CommandFailed) {
        if (error.cause !== undefined) terminal.err(`countersign exec: ${program} could not be started: ${messageOf(error.cause)}`);
        return error.exitCode;
      }
      const code = exitOfFault(error);
      if (code === undefined) throw error;
      terminal.err(
        code === CALLER_EXIT.interrupted
          ? 'countersign exec: interrupted; the request was taken back. Nothing ran.'
          : `countersign exec: ${messageOf(error)} Nothing ran.`,
      );
      return code;
    }
  },
};

/** The program did not end with 0. Its name is what the service is told. */
class CommandFailed extends Error {
  constructor(
    readonly exitCode: number,
    how: string,
    options?: { cause: unknown },
  ) {
    super(how, options);
    this.name = how;
  }
}

/** Runs the approved copy: no shell, exactly these arguments. */
function execute(
  { program, argv, cwd, env }: { program: string; argv: string[]; cwd: string; env: Record<string, string> },
  more: Record<string, string>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv.slice(1), { argv0: argv[0] ?? program, cwd, env: { ...more, ...env }, stdio: 'inherit', shell: false });
    // The terminal sends Ctrl-C to the program too, which decides what that means; a kill of ours is passed on.
    const stay = (): void => undefined;
    const pass = (): void => void child.kill('SIGTERM');
    process.on('SIGINT', stay).on('SIGTERM', pass);
    const done = (): void => void process.off('SIGINT', stay).off('SIGTERM', pass);
    child.once('error', (cause) => {
      done();
      reject(new CommandFailed(CALLER_EXIT.not_started, 'not started', { cause }));
    });
    child.once('close', (code, signal) => {
      done();
      if (code === 0) resolve();
      else if (signal !== null) reject(new CommandFailed(128 + osConstants.signals[signal], `ended by ${signal}`));
      else reject(new CommandFailed(code ?? 1, `exit code ${code}`));
    });
  });
}

/** The program's full path, as PATH has it now: that one is shown, and that one runs. */
function programOf(name: string, terminal: Terminal): string | null {
  const places = name.includes('/')
    ? [path.resolve(terminal.cwd, name)]
    : (terminal.env['PATH'] ?? '')
        .split(path.delimiter)
        .filter(path.isAbsolute)
        .map((folder) => path.join(folder, name));
  for (const place of places) {
    try {
      accessSync(place, constants.X_OK);
      if (statSync(place).isFile()) return place;
    } catch {
      // Not there, or not to be run.
    }
  }
  return null;
}

/** @throws CliError `usage` for a variable that is not set: what is declared is what runs */
function variables(names: readonly string[], terminal: Terminal): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      const value = terminal.env[name];
      if (value === undefined) throw new CliError('usage', `The variable ${name} is not set.`);
      return [name, value];
    }),
  );
}
