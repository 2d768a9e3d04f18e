import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CliError, messageOf } from './cli-error.js';
import type { Terminal } from './terminal.js';

/** The text of a file, or of standard input where it is `-`. @param what it is called in the message. @throws CliError `unusable` */
export async function readText(terminal: Terminal, file: string, what: string): Promise<string> {
  try {
    return file === '-' ? Buffer.from(await terminal.stdin()).toString('utf8') : await readFile(path.resolve(terminal.cwd, file), 'utf8');
  } catch (cause) {
    throw new CliError('unusable', `The ${what} ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** The lines of such a text that hold something, each with its place: `file:12`. @throws CliError `unusable` */
export async function readLines(terminal: Terminal, file: string, what: string): Promise<{ where: string; number: number; line: string }[]> {
  const lines = (await readText(terminal, file, what)).split('\n');
  return lines.flatMap((line, index) => (line.trim() === '' ? [] : [{ where: `${file}:${index + 1}`, number: index + 1, line }]));
}
