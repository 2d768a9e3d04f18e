import path from 'node:path';
import { type CompiledBundle, compileBundle, loadFactParsers, type PolicyProblem } from '@countersign/core/policy';
import { CliError } from '../cli-error.js';
import { bundleFiles } from '../commands/policy/upload.js';

/** What reading a bundle came to: each problem and warning with its place. */
export type Read = { bundle: CompiledBundle; warnings: PolicyProblem[] } | { bundle: null; problems: PolicyProblem[] };

/** Compiles the bundle of a file or folder. @throws CliError `unusable` where it cannot be read */
export async function readBundle(cwd: string, name: string): Promise<Read> {
  const files = await bundleFiles(cwd, name);
  if (files.length === 0) throw new CliError('unusable', `There is no .yaml file in ${name}.`);
  await loadFactParsers();
  const compiled = compileBundle(files);
  return compiled.ok ? { bundle: compiled.bundle, warnings: compiled.warnings } : { bundle: null, problems: compiled.problems };
}

/** As readBundle, for commands that need a bundle that compiles. @throws CliError `refused` with every problem */
export async function needBundle(cwd: string, name: string): Promise<CompiledBundle> {
  const read = await readBundle(cwd, name);
  if (read.bundle !== null) return read.bundle;
  throw new CliError('refused', `The policy cannot be used:\n${read.problems.map(problemLine).join('\n')}`);
}

/** `policy.yaml:12:5: message (hint)` */
export const problemLine = ({ file, line, column, message, hint }: PolicyProblem): string =>
  `${file}:${line}:${column}: ${message}${hint === undefined ? '' : ` (${hint})`}`;

/** As GitHub Actions reads it, so that it stands beside the line in a pull request (workflow commands). */
export function annotation(level: 'error' | 'warning', { file, line, column, message, hint }: PolicyProblem): string {
  const escape = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string): string => escape(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const where = `file=${property(file.split(path.sep).join('/'))},line=${line},col=${column}`;
  return `::${level} ${where}::${escape(hint === undefined ? message : `${message} (${hint})`)}`;
}
