import { EXIT } from '../cli-error.js';
import type { Terminal } from '../terminal.js';
import type { Check } from './check.js';

/** Tells what was found, for people or as JSON. @returns the exit code: 0 nothing fails, 1 something does */
export function report(checks: readonly Check[], json: boolean, terminal: Pick<Terminal, 'out'>): number {
  const failing = checks.filter(({ status }) => status === 'fail').length;
  if (json) terminal.out(JSON.stringify({ ok: failing === 0, checks }, null, 2));
  else {
    const width = Math.max(...checks.map(({ name }) => name.length));
    for (const { name, status, says, fix } of checks) {
      terminal.out(`${status.padEnd(4)}  ${name.padEnd(width)}  ${says}`);
      if (fix !== undefined) terminal.out(`${' '.repeat(width + 8)}→ ${fix}`);
    }
    terminal.out(failing === 0 ? 'Nothing fails.' : `${String(failing)} of ${String(checks.length)} checks fail.`);
  }
  return failing === 0 ? EXIT.fine : EXIT.wrong;
}
