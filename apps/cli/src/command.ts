import { parseArgs, type ParseArgsConfig } from 'node:util';
import { CliError, messageOf } from './cli-error.js';
import type { Terminal } from './terminal.js';

/** One command of `countersign`. */
export interface Command {
  /** `ledger verify` */
  readonly name: string;
  /** What it is for, in a line. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly usage: string;
  /** @returns the exit code: 0 fine, 1 something is wrong, 2 it could not be done */
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

type Options = NonNullable<ParseArgsConfig['options']>;
type Config<O extends Options> = { args: string[]; options: O; allowPositionals: true; strict: true };

/** Reads a command's arguments. @throws CliError `usage` */
export function readArguments<const O extends Options>(args: readonly string[], options: O, most: number): ReturnType<typeof parseArgs<Config<O>>> {
  const config: Config<O> = { args: [...args], options, allowPositionals: true, strict: true };
  try {
    const read = parseArgs(config);
    const extra = read.positionals[most];
    if (extra !== undefined) throw new CliError('usage', `${JSON.stringify(extra)} is one argument too many.`);
    return read;
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('usage', messageOf(error).replaceAll('\n', ' '), { cause: error });
  }
}
