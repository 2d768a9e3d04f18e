/** `npm run check`: format, lint, types, boundaries, unused code, then all tests. `--static` leaves the tests out. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fail, prepare, root, toolEnvironment } from './prepare.mjs';

prepare({ say: (line) => process.stdout.write(`${line} …\n`) });

const steps = [
  ['format', 'oxfmt', ['--check', '.']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['types', 'tsc', ['--noEmit', '-p', 'tsconfig.json']],
  ['boundaries', 'turbo', ['boundaries']],
  ['unused code', 'knip', []],
];
for (const [name, tool, args] of steps) {
  const started = Date.now();
  const result = spawnSync(path.join(root, 'node_modules', '.bin', tool), args, {
    cwd: root,
    env: toolEnvironment(),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status !== 0) fail(`${name} is not clean.`, `${result.stdout}\n${result.stderr}`);
  process.stdout.write(`${name}: clean (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
}
if (!process.argv.includes('--static')) {
  const tests = spawnSync(process.execPath, [path.join(root, 'scripts', 'test.mjs')], { cwd: root, stdio: 'inherit' });
  process.exit(tests.status ?? 1);
}
