import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type PolicyUpload } from '@countersign/contracts';
import { CliError, messageOf } from '../../cli-error.js';

/** The files of a bundle: one, or all .yaml and .yml files of a folder, as COUNTERSIGN_POLICY reads them. @throws CliError `unusable` */
export async function bundleFiles(cwd: string, name: string): Promise<PolicyUpload['files']> {
  const source = path.resolve(cwd, name);
  try {
    if (!(await stat(source)).isDirectory()) return [{ path: name, text: await readFile(source, 'utf8') }];
    const names = (await readdir(source)).filter((file) => /\.ya?ml$/.test(file)).sort();
    return await Promise.all(names.map(async (file) => ({ path: path.join(name, file), text: await readFile(path.join(source, file), 'utf8') })));
  } catch (cause) {
    throw new CliError('unusable', `The policy ${name} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
