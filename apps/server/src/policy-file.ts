import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { BundleFile, PolicyProblem } from '@countersign/core/policy';

/** A bundle that cannot be used; its message names every problem with file, line and column. */
export class PolicyFileError extends Error {
  override readonly name = 'PolicyFileError';
}

/** COUNTERSIGN_POLICY: a file, or a folder whose .yaml and .yml files are one bundle. */
export async function readPolicy(source: string): Promise<BundleFile[]> {
  try {
    if (!(await stat(source)).isDirectory()) return [{ path: source, text: await readFile(source, 'utf8') }];
    const names = (await readdir(source)).filter((name) => /\.ya?ml$/.test(name)).sort();
    return await Promise.all(names.map(async (name) => ({ path: path.join(source, name), text: await readFile(path.join(source, name), 'utf8') })));
  } catch (cause) {
    throw new PolicyFileError(`The policy ${source} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** `policy.yaml:3:5: what is wrong (what was meant)` */
export const problemLine = ({ file, line, column, message, hint }: PolicyProblem): string =>
  `${file}:${line}:${column}: ${message}${hint === undefined ? '' : ` (${hint})`}`;
