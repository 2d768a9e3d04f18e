/**
 * `npm test`: every test that this machine can run. What is left out is named (a test that needs redis-server, Chromium or
 * python3 and does not find it); with CI set, none may be. Arguments go to jest.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fail, prepare, root, toolEnvironment } from './prepare.mjs';

prepare({ say: (line) => process.stdout.write(`${line} …\n`) });

const results = path.join(root, 'test-results', 'jest.json');
mkdirSync(path.dirname(results), { recursive: true });
rmSync(results, { force: true });
const options = [process.env.NODE_OPTIONS, '--experimental-vm-modules', '--disable-warning=ExperimentalWarning'].filter(Boolean).join(' ');
const jest = spawnSync(
  process.execPath,
  [path.join(root, 'node_modules', 'jest', 'bin', 'jest.js'), '--json', `--outputFile=${results}`, ...process.argv.slice(2)],
  {
    cwd: root,
    env: toolEnvironment({ NODE_OPTIONS: options }),
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
if (jest.error !== undefined) fail(`jest did not start: ${jest.error.message}`);

const report = read(results);
if (report === null) fail('jest ended without a report.');
const tests = report.testResults.flatMap((file) => file.assertionResults.map((test) => ({ ...test, file: path.relative(root, file.name) })));
const count = (...states) => tests.filter((test) => states.includes(test.status)).length;
const skipped = tests.filter((test) => ['pending', 'skipped', 'todo', 'disabled'].includes(test.status));
const brokenFiles = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
const failed = count('failed') + brokenFiles.length;
for (const test of skipped) process.stdout.write(`left out: ${test.file}: ${test.fullName}\n`);
process.stdout.write(`${count('passed')} passed, ${failed} failed, ${skipped.length} skipped\n`);
if (process.env.CI && skipped.length > 0) fail('In CI no test may be left out.');
if (tests.length === 0) fail('No test ran.');
process.exit(jest.status === 0 && failed === 0 ? 0 : 1);

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
