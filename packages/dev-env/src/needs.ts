import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Finds a program that a test needs beyond Node.
 *
 * Where it is missing, the tests that need it are left out and said by name on stderr, as `left out (needs redis-server): …`;
 * in CI nothing may be left out, so there it throws.
 *
 * @param program the name on PATH, for example `redis-server`.
 * @param what the tests that stand and fall with it, in words.
 * @returns the program's path, or undefined: use it as `(path === undefined ? describe.skip : describe)(…)`.
 */
export function needs(program: string, what: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  if (process.env['CI']) throw new Error(`${program} is not on PATH, and in CI no test may be left out: ${what}`);
  process.stderr.write(`left out (needs ${program}): ${what}\n`);
  return undefined;
}
